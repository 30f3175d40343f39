//! Golden imports from Argo CD Image Updater and Keel: objects in, policy file and remarks out.
//!
//! A case is a directory `tests/fixtures/import/<tool>/<case>` with `in/*.yaml`, `out/tagboat.toml` and `out/remarks.txt`.
//! `TAGBOAT_BLESS=1` writes what comes out; look at the difference before it is committed.

use std::fs;
use std::path::{Path, PathBuf};

use tagboat::config::{self, Variables};
use tagboat::import::{self, Draft, Object};

/// Imports the objects of a case as the command does.
fn import(directory: &Path, tool: &str, function: fn(&[Object]) -> Draft) -> (String, String) {
    let (mut objects, mut remarks) = (Vec::new(), Vec::new());
    for path in sorted(&directory.join("in")) {
        let name = path.file_name().unwrap().to_string_lossy();
        let (found, broken) = import::read(&fs::read_to_string(&path).unwrap(), &name);
        objects.extend(found);
        remarks.extend(broken);
    }
    let mut draft = function(&objects);
    draft.remarks.splice(0..0, remarks);
    let draft = import::sound(draft);
    let lines = draft.remarks.iter().map(|remark| format!("{}: {remark}\n", remark.severity)).collect();
    (import::write(&draft, tool), lines)
}

fn sorted(directory: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// Compares all cases of a tool with what they should give, and loads each policy file.
fn check(tool: &str, function: fn(&[Object]) -> Draft) {
    let mut wrong = Vec::new();
    for case in sorted(&Path::new("tests/fixtures/import").join(tool)) {
        let (text, remarks) = import(&case, tool, function);
        if text.contains("[[image]]")
            && let Err(report) = config::load_str_without_secrets("tagboat.toml", &text, &Variables::default())
        {
            wrong.push(format!("{}: does not pass check: {report}\n{text}", case.display()));
        }
        for (name, got) in [("tagboat.toml", text), ("remarks.txt", remarks)] {
            let path = case.join("out").join(name);
            if std::env::var_os("TAGBOAT_BLESS").is_some() {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, &got).unwrap();
            } else if fs::read_to_string(&path).unwrap_or_default() != got {
                wrong.push(format!("{}: is not as written; it would be:\n{got}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn argocd_objects_become_the_policy_files_of_their_cases() {
    check("argocd", import::argocd::import);
}

#[test]
fn keel_objects_become_the_policy_files_of_their_cases() {
    check("keel", import::keel::import);
}
