//! Push events: from the bytes of a delivery to a repository that is due, and from there to a commit.

mod deliveries;
mod engine;
mod golden;
mod google;
mod properties;

use std::path::Path;

use tagboat::http::webhook::{Kind, Sender};

const FIXTURES: &str = "tests/fixtures/webhook";

/// A sender of a kind, with nothing else configured.
fn sender(kind: Kind) -> Sender {
    Sender { kind, host: None, virtual_repository: None, pointers: None }
}

/// A real payload by its name: `harbor/default`.
fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(FIXTURES).join(format!("{name}.json"))).unwrap()
}

/// The names of all payloads.
fn fixtures() -> Vec<String> {
    let folders = std::fs::read_dir(FIXTURES).unwrap().map(|entry| entry.unwrap().path());
    let files = folders.flat_map(|folder| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
    let name = |path: &Path| Some(path.strip_prefix(FIXTURES).unwrap().to_str()?.strip_suffix(".json")?.to_owned());
    let mut names: Vec<String> = files.filter_map(|path| name(&path)).collect();
    names.sort();
    names
}
