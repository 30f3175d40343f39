//! The second reader of the proof: another YAML engine, asked through serde.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, EnumAccess, IgnoredAny, MapAccess, SeqAccess, VariantAccess, Visitor};

use super::super::tree::{Document, Kind, Tree};
use super::Meant;

/// Says whether the second reader finds in a document just the nodes that the tree has, and the changes as strings.
///
/// It is led along the tree, so nothing is built, and nothing is read twice: aliases are not followed, as the
/// tree's comparison has shown that they are bound as before.
pub(super) fn reads_as(tree: &Tree<'_>, document: usize, meant: &[Meant<'_>]) -> bool {
    let Document { root, bytes, .. } = &tree.documents[document];
    tree.text.get(bytes.clone()).is_some_and(|text| reads(text, tree, *root, meant))
}

fn reads(text: &str, tree: &Tree<'_>, root: usize, meant: &[Meant<'_>]) -> bool {
    let mut guide = Guide { tree, next: root, meant };
    let mut documents = serde_yaml::Deserializer::from_str(text);
    // On an error the iterator would give the same error for ever: it is asked for two documents at most.
    let read = documents.next().is_some_and(|first| Lead(&mut guide).deserialize(first).is_ok());
    read && guide.next == tree.end(root) && documents.next().is_none()
}

struct Guide<'g, 't> {
    tree: &'g Tree<'t>,
    /// The node to come.
    next: usize,
    /// The changed values to come, in order.
    meant: &'g [Meant<'g>],
}

struct Lead<'a, 'g, 't>(&'a mut Guide<'g, 't>);

impl<'de> DeserializeSeed<'de> for Lead<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let Guide { tree, next, meant } = &mut *self.0;
        let tree = *tree;
        let node = *next;
        *next += 1;
        // A tag of an application's own would come as an enum; without one, the value's own type is asked for.
        let tagged = tree.tag(node).is_some();
        match tree.kind(node) {
            Kind::Alias(_) => deserializer.deserialize_ignored_any(IgnoredAny).map(|_| ()),
            Kind::Scalar { value, .. } => match meant.split_first() {
                Some((Meant { node: changed, change }, rest)) if *changed == node => {
                    *meant = rest;
                    let local = tree.tag(node).is_some_and(|tag| tag.suffix_in_namespace("tag:yaml.org,2002:").is_none());
                    if local { deserializer.deserialize_str(Is(&change.value)) } else { deserializer.deserialize_any(Is(&change.value)) }
                }
                _ => deserializer.deserialize_str(Is(value)),
            },
            Kind::Sequence { .. } if tagged => deserializer.deserialize_seq(Children { guide: self.0, end: tree.end(node) }),
            Kind::Mapping { .. } if tagged => deserializer.deserialize_map(Children { guide: self.0, end: tree.end(node) }),
            Kind::Sequence { .. } | Kind::Mapping { .. } => deserializer.deserialize_any(Children { guide: self.0, end: tree.end(node) }),
        }
    }
}

/// Says whether the second reader reads a scalar, given as it is written, as this string.
pub(super) fn is_string(written: &str, value: &str) -> bool {
    serde_yaml::Deserializer::from_str(written).deserialize_any(Is(value)).is_ok()
}

/// Expects a string.
struct Is<'a>(&'a str);

impl Visitor<'_> for Is<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the same string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        if text == self.0 { Ok(()) } else { Err(E::custom("another string")) }
    }
}

/// Expects a collection with the nodes up to an end.
struct Children<'a, 'g, 't> {
    guide: &'a mut Guide<'g, 't>,
    end: usize,
}

impl<'de> Visitor<'de> for Children<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the same collection")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while self.guide.next < self.end {
            if items.next_element_seed(Lead(self.guide))?.is_none() {
                return Err(de::Error::custom("fewer items"));
            }
        }
        match items.next_element::<IgnoredAny>()? {
            None => Ok(()),
            Some(_) => Err(de::Error::custom("more items")),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while self.guide.next < self.end {
            if entries.next_key_seed(Lead(self.guide))?.is_none() {
                return Err(de::Error::custom("fewer entries"));
            }
            entries.next_value_seed(Lead(self.guide))?;
        }
        match entries.next_key::<IgnoredAny>()? {
            None => Ok(()),
            Some(_) => Err(de::Error::custom("more entries")),
        }
    }
}

/// Says whether the second reader's own readings of a document, old and new, differ in the changes only.
///
/// True if it cannot read the old one. Aliases are expanded here, so a change may show more than once; the number of values
/// is bounded, and a text with more of them counts as one that cannot be read.
pub(super) fn differs_only(old: &str, new: &str, meant: &[Meant<'_>]) -> bool {
    let budget = 2 * old.len().max(new.len()) + 10_000;
    let Some(old) = flat(old, budget) else { return true };
    let Some(new) = flat(new, budget) else { return false };
    let is_change = |old: &Flat, new: &Flat| {
        let is = |Meant { change, .. }: &Meant<'_>| {
            change.entry.is_none() && new.is(&change.value) && !matches!(old, Flat::Text(text) if *text != change.old)
        };
        meant.iter().any(is)
    };
    let is_entry = |key: &Flat, value: &Flat| {
        meant.iter().any(|Meant { change, .. }| change.entry.as_ref().is_some_and(|entry| key.is(&entry.key)) && value.is(&change.value))
    };
    let (mut left, mut found) = (new.as_slice(), old.iter().peekable());
    while let [value, rest @ ..] = left {
        let same = found.peek().is_some_and(|old| *old == value || is_change(old, value));
        left = match rest {
            _ if same => {
                found.next();
                rest
            }
            [next, rest @ ..] if is_entry(value, next) => rest,
            _ => return false,
        };
    }
    found.next().is_none() && meant.iter().all(|Meant { change, .. }| new.iter().any(|value| value.is(&change.value)))
}

/// A value, or where a collection starts or ends.
#[derive(PartialEq)]
enum Flat {
    Null,
    Bool(bool),
    Integer(i128),
    /// An integer beyond the above.
    Large(u128),
    /// By its bits, so that equal means the same.
    Float(u64),
    Text(String),
    Tag(String),
    Sequence,
    Mapping,
    End,
    /// The end of a document; to this reader there may be more of them.
    Document,
}

impl Flat {
    fn is(&self, text: &str) -> bool {
        matches!(self, Self::Text(own) if own == text)
    }
}

/// Reads a text as a list of its values; none if it cannot be read, or has too many.
fn flat(text: &str, budget: usize) -> Option<Vec<Flat>> {
    let mut values = Vec::new();
    for document in serde_yaml::Deserializer::from_str(text) {
        // The first error ends it: the iterator would give it for ever.
        Flatten { values: &mut values, budget }.deserialize(document).ok()?;
        values.push(Flat::Document);
    }
    Some(values)
}

struct Flatten<'a> {
    values: &'a mut Vec<Flat>,
    budget: usize,
}

impl Flatten<'_> {
    fn push<E: de::Error>(&mut self, value: Flat) -> Result<(), E> {
        if self.values.len() >= self.budget {
            return Err(E::custom("too many values"));
        }
        self.values.push(value);
        Ok(())
    }

    fn below(&mut self) -> Flatten<'_> {
        Flatten { values: self.values, budget: self.budget }
    }
}

impl<'de> DeserializeSeed<'de> for Flatten<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Flatten<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E: de::Error>(mut self, value: bool) -> Result<(), E> {
        self.push(Flat::Bool(value))
    }

    fn visit_i64<E: de::Error>(mut self, value: i64) -> Result<(), E> {
        self.push(Flat::Integer(value.into()))
    }

    fn visit_u64<E: de::Error>(mut self, value: u64) -> Result<(), E> {
        self.push(Flat::Integer(value.into()))
    }

    fn visit_i128<E: de::Error>(mut self, value: i128) -> Result<(), E> {
        self.push(Flat::Integer(value))
    }

    fn visit_u128<E: de::Error>(mut self, value: u128) -> Result<(), E> {
        self.push(Flat::Large(value))
    }

    fn visit_f64<E: de::Error>(mut self, value: f64) -> Result<(), E> {
        self.push(Flat::Float(value.to_bits()))
    }

    fn visit_str<E: de::Error>(mut self, value: &str) -> Result<(), E> {
        self.push(Flat::Text(value.to_owned()))
    }

    fn visit_unit<E: de::Error>(mut self) -> Result<(), E> {
        self.push(Flat::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<(), E> {
        self.visit_unit()
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        self.push(Flat::Sequence)?;
        while items.next_element_seed(self.below())?.is_some() {}
        self.push(Flat::End)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<(), A::Error> {
        self.push(Flat::Mapping)?;
        while entries.next_key_seed(self.below())?.is_some() {
            entries.next_value_seed(self.below())?;
        }
        self.push(Flat::End)
    }

    fn visit_enum<A: EnumAccess<'de>>(mut self, data: A) -> Result<(), A::Error> {
        let (tag, value) = data.variant::<String>()?;
        self.push(Flat::Tag(tag))?;
        value.newtype_variant_seed(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says whether the quick way works for all documents of a text, with no change in it.
    fn follows(text: &str) -> bool {
        let tree = Tree::parse(text.as_bytes()).unwrap();
        (0..tree.documents.len()).all(|document| reads_as(&tree, document, &[]))
    }

    #[test]
    fn the_two_readers_agree_on_what_files_hold() {
        for text in [
            "a: b\nc: [1, 1.10, ~, yes, 012, 'x', \"y\\n\", {}, []]\nd:\ne: ''\n",
            "a: b\r\nc:\r\n- d\r\n",
            "\u{feff}a: b\n---\n- c\n",
            "# c\n---\na: b # c\n...\n%YAML 1.2\n---\n# d\n--- x\n---\n",
            "a: &a {b: c}\nd: *a\n<<: *a\ne: &a [*a]\n",
            "a: |\n  x\n\n   y\nb: >-\n  x\n  y\nc: |2+\n    z\n\nd: x\n  y\n",
            "a: |\n  no final newline",
            "a: 1\na: 2\n? [b, c]\n: d\n? e\n",
            "a: !x b\nc: !y [d]\ne: !!str 1\nf: !z {g: h}\n",
            "{\"a\":\"b\",\"c\":[1,2]}",
            "just text",
        ] {
            assert!(follows(text), "{text:?}");
        }
    }

    #[test]
    fn a_difference_is_seen() {
        let tree = Tree::parse(b"a: [1, x]\nb: {c: d}\n").unwrap();
        assert!(reads("a: [1, x]\nb: {c: d}\n", &tree, 0, &[]));
        for other in [
            "a: [1, y]\nb: {c: d}\n",
            "a: [1]\nb: {c: d}\n",
            "a: [1, x, y]\nb: {c: d}\n",
            "a: [1, x]\nb: {c: d, e: f}\n",
            "a: [1, x]\n",
            "a: [1, x]\nb: d\n",
        ] {
            assert!(!reads(other, &tree, 0, &[]), "{other}");
        }
    }
}
