//! The text of a range, taken apart with the place of every mistake.
//!
//! Masterminds rewrites hyphen ranges in the text before it reads it, which shows at their edges: what stands before one must
//! end with a comma, what stands behind one needs no separator, and `||` needs spaces. There is one difference: in `1||2.1 - 3` it takes `1||2.1`
//! for one version and then reads the rewritten text as `>=1 || 2.1 <=3`. That is refused here; with a space it is what it seems.

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
        let mut cursor = Cursor { whole: text, text: &text[..start + part.len()], at: start };
        groups.push(cursor.group(start > 0)?);
        start += part.len() + 2;
    }
    Ok(groups)
}

/// What stands before a comparison, as far as it matters to a hyphen range.
#[derive(Clone, Copy)]
enum Before {
    /// The beginning, a comma, a hyphen range, or `||` and a space.
    Nothing,
    /// `||` alone.
    Or,
    /// A comparison and no comma.
    Space,
}

struct Cursor<'a> {
    /// All groups.
    whole: &'a str,
    /// The text up to the end of the group.
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

    /// Reads comparisons that have to hold together; `behind_or` says that `||` stands before them.
    fn group(&mut self, behind_or: bool) -> Result<Group, RangeError> {
        let start = self.at;
        let mut before = if self.skip_space() || !behind_or { Before::Nothing } else { Before::Or };
        if self.rest().is_empty() {
            self.at = start.max(self.text.len());
            return self.error("a range is missing here; `*` is any version", start);
        }
        let mut comparisons = Vec::new();
        loop {
            let is_hyphen = self.comparison(before, &mut comparisons)?;
            self.skip_space();
            if self.rest().is_empty() {
                break;
            }
            if self.rest().starts_with(',') {
                self.at += 1;
                self.skip_space();
                if self.rest().is_empty() {
                    return self.error("a comparison is missing after the comma", self.at - 1);
                }
                before = Before::Nothing;
            } else {
                before = if is_hyphen { Before::Nothing } else { Before::Space };
            }
        }
        let prereleases = comparisons.iter().any(|c| !c.bound.pre.is_empty());
        Ok(Group { comparisons, prereleases })
    }

    /// Reads one comparison, or the two that a hyphen stands for; says whether it was a hyphen.
    fn comparison(&mut self, before: Before, into: &mut Vec<Comparison>) -> Result<bool, RangeError> {
        let start = self.at;
        let operator = OPERATORS.iter().find(|(sign, _)| self.rest().starts_with(sign));
        self.at += operator.map_or(0, |(sign, _)| sign.len());
        self.skip_space();
        let lower = self.bound()?;
        let Some(upper_at) = self.hyphen() else {
            if !self.rest().is_empty() && !self.rest().starts_with(|c: char| c.is_ascii_whitespace() || c == ',') {
                return self.unexpected("a version ends before");
            }
            into.push(Comparison { operator: operator.map_or(Operator::Equal, |(_, operator)| *operator), ..lower });
            return Ok(false);
        };
        if operator.is_some() {
            return self.error("a hyphen range has no operators", start);
        }
        match before {
            Before::Space => return self.error("a comma is missing before the hyphen range", start),
            Before::Or if !self.text[start..].starts_with('v') => {
                return self.error("a space is missing between `||` and the hyphen range", start);
            }
            Before::Nothing | Before::Or => {}
        }
        self.at = upper_at;
        let upper = self.bound()?;
        let glued = self.whole[upper_at..].trim_start_matches('v').bytes().take_while(|&b| b == b'.' || is_of_part(b));
        if glued.filter(|&b| b == b'.').count() > 2 {
            return self.error("a space is missing between the hyphen range and `||`", start);
        }
        into.push(Comparison { operator: Operator::GreaterOrEqual, ..lower });
        into.push(Comparison { operator: Operator::LessOrEqual, ..upper });
        Ok(true)
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
            if wild.is_some() {
                self.skip_part()?;
            } else if let Some(number) = self.part()? {
                numbers[count] = number;
            } else {
                wild = Some(count);
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
        if self.rest().starts_with('.') {
            self.at = self.word_end();
            return self.error("a version in a range has at most three numbers", start);
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
        let length = self.part_length();
        match &self.rest()[..length] {
            "" => self.unexpected("a number or `*` should stand before"),
            "x" | "X" | "*" => {
                self.at += length;
                Ok(None)
            }
            digits if digits.bytes().all(|b| b.is_ascii_digit()) => {
                self.at += length;
                digits.parse().map(Some).or_else(|_| self.error("the number is larger than 18446744073709551615", start))
            }
            _ => self.unexpected("a number or `*` should stand before"),
        }
    }

    /// Passes over a part behind a wildcard, which says nothing more, whatever it is.
    fn skip_part(&mut self) -> Result<(), RangeError> {
        let length = self.part_length();
        self.at += length;
        if length > 0 { Ok(()) } else { self.unexpected("a number or `*` should stand before") }
    }

    /// Returns how long a number or a wildcard is here, or what looks like one of them.
    fn part_length(&self) -> usize {
        self.rest().bytes().take_while(|&b| is_of_part(b)).count()
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

/// Says whether `b` stands in a number or a wildcard; the bar does in Masterminds' pattern, too.
fn is_of_part(b: u8) -> bool {
    b.is_ascii_digit() || matches!(b, b'x' | b'X' | b'*' | b'|')
}
