//! How an explanation is told: as a table with its conclusion, or as JSON.

use std::borrow::Cow;
use std::fmt::Write;

use anstyle::Style;
use serde_json::json;

use super::Case;
use crate::cli::output::{ADDED, FAINT, HINT, STRONG, count, is_closed, out};
use crate::engine::Place;
use crate::image::Tag;
use crate::policy::{Decision, Explanation, Keep, Outcome, Policy, Reading, Verdict};
use crate::registry::Omitted;

/// Cells longer than this push the next one aside, rather than those of all rows.
const WIDEST: usize = 48;
/// So many rows are printed at once: printing each costs more than judging it.
const ROWS: usize = 200;

/// One case, explained.
pub(super) struct Section<'a> {
    pub(super) case: &'a Case<'a>,
    pub(super) policy: &'a Policy,
    pub(super) explanation: &'a Explanation,
    pub(super) omitted: Omitted,
    /// The environments that could not be looked at.
    pub(super) unread: &'a [&'a str],
    /// Whether to show how each tag is read.
    pub(super) parts: bool,
}

impl Section<'_> {
    pub(super) fn as_json(&self) -> anyhow::Result<()> {
        let Self { case, policy, explanation, omitted, unread, parts } = self;
        let place = |place: &Place<'_>| json!({ "environment": place.environment, "file": place.file, "line": place.site.line, "path": place.site.path });
        let held = case.hold.as_ref().map(|hold| {
            json!({
                "tag": hold.tag.as_str(),
                "digest": hold.digest.as_ref().map(ToString::to_string),
                "written_in": hold.commit,
                "reverted_in": hold.reverted,
            })
        });
        out!(
            "{:#}",
            json!({
                "repository": case.repository.to_string(),
                "policy": policy.to_string(),
                "covered": case.rule.is_some(),
                "rule": case.rule.map(|rule| rule.repository.to_string()),
                "current": case.current.as_ref().map(Tag::as_str),
                "digest": case.digest.as_ref().map(ToString::to_string),
                "places": case.places.iter().map(place).collect::<Vec<_>>(),
                "held": held,
                "unread_environments": unread,
                "decision": explanation.decision,
                "change": explanation.change,
                "tags": explanation.verdicts.iter().map(|verdict| described(verdict, *parts)).collect::<Result<Vec<_>, _>>()?,
                "omitted": { "generated": omitted.generated, "invalid": omitted.invalid },
            })
        );
        Ok(())
    }

    /// Prints the table on standard output, under a head where it is one of several, and the conclusion on standard error.
    pub(super) fn as_text(&self, index: usize, sections: usize, offline: bool) {
        let Self { case, policy, explanation, omitted, .. } = self;
        let name = case.current.as_ref().map_or_else(|| case.repository.to_string(), |tag| format!("{}:{tag}", case.repository));
        let at = at(&case.places);
        if sections > 1 {
            out!("{}{STRONG}{name}{STRONG:#}{FAINT}{at}{FAINT:#}", if index > 0 { "\n" } else { "" });
        }
        self.print_rows();
        if let Some(change) = &explanation.change {
            anstream::eprintln!("the choice changes by itself: {change}");
        }
        if !omitted.is_empty() {
            anstream::eprintln!("left out: {omitted}");
        }
        let origin = match case.rule {
            Some(rule) => format!(" (by the rule for {})", rule.repository),
            None => " (the default: no rule covers this repository)".to_owned(),
        };
        let from = case.current.as_ref().map_or_else(|| "no current tag".to_owned(), |tag| format!("current tag {tag}"));
        let at = if sections > 1 { "" } else { &at };
        let decision = &explanation.decision;
        anstream::eprintln!("{STRONG}{}{STRONG:#}: {policy}{origin}, {from}{at}: {STRONG}{decision}{STRONG:#}", case.repository);
        match decision {
            Decision::Keep(Keep::Held { hold, .. }) if hold.digest.is_none() => {
                anstream::eprintln!(
                    "{HINT}hint{HINT:#}: it moves on once there is something newer than {0}, or when {0} is put back",
                    hold.tag
                );
            }
            Decision::Move { .. } if offline && case.rule.is_some() => {
                anstream::eprintln!("{HINT}hint{HINT:#}: what is held in the environments is not looked at with --tags");
            }
            Decision::Wanting(_) if offline => {
                anstream::eprintln!("{HINT}hint{HINT:#}: a plain list says no more than names; without --tags the registry is asked");
            }
            Decision::Keep(Keep::NoCurrent) => {
                anstream::eprintln!("{HINT}hint{HINT:#}: name the tag to start from, as in {}:TAG", case.repository);
            }
            _ => {}
        }
    }

    fn is_current(&self, verdict: &Verdict) -> bool {
        self.case.current.as_ref() == Some(&verdict.tag)
    }

    /// Says what became of a tag, given whether any is chosen.
    fn words<'v>(&self, verdict: &'v Verdict, chosen: bool) -> Cow<'v, str> {
        match &verdict.outcome {
            Outcome::Eligible if self.is_current(verdict) => "the current tag".into(),
            Outcome::Eligible if !chosen => "allowed, but nothing can be chosen".into(),
            Outcome::Rejected(reason) => reason.text().into(),
            other => other.to_string().into(),
        }
    }

    fn print_rows(&self) {
        let verdicts = &self.explanation.verdicts;
        let chosen = verdicts.iter().any(|verdict| verdict.outcome == Outcome::Chosen);
        // Tags are ASCII, and so as wide as long.
        let width = |verdict: &Verdict| verdict.tag.as_str().len() + verdict.extracted.as_ref().map_or(0, |text| text.len() + 6);
        let wide = verdicts.iter().map(width).filter(|width| *width <= WIDEST).max().unwrap_or(0);
        let long = |verdict: &Verdict| self.words(verdict, chosen).len();
        let said = if self.parts { verdicts.iter().map(long).filter(|width| *width <= WIDEST).max().unwrap_or(0) } else { 0 };
        for rows in verdicts.chunks(ROWS) {
            if is_closed() {
                return;
            }
            let mut text = String::new();
            for verdict in rows {
                let style = style(&verdict.outcome);
                let _ = write!(text, "{style}{:<4}{}", mark(&verdict.outcome, self.is_current(verdict)), verdict.tag);
                if let Some(extracted) = &verdict.extracted {
                    let _ = write!(text, " (as {extracted})");
                }
                let _ = write!(text, "{:1$}", "", wide.saturating_sub(width(verdict)) + 2);
                let words = self.words(verdict, chosen);
                let _ = match self.parts {
                    true => writeln!(text, "{words:said$}  {}{style:#}", parts_of(verdict)),
                    false => writeln!(text, "{words}{style:#}"),
                };
            }
            text.pop();
            out!("{text}");
        }
    }
}

fn mark(outcome: &Outcome, is_current: bool) -> &'static str {
    match (outcome, is_current) {
        (Outcome::Chosen, true) => "->*",
        (Outcome::Chosen, false) => "->",
        (_, true) => "*",
        (_, false) => "",
    }
}

fn style(outcome: &Outcome) -> Style {
    match outcome {
        Outcome::Chosen => ADDED,
        Outcome::Eligible => HINT,
        Outcome::Rejected(_) => FAINT,
    }
}

/// Says where an image stands: ` at prod a/b.yaml:3 and 2 more places`.
fn at(places: &[Place<'_>]) -> String {
    let Some(Place { environment, file, site, .. }) = places.first() else { return String::new() };
    let more = match places.len() - 1 {
        0 => String::new(),
        more => format!(" and {}", count(more, "more place", "more places")),
    };
    format!(" at {environment} {file}:{}{more}", site.line)
}

/// The parts of a tag, or of what was compared in its place; none if it cannot be read.
fn read(verdict: &Verdict) -> Option<[(&'static str, String); 5]> {
    let reading = Reading::of(verdict.extracted.as_deref().unwrap_or(verdict.tag.as_str())).ok()?;
    Some([
        ("prefix", reading.prefix().to_string()),
        ("numbers", reading.numbers().to_string()),
        ("prerelease", reading.prerelease().to_string()),
        ("build", reading.build().to_string()),
        ("variant", reading.variant().to_string()),
    ])
}

/// Returns a verdict for machines, with the parts of the tag if these are wanted.
fn described(verdict: &Verdict, parts: bool) -> serde_json::Result<serde_json::Value> {
    let mut described = serde_json::to_value(verdict)?;
    if parts {
        let parts = read(verdict).map(|parts| parts.into_iter().map(|(name, part)| (name.to_owned(), json!(part))));
        described["parts"] = parts.map_or(serde_json::Value::Null, |parts| serde_json::Value::Object(parts.collect()));
    }
    Ok(described)
}

/// Shows how a tag is read: `numbers 1.2.3, variant alpine`.
fn parts_of(verdict: &Verdict) -> String {
    let Some(parts) = read(verdict) else { return "not read".to_owned() };
    let said = parts.into_iter().filter(|(_, part)| !part.is_empty()).map(|(name, part)| format!("{name} {part}"));
    said.collect::<Vec<_>>().join(", ")
}
