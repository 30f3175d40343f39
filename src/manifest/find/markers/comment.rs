//! What a comment says: Flux's markers in it, also where Flux would not read them.

use super::super::super::watch::MARKER;

/// How many markers of one comment count; people write three at most, of name, tag and digest.
const MAX_MARKERS: usize = 8;

/// What a marker is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in super::super::super) enum Field {
    /// The whole reference.
    Whole,
    Tag,
    Name,
    Digest,
}

/// A marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super::super) struct Said<'t> {
    /// `namespace:name`.
    pub(in super::super::super) policy: &'t str,
    pub(in super::super::super) field: Field,
}

/// The markers of a comment.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in super::super::super) struct Comment<'t> {
    pub(in super::super::super) said: Vec<Said<'t>>,
    /// Whether the comment holds nothing else. Flux reads no other ones.
    pub(in super::super::super) alone: bool,
}

impl<'t> Comment<'t> {
    /// Reads a comment, with or without its `#`.
    pub(in super::super::super) fn read(text: &'t str) -> Self {
        let mut comment = Self { said: Vec::new(), alone: true };
        let mut rest = text;
        while let Some((before, object)) = rest.split_once('{') {
            let Some((object, after)) = object.split_once('}') else { break };
            comment.alone &= is_nothing(before);
            match said(object) {
                Some(said) if comment.said.len() < MAX_MARKERS => comment.said.push(said),
                _ => comment.alone = false,
            }
            rest = after;
        }
        comment.alone &= is_nothing(rest);
        comment
    }
}

fn is_nothing(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'#' | b' ' | b'\t' | b',' | b'\r'))
}

/// Reads what stands between braces: `"$imagepolicy": "namespace:name:tag"`, in quotes of either kind.
fn said(object: &str) -> Option<Said<'_>> {
    let (before, after) = object.split_once(MARKER)?;
    let quote = before.chars().next_back().filter(|quote| "\"'".contains(*quote))?;
    let after = after.strip_prefix(quote)?.trim_start().strip_prefix(':')?.trim_start();
    let quote = after.chars().next().filter(|quote| "\"'".contains(*quote))?;
    let (value, _) = after.strip_prefix(quote)?.split_once(quote)?;
    let (policy, field) = match value.rsplit_once(':')? {
        (policy, "tag") if policy.contains(':') => (policy, Field::Tag),
        (policy, "name") if policy.contains(':') => (policy, Field::Name),
        (policy, "digest") if policy.contains(':') => (policy, Field::Digest),
        _ => (value, Field::Whole),
    };
    Some(Said { policy, field })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_read_as_flux_does_and_where_it_does_not() {
        let whole = ("a:b", Field::Whole);
        for (text, said, alone) in [
            (r#"# {"$imagepolicy": "a:b"}"#, vec![whole], true),
            (r#"## {"$imagepolicy":"a:b:tag"}"#, vec![("a:b", Field::Tag)], true),
            (r#"# {"$imagepolicy": "a:b:name", "x": "y"}"#, vec![("a:b", Field::Name)], true),
            (r#"# {"x": "y", "$imagepolicy": "a:b:digest"}"#, vec![("a:b", Field::Digest)], true),
            ("# {'$imagepolicy': 'a:b'}", vec![whole], true),
            (r#"# why {"$imagepolicy": "a:b"} not"#, vec![whole], false),
            (r#"# image: x # {"$imagepolicy": "a:b"}"#, vec![whole], false),
            (r#"# {x} {"$imagepolicy": "a:b"}"#, vec![whole], false),
            (r#"# {"$imagepolicy": "a:b:tag"} {"$imagepolicy": "c:d:name"}"#, vec![("a:b", Field::Tag), ("c:d", Field::Name)], true),
            (r#"# {"$imagepolicy": "a:tag"}"#, vec![("a:tag", Field::Whole)], true),
            (r#"# {"$imagepolicy": "a:b:c"}"#, vec![("a:b:c", Field::Whole)], true),
            (r#"# {"$imagepolicy": "ab"}"#, vec![], false),
            (r#"# {$imagepolicy: "a:b"}"#, vec![], false),
            (r#"# {"$imagepolicy": "a:b'}"#, vec![], false),
            (r#"# {"$imagepolicy": "a:b""#, vec![], false),
            ("# {", vec![], false),
            ("#", vec![], true),
        ] {
            let comment = Comment::read(text);
            let found: Vec<_> = comment.said.iter().map(|said| (said.policy, said.field)).collect();
            assert_eq!((found, comment.alone), (said, alone), "{text}");
        }
    }

    #[test]
    fn many_markers_in_a_comment_are_bounded() {
        let text = r#"{"$imagepolicy": "a:b"}"#.repeat(10_000);
        let comment = Comment::read(&text);
        assert_eq!((comment.said.len(), comment.alone), (MAX_MARKERS, false));
        assert!(Comment::read(&"{".repeat(1 << 20)).said.is_empty());
    }
}
