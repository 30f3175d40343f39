//! What was decided, and how it is told.

use std::fmt;
use std::time::Duration;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::facts::{Brief, Need};
use super::reason::{Counts, Reason, Rejection};
use crate::image::{Digest, Tag};

/// A version that Tagboat wrote and someone took out again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The tag that is not to come back.
    pub tag: Tag,
    /// The digest that is not to come back, where the tag is followed by digest; without one, no digest of the tag is.
    pub digest: Option<Digest>,
    /// The commit that wrote it, shortened, for messages.
    pub commit: String,
    /// The commit that took it out again, shortened, for messages; none where that cannot be told.
    pub reverted: Option<String>,
}

/// What to do with a site.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
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
    /// It cannot be decided before these facts are learned.
    Wanting(Need),
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
    /// The current tag is a date, which has no patch or minor step.
    Stepless,
    /// The current tag is a calendar version, whose numbers are a year and a month and no steps.
    Calendar,
    /// There is no current tag to step from.
    NoCurrent,
}

impl Decision {
    /// Returns the kind of decision as machines read it: `move`, `no-candidate`, `wanting`, or why the site is kept, such as `up-to-date`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Keep(keep) => keep.code(),
            Self::Move { .. } => "move",
            Self::NoCandidate(_) => "no-candidate",
            Self::Wanting(_) => "wanting",
        }
    }
}

impl Keep {
    /// Returns the reason as machines read it: `up-to-date`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::UpToDate => "up-to-date",
            Self::Ahead { .. } => "ahead",
            Self::Held { .. } => "held",
            Self::Unordered => "unordered",
            Self::Stepless => "stepless",
            Self::Calendar => "calendar",
            Self::NoCurrent => "no-current",
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keep(keep) => write!(f, "{keep}"),
            Self::Move { to } => write!(f, "move to {to}"),
            Self::NoCandidate(counts) => write!(f, "no tag satisfies the policy ({counts})"),
            Self::Wanting(need) => write!(f, "not decided before {need} has been asked for"),
        }
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UpToDate => f.write_str("up to date"),
            Self::Ahead { best } => write!(f, "ahead of the policy, whose best tag is {best}"),
            Self::Held { best, hold } => {
                match &hold.reverted {
                    Some(commit) => write!(f, "{} is held: reverted in {commit}", hold.tag)?,
                    None => write!(f, "{}", Rejection::Held { tag: hold.tag.as_str(), hold })?,
                }
                if *best == hold.tag { Ok(()) } else { write!(f, ", and {best} is not newer") }
            }
            Self::Unordered => f.write_str("the current tag cannot be ordered, so nothing can be said to be newer"),
            Self::Stepless => f.write_str("the current tag is a date, which has no patch or minor step"),
            Self::Calendar => f.write_str("the current tag reads as a calendar version, whose year and month are no steps; use `calver`"),
            Self::NoCurrent => f.write_str("there is no current tag to step from"),
        }
    }
}

/// A decision with a verdict for every tag, newest first.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// The decision.
    pub decision: Decision,
    /// When the decision changes by itself, if that can be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    /// A verdict for every tag, newest first; tags that cannot be ordered come last.
    pub verdicts: Vec<Verdict>,
}

/// A tag that is chosen once it is old enough, if nothing else comes before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The tag.
    #[serde(serialize_with = "as_text")]
    pub tag: Tag,
    /// In how long.
    #[serde(rename = "after_seconds", serialize_with = "as_seconds")]
    pub after: Duration,
}

/// Shows `1.4.3 in 2d21h`.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.tag, Brief(self.after))
    }
}

/// What became of one tag.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The tag.
    pub tag: Tag,
    /// What `extract` made of it, where that is what was compared.
    pub extracted: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
}

/// What a policy says of one tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is the best of all.
    Chosen,
    /// It may be taken, but there is a better one.
    Eligible,
    /// It may not be taken.
    Rejected(Reason),
}

impl Outcome {
    /// Returns the outcome as machines read it: `chosen`, `eligible`, or the code of the reason.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Chosen => "chosen",
            Self::Eligible => "eligible",
            Self::Rejected(reason) => reason.code().as_str(),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chosen => f.write_str("chosen"),
            Self::Eligible => f.write_str("may be taken, but there is a better one"),
            Self::Rejected(reason) => write!(f, "{reason}"),
        }
    }
}

/// Writes `code`, `text` and, for a move, `to`.
impl Serialize for Decision {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Decision", 3)?;
        fields.serialize_field("code", self.code())?;
        fields.serialize_field("text", &self.to_string())?;
        match self {
            Self::Move { to } => fields.serialize_field("to", to.as_str())?,
            Self::Keep(Keep::Ahead { best } | Keep::Held { best, .. }) => fields.serialize_field("best", best.as_str())?,
            Self::NoCandidate(counts) => fields.serialize_field("counts", counts)?,
            Self::Wanting(need) => fields.serialize_field("need", need)?,
            Self::Keep(_) => {}
        }
        fields.end()
    }
}

/// Writes `tag`, `extracted` if there is one, `code` and `text`.
impl Serialize for Verdict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Verdict", 4)?;
        fields.serialize_field("tag", self.tag.as_str())?;
        match &self.extracted {
            Some(extracted) => fields.serialize_field("extracted", extracted)?,
            None => fields.skip_field("extracted")?,
        }
        fields.serialize_field("code", self.outcome.code())?;
        fields.serialize_field("text", &self.outcome.to_string())?;
        fields.end()
    }
}

fn as_text<S: Serializer>(tag: &Tag, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(tag.as_str())
}

fn as_seconds<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(span.as_secs())
}
