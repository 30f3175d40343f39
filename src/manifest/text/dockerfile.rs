//! Dockerfiles and Containerfiles: `FROM`, `COPY --from`, `RUN --mount=from=` and the `# syntax` directive.
//!
//! The grammar is that of the Dockerfile reference, as far as these lines need it: lines that go on, comments between them, parser
//! directives, heredocs, and `ARG`s before the first `FROM` with their defaults.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use super::super::joined::Joined;
use super::super::site::{Locked, Shape};
use super::super::tree::Unreadable;
use super::super::variable::{expand, has_variables};
use super::{Finding, Found, MissReason};

/// Finds the references of a Dockerfile.
pub(super) fn read(text: &str) -> Result<Found, Unreadable> {
    let lines = Lines::of(text);
    let mut file = File::default();
    let mut next = file.directives(&lines)?;
    while let Some((instruction, behind)) = lines.instruction(next, file.escape) {
        next = behind;
        file.instruction(&instruction)?;
        if instruction.value().contains("<<") {
            next = lines.behind_heredocs(instruction.value(), next);
        }
    }
    file.lock_shared();
    Ok(file.found)
}

/// The lines of a text, without their ends.
struct Lines<'t> {
    text: &'t str,
    lines: Vec<Range<usize>>,
    /// The numbers of the lines that may end a heredoc, by what they hold.
    words: HashMap<&'t str, Vec<usize>>,
}

impl<'t> Lines<'t> {
    fn of(text: &'t str) -> Self {
        let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let (mut lines, mut at) = (Vec::new(), start);
        for line in text[start..].split_inclusive('\n') {
            let held = line.strip_suffix('\n').map_or(line, |line| line.strip_suffix('\r').unwrap_or(line));
            lines.push(at..at + held.len());
            at += line.len();
        }
        let mut words: HashMap<&str, Vec<usize>> = HashMap::new();
        if text.contains("<<") {
            for (number, line) in lines.iter().enumerate() {
                let word = text[line.clone()].trim_start_matches('\t');
                if !word.is_empty() && word.bytes().all(is_word) {
                    words.entry(word).or_default().push(number);
                }
            }
        }
        Self { text, lines, words }
    }

    fn get(&self, number: usize) -> Option<(&'t str, usize)> {
        let line = self.lines.get(number)?;
        Some((&self.text[line.clone()], line.start))
    }

    /// Puts the lines of the next instruction together; returns the number of the line behind it, too.
    fn instruction(&self, mut number: usize, escape: char) -> Option<(Joined, usize)> {
        let mut instruction = Joined::default();
        while let Some((line, at)) = self.get(number) {
            number += 1;
            // Comments and empty lines between lines that go on belong to nobody.
            if line.trim_start().starts_with('#') || line.trim().is_empty() {
                continue;
            }
            match line.trim_end_matches([' ', '\t']).strip_suffix(escape) {
                Some(held) => instruction.push(held, at),
                None => {
                    instruction.push(line, at);
                    return Some((instruction, number));
                }
            }
        }
        (!instruction.value().is_empty()).then_some((instruction, number))
    }

    /// Returns the number of the line behind the heredocs that an instruction opens; one that is never closed is none.
    fn behind_heredocs(&self, instruction: &str, mut next: usize) -> usize {
        let keyword = instruction.split_whitespace().find(|word| !word.eq_ignore_ascii_case("ONBUILD"));
        if !keyword.is_some_and(|word| ["RUN", "COPY", "ADD"].iter().any(|known| word.eq_ignore_ascii_case(known))) {
            return next;
        }
        for (at, _) in instruction.match_indices("<<") {
            let rest = instruction[at + 2..].trim_start_matches('-').trim_start_matches(['"', '\'']);
            let name = &rest[..rest.bytes().take_while(|byte| is_word(*byte)).count()];
            let ends = self.words.get(name).map_or(&[][..], Vec::as_slice);
            if let Some(end) = ends.get(ends.partition_point(|line| *line < next)) {
                next = end + 1;
            }
        }
        next
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// A Dockerfile as far as it was read.
struct File {
    found: Found,
    /// What makes a line go on.
    escape: char,
    /// Whether the first `FROM` was read.
    has_stage: bool,
    /// The `ARG`s before the first `FROM`, with their defaults; none where the default is put together itself.
    arguments: HashMap<String, Option<Joined>>,
    /// The names of the stages, in lower case.
    stages: BTreeSet<String>,
    /// By `ARG`: the findings that use it; none for what uses it and is no reference.
    users: HashMap<String, Vec<Option<usize>>>,
}

impl Default for File {
    fn default() -> Self {
        Self {
            found: Found::default(),
            escape: '\\',
            has_stage: false,
            arguments: HashMap::new(),
            stages: BTreeSet::new(),
            users: HashMap::new(),
        }
    }
}

impl File {
    /// Reads the parser directives, which stand before all else; returns the number of the line behind them.
    fn directives(&mut self, lines: &Lines<'_>) -> Result<usize, Unreadable> {
        let mut number = 0;
        while let Some((line, at)) = lines.get(number) {
            let directive = line.trim_start().strip_prefix('#').and_then(|comment| comment.split_once('='));
            let Some((name, value)) = directive else { break };
            let name = name.trim();
            if name.is_empty() || !name.bytes().all(is_word) {
                break;
            }
            let start = at + line.len() - value.trim_start().len();
            let value = value.trim();
            if name.eq_ignore_ascii_case("escape") {
                self.escape = if value == "`" { '`' } else { '\\' };
            } else if name.eq_ignore_ascii_case("syntax") {
                self.reference(&Joined::of(value, start), "# syntax", true)?;
            }
            number += 1;
        }
        Ok(number)
    }

    fn instruction(&mut self, instruction: &Joined) -> Result<(), Unreadable> {
        let mut words = words(instruction.value());
        let mut keyword = words.next();
        while keyword.as_ref().is_some_and(|word| instruction.value()[word.clone()].eq_ignore_ascii_case("ONBUILD")) {
            keyword = words.next();
        }
        let Some(keyword) = keyword.map(|word| instruction.value()[word].to_ascii_uppercase()) else { return Ok(()) };
        match keyword.as_str() {
            "FROM" => self.from(instruction, words),
            "ARG" if !self.has_stage => {
                words.for_each(|word| self.argument(&instruction.slice(&word)));
                Ok(())
            }
            "COPY" => {
                let flags = words.map(|word| instruction.slice(&word)).take_while(|word| word.value().starts_with("--"));
                for flag in flags.collect::<Vec<_>>() {
                    if flag.value().starts_with("--from=") {
                        self.other_stage(&flag, "--from=".len()..flag.value().len(), "COPY --from")?;
                    }
                }
                Ok(())
            }
            "RUN" => {
                let flags = words.map(|word| instruction.slice(&word)).take_while(|word| word.value().starts_with("--"));
                for flag in flags.collect::<Vec<_>>() {
                    self.mount(&flag)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Reads `FROM [--platform=…] REFERENCE [AS NAME]`.
    fn from(&mut self, instruction: &Joined, words: impl Iterator<Item = Range<usize>>) -> Result<(), Unreadable> {
        self.has_stage = true;
        let text = instruction.value();
        let mut words = words.skip_while(|word| text[word.clone()].starts_with("--"));
        let Some(reference) = words.next() else { return Ok(()) };
        let name = words.next().filter(|word| text[word.clone()].eq_ignore_ascii_case("AS")).and_then(|_| words.next());
        let path = name.as_ref().map_or_else(|| "FROM".to_owned(), |name| format!("FROM as {}", shown(&text[name.clone()])));
        let reference = instruction.slice(&reference);
        if !self.is_stage(reference.value()) {
            self.reference(&reference, &path, true)?;
        }
        if let Some(name) = name {
            self.stages.insert(text[name].to_lowercase());
        }
        Ok(())
    }

    /// Reads `NAME=DEFAULT`.
    fn argument(&mut self, word: &Joined) {
        let text = word.value();
        let Some((name, default)) = text.split_once('=') else {
            self.arguments.remove(text);
            return;
        };
        let start = name.len() + 1;
        let quoted = ['"', '\''].into_iter().any(|quote| default.len() >= 2 && default.starts_with(quote) && default.ends_with(quote));
        let range = if quoted { start + 1..text.len() - 1 } else { start..text.len() };
        let default = word.slice(&range);
        let is_plain = !default.value().contains(['$', '\\', '"', '\'']);
        self.arguments.insert(name.to_owned(), is_plain.then_some(default));
    }

    /// Reads `--mount=type=bind,from=REFERENCE,…`.
    fn mount(&mut self, flag: &Joined) -> Result<(), Unreadable> {
        let Some(options) = flag.value().strip_prefix("--mount=") else { return Ok(()) };
        let mut at = flag.value().len() - options.len();
        for option in options.split(',') {
            if option.starts_with("from=") {
                self.other_stage(flag, at + "from=".len()..at + option.len(), "RUN --mount")?;
            }
            at += option.len() + 1;
        }
        Ok(())
    }

    /// Reads what is a stage, its number, a context that the build is given, or else a reference.
    fn other_stage(&mut self, word: &Joined, part: Range<usize>, path: &str) -> Result<(), Unreadable> {
        let value = word.slice(&part);
        let is_number = value.value().bytes().all(|byte| byte.is_ascii_digit());
        if is_number || self.is_stage(value.value()) {
            return Ok(());
        }
        let sure = value.value().contains([':', '@', '/']);
        self.reference(&value, path, sure)
    }

    fn is_stage(&self, name: &str) -> bool {
        name.eq_ignore_ascii_case("scratch") || self.stages.contains(&name.to_lowercase())
    }

    /// Reads a value with variables as a reference.
    fn reference(&mut self, written: &Joined, path: &str, sure: bool) -> Result<(), Unreadable> {
        let mut used = BTreeSet::new();
        let arguments = &self.arguments;
        let mut known = |name: &str| {
            let value = arguments.get(name)?;
            used.insert(name.to_owned());
            value.clone()
        };
        let value = if has_variables(written.value()) { expand(written, &mut known) } else { Some(written.clone()) };
        let finding = match &value {
            None => Err(MissReason::Variable),
            Some(value) if self.is_stage(value.value()) => return Ok(()),
            Some(value) => Finding::of(value, written.value(), path.to_owned(), Shape::Dockerfile, sure).ok_or(MissReason::NoReference),
        };
        let user = finding.is_ok().then_some(self.found.findings.len());
        for name in used {
            self.users.entry(name).or_default().push(user);
        }
        match finding {
            Ok(mut finding) => {
                // What is put together stands where it is, and not where its first piece comes from.
                let whole = value.as_ref().and_then(|value| value.in_text(&(0..value.value().len())));
                finding.at = whole.map_or(written.start(), |place| place.start);
                self.found.add(finding)
            }
            Err(reason) => {
                self.found.miss(written.start(), written.value(), reason);
                Ok(())
            }
        }
    }

    /// Locks what has its tag in an `ARG` that serves something else, too, which would move along.
    fn lock_shared(&mut self) {
        for (name, users) in &self.users {
            let Some(Some(argument)) = self.arguments.get(name) else { continue };
            let Some(place) = argument.in_text(&(0..argument.value().len())) else { continue };
            let findings: Vec<usize> = users.iter().copied().flatten().collect();
            let repository = |user: usize| self.found.findings.get(user).map(|finding| &finding.repository);
            let extent = |user: usize| self.found.findings.get(user).and_then(Finding::extent);
            let Some(&first) = findings.first() else { continue };
            // Two tell whether there are several.
            let second = findings.iter().copied().find(|&user| repository(user) != repository(first));
            let same = users.iter().all(|user| user.is_some_and(|user| extent(user) == extent(first)));
            let mut locks = Vec::new();
            for user in findings {
                if !extent(user).is_some_and(|extent| place.start <= extent.start && extent.end <= place.end) {
                    continue;
                }
                let other = if repository(user) == repository(first) { second } else { Some(first) };
                match other.and_then(repository) {
                    Some(other) => locks.push((user, Locked::Shared { with: other.clone() })),
                    None if same => {}
                    None => locks.push((user, Locked::Assembled)),
                }
            }
            for (user, reason) in locks {
                if let Some(finding) = self.found.findings.get_mut(user) {
                    finding.locked.get_or_insert(reason);
                }
            }
        }
    }
}

/// Visits the words of an instruction.
fn words(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = text.get(at..)?;
        let start = at + rest.find(|c: char| !c.is_whitespace())?;
        let rest = text.get(start..)?;
        at = start + rest.find(char::is_whitespace).unwrap_or(rest.len());
        Some(start..at)
    })
}

/// Shows a stage's name, shortened if nobody would call a stage so.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(100).collect()
}
