//! The fields of spans and events: names and values, in order, each name once.

use std::error::Error;
use std::fmt;

use serde_json::Value;
use tracing::field::{Field, Visit};

use crate::error::chain;

/// Longer values are cut: one line of a log is no place for a document.
const LONGEST: usize = 4096;

/// The name under which tracing hands over an event's message.
const MESSAGE: &str = "message";

/// Named values; a later value of the same name takes the earlier one's place.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields {
    /// The message, which only events have.
    pub(super) message: String,
    /// All other fields.
    pub(super) values: Vec<(&'static str, Value)>,
}

impl Fields {
    /// Takes in all fields of `later`, and its message.
    pub(super) fn extend(&mut self, later: Self) {
        if !later.message.is_empty() {
            self.message = later.message;
        }
        for (name, value) in later.values {
            self.set(name, value);
        }
    }

    fn set(&mut self, name: &'static str, value: Value) {
        match self.values.iter_mut().find(|(known, _)| *known == name) {
            Some((_, place)) => *place = value,
            None => self.values.push((name, value)),
        }
    }

    fn text(&mut self, name: &'static str, text: String) {
        let text = shorten(text);
        if name == MESSAGE { self.message = text } else { self.set(name, Value::String(text)) }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field.name(), value.to_owned());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.text(field.name(), chain(value).to_string());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field.name(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field.name(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field.name(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no infinity; text says more than `null`.
        let value = serde_json::Number::from_f64(value).map_or_else(|| Value::String(value.to_string()), Value::Number);
        self.set(field.name(), value);
    }
}

/// Cuts a text after [`LONGEST`] bytes, between two characters.
fn shorten(mut text: String) -> String {
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push('…');
    }
    text
}
