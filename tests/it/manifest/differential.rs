//! Two readers that know nothing of this program compare texts before and after an edit: the serde reader, and PyYAML in a process
//! of its own.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config, TestRunner};
use serde::Deserialize as _;
use serde_yaml::Value;
use tagboat::manifest::{Format, Formats};

use super::properties;

/// Why a reader cannot read what others can: a part of what it says, and the reason.
const KNOWN: [(&str, &str); 9] = [
    ("duplicate entry", "serde refuses a key that is given twice; YAML parsers leave that to what builds on them"),
    ("that cannot start any token", "PyYAML takes a tab before a comment for a token"),
    ("found duplicate anchor", "PyYAML refuses an anchor that is given twice, which YAML allows"),
    ("found unexpected ':'", "libyaml refuses a colon before a bracket, which YAML 1.2 takes for an empty value"),
    ("did not find expected", "libyaml expects more indentation, or less, than YAML 1.2 does"),
    ("invalid Unicode character escape code", "libyaml refuses a pair of surrogates, which JSON has for one character"),
    ("found a tab character where an indentation space", "libyaml refuses a tab behind the indentation of a block"),
    ("expected '<document start>'", "PyYAML refuses a block without indentation that is all of a document"),
    ("while parsing a flow node expected the node content", "a template that is no YAML before it is filled in"),
];

/// How many golden texts a reader cannot read, at most. More of them means that the list above has become too wide.
const MOST_UNREAD: usize = 12;

/// How many golden texts get a new entry, at most.
const MOST_ADDED: usize = 40;

/// A scalar or the start of a collection: where it stands, what it is, and its value.
type Scalars = Vec<(String, String, Option<String>)>;

#[derive(serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Scalars(Scalars),
    Error(String),
}

/// How long a text may take PyYAML, which reads the largest of them in less than a second.
const DEADLINE: Duration = Duration::from_secs(30);

struct PyYaml {
    child: Child,
    input: ChildStdin,
    /// The lines that it answers with.
    answers: Receiver<io::Result<String>>,
}

impl PyYaml {
    fn start() -> Self {
        let has = Command::new("python3").args(["-c", "import yaml"]).stderr(Stdio::null()).status();
        assert!(has.is_ok_and(|status| status.success()), "PyYAML is missing: `tests/run.sh` installs it (Debian: python3-yaml)");
        let mut command = Command::new("python3");
        // It ends by itself, too, should nobody be left to end it.
        let seconds = DEADLINE.as_secs().to_string();
        command.args(["-u", "-c", include_str!("differential.py"), &seconds]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let (sender, answers) = mpsc::channel();
        // Ends with the process, or when nobody listens.
        thread::spawn(move || output.lines().try_for_each(|line| sender.send(line)));
        Self { child, input, answers }
    }

    fn read(&mut self, text: &str) -> Result<Scalars, String> {
        writeln!(self.input, "{}", serde_json::to_string(text).unwrap()).unwrap();
        let answer = self.answers.recv_timeout(DEADLINE + Duration::from_secs(5));
        let line = answer.unwrap_or_else(|error| panic!("no answer in {DEADLINE:?}: {error}; the text was\n{text}")).unwrap();
        match serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}")) {
            Answer::Scalars(scalars) => Ok(scalars),
            Answer::Error(error) => Err(error),
        }
    }
}

impl Drop for PyYaml {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serde(text: &str) -> Result<Scalars, String> {
    let mut scalars = Vec::new();
    for (number, document) in serde_yaml::Deserializer::from_str(text).enumerate() {
        flatten(&Value::deserialize(document).map_err(|error| error.to_string())?, &number.to_string(), &mut scalars);
    }
    Ok(scalars)
}

fn flatten(value: &Value, place: &str, scalars: &mut Scalars) {
    let mut push = |kind: &str, value: Option<String>| scalars.push((place.to_owned(), kind.to_owned(), value));
    match value {
        Value::Null => push("null", None),
        Value::Bool(value) => push("bool", Some(value.to_string())),
        Value::Number(value) => push("number", Some(value.to_string())),
        Value::String(value) => push("str", Some(value.clone())),
        Value::Sequence(items) => {
            push("seq", None);
            items.iter().enumerate().for_each(|(number, item)| flatten(item, &format!("{place}/{number}"), scalars));
        }
        Value::Mapping(entries) => {
            push("map", None);
            for (number, (key, value)) in entries.iter().enumerate() {
                flatten(key, &format!("{place}/{number}?"), scalars);
                flatten(value, &format!("{place}/{number}:"), scalars);
            }
        }
        Value::Tagged(tagged) => {
            push("tag", Some(tagged.tag.to_string()));
            flatten(&tagged.value, &format!("{place}!"), scalars);
        }
    }
}

/// What was compared.
#[derive(Debug, Default)]
struct Tally {
    read: usize,
    /// By the reason.
    unread: BTreeMap<&'static str, usize>,
    /// Texts that could not be read for no known reason.
    unknown: Vec<String>,
}

/// Lets a reader compare two texts: the new values must be strings that hold what was written, the others the same.
fn compare(
    name: &str,
    mut read: impl FnMut(&str) -> Result<Scalars, String>,
    [old, new]: [&str; 2],
    written: &[String],
    tally: &mut Tally,
) {
    let before = match read(old) {
        Ok(before) => before,
        Err(error) => {
            let known = KNOWN.iter().find(|(part, _)| error.contains(part));
            match known {
                Some((_, reason)) => *tally.unread.entry(reason).or_default() += 1,
                None => tally.unknown.push(format!("{name}: {error}")),
            }
            return;
        }
    };
    let after = read(new).unwrap_or_else(|error| panic!("{name}: no longer read after the edit: {error}\n{new}"));
    assert_eq!(before.len(), after.len(), "{name}: more or fewer values after the edit:\n{new}");
    let mut moved = 0;
    for (old, new) in before.iter().zip(&after).filter(|(old, new)| old != new) {
        let (value, is_text) = (new.2.as_deref().unwrap_or_default(), new.1.ends_with("str") || new.1.starts_with('!'));
        assert_eq!(old.0, new.0, "{name}: values in other places");
        assert!(is_text && written.iter().any(|part| value.contains(part.as_str())), "{name}: {old:?} became {new:?}");
        moved += 1;
    }
    assert_eq!(moved > 0, old != new, "{name}: the texts differ, and the values do not, or the other way");
    tally.read += 1;
}

#[test]
fn other_readers_find_nothing_changed_but_the_values_in_generated_texts() {
    let mut python = PyYaml::start();
    // The same texts each time, so that the list of reasons is enough for all.
    let mut runner = TestRunner::new_with_rng(Config::default(), proptest::test_runner::TestRng::deterministic_rng(Default::default()));
    let mut tallies = [Tally::default(), Tally::default()];
    for number in 0..80 {
        let case = properties::case().new_tree(&mut runner).unwrap().current();
        let written = [case.tag.to_owned(), super::generator::NEW_VERSION.to_owned(), super::generator::digest('b')];
        let texts = [case.old.as_str(), case.new.as_str()];
        compare(&format!("generated {number}, serde"), serde, texts, &written, &mut tallies[0]);
        compare(&format!("generated {number}, PyYAML"), |text| python.read(text), texts, &written, &mut tallies[1]);
    }
    assert!(tallies.iter().all(|tally| tally.read >= 30 && tally.unknown.is_empty()), "{tallies:#?}");
}

#[test]
fn other_readers_find_nothing_changed_but_the_values_in_golden_texts() {
    let mut python = PyYaml::start();
    let mut tallies = [Tally::default(), Tally::default()];
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/manifest");
    let mut files: Vec<PathBuf> = Vec::new();
    for case in fs::read_dir(cases).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        files.extend(fs::read_dir(case.join("in")).unwrap().map(|entry| entry.unwrap().path()));
    }
    files.sort();
    let mut added = 0;
    for file in files {
        let name = file.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().display().to_string();
        let after = file.parent().unwrap().with_file_name("out").join(file.file_name().unwrap());
        let is_yaml = Formats::default().of(&name) == Some(Format::Yaml) && !name.ends_with(".json");
        let (Ok(old), Ok(new)) = (fs::read_to_string(&file), fs::read_to_string(&after)) else { continue };
        // What is read line by line as it is no YAML tells nothing of readers of YAML.
        if !is_yaml || name.contains("/flux-template-") {
            continue;
        }
        let edits = fs::read_to_string(file.parent().unwrap().with_file_name("edits.toml")).unwrap();
        // All that an edit may write: tags (with `+` for `_`), digests (with their digits alone) and names.
        let quoted = edits.split('"').skip(1).step_by(2);
        let written: Vec<String> =
            quoted.flat_map(|word| [word.to_owned(), word.replace('_', "+"), word.trim_start_matches("sha256:").to_owned()]).collect();
        // What gets a new entry has other places; such texts are counted, and their goldens prove them.
        if old.matches("igest").count() != new.matches("igest").count() {
            added += 1;
            continue;
        }
        compare(&format!("{name}, serde"), serde, [&old, &new], &written, &mut tallies[0]);
        compare(&format!("{name}, PyYAML"), |text| python.read(text), [&old, &new], &written, &mut tallies[1]);
    }
    assert!(added <= MOST_ADDED, "{added} texts get a new entry");
    for tally in &tallies {
        let unread: usize = tally.unread.values().sum();
        assert!(tally.read >= 60 && unread <= MOST_UNREAD && tally.unknown.is_empty(), "{added} {tallies:#?}");
    }
}
