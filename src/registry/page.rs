//! Reading the pages of a listing: `{"name": …, "tags": […]}`, and what Google's registries add to it.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::image::{TagList, TagRef};

use super::error::{BadJson, Cause};
use super::facts::{Facts, Gathered};
use super::manifest_map;
use super::wire::Answer;

/// The greatest public repositories have some 200,000 tags.
const MOST_TAGS: usize = 1_000_000;
/// What all tags together may take in memory.
const LARGEST_LISTING: usize = 64 * 1024 * 1024;
const EXPECTED: &str = "a list of tags";

/// Tags of all pages so far, end to end in one text.
#[derive(Default)]
pub(super) struct Collector {
    text: String,
    ends: Vec<usize>,
    omitted: Omitted,
    facts: Gathered,
    page: Page,
    full: bool,
}

/// How many entries of a listing are not in its list of tags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Omitted {
    /// Tags that tools made for signatures, attestations and the like; see [`TagRef::is_generated`].
    pub generated: usize,
    /// Texts that no registry may take for a tag.
    pub invalid: usize,
}

impl Omitted {
    /// Says whether nothing was left out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Shows `412 generated tags (signatures, attestations) and 1 text that cannot be a tag`.
impl fmt::Display for Omitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let generated = match self.generated {
            0 => None,
            1 => Some("1 generated tag (signature, attestation)".to_owned()),
            count => Some(format!("{count} generated tags (signatures, attestations)")),
        };
        let invalid = match self.invalid {
            0 => None,
            1 => Some("1 text that cannot be a tag".to_owned()),
            count => Some(format!("{count} texts that cannot be tags")),
        };
        f.write_str(&[generated, invalid].into_iter().flatten().collect::<Vec<_>>().join(" and "))
    }
}

/// What a page turned out to hold.
#[derive(Default)]
pub(super) struct Page {
    pub(super) entries: usize,
    /// The last entry, if it can be a tag; else empty.
    pub(super) last: String,
}

/// A state of a [`Collector`] to which it can return.
pub(super) struct Before {
    tags: usize,
    omitted: Omitted,
}

impl Collector {
    /// Takes the tags of a page.
    pub(super) fn read(&mut self, answer: &Answer) -> Result<Page, Cause> {
        // The content type is no help: ECR sends text/plain.
        if answer.is_web_page() {
            return Err(Cause::WebPage { expected: EXPECTED });
        }
        self.read_body(&answer.body)
    }

    fn read_body(&mut self, body: &[u8]) -> Result<Page, Cause> {
        self.page = Page::default();
        let mut json = serde_json::Deserializer::from_slice(body);
        let read = json.deserialize_map(Body(self)).and_then(|()| json.end());
        if self.full {
            return Err(Cause::Endless("it has more than 1000000 tags"));
        }
        read.map_err(|error| Cause::Json { expected: EXPECTED, source: BadJson(error) })?;
        Ok(std::mem::take(&mut self.page))
    }

    /// Takes an entry; says no if the listing is good for nothing any more.
    fn push(&mut self, text: &str) -> bool {
        self.page.entries += 1;
        self.page.last.clear();
        let Ok(tag) = TagRef::parse(text) else {
            // One bad tag must not block the others for ever.
            self.omitted.invalid += 1;
            return true;
        };
        self.page.last.push_str(text);
        if tag.is_generated() {
            self.omitted.generated += 1;
            return true;
        }
        self.full = self.ends.len() >= MOST_TAGS || self.text.len() + text.len() > LARGEST_LISTING;
        self.text.push_str(text);
        self.ends.push(self.text.len());
        !self.full
    }

    fn tags(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).filter_map(|(start, &end)| self.text.get(start..end))
    }

    pub(super) fn mark(&self) -> Before {
        Before { tags: self.ends.len(), omitted: self.omitted }
    }

    /// Says whether nothing that came since is a tag that was there before.
    pub(super) fn all_new_since(&self, before: &Before) -> bool {
        let old: HashSet<&str> = self.tags().take(before.tags).collect();
        self.tags().skip(before.tags).all(|tag| !old.contains(tag))
    }

    /// Forgets the tags that came since.
    pub(super) fn return_to(&mut self, before: &Before) {
        self.ends.truncate(before.tags);
        self.text.truncate(self.ends.last().copied().unwrap_or(0));
        self.omitted = before.omitted;
    }

    pub(super) fn finish(self) -> (TagList, Option<Facts>, Omitted) {
        // Each was a tag when it was taken.
        let tags: TagList = self.tags().filter_map(|tag| TagRef::parse(tag).ok()).collect();
        let facts = self.facts.finish(&tags);
        (tags, facts, self.omitted)
    }
}

/// Reads a page without a copy of each tag; `null` is the empty list of some registries.
struct Body<'a>(&'a mut Collector);

impl<'de> Visitor<'de> for Body<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `tags`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut found = false;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            match &*key {
                "tags" if std::mem::replace(&mut found, true) => return Err(A::Error::duplicate_field("tags")),
                "tags" => map.next_value_seed(Tags(self.0))?,
                "manifest" => map.next_value_seed(manifest_map::reader(&mut self.0.facts))?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        // An answer without the list is not the answer to the question: it must not count as "no tags".
        if found { Ok(()) } else { Err(A::Error::missing_field("tags")) }
    }
}

struct Tags<'a>(&'a mut Collector);

impl<'de> DeserializeSeed<'de> for Tags<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tags<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of tags or null")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(OneTag(self.0))?.is_some() {}
        Ok(())
    }
}

struct OneTag<'a>(&'a mut Collector);

impl<'de> DeserializeSeed<'de> for OneTag<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for OneTag<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a tag")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        if self.0.push(text) { Ok(()) } else { Err(E::custom("too many tags")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn read(body: &str) -> Result<(TagList, Option<Facts>, Omitted), Cause> {
        let mut collector = Collector::default();
        collector.read_body(body.as_bytes())?;
        Ok(collector.finish())
    }

    fn words(tags: &TagList) -> Vec<&str> {
        tags.iter().map(TagRef::as_str).collect()
    }

    #[test]
    fn t19_googles_map_tells_digest_and_push_time_of_each_tag() {
        let digest = |n: u8| crate::image::Digest::sha256(&[n; 32]).to_string();
        let body = json!({
            "child": ["sub"], "name": "p/r/i", "tags": ["text", "number", "zero", "never", "bad", "alone"],
            "manifest": {
                digest(1): { "imageSizeBytes": "123", "layerId": "", "tag": ["text"], "timeCreatedMs": "0", "timeUploadedMs": "1700000000000" },
                digest(2): { "timeUploadedMs": 1700000000001_u64, "tag": ["number", 5, null, "-no"] },
                digest(3): { "timeUploadedMs": "0", "tag": ["zero"] },
                digest(4): { "timeCreatedMs": "1700000000000", "tag": ["never"] },
                digest(5): { "timeUploadedMs": { "x": [1.5, true] }, "tag": ["bad"] },
                digest(6): { "timeUploadedMs": "1", "tag": "alone" },
                "sha256:short": { "tag": ["alone"] },
                "x": null,
            },
        });
        let (tags, facts, _) = read(&body.to_string()).unwrap();
        let facts = facts.unwrap();
        let known = |tag: &str| {
            let index = tags.position(tag).unwrap();
            (facts.digest(index).map(|digest| digest.to_string()), facts.pushed(index))
        };
        assert_eq!(known("text"), (Some(digest(1)), Some(1_700_000_000_000)));
        assert_eq!(known("number"), (Some(digest(2)), Some(1_700_000_000_001)));
        for (tag, n) in [("zero", 3), ("never", 4), ("bad", 5)] {
            assert_eq!(known(tag), (Some(digest(n)), None), "{tag}");
        }
        assert_eq!(known("alone"), (None, None));
        assert_eq!(read(r#"{"tags":["a"],"manifest":{}}"#).unwrap().1, None);
    }

    #[test]
    fn what_is_left_out_is_told_in_words() {
        let told = |generated, invalid| Omitted { generated, invalid }.to_string();
        assert_eq!(told(412, 0), "412 generated tags (signatures, attestations)");
        assert_eq!(told(1, 1), "1 generated tag (signature, attestation) and 1 text that cannot be a tag");
        assert_eq!(told(0, 2), "2 texts that cannot be tags");
    }

    #[test]
    fn returning_to_an_earlier_state_leaves_nothing_behind() {
        let mut collector = Collector::default();
        collector.read_body(br#"{"tags":["a","b"]}"#).unwrap();
        let before = collector.mark();
        let page = collector.read_body(br#"{"tags":["b","c","?"]}"#).unwrap();
        assert_eq!((page.entries, page.last), (3, String::new()));
        assert!(!collector.all_new_since(&before));
        collector.return_to(&before);
        let (tags, _, omitted) = collector.finish();
        assert_eq!((words(&tags), omitted), (vec!["a", "b"], Omitted::default()));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "[a-z:.-]{0,8}".prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            let key = prop_oneof![Just("tag".to_owned()), Just("timeUploadedMs".to_owned()), Just(format!("sha256:{}", "0".repeat(64)))];
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::vec((key, inner), 0..5).prop_map(|pairs| pairs.into_iter().collect::<Value>())
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_a_map_of_manifests_is_the_tags_are_listed(map in any_json()) {
            let body = json!({ "manifest": map, "tags": ["1.0", "a"] }).to_string();
            let (tags, ..) = read(&body).unwrap();
            prop_assert_eq!(words(&tags), ["1.0", "a"]);
        }

        #[test]
        fn no_answer_makes_it_panic(body in r#"\{"tags":[\[\]{}",:a0 \\un-]{0,40}"#) {
            let _ = read(&body);
        }

        #[test]
        fn every_entry_is_listed_or_counted(entries in proptest::collection::vec(".{0,6}|sha256-[0-9a-f]{64}(\\.sig)?", 0..20)) {
            let (tags, _, omitted) = read(&json!({ "tags": entries }).to_string()).unwrap();
            let mut listed: Vec<_> = entries.iter().map(String::as_str).filter(|text| tags.contains(text)).collect();
            prop_assert_eq!(listed.len() + omitted.generated + omitted.invalid, entries.len());
            listed.sort_unstable();
            listed.dedup();
            prop_assert_eq!(words(&tags), listed);
        }
    }
}
