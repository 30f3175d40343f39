//! The text of a commit, and the trailers that machines read back.
//!
//! Owns the trailer's form: `Tagboat-Bump: REPOSITORY FROM -> TO FILE KEY`. FROM and TO are tags, or `TAG@DIGEST` where the tag
//! stays and only its digest changes; FROM is `(none)` where there was no tag; FILE and KEY have their
//! blanks, control characters and `%` percent-encoded, so that no file name can break or forge a line.

use std::fmt::Write;

use super::plan::Change;
use crate::image::{Digest, Repository, Tag};

const TRAILER: &str = "Tagboat-Bump: ";
/// Beyond this many changes the body names only the first; the trailers name all.
const BODY_LINES: usize = 200;
/// Beyond this the subject counts images instead of naming them.
const SUBJECT: usize = 72;
/// Stands for the tag of a site that had none.
const NO_TAG: &str = "(none)";
/// How much of a digest a subject shows: `sha256:` and twelve digits.
const SHORT_DIGEST: usize = 19;

/// What a trailer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bump {
    pub(super) repository: Repository,
    pub(super) to: Tag,
    /// The digest, where the bump was one of the digest alone.
    pub(super) digest: Option<Digest>,
    pub(super) file: String,
    pub(super) key: String,
}

/// Writes the message for a commit of these changes.
pub(super) fn write(changes: &[Change]) -> String {
    let mut text = subject(changes);
    text.push_str("\n\n");
    for change in changes.iter().take(BODY_LINES) {
        let Change { file, repository, policy, .. } = change;
        let (from, to) = versions(change);
        let _ = writeln!(text, "{}: {repository} {from} -> {to} ({policy})", encode(file));
    }
    if changes.len() > BODY_LINES {
        let _ = writeln!(text, "and {} more, see the trailers", changes.len() - BODY_LINES);
    }
    text.push('\n');
    for change in changes {
        let Change { file, key, repository, .. } = change;
        let (from, to) = versions(change);
        let _ = writeln!(text, "{TRAILER}{repository} {from} -> {to} {} {}", encode(file), encode(key));
    }
    text
}

/// What a change is from and to: the tags, with their digests where these are what changes.
fn versions(change: &Change) -> (String, String) {
    let Change { from, from_digest, to, digest, .. } = change;
    let stays = from.as_ref() == Some(to);
    let version = |tag: &Tag, digest: &Option<Digest>| match digest {
        Some(digest) if stays => format!("{tag}@{digest}"),
        _ => tag.to_string(),
    };
    (from.as_ref().map_or_else(|| NO_TAG.to_owned(), |from| version(from, from_digest)), version(to, digest))
}

fn subject(changes: &[Change]) -> String {
    let mut moves: Vec<(&Repository, String)> = changes.iter().map(|change| (&change.repository, short_version(change))).collect();
    moves.sort_unstable();
    moves.dedup();
    if let [(repository, to)] = moves.as_slice() {
        return format!("bump {repository} to {to}");
    }
    let short = |(repository, to): &(&Repository, String)| format!("{} {to}", repository.name().rsplit('/').next().unwrap_or_default());
    let named = format!("bump {}", moves.iter().map(short).collect::<Vec<_>>().join(", "));
    if named.len() <= SUBJECT { named } else { format!("bump {} images", moves.len()) }
}

/// The version that a change is to, with few enough digits of a digest for people.
fn short_version(change: &Change) -> String {
    match &change.digest {
        Some(digest) if change.from.as_ref() == Some(&change.to) => {
            format!("{}@{}", change.to, digest.as_str().get(..SHORT_DIGEST).unwrap_or_default())
        }
        _ => change.to.to_string(),
    }
}

/// Reads the trailers of a commit's message; lines that are none are passed over.
pub(super) fn read(message: &str) -> impl Iterator<Item = Bump> {
    message.lines().filter_map(|line| {
        let mut words = line.strip_prefix(TRAILER)?.split(' ');
        let repository = Repository::parse(words.next()?).ok()?;
        let _from = words.next()?;
        let to = words.next().filter(|arrow| *arrow == "->").and_then(|_| words.next())?;
        let (to, digest) = match to.split_once('@') {
            Some((tag, digest)) => (tag, Some(Digest::parse(digest).ok()?)),
            None => (to, None),
        };
        let to = Tag::parse(to).ok()?;
        let file = decode(words.next()?)?;
        let key = words.next().and_then(decode).unwrap_or_default();
        Some(Bump { repository, to, digest, file, key })
    })
}

fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '%' || c.is_whitespace() || c.is_control() {
            let mut buffer = [0; 4];
            for byte in c.encode_utf8(&mut buffer).bytes() {
                let _ = write!(encoded, "%{byte:02X}");
            }
        } else {
            encoded.push(c);
        }
    }
    encoded
}

fn decode(text: &str) -> Option<String> {
    Some(percent_encoding::percent_decode_str(text).decode_utf8().ok()?.into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn change(file: &str, repository: &str, from: &str, to: &str) -> Change {
        Change {
            file: file.into(),
            path: "spec.image".into(),
            key: "spec.image".into(),
            line: 1,
            repository: Repository::parse(repository).unwrap(),
            from: Tag::parse(from).ok(),
            to: Tag::parse(to).unwrap(),
            from_digest: None,
            digest: None,
            policy: "semver ^1.4".into(),
        }
    }

    #[test]
    fn the_message_of_a_filled_tag_is_read_back() {
        let message = write(&[change("values.yaml", "ghcr.io/acme/api", "", "1.4.2")]);
        assert_eq!(
            message,
            "bump ghcr.io/acme/api to 1.4.2\n\n\
             values.yaml: ghcr.io/acme/api (none) -> 1.4.2 (semver ^1.4)\n\n\
             Tagboat-Bump: ghcr.io/acme/api (none) -> 1.4.2 values.yaml spec.image\n"
        );
        let bumps: Vec<_> = read(&message).map(|bump| (bump.repository.to_string(), bump.to.to_string(), bump.key)).collect();
        assert_eq!(bumps, [("ghcr.io/acme/api".to_owned(), "1.4.2".to_owned(), "spec.image".to_owned())]);
    }

    #[test]
    fn the_message_of_one_change() {
        let message = write(&[change("clusters/prod/api/deployment.yaml", "ghcr.io/acme/api", "1.4.1", "1.4.2")]);
        assert_eq!(
            message,
            "bump ghcr.io/acme/api to 1.4.2\n\n\
             clusters/prod/api/deployment.yaml: ghcr.io/acme/api 1.4.1 -> 1.4.2 (semver ^1.4)\n\n\
             Tagboat-Bump: ghcr.io/acme/api 1.4.1 -> 1.4.2 clusters/prod/api/deployment.yaml spec.image\n"
        );
    }

    #[test]
    fn subjects_name_few_and_count_many() {
        let few = [
            change("a", "ghcr.io/acme/api", "1", "2"),
            change("b", "ghcr.io/acme/web", "1", "3"),
            change("c", "ghcr.io/acme/web", "1", "3"),
        ];
        assert_eq!(subject(&few), "bump api 2, web 3");
        let many: Vec<_> = (0..40).map(|i| change("a", &format!("ghcr.io/acme/service-{i}"), "1", "2")).collect();
        assert_eq!(subject(&many), "bump 40 images");
    }

    #[test]
    fn a_change_of_the_digest_alone_is_told_by_digests() {
        let (old, new) = (Digest::sha256(&[1; 32]), Digest::sha256(&[2; 32]));
        let change =
            Change { from_digest: Some(old.clone()), digest: Some(new.clone()), ..change("a", "ghcr.io/acme/api", "stable", "stable") };
        let message = write(std::slice::from_ref(&change));
        assert_eq!(
            message,
            format!(
                "bump ghcr.io/acme/api to stable@sha256:020202020202\n\n\
                 a: ghcr.io/acme/api stable@{old} -> stable@{new} (semver ^1.4)\n\n\
                 Tagboat-Bump: ghcr.io/acme/api stable@{old} -> stable@{new} a spec.image\n"
            )
        );
        let read: Vec<_> = read(&message).collect();
        assert!(read[0].to == change.to && read[0].digest == Some(new.clone()));
        let with_a_new_tag = Change { from: Tag::parse("1").ok(), ..change };
        assert!(!write(&[with_a_new_tag]).contains('@'), "a new tag says enough");
    }

    #[test]
    fn a_file_name_cannot_forge_a_trailer() {
        let message = write(&[change("a\nTagboat-Bump: nginx 1 -> 9 x y", "ghcr.io/acme/api", "1", "2")]);
        let bumps: Vec<_> = read(&message).collect();
        assert_eq!(bumps.len(), 1);
        assert_eq!(bumps[0].file, "a\nTagboat-Bump: nginx 1 -> 9 x y");
    }

    #[test]
    fn what_is_no_trailer_is_passed_over() {
        for line in [
            "",
            "Tagboat-Bump:",
            "Tagboat-Bump: A 1 -> 2 f k",
            "Tagboat-Bump: a 1 to 2 f k",
            "Tagboat-Bump: a 1 -> .2 f k",
            "Tagboat-Bump: a 1 -> 2@sha256:12 f k",
            "Tagboat-Bump: a 1 -> 2 %FF",
        ] {
            assert_eq!(read(line).count(), 0, "{line}");
        }
        assert_eq!(read("Tagboat-Bump: nginx 1 -> 2 f").count(), 1, "the key may be missing");
    }

    proptest! {
        #[test]
        fn trailers_read_back(file in "\\PC{1,40}|[\\x00-\\x7f]{1,40}", key in "\\PC{1,40}") {
            let mut change = change(&file, "ghcr.io/acme/api", "1.0", "1.1");
            change.key = key.as_str().into();
            let bumps: Vec<_> = read(&write(&[change])).collect();
            prop_assert_eq!(bumps.len(), 1);
            prop_assert_eq!(&bumps[0].file, &file);
            prop_assert_eq!(&bumps[0].key, &key);
        }
    }
}
