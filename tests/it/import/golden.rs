//! Golden directories: `tests/fixtures/import/<tool>/<case>/in/*` become `out/tagboat.toml` and `out/remarks.txt`.
//!
//! `TAGBOAT_BLESS=1` writes what comes out. Each policy file must pass what `tagboat check` looks at.

use std::fs;
use std::path::{Path, PathBuf};

use tagboat::config::{self, Variables};
use tagboat::import::{self, Draft, Object, Remark};

use super::{Import, TOOLS};

pub(super) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/import")
}

/// Returns the directories or files in a folder by name.
pub(super) fn sorted(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// Reads all objects of a case.
pub(super) fn objects(case: &Path) -> (Vec<Object>, Vec<Remark>) {
    let (mut objects, mut remarks) = (Vec::new(), Vec::new());
    for file in sorted(&case.join("in")) {
        let read = import::read(&fs::read_to_string(&file).unwrap(), file.file_name().unwrap().to_str().unwrap());
        objects.extend(read.0);
        remarks.extend(read.1);
    }
    (objects, remarks)
}

fn draft(case: &Path, import: Import) -> Draft {
    let (objects, mut remarks) = objects(case);
    let draft = import(&objects);
    remarks.extend(draft.remarks);
    Draft { remarks, ..draft }
}

fn lines(draft: &Draft) -> String {
    let line = |remark: &Remark| {
        let origin = remark.origin.as_ref().map_or_else(String::new, |origin| format!("{origin}: "));
        format!("{}: {origin}{remark}\n", remark.severity)
    };
    let foreign = import::by_kind(&draft.foreign).into_iter().map(|kind| format!("foreign: {kind}\n"));
    draft.remarks.iter().map(line).chain(foreign).collect()
}

#[test]
fn every_case_comes_out_as_it_should() {
    let mut wrong = Vec::new();
    for (tool, import) in TOOLS {
        for case in sorted(&fixtures().join(tool)) {
            let name = format!("{tool}/{}", case.file_name().unwrap().to_str().unwrap());
            let draft = import::sound(draft(&case, *import));
            let text = import::write(&draft, tool);
            for (file, text) in [("tagboat.toml", &text), ("remarks.txt", &lines(&draft))] {
                let path = case.join("out").join(file);
                if std::env::var_os("TAGBOAT_BLESS").is_some() {
                    fs::create_dir_all(case.join("out")).unwrap();
                    fs::write(&path, text).unwrap();
                }
                if fs::read_to_string(&path).unwrap_or_default() != *text {
                    wrong.push(format!("{name}/out/{file}:\n{text}"));
                }
            }
            if let Err(report) = config::load_str_without_secrets(&name, &text, &Variables::default()) {
                wrong.push(report.to_string());
            }
            for part in ["planted-", "cGxhbnRlZ"] {
                assert!(!text.contains(part) && !lines(&draft).contains(part), "{name} shows a secret:\n{text}");
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
