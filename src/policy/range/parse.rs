//! The text of a range, taken apart with the place of every mistake.

use super::{Comparison, Group, Operator, RangeError, Wild};

/// Longer before shorter, so that `>=` is not read as `>`.
const OPERATORS: [(&str, Operator); 11] = [
    ("!=", Operator::NotEqual),
    (">=", Operator::GreaterOrEqual),
    ("=>", Operator::GreaterOrEqual),
    ("<=", Operator::LessOrEqual),
    ("=<", Operator::LessOrEqual),
    ("~>", Operator::Tilde),
    ("=", Operator::Equal),
    (">", Operator::Greater),
    ("<", Operator::Less),
    ("~", Operator::Tilde),
    ("^", Operator::Caret),
];

/// Reads all groups of a range.
pub(super) fn groups(text: &str) -> Result<Vec<Group>, RangeError> {
    let mut groups = Vec::new();
    let mut start = 0;
    for part in text.split("||") {
        let mut cursor = Cursor { text: &text[..start + part.len()], at: start };
        groups.push(cursor.group()?);
        start += part.len() + 2;
    }
    Ok(groups)
}

struct Cursor<'a> {
    /// The whole text up to the end of the group.
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_space(&mut self) -> bool {
        let before = self.at;
        self.at += self.rest().bytes().take_while(u8::is_ascii_whitespace).count();
        self.at > before
    }

    fn error<T>(&self, message: &str, from: usize) -> Result<T, RangeError> {
        // An error at the end of the text still points at something.
        let end = self.at.max((from + 1).min(self.text.len()));
        Err(RangeError { message: message.to_owned(), span: from.min(end)..end })
    }

    fn group(&mut self) -> Result<Group, RangeError> {
        let start = self.at;
        self.skip_space();
        if self.rest().is_empty() {
            self.at = start.max(self.text.len());
            return self.error("a range is missing here; `*` is any version", start);
        }
        let mut comparisons = Vec::new();
        loop {
            self.comparison(&mut comparisons)?;
            let spaced = self.skip_space();
            if self.rest().is_empty() {
                break;
            }
            if self.rest().starts_with(',') {
                self.at += 1;
                self.skip_space();
                if self.rest().is_empty() {
                    return self.error("a comparison is missing after the comma", self.at - 1);
                }
            } else if !spaced {
                return self.unexpected("a space or a comma is missing before");
            }
        }
        let prereleases = comparisons.iter().any(|c| !c.bound.pre.is_empty());
        Ok(Group { comparisons, prereleases })
    }

    /// Reads one comparison, or the two that a hyphen stands for.
    fn comparison(&mut self, into: &mut Vec<Comparison>) -> Result<(), RangeError> {
        let start = self.at;
        let operator = OPERATORS.iter().find(|(sign, _)| self.rest().starts_with(sign));
        self.at += operator.map_or(0, |(sign, _)| sign.len());
        self.skip_space();
        let lower = self.bound()?;
        let Some(upper_at) = self.hyphen() else {
            into.push(Comparison { operator: operator.map_or(Operator::Equal, |(_, operator)| *operator), ..lower });
            return Ok(());
        };
        if operator.is_some() {
            return self.error("a hyphen range has no operators", start);
        }
        self.at = upper_at;
        let upper = self.bound()?;
        into.push(Comparison { operator: Operator::GreaterOrEqual, ..lower });
        into.push(Comparison { operator: Operator::LessOrEqual, ..upper });
        Ok(())
    }

    /// Returns where the upper end begins if ` - ` follows.
    fn hyphen(&self) -> Option<usize> {
        let rest = self.rest();
        let hyphen = rest.trim_start_matches(|c: char| c.is_ascii_whitespace());
        let upper = hyphen.strip_prefix('-')?;
        let trimmed = upper.trim_start_matches(|c: char| c.is_ascii_whitespace());
        (hyphen.len() < rest.len() && trimmed.len() < upper.len()).then(|| self.text.len() - trimmed.len())
    }

    /// Reads `v`, one to three numbers or wildcards, a prerelease and build metadata.
    fn bound(&mut self) -> Result<Comparison, RangeError> {
        let start = self.at;
        if self.rest().starts_with('v') {
            self.at += 1;
        }
        let mut numbers = [0; 3];
        let mut wild = None;
        let mut count = 0;
        loop {
            let number = self.part()?;
            match (number, wild) {
                // What follows a wildcard says nothing more.
                (Some(n), None) => numbers[count] = n,
                (None, None) => wild = Some(count),
                _ => {}
            }
            count += 1;
            if count == 3 || !self.rest().starts_with('.') {
                break;
            }
            self.at += 1;
        }
        if wild.is_none() && count < 3 {
            wild = Some(count);
        }
        let mut bound = semver::Version::new(numbers[0], numbers[1], numbers[2]);
        if self.rest().starts_with('-') && !self.rest()[1..].starts_with(|c: char| c.is_ascii_whitespace()) {
            bound.pre = self.identifiers("a prerelease")?;
        }
        if self.rest().starts_with('+') {
            bound.build = self.identifiers("build metadata")?;
        }
        if !self.rest().is_empty() && !self.rest().starts_with(|c: char| c.is_ascii_whitespace() || c == ',') {
            if self.rest().starts_with('.') {
                self.at = self.word_end();
                return self.error("a version in a range has at most three numbers", start);
            }
            return self.unexpected("a version ends before");
        }
        let wild = match wild {
            None => Wild::None,
            Some(0) => Wild::Major,
            Some(1) => Wild::Minor,
            Some(_) => Wild::Patch,
        };
        Ok(Comparison { operator: Operator::Equal, bound, wild })
    }

    /// Reads a number, or `None` for a wildcard.
    fn part(&mut self) -> Result<Option<u64>, RangeError> {
        let start = self.at;
        if self.rest().starts_with(['x', 'X', '*']) {
            self.at += 1;
            return Ok(None);
        }
        let digits = &self.rest()[..self.rest().bytes().take_while(u8::is_ascii_digit).count()];
        if digits.is_empty() {
            return self.unexpected("a number or `*` should stand before");
        }
        self.at += digits.len();
        digits.parse().map(Some).or_else(|_| self.error("the number is larger than 18446744073709551615", start))
    }

    fn identifiers<T: std::str::FromStr>(&mut self, what: &str) -> Result<T, RangeError> {
        let start = self.at;
        let text = &self.rest()[1..];
        let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '.')).unwrap_or(text.len());
        self.at += 1 + end;
        let message = format!("`{}` is not {what}", &text[..end]);
        if end == 0 {
            return self.error(&message, start);
        }
        text[..end].parse().or_else(|_| self.error(&message, start))
    }

    fn word_end(&self) -> usize {
        self.at + self.rest().find(|c: char| c.is_ascii_whitespace() || c == ',').unwrap_or(self.rest().len())
    }

    fn unexpected<T>(&mut self, message: &str) -> Result<T, RangeError> {
        let from = self.at;
        self.at = self.word_end().max(from + self.rest().chars().next().map_or(0, char::len_utf8));
        let found: String = self.text[from..self.at].chars().take(20).flat_map(char::escape_debug).collect();
        if found.is_empty() {
            return self.error("the range ends where a version should stand", from);
        }
        self.error(&format!("{message} `{found}`"), from)
    }
}
