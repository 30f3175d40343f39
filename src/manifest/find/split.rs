//! Shape 3: a mapping with a repository and, beside it, its tag or digest; and the same as Helm parameters.
//!
//! Names are Helm's habits: `repository` (with `registry`), `image` or `name` beside `tag` and `digest`; the same with a
//! dotted prefix (`image.tag`, as parameters have it) or a stem (`imageTag`, `apiImageTag`, `image_tag`). The repository's
//! value decides. What a mapping merges in with `<<` counts as its own where it adds to it.

use super::super::site::{Form, Locked, NoDigest, SHA256, Shape, Slot};
use super::super::tree::Kind;
use super::entry::Entry;
use super::fields::{Field, Fields, given, merge_bases};
use super::locate::{Located, Part, is_empty};
use super::names::{Name, Role, Sure};
use super::scalar::{MAX_REFERENCE, has_host, names_image};
use super::trail::Step;
use super::{Finder, Free, Reading};
use crate::image::{Digest, Repository, Tag};

/// A repository with the values beside it.
pub(super) struct Pair<'f, 'w> {
    pub(super) shape: Shape,
    /// The repository as written, with its registry.
    pub(super) written: String,
    pub(super) repository: Repository,
    pub(super) tag: Option<&'f Field<'w>>,
    pub(super) digest: Option<&'f Field<'w>>,
    /// The name of a digest, and whether the tag stands in the mapping itself, so that one can be added beside it.
    pub(super) beside: (String, bool),
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
            hit |= match tree.kind(value) {
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
            let no_digest = fields.get(&name.with("digest")).is_none_or(|digest| self.is_empty(digest.value));
            // A digest beside an empty tag is a site by itself, and no tag is filled in: nobody knows which version the digest is of,
            // so that the tag that a policy chooses, with its own digest, may be an older one.
            if is_empty && !(name.role == Role::Tag && no_digest) {
                continue;
            }
            let (tag, digest) =
                if name.role == Role::Digest { (None, Some(field)) } else { (Some(field), fields.get(&name.with("digest"))) };
            let Some((key, written, repository)) = self.repository_of(&name, fields, shape) else { continue };
            let parts = [key, name.with("registry"), name.with("digest"), field.name.to_owned()];
            // What is merged in as a whole was found where it stands.
            if parts.iter().any(|part| fields.own(part).is_some()) {
                let repeated = parts.iter().any(|part| fields.is_repeated(part));
                let beside = (name.with("digest"), fields.own(field.name).is_some());
                self.pair(Pair { shape, written, repository, tag, digest, beside, repeated, only_if_tag });
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
    fn repository_of(&self, name: &Name<'_>, fields: &Fields<'_>, shape: Shape) -> Option<(String, String, Repository)> {
        let text_of = |name: &str| fields.get(name).and_then(|field| self.tree.text_of(field.value));
        let given = |name: &str| fields.get(name).and_then(|field| given(self.tree, field.value));
        let stated = match shape {
            Shape::Parameters => self.watch.registry_keys().iter().find_map(|key| given(key)),
            _ => self.registry,
        };
        let registry = stated.or_else(|| given(&name.with("registry")));
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
            None => name.names_image() || self.trail.nearest_key().is_some_and(names_image),
        }
    }

    /// Reads a text as a watched repository without tag and digest.
    pub(super) fn bare_repository(&self, text: &str, registry: Option<&str>) -> Option<(String, Repository)> {
        if text.len() > MAX_REFERENCE {
            return None;
        }
        let written = match registry {
            Some(registry) => format!("{}/{text}", registry.trim_end_matches('/')),
            None => text.to_owned(),
        };
        let repository = Repository::parse(&written).ok()?;
        self.watch.covers(&repository).then_some((written, repository))
    }

    /// Makes a site of a repository with the values beside it. A digest that is empty is as good as none, and so is a tag, but
    /// for a policy that fills it: a chart's default stands for it.
    pub(super) fn pair(&mut self, pair: Pair<'_, '_>) {
        let given = |field: &&Field<'_>| !self.is_empty(field.value);
        let (tag, digest) = (pair.tag.filter(given), pair.digest.filter(given));
        if tag.is_none() && digest.is_none() {
            if !pair.only_if_tag {
                self.blank(pair);
            }
            return;
        }
        let no_digest = digest.is_none();
        let free = if no_digest { self.free_digest(&pair) } else { None };
        let Pair { shape, mut written, repository, repeated, only_if_tag, .. } = pair;
        let tag_parts = tag.map(|field| self.parts(field.value, shape, false));
        let digest_parts = digest.map(|field| self.parts(field.value, shape, true));
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
        let free = Free { tag: None, digest: free.filter(|_| digest.is_none()) };
        self.emit(Reading { shape, written, repository, tag, digest, free, locked, at }, &steps);
    }

    /// Makes a site of a repository with an empty tag, if there is a place for one.
    fn blank(&mut self, pair: Pair<'_, '_>) {
        let Some(field) = pair.tag else { return };
        let Some(located) = Located::new(self.tree, self.tree.resolve(field.value)) else { return };
        let Some(slot) = located.empty() else { return };
        let locked = pair.repeated.then_some(Locked::DuplicateKey).or(located.locked());
        // Of a null that is not written, behind the colon.
        let at = located.position(&(0..0)).max(slot.start());
        let free = Free { tag: Some(slot), digest: self.free_digest(&pair) };
        let steps = field.steps.clone();
        let Pair { shape, written, repository, .. } = pair;
        self.emit(Reading { shape, written, repository, tag: None, digest: None, free, locked, at }, &steps);
    }

    /// Finds the place for a digest beside a tag.
    fn free_digest(&mut self, pair: &Pair<'_, '_>) -> Option<Result<Slot, NoDigest>> {
        let tree = self.tree;
        if let Some(digest) = pair.digest {
            let slot = Located::new(tree, tree.resolve(digest.value)).filter(|located| located.locked().is_none());
            return Some(slot.and_then(|located| located.empty()).ok_or(NoDigest::NoPlace));
        }
        let tag = pair.tag?;
        let (name, is_own) = &pair.beside;
        let place = match tag.steps.last() {
            _ if pair.shape == Shape::Parameters => Err(NoDigest::Parameters),
            _ if pair.shape == Shape::Chart => Err(NoDigest::Chart),
            Some(&Step::Entry { mapping, key }) => {
                let is_base = !is_own || self.merged.get_or_insert_with(|| merge_bases(tree)).contains(&mapping);
                let entry = Entry { mapping, key, value: tag.value };
                let place = || entry.new_behind(tree, name).map(|entry| Slot::Entry(entry.into()));
                if is_base { Err(NoDigest::Shared) } else { place().ok_or(NoDigest::NoPlace) }
            }
            _ => Err(NoDigest::NoPlace),
        };
        Some(place)
    }

    /// Says whether a value is empty or null.
    fn is_empty(&self, node: usize) -> bool {
        self.tree.any_scalar(self.tree.resolve(node)).is_none_or(|(value, style)| is_empty(value, style))
    }

    /// Reads a scalar of a shape, or the anchor of an alias, as `tag` or `tag@digest`, or as the digest that stands in it by itself.
    pub(super) fn parts(&self, node: usize, shape: Shape, is_digest: bool) -> Parts {
        let node = self.tree.resolve(node);
        let mut parts = Parts {
            is_digest,
            written: String::new(),
            tag: None,
            digest: None,
            locked: None,
            malformed: false,
            at: self.tree.span(node).start,
        };
        let value = self.tree.text_of(node).unwrap_or_default();
        // A long one that many aliases lead to would be copied for each.
        parts.malformed = value.len() > MAX_REFERENCE;
        let located = if parts.malformed { None } else { Located::new(self.tree, node) };
        let Some(located) = located else {
            parts.locked = Some(Locked::Malformed);
            return parts;
        };
        let whole = 0..value.len();
        value.clone_into(&mut parts.written);
        parts.at = located.position(&whole);
        let tag_end = if is_digest { 0 } else { value.find('@').unwrap_or(value.len()) };
        let digest_start = if is_digest { 0 } else { (tag_end + 1).min(value.len()) };
        if !is_digest {
            let (written, slot) = (&value[..tag_end], located.slot(0..tag_end));
            let (tag, slot) = match shape {
                Shape::Chart => (Tag::parse(&written.replace('+', "_")), slot.map(|slot| slot.in_form(Form::Plus))),
                _ => (Tag::parse(written), slot),
            };
            parts.tag = tag.ok().map(|value| Part { value, slot });
            parts.malformed |= parts.tag.is_none();
        }
        if is_digest || tag_end < value.len() {
            let slot = located.slot(digest_start..value.len());
            parts.digest = match Digest::parse(&value[digest_start..]) {
                Ok(digest) => Some(Part { value: digest, slot }),
                // A chart may put the algorithm in front itself; kustomize does not.
                Err(_) if is_digest && shape != Shape::Kustomize => {
                    let digest = Digest::parse(&format!("{SHA256}{value}")).ok();
                    digest.map(|digest| Part { value: digest, slot: slot.map(|slot| slot.in_form(Form::Hex)) })
                }
                Err(_) => None,
            };
            if let Some(Part { value: digest, .. }) = parts.digest.as_ref().filter(|_| is_digest) {
                parts.written = digest.to_string();
            }
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
