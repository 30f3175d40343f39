//! Shape 7: values that Flux's markers stand at, `# {"$imagepolicy": "namespace:name[:tag|:name|:digest]"}`.
//!
//! A marker of a policy that is bound to a rule makes a site of the value behind which, or above which, it stands: the whole reference,
//! or a tag, a name and a digest, which are one site where they stand in one mapping. A site that was found by its value is told which
//! marker stands at it. Where a marker stands at the name of another repository, the edit writes the one of its policy, as Flux does;
//! what it may stand at besides is never guessed: the site is locked then.

mod comment;
mod target;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::super::site::{Locked, Marker, Naming, Shape, Slot};
use super::super::watch::Named;
use super::locate::{Located, Part};
use super::names::Name;
use super::{Draft, Finder, Free, MAX_SITES};
use crate::image::{Reference, Repository};
pub(in super::super) use comment::{Comment, Field, Said};
use target::Places;

/// A marker at a value.
#[derive(Clone)]
struct Mark {
    policy: Arc<str>,
    field: Field,
    /// Whether it stands behind the value, where it counts for more than one above.
    behind: bool,
}

/// The values that make one site.
#[derive(Default)]
struct Parts {
    tag: Option<usize>,
    digest: Option<usize>,
    name: Option<usize>,
}

/// Finds the drafts that stand at a value.
struct Known {
    by_node: HashMap<usize, Vec<usize>>,
    by_path: HashMap<String, Vec<usize>>,
    /// Those that others take the place of.
    dropped: HashSet<usize>,
}

impl Finder<'_, '_> {
    /// Finds the values that bound markers stand at.
    pub(super) fn markers(&mut self) {
        if !self.watch.may_hold_markers(self.tree.text.as_bytes()) {
            return;
        }
        let (tree, watch) = (self.tree, self.watch);
        let places = Places::of(tree);
        let (mut marks, mut contested): (BTreeMap<usize, Mark>, BTreeMap<usize, Mark>) = (BTreeMap::new(), BTreeMap::new());
        let mut drafts = Vec::new();
        for found in places.comments() {
            let Some(values) = places.values(&found) else { continue };
            for said in &found.comment.said {
                let Some((policy, named)) = watch.policy(said.policy) else { continue };
                let Some(node) = places.choose(&values, said.field, named) else {
                    drafts.push(unclear(policy, named, found.at));
                    continue;
                };
                let mark = Mark { policy: Arc::clone(policy), field: said.field, behind: values.behind };
                match marks.get(&node) {
                    Some(other) if other.policy == mark.policy && other.field == mark.field || other.behind && !mark.behind => {}
                    Some(other) if other.behind == mark.behind => {
                        contested.insert(node, mark);
                    }
                    _ => {
                        marks.insert(node, mark);
                    }
                }
            }
            if marks.len() + drafts.len() > MAX_SITES {
                break;
            }
        }
        if !marks.is_empty() {
            self.mark(&places, &marks, &contested, &mut drafts);
        }
        self.drafts.append(&mut drafts);
    }

    /// Makes sites of marked values, or tells those that are sites already.
    fn mark(&mut self, places: &Places<'_, '_>, marks: &BTreeMap<usize, Mark>, contested: &BTreeMap<usize, Mark>, drafts: &mut Vec<Draft>) {
        let mut known = Known::of(&self.drafts);
        let mut groups: BTreeMap<(usize, &Arc<str>), Vec<Parts>> = BTreeMap::new();
        for (&node, mark) in marks {
            let Some((_, named)) = self.watch.policy(&mark.policy) else { continue };
            if contested.contains_key(&node) {
                drafts.extend(self.locked(places, node, mark, named, Locked::Contested));
                known.drop_at(self, places, node);
                continue;
            }
            if mark.field == Field::Whole {
                drafts.extend(self.whole(places, node, mark, named, &mut known));
                continue;
            }
            let parts = groups.entry((places.group(node), &mark.policy)).or_default();
            let open = parts.iter().position(|parts| parts.get(mark.field).is_none()).unwrap_or_else(|| {
                parts.push(Parts::default());
                parts.len() - 1
            });
            parts[open].set(mark.field, node);
        }
        for ((_, policy), parts) in groups {
            let Some((_, named)) = self.watch.policy(policy) else { continue };
            for parts in parts {
                drafts.extend(self.parted(places, &parts, policy, named, &mut known));
            }
        }
        let mut index = 0;
        self.drafts.retain(|_| {
            index += 1;
            !known.dropped.contains(&(index - 1))
        });
    }

    /// Makes a site of a marked reference, unless it is one already.
    fn whole(&mut self, places: &Places<'_, '_>, node: usize, mark: &Mark, named: &Named, known: &mut Known) -> Option<Draft> {
        let marker = |misnamed| Marker { policy: Arc::clone(&mark.policy), whole: true, digest: true, misnamed };
        let here = known.at(self, places, node);
        let fits = |draft: &Draft| draft.repository == named.repository && draft.tag.is_some() && is_whole(draft.shape);
        let fitting: Vec<usize> = here.iter().copied().filter(|&index| fits(&self.drafts[index])).collect();
        if !fitting.is_empty() {
            for index in fitting {
                self.drafts[index].marker = Some(marker(false));
            }
            return None;
        }
        known.dropped.extend(here);
        // A tag that is to become a whole reference is most likely a marker without its `:tag`.
        let is_part = places.key(node).is_some_and(|key| Name::parse(key).is_some());
        let target = self.tree.resolve(node);
        let value = self.tree.text_of(target).unwrap_or_default();
        let located = Located::new(self.tree, target);
        if let Some(slot) = located.as_ref().and_then(Located::empty).filter(|_| !is_part) {
            let draft = self.locked(places, node, mark, named, Locked::Mismarked)?;
            let naming = Some(Naming { slot, name: named.written.clone(), whole: true });
            let locked = located.and_then(|located| located.locked());
            return Some(Draft { naming, locked, ..draft });
        }
        let reference = Reference::parse_spans(value).ok().filter(|_| !is_part);
        let (Some((reference, spans)), Some(located)) = (reference, located) else {
            return self.locked(places, node, mark, named, Locked::Mismarked);
        };
        let misnamed = *reference.repository() != named.repository;
        let end = [&spans.tag, &spans.digest].into_iter().flatten().map(|span| span.start - 1).min().unwrap_or(value.len());
        let name = if misnamed { &*named.written } else { &value[..end] };
        let slot = located.slot(0..value.len());
        let lost = slot.is_none().then_some(Locked::NotVerbatim);
        let (path, key, doubled) = self.path_of(places, node)?;
        Some(Draft {
            path,
            key,
            at: located.position(&(0..value.len())),
            shape: Shape::Marker,
            written: value.to_owned(),
            repository: named.repository.clone(),
            tag: reference.tag().map(|tag| Part { value: tag.clone(), slot: None }),
            digest: reference.digest().map(|digest| Part { value: digest.clone(), slot: None }),
            free: Free::default(),
            naming: slot.map(|slot| Naming { slot, name: name.to_owned(), whole: true }),
            marker: Some(marker(misnamed)),
            locked: doubled.then_some(Locked::DuplicateKey).or(located.locked()).or(lost),
        })
    }

    /// Makes a site of the marked parts of a reference, unless they are one already.
    fn parted(&mut self, places: &Places<'_, '_>, parts: &Parts, policy: &Arc<str>, named: &Named, known: &mut Known) -> Option<Draft> {
        let marker = |misnamed| Some(Marker { policy: Arc::clone(policy), whole: false, digest: parts.digest.is_some(), misnamed });
        let nodes = [parts.tag, parts.digest];
        let here: Vec<usize> = nodes.into_iter().flatten().flat_map(|node| known.at(self, places, node)).collect();
        let (fitting, others): (Vec<usize>, Vec<usize>) =
            here.into_iter().partition(|&index| self.drafts[index].repository == named.repository);
        let free =
            Free { tag: parts.tag.and_then(|node| self.place(node)), digest: parts.digest.and_then(|node| self.place(node)).map(Ok) };
        let mut digest = parts.digest.filter(|_| free.digest.is_none()).map(|node| self.parts(node, Shape::Marker, true));
        if let Some(&first) = fitting.first() {
            for index in fitting {
                self.drafts[index].marker = marker(false);
            }
            let draft = &mut self.drafts[first];
            // Under a name of its own, it was not seen beside the tag.
            if let Some(digest) = digest.take().filter(|_| draft.digest.is_none()) {
                draft.written = format!("{}@{}", draft.written, digest.written);
                draft.locked = draft.locked.take().or(digest.locked);
                draft.digest = digest.digest;
            }
            return None;
        }
        known.dropped.extend(others);
        let tag = parts.tag.filter(|_| free.tag.is_none()).map(|node| self.parts(node, Shape::Marker, false));
        let name = parts.name.map(|node| self.naming(node, named));
        let (naming, misnamed, name_locked) = match name {
            None => (None, false, None),
            Some(Ok(naming)) => (naming.clone(), naming.is_some(), None),
            Some(Err(locked)) => (None, false, Some(locked)),
        };
        let node = parts.tag.or(parts.digest).or(parts.name)?;
        let (path, key, doubled) = self.path_of(places, node)?;
        let mut locked = doubled.then_some(Locked::DuplicateKey).or(name_locked);
        let at = tag.as_ref().or(digest.as_ref()).map_or(self.tree.span(self.tree.resolve(node)).start, |parts| parts.at);
        let mut written = parts.name.and_then(|node| self.tree.text_of(node)).unwrap_or_default().to_owned();
        let (mut tag_part, mut digest_part) = (None, None);
        for parts in [tag, digest].into_iter().flatten() {
            let joint = if parts.is_digest { "@" } else { ":" };
            written = if written.is_empty() { parts.written } else { written + joint + &parts.written };
            let twice = digest_part.is_some() && parts.digest.is_some();
            locked = locked.or(parts.locked).or(twice.then_some(Locked::Malformed));
            tag_part = tag_part.or(parts.tag);
            digest_part = digest_part.or(parts.digest);
        }
        let repository = named.repository.clone();
        let (tag, digest, shape, marker) = (tag_part, digest_part, Shape::Marker, marker(misnamed));
        Some(Draft { path, key, at, shape, written, repository, tag, digest, free, naming, marker, locked })
    }

    /// Returns the place of a value that is none yet.
    fn place(&self, node: usize) -> Option<Slot> {
        Located::new(self.tree, self.tree.resolve(node)).filter(|located| located.locked().is_none())?.empty()
    }

    /// Reads a value that holds a repository's name; none if it is the one that is wanted.
    fn naming(&self, node: usize, named: &Named) -> Result<Option<Naming>, Locked> {
        let node = self.tree.resolve(node);
        let located = Located::new(self.tree, node).ok_or(Locked::NotVerbatim)?;
        let value = self.tree.text_of(node).unwrap_or_default();
        let repository = Repository::parse(value).map_err(|_| Locked::Mismarked)?;
        if repository == named.repository {
            return Ok(None);
        }
        if let Some(locked) = located.locked() {
            return Err(locked);
        }
        let slot = located.slot(0..value.len()).ok_or(Locked::NotVerbatim)?;
        Ok(Some(Naming { slot, name: named.written.clone(), whole: false }))
    }

    /// Makes a site that is only to be seen.
    fn locked(&mut self, places: &Places<'_, '_>, node: usize, mark: &Mark, named: &Named, why: Locked) -> Option<Draft> {
        let (path, key, _) = self.path_of(places, node)?;
        let value = self.tree.resolve(node);
        Some(Draft {
            path,
            key,
            at: self.tree.span(value).start,
            written: self.tree.text_of(value).unwrap_or_default().to_owned(),
            ..bare(&mark.policy, named, why)
        })
    }

    /// Returns path and key of a node, and whether a key on the way is given twice.
    fn path_of(&mut self, places: &Places<'_, '_>, node: usize) -> Option<(String, String, bool)> {
        let (document, steps) = places.way(node)?;
        self.trail.enter_document(document);
        steps.into_iter().for_each(|step| self.trail.push(step));
        let found = (self.trail.path(), self.trail.key(), self.trail.has_duplicate_key());
        self.trail.enter_document(document);
        Some(found)
    }
}

impl Parts {
    fn get(&self, field: Field) -> Option<usize> {
        match field {
            Field::Tag | Field::Whole => self.tag,
            Field::Digest => self.digest,
            Field::Name => self.name,
        }
    }

    fn set(&mut self, field: Field, node: usize) {
        *match field {
            Field::Tag | Field::Whole => &mut self.tag,
            Field::Digest => &mut self.digest,
            Field::Name => &mut self.name,
        } = Some(node);
    }
}

impl Known {
    fn of(drafts: &[Draft]) -> Self {
        let (mut by_node, mut by_path): (HashMap<usize, Vec<usize>>, HashMap<String, Vec<usize>>) = (HashMap::new(), HashMap::new());
        for (index, draft) in drafts.iter().enumerate() {
            for slot in draft.slots() {
                if let Some(scalar) = slot.scalar() {
                    by_node.entry(scalar.node).or_default().push(index);
                }
            }
            by_path.entry(draft.path.clone()).or_default().push(index);
        }
        Self { by_node, by_path, dropped: HashSet::new() }
    }

    /// Returns the drafts at a value, or at the anchor that it names.
    fn at(&self, finder: &mut Finder<'_, '_>, places: &Places<'_, '_>, node: usize) -> Vec<usize> {
        let mut found = self.by_node.get(&finder.tree.resolve(node)).cloned().unwrap_or_default();
        // Those whose bytes are out of reach have no slot to go by.
        if let Some((path, ..)) = finder.path_of(places, node) {
            found.extend(self.by_path.get(&path).into_iter().flatten());
        }
        found.sort_unstable();
        found.dedup();
        found.retain(|index| !self.dropped.contains(index));
        found
    }

    fn drop_at(&mut self, finder: &mut Finder<'_, '_>, places: &Places<'_, '_>, node: usize) {
        let here = self.at(finder, places, node);
        self.dropped.extend(here);
    }
}

/// Says whether a reference stands in one scalar.
fn is_whole(shape: Shape) -> bool {
    matches!(shape, Shape::Scalar | Shape::Argument)
}

/// Makes a site of a marker whose value is not known.
fn unclear(policy: &Arc<str>, named: &Named, at: usize) -> Draft {
    let path = format!("marker({policy})");
    Draft { key: path.clone(), path, at, ..bare(policy, named, Locked::Unclear) }
}

fn bare(policy: &Arc<str>, named: &Named, why: Locked) -> Draft {
    Draft {
        path: String::new(),
        key: String::new(),
        at: 0,
        shape: Shape::Marker,
        written: String::new(),
        repository: named.repository.clone(),
        tag: None,
        digest: None,
        free: Free::default(),
        naming: None,
        marker: Some(Marker { policy: Arc::clone(policy), whole: true, digest: true, misnamed: false }),
        locked: Some(why),
    }
}
