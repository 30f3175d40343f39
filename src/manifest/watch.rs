//! The watched repositories and bound markers, and the byte search that spares most files the parser.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use aho_corasick::AhoCorasick;

use super::sources::{self, Sources};
use crate::image::{Repository, RepositoryPattern};

/// The repositories to look for.
#[derive(Clone, Debug)]
pub struct Watch {
    wanted: Wanted,
    /// Finds the patterns' literals; none if some pattern has no literal, so that any text may match.
    screen: Option<AhoCorasick>,
    /// None if no marker is bound.
    markers: Option<Arc<Markers>>,
    /// Paths under which a file states the registry of its split references.
    registry_keys: Vec<String>,
    /// The sources of charts that stand in other texts.
    sources: Arc<Sources>,
    fingerprint: u64,
}

/// A repository under the name that is written for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The repository.
    pub repository: Repository,
    /// Its name as the policy file writes it: `nginx` or `docker.io/library/nginx`.
    pub written: String,
}

/// The word that every Flux marker holds.
pub(super) const MARKER: &str = "$imagepolicy";

/// The policies that markers may name.
#[derive(Debug)]
pub(super) struct Markers {
    /// By `namespace:name`.
    bound: BTreeMap<Arc<str>, Named>,
    /// Finds [`MARKER`], which few files hold; none only if there is no memory for it.
    word: Option<AhoCorasick>,
    /// Finds the policies' names.
    names: Option<AhoCorasick>,
}

impl Markers {
    /// Says whether a text may hold a bound marker.
    fn may_stand_in(&self, text: &[u8]) -> bool {
        let found = |search: &Option<AhoCorasick>| search.as_ref().is_none_or(|search| search.is_match(text));
        found(&self.word) && found(&self.names)
    }

    /// Returns a policy, with the repository that it is about.
    pub(super) fn policy(&self, name: &str) -> Option<(&Arc<str>, &Named)> {
        self.bound.get_key_value(name)
    }
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
    /// The last components of their names.
    ends: HashSet<Box<str>>,
    others: Vec<RepositoryPattern>,
}

impl Patterns {
    fn add(&mut self, repository: &Repository) {
        self.ends.insert(last_component(repository.name()).into());
        self.ones.insert(repository.clone());
    }
}

fn last_component(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

impl Watch {
    /// Looks for the repositories that any of these patterns covers.
    #[must_use]
    pub fn new(patterns: &[RepositoryPattern]) -> Self {
        let screen = screen(patterns.iter().map(RepositoryPattern::literal));
        let names: BTreeSet<String> = patterns.iter().map(ToString::to_string).collect();
        let fingerprint = fnv1a(names.iter().map(String::as_str));
        let mut sorted = Patterns::default();
        for pattern in patterns {
            match pattern {
                RepositoryPattern::One(repository) => sorted.add(repository),
                RepositoryPattern::Many { .. } => sorted.others.push(pattern.clone()),
            }
        }
        Self { screen, fingerprint, ..Self::unscreened(Wanted::Some(sorted)) }
    }

    /// Looks for the values, too, that Flux's markers of these policies (`namespace:name`) stand at, whatever they are now.
    #[must_use]
    pub fn with_markers(mut self, bound: BTreeMap<Arc<str>, Named>) -> Self {
        if bound.is_empty() {
            return self;
        }
        if let Wanted::Some(patterns) = &mut self.wanted {
            bound.values().for_each(|named| patterns.add(&named.repository));
            let ones: Vec<RepositoryPattern> = patterns.ones.iter().cloned().map(RepositoryPattern::One).collect();
            self.screen = screen(ones.iter().chain(&patterns.others).map(RepositoryPattern::literal));
        }
        let number = self.fingerprint.to_string();
        let words = bound.iter().flat_map(|(policy, named)| [&**policy, &*named.written]);
        self.fingerprint = fnv1a([number.as_str()].into_iter().chain(words));
        let names = AhoCorasick::new(bound.keys().map(|policy| policy.as_bytes())).ok();
        self.markers = Some(Arc::new(Markers { bound, word: AhoCorasick::new([MARKER]).ok(), names }));
        self
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
        Self::unscreened(Wanted::Everything)
    }

    /// Takes the value at any of these dotted paths (`global.imageRegistry`), where a file has one that is not empty, for the
    /// registry of all split references (`repository` and `tag`) of that file, instead of their own: so do some charts.
    #[must_use]
    pub fn with_registry_keys(mut self, keys: Vec<String>) -> Self {
        if !keys.is_empty() {
            let words = std::iter::once("registry keys").chain(keys.iter().map(String::as_str));
            self.fingerprint ^= fnv1a(words);
        }
        self.registry_keys = keys;
        self
    }

    /// Returns the paths under which a file may state the registry of its split references.
    pub(super) fn registry_keys(&self) -> &[String] {
        &self.registry_keys
    }

    /// Looks for whatever would be found if its repository were watched.
    pub(super) fn any() -> Self {
        Self::unscreened(Wanted::Any)
    }

    fn unscreened(wanted: Wanted) -> Self {
        Self { wanted, screen: None, markers: None, registry_keys: Vec::new(), sources: Arc::default(), fingerprint: 0 }
    }

    /// Takes over the sources of charts that stand in other texts, in the place of those that it knew before; they are no part of
    /// the [fingerprint](Self::fingerprint).
    pub fn know(&mut self, sources: Arc<Sources>) {
        self.sources = sources;
    }

    /// Returns the sources of charts that it knows.
    #[must_use]
    pub fn sources(&self) -> &Arc<Sources> {
        &self.sources
    }

    /// Says whether a repository may be watched that ends with a chart's name, wherever the chart comes from.
    pub(super) fn may_be_chart(&self, chart: &str) -> bool {
        match &self.wanted {
            Wanted::Some(Patterns { ends, others, .. }) => !others.is_empty() || ends.contains(last_component(chart)),
            Wanted::Any | Wanted::Everything => true,
        }
    }

    /// Says whether a text may hold a chart whose repository a pattern covers. Where the repository's URL stands in another
    /// text, what is searched for need not stand in this one.
    pub(super) fn may_hold_charts(&self, text: &[u8]) -> bool {
        matches!(&self.wanted, Wanted::Some(Patterns { others, .. }) if !others.is_empty()) && sources::may_be_named_in(text)
    }

    /// Says whether a text may declare a source of charts that is of any use.
    pub(super) fn may_hold_sources(&self, text: &[u8]) -> bool {
        let wants_some = !matches!(&self.wanted, Wanted::Some(Patterns { ones, others, .. }) if ones.is_empty() && others.is_empty());
        wants_some && sources::may_stand_in(text)
    }

    /// Says whether a text may hold a watched reference; never wrong when it says no, unless a name is written
    /// with escapes in a double-quoted scalar (`"ghcr.io\x2facme/api"`) or split over lines.
    #[must_use]
    pub fn may_hold(&self, text: &[u8]) -> bool {
        self.may_hold_names(text) || self.may_hold_markers(text) || self.may_hold_charts(text)
    }

    /// Says whether a text may hold a bound marker.
    pub(super) fn may_hold_markers(&self, text: &[u8]) -> bool {
        self.markers.as_ref().is_some_and(|markers| markers.may_stand_in(text))
    }

    /// Returns a policy that markers may name, with the repository that it is about.
    pub(super) fn policy(&self, name: &str) -> Option<(&Arc<str>, &Named)> {
        self.markers.as_ref()?.policy(name)
    }

    /// Returns the policies that markers may name; none if no marker is bound.
    pub(super) fn markers(&self) -> Option<&Arc<Markers>> {
        self.markers.as_ref()
    }

    fn may_hold_names(&self, text: &[u8]) -> bool {
        match (&self.wanted, &self.screen) {
            (Wanted::Some(Patterns { ones, others, .. }), _) if ones.is_empty() && others.is_empty() => false,
            // The plain search is the faster one, and rules most texts out.
            (_, Some(screen)) => screen.is_match(text) && screen.find_overlapping_iter(text).any(|hit| is_whole(text, hit.end())),
            _ => true,
        }
    }

    /// Says whether a repository is watched.
    #[must_use]
    pub fn covers(&self, repository: &Repository) -> bool {
        match &self.wanted {
            Wanted::Some(Patterns { ones, others, .. }) => {
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

/// Says whether a name may end here. What goes on with a capital is another word: of an image named `api` there is nothing in
/// `apiVersion`, which each manifest has.
fn is_whole(text: &[u8], end: usize) -> bool {
    !text.get(end).is_some_and(u8::is_ascii_uppercase)
}

/// Makes the search for the patterns' literals; none if some have none.
fn screen<'a>(literals: impl Iterator<Item = Option<&'a str>>) -> Option<AhoCorasick> {
    let literals: Option<BTreeSet<&str>> = literals.collect();
    // Building fails only for automata of several gigabytes; searching without one is slower and just as right.
    literals.and_then(|literals| AhoCorasick::new(literals).ok())
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
        assert!(!watch(&["ghcr.io/acme/api"]).may_hold(b"apiVersion: v1\nkind: ConfigMap\n"), "a part of another word");
        assert!(watch(&["ghcr.io/acme/api"]).may_hold(b"apiVersion: v1\nimage: ghcr.io/acme/api"), "behind a part of another word");
        assert!(Watch::everything().may_hold(b""));
    }

    #[test]
    fn a_fingerprint_is_of_the_set() {
        assert_eq!(watch(&["a", "b"]).fingerprint(), watch(&["b", "a", "a"]).fingerprint());
        assert_ne!(watch(&["a", "b"]).fingerprint(), watch(&["ab"]).fingerprint());
        assert_ne!(watch(&[]).fingerprint(), Watch::everything().fingerprint());
    }

    fn marked(policy: &str, repository: &str) -> Watch {
        let named = Named { repository: Repository::parse(repository).unwrap(), written: repository.to_owned() };
        watch(&[]).with_markers([(policy.into(), named)].into())
    }

    #[test]
    fn a_bound_marker_is_let_through_and_no_other() {
        let watch = marked("flux-system:api", "ghcr.io/acme/api");
        assert!(watch.may_hold(br#"tag: 1 # {"$imagepolicy": "flux-system:api:tag"}"#));
        assert!(!watch.may_hold(br#"tag: 1 # {"$imagepolicy": "flux-system:web:tag"}"#));
        assert!(!watch.may_hold(b"tag: 1 # flux-system"), "no marker at all");
        assert!(watch.may_hold(b"image: ghcr.io/acme/api:1"), "what goes without is found, to be shown");
    }

    #[test]
    fn a_fingerprint_covers_markers() {
        let one = marked("a:b", "ghcr.io/acme/api").fingerprint();
        assert_eq!(one, marked("a:b", "ghcr.io/acme/api").fingerprint());
        for other in [marked("a:c", "ghcr.io/acme/api"), marked("a:b", "ghcr.io/acme/web"), watch(&["ghcr.io/acme/api"])] {
            assert_ne!(one, other.fingerprint());
        }
    }
}
