//! What words look like references, in texts that are made of words.

use super::super::super::watch::Watch;
use super::super::scalar::{has_host, names_image};
use crate::image::Reference;

/// The longest word that is looked at.
const MAX_WORD: usize = 1024;

/// Says whether a template or a variable stands in a text.
pub(super) fn is_template(text: &str) -> bool {
    ["{{", "${", "$(", "<%", "(("].iter().any(|mark| text.contains(mark))
        || text.as_bytes().windows(2).any(|pair| matches!(pair, [b'$', next] if next.is_ascii_alphabetic() || *next == b'_'))
}

/// Says whether a text is a reference with a tag or a digest.
pub(super) fn is_reference(text: &str) -> bool {
    text.len() <= MAX_WORD && Reference::parse(text).is_ok_and(|reference| reference.tag().is_some() || reference.digest().is_some())
}

/// Says whether a word is likely to be a reference: a watched one, or one whose tag looks like a version.
///
/// Much else has a colon: `host:8080`, `12:30`, `sha256:…`, `v1:ConfigMap`, `system:node`.
pub(super) fn could_be(word: &str, watch: &Watch) -> bool {
    if word.len() > MAX_WORD || !word.contains([':', '@']) {
        return false;
    }
    let Ok(reference) = Reference::parse(word) else { return false };
    if watch.covers(reference.repository()) || reference.digest().is_some() {
        return true;
    }
    let Some(tag) = reference.tag() else { return false };
    let name = word.split_once(':').map_or(word, |(name, _)| name);
    let is_checksum = ["sha1", "sha256", "sha384", "sha512", "md5"].contains(&name);
    let version = tag.as_str().strip_prefix('v').unwrap_or(tag.as_str());
    let is_version = version.starts_with(|c: char| c.is_ascii_digit()) && !tag.as_str().bytes().all(|byte| byte.is_ascii_digit());
    (is_version || has_host(word)) && !is_checksum && name.contains(|c: char| c.is_ascii_alphabetic())
}

/// Visits the words of a text with their places, without the quotes and signs around them.
pub(super) fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    const AROUND: [char; 12] = ['"', '\'', '`', ',', ';', '(', ')', '[', ']', '<', '>', '.'];
    let mut at = 0;
    text.split(char::is_whitespace).filter_map(move |word| {
        let start = at;
        // White space has any length; what follows is where the next word starts in the same text.
        at = start + word.len();
        at += text.get(at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        let trimmed = word.trim_start_matches(AROUND);
        let start = start + (word.len() - trimmed.len());
        let trimmed = trimmed.trim_end_matches(|c| AROUND.contains(&c) && c != ')');
        Some((start, trimmed)).filter(|(_, word)| !word.is_empty() && word.len() <= MAX_WORD)
    })
}

/// Visits what looks like a reference in a text that is no YAML, one a line: its place, what to show, and whether it is templated.
pub(super) fn lines<'t>(text: &'t str, watch: &'t Watch) -> impl Iterator<Item = (usize, &'t str, bool)> {
    let mut at = 0;
    text.split_inclusive('\n').filter_map(move |line| {
        let start = at;
        at += line.len();
        let trimmed = line.trim_start();
        if trimmed.starts_with('#') || trimmed.starts_with("//") {
            return None;
        }
        let indent = line.len() - trimmed.len();
        if let Some((key, value)) = trimmed.split_once(": ")
            && names_image(key.trim_start_matches("- ").trim_matches(['"', '\'']))
        {
            let (skipped, value) = (trimmed.len() - value.trim_start().len(), value.trim());
            if value.len() <= MAX_WORD && (is_template(value) || is_reference(value.trim_matches(['"', '\'']))) {
                return Some((start + indent + skipped, value, is_template(value)));
            }
        }
        words(line).find_map(|(at, word)| {
            let (skipped, word) = match word.split_once('=') {
                Some((flag, given)) => {
                    let unquoted = given.trim_start_matches(['"', '\'']);
                    (flag.len() + 1 + given.len() - unquoted.len(), unquoted.trim_end_matches(['"', '\'']))
                }
                None => (0, word),
            };
            (could_be(word, watch) && (word.contains('/') || names_watched(word, watch))).then_some((start + at + skipped, word, false))
        })
    })
}

/// Says whether a reference is to a repository that a rule names.
fn names_watched(word: &str, watch: &Watch) -> bool {
    Reference::parse(word).is_ok_and(|reference| watch.covers(reference.repository()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::RepositoryPattern;

    #[test]
    fn templates_of_many_engines() {
        for yes in ["{{ .Values.image }}", "${IMAGE}", "$(IMAGE)", "$CI_REGISTRY/x:1", "<%= image %>", "((image))", "a$_b"] {
            assert!(is_template(yes), "{yes}");
        }
        for no in ["nginx:1", "a$", "$1", "{a}", "(a)", "5$ "] {
            assert!(!is_template(no), "{no}");
        }
    }

    #[test]
    fn what_has_a_version_could_be_a_reference() {
        let watch = Watch::new(&[RepositoryPattern::parse("acme/api").unwrap()]);
        for yes in
            ["redis:7.2", "acme/web:v1", "redis:7-alpine", "ghcr.io/a/b:1.0", "acme/api:latest", "ghcr.io/a/b:latest", "ghcr.io/a/b:13"]
        {
            assert!(could_be(yes, &watch), "{yes}");
        }
        for no in [
            "host:8080",
            "10.0.0.1:1a",
            "12:30",
            "sha256:0ab1",
            "v1:ConfigMap",
            "system:node",
            "http://a:1b",
            "a:b",
            "default/mysql:3306",
            "kubernetes.io/os:linux",
        ] {
            assert!(!could_be(no, &watch), "{no}");
        }
    }

    #[test]
    fn words_know_their_places() {
        for text in ["run \"a:1\", (b)\t ä  c.", "", " ", "x"] {
            for (at, word) in words(text) {
                assert_eq!(&text[at..at + word.len()], word);
            }
        }
        let found: Vec<_> = words("run \"a:1\", ä  c.").map(|(_, word)| word).collect();
        assert_eq!(found, ["run", "a:1", "ä", "c"]);
    }

    #[test]
    fn lines_of_a_script() {
        let watch = Watch::new(&[]);
        let script = "# image: a:1\ndocker run ghcr.io/acme/api:1.2 x\n  image: {{ .x }}\nIMAGE=\"ghcr.io/acme/web:2.0\"\necho host:8080 redis:7.2\ndocker run acme/db:8.10 sh\n";
        let found: Vec<_> = lines(script, &watch).map(|(at, shown, templated)| (&script[at..at + shown.len()], templated)).collect();
        assert_eq!(found, [("ghcr.io/acme/api:1.2", false), ("{{ .x }}", true), ("ghcr.io/acme/web:2.0", false), ("acme/db:8.10", false)]);
    }
}
