//! All tags of a repository: every page, or an error.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ETAG, HeaderValue};
use reqwest::{Method, StatusCode};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;
use url::Url;

use crate::image::{Digest, TagList, TagRef};

use super::error::Cause;
use super::facts::Facts;
use super::link;
use super::page::{Before, Collector, Omitted, Page};
use super::session::Session;
use super::times::Source;
use super::wire::{self, Answer, Request};

/// The greatest page that every registry grants (ECR refuses more).
const PAGE_SIZE: usize = 1000;
/// Quay gives 100 tags a page whatever is asked for, so this is half a million tags there.
pub(super) const MOST_PAGES: usize = 5_000;
/// Docker Hub has been seen to give all tags at once: 200,000 of them take 6 MB.
const LARGEST_PAGE: usize = 32 * 1024 * 1024;
/// What all pages together may take, the waits for their turn not counted: a slow registry has to be done before the next listing is due.
pub(super) const LONGEST: Duration = Duration::from_secs(10 * 60);
/// A validator is kept for every repository, so a long one is not worth its memory.
const LONGEST_VALIDATOR: usize = 128;

/// A complete listing of a repository, with what makes the next one cheaper.
///
/// Tags that tools generate ([`TagRef::is_generated`]) can be most of a repository's and are never chosen: they are only
/// counted. So are texts that cannot be tags, which a registry should not have.
#[derive(Clone, Debug)]
pub struct Listing {
    tags: TagList,
    omitted: Omitted,
    facts: Option<Arc<Facts>>,
    taken: Instant,
    /// Of the bytes of all pages.
    fingerprint: Option<[u8; 32]>,
    /// The `ETag` of a listing that is one page.
    validator: Option<HeaderValue>,
    /// Whether the first page, seen again, is the whole listing again.
    one_page: bool,
    /// Whether the registry may know a cursor of this client's making: not if it was seen to take no notice of one.
    knows_cursor: bool,
    pub(super) times: Option<Source>,
}

/// A listing of which only the tags are known.
impl From<TagList> for Listing {
    fn from(tags: TagList) -> Self {
        let (omitted, taken) = (Omitted::default(), Instant::now());
        let (one_page, knows_cursor) = (false, true);
        Self { tags, omitted, facts: None, taken, fingerprint: None, validator: None, one_page, knows_cursor, times: None }
    }
}

impl Listing {
    /// Returns the tags.
    #[must_use]
    pub fn tags(&self) -> &TagList {
        &self.tags
    }

    /// Returns how many entries are not among the tags.
    #[must_use]
    pub fn omitted(&self) -> Omitted {
        self.omitted
    }

    /// Returns how old the listing is: since when the registry has not been asked again.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.taken.elapsed()
    }

    /// Returns the digest of a tag if the registry told it along with the tags.
    #[must_use]
    pub fn digest(&self, tag: TagRef<'_>) -> Option<Digest> {
        self.facts.as_ref()?.digest(self.tags.position(tag.as_str())?)
    }

    /// Returns when the tag at `index` was pushed, in milliseconds since 1970, if the registry told it along with the tags.
    pub(super) fn pushed(&self, index: usize) -> Option<i64> {
        self.facts.as_ref()?.pushed(index)
    }

    pub(super) fn has_facts(&self) -> bool {
        self.facts.is_some()
    }

    /// The same listing, seen again now.
    fn again(&self) -> Self {
        Self { taken: Instant::now(), ..self.clone() }
    }
}

/// Lists all tags of the session's repository; what is `known` from the last time is given back if nothing has changed.
///
/// A registry may lose its place if the tag at a page's end is deleted meanwhile; then the listing starts over, once.
pub(super) async fn list(session: &Session<'_>, known: Option<&Listing>) -> Result<Listing, Cause> {
    let first = first_page(session, known.and_then(|known| known.validator.clone())).await?;
    if let Some(known) = known.filter(|known| first.status == StatusCode::NOT_MODIFIED && known.validator.is_some()) {
        return Ok(known.again());
    }
    let mut listing = match rest(session, first, known).await? {
        Some(listing) => listing,
        None => {
            let first = first_page(session, None).await?;
            rest(session, first, known).await?.ok_or(Cause::Endless("its pages vanish while it is read"))?
        }
    };
    // What the host is was learned while it was asked.
    listing.times = Source::of(session.host, session.name, &listing).or(known.and_then(|known| known.times));
    Ok(listing)
}

/// Gets the first page, without a page size where the registry refuses it.
async fn first_page(session: &Session<'_>, validator: Option<HeaderValue>) -> Result<Answer, Cause> {
    let mut url = session.url("tags/list");
    if session.host.takes_page_size() {
        url.set_query(Some(&format!("n={PAGE_SIZE}")));
        let answer = get(session, url.clone(), validator.clone()).await?;
        if !matches!(answer.status, StatusCode::BAD_REQUEST | StatusCode::METHOD_NOT_ALLOWED | StatusCode::PAYLOAD_TOO_LARGE) {
            return Ok(answer);
        }
        url.set_query(None);
    }
    let answer = get(session, url, validator).await?;
    if answer.status.is_success() {
        session.host.refuses_page_size();
    }
    Ok(answer)
}

/// Reads the first page and gets all others; returns none if one of those is gone.
///
/// The `Link` tells whether there is more (distribution-spec, "Listing Tags"): neither a short page nor a full one does. But
/// Gitea, Forgejo and Nexus's group repositories cut at `n` and send no link. So a listing without any link whose page
/// has exactly the `n` entries asked for is asked once for what comes behind the last of them. Registries that know no
/// such cursor refuse it (ECR by 405, zot by 404) or give what they gave before; then the listing was complete, and is not
/// asked about again the next time.
async fn rest(session: &Session<'_>, mut answer: Answer, known: Option<&Listing>) -> Result<Option<Listing>, Cause> {
    let (mut tags, mut trail) = (Collector::default(), Trail::default());
    let (mut linked, mut guess) = (false, None::<(Before, [u8; 32])>);
    let mut knows_cursor = known.is_none_or(|known| known.knows_cursor);
    let (validator, mut one_page) = (validator(&answer), true);
    let fingerprint = loop {
        match (answer.status, &guess) {
            (status, _) if status.is_success() => {}
            (status, Some((_, fingerprint))) if refuses_cursor(status) => {
                // A 404 may be about the tag, not the cursor.
                knows_cursor = status == StatusCode::NOT_FOUND;
                one_page = !knows_cursor;
                break *fingerprint;
            }
            (StatusCode::NOT_FOUND, _) if linked => return Ok(None),
            _ => return Err(answer.refused()),
        }
        let link = link::next(&answer.url, &answer.headers);
        let is_new = trail.note(&answer)?;
        if let Some(known) = known.filter(|known| known.one_page && link.is_none() && known.fingerprint == Some(trail.fingerprint())) {
            return Ok(Some(Listing { validator, ..known.again() }));
        }
        let page = tags.read(&answer)?;
        if let Some((before, fingerprint)) = guess.take() {
            let repeats = !is_new || !tags.all_new_since(&before);
            if repeats || page.entries == 0 {
                // Behind a cursor that works something may come at any time.
                (knows_cursor, one_page) = (!repeats, repeats);
                tags.return_to(&before);
                break fingerprint;
            }
            one_page = false;
        } else if page.entries > 0 && !is_new {
            return Err(Cause::Endless("a page is the same as an earlier one"));
        }
        let next = match link {
            Some(next) if trail.urls.contains(&next) => {
                return Err(Cause::Endless("a page names itself or an earlier one as the next"));
            }
            Some(next) => {
                (linked, one_page) = (true, false);
                next
            }
            None => match unlinked(&answer.url, &page).filter(|next| !linked && knows_cursor && !trail.urls.contains(next)) {
                Some(next) => {
                    guess = Some((tags.mark(), trail.fingerprint()));
                    next
                }
                None => break trail.fingerprint(),
            },
        };
        if trail.urls.len() >= MOST_PAGES {
            return Err(Cause::Endless("it has more than 5000 pages"));
        }
        answer = get(session, next, None).await?;
    };
    if let Some(known) = known.filter(|known| known.fingerprint == Some(fingerprint)) {
        return Ok(Some(Listing { knows_cursor, ..known.again() }));
    }
    let (tags, facts, omitted) = tags.finish();
    let (facts, validator) = (facts.map(Arc::new), validator.filter(|_| one_page));
    let (taken, fingerprint) = (Instant::now(), Some(fingerprint));
    Ok(Some(Listing { tags, omitted, facts, taken, fingerprint, validator, one_page, knows_cursor, times: None }))
}

async fn get(session: &Session<'_>, url: Url, if_none_match: Option<HeaderValue>) -> Result<Answer, Cause> {
    let (accept, what, limit) = ("application/json", "a page of tags", LARGEST_PAGE);
    let request = Request { method: Method::GET, url, accept, what, limit, follow_redirects: true, if_none_match };
    session.send(&request).await
}

fn validator(answer: &Answer) -> Option<HeaderValue> {
    answer.headers.get(ETAG).filter(|tag| tag.len() <= LONGEST_VALIDATOR).cloned()
}

/// Says whether a registry refuses a cursor of this client's making so, rather than fails or throttles.
fn refuses_cursor(status: StatusCode) -> bool {
    let others = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];
    status.is_client_error() && !others.contains(&status)
}

/// Makes the address of what comes behind a page that may have been cut: it holds as many entries as were asked for.
fn unlinked(url: &Url, page: &Page) -> Option<Url> {
    // After a redirect that lost the query (registry.k8s.io) nothing was asked for.
    let asked = url.query_pairs().find(|(name, _)| name == "n")?.1.parse::<usize>().ok()?;
    if page.entries != asked {
        return None;
    }
    let mut next = url.clone();
    if page.last.is_empty() {
        return None;
    }
    next.query_pairs_mut().clear().append_pair("n", &asked.to_string()).append_pair("last", &page.last);
    Some(next)
}

/// The way through the pages so far, which must not go in circles or take for ever.
#[derive(Default)]
struct Trail {
    urls: HashSet<Url>,
    pages: HashSet<[u8; 32]>,
    all: Sha256,
    took: Duration,
}

impl Trail {
    /// Notes a page; says whether it is unlike all before.
    fn note(&mut self, answer: &Answer) -> Result<bool, Cause> {
        self.took += answer.took;
        if self.took > LONGEST {
            return Err(Cause::Timeout { host: wire::name(&answer.url), after: LONGEST });
        }
        self.urls.insert(answer.url.clone());
        let page = Sha256::digest(&answer.body).into();
        self.all.update(page);
        Ok(self.pages.insert(page))
    }

    /// Returns the fingerprint of the bytes of all pages so far.
    fn fingerprint(&self) -> [u8; 32] {
        self.all.clone().finalize().into()
    }
}

/// What must hold of every page; see [`super::fuzz`].
#[cfg(any(test, fuzzing))]
pub(super) fn fuzz(page: &Answer) -> Result<(), Cause> {
    let mut tags = Collector::default();
    tags.read(page)?;
    let (list, _, _) = tags.finish();
    // An independent reader, where it can read the page at all, sees the same tags.
    if let Ok(json) = serde_json::from_slice::<serde_json::Value>(&page.body) {
        let texts = json["tags"].as_array().into_iter().flatten().filter_map(serde_json::Value::as_str);
        let mut known: Vec<&str> = texts.filter(|text| TagRef::parse(text).is_ok_and(|tag| !tag.is_generated())).collect();
        known.sort_unstable();
        known.dedup();
        assert!(list.iter().map(TagRef::as_str).eq(known));
    }
    Ok(())
}
