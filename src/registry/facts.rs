//! What a listing itself tells about its tags: Google's registries give digest and push time of each.

use crate::image::{Digest, TagList, TagRef};

/// What the tags of all images may take in memory, and how many they may be.
const LARGEST: usize = 32 * 1024 * 1024;
const MOST_TAGS: usize = 1_000_000;
/// Marks a tag of which nothing is known.
const UNKNOWN: u32 = u32::MAX;

/// An image and when it was pushed, in milliseconds since 1970.
#[derive(Debug, PartialEq, Eq)]
struct Image {
    digest: [u8; 32],
    pushed: Option<i64>,
}

/// Digests and push times of a [`TagList`]'s tags: four bytes a tag and some fifty an image.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// For each tag of the list, its image.
    of: Box<[u32]>,
    images: Box<[Image]>,
}

impl Facts {
    fn image(&self, index: usize) -> Option<&Image> {
        self.images.get(*self.of.get(index)? as usize)
    }

    /// Returns the digest of the tag at `index` of the list.
    pub(super) fn digest(&self, index: usize) -> Option<Digest> {
        self.image(index).map(|image| Digest::sha256(&image.digest))
    }

    /// Returns when the tag at `index` of the list was pushed, in milliseconds since 1970.
    pub(super) fn pushed(&self, index: usize) -> Option<i64> {
        self.image(index)?.pushed
    }
}

/// Facts as they are read, before the tags are in order.
#[derive(Default)]
pub(super) struct Gathered {
    images: Vec<Image>,
    /// The tags, end to end.
    text: String,
    /// Where each tag ends in `text`, and its image.
    rows: Vec<(usize, u32)>,
    /// Says that there were more than fit: then none of them is used.
    overflown: bool,
}

impl Gathered {
    /// Begins an image that the following tags are of.
    pub(super) fn begin(&mut self, digest: &str) -> Mark {
        let digest = Digest::parse(digest).ok().and_then(|digest| digest.to_sha256());
        if let Some(digest) = digest {
            self.images.push(Image { digest, pushed: None });
        }
        Mark { tags: self.rows.len(), known: digest.is_some() }
    }

    /// Takes a tag of the image that was begun last.
    pub(super) fn tag(&mut self, mark: &Mark, tag: &str) {
        let Ok(tag) = TagRef::parse(tag) else { return };
        if !mark.known || tag.is_generated() {
            return;
        }
        self.overflown |= self.text.len() + tag.as_str().len() > LARGEST || self.rows.len() >= MOST_TAGS;
        if !self.overflown {
            self.text.push_str(tag.as_str());
            let image = u32::try_from(self.images.len() - 1).unwrap_or(UNKNOWN);
            self.rows.push((self.text.len(), image));
        }
    }

    /// Ends the image that was begun last; one without tags is of no use.
    pub(super) fn end(&mut self, mark: &Mark, pushed: Option<i64>) {
        if mark.known && self.rows.len() == mark.tags {
            self.images.pop();
        } else if let Some(image) = self.images.last_mut().filter(|_| mark.known) {
            image.pushed = pushed;
        }
    }

    /// Sorts the facts like `tags`; a tag that two images claim is unknown.
    pub(super) fn finish(self, tags: &TagList) -> Option<Facts> {
        if self.overflown || self.rows.is_empty() {
            return None;
        }
        let mut of = vec![UNKNOWN; tags.len()];
        let mut claimed = vec![false; tags.len()];
        let mut start = 0;
        for (end, image) in self.rows {
            let index = self.text.get(start..end).and_then(|tag| tags.position(tag));
            start = end;
            let Some(index) = index else { continue };
            let twice = std::mem::replace(&mut claimed[index], true) && of[index] != image;
            of[index] = if twice { UNKNOWN } else { image };
        }
        Some(Facts { of: of.into(), images: self.images.into() })
    }
}

/// Where an image begins.
pub(super) struct Mark {
    tags: usize,
    known: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(n: u8) -> String {
        Digest::sha256(&[n; 32]).to_string()
    }

    fn gather(images: &[(&str, &[&str], Option<i64>)]) -> Gathered {
        let mut gathered = Gathered::default();
        for (digest, tags, pushed) in images {
            let mark = gathered.begin(digest);
            tags.iter().for_each(|tag| gathered.tag(&mark, tag));
            gathered.end(&mark, *pushed);
        }
        gathered
    }

    fn list(tags: &[&str]) -> TagList {
        tags.iter().map(|tag| TagRef::parse(tag).unwrap()).collect()
    }

    #[test]
    fn facts_are_found_by_the_place_of_their_tag() {
        let (one, two) = (digest(1), digest(2));
        let tags = list(&["b", "a", "c"]);
        let facts = gather(&[(&one, &["b", "gone"], Some(5)), ("md5:0", &["c"], Some(1)), (&two, &["a"], None), (&one, &[], Some(1))]);
        let facts = facts.finish(&tags).unwrap();
        let known = |index| (facts.digest(index).map(|digest| digest.to_string()), facts.pushed(index));
        assert_eq!([known(0), known(1), known(2), known(3)], [(Some(two), None), (Some(one), Some(5)), (None, None), (None, None)]);
        assert_eq!(facts.images.len(), 2, "what has no tags is not kept");
    }

    #[test]
    fn a_tag_that_two_images_claim_is_unknown() {
        let facts = gather(&[(&digest(1), &["a", "a"], Some(5)), (&digest(2), &["a", "b"], Some(6)), (&digest(1), &["a"], None)]);
        let facts = facts.finish(&list(&["a", "b"])).unwrap();
        assert_eq!((facts.digest(0), facts.pushed(0)), (None, None));
        assert_eq!(facts.pushed(1), Some(6));
    }

    #[test]
    fn too_many_facts_are_none() {
        let long = "a".repeat(128);
        let mut gathered = gather(&[(&digest(1), &["b"], None)]);
        let mark = gathered.begin(&digest(2));
        (0..LARGEST / 128).for_each(|_| gathered.tag(&mark, &long));
        gathered.end(&mark, None);
        assert_eq!(gathered.finish(&list(&["b"])), None);
        assert_eq!(Gathered::default().finish(&list(&["a"])), None);
    }
}
