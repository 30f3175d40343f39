//! The JSON Schema: current, complete, and of one mind with the reader.

use std::fs;

use serde::Deserialize;
use serde_json::Value;
use tagboat::config::{load, load_str, schema};

/// Visits every schema in the schema, with its path.
fn visit(path: &str, schema: &Value, see: &mut dyn FnMut(&str, &Value)) {
    see(path, schema);
    for (key, value) in schema["properties"].as_object().into_iter().flatten() {
        visit(&format!("{path}.{key}"), value, see);
    }
    if schema["additionalProperties"].is_object() {
        visit(&format!("{path}.NAME"), &schema["additionalProperties"], see);
    }
    if schema["items"].is_object() {
        visit(&format!("{path}[]"), &schema["items"], see);
    }
}

/// As much of a validator as our schema needs; a keyword that it does not know fails the test.
fn valid(schema: &Value, value: &Value) -> bool {
    let all = |schemas: &Value| schemas.as_array().unwrap().iter().filter(|schema| valid(schema, value)).count();
    let length = |bound: &Value, length: usize| bound.as_u64().is_some_and(|bound| length as u64 >= bound);
    schema.as_object().unwrap().iter().all(|(keyword, bound)| match keyword.as_str() {
        "$schema" | "title" | "description" | "default" | "examples" => true,
        "type" => match bound.as_str().unwrap() {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_i64(),
            other => panic!("{other}"),
        },
        "properties" => {
            value.as_object().into_iter().flatten().all(|(key, value)| bound.get(key).is_none_or(|schema| valid(schema, value)))
        }
        "additionalProperties" => {
            let known = |key: &str| schema["properties"].get(key).is_some();
            let mut others = value.as_object().into_iter().flatten().filter(|(key, _)| !known(key));
            others.all(|(_, value)| bound.as_bool().unwrap_or_else(|| valid(bound, value)))
        }
        "required" => bound.as_array().unwrap().iter().all(|key| value.get(key.as_str().unwrap()).is_some()),
        "items" => value.as_array().into_iter().flatten().all(|item| valid(bound, item)),
        "enum" => bound.as_array().unwrap().contains(value),
        "minItems" => value.as_array().is_none_or(|items| length(bound, items.len())),
        "minLength" => value.as_str().is_none_or(|text| length(bound, text.chars().count())),
        "minimum" => value.as_i64().is_none_or(|number| number >= bound.as_i64().unwrap()),
        "maximum" => value.as_i64().is_none_or(|number| number <= bound.as_i64().unwrap()),
        "pattern" => value.as_str().is_none_or(|text| regex::Regex::new(bound.as_str().unwrap()).unwrap().is_match(text)),
        "oneOf" => all(bound) == 1,
        "anyOf" => all(bound) > 0,
        "not" => !valid(bound, value),
        other => panic!("{other}"),
    })
}

fn json(toml: &str) -> Value {
    serde_json::to_value(toml::from_str::<toml::Table>(toml).unwrap()).unwrap()
}

#[test]
fn the_file_is_current() {
    let current = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    if std::env::var_os("TAGBOAT_BLESS").is_some() {
        fs::write("config/schema.json", &current).unwrap();
    }
    assert!(fs::read_to_string("config/schema.json").unwrap() == current, "run the tests with TAGBOAT_BLESS=1 and look at the difference");
}

#[test]
fn every_key_has_a_sentence_and_an_example_that_it_allows() {
    let mut keys = 0;
    visit("", &schema(), &mut |path, schema| {
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            keys += 1;
            assert!(property["description"].as_str().is_some_and(|text| text.ends_with('.')), "{path}.{name}");
            let examples = property["examples"].as_array().unwrap();
            assert!(examples.iter().all(|example| valid(property, example)), "{path}.{name}: {examples:?}");
            assert!(property.get("default").is_none_or(|default| valid(property, default)), "{path}.{name}");
        }
    });
    assert!(keys > 50, "{keys}");
}

/// Writes every default of a table of the schema as a line of TOML.
fn defaults(table: &Value) -> String {
    let properties = table["properties"].as_object().unwrap().iter();
    let line = |(name, property): (&String, &Value)| {
        let default = property.get("default")?;
        Some(format!("{name} = {}\n", toml::Value::deserialize(default).unwrap()))
    };
    properties.filter_map(line).collect()
}

/// What editors show as a default is what holds when the key is left out.
#[test]
fn every_default_in_the_schema_is_the_one_that_holds() {
    let schema = schema();
    let tables = [
        ("[watch]\n", defaults(&schema["properties"]["watch"])),
        ("[registry.\"ghcr.io\"]\n", defaults(&schema["properties"]["registry"]["additionalProperties"])),
        (
            "[environment.prod]\nurl = \"https://git.example.com/e.git\"\n",
            defaults(&schema["properties"]["environment"]["additionalProperties"]),
        ),
        ("[[image]]\nrepository = \"one\"\n", defaults(&schema["properties"]["image"]["items"])),
        (
            "[[image]]\nrepository = \"two\"\n[image.policy]\nupdate = \"minor\"\n",
            defaults(&schema["properties"]["image"]["items"]["properties"]["policy"]),
        ),
    ];
    assert_eq!(tables.iter().map(|(_, defaults)| defaults.lines().count()).collect::<Vec<_>>(), [5, 3, 3, 1, 7]);
    let text = |spelled: bool| tables.iter().map(|(head, own)| format!("{head}{}", if spelled { own } else { "" })).collect::<String>();
    let settings =
        |text: &str| format!("{:?}", load_str("policy.toml", text, &super::variables()).unwrap_or_else(|report| panic!("{report}")));
    assert_eq!(settings(&text(true)), settings(&text(false)));
}

#[test]
fn no_table_takes_keys_that_it_does_not_know() {
    visit("", &schema(), &mut |path, schema| {
        if schema["type"] == "object" {
            assert!(!schema["additionalProperties"].is_null(), "{path}");
        }
    });
}

#[test]
fn every_sample_satisfies_the_schema() {
    for sample in super::samples::samples() {
        assert!(valid(&schema(), &json(&fs::read_to_string(&sample).unwrap())), "{}", sample.display());
    }
}

#[test]
fn the_full_sample_shows_every_key() {
    let sample = json(&fs::read_to_string("config/tagboat.toml").unwrap());
    let mut missing = Vec::new();
    missing_keys("", &schema(), &[&sample], &mut missing);
    // One way to keep a secret is as good as the other, and shown elsewhere in the file.
    missing.retain(|path| !path.ends_with("password.env") && !path.ends_with("password.file") && !path.ends_with("token.file"));
    assert!(missing.is_empty(), "{missing:?}");
}

/// Collects the keys that none of the values shows.
fn missing_keys(path: &str, schema: &Value, values: &[&Value], missing: &mut Vec<String>) {
    for (key, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{key}");
        let shown: Vec<&Value> = values.iter().filter_map(|value| value.get(key)).collect();
        if shown.is_empty() {
            missing.push(path);
        } else {
            missing_keys(&path, property, &shown, missing);
        }
    }
    let inner = |schema: &Value, values: Vec<&Value>, missing: &mut Vec<String>| missing_keys(path, schema, &values, missing);
    if schema["additionalProperties"].is_object() {
        inner(&schema["additionalProperties"], values.iter().flat_map(|v| v.as_object().unwrap().values()).collect(), missing);
    }
    if schema["items"]["properties"].is_object() {
        inner(&schema["items"], values.iter().flat_map(|v| v.as_array().unwrap()).collect(), missing);
    }
}

/// What the schema refuses, the reader refuses; the reader knows more (files, other tables), so not the other way round.
#[test]
fn the_schema_refuses_what_the_reader_refuses() {
    for name in [
        "unknown_key",
        "key_in_the_wrong_place",
        "wrong_type",
        "missing_key",
        "two_orders",
        "policy_choices",
        "rate",
        "duration",
        "number_out_of_range",
        "secret_written_in_the_file",
    ] {
        let file = format!("tests/fixtures/config/invalid/{name}.toml");
        assert!(load(file.as_ref(), &super::variables()).is_err(), "{name}");
        assert!(!valid(&schema(), &json(&fs::read_to_string(&file).unwrap())), "{name}");
    }
}
