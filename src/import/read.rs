//! From the text of a file to objects: several documents, lists unfolded, JSON, all within bounds.

use std::fmt;

use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, EnumAccess, IgnoredAny, MapAccess, SeqAccess, VariantAccess, Visitor};
use serde_yaml::{Mapping, Number, Value};

use super::{Object, Origin, Remark, Severity};

/// How many values one file may hold with its aliases followed; some hundred times what a large cluster's objects need.
const MOST_VALUES: usize = 4_000_000;

/// How deep brackets may be nested; the YAML reader itself goes no deeper than 128.
const DEEPEST: usize = 1000;

/// Reads all objects of a text: YAML documents or JSON, and what `kubectl get -o yaml` prints. A `List` is its items.
///
/// A document that cannot be read, or holds what is no mapping and so no object, becomes a [`Severity::Broken`] remark, and the others
/// are read all the same. What a mapping means is left to those who import.
#[must_use]
pub fn read(text: &str, file: &str) -> (Vec<Object>, Vec<Remark>) {
    let (mut objects, mut remarks, mut left) = (Vec::new(), Vec::new(), MOST_VALUES);
    let mut document = 0;
    for part in documents(text.strip_prefix('\u{feff}').unwrap_or(text)) {
        for read in values(part, &mut left) {
            document += 1;
            let origin = Origin { file: file.to_owned(), document };
            let told = read.map_err(|reason| format!("it cannot be read: {reason}")).and_then(|value| {
                let is_whole = unfold(value, &origin, &mut objects);
                if is_whole { Ok(()) } else { Err("it holds something that is no object".to_owned()) }
            });
            remarks.extend(told.err().map(|reason| Remark {
                origin: Some(origin),
                object: String::new(),
                field: String::new(),
                reason,
                instead: None,
                severity: Severity::Broken,
            }));
        }
    }
    (objects, remarks)
}

/// Splits a text into documents, so that one that is broken does not take the others with it: `---` at the start of a line is always
/// a document's start (YAML 1.2.2, 9.1.2), even within a block scalar. What holds nothing but comments and directives is none.
fn documents(text: &str) -> impl Iterator<Item = &str> {
    let is_start = |line: &str| line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']));
    let (mut parts, mut start, mut at) = (Vec::new(), 0, 0);
    for line in text.split_inclusive('\n') {
        if is_start(line) && at > start {
            parts.push(&text[start..at]);
            start = at;
        }
        at += line.len();
    }
    parts.push(&text[start..]);
    let says_nothing = |line: &str| matches!(line.trim().trim_start_matches("---").trim_start().chars().next(), None | Some('#' | '%'));
    parts.into_iter().filter(move |part| !part.lines().all(says_nothing))
}

/// Says whether brackets are opened deeper than any object needs. The YAML reader finds out by itself, but takes time with the square
/// of the depth. Brackets in texts count, too; where it comes to so many that stay open, that is no object either.
fn is_too_deep(part: &str) -> bool {
    let mut depth = 0usize;
    part.bytes().any(|byte| {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > DEEPEST
    })
}

/// Reads the values of a part; more than one only if `...` ends one of them.
fn values(part: &str, left: &mut usize) -> Vec<Result<Value, String>> {
    let mut json = serde_json::Deserializer::from_str(part);
    let before = *left;
    if part.trim_start().starts_with(['{', '['])
        && let Ok(value) = Bounded(left).deserialize(&mut json)
        && json.end().is_ok()
    {
        return vec![Ok(value)];
    }
    *left = before;
    if is_too_deep(part) {
        return vec![Err("brackets are nested too deeply".to_owned())];
    }
    let mut values = Vec::new();
    for document in serde_yaml::Deserializer::from_str(part) {
        let value = Bounded(left).deserialize(document).map_err(|error: serde_yaml::Error| error.to_string());
        let failed = value.is_err();
        values.push(value);
        if failed {
            // After an error the reader would give it again for ever.
            break;
        }
    }
    values
}

/// Puts the objects of a value into the list: those of a `List` or of a plain list, however deep, or the value itself. Says whether there
/// is nothing else.
fn unfold(value: Value, origin: &Origin, objects: &mut Vec<Object>) -> bool {
    let all = |items: Vec<Value>, objects: &mut Vec<Object>| {
        let mut is_whole = true;
        for item in items {
            is_whole &= unfold(item, origin, objects);
        }
        is_whole
    };
    let mut entries = match value {
        Value::Mapping(entries) => entries,
        Value::Sequence(items) => return all(items, objects),
        Value::Null => return true,
        _ => return false,
    };
    let is_list = entries.get("kind").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("List"));
    match entries.get_mut("items") {
        Some(Value::Sequence(items)) if is_list => all(std::mem::take(items), objects),
        _ => {
            objects.push(Object { origin: origin.clone(), value: Value::Mapping(entries) });
            true
        }
    }
}

/// Reads a value of any kind, and counts down for each; a tag of an application's own is dropped, a key that stands twice refused.
struct Bounded<'a>(&'a mut usize);

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        *self.0 = self.0.checked_sub(1).ok_or_else(|| de::Error::custom("it holds too many values, or aliases that multiply them"))?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Number(Number::from(value)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(Bounded(self.0))? {
            items.push(item);
        }
        Ok(Value::Sequence(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut entries = Mapping::new();
        while let Some(key) = access.next_key_seed(Bounded(self.0))? {
            if entries.contains_key(&key) {
                let shown = key.as_str().map_or_else(|| "a key".to_owned(), |key| format!("the key `{}`", super::shown(key)));
                return Err(de::Error::custom(format!("{shown} stands twice")));
            }
            let value = access.next_value_seed(Bounded(self.0))?;
            entries.insert(key, value);
        }
        Ok(Value::Mapping(entries))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<Value, A::Error> {
        let (Tag, contents) = access.variant()?;
        contents.newtype_variant_seed(self)
    }
}

/// A tag whose name is of no interest.
struct Tag;

impl<'de> Deserialize<'de> for Tag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}
