//! Harbor: `GET /api/v2.0/projects/<project>/repositories/<name>/artifacts`, with the credential itself, not a token.

use reqwest::header::HeaderMap;
use serde::Deserialize;
use url::Url;

use super::{PAGE_SIZE, Times, address, read_time};

/// How many artifacts there are on all pages.
const TOTAL: &str = "x-total-count";

pub(super) fn page(base: &Url, name: &str, number: usize) -> Url {
    let (project, repository) = name.split_once('/').unwrap_or((name, ""));
    // A slash within the name is encoded twice: once for the path, once for Harbor's router.
    let repository = repository.replace('/', "%252F");
    let path = format!("/api/v2.0/projects/{project}/repositories/{repository}/artifacts");
    address(base, &path, &format!("with_tag=true&page_size={PAGE_SIZE}&page={number}"))
}

#[derive(Deserialize)]
struct Artifact {
    tags: Option<Vec<Row>>,
}

#[derive(Deserialize)]
struct Row {
    name: String,
    push_time: Option<String>,
}

pub(super) fn read(body: &[u8], headers: &HeaderMap, number: usize, times: &mut Times<'_>) -> Result<bool, serde_json::Error> {
    let artifacts: Vec<Artifact> = serde_json::from_slice(body)?;
    for row in artifacts.iter().filter_map(|artifact| artifact.tags.as_ref()).flatten() {
        times.note(&row.name, row.push_time.as_deref().and_then(read_time));
    }
    let total = headers.get(TOTAL).and_then(|total| total.to_str().ok()?.parse::<usize>().ok());
    Ok(match total {
        Some(total) => number * PAGE_SIZE < total && !artifacts.is_empty(),
        None => artifacts.len() >= PAGE_SIZE,
    })
}
