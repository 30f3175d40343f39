//! How fast files are screened, scanned, edited and proved, on one Deployment of about 4 KiB.
//!
//! The floor of the same run is a plain search and replace of the same bytes, which knows and proves nothing;
//! the two parsers alone show what is theirs. `cargo bench --bench manifest`
#![allow(missing_docs, clippy::unwrap_used)]

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use serde::Deserialize as _;
use serde::de::IgnoredAny;
use tagboat::image::{RepositoryPattern, Tag};
use tagboat::manifest::{Edit, Format, Watch, apply, scan};

const DEPLOYMENT: &str = include_str!("../tests/fixtures/manifest/deployment.yaml");

fn main() {
    divan::main();
}

fn watch(repository: &str) -> Watch {
    Watch::new(&[RepositoryPattern::parse(repository).unwrap()])
}

fn measure<T>(bencher: Bencher<'_, '_>, run: impl Fn() -> T + Sync) {
    bencher.counter(BytesCount::of_str(DEPLOYMENT)).bench(run);
}

#[divan::bench]
fn floor_search_and_replace(bencher: Bencher<'_, '_>) {
    measure(bencher, || black_box(DEPLOYMENT).replace("ghcr.io/acme/api:1.4.1", "ghcr.io/acme/api:1.4.2"));
}

#[divan::bench]
fn parser_granit_alone(bencher: Bencher<'_, '_>) {
    measure(bencher, || granit_parser::Parser::new_from_str(black_box(DEPLOYMENT)).filter(Result::is_ok).count());
}

#[divan::bench]
fn parser_serde_alone(bencher: Bencher<'_, '_>) {
    measure(bencher, || IgnoredAny::deserialize(serde_yaml::Deserializer::from_str(black_box(DEPLOYMENT))).unwrap());
}

#[divan::bench]
fn scan_screened_out(bencher: Bencher<'_, '_>) {
    let watch = watch("ghcr.io/acme/absent");
    measure(bencher, || scan(black_box(DEPLOYMENT).as_bytes(), Format::Yaml, &watch).unwrap());
}

#[divan::bench]
fn scan_watched(bencher: Bencher<'_, '_>) {
    let watch = watch("ghcr.io/acme/api");
    measure(bencher, || scan(black_box(DEPLOYMENT).as_bytes(), Format::Yaml, &watch).unwrap());
}

#[divan::bench]
fn scan_everything(bencher: Bencher<'_, '_>) {
    let watch = Watch::everything();
    measure(bencher, || scan(black_box(DEPLOYMENT).as_bytes(), Format::Yaml, &watch).unwrap());
}

#[divan::bench]
fn apply_and_prove(bencher: Bencher<'_, '_>) {
    let sites = scan(DEPLOYMENT.as_bytes(), Format::Yaml, &watch("ghcr.io/acme/api")).unwrap();
    let tag = Tag::parse("1.4.2").unwrap();
    let edits: Vec<Edit<'_>> = sites.iter().map(|site| Edit { site, tag: tag.clone(), digest: None }).collect();
    measure(bencher, || apply(black_box(DEPLOYMENT).as_bytes(), &edits).unwrap());
}
