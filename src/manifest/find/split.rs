//! Shape 3: a mapping with a repository and, beside it, its tag or digest; and the same as Helm parameters.
//!
//! Names are Helm's habits: `repository` (with `registry`), `image` or `name` beside `tag` and `digest`; the same with a
//! dotted prefix (`image.tag`, as parameters have it) or a stem (`imageTag`, `apiImageTag`). The repository's value decides.

use super::super::site::{Locked, Shape};
use super::super::tree::Kind;
use super::fields::{Field, Fields};
use super::locate::{Located, Part};
use super::scalar::{has_host, names_image};
use super::{Finder, Reading};
use crate::image::{Digest, Repository, Tag};
use granit_parser::ScalarStyle;

/// What a key stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Tag,
    Digest,
    /// A tag under the name `version`, which much else has too: counts only below a key that names an image.
    Version,
}

/// A key such as `image.tag` or `apiImageTag` taken apart.
#[derive(Clone, Copy)]
struct Name<'a> {
    /// With its last dot; may be empty.
    prefix: &'a str,
    /// `apiImage`; may be empty.
    stem: &'a str,
    role: Role,
}

impl<'a> Name<'a> {
    fn parse(key: &'a str) -> Option<Self> {
        let (prefix, word) = key.split_at(key.rfind('.').map_or(0, |dot| dot + 1));
        let (stem, role) = match word {
            "tag" => ("", Role::Tag),
            "digest" => ("", Role::Digest),
            "version" => ("", Role::Version),
            _ => match word.strip_suffix("Tag") {
                Some(stem) => (stem, Role::Tag),
                None => (word.strip_suffix("Digest")?, Role::Digest),
            },
        };
        Some(Self { prefix, stem, role })
    }

    /// Returns the name with another word in the place of its role.
    fn with(&self, word: &str) -> String {
        let Self { prefix, stem, .. } = self;
        let mut characters = word.chars();
        match characters.next() {
            Some(first) if !stem.is_empty() => format!("{prefix}{stem}{}{}", first.to_ascii_uppercase(), characters.as_str()),
            _ => format!("{prefix}{word}"),
        }
    }

    /// Returns the names under which its repository may stand, each with whether much else has that name too.
    fn repositories(&self) -> Vec<(String, bool)> {
        let Self { prefix, stem, .. } = self;
        let mut names = vec![(self.with("repository"), false)];
        if stem.is_empty() {
            names.push((format!("{prefix}image"), false));
            if let Some(whole) = prefix.strip_suffix('.') {
                names.push((whole.to_owned(), false));
            }
        } else {
            names.push((format!("{prefix}{stem}"), false));
            if stem.eq_ignore_ascii_case("image") {
                names.push((format!("{prefix}repository"), false));
            }
        }
        names.push((self.with("name"), true));
        names
    }
}

/// A repository with the values beside it.
pub(super) struct Pair<'f, 'w> {
    pub(super) shape: Shape,
    /// The repository as written, with its registry.
    pub(super) written: String,
    pub(super) repository: Repository,
    pub(super) tag: Option<&'f Field<'w>>,
    pub(super) digest: Option<&'f Field<'w>>,
    /// Whether one of their names is given twice.
    pub(super) repeated: bool,
    /// Whether a tag that is none means that this is something else.
    pub(super) only_if_tag: bool,
}

impl Finder<'_, '_> {
    /// Looks at a mapping's own entries together.
    pub(super) fn split(&mut self, mapping: usize) {
        let tree = self.tree;
        let (mut named, mut hit) = (false, false);
        for (key, value) in tree.entries(mapping) {
            named |= tree.text_of(key).is_some_and(|key| Name::parse(key).is_some());
            hit |= match tree.nodes[value].kind {
                Kind::Scalar { .. } => self.is_hit(value),
                Kind::Alias(_) => true,
                _ => false,
            };
        }
        if named && hit {
            self.pairs(&Fields::of_mapping(tree, mapping), Shape::Split);
        }
    }

    /// Looks at a list under `parameters` (Argo CD's `helm.parameters`) as if it were a mapping.
    pub(super) fn parameters(&mut self, sequence: usize) {
        if self.trail.nearest_key() == Some("parameters") {
            self.pairs(&Fields::of_parameters(self.tree, sequence), Shape::Parameters);
        }
    }

    fn pairs(&mut self, fields: &Fields<'_>, shape: Shape) {
        for field in fields.all_own() {
            let Some(name) = Name::parse(field.name) else { continue };
            let (tag, digest) = match name.role {
                Role::Tag if self.is_empty(field.value) => continue,
                Role::Tag | Role::Version => (Some(field), fields.own(&name.with("digest"))),
                // Beside a tag it was seen with the tag.
                Role::Digest if fields.get(&name.with("tag")).is_some_and(|tag| !self.is_empty(tag)) => continue,
                Role::Digest => (None, Some(field)),
            };
            if name.role == Role::Version && (fields.get(&name.with("tag")).is_some() || !self.is_below_image(&name)) {
                continue;
            }
            if let Some((key, written, repository)) = self.repository_of(&name, fields) {
                let mut keys =
                    [Some(key), Some(name.with("registry")), Some(field.name.to_owned()), digest.map(|digest| digest.name.to_owned())]
                        .into_iter();
                let repeated = keys.any(|key| key.is_some_and(|key| fields.is_repeated(&key)));
                self.pair(Pair { shape, written, repository, tag, digest, repeated, only_if_tag: name.role == Role::Version });
            }
        }
    }

    /// Finds the repository that a tag or digest belongs to, and the name under which it stands.
    fn repository_of(&self, name: &Name<'_>, fields: &Fields<'_>) -> Option<(String, String, Repository)> {
        let registry = fields.get(&name.with("registry")).and_then(|node| self.tree.text_of(node)).filter(|text| !text.is_empty());
        name.repositories().into_iter().find_map(|(key, vague)| {
            let text = self.tree.text_of(fields.get(&key)?)?;
            let is_sure = || if self.watch.is_everything() { has_host(text) } else { text.contains('/') };
            if vague && !self.is_below_image(name) && !is_sure() {
                return None;
            }
            self.bare_repository(text, registry).map(|(written, repository)| (key, written, repository))
        })
    }

    fn is_below_image(&self, name: &Name<'_>) -> bool {
        match name.prefix.strip_suffix('.') {
            Some(prefix) => names_image(prefix),
            None => self.trail.nearest_key().is_some_and(names_image),
        }
    }

    /// Reads a text as a watched repository without tag and digest.
    pub(super) fn bare_repository(&self, text: &str, registry: Option<&str>) -> Option<(String, Repository)> {
        let written = match registry {
            Some(registry) => format!("{}/{text}", registry.trim_end_matches('/')),
            None => text.to_owned(),
        };
        let repository = Repository::parse(&written).ok()?;
        self.watch.covers(&repository).then_some((written, repository))
    }

    /// Makes a site of a repository with the values beside it. Values that are empty are left alone: a chart's default fills them.
    pub(super) fn pair(&mut self, pair: Pair<'_, '_>) {
        let Pair { shape, mut written, repository, repeated, only_if_tag, .. } = pair;
        let given = |field: &&Field<'_>| !self.is_empty(field.value);
        let (tag, digest) = (pair.tag.filter(given), pair.digest.filter(given));
        let tag_parts = tag.map(|field| self.parts(field.value, false));
        let digest_parts = digest.map(|field| self.parts(field.value, true));
        let (Some(first), Some(field)) = (tag_parts.as_ref().or(digest_parts.as_ref()), tag.or(digest)) else { return };
        if only_if_tag && first.malformed {
            return;
        }
        let at = first.at;
        let steps = field.steps.clone();
        let mut locked = repeated.then_some(Locked::DuplicateKey);
        let (mut tag, mut digest) = (None, None);
        for parts in [tag_parts, digest_parts].into_iter().flatten() {
            written.push(if parts.is_digest { '@' } else { ':' });
            written.push_str(&parts.written);
            // A digest behind the tag and another beside it contradict each other.
            let twice = digest.is_some() && parts.digest.is_some();
            locked = locked.or(parts.locked).or(twice.then_some(Locked::Malformed));
            tag = tag.or(parts.tag);
            digest = digest.or(parts.digest);
        }
        self.emit(Reading { shape, written, repository, tag, digest, locked, at }, &steps);
    }

    /// Says whether a value is empty or null.
    fn is_empty(&self, node: usize) -> bool {
        match self.tree.scalar(self.tree.resolve(node)) {
            Some((value, ScalarStyle::Plain)) => matches!(value, "" | "~" | "null" | "Null" | "NULL"),
            Some((value, _)) => value.is_empty(),
            None => true,
        }
    }

    /// Reads a scalar, or the anchor of an alias, as `tag`, `tag@digest` or a digest.
    fn parts(&self, node: usize, is_digest: bool) -> Parts {
        let node = self.tree.resolve(node);
        let mut parts = Parts {
            is_digest,
            written: String::new(),
            tag: None,
            digest: None,
            locked: None,
            malformed: false,
            at: self.tree.nodes[node].span.start,
        };
        let Some(located) = Located::new(self.tree, node) else { return parts };
        let value = self.tree.text_of(node).unwrap_or_default();
        let whole = 0..value.len();
        value.clone_into(&mut parts.written);
        parts.at = located.position(&whole);
        let tag_end = if is_digest { 0 } else { value.find('@').unwrap_or(value.len()) };
        let digest_start = if is_digest { 0 } else { (tag_end + 1).min(value.len()) };
        if !is_digest {
            parts.tag = Tag::parse(&value[..tag_end]).ok().map(|tag| Part { value: tag, slot: located.slot(&whole, 0..tag_end) });
            parts.malformed |= parts.tag.is_none();
        }
        if is_digest || tag_end < value.len() {
            let digest = Digest::parse(&value[digest_start..]).ok();
            parts.digest = digest.map(|digest| Part { value: digest, slot: located.slot(&whole, digest_start..value.len()) });
            parts.malformed |= parts.digest.is_none();
        }
        let lost =
            parts.tag.as_ref().is_some_and(|tag| tag.slot.is_none()) || parts.digest.as_ref().is_some_and(|digest| digest.slot.is_none());
        parts.locked = if parts.malformed { Some(Locked::Malformed) } else { located.locked().or(lost.then_some(Locked::NotVerbatim)) };
        parts
    }
}

/// What a scalar of a split form holds.
struct Parts {
    /// Whether it stands for a digest, not for a tag.
    is_digest: bool,
    written: String,
    tag: Option<Part<Tag>>,
    digest: Option<Part<Digest>>,
    locked: Option<Locked>,
    malformed: bool,
    at: usize,
}
