//! Quay: `GET /api/v1/repository/<namespace>/<name>/tag/`, open for public repositories.

use jiff::Timestamp;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use url::Url;

use super::{PAGE_SIZE, Times, address};

pub(super) fn page(base: &Url, name: &str, number: usize) -> Url {
    address(base, &format!("/api/v1/repository/{name}/tag/"), &format!("onlyActiveTags=true&limit={PAGE_SIZE}&page={number}"))
}

#[derive(Deserialize)]
struct Page {
    tags: Vec<Row>,
    #[serde(default)]
    has_additional: bool,
}

#[derive(Deserialize)]
struct Row {
    name: String,
    /// Since when the tag stands for what it stands for, in seconds since 1970.
    start_ts: Option<i64>,
}

pub(super) fn read(body: &[u8], _: &HeaderMap, _: usize, times: &mut Times<'_>) -> Result<bool, serde_json::Error> {
    let page: Page = serde_json::from_slice(body)?;
    for row in &page.tags {
        times.note(&row.name, row.start_ts.and_then(|seconds| Timestamp::from_second(seconds).ok()));
    }
    Ok(page.has_additional && !page.tags.is_empty())
}
