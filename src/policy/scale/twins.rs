//! `1.2.3-dev` beside `1.2.3`: an image with more in it, or a build on the way to the release?
//!
//! The word alone does not say, the listing may. Where the version that a site has with `-dev` is there without it as well, the
//! two are published as a pair: the site then follows `-dev` tags of other pairs, never the plain tag, which may lack what the
//! site needs. Where it is not, `-dev` is a prerelease like the others.

use std::collections::HashSet;

use super::line::is_plain;
use crate::policy::reading::Reading;
use crate::policy::reason::Rejection;

/// The versions that are listed without any suffix, by prefix and numbers, for a site whose `-dev` is one of a pair.
#[derive(Clone, Debug)]
pub(super) struct Twins<'a>(HashSet<(&'a str, &'a str)>);

impl<'a> Twins<'a> {
    /// Looks for the plain version of a site on `-dev`.
    pub(super) fn of(current: &Reading<'a>, candidates: impl Iterator<Item = &'a str>) -> Option<Self> {
        if !is_bare_dev(current) {
            return None;
        }
        let releases = candidates.filter_map(|text| Reading::of(text).ok()).filter(|key| is_plain(key) && key.prerelease().is_empty());
        let plain: HashSet<_> = releases.map(|key| (key.prefix(), key.numbers())).collect();
        plain.contains(&(current.prefix(), current.numbers())).then_some(Self(plain))
    }

    /// Returns the reading of a tag with the `-dev` of a pair as its variant.
    pub(super) fn read(&self, key: &Reading<'a>) -> Result<Reading<'a>, Rejection<'a>> {
        match is_bare_dev(key) {
            true if self.0.contains(&(key.prefix(), key.numbers())) => Ok(key.with_prerelease_as_variant()),
            true => Err(Rejection::Prerelease(key.prerelease())),
            false => Ok(*key),
        }
    }
}

fn is_bare_dev(key: &Reading<'_>) -> bool {
    key.prerelease() == "dev" && is_plain(key)
}
