//! Walks a tree and finds the sites of watched references.
//!
//! A site is found by its value: the walk looks closer only where a watched name stands. One file below a shape;
//! another shape is another file, called from [`Finder::walk`].

mod arguments;
mod bare;
mod charts;
mod entry;
mod fields;
mod kustomize;
mod locate;
mod markers;
mod names;
mod near;
pub(super) mod nested;
mod scalar;
mod searched;
mod shared;
mod sources;
mod split;
mod trail;
mod variable;

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use granit_parser::ScalarStyle;
use locate::Part;
pub(super) use locate::is_empty;
pub(super) use markers::{Comment, Field, Said};
pub(super) use near::{Miss, misses};
pub(super) use scalar::{has_host, is_lone_digest, names_image};
use sources::Origins;
pub(super) use sources::declared;
use trail::{Step, Trail};

use super::layer::{Evidence, Host, Layer};
use super::layout::Layout;
use super::proof::Outline;
use super::site::{Bound, Locked, Marker, Naming, NoDigest, Scalar, Shape, Site, Slot};
use super::text::Finding;
use super::tree::{Kind, Tree, Unreadable};
use super::watch::Watch;
use crate::image::{Digest, Repository, Tag};

/// How many sites are taken from a text; people write some hundred at most.
const MAX_SITES: usize = 20_000;

/// Finds the sites of a tree, in the order of their bytes, and says whether they depend on sources of charts in other texts;
/// `searched` is what the user's searches found in its text.
pub(super) fn sites(tree: &Tree<'_>, watch: &Watch, searched: Vec<Finding>) -> Result<(Vec<Site>, bool), Unreadable> {
    let Run { mut drafts, inner, mut asks } = Finder::new(tree, watch).run()?;
    searched::add(tree, watch, searched, &mut drafts, &inner);
    if drafts.is_empty() && inner.is_empty() {
        return Ok((Vec::new(), asks));
    }
    asks |= shared::lock(tree, watch, &mut drafts)?;
    Ok((finish(tree, Findings::of(tree, drafts, inner)), asks))
}

/// How many entries are merged into other mappings in all. Without a limit, a mapping of many that is merged into many
/// others would cost their product.
const MAX_MERGES: usize = 100_000;

/// How many texts within scalars are read in a file.
const MAX_TEXTS: usize = 20_000;

/// A site on its way.
struct Draft {
    path: String,
    key: String,
    /// Where its value stands in the text.
    at: usize,
    shape: Shape,
    written: String,
    repository: Repository,
    tag: Option<Part<Tag>>,
    digest: Option<Part<Digest>>,
    free: Free,
    naming: Option<Naming>,
    marker: Option<Marker>,
    locked: Option<Locked>,
}

/// Where a tag or a digest can be written that is not there.
#[derive(Default)]
struct Free {
    /// The place of a tag that stands empty.
    tag: Option<Slot>,
    /// The place of a digest, or why there is none; nothing where it goes behind the tag.
    digest: Option<Result<Slot, NoDigest>>,
}

/// What a shape tells of a reference that it found; the rest of a [`Draft`] is the same for all shapes.
struct Reading {
    shape: Shape,
    written: String,
    repository: Repository,
    tag: Option<Part<Tag>>,
    digest: Option<Part<Digest>>,
    free: Free,
    locked: Option<Locked>,
    at: usize,
}

/// What a [`Finder`] found.
struct Run {
    drafts: Vec<Draft>,
    inner: Vec<Inner>,
    asks: bool,
}

struct Finder<'w, 't> {
    tree: &'w Tree<'t>,
    watch: &'w Watch,
    /// Where watched names end in the text; none if they may be anywhere.
    hits: Option<Vec<usize>>,
    /// Whether charts may be in it whose names are not among these.
    may_be_charts: bool,
    /// Whether scalars that are references as a whole, or hold some, are left out.
    only_pairs: bool,
    trail: Trail<'w, 't>,
    /// How many entries may still be merged.
    merges: usize,
    /// How many texts within scalars may still be read.
    texts: usize,
    /// How many sites there are in the texts around this one and within it.
    elsewhere: usize,
    /// Why the file is not read, as was found out in a text within this one.
    refused: Option<Unreadable>,
    /// The values that are repositories in a split form.
    claimed: HashSet<usize>,
    drafts: Vec<Draft>,
    /// What was found in texts within scalars.
    inner: Vec<Inner>,
    /// The mappings that others merge in; none if nobody asked yet.
    merged: Option<HashSet<usize>>,
    /// The registry of all split forms, where the file states it under a key that the watch knows.
    registry: Option<&'w str>,
    origins: Origins,
    /// Whether a chart that may be watched names a source that the text does not declare itself.
    asks: bool,
}

impl<'w, 't> Finder<'w, 't> {
    fn new(tree: &'w Tree<'t>, watch: &'w Watch) -> Self {
        let hits = watch.hits(tree.text);
        let (trail, claimed) = (Trail::new(tree), HashSet::new());
        Self {
            tree,
            watch,
            hits,
            may_be_charts: watch.may_hold_charts(tree.text.as_bytes()),
            only_pairs: false,
            trail,
            merges: MAX_MERGES,
            texts: MAX_TEXTS,
            elsewhere: 0,
            refused: None,
            claimed,
            drafts: Vec::new(),
            inner: Vec::new(),
            merged: None,
            registry: fields::stated(tree, watch.registry_keys()),
            origins: Origins::default(),
            asks: false,
        }
    }

    /// Looks through all documents and returns what is there.
    fn run(mut self) -> Result<Run, Unreadable> {
        self.look()?;
        Ok(Run { drafts: self.drafts, inner: self.inner, asks: self.asks })
    }

    /// Looks through all documents.
    fn look(&mut self) -> Result<(), Unreadable> {
        for index in 0..self.tree.documents.len() {
            self.trail.enter_document(index);
            self.walk(self.tree.documents[index].root);
        }
        if !self.only_pairs {
            self.markers();
        }
        if let Some(error) = self.refused.take() {
            return Err(error);
        }
        if self.elsewhere + self.drafts.len() > MAX_SITES {
            return Err(Unreadable::TooManySites { limit: MAX_SITES });
        }
        if self.merges == 0 { Err(Unreadable::TooManyMerges { limit: MAX_MERGES }) } else { Ok(()) }
    }

    /// Says whether some limit is reached, so that the rest need not be looked at.
    fn is_spent(&self) -> bool {
        self.elsewhere + self.drafts.len() > MAX_SITES || self.merges == 0 || self.refused.is_some()
    }

    /// Looks at a node and all below it. Nesting is bounded by the parser.
    fn walk(&mut self, node: usize) {
        if self.is_spent() || !self.may_hold(node) {
            return;
        }
        let tree = self.tree;
        match tree.kind(node) {
            Kind::Scalar { .. } if self.only_pairs => {}
            Kind::Scalar { style: ScalarStyle::Literal | ScalarStyle::Folded, .. } => self.nested(node),
            Kind::Scalar { style: ScalarStyle::DoubleQuoted | ScalarStyle::SingleQuoted, value } if value.contains('\n') => {
                self.nested(node);
            }
            Kind::Scalar { .. } => self.scalar(node),
            Kind::Mapping { .. } => self.mapping(node),
            Kind::Sequence { .. } => {
                self.parameters(node);
                for (index, item) in tree.children(node).enumerate() {
                    self.trail.push(Step::Item { index, item });
                    self.walk(item);
                    self.trail.pop();
                }
            }
            // What the anchor holds was found there.
            Kind::Alias(_) => {}
        }
    }

    fn mapping(&mut self, node: usize) {
        let tree = self.tree;
        let kustomize = self.kustomize(node);
        if !kustomize {
            self.split(node);
            self.chart(node);
        }
        for (key, value) in tree.entries(node) {
            // An entry's `name` says which images it applies to; it is not what is deployed.
            if kustomize && tree.text_of(key) == Some("name") {
                continue;
            }
            self.trail.push(Step::Entry { mapping: node, key });
            self.walk(value);
            self.trail.pop();
        }
    }

    /// Says whether a site may be in a node or below it, by the byte search alone: most of a text is not looked at.
    fn may_hold(&self, node: usize) -> bool {
        // A chart need not name all of what is searched for.
        self.may_be_charts || self.has_hit(&self.tree.reach(node)) || !self.tree.is_verbatim(node)
    }

    /// Says whether a scalar may name a watched repository, by the byte search alone.
    fn is_hit(&self, node: usize) -> bool {
        // What is written with escapes or over several lines is out of reach for the byte search.
        self.has_hit(&self.tree.span(node)) || self.tree.is_rewritten(node)
    }

    fn has_hit(&self, bytes: &Range<usize>) -> bool {
        let Some(hits) = &self.hits else { return true };
        let next = hits.partition_point(|&end| end <= bytes.start);
        hits.get(next).is_some_and(|&end| end <= bytes.end)
    }

    fn emit(&mut self, reading: Reading, below: &[Step]) {
        for &step in below {
            self.trail.push(step);
        }
        let Reading { shape, written, repository, tag, digest, free, mut locked, at } = reading;
        if self.trail.has_duplicate_key() {
            locked = Some(Locked::DuplicateKey);
        }
        let (path, key) = (self.trail.path(), self.trail.key());
        let (naming, marker) = (None, None);
        self.drafts.push(Draft { path, key, at, shape, written, repository, tag, digest, free, naming, marker, locked });
        for _ in below {
            self.trail.pop();
        }
    }
}

/// What was found in one text.
struct Findings {
    outline: Outline,
    /// Whether the text is encrypted with sops, so that nothing in it can be edited.
    sops: bool,
    drafts: Vec<Draft>,
    inner: Vec<Inner>,
}

/// What was found in a text within a scalar.
struct Inner {
    scalar: Arc<Scalar>,
    layout: Layout,
    findings: Findings,
}

impl Findings {
    /// Takes the fingerprint of a text with what was found in it.
    fn of(tree: &Tree<'_>, drafts: Vec<Draft>, inner: Vec<Inner>) -> Self {
        let edited = drafts.iter().flat_map(Draft::slots).filter_map(|slot| slot.scalar()).map(|scalar| scalar.node);
        let outline = Outline::of(tree, edited.chain(inner.iter().map(|inner| inner.scalar.node)));
        Self { outline, sops: is_sops(tree), drafts, inner }
    }

    /// Makes sites of all drafts. Of the text around, `outer` tells where in the file a part of it is, if it stands there in one
    /// piece, and `start` where this text starts there.
    fn sites(self, host: Option<Host>, outer: Outer<'_>, start: usize, sites: &mut Vec<(usize, Site)>) {
        let layer = Arc::new(Layer { evidence: Evidence::Yaml(self.outline), host });
        let place = |part: &Range<usize>| match &layer.host {
            Some(host) => outer(&host.layout.in_text(part)?),
            None => outer(part),
        };
        for mut draft in self.drafts {
            let at = place(&(draft.at..draft.at)).map_or(start, |place| place.start);
            if self.sops {
                draft.locked = Some(Locked::Sops);
            } else if draft.slots().any(|slot| slot.scalar().is_some() && place(&slot.in_text()).is_none()) {
                draft.locked.get_or_insert(Locked::NotVerbatim);
            }
            sites.push((at, draft.site(&layer)));
        }
        for Inner { scalar, layout, mut findings } in self.inner {
            let start = place(&(scalar.span.start..scalar.span.start)).map_or(start, |place| place.start);
            findings.sops |= self.sops;
            findings.sites(Some(Host { layer: Arc::clone(&layer), scalar, layout }), &place, start, sites);
        }
    }
}

/// Tells where in the file a part of a text is.
type Outer<'o> = &'o dyn Fn(&Range<usize>) -> Option<Range<usize>>;

impl Draft {
    /// Visits all places that an edit may write to.
    fn slots(&self) -> impl Iterator<Item = &Slot> {
        let tag = self.tag.as_ref().and_then(|part| part.slot.as_ref()).or(self.free.tag.as_ref());
        let free = self.free.digest.as_ref().and_then(|free| free.as_ref().ok());
        let digest = self.digest.as_ref().and_then(|part| part.slot.as_ref()).or(free);
        tag.into_iter().chain(digest).chain(self.naming.as_ref().map(|naming| &naming.slot))
    }

    /// Makes a site that has no line yet.
    fn site(self, layer: &Arc<Layer>) -> Site {
        let (tag, tag_slot) = self.tag.map(|part| (part.value, part.slot)).unzip();
        let (digest, digest_slot) = self.digest.map(|part| (part.value, part.slot)).unzip();
        let (free_digest, no_digest) = match self.free.digest {
            Some(Ok(slot)) => (Some(slot), None),
            Some(Err(why)) => (None, Some(why)),
            None => (None, None),
        };
        let blank = self.free.tag.is_some();
        Site {
            path: self.path.into(),
            key: self.key.into(),
            line: 0,
            column: 0,
            shape: self.shape,
            written: self.written.into(),
            repository: self.repository,
            tag,
            digest,
            blank,
            marker: self.marker,
            locked: self.locked,
            no_digest,
            bound: Some(Box::new(Bound {
                tag: tag_slot.flatten().or(self.free.tag),
                digest: digest_slot.flatten().or(free_digest),
                naming: self.naming,
                layer: Arc::clone(layer),
            })),
        }
    }
}

/// Makes the sites of a file.
fn finish(tree: &Tree<'_>, findings: Findings) -> Vec<Site> {
    let mut placed = Vec::new();
    findings.sites(None, &|part| Some(part.clone()), 0, &mut placed);
    in_order(tree.text, placed)
}

/// Orders a file's sites by their places, counts their lines and makes their keys unique.
pub(super) fn in_order(text: &str, mut placed: Vec<(usize, Site)>) -> Vec<Site> {
    placed.sort_by_key(|(at, _)| *at);
    let mut cursor = Cursor::new(text);
    let mut seen: HashMap<Arc<str>, usize> = HashMap::new();
    let finish = |(at, mut site): (usize, Site)| {
        (site.line, site.column) = cursor.advance(at);
        site.key = unique(site.key, &mut seen);
        site
    };
    placed.into_iter().map(finish).collect()
}

/// Tells equal keys apart by a number, in the order of the text.
fn unique(key: Arc<str>, seen: &mut HashMap<Arc<str>, usize>) -> Arc<str> {
    match seen.get_mut(&key) {
        None => {
            seen.insert(Arc::clone(&key), 1);
            key
        }
        Some(count) => {
            *count += 1;
            format!("{key}#{count}").into()
        }
    }
}

/// Says whether a document carries the checksum of sops at its top.
fn is_sops(tree: &Tree<'_>) -> bool {
    tree.documents.iter().any(|document| {
        tree.is_mapping(document.root)
            && tree.entries(document.root).any(|(key, value)| tree.text_of(key) == Some("sops") && tree.is_mapping(tree.resolve(value)))
    })
}

/// Counts lines and columns on the way through a text, so that all positions together cost one pass.
pub(super) struct Cursor<'t> {
    text: &'t str,
    at: usize,
    line: usize,
    column: usize,
}

impl<'t> Cursor<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Self { text, at, line: 1, column: 1 }
    }

    /// Moves on to an offset behind the last one; lines end as YAML has it, with LF, CR LF or CR.
    pub(super) fn advance(&mut self, to: usize) -> (usize, usize) {
        let bytes = self.text.as_bytes();
        while self.at < to.min(bytes.len()) {
            match bytes[self.at] {
                b'\n' => (self.line, self.column) = (self.line + 1, 1),
                b'\r' if bytes.get(self.at + 1) != Some(&b'\n') => (self.line, self.column) = (self.line + 1, 1),
                // The bytes of a character behind its first are no columns of their own.
                byte if byte & 0xc0 == 0x80 => {}
                _ => self.column += 1,
            }
            self.at += 1;
        }
        (self.line, self.column)
    }
}
