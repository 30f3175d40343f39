//! When tags were pushed, where a registry tells: not by the distribution API, which knows no times, but by its own.
//!
//! Each product has a file of its own that makes the address of a page and reads the page. Nothing is taken from an
//! answer but times and whether there is more: no answer can send the client elsewhere.

mod harbor;
mod hub;
mod quay;

use std::num::NonZeroI64;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use url::Url;

use crate::image::{Registry, TagList, TagRef};

use super::challenge::Challenge;
use super::error::{BadJson, Cause};
use super::host::{Host, lock};
use super::listing::{LONGEST, Listing, MOST_PAGES};
use super::session::Session;
use super::wire::{self, Request};

/// Entries a page: the most that each product gives.
const PAGE_SIZE: usize = 100;
/// A page of a hundred tags with the platforms of each is far smaller.
const LARGEST_PAGE: usize = 8 * 1024 * 1024;
const EXPECTED: &str = "a list of tags with times";

/// Whose API tells the times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Hub,
    Quay,
    Harbor,
    /// The listing itself (Google).
    Listing,
}

/// By what a product is recognised.
enum Sign {
    /// The registry's name.
    Name(&'static str),
    /// The service that its challenge names.
    Service(&'static str),
    /// The path of the token server that its challenge names.
    RealmPath(&'static str),
}

const SIGNS: [(Sign, Source); 4] = [
    (Sign::Name("docker.io"), Source::Hub),
    (Sign::Name("quay.io"), Source::Quay),
    (Sign::Service("harbor-registry"), Source::Harbor),
    (Sign::RealmPath("/v2/auth"), Source::Quay),
];

impl Source {
    /// Finds out who tells the times, from what the host said of itself while it was listed.
    pub(super) fn of(host: &Host, name: Option<&str>, listing: &Listing) -> Option<Self> {
        if listing.has_facts() {
            return Some(Self::Listing);
        }
        let challenge = lock(&host.challenges).get(name).cloned();
        SIGNS.iter().find(|(sign, _)| sign.is_of(&host.registry, challenge.as_ref())).map(|(_, source)| *source)
    }
}

impl Sign {
    fn is_of(&self, registry: &Registry, challenge: Option<&Challenge>) -> bool {
        match (self, challenge) {
            (Self::Name(name), _) => registry.as_str() == *name,
            (Self::Service(name), Some(Challenge::Bearer { service: Some(service), .. })) => service == name,
            (Self::RealmPath(path), Some(Challenge::Bearer { realm, .. })) => Url::parse(realm).is_ok_and(|realm| realm.path() == *path),
            _ => false,
        }
    }
}

/// When the tags of a listing were pushed: eight bytes a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushTimes {
    tags: TagList,
    /// For each tag of the list, milliseconds since 1970.
    millis: Arc<[Option<NonZeroI64>]>,
}

impl PushTimes {
    /// Returns when a tag was pushed; none if the registry did not tell, or told what cannot be.
    #[must_use]
    pub fn get(&self, tag: TagRef<'_>) -> Option<Timestamp> {
        let index = self.tags.position(tag.as_str())?;
        Timestamp::from_millisecond((*self.millis.get(index)?)?.get()).ok()
    }

    /// Returns of how many tags the time is known.
    #[must_use]
    pub fn known(&self) -> usize {
        self.millis.iter().flatten().count()
    }
}

/// Times as they are read.
struct Times<'a> {
    tags: &'a TagList,
    millis: Vec<Option<NonZeroI64>>,
    now: Timestamp,
}

impl<'a> Times<'a> {
    fn new(tags: &'a TagList) -> Self {
        Self { tags, millis: vec![None; tags.len()], now: Timestamp::now() }
    }

    /// Notes the time of a tag that is in the listing; of two, the later.
    fn note(&mut self, tag: &str, at: Option<Timestamp>) {
        let at = at.and_then(|at| plausible(at, self.now)).and_then(|at| NonZeroI64::new(at.as_millisecond()));
        if let Some(time) = self.tags.position(tag).and_then(|index| self.millis.get_mut(index)) {
            *time = at.max(*time);
        }
    }

    fn finish(self) -> PushTimes {
        PushTimes { tags: self.tags.clone(), millis: self.millis.into() }
    }
}

/// Returns a time unless it cannot be one of an image: reproducible builds are "made" in 1970 or 1980, and years are
/// written as 1 where none is known. Clocks may differ by a day.
pub(super) fn plausible(at: Timestamp, now: Timestamp) -> Option<Timestamp> {
    // 2013-03-01, the month in which Docker was first shown.
    const FIRST: i64 = 1_362_096_000;
    let latest = now.as_second().saturating_add(24 * 3600);
    (FIRST..=latest).contains(&at.as_second()).then_some(at)
}

/// Reads a time as RFC 3339 has it.
pub(super) fn read_time(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// Learns when the tags of a listing were pushed. `session` is of the host that tells, with the repository's name there.
pub(super) async fn pushed(session: &Session<'_>, source: Source, listing: &Listing) -> Result<PushTimes, Cause> {
    let mut times = Times::new(listing.tags());
    let name = session.name.unwrap_or_default();
    let (page, read): (Address, Reader) = match source {
        Source::Hub => (hub::page, hub::read),
        Source::Quay => (quay::page, quay::read),
        Source::Harbor => (harbor::page, harbor::read),
        Source::Listing => {
            for (index, tag) in listing.tags().iter().enumerate() {
                times.note(tag.as_str(), listing.pushed(index).and_then(|millis| Timestamp::from_millisecond(millis).ok()));
            }
            return Ok(times.finish());
        }
    };
    let mut took = Duration::ZERO;
    for number in 1..=MOST_PAGES {
        let url = page(&session.host.base, name, number);
        let (accept, what) = ("application/json", "a page of times");
        let request = Request { method: Method::GET, url, accept, what, limit: LARGEST_PAGE, follow_redirects: true, if_none_match: None };
        let answer = match source {
            Source::Harbor => session.send_plainly(&request).await?,
            // They take no credential of a registry, and are not to see it.
            _ => wire::send(session.host, &request, None).await?,
        };
        if answer.status != StatusCode::OK {
            return Err(answer.refused());
        }
        took += answer.took;
        if took > LONGEST {
            return Err(Cause::Timeout { host: wire::name(&answer.url), after: LONGEST });
        }
        if answer.is_web_page() {
            return Err(Cause::WebPage { expected: EXPECTED });
        }
        let read = read(&answer.body, &answer.headers, number, &mut times);
        if !read.map_err(|error| Cause::Json { expected: EXPECTED, source: BadJson(error) })? {
            return Ok(times.finish());
        }
    }
    Err(Cause::Endless("it has more than 5000 pages"))
}

/// Makes the address of the page of this number, from 1, for a repository's name.
type Address = fn(&Url, &str, usize) -> Url;

/// Reads the page of this number; says whether there is another.
type Reader = fn(&[u8], &HeaderMap, usize, &mut Times<'_>) -> Result<bool, serde_json::Error>;

/// Makes an address at a host from a path and a query.
fn address(base: &Url, path: &str, query: &str) -> Url {
    let mut url = base.clone();
    url.set_path(path);
    url.set_query(Some(query));
    url
}
