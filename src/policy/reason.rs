//! Why a tag is not taken: as borrowed facts while deciding, as code and words for people and machines.

use std::fmt;

use serde::{Serialize, Serializer};

use super::Step;
use super::range::Range;
use super::reading::{Scheme, Unreadable};

/// Why a tag is not taken, borrowed from the tag, the site and the policy so that it costs nothing unless it is told.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rejection<'a> {
    Excluded { pattern: &'a str },
    Filter,
    Unreadable(Unreadable),
    NotSemver,
    NotANumber(&'a str),
    Scheme { found: Scheme, wanted: Scheme },
    Prefix { found: &'a str, wanted: &'a str },
    Variant { found: &'a str, wanted: Option<&'a str> },
    Build { found: &'a str, wanted: &'a str },
    Precision { found: usize, wanted: usize },
    Step { needed: Step, allowed: Step },
    Range(&'a Range),
    Prerelease(&'a str),
    Older { than: &'a str },
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
    /// It is older than the current tag.
    Older,
}

impl Code {
    /// All codes, in the order in which tags are checked.
    pub const ALL: [Self; 13] = [
        Self::Excluded,
        Self::Filter,
        Self::NotAVersion,
        Self::NotANumber,
        Self::Scheme,
        Self::Prefix,
        Self::Variant,
        Self::Build,
        Self::Precision,
        Self::Step,
        Self::Range,
        Self::Prerelease,
        Self::Older,
    ];

    /// Returns the code as machines read it: `not-a-version`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Excluded => "excluded",
            Self::Filter => "filter",
            Self::NotAVersion => "not-a-version",
            Self::NotANumber => "not-a-number",
            Self::Scheme => "scheme",
            Self::Prefix => "prefix",
            Self::Variant => "variant",
            Self::Build => "build",
            Self::Precision => "precision",
            Self::Step => "step",
            Self::Range => "range",
            Self::Prerelease => "prerelease",
            Self::Older => "older",
        }
    }

    /// Returns what is said of several tags at once: "3 outside the range".
    fn of_many(self) -> &'static str {
        match self {
            Self::Excluded => "excluded",
            Self::Filter => "not matching the filter",
            Self::NotAVersion => "without a readable version",
            Self::NotANumber => "without a number",
            Self::Scheme => "with a date for a version or a version for a date",
            Self::Prefix => "with another prefix",
            Self::Variant => "of another variant",
            Self::Build => "with another form of build",
            Self::Precision => "with more or fewer numbers",
            Self::Step => "beyond the step",
            Self::Range => "outside the range",
            Self::Prerelease => "prereleases",
            Self::Older => "older",
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
            Self::Scheme { .. } => Code::Scheme,
            Self::Prefix { .. } => Code::Prefix,
            Self::Variant { .. } => Code::Variant,
            Self::Build { .. } => Code::Build,
            Self::Precision { .. } => Code::Precision,
            Self::Step { .. } => Code::Step,
            Self::Range(_) => Code::Range,
            Self::Prerelease(_) => Code::Prerelease,
            Self::Older { .. } => Code::Older,
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
            Self::Older { than } => write!(f, "older than {than}"),
        }
    }
}

/// Why a tag is not taken: a code for machines and words for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    code: Code,
    text: String,
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
}

impl From<&Rejection<'_>> for Reason {
    fn from(rejection: &Rejection<'_>) -> Self {
        Self { code: rejection.code(), text: rejection.to_string() }
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
