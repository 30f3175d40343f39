//! Docker Hub: `GET /v2/repositories/<namespace>/<name>/tags` of its web API.

use reqwest::header::HeaderMap;
use serde::Deserialize;
use url::Url;

use super::{PAGE_SIZE, Times, address, read_time};

pub(super) fn page(base: &Url, name: &str, number: usize) -> Url {
    address(base, &format!("/v2/repositories/{name}/tags"), &format!("page_size={PAGE_SIZE}&ordering=last_updated&page={number}"))
}

#[derive(Deserialize)]
struct Page {
    /// A URL, of which only matters whether it is there.
    next: Option<serde::de::IgnoredAny>,
    results: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    name: String,
    tag_last_pushed: Option<String>,
}

pub(super) fn read(body: &[u8], _: &HeaderMap, _: usize, times: &mut Times<'_>) -> Result<bool, serde_json::Error> {
    let page: Page = serde_json::from_slice(body)?;
    for row in &page.results {
        times.note(&row.name, row.tag_last_pushed.as_deref().and_then(read_time));
    }
    Ok(page.next.is_some() && !page.results.is_empty())
}
