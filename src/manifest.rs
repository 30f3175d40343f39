//! Finding image references in YAML and other text, changing just their bytes, and proving it.
//!
//! Owns what a *site* is: a place where a reference to an image stands, found by its value first and by the
//! shape around it second. Knows text and references, nothing of files, Git or time. Hides the YAML parsers:
//! one (`granit-parser`) finds the exact bytes, and after an edit it and an independent second one
//! (`serde_yaml`) read the new text and must find nothing changed but the values that were meant.
//!
//! | part | does |
//! | --- | --- |
//! | `format` | how a file is read, by its path |
//! | `text` | files that are no YAML: Dockerfiles, Terraform, and the user's regular expressions for any file |
//! | `joined`, `variable` | values that are put together: lines that go on, variables with defaults |
//! | `watch` | the byte search that spares most files the parser |
//! | `tree` | one text as flat nodes with byte spans |
//! | `layout` | where the bytes of a scalar's value stand in the text |
//! | `layer` | a text that sites stand in: a file's, or YAML in a scalar of another text |
//! | `find` | walks the tree; one file a shape |
//! | `missed` | what looks like a reference and was not taken, for people who ask |
//! | `sources` | the objects by which charts find their registry, which most often stand in other files |
//! | `site` | what was found, with its slots: the bytes that an edit may replace |
//! | `saved` | what is kept of a site over a restart |
//! | `edit`, `quote` | the new bytes |
//! | `proof` | reads the new text with both parsers |

mod edit;
mod find;
mod format;
#[cfg(any(test, fuzzing))]
#[allow(missing_docs, clippy::panic)]
pub mod fuzz;
mod joined;
mod layer;
mod layout;
mod missed;
mod proof;
mod quote;
mod saved;
mod site;
mod sources;
mod text;
mod tree;
mod variable;
mod watch;

pub use edit::{Edit, EditError, Unproved, apply};
pub use format::{Format, Formats, Scan};
pub use missed::{Missed, Why};
pub use saved::{SCANNER, SavedSite};
pub use site::{Locked, Marker, NoDigest, Shape, Site};
pub use sources::{Source, Sources};
pub use text::{MAX_SEARCHES, MissReason, Search, SearchError};
pub use tree::{MAX_BYTES, Unreadable};
pub use watch::{Named, Watch};

/// Finds the sites of watched references in a text, in the order of their bytes, without searches of the user's
/// (see [`Formats::scan`]).
///
/// A text that the watch screens off is not parsed, so it is never unreadable.
///
/// # Errors
/// If the text may hold a watched reference and cannot be read: one broken document spoils the whole text, because
/// what stands behind the break cannot be proved unchanged after an edit.
pub fn scan(text: &[u8], format: Format, watch: &Watch) -> Result<Vec<Site>, Unreadable> {
    Formats::default().scan(text, format, watch)
}
