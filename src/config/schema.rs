//! The JSON Schema of the policy file (draft 2020-12), from the same description that reads it.

use serde_json::{Map, Value as Json, json};

use super::read::{Key, Read, ReadTable, Rule, describe};
use super::tables::Root;

/// Returns the JSON Schema of the policy file, for editors and other tools.
#[must_use]
pub fn schema() -> Json {
    let mut document = Map::new();
    document.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    document.insert("title".to_owned(), json!("Tagboat policy file"));
    document.insert("description".to_owned(), json!("Which images are watched, how a tag is chosen, and where it is written."));
    if let Json::Object(root) = <Root as Read>::schema() {
        document.extend(root);
    }
    Json::Object(document)
}

/// Returns the schema of a table.
pub(super) fn of_table<T: ReadTable>() -> Json {
    let (keys, rules) = describe::<T>();
    let required: Vec<&str> = keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    let properties: Map<String, Json> = keys.iter().map(|key| (key.name.to_owned(), property(key))).collect();
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    for rule in rules {
        match rule {
            Rule::OneOf(groups) => {
                schema["oneOf"] = groups.iter().map(|group| json!({ "required": group })).collect();
            }
            Rule::AtMostOne(names) => {
                let one: Vec<Json> = names.iter().map(|name| json!({ "required": [name] })).collect();
                let none = json!({ "not": { "anyOf": one } });
                schema["oneOf"] = one.into_iter().chain([none]).collect();
            }
        }
    }
    schema
}

fn property(key: &Key) -> Json {
    let mut schema = Map::new();
    let about = match key.default {
        Some(default) => format!("{} Default: {default}.", key.about),
        None => key.about.to_owned(),
    };
    schema.insert("description".to_owned(), json!(about));
    if let Json::Object(own) = (key.schema)() {
        schema.extend(own);
    }
    if let Some(default) = key.default.and_then(to_json) {
        schema.insert("default".to_owned(), default);
    }
    if let Some(example) = to_json(key.example) {
        schema.insert("examples".to_owned(), json!([example]));
    }
    Json::Object(schema)
}

/// Turns a value from TOML into JSON.
fn to_json(text: &str) -> Option<Json> {
    let table: toml::Table = toml::from_str(&format!("value = {text}")).ok()?;
    serde_json::to_value(table.get("value")?).ok()
}
