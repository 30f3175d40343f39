//! Azure: webhooks of the registry itself, and Event Grid in its own schema and as CloudEvents.

use std::sync::Arc;

use serde_json::Value;

use super::{NO_PUSH, Push, Said, Unreadable, needed, text};

const PUSHED: &str = "Microsoft.ContainerRegistry.ImagePushed";
const VALIDATION: &str = "Microsoft.EventGrid.SubscriptionValidationEvent";

pub(super) fn acr(payload: &Value) -> Result<Said, Unreadable> {
    match payload {
        Value::Array(events) => Ok(several(events)),
        event if event_type(event).is_some() => Ok(several(std::slice::from_ref(event))),
        event => match needed(event, "/action", "`action`")? {
            "push" => Ok(Said::Pushes(vec![push(event, "")])),
            _ => Ok(NO_PUSH),
        },
    }
}

/// Reads events of Event Grid, which come one or several at a time.
fn several(events: &[Value]) -> Said {
    let validation = events.iter().find(|event| event_type(event) == Some(VALIDATION));
    // The event has a URL as well, which would do in place of the answer; it is not fetched.
    if let Some(code) = validation.and_then(|event| text(event, "/data/validationCode")) {
        return Said::Validation(code.to_owned());
    }
    let pushed = events.iter().filter(|event| event_type(event) == Some(PUSHED));
    match pushed.map(|event| push(event, "/data")).collect::<Vec<_>>() {
        pushes if pushes.is_empty() => NO_PUSH,
        pushes => Said::Pushes(pushes),
    }
}

fn event_type(event: &Value) -> Option<&str> {
    text(event, "/eventType").or_else(|| text(event, "/type"))
}

fn push(event: &Value, at: &str) -> Push {
    let field = |key: &str| text(event, &format!("{at}{key}"));
    Push {
        host: field("/request/host").map(Arc::from),
        repository: field("/target/repository").unwrap_or_default().into(),
        tag: field("/target/tag").into(),
    }
}
