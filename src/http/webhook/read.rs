//! From a payload's bytes to events: pure, and lenient in all but names.

use std::borrow::Cow;
use std::sync::Arc;

use axum::http::{HeaderMap, header};
use serde_json::Value;

use super::senders::Said;
use super::{Event, Kind, Sender, senders};
use crate::image::{ParseError, Registry, Repository, Tag};

/// As many events are taken from one delivery.
const MOST_EVENTS: usize = 1000;

/// The most values in a payload: in memory each takes many times what it takes in the body. A thousand events have fewer.
const MOST_VALUES: usize = 50_000;

/// What a well-formed payload comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Tags were pushed; at least one.
    Events(Vec<Event>),
    /// It leads to nothing, and why.
    Nothing(&'static str),
    /// Event Grid wants this code back, or it will not send events.
    Validation(String),
}

/// Why a payload cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is no JSON, or nested too deep.
    #[error("the payload is no JSON: {0}")]
    NotJson(String),
    /// It is made of more values than any real one.
    #[error("the payload is made of more than {MOST_VALUES} values")]
    TooMany,
    /// What every payload of this kind has is not there.
    #[error("the payload has no {0}")]
    Missing(&'static str),
    /// It names what cannot be a registry or a repository.
    #[error(transparent)]
    Name(#[from] ParseError),
}

/// A push as a payload tells it. Pushes of one payload share their names: a long one, copied for each, would fill the memory.
#[derive(Debug, Default)]
pub(super) struct Push {
    /// The registry, if the payload names it.
    pub(super) host: Option<Arc<str>>,
    pub(super) repository: Arc<str>,
    pub(super) tag: Pushed,
}

/// What was pushed.
#[derive(Debug, Default)]
pub(super) enum Pushed {
    /// This tag, if it is one: some senders put a digest here.
    Tag(String),
    /// Something without a tag: a blob, or a manifest by its digest.
    #[default]
    Untagged,
    /// The payload does not say.
    Unsaid,
}

impl From<Option<&str>> for Pushed {
    fn from(tag: Option<&str>) -> Self {
        tag.map_or(Self::Untagged, |tag| Self::Tag(tag.to_owned()))
    }
}

/// Reads a delivery; does nothing else, so that any bytes may be tried.
///
/// # Errors
/// If the body is not JSON, lacks what the kind must have, or names no possible repository.
pub fn parse(sender: &Sender, headers: &HeaderMap, body: &[u8]) -> Result<Reading, Unreadable> {
    let json = json_of(sender.kind, headers, body)?;
    let begins_a_value = |byte: &&u8| matches!(**byte, b',' | b'[' | b'{');
    if json.iter().filter(begins_a_value).count() > MOST_VALUES {
        return Err(Unreadable::TooMany);
    }
    let payload: Value = serde_json::from_slice(&json).map_err(|error| Unreadable::NotJson(error.to_string()))?;
    match senders::say(sender, headers, &payload)? {
        Said::Pushes(pushes) => events(pushes, sender),
        Said::Nothing(why) => Ok(Reading::Nothing(why)),
        Said::Validation(code) => Ok(Reading::Validation(code)),
    }
}

/// Takes the JSON out of a form, which GitHub and Gitea send if they are told to.
fn json_of<'b>(kind: Kind, headers: &HeaderMap, body: &'b [u8]) -> Result<Cow<'b, [u8]>, Unreadable> {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let is_form = media_type.trim_start().to_ascii_lowercase().starts_with("application/x-www-form-urlencoded");
    if !is_form || !matches!(kind, Kind::GitHub | Kind::Gitea) {
        return Ok(Cow::Borrowed(body));
    }
    let payload = url::form_urlencoded::parse(body).find(|(name, _)| name == "payload");
    payload.map(|(_, json)| Cow::Owned(json.into_owned().into_bytes())).ok_or(Unreadable::Missing("`payload`"))
}

/// Holds pushes against what is configured. Of several, a bad one does not spoil the others.
fn events(pushes: Vec<Push>, sender: &Sender) -> Result<Reading, Unreadable> {
    let (mut events, mut nothing, mut bad) = (Vec::new(), "it names no push", None);
    for push in pushes.into_iter().take(MOST_EVENTS) {
        match event(push, sender) {
            Ok(Ok(event)) => events.push(event),
            Ok(Err(why)) => nothing = why,
            Err(error) => bad = Some(error),
        }
    }
    match bad {
        _ if !events.is_empty() => Ok(Reading::Events(events)),
        Some(error) => Err(error),
        None => Ok(Reading::Nothing(nothing)),
    }
}

/// Returns the event, or why the push leads to nothing.
fn event(push: Push, sender: &Sender) -> Result<Result<Event, &'static str>, Unreadable> {
    let repository = match (push.host, &sender.host) {
        (Some(named), configured) => {
            let named = Registry::parse(&named)?;
            if configured.as_ref().is_some_and(|host| *host != named) {
                return Ok(Err("it is about another registry than the one configured"));
            }
            Repository::new(named, &push.repository)?
        }
        (None, Some(host)) => Repository::new(host.clone(), &push.repository)?,
        (None, None) => return Ok(Err("neither the payload nor the policy file names the registry")),
    };
    let tag = match push.tag {
        Pushed::Tag(tag) => match Tag::parse(&tag) {
            Ok(tag) => Some(tag),
            Err(_) => return Ok(Err("what was pushed has no tag")),
        },
        Pushed::Untagged => return Ok(Err("what was pushed has no tag")),
        Pushed::Unsaid => None,
    };
    Ok(Ok(Event { repository, tag }))
}
