//! A version as a range sees it: three numbers and a prerelease, borrowed.

use std::cmp::Ordering;

use crate::policy::compare::compare_prereleases;
use crate::policy::number::{compare_digits, saturating};
use crate::policy::reading::Reading;

/// Three numbers and a prerelease; empty for a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::policy) struct Point<'a> {
    pub(in crate::policy) major: u64,
    pub(in crate::policy) minor: u64,
    pub(in crate::policy) patch: u64,
    pub(in crate::policy) prerelease: &'a str,
}

/// How prereleases compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::policy) enum Dialect {
    /// As Semantic Versioning 2.0 has it (section 11): `rc10` before `rc9`.
    Semver,
    /// As tags are read: by kind, then by number.
    Tags,
}

impl Dialect {
    /// Compares two prereleases; none is greater than all.
    pub(super) fn compare(self, a: &str, b: &str) -> Ordering {
        match self {
            Self::Semver => compare_semver(a, b),
            Self::Tags => compare_prereleases(a, b),
        }
    }
}

impl<'a> Point<'a> {
    /// Reads a tag as Flux does: at least two dots; a lower-case `v`, one to three numbers, a prerelease and build metadata.
    ///
    /// Leading zeros are allowed in the numbers, not in numeric identifiers of the prerelease.
    pub(in crate::policy) fn parse(text: &'a str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        if text.bytes().filter(|&b| b == b'.').count() < 2 {
            return None;
        }
        let (text, build) = text.split_once('+').map_or((text, None), |(text, build)| (text, Some(build)));
        let (numbers, prerelease) = text.split_once('-').map_or((text, None), |(numbers, pre)| (numbers, Some(pre)));
        let valid = |identifiers: Option<&str>, check: fn(&str) -> bool| identifiers.is_none_or(|ids| ids.split('.').all(check));
        if !valid(prerelease, is_prerelease_identifier) || !valid(build, is_identifier) {
            return None;
        }
        let mut parts = [0; 3];
        for (index, part) in numbers.split('.').enumerate() {
            let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            *parts.get_mut(index).filter(|_| digits)? = part.parse().ok()?;
        }
        let [major, minor, patch] = parts;
        Some(Self { major, minor, patch, prerelease: prerelease.unwrap_or("") })
    }

    /// Compares by precedence.
    pub(in crate::policy) fn compare(&self, other: &Self, dialect: Dialect) -> Ordering {
        (self.major, self.minor, self.patch)
            .cmp(&(other.major, other.minor, other.patch))
            .then_with(|| dialect.compare(self.prerelease, other.prerelease))
    }
}

/// A reading's first three numbers; missing ones are zero, later ones are beyond what a range speaks of.
impl<'a> From<&Reading<'a>> for Point<'a> {
    fn from(reading: &Reading<'a>) -> Self {
        if let Some([major, minor, patch]) = reading.small_numbers() {
            return Self { major, minor, patch, prerelease: reading.prerelease() };
        }
        let mut parts = reading.parts().map(saturating);
        let mut next = || parts.next().unwrap_or(0);
        Self { major: next(), minor: next(), patch: next(), prerelease: reading.prerelease() }
    }
}

impl<'a> From<&'a semver::Version> for Point<'a> {
    fn from(version: &'a semver::Version) -> Self {
        Self { major: version.major, minor: version.minor, patch: version.patch, prerelease: version.pre.as_str() }
    }
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn is_numeric(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}

fn is_prerelease_identifier(text: &str) -> bool {
    is_identifier(text) && !(text.len() > 1 && text.starts_with('0') && is_numeric(text))
}

/// Compares prereleases by Semantic Versioning 2.0, section 11, without copying them.
fn compare_semver(a: &str, b: &str) -> Ordering {
    if a.is_empty() || b.is_empty() {
        return a.is_empty().cmp(&b.is_empty());
    }
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let order = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(x), Some(y)) => match (is_numeric(x), is_numeric(y)) {
                (true, true) => compare_digits(x, y),
                (true, false) => Ordering::Less,
                (false, true) => Ordering::Greater,
                (false, false) => x.cmp(y),
            },
        };
        if order.is_ne() {
            return order;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_flux_reads() {
        for good in ["1.2.3", "v1.2.3", "v2025.07.03", "v1.2.0-x.Y.0+metadata", "1.2-beta.3", "1-2.3.4", "1.2.3--", "0.0.0-0"] {
            assert!(Point::parse(good).is_some(), "{good}");
        }
        for bad in [
            "v1.0",
            "v1",
            "v1.2.beta",
            "v1.2-5",
            "\nv1.2",
            "\nv1.2.3",
            "v1.2.3.4",
            "V1.2.3",
            "1.2.3_x",
            "1.2.3rc1",
            "release-1.2.3",
            "vv1.2.3",
            "1.2.3-",
            "1.2.3-a..b",
            "1.2.3-rc.01",
            "1.2.",
            "1..2",
            "18446744073709551616.0.0",
            "1.2.3+",
            "1.2.3-é",
            "",
        ] {
            assert!(Point::parse(bad).is_none(), "{bad}");
        }
    }

    proptest! {
        /// `semver`, an independent implementation, is the judge.
        #[test]
        fn strict_precedence_is_that_of_semver(a in version(), b in version()) {
            let (x, y) = (semver::Version::parse(&a).unwrap(), semver::Version::parse(&b).unwrap());
            let (p, q) = (Point::parse(&a).unwrap(), Point::parse(&b).unwrap());
            prop_assert_eq!(p.compare(&q, Dialect::Semver), x.cmp_precedence(&y));
            prop_assert_eq!(Point::from(&x), p);
        }
    }

    fn version() -> impl Strategy<Value = String> {
        let number = prop_oneof![Just(0_u64), Just(1), Just(10), any::<u64>()];
        let identifier = prop_oneof!["0|[1-9][0-9]{0,20}", "[a-z]{1,3}[0-9]{0,2}", "[A-Z-]{1,2}"];
        ([number.clone(), number.clone(), number], prop::collection::vec(identifier, 0..3))
            .prop_map(|([a, b, c], ids)| if ids.is_empty() { format!("{a}.{b}.{c}") } else { format!("{a}.{b}.{c}-{}", ids.join(".")) })
    }
}
