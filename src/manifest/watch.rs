//! The watched repositories, and the byte search that spares most files the parser.

use std::collections::{BTreeSet, HashSet};

use aho_corasick::AhoCorasick;

use crate::image::{Repository, RepositoryPattern};

/// The repositories to look for.
#[derive(Clone, Debug)]
pub struct Watch {
    wanted: Wanted,
    /// Finds the patterns' literals; none if some pattern has no literal, so that any text may match.
    screen: Option<AhoCorasick>,
    fingerprint: u64,
}

#[derive(Clone, Debug)]
enum Wanted {
    /// Those that any of these covers.
    Some(Patterns),
    /// Every repository, in whatever looks like a reference.
    Any,
    /// Every repository, where it is a reference for sure.
    Everything,
}

/// Patterns, those of one repository apart, as there are many of them.
#[derive(Clone, Debug, Default)]
struct Patterns {
    ones: HashSet<Repository>,
    others: Vec<RepositoryPattern>,
}

impl Watch {
    /// Looks for the repositories that any of these patterns covers.
    #[must_use]
    pub fn new(patterns: &[RepositoryPattern]) -> Self {
        let literals: Option<BTreeSet<&str>> = patterns.iter().map(RepositoryPattern::literal).collect();
        // Building fails only for automata of several gigabytes; searching without one is slower and just as right.
        let screen = literals.and_then(|literals| AhoCorasick::new(literals).ok());
        let names: BTreeSet<String> = patterns.iter().map(ToString::to_string).collect();
        let fingerprint = fnv1a(names.iter().map(String::as_str));
        let mut sorted = Patterns::default();
        for pattern in patterns {
            match pattern {
                RepositoryPattern::One(repository) => {
                    sorted.ones.insert(repository.clone());
                }
                RepositoryPattern::Many { .. } => sorted.others.push(pattern.clone()),
            }
        }
        Self { wanted: Wanted::Some(sorted), screen, fingerprint }
    }

    /// Looks for every reference that is one for sure.
    ///
    /// With no watched names to go by, a text such as `foo:bar` could be anything, so here a value counts only
    /// - with a digest; or
    /// - with a tag, under a key named `image`, `images` or `…Image`, or behind `…image=`; or
    /// - with a tag, if it starts with a host that has a dot, a port or is `localhost`, and a slash; or
    /// - without tag and digest, as the whole value of a key named `image` or `…Image`, of `image.reference` (a Kubernetes
    ///   image volume), or with a host of one named `images`; or
    /// - in a `repository` + `tag` mapping, a kustomize `images:` entry or a pair of Helm parameters. There a plain
    ///   `name` beside `tag` counts only below a key named as above, or with a host; `repo` only below such a key.
    #[must_use]
    pub fn everything() -> Self {
        Self { wanted: Wanted::Everything, screen: None, fingerprint: 0 }
    }

    /// Looks for whatever would be found if its repository were watched.
    pub(super) fn any() -> Self {
        Self { wanted: Wanted::Any, screen: None, fingerprint: 0 }
    }

    /// Says whether a text may hold a watched reference; never wrong when it says no, unless a name is written
    /// with escapes in a double-quoted scalar (`"ghcr.io\x2facme/api"`) or split over lines.
    #[must_use]
    pub fn may_hold(&self, text: &[u8]) -> bool {
        match (&self.wanted, &self.screen) {
            (Wanted::Some(Patterns { ones, others }), _) if ones.is_empty() && others.is_empty() => false,
            (_, Some(screen)) => screen.is_match(text),
            _ => true,
        }
    }

    /// Says whether a repository is watched.
    #[must_use]
    pub fn covers(&self, repository: &Repository) -> bool {
        match &self.wanted {
            Wanted::Some(Patterns { ones, others }) => {
                ones.contains(repository) || others.iter().any(|pattern| pattern.matches(repository))
            }
            Wanted::Any | Wanted::Everything => true,
        }
    }

    /// Returns a number that is the same for the same set of patterns, in whatever order and in whatever process:
    /// a key for caches of scans.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Says whether a value must prove itself to be a reference, as its repository tells nothing.
    pub(super) fn is_everything(&self) -> bool {
        matches!(self.wanted, Wanted::Everything)
    }

    /// Finds where the watched names end in a text, in ascending order; none if any place will do.
    pub(super) fn hits(&self, text: &str) -> Option<Vec<usize>> {
        let mut ends: Vec<usize> = self.screen.as_ref()?.find_overlapping_iter(text).map(|hit| hit.end()).collect();
        ends.dedup();
        Some(ends)
    }
}

/// Hashes words with FNV-1a (64 bits), which is the same everywhere and for ever, as the standard library's hasher is not.
pub(super) fn fnv1a<'a>(words: impl Iterator<Item = &'a str>) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(PRIME);
    words.fold(OFFSET, |hash, word| word.as_bytes().iter().chain(b"\n").fold(hash, step))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(patterns: &[&str]) -> Watch {
        Watch::new(&patterns.iter().map(|p| RepositoryPattern::parse(p).unwrap()).collect::<Vec<_>>())
    }

    #[test]
    fn the_screen_lets_through_what_may_match() {
        assert!(watch(&["ghcr.io/acme/api"]).may_hold(b"image: ghcr.io/acme/api:1"));
        assert!(!watch(&["ghcr.io/acme/worker"]).may_hold(b"image: ghcr.io/acme/api:1"));
        assert!(watch(&["ghcr.io/acme/worker", "ghcr.io/*"]).may_hold(b"anything"), "a pattern without a literal switches screening off");
        assert!(!watch(&[]).may_hold(b"image: nginx:1"), "nothing watched, nothing held");
        assert!(Watch::everything().may_hold(b""));
    }

    #[test]
    fn a_fingerprint_is_of_the_set() {
        assert_eq!(watch(&["a", "b"]).fingerprint(), watch(&["b", "a", "a"]).fingerprint());
        assert_ne!(watch(&["a", "b"]).fingerprint(), watch(&["ab"]).fingerprint());
        assert_ne!(watch(&[]).fingerprint(), Watch::everything().fingerprint());
    }
}
