//! Choosing a tag: from the tags of a repository and the current tag of a site to a decision with its reason.
//!
//! Owns how a tag is read ([`Reading`]), how tags are ordered, ranges in Flux's grammar ([`Range`]), and the rules that hold
//! under every order: no downgrade, no tag that was taken out by someone, no tie left to chance, and "leave it and say why"
//! wherever a tag could mean two things. Pure: no clock, no I/O; the same question has the same answer however the tags are
//! listed. What only a registry knows (times, digests, platforms) comes with the question; if it is missing where it decides,
//! the answer is what to learn ([`Need`]). Hides the orders behind one trait, so that a new one is a new file.

mod calver;
mod check;
mod combinations;
mod compare;
mod decide;
mod decision;
mod facts;
mod follow;
mod number;
mod range;
mod reading;
mod reason;
mod scale;
mod template;
mod words;

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use regex::{CaptureLocations, Regex};

pub use decision::{Change, Decision, Explanation, Hold, Keep, Outcome, Verdict};
pub use facts::{Fact, Facts, Known, Need, Wanted};
pub use range::{Range, RangeError};
pub use reading::{Reading, Scheme, Unreadable};
pub use reason::{Code, Counts, Reason};

use crate::image::{Digest, Platform, Tag, TagList};
use facts::{NO_FACTS, Requirements};
use reason::Rejection;
use scale::{Compiled, Goal, Newest};
use template::Template;

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
    /// How long a tag must have been there, with the digest it has.
    pub min_age: Option<Duration>,
    /// The platforms, as in `linux/arm64`, that an image must all have.
    pub platforms: Vec<String>,
    /// Write the digest behind the tag.
    pub pin_digest: bool,
    /// Write a tag also where its place stands empty.
    pub fill: bool,
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
    /// The latest calendar version of a form in the words of calver.org.
    Calver(String),
    /// The greatest or least number.
    Numeric(Direction),
    /// The last or first in byte order.
    Alphabetical(Direction),
    /// The last by time.
    Newest(Moment),
    /// This tag, followed by digest.
    Digest(String),
}

/// Which of a tag's times `newest` compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// When the registry took it.
    Pushed,
    /// When the image was made, as its config says.
    Created,
}

/// How far from the current tag an `update` policy goes: which of its numbers may change.
///
/// Steps count positions and nothing else, so that they mean the same for every image: `0.3.1` to `0.4.0` is a minor step.
/// A tag of one number (`18-alpine`) has no minor or patch step; its variant and build may still move on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The first two numbers stay.
    Patch,
    /// The first number stays.
    Minor,
    /// Any number may change.
    Major,
}

/// Which end of the order is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The greatest or last.
    Ascending,
    /// The least or first.
    Descending,
}

/// Which prereleases may be taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Prerelease {
    /// None, except that a site on a prerelease goes on towards that release.
    #[default]
    No,
    /// All.
    Any,
    /// Only these kinds, such as `rc`.
    Kinds(Vec<String>),
}

/// Which variants may be taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Variant {
    /// The site's, up to the numbers of base systems; without a site, none.
    #[default]
    Same,
    /// All; the site's is preferred among several of one version.
    Any,
    /// This family, such as `alpine`; with digits, just this one; empty for none.
    Only(String),
}

/// How many numeric parts a tag must have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// As many as the site's.
    #[default]
    Same,
    /// Any number of them; missing ones count as zero.
    Any,
}

/// A mistake in a policy's configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConfigError {
    /// The key of the policy table it is about: `semver`, `filter`, `exclude`, …
    pub key: &'static str,
    /// For a list (`exclude`, `prerelease`), which entry.
    pub index: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// The bytes of the value at fault, where one part of it is; always on character boundaries.
    pub span: Option<std::ops::Range<usize>>,
}

/// A checked policy.
#[derive(Clone, Debug)]
pub struct Policy {
    order: Compiled,
    conditions: Conditions,
    pins: bool,
    fills: bool,
}

/// The conditions that hold under every order, and whether a site may be lowered.
#[derive(Clone, Debug)]
struct Conditions {
    filter: Option<Regex>,
    extract: Option<Template>,
    exclude: Vec<Regex>,
    requirements: Requirements,
    downgrade: bool,
}

/// What a decision is about: the tags there are, the site as it is, and what is known beyond names.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// All tags of the repository.
    pub tags: &'a TagList,
    /// The site's current tag; it need not be among `tags`.
    pub current: Option<&'a Tag>,
    /// The site's current digest, where it has one.
    pub digest: Option<&'a Digest>,
    /// What is held for the site.
    pub hold: Option<&'a Hold>,
    /// What is known of tags; what is missing is asked for by [`Decision::Wanting`].
    pub facts: &'a Facts,
}

impl<'a> Question<'a> {
    /// Asks about a site of which nothing is known.
    #[must_use]
    pub fn of(tags: &'a TagList) -> Self {
        Self { tags, current: None, digest: None, hold: None, facts: &NO_FACTS }
    }
}

impl Policy {
    /// Checks a configuration.
    ///
    /// # Errors
    /// All its mistakes.
    pub fn new(config: Config) -> Result<Self, Vec<ConfigError>> {
        check::policy(config)
    }

    /// Decides what to do with a site. [`Decision::Wanting`] asks for facts: learn them, and ask again with those as well.
    pub fn decide(&self, question: &Question<'_>) -> Decision {
        match &self.order {
            Compiled::Versions(scale) => decide::decide(scale, &self.conditions, question),
            Compiled::Strict(scale) => decide::decide(scale, &self.conditions, question),
            Compiled::Calendar(scale) => decide::decide(scale, &self.conditions, question),
            Compiled::Numeric(scale) => decide::decide(scale, &self.conditions, question),
            Compiled::Text(scale) => decide::decide(scale, &self.conditions, question),
            Compiled::Newest(moment) => decide::decide(&newest(*moment, question), &self.conditions, question),
            Compiled::Follow(tag) => follow::decide(tag, &self.conditions, question),
        }
    }

    /// Decides, and gives a verdict for every tag.
    #[must_use]
    pub fn explain(&self, question: &Question<'_>) -> Explanation {
        match &self.order {
            Compiled::Versions(scale) => decide::explain(scale, &self.conditions, question),
            Compiled::Strict(scale) => decide::explain(scale, &self.conditions, question),
            Compiled::Calendar(scale) => decide::explain(scale, &self.conditions, question),
            Compiled::Numeric(scale) => decide::explain(scale, &self.conditions, question),
            Compiled::Text(scale) => decide::explain(scale, &self.conditions, question),
            Compiled::Newest(moment) => decide::explain(&newest(*moment, question), &self.conditions, question),
            Compiled::Follow(tag) => follow::explain(tag, &self.conditions, question),
        }
    }

    /// Returns how long a tag must have been there, with the digest it has.
    #[must_use]
    pub fn min_age(&self) -> Option<Duration> {
        self.conditions.requirements.min_age
    }

    /// Returns the platforms that an image must all have.
    #[must_use]
    pub fn platforms(&self) -> &[Platform] {
        &self.conditions.requirements.platforms
    }

    /// Says whether the digest is written behind the tag, also where a site has none.
    #[must_use]
    pub fn pins(&self) -> bool {
        self.pins
    }

    /// Says whether a tag is written also where its place stands empty.
    #[must_use]
    pub fn fills(&self) -> bool {
        self.fills
    }

    /// Returns the tag that is followed by digest, if that is the order; only then a site may be a bare digest.
    #[must_use]
    pub fn follows(&self) -> Option<&Tag> {
        match &self.order {
            Compiled::Follow(tag) => Some(tag),
            _ => None,
        }
    }
}

fn newest<'a>(moment: Moment, question: &Question<'a>) -> Newest<'a> {
    Newest { moment, facts: question.facts }
}

impl Conditions {
    /// Says whether the tag may be read at all.
    fn screen<'a>(&'a self, tag: &str) -> Result<(), Rejection<'a>> {
        if let Some(pattern) = self.exclude.iter().find(|pattern| pattern.is_match(tag)) {
            return Err(Rejection::Excluded { pattern: pattern.as_str() });
        }
        match &self.filter {
            // With a template the match is made once, when the text is extracted.
            Some(filter) if self.extract.is_none() && !filter.is_match(tag) => Err(Rejection::Filter),
            _ => Ok(()),
        }
    }

    /// Returns what makes the texts to compare of tags, if they are not compared themselves.
    fn extractor(&self) -> Option<Extractor<'_>> {
        let (filter, template) = (self.filter.as_ref()?, self.extract.as_ref()?);
        Some(Extractor { filter, template, found: filter.capture_locations() })
    }
}

/// A filter and a template, with room for the places of one match, so that no tag costs an allocation.
struct Extractor<'a> {
    filter: &'a Regex,
    template: &'a Template,
    found: CaptureLocations,
}

impl Extractor<'_> {
    /// Returns what the template makes of a tag, or `None` if the filter does not match it.
    fn extract<'t>(&mut self, tag: &'t str) -> Option<Cow<'t, str>> {
        self.filter.captures_read(&mut self.found, tag)?;
        Some(self.template.expand(tag, &self.found))
    }
}

impl Order {
    fn name(&self) -> &'static str {
        match self {
            Self::Semver(_) => "semver",
            Self::Update(_) => "update",
            Self::Numeric(_) => "numeric",
            Self::Calver(_) => "calver",
            Self::Alphabetical(_) => "alphabetical",
            Self::Newest(_) => "newest",
            Self::Digest(_) => "digest",
        }
    }
}

/// Shows the order as it is written in logs and commits: `semver ^1.4`, `update minor`.
impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.order {
            Compiled::Versions(versions) => match &versions.goal {
                Goal::Range(range) => write!(f, "semver {range}"),
                Goal::Step(step) => write!(f, "update {step}"),
            },
            Compiled::Strict(strict) => write!(f, "semver {} strict", strict.range),
            Compiled::Numeric(numeric) => write!(f, "numeric {}", numeric.0),
            Compiled::Calendar(calendar) => write!(f, "calver {}", calendar.form),
            Compiled::Text(text) => write!(f, "alphabetical {}", text.0),
            Compiled::Newest(moment) => write!(f, "newest {moment}"),
            Compiled::Follow(tag) => write!(f, "digest {tag}"),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Patch => "patch",
            Self::Minor => "minor",
            Self::Major => "major",
        })
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pushed => "pushed",
            Self::Created => "created",
        })
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ascending => "ascending",
            Self::Descending => "descending",
        })
    }
}
