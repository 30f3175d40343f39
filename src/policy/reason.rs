//! Why a tag is not taken: as borrowed facts while deciding, as code and words for people and machines.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::Step;
use super::decision::Hold;
use super::facts::{Brief, Wanted};
use super::range::Range;
use super::reading::{Scheme, Unreadable};
use crate::image::Platform;

/// Why a tag is not taken, borrowed from the tag, the site and the policy so that it costs nothing unless it is told.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rejection<'a> {
    Excluded {
        pattern: &'a str,
    },
    Filter,
    Unreadable(Unreadable),
    NotSemver,
    NotANumber(&'a str),
    Empty,
    Form,
    NoSuchDate,
    Followed(&'a str),
    Scheme {
        found: Scheme,
        wanted: Scheme,
    },
    Prefix {
        found: &'a str,
        wanted: &'a str,
    },
    Variant {
        found: &'a str,
        wanted: Option<&'a str>,
    },
    Build {
        found: &'a str,
        wanted: &'a str,
    },
    Precision {
        found: usize,
        wanted: usize,
    },
    Step {
        needed: Step,
        allowed: Step,
    },
    Range(&'a Range),
    Prerelease(&'a str),
    /// The fact was not asked for yet: the tag is neither taken nor rejected.
    Unlearned(Wanted),
    Unknown(Wanted),
    Young {
        age: Duration,
        min_age: Duration,
    },
    Platform(&'a Platform),
    Older {
        than: &'a str,
    },
    Held {
        tag: &'a str,
        hold: &'a Hold,
    },
}

/// What kind of reason keeps a tag from being taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// A pattern of `exclude` matches it.
    Excluded,
    /// `filter` does not match it.
    Filter,
    /// It cannot be read as a version.
    NotAVersion,
    /// It is not a number.
    NotANumber,
    /// `extract` makes an empty text of it.
    Empty,
    /// It is not of the calendar version's form, or of a date that does not exist.
    Form,
    /// It is not the tag that is followed.
    Followed,
    /// It is a date where the site has a version, or the other way round.
    Scheme,
    /// Its prefix is not the site's.
    Prefix,
    /// Its variant is not the wanted one.
    Variant,
    /// Its build is not of the site's form.
    Build,
    /// It has more or fewer numbers than the site's tag.
    Precision,
    /// It is farther from the current tag than `update` allows.
    Step,
    /// It is outside the range.
    Range,
    /// It is a prerelease that is not allowed.
    Prerelease,
    /// A fact that the policy needs is not known of it.
    Unknown,
    /// It has not been there for as long as `min_age` says.
    Young,
    /// It is not for one of the platforms.
    Platform,
    /// It is older than the current tag.
    Older,
    /// Someone took it out again, or it is not newer than what someone took out.
    Held,
}

impl Code {
    /// All codes, in the order in which tags are checked.
    pub const ALL: [Self; 20] = [
        Self::Excluded,
        Self::Filter,
        Self::NotAVersion,
        Self::NotANumber,
        Self::Empty,
        Self::Form,
        Self::Followed,
        Self::Scheme,
        Self::Prefix,
        Self::Variant,
        Self::Build,
        Self::Precision,
        Self::Step,
        Self::Range,
        Self::Prerelease,
        Self::Unknown,
        Self::Young,
        Self::Platform,
        Self::Older,
        Self::Held,
    ];

    /// Returns the code as machines read it: `not-a-version`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Excluded => "excluded",
            Self::Filter => "filter",
            Self::NotAVersion => "not-a-version",
            Self::NotANumber => "not-a-number",
            Self::Empty => "empty",
            Self::Form => "form",
            Self::Followed => "followed",
            Self::Scheme => "scheme",
            Self::Prefix => "prefix",
            Self::Variant => "variant",
            Self::Build => "build",
            Self::Precision => "precision",
            Self::Step => "step",
            Self::Range => "range",
            Self::Prerelease => "prerelease",
            Self::Unknown => "unknown",
            Self::Young => "young",
            Self::Platform => "platform",
            Self::Older => "older",
            Self::Held => "held",
        }
    }

    /// Returns what is said of several tags at once: "3 outside the range".
    fn of_many(self) -> &'static str {
        match self {
            Self::Excluded => "excluded",
            Self::Filter => "not matching the filter",
            Self::NotAVersion => "without a readable version",
            Self::NotANumber => "without a number",
            Self::Empty => "with nothing to compare",
            Self::Form => "of another form",
            Self::Followed => "not the tag that is followed",
            Self::Scheme => "with a date for a version or a version for a date",
            Self::Prefix => "with another prefix",
            Self::Variant => "of another variant",
            Self::Build => "with another form of build",
            Self::Precision => "with more or fewer numbers",
            Self::Step => "beyond the step",
            Self::Range => "outside the range",
            Self::Prerelease => "prereleases",
            Self::Unknown => "of which too little is known",
            Self::Young => "too young",
            Self::Platform => "without a platform",
            Self::Older => "older",
            Self::Held => "held",
        }
    }
}

impl Rejection<'_> {
    pub(super) fn code(&self) -> Code {
        match self {
            Self::Excluded { .. } => Code::Excluded,
            Self::Filter => Code::Filter,
            Self::Unreadable(_) | Self::NotSemver => Code::NotAVersion,
            Self::NotANumber(_) => Code::NotANumber,
            Self::Empty => Code::Empty,
            Self::Form | Self::NoSuchDate => Code::Form,
            Self::Followed(_) => Code::Followed,
            Self::Scheme { .. } => Code::Scheme,
            Self::Prefix { .. } => Code::Prefix,
            Self::Variant { .. } => Code::Variant,
            Self::Build { .. } => Code::Build,
            Self::Precision { .. } => Code::Precision,
            Self::Step { .. } => Code::Step,
            Self::Range(_) => Code::Range,
            Self::Prerelease(_) => Code::Prerelease,
            Self::Unlearned(_) | Self::Unknown(_) => Code::Unknown,
            Self::Young { .. } => Code::Young,
            Self::Platform(_) => Code::Platform,
            Self::Older { .. } => Code::Older,
            Self::Held { .. } => Code::Held,
        }
    }
}

impl fmt::Display for Rejection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_none = |text: &'_ str| if text.is_empty() { "none".to_owned() } else { text.to_owned() };
        match self {
            Self::Excluded { pattern } => write!(f, "excluded by {pattern}"),
            Self::Filter => f.write_str("does not match filter"),
            Self::Unreadable(why) => write!(f, "{why}"),
            Self::NotSemver => f.write_str("not a semantic version"),
            Self::NotANumber(text) => write!(f, "{} is not a number", if text.is_empty() { "an empty text" } else { text }),
            Self::Empty => f.write_str("extract leaves nothing of it"),
            Self::Form => f.write_str("not of the form"),
            Self::NoSuchDate => f.write_str("a date that does not exist"),
            Self::Followed(tag) => write!(f, "not {tag}, which is followed"),
            Self::Scheme { found: Scheme::Date, wanted: Scheme::Version } => f.write_str("a date, not a version"),
            Self::Scheme { found: Scheme::Version, wanted: Scheme::Date } => f.write_str("a version, but the site has a date"),
            Self::Scheme { .. } => f.write_str("a date of another form than the site's"),
            Self::Prefix { found, wanted } => write!(f, "prefix {} differs from {}", or_none(found), or_none(wanted)),
            Self::Variant { found, wanted: Some(wanted) } => write!(f, "variant {} differs from {}", or_none(found), or_none(wanted)),
            Self::Variant { found, wanted: None } => write!(f, "variant {} is not the one asked for", or_none(found)),
            Self::Build { found, wanted } => write!(f, "build {} is of another form than {}", or_none(found), or_none(wanted)),
            Self::Precision { found, wanted } => {
                write!(f, "{found} {}, the site has {wanted}", if *found == 1 { "part" } else { "parts" })
            }
            Self::Step { needed, allowed } => write!(f, "{needed} step, update = \"{allowed}\""),
            Self::Range(range) => write!(f, "not in range {range}"),
            Self::Prerelease(prerelease) => write!(f, "prerelease {prerelease} not allowed"),
            Self::Unlearned(what) => write!(f, "its {what} {} not been asked for", if *what == Wanted::Platforms { "have" } else { "has" }),
            Self::Unknown(what) => write!(f, "its {what} {} not known", if *what == Wanted::Platforms { "are" } else { "is" }),
            Self::Young { age, min_age } => write!(f, "seen {} ago, min_age {}", Brief(*age), Brief(*min_age)),
            Self::Platform(platform) => write!(f, "no {platform}"),
            Self::Older { than } => write!(f, "older than {than}"),
            Self::Held { tag, hold: Hold { tag: held, commit, reverted, .. } } => match reverted {
                Some(reverted) if held.as_str() == *tag => write!(f, "held: reverted in {reverted}"),
                Some(reverted) => write!(f, "held: not newer than {held}, which was reverted in {reverted}"),
                None => write!(f, "held: {held} was taken out again after commit {commit} wrote it"),
            },
        }
    }
}

/// Why a tag is not taken: a code for machines and words for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    code: Code,
    text: String,
    ends_in: Option<Duration>,
}

impl Reason {
    /// Returns the kind of reason.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// Returns the reason in words: `older than 1.4.2`.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns in how long it ends by itself: a tag that is too young gets older.
    #[must_use]
    pub fn ends_in(&self) -> Option<Duration> {
        self.ends_in
    }
}

impl From<&Rejection<'_>> for Reason {
    fn from(rejection: &Rejection<'_>) -> Self {
        let ends_in = match rejection {
            Rejection::Young { age, min_age } => Some(min_age.saturating_sub(*age)),
            _ => None,
        };
        Self { code: rejection.code(), text: rejection.to_string(), ends_in }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// How many tags were there, and for what reason they were rejected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    total: usize,
    rejected: [usize; Code::ALL.len()],
}

impl Counts {
    /// Returns the number of tags of the repository.
    #[must_use]
    pub fn total(&self) -> usize {
        self.total
    }

    /// Returns how many tags were rejected for a reason of this kind (the first that applied).
    #[must_use]
    pub fn rejected(&self, code: Code) -> usize {
        self.rejected[code as usize]
    }

    /// Counts a tag that may be taken.
    pub(super) fn add(&mut self) {
        self.total += 1;
    }

    /// Counts a tag that may not be taken.
    pub(super) fn reject(&mut self, code: Code) {
        self.total += 1;
        self.rejected[code as usize] += 1;
    }
}

/// Shows `5 tags: 3 of another variant, 2 outside the range`, the most frequent first.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.total {
            0 => return f.write_str("the repository has no tags"),
            1 => f.write_str("1 tag")?,
            total => write!(f, "{total} tags")?,
        }
        let mut counted: Vec<Code> = Code::ALL.into_iter().filter(|&code| self.rejected(code) > 0).collect();
        counted.sort_by_key(|&code| std::cmp::Reverse(self.rejected(code)));
        for (i, code) in counted.into_iter().enumerate() {
            write!(f, "{} {} {}", if i == 0 { ":" } else { "," }, self.rejected(code), code.of_many())?;
        }
        Ok(())
    }
}

impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(
            std::iter::once(("total", self.total))
                .chain(Code::ALL.into_iter().map(|code| (code.as_str(), self.rejected(code))).filter(|(_, count)| *count > 0)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_index_the_counts() {
        for (i, code) in Code::ALL.into_iter().enumerate() {
            assert_eq!(code as usize, i);
        }
    }

    #[test]
    fn counts_tell_the_most_frequent_first() {
        let mut counts = Counts::default();
        assert_eq!(counts.to_string(), "the repository has no tags");
        counts.reject(Code::Prefix);
        assert_eq!(counts.to_string(), "1 tag: 1 with another prefix");
        counts.reject(Code::Range);
        counts.reject(Code::Range);
        assert_eq!(counts.to_string(), "3 tags: 2 outside the range, 1 with another prefix");
        assert_eq!(serde_json::to_string(&counts).unwrap(), r#"{"total":3,"prefix":1,"range":2}"#);
    }
}
