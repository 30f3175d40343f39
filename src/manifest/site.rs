//! What was found: a reference, where it stands, and the bytes that an edit may replace.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use granit_parser::ScalarStyle;
use serde::{Deserialize, Serialize, Serializer};

use super::layer::Layer;
use crate::image::{Digest, Repository, Tag};

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
    pub path: String,
    /// Like `path`, but holds still when lists are reordered: items that have a name are told by it
    /// (`spec.template.spec.containers[name=api].image`) and documents by kind and name where there are several.
    /// Unique in its file; holds no white space.
    pub key: String,
    /// The line of the value, from 1.
    pub line: usize,
    /// The column of the value in characters, from 1, behind an opening quote. In split forms the value is the tag, or else the digest.
    pub column: usize,
    /// How it stands there.
    pub shape: Shape,
    /// The reference as written (split forms: joined).
    pub written: String,
    /// The repository in canonical form.
    pub repository: Repository,
    /// The tag, if there is one. A site with neither tag nor digest is there to be seen; it has nothing to edit.
    pub tag: Option<Tag>,
    /// The digest, if there is one.
    pub digest: Option<Digest>,
    /// What its markers say, if they name a policy that is bound to a rule.
    pub marker: Option<Marker>,
    /// Why it cannot be edited, if so.
    pub locked: Option<Locked>,
    /// Where the bytes are; none if the site was kept over a restart, and the text is to be scanned again before an edit.
    pub(super) bound: Option<Bound>,
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
    /// Through an anchor or a merge, another reference has the same tag or digest, and would move along.
    #[error("an anchor shares its tag or digest with {with}, which would move along")]
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

/// The bytes of a tag or a digest within a scalar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) scalar: Arc<Scalar>,
    /// Where the bytes stand in the scalar's value.
    pub(super) in_value: Range<usize>,
    /// Where they stand in the text.
    pub(super) in_text: Range<usize>,
}

/// The scalar that a slot lies in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scalar {
    /// Its index among the nodes of the tree.
    pub(super) node: usize,
    /// Its bytes in the text, with quotes.
    pub(super) span: Range<usize>,
    pub(super) value: String,
    pub(super) style: ScalarStyle,
}
