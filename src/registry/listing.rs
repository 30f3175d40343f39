//! All tags of a repository: every page, or an error.

use std::collections::HashSet;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use url::Url;

use crate::image::{ParseError, TagList, TagRef};

use super::error::{BadJson, Cause};
use super::link;
use super::session::Session;
use super::wire::{self, Answer, Request};

/// The greatest page that every registry grants (ECR refuses more).
const PAGE_SIZE: &str = "1000";
/// Quay gives 100 tags a page whatever is asked for, so this is half a million tags there.
const MOST_PAGES: usize = 5_000;
/// The greatest public repositories have some 200,000 tags.
const MOST_TAGS: usize = 1_000_000;
/// Docker Hub has been seen to give all tags at once: 200,000 of them take 6 MB.
const LARGEST_PAGE: usize = 32 * 1024 * 1024;
/// What all pages together may take, the waits for their turn not counted: a slow registry has to be done before the next listing is due.
const LONGEST: Duration = Duration::from_secs(10 * 60);
/// What all tags together may take in memory.
const LARGEST_LISTING: usize = 64 * 1024 * 1024;

/// Lists all tags of the session's repository.
///
/// A registry may lose its place if the tag at a page's end is deleted meanwhile; then the listing starts over, once.
pub(super) async fn tags(session: &Session<'_>) -> Result<TagList, Cause> {
    let first = first_page(session).await?;
    match rest(session, first).await? {
        Some(tags) => Ok(tags),
        None => {
            let first = first_page(session).await?;
            rest(session, first).await?.ok_or(Cause::Endless("its pages vanish while it is read"))
        }
    }
}

/// Gets the first page, without a page size where the registry refuses it.
async fn first_page(session: &Session<'_>) -> Result<Answer, Cause> {
    let mut url = session.url("tags/list");
    if session.host.takes_page_size() {
        url.set_query(Some(&format!("n={PAGE_SIZE}")));
        let answer = get(session, url.clone()).await?;
        if !matches!(answer.status, StatusCode::BAD_REQUEST | StatusCode::METHOD_NOT_ALLOWED | StatusCode::PAYLOAD_TOO_LARGE) {
            return Ok(answer);
        }
        url.set_query(None);
    }
    let answer = get(session, url).await?;
    if answer.status.is_success() {
        session.host.refuses_page_size();
    }
    Ok(answer)
}

/// Reads the first page and gets all others; returns none if one of those is gone.
async fn rest(session: &Session<'_>, mut answer: Answer) -> Result<Option<TagList>, Cause> {
    let mut tags = Collector::default();
    let mut seen = HashSet::new();
    let mut took = Duration::ZERO;
    loop {
        if !answer.status.is_success() {
            return if answer.status == StatusCode::NOT_FOUND && !seen.is_empty() { Ok(None) } else { Err(answer.refused()) };
        }
        took += answer.took;
        if took > LONGEST {
            return Err(Cause::Timeout { host: wire::name(&answer.url), after: LONGEST });
        }
        tags.read(&answer)?;
        seen.insert(answer.url.clone());
        // The link alone tells whether there is more: neither a short page nor a full one does.
        let Some(next) = link::next(&answer.url, &answer.headers)? else {
            return Ok(Some(tags.finish()));
        };
        if seen.contains(&next) {
            return Err(Cause::Endless("a page names itself or an earlier one as the next"));
        }
        if seen.len() >= MOST_PAGES {
            return Err(Cause::Endless("it has more than 5000 pages"));
        }
        answer = get(session, next).await?;
    }
}

async fn get(session: &Session<'_>, url: Url) -> Result<Answer, Cause> {
    let what = "a page of tags";
    let request = Request { method: Method::GET, url, accept: "application/json", what, limit: LARGEST_PAGE, follow_redirects: true };
    session.send(&request).await
}

/// Tags of all pages so far, end to end in one text.
#[derive(Default)]
struct Collector {
    text: String,
    ends: Vec<usize>,
    /// The first that is no tag.
    invalid: Option<ParseError>,
    full: bool,
}

impl Collector {
    fn read(&mut self, answer: &Answer) -> Result<(), Cause> {
        const EXPECTED: &str = "a list of tags";
        // The content type is no help: ECR sends text/plain.
        if answer.is_web_page() {
            return Err(Cause::WebPage { expected: EXPECTED });
        }
        let mut json = serde_json::Deserializer::from_slice(&answer.body);
        let read = json.deserialize_map(Page(self)).and_then(|()| json.end());
        if self.full {
            return Err(Cause::Endless("it has more than 1000000 tags"));
        }
        if let Some(invalid) = self.invalid.take() {
            return Err(Cause::InvalidTag(invalid));
        }
        read.map_err(|error| Cause::Json { expected: EXPECTED, source: BadJson(error) })
    }

    /// Takes a tag; says no if the listing is good for nothing any more.
    fn push(&mut self, text: &str) -> bool {
        if let Err(invalid) = TagRef::parse(text) {
            self.invalid = Some(invalid);
            return false;
        }
        self.full = self.ends.len() >= MOST_TAGS || self.text.len() + text.len() > LARGEST_LISTING;
        self.text.push_str(text);
        self.ends.push(self.text.len());
        !self.full
    }

    fn finish(&self) -> TagList {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        // Each was a tag when it was taken.
        starts.zip(&self.ends).filter_map(|(start, &end)| TagRef::parse(&self.text[start..end]).ok()).collect()
    }
}

/// Reads `{"name": …, "tags": […]}` without a copy of each tag; `null` is the empty list of some registries.
struct Page<'a>(&'a mut Collector);

impl<'de> Visitor<'de> for Page<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object with `tags`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut found = false;
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            if key != "tags" {
                map.next_value::<IgnoredAny>()?;
            } else if std::mem::replace(&mut found, true) {
                return Err(A::Error::duplicate_field("tags"));
            } else {
                map.next_value_seed(Tags(self.0))?;
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

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a tag")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        if self.0.push(text) { Ok(()) } else { Err(E::custom("no tag")) }
    }
}

/// What must hold of every page; see [`super::fuzz`].
#[cfg(any(test, fuzzing))]
pub(super) fn fuzz(page: &Answer) -> Result<(), Cause> {
    let mut tags = Collector::default();
    tags.read(page)?;
    let list = tags.finish();
    // An independent reader, where it can read the page at all, sees the same tags.
    if let Ok(json) = serde_json::from_slice::<serde_json::Value>(&page.body) {
        let mut known: Vec<&str> = json["tags"].as_array().into_iter().flatten().filter_map(serde_json::Value::as_str).collect();
        known.sort_unstable();
        known.dedup();
        assert!(list.iter().map(TagRef::as_str).eq(known));
    }
    Ok(())
}
