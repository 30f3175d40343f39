//! What is known of tags beyond their names, and what is still to be learned.
//!
//! Facts cost requests, so deciding is a dialogue: a policy that cannot decide yet names the few facts that it needs, the
//! caller learns them and asks again. A fact that could not be read for now is no fact; the caller leaves the site alone.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::reason::Rejection;
use crate::image::{Digest, Platform, Tag};

/// Facts by tag, given with a question.
pub type Facts = BTreeMap<Tag, Fact>;

/// No facts at all, for questions that are asked for the first time.
pub(super) static NO_FACTS: Facts = Facts::new();

/// What is known of a tag beyond its name; `None` is what has not been asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fact {
    /// What the tag points to.
    pub digest: Option<Known<Digest>>,
    /// When the registry took it, in seconds since 1970.
    pub pushed: Option<Known<i64>>,
    /// When the image was made, as its config says, in seconds since 1970.
    pub created: Option<Known<i64>>,
    /// How long ago this tag with this digest was first seen or pushed, whichever is longer.
    pub age: Option<Known<Duration>>,
    /// The platforms of the image, all of them.
    pub platforms: Option<Known<Vec<Platform>>>,
}

/// A fact that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known<T> {
    /// It is this.
    Is(T),
    /// It is not to be had: the registry gives no times, the config holds none.
    Unknown,
}

/// What must be learned before a decision can be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Need {
    /// Of which tags, the best first.
    #[serde(serialize_with = "as_texts")]
    pub tags: Vec<Tag>,
    /// Which fact.
    pub what: Wanted,
}

/// One of the facts of a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wanted {
    /// [`Fact::digest`].
    Digest,
    /// [`Fact::pushed`].
    Pushed,
    /// [`Fact::created`].
    Created,
    /// [`Fact::age`].
    Age,
    /// [`Fact::platforms`].
    Platforms,
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Digest => "digest",
            Self::Pushed => "push time",
            Self::Created => "creation time",
            Self::Age => "age",
            Self::Platforms => "platforms",
        })
    }
}

/// Shows `the age of 1.4.3` or `the push time of 1.4.3 and 7 others`.
impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tags.as_slice() {
            [] => write!(f, "the {} of no tag", self.what),
            [tag] => write!(f, "the {} of {tag}", self.what),
            [tag, _] => write!(f, "the {} of {tag} and 1 other", self.what),
            [tag, others @ ..] => write!(f, "the {} of {tag} and {} others", self.what, others.len()),
        }
    }
}

impl<T> Known<T> {
    /// Takes what is known of a fact, or says why it cannot be had: it is not known, or was not asked for yet.
    pub(super) fn get<'a>(fact: Option<&Self>, what: Wanted) -> Result<&T, Rejection<'a>> {
        match fact {
            Some(Self::Is(value)) => Ok(value),
            Some(Self::Unknown) => Err(Rejection::Unknown(what)),
            None => Err(Rejection::Unlearned(what)),
        }
    }
}

/// The conditions that look at facts.
#[derive(Clone, Debug, Default)]
pub(super) struct Requirements {
    pub(super) min_age: Option<Duration>,
    pub(super) platforms: Vec<Platform>,
}

impl Requirements {
    pub(super) fn is_empty(&self) -> bool {
        self.min_age.is_none() && self.platforms.is_empty()
    }

    /// Says whether a tag may be taken by what is known of it. Ages come first: they spare the platforms of what is too young.
    pub(super) fn check(&self, fact: Option<&Fact>) -> Result<(), Rejection<'_>> {
        if let Some(min_age) = self.min_age {
            let age = *Known::get(fact.and_then(|fact| fact.age.as_ref()), Wanted::Age)?;
            if age < min_age {
                return Err(Rejection::Young { age, min_age });
            }
        }
        if self.platforms.is_empty() {
            return Ok(());
        }
        let there = Known::get(fact.and_then(|fact| fact.platforms.as_ref()), Wanted::Platforms)?;
        match self.platforms.iter().find(|wanted| !there.iter().any(|platform| serves(platform, wanted))) {
            Some(missing) => Err(Rejection::Platform(missing)),
            None => Ok(()),
        }
    }
}

/// Says whether an image for `platform` is one for `wanted`. Without a variant any is meant; `v8` is what `arm64` means by itself.
fn serves(platform: &Platform, wanted: &Platform) -> bool {
    let variant = |p: &'_ Platform| p.variant.clone().or_else(|| (p.architecture == "arm64").then(|| "v8".to_owned()));
    platform.os == wanted.os
        && platform.architecture == wanted.architecture
        && (wanted.variant.is_none() || variant(platform) == variant(wanted))
}

fn as_texts<S: Serializer>(tags: &[Tag], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(tags.iter().map(Tag::as_str))
}

/// A time span as people write it, in its two greatest units: `3d`, `1h30m`; what is finer is left out.
pub(super) struct Brief(pub(super) Duration);

impl fmt::Display for Brief {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let units = [(seconds / 86400, 'd'), (seconds / 3600 % 24, 'h'), (seconds / 60 % 60, 'm'), (seconds % 60, 's')];
        let Some(first) = units.iter().position(|(count, _)| *count > 0) else { return f.write_str("0s") };
        units.iter().skip(first).take(2).filter(|(count, _)| *count > 0).try_for_each(|(count, unit)| write!(f, "{count}{unit}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_in_their_two_greatest_units() {
        for (seconds, expected) in
            [(0, "0s"), (59, "59s"), (60, "1m"), (5400, "1h30m"), (10800, "3h"), (10_859, "3h"), (259_200, "3d"), (90_061, "1d1h")]
        {
            assert_eq!(Brief(Duration::from_secs(seconds)).to_string(), expected);
        }
    }

    #[test]
    fn a_platform_without_a_variant_is_served_by_any() {
        for (there, wanted, expected) in [
            ("linux/amd64", "linux/amd64", true),
            ("linux/arm/v7", "linux/arm", true),
            ("linux/arm", "linux/arm/v7", false),
            ("linux/arm/v6", "linux/arm/v7", false),
            ("linux/arm64", "linux/arm64/v8", true),
            ("linux/arm64/v8", "linux/arm64", true),
            ("windows/amd64", "linux/amd64", false),
        ] {
            let parse = |text| Platform::parse(text).unwrap();
            assert_eq!(serves(&parse(there), &parse(wanted)), expected, "{there} {wanted}");
        }
    }

    #[test]
    fn needs_in_words() {
        let need = |tags: &[&str]| Need { tags: tags.iter().map(|t| Tag::parse(t).unwrap()).collect(), what: Wanted::Pushed }.to_string();
        assert_eq!(need(&["1"]), "the push time of 1");
        assert_eq!(need(&["1", "2"]), "the push time of 1 and 1 other");
        assert_eq!(need(&["1", "2", "3"]), "the push time of 1 and 2 others");
    }
}
