//! Ranges of versions in Flux's grammar (Masterminds/semver v3), which is neither npm's nor Cargo's.
//!
//! Owns what a range admits: `||` of groups of comparisons, wildcards, and the rule that a group admits prereleases
//! when one of its comparisons names one. Hides how the text is parsed.

mod parse;
mod point;

use std::cmp::Ordering;
use std::fmt;

pub(super) use point::{Dialect, Point};

/// A range of versions, as checked text and as groups of comparisons.
#[derive(Clone, Debug)]
pub struct Range {
    text: Box<str>,
    /// One of these has to hold.
    groups: Vec<Group>,
}

/// A mistake in a range, with the bytes of the text that are at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RangeError {
    /// What is wrong.
    pub message: String,
    /// Where.
    pub span: std::ops::Range<usize>,
}

/// Whether a range admits a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It does.
    In,
    /// Its bounds do, but the version is a prerelease and the range names none.
    Prerelease,
    /// It does not.
    Out,
}

/// Comparisons that have to hold together.
#[derive(Clone, Debug)]
struct Group {
    comparisons: Vec<Comparison>,
    /// Whether one of them names a prerelease.
    prereleases: bool,
}

#[derive(Clone, Debug)]
struct Comparison {
    operator: Operator,
    bound: semver::Version,
    wild: Wild,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    /// None, or `=`: exact, or like `~` where parts are left out.
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    Tilde,
    Caret,
}

/// The first part of a bound that is a wildcard or left out. From there on the bound's numbers are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wild {
    None,
    Major,
    Minor,
    Patch,
}

impl Range {
    /// Reads a range such as `^1.4`, `>=1.2 <2 || ~3.1` or `1.2 - 1.4`.
    ///
    /// # Errors
    /// The first mistake.
    pub fn parse(text: &str) -> Result<Self, RangeError> {
        Ok(Self { text: text.trim().into(), groups: parse::groups(text)? })
    }

    /// Says whether the range admits `version`, by the rules of semantic versions.
    #[must_use]
    pub fn matches(&self, version: &semver::Version) -> bool {
        self.admits(&Point::from(version), Dialect::Semver, false) == Admission::In
    }

    /// Says whether the range admits `point`; `prereleases` admits them in groups that name none, too.
    pub(super) fn admits(&self, point: &Point<'_>, dialect: Dialect, prereleases: bool) -> Admission {
        let mut admission = Admission::Out;
        for group in &self.groups {
            if group.comparisons.iter().all(|c| c.holds(point, dialect)) {
                if point.prerelease.is_empty() || prereleases || group.prereleases {
                    return Admission::In;
                }
                admission = Admission::Prerelease;
            }
        }
        admission
    }
}

impl Comparison {
    fn holds(&self, v: &Point<'_>, dialect: Dialect) -> bool {
        let bound = &self.bound;
        let order = v.compare(&Point::from(bound), dialect);
        match self.operator {
            Operator::Equal if self.wild == Wild::None => order.is_eq(),
            Operator::Equal | Operator::Tilde => order.is_ge() && self.within_tilde(v),
            Operator::NotEqual => self.differs(v, order, dialect),
            // Beyond a partial bound begins the next number that it names: `>11` is 12 and later.
            Operator::Greater => match self.wild {
                Wild::Minor => v.major > bound.major,
                Wild::Patch => (v.major, v.minor) > (bound.major, bound.minor),
                Wild::None | Wild::Major => order.is_gt(),
            },
            Operator::Less => order.is_lt(),
            Operator::GreaterOrEqual => order.is_ge(),
            // Up to a partial bound means all that it stands for: `<=11` is up to the last 11.x.
            Operator::LessOrEqual => match self.wild {
                Wild::None => order.is_le(),
                Wild::Minor => v.major <= bound.major,
                Wild::Major | Wild::Patch => (v.major, v.minor) <= (bound.major, bound.minor),
            },
            Operator::Caret => order.is_ge() && self.within_caret(v),
        }
    }

    /// The upper end of `~`: the same minor version, or the same major where no minor is given; `~0.0.0` and `*` have none.
    fn within_tilde(&self, v: &Point<'_>) -> bool {
        let bound = &self.bound;
        let zero = bound.major == 0 && bound.minor == 0 && bound.patch == 0;
        match self.wild {
            Wild::None | Wild::Major if zero => true,
            Wild::Minor => v.major == bound.major,
            _ => v.major == bound.major && v.minor == bound.minor,
        }
    }

    /// The upper end of `^`: the first number that is given and not zero stays.
    fn within_caret(&self, v: &Point<'_>) -> bool {
        let bound = &self.bound;
        if v.major != bound.major {
            return false;
        }
        if bound.major > 0 || self.wild == Wild::Minor {
            return true;
        }
        v.minor == bound.minor && (bound.minor > 0 || self.wild == Wild::Patch || v.patch == bound.patch)
    }

    fn differs(&self, v: &Point<'_>, order: Ordering, dialect: Dialect) -> bool {
        let bound = &self.bound;
        match self.wild {
            Wild::None | Wild::Major => order.is_ne(),
            Wild::Minor => v.major != bound.major,
            Wild::Patch => (v.major, v.minor) != (bound.major, bound.minor) || dialect.compare(v.prerelease, &bound.pre).is_ne(),
        }
    }
}

/// Shows the range as it was written.
impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
