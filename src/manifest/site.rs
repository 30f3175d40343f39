//! What was found: a reference, where it stands, and the bytes that an edit may replace.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use granit_parser::ScalarStyle;
use serde::{Deserialize, Serialize, Serializer};

use super::layer::Layer;
use crate::image::{Digest, Pool, Repository, Tag};

/// How a reference stands in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Shape {
    /// A scalar that as a whole is a reference.
    Scalar,
    /// A reference behind `=` in a scalar.
    Argument,
    /// A mapping with `repository` and `tag`.
    Split,
    /// A kustomize `images:` entry.
    Kustomize,
    /// A pair of Helm parameters such as `image.repository` and `image.tag`.
    Parameters,
    /// A chart's repository and version.
    Chart,
    /// Another artifact's `oci://` URL and tag.
    Artifact,
    /// A scalar whose reference stands in defaults of variables: `${IMAGE:-ghcr.io/acme/api:1.4}`.
    Variable,
    /// A line of a Dockerfile.
    Dockerfile,
    /// A string of Terraform or other HCL.
    Terraform,
    /// A match of a regular expression of the user's.
    Regex,
    /// A value that only a marker makes a site.
    Marker,
}

/// What Flux's markers (`# {"$imagepolicy": "namespace:name"}`) say of a site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Marker {
    /// The policy: `namespace:name`. The site's repository is the one that this policy is about.
    pub policy: Arc<str>,
    /// Whether the marker is for a whole reference, and not only for parts of it that are named behind the policy (`:tag`).
    pub whole: bool,
    /// Whether a digest may be written where none stands: at a whole reference, and where a marker is for a digest.
    pub digest: bool,
    /// Whether another repository stands there, whose name an edit replaces.
    pub misnamed: bool,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scalar => "scalar",
            Self::Argument => "argument",
            Self::Split => "split",
            Self::Kustomize => "kustomize",
            Self::Parameters => "parameters",
            Self::Chart => "chart",
            Self::Artifact => "artifact",
            Self::Variable => "variable",
            Self::Dockerfile => "dockerfile",
            Self::Terraform => "terraform",
            Self::Regex => "regex",
            Self::Marker => "marker",
        })
    }
}

/// A place in a file where a reference stands.
///
/// Only [`scan`](super::scan) makes sites. They know the text they were found in, by a fingerprint, and fit no other.
#[derive(Clone, Debug)]
pub struct Site {
    /// Where it stands in the document tree: `spec.template.spec.containers[0].image`; with `document[1].` before it in further documents.
    pub path: Arc<str>,
    /// Like `path`, but holds still when lists are reordered: items that have a name are told by it
    /// (`spec.template.spec.containers[name=api].image`) and documents by kind and name where there are several.
    /// Unique in its file; holds no white space.
    pub key: Arc<str>,
    /// The line of the value, from 1.
    pub line: usize,
    /// The column of the value in characters, from 1, behind an opening quote. In split forms the value is the tag, or else the digest.
    pub column: usize,
    /// How it stands there.
    pub shape: Shape,
    /// The reference as written (split forms: joined).
    pub written: Arc<str>,
    /// The repository in canonical form.
    pub repository: Repository,
    /// The tag, if there is one. A site with neither tag nor digest is there to be seen; it has nothing to edit.
    pub tag: Option<Tag>,
    /// The digest, if there is one.
    pub digest: Option<Digest>,
    /// What its markers say, if they name a policy that is bound to a rule.
    pub marker: Option<Marker>,
    /// Whether a tag's place stands empty (`tag: ""`), to be filled by a policy with `fill` only.
    pub blank: bool,
    /// Why it cannot be edited, if so.
    pub locked: Option<Locked>,
    /// Why no digest can be written here, where there is none yet, if so.
    pub no_digest: Option<NoDigest>,
    /// Where the bytes are; none if the site was kept over a restart, and the text is to be scanned again before an edit.
    pub(super) bound: Option<Box<Bound>>,
}

impl Site {
    /// Holds its texts in common with other sites.
    pub fn share(&mut self, pool: &mut Pool) {
        [&mut self.path, &mut self.key, &mut self.written].into_iter().for_each(|text| pool.share(text));
        self.repository.share(pool);
        self.tag.iter_mut().for_each(|tag| tag.share(pool));
        self.digest.iter_mut().for_each(|digest| digest.share(pool));
    }

    /// Says whether its tag or digest stands in a scalar without quotes.
    pub(super) fn is_bare(&self) -> bool {
        let slots = self.bound.iter().flat_map(|bound| bound.tag.iter().chain(&bound.digest));
        slots.filter_map(Slot::scalar).any(|scalar| scalar.style == ScalarStyle::Plain)
    }
}

impl Serialize for Site {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut fields = serializer.serialize_struct("Site", 11)?;
        fields.serialize_field("path", &self.path)?;
        fields.serialize_field("key", &self.key)?;
        fields.serialize_field("line", &self.line)?;
        fields.serialize_field("column", &self.column)?;
        fields.serialize_field("shape", &self.shape)?;
        fields.serialize_field("reference", &self.written)?;
        fields.serialize_field("repository", &self.repository.to_string())?;
        fields.serialize_field("tag", &self.tag.as_ref().map(Tag::as_str))?;
        fields.serialize_field("digest", &self.digest.as_ref().map(Digest::as_str))?;
        fields.serialize_field("marker", &self.marker.as_ref().map(|marker| &marker.policy))?;
        fields.serialize_field("locked", &self.locked.as_ref().map(ToString::to_string))?;
        fields.end()
    }
}

/// Why a site cannot be edited. Reads on from "1.4.2 is due, but …".
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Locked {
    /// The file carries a checksum over its values.
    #[error("the file is encrypted with sops, whose checksum an edit would break")]
    Sops,
    /// A key on the way to the value is given twice in its mapping.
    #[error("a key on its path is given twice, and readers differ on which one counts")]
    DuplicateKey,
    /// Its bytes are not its value: it is broken over lines or written with escapes.
    #[error("it is written with escapes or broken over lines")]
    NotVerbatim,
    /// What stands for the tag or digest is none: a template, a variable, a digest in the tag's place.
    #[error("what stands for its tag or digest is none")]
    Malformed,
    /// An explicit YAML tag such as `!!float` makes it something else than a string.
    #[error("a YAML tag such as `!!float` makes it no string")]
    Typed,
    /// Its tag or digest is put together from variables, or stands in one that serves for something else, too.
    #[error("its tag or digest is put together from variables, or stands in one that is also used otherwise")]
    Assembled,
    /// Through an anchor, a merge or a variable, another reference has the same tag or digest, and would move along.
    #[error("it shares its tag or digest with {with}, which would move along")]
    Shared {
        /// The repository of the other reference; one of them, if there are several.
        #[serde(with = "super::saved::text")]
        with: Repository,
    },
    /// Several values, or none, may be what a marker is for.
    #[error("it is not clear which value its marker is for; put the marker behind the value, with no other value on the line")]
    Unclear,
    /// Markers of several policies, or for several parts, stand at one value.
    #[error("its markers contradict each other")]
    Contested,
    /// The value is something else than its marker is for.
    #[error("what stands there is not what its marker is for")]
    Mismarked,
}

/// What ties a site to the text that it was found in.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    pub(super) tag: Option<Slot>,
    pub(super) digest: Option<Slot>,
    /// A name to write, as a marker wants it.
    pub(super) naming: Option<Naming>,
    /// The text that the slots are in.
    pub(super) layer: Arc<Layer>,
}

/// A place that gets the name of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Naming {
    pub(super) slot: Slot,
    pub(super) name: String,
    /// Whether the slot gets the tag, and the digest if there is one, behind the name.
    pub(super) whole: bool,
}

/// Why no digest can be written at a site that has none. Reads on from "its digest is to be written along, and …".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum NoDigest {
    /// Which parameter takes a digest is known to the chart alone.
    #[error("only the chart knows a parameter for it; add one for the digest beside the tag's, which is then kept in step")]
    Parameters,
    /// A chart is named by its version.
    #[error("a chart is named by its version alone")]
    Chart,
    /// Another reference would have it too, and its image is another one.
    #[error("its place is shared through an anchor or a merge, and others would get the digest too")]
    Shared,
    /// The expression that found the tag would not find it again with a digest behind it.
    #[error("the regular expression has no group `digest` for it")]
    NoGroup,
    /// The text around is written so that no entry can be added.
    #[error("there is no place for it; add a `digest` beside the tag, which is then kept in step")]
    NoPlace,
}

/// Where a tag or a digest is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// The bytes of a part of a scalar's value.
    Part {
        scalar: Arc<Scalar>,
        /// Where the bytes stand in the scalar's value.
        in_value: Range<usize>,
        /// Where they stand in the text.
        in_text: Range<usize>,
        form: Form,
    },
    /// A scalar without a value: null, written or not, or an empty string. A value is written in its place.
    Empty { scalar: Arc<Scalar>, form: Form },
    /// An entry that its mapping does not have yet.
    Entry(Arc<NewEntry>),
}

/// How a tag or a digest is spelt in a slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Form {
    /// As it is.
    #[default]
    Plain,
    /// A chart's version: with `+` where the tag has `_`.
    Plus,
    /// A digest by its digits alone, without `sha256:`.
    Hex,
}

/// The scalar that a slot lies in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scalar {
    /// Its index among the nodes of the tree.
    pub(super) node: usize,
    /// Its bytes in the text, with quotes; of a null that is not written, the place behind what stands before it.
    pub(super) span: Range<usize>,
    pub(super) value: String,
    pub(super) style: ScalarStyle,
}

/// A place for a new entry of a mapping, behind one that it has.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NewEntry {
    /// The mapping's index among the nodes of the tree.
    pub(super) mapping: usize,
    /// The index behind the entry that the new one follows.
    pub(super) node: usize,
    /// The bytes of the text in whose place it is written; most often none.
    pub(super) span: Range<usize>,
    /// What is written there before the value, the key included.
    pub(super) lead: String,
    /// What is written there behind the value.
    pub(super) tail: String,
    pub(super) key: String,
    /// How the key is written; a value that is no plain scalar is written alike.
    pub(super) style: ScalarStyle,
}

impl Slot {
    /// Returns the scalar that the slot lies in; none if there is none yet.
    pub(super) fn scalar(&self) -> Option<&Arc<Scalar>> {
        match self {
            Self::Part { scalar, .. } | Self::Empty { scalar, .. } => Some(scalar),
            Self::Entry(_) => None,
        }
    }

    /// Returns the bytes of the text that an edit replaces.
    pub(super) fn in_text(&self) -> Range<usize> {
        match self {
            Self::Part { in_text, .. } => in_text.clone(),
            Self::Empty { scalar, .. } => scalar.span.clone(),
            Self::Entry(entry) => entry.span.clone(),
        }
    }

    /// Returns where it starts in the text.
    pub(super) fn start(&self) -> usize {
        self.in_text().start
    }

    /// Returns the slot with another form; a new entry is written as it is.
    pub(super) fn in_form(mut self, new: Form) -> Self {
        match &mut self {
            Self::Part { form, .. } | Self::Empty { form, .. } => *form = new,
            Self::Entry(_) => {}
        }
        self
    }

    /// Spells a tag as it stands in the slot.
    pub(super) fn tag(&self, tag: &Tag) -> String {
        match self {
            Self::Part { form: Form::Plus, .. } | Self::Empty { form: Form::Plus, .. } => tag.as_str().replace('_', "+"),
            _ => tag.to_string(),
        }
    }

    /// Spells a digest as it stands in the slot; none if the slot's form cannot hold it.
    pub(super) fn digest(&self, digest: &Digest) -> Option<String> {
        match self {
            Self::Part { form: Form::Hex, .. } | Self::Empty { form: Form::Hex, .. } => {
                digest.as_str().strip_prefix(SHA256).map(str::to_owned)
            }
            _ => Some(digest.to_string()),
        }
    }
}

/// What a digest in [`Form::Hex`] goes without.
pub(super) const SHA256: &str = "sha256:";
