//! What must hold of every parser of hostile input, as functions over bytes: for the fuzzer (`tests/fuzz/`) and the replay of its corpus.

use std::collections::BTreeSet;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::image::{Digest, Platform, Reference, Repository, RepositoryPattern, Tag, TagList, TagRef};

pub use crate::http::webhook::fuzz::{identity, webhook};
pub use crate::manifest::fuzz::{apply, scan, yaml};
pub use crate::registry::fuzz::{challenge, docker_config, link, listing, manifest, redirect, token};

/// Takes any bytes, and panics if what must hold does not.
pub type Target = fn(&[u8]);

/// Each parser under the name of its target and its folder of the corpus.
pub const TARGETS: [(&str, Target); 19] = [
    ("apply", apply),
    ("challenge", challenge),
    ("digest", digest),
    ("docker_config", docker_config),
    ("identity", identity),
    ("link", link),
    ("listing", listing),
    ("manifest", manifest),
    ("pattern", pattern),
    ("platform", platform),
    ("redirect", redirect),
    ("reference", reference),
    ("repository", repository),
    ("scan", scan),
    ("tag", tag),
    ("tags", tags),
    ("token", token),
    ("webhook", webhook),
    ("yaml", yaml),
];

/// A tag is what was written, or an error that can be printed.
pub fn tag(data: &[u8]) {
    parsed(data, Tag::parse, |text, tag| {
        assert_eq!((tag.as_str(), tag.to_string().as_str(), tag.as_tag_ref().to_tag()), (text, text, tag.clone()));
        assert!(text.len() <= 128 && !text.starts_with(['.', '-']));
        assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b)), "{text:?}");
    });
}

/// Words, as a list of tags: the list is the sorted set of those that are tags.
pub fn tags(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let words: Vec<TagRef<'_>> = text.split_ascii_whitespace().filter_map(|word| TagRef::parse(word).ok()).collect();
    let list: TagList = words.iter().copied().collect();
    let set: BTreeSet<&str> = words.iter().map(|tag| tag.as_str()).collect();
    assert!(list.iter().map(TagRef::as_str).eq(set.iter().copied()));
    assert_eq!((list.len(), list.is_empty()), (set.len(), set.is_empty()));
    assert!((0..=list.len()).map(|index| list.get(index)).eq(list.iter().map(Some).chain([None])));
    for word in text.split_ascii_whitespace() {
        assert_eq!(list.contains(word), set.contains(word), "{word:?}");
    }
    assert_eq!(list, list.iter().collect());
}

/// A digest is what was written.
pub fn digest(data: &[u8]) {
    parsed(data, Digest::parse, |text, digest| {
        assert_eq!(digest.as_str(), text);
        assert!(matches!((digest.algorithm(), text.len()), ("sha256", 71) | ("sha512", 135)), "{text:?}");
        assert_eq!(digest.to_sha256().map(|bytes| Digest::sha256(&bytes)), Some(digest).filter(|digest| digest.algorithm() == "sha256"));
    });
}

/// A platform is what was written.
pub fn platform(data: &[u8]) {
    parsed(data, Platform::parse, |text, platform| assert_eq!(platform.to_string(), text));
}

/// A repository's canonical form is read as the same repository.
pub fn repository(data: &[u8]) {
    parsed(data, Repository::parse, |_, repository| {
        assert_eq!(Repository::parse(&repository.to_string()).as_ref(), Ok(&repository));
        assert_eq!(Repository::new(repository.registry().clone(), repository.name()).as_ref(), Ok(&repository));
        assert!(!repository.to_string().contains(|c: char| c.is_whitespace() || c.is_control() || c == '@'), "{repository}");
    });
}

/// A reference's parts stand where they are said to, and make it up.
pub fn reference(data: &[u8]) {
    parsed(data, Reference::parse_spans, |text, (reference, spans)| {
        assert_eq!((reference.written(), reference.to_string().as_str()), (text, text));
        let part = |span: &std::ops::Range<usize>| text.get(span.clone()).unwrap_or_default();
        assert_eq!(Repository::parse(part(&spans.repository)).as_ref(), Ok(reference.repository()));
        assert_eq!(spans.tag.as_ref().map(part), reference.tag().map(Tag::as_str));
        assert_eq!(spans.digest.as_ref().map(part), reference.digest().map(Digest::as_str));
        let mut canonical = reference.repository().to_string();
        let mut written = part(&spans.repository).to_owned();
        for (mark, part) in [(':', reference.tag().map(Tag::as_str)), ('@', reference.digest().map(Digest::as_str))] {
            canonical.extend(part.map(|part| format!("{mark}{part}")));
            written.extend(part.map(|part| format!("{mark}{part}")));
        }
        assert_eq!(written, text);
        let again = Reference::parse(&canonical);
        let parts = |reference: &Reference| (reference.repository().clone(), reference.tag().cloned(), reference.digest().cloned());
        assert_eq!(again.as_ref().map(parts), Ok(parts(&reference)));
    });
}

/// A pattern and, on the next line, a repository: the byte search for the pattern's literal misses nothing that the pattern covers.
pub fn pattern(data: &[u8]) {
    let (pattern, repository) = data.split_at(data.iter().position(|&byte| byte == b'\n').unwrap_or(data.len()));
    parsed(pattern, RepositoryPattern::parse, |_, pattern| {
        let Some(repository) = std::str::from_utf8(repository).ok().and_then(|text| Repository::parse(text.trim()).ok()) else { return };
        if let (true, Some(literal)) = (pattern.matches(&repository), pattern.literal()) {
            assert!(repository.name().contains(literal), "{literal} is not in {repository}");
        }
    });
}

/// Parses what is UTF-8; an error must be fit to be printed.
fn parsed<T>(data: &[u8], parse: impl Fn(&str) -> Result<T, crate::image::ParseError>, holds: impl FnOnce(&str, T)) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match parse(text) {
        Ok(value) => holds(text, value),
        Err(error) => harmless(&error.to_string()),
    }
}

/// What is told about hostile input is short, one line, and cannot drive a terminal.
pub(crate) fn harmless(text: &str) {
    assert!(text.chars().count() < 1_000 && !text.contains(char::is_control), "{text:?}");
}

/// Reads header lines up to an empty one, and behind it the body; without an empty line all is the body.
pub(crate) fn message(data: &[u8]) -> (HeaderMap, &[u8]) {
    let (head, body) = match (data.strip_prefix(b"\n"), data.windows(2).position(|two| two == b"\n\n")) {
        (Some(body), _) => (&[][..], body),
        (None, Some(end)) => (&data[..end], &data[end + 2..]),
        (None, None) => (&[][..], data),
    };
    let mut headers = HeaderMap::new();
    for line in head.split(|&byte| byte == b'\n') {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else { continue };
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(&line[..colon]), HeaderValue::from_bytes(line[colon + 1..].trim_ascii())) {
            headers.append(name, value);
        }
    }
    (headers, body)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn corpus() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus")
    }

    #[test]
    fn what_the_fuzzer_has_collected_breaks_no_parser() {
        for (name, target) in TARGETS {
            let mut files = 0;
            for entry in std::fs::read_dir(corpus().join(name)).unwrap_or_else(|error| panic!("{name}: {error}")) {
                let path = entry.unwrap().path();
                let data = std::fs::read(&path).unwrap();
                let replayed = std::panic::catch_unwind(|| target(&data));
                assert!(replayed.is_ok(), "{} breaks what must hold", path.display());
                files += 1;
            }
            assert!(files >= 3, "{name} has only {files} files");
        }
    }

    #[test]
    fn every_folder_of_the_corpus_has_a_target_and_every_target_a_binary() {
        let names = |folder: &Path, ending: &str| -> BTreeSet<String> {
            let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
            names.filter_map(|name| name.strip_suffix(ending).map(str::to_owned)).collect()
        };
        let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(names(&corpus(), ""), targets);
        assert_eq!(names(&corpus().with_file_name("targets"), ".rs"), targets);
    }
}
