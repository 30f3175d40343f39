//! Values that are put together of parts of a text: lines that go on, variables with their defaults.

use std::ops::Range;

/// A value whose bytes all stand somewhere in a text, though not in one piece.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Joined {
    value: String,
    /// In the order of the value, without gaps in it.
    runs: Vec<Run>,
}

/// Bytes that lie side by side in both the value and the text.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Run {
    in_value: usize,
    in_text: usize,
    len: usize,
}

impl Joined {
    /// Takes a part that stands at a place of the text.
    pub(super) fn of(part: &str, at: usize) -> Self {
        let mut joined = Self::default();
        joined.push(part, at);
        joined
    }

    /// Adds a part that stands at a place of the text.
    pub(super) fn push(&mut self, part: &str, at: usize) {
        let in_value = self.value.len();
        self.value.push_str(part);
        match self.runs.last_mut().filter(|last| last.in_text + last.len == at) {
            Some(last) => last.len += part.len(),
            None if part.is_empty() => {}
            None => self.runs.push(Run { in_value, in_text: at, len: part.len() }),
        }
    }

    /// Adds another value.
    pub(super) fn append(&mut self, other: &Self) {
        for run in &other.runs {
            if let Some(part) = other.value.get(run.in_value..run.in_value + run.len) {
                self.push(part, run.in_text);
            }
        }
    }

    /// Returns a part of the value.
    pub(super) fn slice(&self, part: &Range<usize>) -> Self {
        let mut slice = Self::default();
        let first = self.runs.partition_point(|run| run.in_value + run.len <= part.start);
        for run in self.runs.iter().skip(first).take_while(|run| run.in_value < part.end) {
            let (start, end) = (run.in_value.max(part.start), (run.in_value + run.len).min(part.end));
            if let Some(text) = self.value.get(start..end) {
                slice.push(text, run.in_text + (start - run.in_value));
            }
        }
        slice
    }

    pub(super) fn value(&self) -> &str {
        &self.value
    }

    /// Returns where a part of the value stands in the text; none if it does not stand there in one piece.
    pub(super) fn in_text(&self, part: &Range<usize>) -> Option<Range<usize>> {
        let next = self.runs.partition_point(|run| run.in_value <= part.start);
        let run = self.runs.get(next.checked_sub(1)?)?;
        let start = run.in_text + (part.start - run.in_value);
        (part.end <= run.in_value + run.len).then(|| start..start + part.len())
    }

    /// Returns where the value starts in the text.
    pub(super) fn start(&self) -> usize {
        self.runs.first().map_or(0, |run| run.in_text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_found_where_they_stand() {
        let mut joined = Joined::of("ab", 10);
        joined.push("cd", 12);
        joined.push("ef", 30);
        assert_eq!((joined.value(), joined.start()), ("abcdef", 10));
        assert_eq!(joined.in_text(&(1..4)), Some(11..14), "what lies side by side is one piece");
        assert_eq!(joined.in_text(&(4..6)), Some(30..32));
        assert_eq!(joined.in_text(&(3..5)), None);
        assert_eq!(joined.in_text(&(5..7)), None);
        let slice = joined.slice(&(3..5));
        assert_eq!((slice.value(), slice.in_text(&(0..1)), slice.in_text(&(1..2))), ("de", Some(13..14), Some(30..31)));
        let mut twice = slice.clone();
        twice.append(&slice);
        assert_eq!((twice.value(), twice.in_text(&(2..3))), ("dede", Some(13..14)));
        assert_eq!(Joined::default().in_text(&(0..0)), None);
    }
}
