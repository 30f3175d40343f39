//! Shape 3: a mapping with a repository and, beside it, its tag or digest; and the same as Helm parameters.
//!
//! Names are Helm's habits: `repository` (with `registry`), `image` or `name` beside `tag` and `digest`; the same with a
//! dotted prefix (`image.tag`, as parameters have it) or a stem (`imageTag`, `apiImageTag`, `image_tag`). The repository's
//! value decides. What a mapping merges in with `<<` counts as its own where it adds to it.

use super::super::site::{Locked, Shape};
use super::super::tree::Kind;
use super::fields::{Field, Fields};
use super::locate::{Located, Part};
use super::names::{Name, Role, Sure};
use super::scalar::{has_host, names_image};
use super::{Finder, Reading};
use crate::image::{Digest, Repository, Tag};
use granit_parser::ScalarStyle;

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
    /// Looks at a mapping's entries together.
    pub(super) fn split(&mut self, mapping: usize) {
        let tree = self.tree;
        let (mut named, mut merges, mut hit) = (false, false, false);
        for (key, value) in tree.entries(mapping) {
            let key = tree.text_of(key);
            if key == Some("<<") {
                merges = true;
                continue;
            }
            named |= key.is_some_and(|key| Name::parse(key).is_some() || names_registry(key));
            hit |= match tree.nodes[value].kind {
                Kind::Scalar { .. } => self.is_hit(value),
                Kind::Alias(_) => true,
                _ => false,
            };
        }
        // The other half may be what is merged in.
        if named && hit || merges && (named || hit) {
            let fields = Fields::of_mapping(tree, mapping, &mut self.merges);
            self.pairs(&fields, Shape::Split);
        }
    }

    /// Looks at a list under `parameters` (Argo CD's `helm.parameters`) as if it were a mapping.
    pub(super) fn parameters(&mut self, sequence: usize) {
        if self.trail.nearest_key() == Some("parameters") {
            self.pairs(&Fields::of_parameters(self.tree, sequence), Shape::Parameters);
        }
    }

    fn pairs(&mut self, fields: &Fields<'_>, shape: Shape) {
        for field in fields.all() {
            let Some(name) = Name::parse(field.name) else { continue };
            let is_empty = self.is_empty(field.value);
            let only_if_tag = name.role == Role::Version;
            let tag = fields.get(&name.with("tag")).map(|tag| tag.value);
            match name.role {
                Role::Tag => {}
                Role::Version if tag.is_some() || !self.is_below_image(&name) => continue,
                Role::Version => {}
                // Beside a tag it was seen with the tag.
                Role::Digest if is_empty || tag.is_some_and(|tag| !self.is_empty(tag)) => continue,
                Role::Digest => {}
            }
            self.claim(&name, fields);
            if is_empty {
                continue;
            }
            let (tag, digest) =
                if name.role == Role::Digest { (None, Some(field)) } else { (Some(field), fields.get(&name.with("digest"))) };
            let Some((key, written, repository)) = self.repository_of(&name, fields) else { continue };
            let parts = [key, name.with("registry"), name.with("digest"), field.name.to_owned()];
            // What is merged in as a whole was found where it stands.
            if parts.iter().any(|part| fields.own(part).is_some()) {
                let repeated = parts.iter().any(|part| fields.is_repeated(part));
                self.pair(Pair { shape, written, repository, tag, digest, repeated, only_if_tag });
            }
        }
    }

    /// Notes the values that are repositories beside a tag, or a place for one: they are no references without a tag.
    fn claim(&mut self, name: &Name<'_>, fields: &Fields<'_>) {
        for (key, sure) in name.repositories() {
            if let Some(field) = fields.own(&key).filter(|_| sure == Sure::Yes) {
                self.claimed.insert(field.value);
            }
        }
    }

    /// Finds the repository that a tag or digest belongs to, and the name under which it stands.
    fn repository_of(&self, name: &Name<'_>, fields: &Fields<'_>) -> Option<(String, String, Repository)> {
        let text_of = |name: &str| fields.get(name).and_then(|field| self.tree.text_of(field.value));
        let registry = text_of(&name.with("registry")).filter(|text| !text.is_empty());
        name.repositories().into_iter().find_map(|(key, sure)| {
            let text = text_of(&key)?;
            let tells = match sure {
                Sure::Yes => true,
                Sure::Vague if self.watch.is_everything() => has_host(text),
                Sure::Vaguest if self.watch.is_everything() => false,
                Sure::Vague | Sure::Vaguest => text.contains('/'),
            };
            if !tells && !self.is_below_image(name) {
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
    pub(super) fn parts(&self, node: usize, is_digest: bool) -> Parts {
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
            parts.tag = Tag::parse(&value[..tag_end]).ok().map(|tag| Part { value: tag, slot: located.slot(0..tag_end) });
            parts.malformed |= parts.tag.is_none();
        }
        if is_digest || tag_end < value.len() {
            let digest = Digest::parse(&value[digest_start..]).ok();
            parts.digest = digest.map(|digest| Part { value: digest, slot: located.slot(digest_start..value.len()) });
            parts.malformed |= parts.digest.is_none();
        }
        let lost =
            parts.tag.as_ref().is_some_and(|tag| tag.slot.is_none()) || parts.digest.as_ref().is_some_and(|digest| digest.slot.is_none());
        parts.locked = if parts.malformed { Some(Locked::Malformed) } else { located.locked().or(lost.then_some(Locked::NotVerbatim)) };
        parts
    }
}

/// Says whether a key holds a registry, which makes another repository of one that is merged in.
fn names_registry(key: &str) -> bool {
    ["registry", "Registry", "REGISTRY"].iter().any(|word| key.ends_with(word))
}

/// What a scalar of a split form holds.
pub(super) struct Parts {
    /// Whether it stands for a digest, not for a tag.
    pub(super) is_digest: bool,
    pub(super) written: String,
    pub(super) tag: Option<Part<Tag>>,
    pub(super) digest: Option<Part<Digest>>,
    pub(super) locked: Option<Locked>,
    pub(super) malformed: bool,
    pub(super) at: usize,
}
