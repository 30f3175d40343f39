//! What each sender's payload says, one function a kind. Sources: each product's documentation or code.
//!
//! Fields that are missing or of another type are read as absent, since senders differ by version. Only what makes a payload
//! one of its kind at all must be there.

mod azure;
mod clouds;
mod forges;
mod servers;

use std::sync::Arc;

use axum::http::HeaderMap;
use serde_json::Value;

use super::read::{Push, Pushed, Unreadable};
use super::{Kind, Pointers, Sender};
use crate::image::Registry;

/// What a payload says.
pub(super) enum Said {
    Pushes(Vec<Push>),
    Nothing(&'static str),
    Validation(String),
}

impl Said {
    fn one(host: impl Into<Option<String>>, repository: impl Into<Arc<str>>, tag: impl Into<Pushed>) -> Self {
        Self::Pushes(vec![Push { host: host.into().map(Arc::from), repository: repository.into(), tag: tag.into() }])
    }
}

const NO_PUSH: Said = Said::Nothing("it is about something else than a push");

/// Reads a payload as its sender's kind says.
pub(super) fn say(sender: &Sender, headers: &HeaderMap, payload: &Value) -> Result<Said, Unreadable> {
    let host = sender.host.as_ref();
    match sender.kind {
        Kind::DockerHub => clouds::docker_hub(payload),
        Kind::GitHub => forges::github(headers, payload),
        Kind::Distribution => Ok(servers::distribution(payload)),
        Kind::Harbor => servers::harbor(payload),
        Kind::Quay => clouds::quay(payload),
        Kind::Acr => azure::acr(payload),
        Kind::Ecr => clouds::ecr(payload),
        Kind::Gar => clouds::gar(payload),
        Kind::Nexus => servers::nexus(headers, payload),
        Kind::Artifactory => servers::artifactory(payload, host, sender.virtual_repository.as_deref()),
        Kind::Gitea => forges::gitea(headers, payload),
        Kind::Zot => servers::zot(headers, payload),
        Kind::Aliyun => clouds::aliyun(payload, host),
        Kind::Generic => generic(payload, host, sender.pointers.as_ref()),
    }
}

fn generic(payload: &Value, host: Option<&Registry>, pointers: Option<&Pointers>) -> Result<Said, Unreadable> {
    let Some(Pointers { repository, tag }) = pointers else { return Ok(NO_PUSH) };
    let Some(named) = text(payload, repository) else { return Ok(Said::Nothing("no repository stands where the pointer leads")) };
    let pushed = tag.as_ref().map_or(Pushed::Unsaid, |tag| Pushed::from(text(payload, tag)));
    // As people write it: a first part with a dot or a colon is a host, and without any host Docker Hub is meant.
    Ok(match named.split_once('/') {
        Some((first, rest)) if Registry::is_host(first) => Said::one(first.to_owned(), rest, pushed),
        _ if host.is_some() => Said::one(None, named, pushed),
        _ => Said::one(Registry::docker_hub().as_str().to_owned(), named, pushed),
    })
}

/// Returns the text at a JSON pointer, if there is one that is not empty.
fn text<'v>(value: &'v Value, pointer: &str) -> Option<&'v str> {
    value.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn needed<'v>(value: &'v Value, pointer: &str, what: &'static str) -> Result<&'v str, Unreadable> {
    text(value, pointer).ok_or(Unreadable::Missing(what))
}

fn items<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Returns a header that is there once and is text.
fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    if values.next().is_some() { None } else { first.to_str().ok() }
}

/// Splits `host/name:tag` or `host/name@digest`; the last part is none if nothing stands there.
fn split_reference(reference: &str) -> Option<(&str, &str, Option<&str>)> {
    let (host, rest) = reference.split_once('/')?;
    let rest = rest.split_once('@').map_or(rest, |(name, _)| name);
    let (name, tag) = match rest.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag).filter(|tag| !tag.is_empty())),
        _ => (rest, None),
    };
    Some((host, name, tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pushes(kind: Kind, payload: &Value) -> Vec<Push> {
        let sender = Sender { kind, host: None, virtual_repository: None, pointers: None };
        match say(&sender, &HeaderMap::new(), payload) {
            Ok(Said::Pushes(pushes)) => pushes,
            _ => panic!("no pushes"),
        }
    }

    #[test]
    fn pushes_share_the_names_that_their_payload_has_once() {
        let harbor = serde_json::json!({
            "type": "PUSH_ARTIFACT",
            "event_data": { "resources": [{ "tag": "1" }, { "tag": "2" }], "repository": { "repo_full_name": "acme/web" } },
        });
        let [first, second] = &pushes(Kind::Harbor, &harbor)[..] else { panic!("not two") };
        assert!(Arc::ptr_eq(&first.repository, &second.repository));
        let quay = serde_json::json!({ "docker_url": "quay.io/acme/web", "repository": "acme/web", "updated_tags": ["1", "2"] });
        let [first, second] = &pushes(Kind::Quay, &quay)[..] else { panic!("not two") };
        assert!(Arc::ptr_eq(&first.repository, &second.repository));
        assert!(first.host.iter().zip(&second.host).all(|(first, second)| Arc::ptr_eq(first, second)));
    }
}
