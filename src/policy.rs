//! Choosing a tag. (contract)

use std::fmt;
use std::ops::Range;

use crate::image::{Tag, TagList};

/// What the policy file says about choosing, as text still to be checked.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The order; `None` is the default `update = "minor"`.
    pub order: Option<Order>,
    /// A regex that tags must match.
    pub filter: Option<String>,
    /// The template over the filter's groups that the order then compares.
    pub extract: Option<String>,
    /// Regexes of tags never taken.
    pub exclude: Vec<String>,
    /// Which prereleases may be taken.
    pub prerelease: Prerelease,
    /// Which variants may be taken.
    pub variant: Variant,
    /// How many numeric parts a tag must have.
    pub precision: Precision,
    /// Read the whole tag as a semantic version, as Flux does.
    pub strict: bool,
    /// Let the policy lower a site.
    pub downgrade: bool,
}

/// How tags are ordered and which of them are in range.
#[derive(Clone, Debug)]
pub enum Order {
    /// The highest version in a range (Flux's grammar).
    Semver(String),
    /// The highest version within a step of the site's current tag.
    Update(Step),
    /// The greatest or least number.
    Numeric(Direction),
    /// The last or first in byte order.
    Alphabetical(Direction),
}

/// How far from the current tag an `update` policy goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    ///
    Patch,
    ///
    Minor,
    ///
    Major,
}

/// Which end of the order is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    ///
    Ascending,
    ///
    Descending,
}

/// Which prereleases may be taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Prerelease {
    ///
    #[default]
    No,
    ///
    Any,
    /// Only these kinds, such as `rc`.
    Kinds(Vec<String>),
}

/// Which variants may be taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Variant {
    ///
    #[default]
    Same,
    ///
    Any,
    /// This family, such as `alpine`.
    Only(String),
}

/// How many numeric parts a tag must have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    ///
    #[default]
    Same,
    ///
    Any,
}

/// A mistake in a policy's configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConfigError {
    /// The key of the policy table it is about: `semver`, `filter`, `exclude`, …
    pub key: &'static str,
    /// For `exclude`, which entry.
    pub index: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// The bytes of the value at fault, where one part of it is.
    pub span: Option<Range<usize>>,
}

/// A checked policy.
#[derive(Clone, Debug)]
pub struct Policy {}

/// A version that Tagboat wrote and someone took out again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The tag that is not to come back.
    pub tag: Tag,
    /// The commit that wrote it, shortened, for messages.
    pub commit: String,
}

/// What a decision is about: the tags there are, and the site as it is.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// All tags of the repository.
    pub tags: &'a TagList,
    /// The site's current tag.
    pub current: Option<&'a Tag>,
    /// What is held for the site.
    pub hold: Option<&'a Hold>,
}

/// What to do with a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Leave it.
    Keep(Keep),
    /// Write this tag.
    Move {
        /// The tag to write.
        to: Tag,
    },
    /// No tag satisfies the policy.
    NoCandidate(Counts),
}

/// Why a site is left as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keep {
    /// It has the best tag.
    UpToDate,
    /// It is past the best tag.
    Ahead {
        /// The best tag.
        best: Tag,
    },
    /// The best tag was taken out by someone.
    Held {
        /// The best tag.
        best: Tag,
        /// The hold that stops it.
        hold: Hold,
    },
    /// The current tag says no version, so nothing can be said to be newer.
    Unordered,
}

/// How many tags were there, and what became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {}

/// A decision with a verdict for every tag, newest first.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The decision.
    pub decision: Decision,
    /// A verdict for every tag, newest first.
    pub verdicts: Vec<Verdict>,
}

/// What became of one tag.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The tag.
    pub tag: Tag,
}

impl Policy {
    /// Checks a configuration.
    ///
    /// # Errors
    /// All its mistakes.
    #[allow(clippy::needless_pass_by_value)]
    pub fn new(config: Config) -> Result<Self, Vec<ConfigError>> {
        let _ = config;
        Ok(Self {})
    }

    /// Decides what to do with a site.
    #[must_use]
    pub fn decide(&self, question: &Question<'_>) -> Decision {
        let _ = question;
        Decision::Keep(Keep::UpToDate)
    }

    /// Decides, and gives a verdict for every tag.
    #[must_use]
    pub fn explain(&self, question: &Question<'_>) -> Explanation {
        Explanation { decision: self.decide(question), verdicts: Vec::new() }
    }
}

/// Shows the order as it is written in logs and commits: `semver ^1.4`, `update minor`.
impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("policy")
    }
}
