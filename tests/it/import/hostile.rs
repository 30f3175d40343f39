//! What is no proper input: it may be told, and never bring the program down or make an unsound file.

use proptest::prelude::*;
use serde_yaml::Value;
use tagboat::config::{self, Variables};
use tagboat::import::{self, Object, Origin, Severity, read};

use super::TOOLS;
use super::golden::{fixtures, sorted};

/// Imports objects with every tool, as the command does; what comes out must be sound.
fn survive(objects: &[Object]) {
    for (tool, import) in TOOLS {
        let draft = import::sound(import(objects));
        let text = import::write(&draft, tool);
        if !draft.images.is_empty()
            && let Err(report) = config::load_str_without_secrets("x", &text, &Variables::default())
        {
            panic!("{tool}: {report}\n{text}");
        }
        toml::from_str::<toml::Table>(&text).unwrap();
    }
}

/// Any value, with a liking for what objects hold.
fn value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        any::<String>(),
        "[a-z]{1,3}",
        "[-a-z0-9./:@*^$\\\\(){}\\[\\]'\"#\n ]{0,20}",
        prop::sample::select(vec![
            "ghcr.io/acme/api",
            "5m",
            "main",
            "asc",
            "Always",
            "aws",
            "a",
            "GitRepository",
            "https://git.example.com/a.git",
            "ssh://git@git.example.com/a",
            "refs/heads/main",
            "1.x",
            "^latest$",
            "../..",
            "Setters",
            "In",
        ])
        .prop_map(str::to_owned),
    ];
    let leaf = prop_oneof![
        6 => text.prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    let key = prop_oneof![
        5 => prop::sample::select(vec!["name", "namespace", "branch", "order", "range", "pattern", "extract", "matchLabels", "a", "tag", "ref"])
            .prop_map(Value::from),
        1 => any::<String>().prop_map(Value::from),
        1 => any::<u8>().prop_map(|key| Value::from(u64::from(key))),
    ];
    leaf.prop_recursive(3, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Sequence),
            prop::collection::vec((key.clone(), inner), 0..5).prop_map(|entries| Value::Mapping(entries.into_iter().collect())),
        ]
    })
}

/// The objects of the fixtures, each with a few values anywhere in it replaced.
fn damaged() -> impl Strategy<Value = Vec<Object>> {
    let cases = ["flux/typical", "flux/automation-commits", "flux/repository-logins", "flux/git-repositories", "flux/old-versions"];
    let damage = prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), value()), 0..6);
    (prop::sample::select(cases.to_vec()), damage).prop_map(|(case, damage)| {
        let (mut objects, _) = super::golden::objects(&fixtures().join(case));
        for (object, place, value) in damage {
            let object = object.get(&objects).origin.clone();
            let object = objects.iter_mut().find(|one| one.origin == object).unwrap();
            let count = nodes(&object.value);
            let mut left = place.index(count.max(2) - 1) + 1;
            replace(&mut object.value, &mut left, &value);
        }
        objects
    })
}

fn nodes(value: &Value) -> usize {
    1 + match value {
        Value::Mapping(entries) => entries.iter().map(|(_, value)| nodes(value)).sum(),
        Value::Sequence(items) => items.iter().map(nodes).sum(),
        _ => 0,
    }
}

/// Replaces the node that the count falls to zero at.
fn replace(value: &mut Value, left: &mut usize, with: &Value) {
    if *left == 0 {
        value.clone_from(with);
        *left = usize::MAX;
        return;
    }
    if *left == usize::MAX {
        return;
    }
    *left -= 1;
    match value {
        Value::Mapping(entries) => entries.iter_mut().for_each(|(_, value)| replace(value, left, with)),
        Value::Sequence(items) => items.iter_mut().for_each(|value| replace(value, left, with)),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn no_text_brings_the_reader_down(text in any::<String>(), yaml in "[-a-z0-9:{}\\[\\]'\"&*!|>%.,# \n\t]{0,80}") {
        for text in [&text, &yaml, &format!("---\n{yaml}\n---\n{{{text}")] {
            let (objects, _) = read(text, "x");
            survive(&objects);
        }
    }

    #[test]
    fn objects_of_any_content_give_a_sound_file_or_none(objects in damaged()) {
        survive(&objects);
    }

    #[test]
    fn a_file_cut_anywhere_is_no_trouble(at in any::<prop::sample::Index>(), case in any::<prop::sample::Index>()) {
        let cases = sorted(&fixtures().join("flux"));
        let file = sorted(&case.get(&cases).join("in")).remove(0);
        let text = std::fs::read_to_string(file).unwrap();
        survive(&read(&text[..text.floor_char_boundary(at.index(text.len() + 1))], "x").0);
    }
}

#[test]
fn a_broken_document_does_not_take_its_neighbours_with_it() {
    let (objects, remarks) =
        read("\u{feff}kind: A\n---\nkind: [\n--- # here\nkind: B\n...\n---\n# nothing\n---\n- x\n---\nkind: C", "f.yaml");
    assert_eq!(objects.iter().map(Object::kind).collect::<Vec<_>>(), ["A", "B", "C"]);
    for (remark, document, reason) in [(&remarks[0], 2, "it cannot be read: "), (&remarks[1], 4, "it holds something that is no object")] {
        assert_eq!(remark.origin, Some(Origin { file: "f.yaml".to_owned(), document }));
        assert_eq!(remark.severity, Severity::Broken);
        assert!(remark.to_string().starts_with(reason), "{remark}");
    }
    assert_eq!(remarks.len(), 2);
}

#[test]
fn directives_comments_and_empty_documents_are_no_objects() {
    let (objects, remarks) = read("# c\n%YAML 1.2\n---\nkind: A\n---\n---\n\n", "f.yaml");
    assert_eq!((objects.len(), remarks.len()), (1, 0), "{remarks:?}");
    assert!(read("", "f.yaml").0.is_empty());
}

#[test]
fn lists_are_unfolded_and_json_is_read() {
    let (objects, remarks) =
        read("{\"kind\": \"List\",\t\"items\": [{\"kind\": \"A\"}, {\"kind\": \"BList\", \"items\": [{\"kind\": \"B\"}, 3]}]}", "x");
    assert_eq!(objects.iter().map(Object::kind).collect::<Vec<_>>(), ["A", "B"]);
    assert_eq!(remarks.len(), 1, "the number is no object: {remarks:?}");
    let (objects, remarks) = read("[{\"kind\": \"A\"}, {\"kind\": \"List\", \"items\": []}]", "x");
    assert_eq!((objects.len(), remarks.len()), (1, 0), "what `jq .items` prints: {remarks:?}");
    let (objects, _) = read("{kind: A, metadata: {labels: {a/b: c}}}", "x");
    assert_eq!(objects[0].text("/metadata/labels/a~1b"), Some("c"));
    assert_eq!(objects[0].labels().get("a/b"), Some(&"c"));
}

#[test]
fn aliases_that_multiply_are_refused_within_bounds() {
    let mut bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for (last, next) in ('a'..='i').zip('b'..='j') {
        bomb.push_str(&format!("{next}: &{next} [{}]\n", vec![format!("*{last}"); 10].join(",")));
    }
    let (objects, remarks) = read(&bomb, "x");
    assert!(objects.is_empty() && remarks.len() == 1, "{remarks:?}");
    let (objects, remarks) = read(&"[".repeat(100_000), "x");
    assert!(objects.is_empty() && remarks.len() == 1, "{remarks:?}");
    let (objects, remarks) = read(&"{\"a\":".repeat(100_000), "x");
    assert!(objects.is_empty() && remarks.len() == 1, "{remarks:?}");
}

#[test]
fn what_stands_twice_is_refused_and_named() {
    let (objects, remarks) = read("kind: A\nkind: B\n", "x");
    assert!(objects.is_empty());
    assert!(remarks[0].reason.contains("the key `kind` stands twice"), "{}", remarks[0].reason);
}

/// Who may annotate an Application is not to have a file of Tagboat's sent to a registry of theirs.
#[test]
fn a_secret_never_becomes_a_path_that_leaves_its_folder() {
    for (source, file) in [
        ("secret:a/b#../../../etc/shadow", "/run/secrets/a/b/..-..-..-etc-shadow"),
        ("secret:a/b#..", "/run/secrets/a/b"),
        ("secret:../..#x", "/run/secrets/x"),
        ("pullsecret:../../etc", "/run/secrets/-etc/.dockerconfigjson"),
    ] {
        let text = format!(
            "kind: Application\napiVersion: argoproj.io/v1alpha1\nmetadata:\n  name: x\n  annotations:\n    \
             argocd-image-updater.argoproj.io/image-list: a=evil.example.com/a\n    argocd-image-updater.argoproj.io/a.pull-secret: '{source}'\n"
        );
        let draft = import::sound(import::argocd::import(&read(&text, "x").0));
        let written = import::write(&draft, "argocd");
        let auth = written.lines().find(|line| line.starts_with("auth")).unwrap();
        assert!(auth.contains(&format!("= \"{file}\"")), "{source}: {auth}");
    }
}
