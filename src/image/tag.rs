//! Tags, alone and in lists.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use super::{ParseError, Pool};

/// The longest tag that the distribution specification allows, in bytes.
const MAX_TAG: usize = 128;

/// Checks `text` against the tag grammar `[A-Za-z0-9_][A-Za-z0-9._-]{0,127}` (OCI distribution-spec, "Pulling manifests").
fn check(text: &str) -> Result<(), ParseError> {
    let fail = |reason| Err(ParseError::new(text, "a tag", reason));
    let bytes = text.as_bytes();
    match bytes.first() {
        None => return fail("it is empty"),
        Some(b'.' | b'-') => return fail("it starts with `.` or `-`"),
        Some(_) => {}
    }
    if bytes.len() > MAX_TAG {
        return fail("it is longer than 128 characters");
    }
    if !bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-')) {
        return fail("only letters, digits, `_`, `.` and `-` may stand in it");
    }
    Ok(())
}

/// A tag that satisfies the grammar, owned.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(Arc<str>);

impl Tag {
    /// Reads a tag.
    ///
    /// # Errors
    /// If `text` does not match `[A-Za-z0-9_][A-Za-z0-9._-]{0,127}`.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        check(text).map(|()| Self(text.into()))
    }

    /// Returns the tag as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Holds its text in common with others.
    pub fn share(&mut self, pool: &mut Pool) {
        pool.share(&mut self.0);
    }

    /// Borrows the tag.
    #[must_use]
    pub fn as_tag_ref(&self) -> TagRef<'_> {
        TagRef(&self.0)
    }
}

impl Borrow<str> for Tag {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tag({})", self.0)
    }
}

/// A tag that satisfies the grammar, borrowed from a [`Tag`] or a [`TagList`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct TagRef<'a>(&'a str);

impl<'a> TagRef<'a> {
    /// Reads a tag without copying it.
    ///
    /// # Errors
    /// If `text` does not match the tag grammar.
    pub fn parse(text: &'a str) -> Result<Self, ParseError> {
        check(text).map(|()| Self(text))
    }

    /// Returns the tag as text.
    #[must_use]
    pub fn as_str(self) -> &'a str {
        self.0
    }

    /// Says whether a tool made this tag to hang something on an image: cosign's signatures, attestations and SBOMs
    /// (`sha256-….sig`, `.att`, `.sbom`), and the referrers of registries that have no API for them
    /// (OCI distribution-spec, "Referrers Tag Schema": `sha256-…`). It is never the version of anything.
    #[must_use]
    pub fn is_generated(self) -> bool {
        let hex = self.0.strip_prefix("sha256-").or_else(|| self.0.strip_prefix("sha512-"));
        hex.and_then(|hex| hex.split_at_checked(64)).is_some_and(|(hex, kind)| {
            hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) && (kind.is_empty() || kind.starts_with('.'))
        })
    }

    /// Copies the tag.
    #[must_use]
    pub fn to_tag(self) -> Tag {
        Tag(self.0.into())
    }
}

impl fmt::Display for TagRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// All tags of a repository: in byte order, each once, in two allocations however many there are.
///
/// Registries list in any order (by name, by age, by none), so the order of a listing carries no meaning and is not kept.
#[derive(Clone, PartialEq, Eq)]
pub struct TagList {
    text: Arc<str>,
    /// Where each tag ends in `text`.
    ends: Arc<[u32]>,
}

impl TagList {
    /// Returns the number of tags.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Says whether there are no tags.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Returns the tag at `index` in byte order.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<TagRef<'_>> {
        let end = *self.ends.get(index)? as usize;
        let start = if index == 0 { 0 } else { self.ends[index - 1] as usize };
        Some(TagRef(&self.text[start..end]))
    }

    /// Visits the tags in byte order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = TagRef<'_>> {
        (0..self.len()).map(|index| {
            let start = if index == 0 { 0 } else { self.ends[index - 1] as usize };
            TagRef(&self.text[start..self.ends[index] as usize])
        })
    }

    /// Says whether `tag` is in the list.
    #[must_use]
    pub fn contains(&self, tag: &str) -> bool {
        self.position(tag).is_some()
    }

    /// Returns where in the list `tag` is.
    #[must_use]
    pub fn position(&self, tag: &str) -> Option<usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.get(middle).map(|t| t.as_str().cmp(tag)) {
                Some(std::cmp::Ordering::Less) => low = middle + 1,
                Some(std::cmp::Ordering::Equal) => return Some(middle),
                _ => high = middle,
            }
        }
        None
    }
}

impl Default for TagList {
    fn default() -> Self {
        Self { text: "".into(), ends: [].into() }
    }
}

impl<'a> FromIterator<TagRef<'a>> for TagList {
    fn from_iter<I: IntoIterator<Item = TagRef<'a>>>(tags: I) -> Self {
        let mut tags: Vec<&str> = tags.into_iter().map(TagRef::as_str).collect();
        tags.sort_unstable();
        tags.dedup();
        let mut text = String::with_capacity(tags.iter().map(|t| t.len()).sum());
        let ends = tags
            .iter()
            .map(|tag| {
                text.push_str(tag);
                // A listing is capped in bytes far below 4 GiB; beyond that an empty range is harmless.
                u32::try_from(text.len()).unwrap_or(u32::MAX)
            })
            .collect();
        Self { text: text.into(), ends }
    }
}

impl fmt::Debug for TagList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TagList({} tags)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grammar() {
        for good in ["1", "latest", "_x", "V1.2-rc_3", &"a".repeat(128)] {
            assert!(Tag::parse(good).is_ok(), "{good}");
        }
        for bad in ["", ".a", "-a", "a b", "a\n", "a+b", "ä", "a/b", &"a".repeat(129)] {
            assert!(Tag::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_error_shows_hostile_text_harmlessly() {
        let message = Tag::parse("1.0\n\u{1b}[31mred").unwrap_err().to_string();
        assert!(!message.contains('\n') && !message.contains('\u{1b}'), "{message}");
    }

    #[test]
    fn t21_tags_that_tools_generate() {
        let hex = "0123456789abcdef".repeat(4);
        let is = |text: &str| TagRef::parse(text).unwrap().is_generated();
        for kind in ["", ".sig", ".att", ".sbom", ".0123456789abcdef.meta"] {
            assert!(is(&format!("sha256-{hex}{kind}")), "{kind}");
        }
        assert!(is(&format!("sha512-{hex}")), "the referrers tag schema cuts a longer digest");
        for version in ["sha256-abc", "sha256", "1.0", &hex, &format!("sha256-{hex}0"), &format!("sha256-{}.sig", hex.to_uppercase())] {
            assert!(!is(version), "{version}");
        }
    }

    #[test]
    fn a_list_is_sorted_and_deduplicated() {
        let words = ["b", "a", "10", "b", "9"];
        let list: TagList = words.iter().map(|t| TagRef::parse(t).unwrap()).collect();
        assert_eq!(list.iter().map(TagRef::as_str).collect::<Vec<_>>(), ["10", "9", "a", "b"]);
        assert_eq!((list.position("9"), list.position("90")), (Some(1), None));
        assert!(list.contains("9") && !list.contains("c") && !list.contains(""));
        assert!(TagList::default().is_empty());
    }
}
