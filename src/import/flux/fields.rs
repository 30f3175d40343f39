//! Asking an object's fields, telling those of the wrong type, and those that are not known.

use serde_yaml::Value;

pub(super) use crate::import::common::{full_name, secret_file};

use super::duration;
use crate::import::{Line, Object, Remark, Severity, shown};

/// An object whose fields are asked for, and where its mistakes go. Fields are named as `kubectl explain` names them: `spec.interval`.
pub(super) struct Fields<'a, 'r> {
    pub(super) object: &'a Object,
    pub(super) remarks: &'r mut Vec<Remark>,
    /// Whether something broken was found. Such an object is left out as a whole, since a filter, a path or a branch that is
    /// overlooked would let more be written than was meant.
    pub(super) is_broken: bool,
}

impl<'a, 'r> Fields<'a, 'r> {
    pub(super) fn new(object: &'a Object, remarks: &'r mut Vec<Remark>) -> Self {
        Self { object, remarks, is_broken: false }
    }

    fn at(&self, field: &str) -> Option<&'a Value> {
        let object: &'a Object = self.object;
        object.at(&format!("/{}", field.replace('.', "/"))).filter(|value| !value.is_null())
    }

    /// Says whether the field is there.
    pub(super) fn has(&self, field: &str) -> bool {
        self.at(field).is_some()
    }

    /// Returns a text; one of another type is broken.
    pub(super) fn text(&mut self, field: &str) -> Option<&'a str> {
        match self.at(field)? {
            Value::String(text) => Some(text.as_str()).filter(|text| !text.is_empty()),
            _ => self.broken(field, "a text is expected; put it in quotes"),
        }
    }

    /// Returns a text that has to be there; what is broken without it is told.
    pub(super) fn needed(&mut self, field: &str, reason: &str) -> Option<&'a str> {
        let is_empty = self.at(field).is_none_or(|value| value.as_str() == Some(""));
        if is_empty { self.broken(field, reason) } else { self.text(field) }
    }

    /// Returns whether a switch is on; one of another type is broken.
    pub(super) fn is_on(&mut self, field: &str) -> bool {
        match self.at(field) {
            None => false,
            Some(Value::Bool(value)) => *value,
            Some(_) => self.broken(field, "true or false is expected").unwrap_or(false),
        }
    }

    /// Returns a list of texts; one of another type is broken.
    pub(super) fn texts(&mut self, field: &str) -> Option<Vec<&'a str>> {
        let Value::Sequence(items) = self.at(field)? else { return self.broken(field, "a list is expected") };
        let texts: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
        if texts.is_none() { self.broken(field, "a list of texts is expected") } else { texts }
    }

    /// Returns a duration in the policy file's form; one that is none is broken.
    pub(super) fn duration(&mut self, field: &str) -> Option<String> {
        let text = self.text(field)?;
        match duration::translate(text) {
            Some(translated) => Some(translated),
            None => self.broken(field, format!("`{}` is no duration of Flux's, such as 5m or 1h30m", shown(text))),
        }
    }

    /// Tells that the object is broken here.
    pub(super) fn broken<T>(&mut self, field: &str, reason: impl Into<String>) -> Option<T> {
        self.remarks.push(Remark::new(Severity::Broken, self.object, field, reason));
        self.is_broken = true;
        None
    }

    /// Tells that a field is not carried over; without an equivalent, `instead` is empty.
    pub(super) fn lost(&mut self, field: &str, reason: &str, instead: &str) {
        let remark = Remark::new(Severity::Lost, self.object, field, reason);
        self.remarks.push(if instead.is_empty() { remark } else { remark.instead(instead) });
    }

    /// As [`lost`](Self::lost), if the field is there.
    pub(super) fn lost_if_there(&mut self, field: &str, reason: &str, instead: &str) {
        if self.has(field) {
            self.lost(field, reason, instead);
        }
    }

    /// Tells what is to be known of a field, and what to do, if there is something to do.
    pub(super) fn note(&mut self, field: &str, reason: &str, instead: &str) {
        let remark = Remark::new(Severity::Note, self.object, field, reason);
        self.remarks.push(if instead.is_empty() { remark } else { remark.instead(instead) });
    }

    /// Tells the fields of the `spec` that are not known.
    pub(super) fn only(&mut self, known: &[&str]) {
        let entries = self.object.at("/spec").and_then(Value::as_mapping);
        for name in entries.into_iter().flatten().filter_map(|(key, _)| key.as_str()).filter(|name| !known.contains(name)) {
            let reason = "this field is not known, so nothing is made of it";
            self.remarks.push(Remark::new(Severity::Lost, self.object, &format!("spec.{}", shown(name)), reason));
        }
    }

    /// Returns the namespace of a reference, which is the object's own if it names none.
    pub(super) fn namespace_of(&mut self, reference: &str) -> &'a str {
        self.text(&format!("{reference}.namespace")).unwrap_or_else(|| self.object.namespace())
    }
}

/// Shows keys as they would stand in an inline table.
pub(super) fn in_a_line(lines: &[Line]) -> String {
    lines.iter().map(|line| format!("{} = {}", line.key, line.value)).collect::<Vec<_>>().join(", ")
}
