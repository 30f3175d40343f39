//! Shape 2: references behind `=` in a scalar: `--sidecar-image=…`, `IMAGE=…`, Argo CD's `old=new:tag`.

use std::ops::Range;

use super::super::site::Shape;
use super::Finder;
use super::locate::Located;
use super::scalar::names_image;

impl Finder<'_, '_> {
    pub(super) fn arguments(&mut self, node: usize, value: &str) {
        let Some(located) = Located::new(self.tree, node) else { return };
        for (at, named) in behind_equals(value) {
            if self.is_spent() {
                return;
            }
            if let Some(reading) = self.reference(&located, value, &at, named, Shape::Argument) {
                self.emit(reading, &[]);
            }
        }
    }
}

/// Finds the words that stand behind a `=` with no white space between, each with whether what stands before the `=` names an image.
fn behind_equals(value: &str) -> Vec<(Range<usize>, bool)> {
    let mut found = Vec::new();
    let (mut start, mut behind) = (0, None);
    for (at, character) in value.char_indices().chain([(value.len(), ' ')]) {
        if !(character.is_whitespace() || "=,;|\"'`()<>{}&".contains(character)) {
            continue;
        }
        // What a further `=` follows is a name itself.
        if let Some(named) = behind
            && start < at
            && character != '='
        {
            found.push((start..at, named));
        }
        if character == '=' {
            behind = Some(names_image(&value[start..at]));
        } else if character.is_whitespace() {
            behind = None;
        }
        start = at + character.len_utf8();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_behind_an_equals_sign() {
        let words = |value: &str| behind_equals(value).into_iter().map(|(at, named)| (value[at].to_owned(), named)).collect::<Vec<_>>();
        let plain = |word: &str| (word.to_owned(), false);
        assert_eq!(words("--sidecar-image=a:1"), [("a:1".to_owned(), true)]);
        assert_eq!(words("old=new:tag"), [plain("new:tag")]);
        assert_eq!(words("run X=a:1 b:2"), [plain("a:1")], "b:2 is a word of its own");
        assert_eq!(words("A=\"a:1\",b:2;C='ä:3' d"), [plain("a:1"), plain("b:2"), plain("ä:3")]);
        assert_eq!(words("a=b=c:1"), [plain("c:1")]);
        assert!(words("a:1").is_empty() && words("").is_empty() && words("=").is_empty());
    }
}
