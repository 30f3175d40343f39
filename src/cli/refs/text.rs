//! What `tagboat refs` prints for people.

use std::collections::{BTreeMap, BTreeSet};

use anstyle::Style;

use super::super::output::{self, ADDED, FAINT, STRONG, WARNING, count};
use crate::engine::survey::{Covering, Found, NearMiss, Survey};
use crate::engine::{Skip, SkipReason};
use crate::image::Tag;
use crate::manifest::{Site, Unreadable};
use crate::redact::one_line;

/// How many tags are named in the head of a repository.
const MOST_TAGS: usize = 6;
/// Tags longer than this do not push what stands behind them to the right in all lines.
const WIDEST_TAG: usize = 24;
/// How much of a digest is shown, with its algorithm: as much as Docker shows.
const SHORT_DIGEST: usize = "sha256:".len() + 12;
/// How much of a name from outside is shown, in characters.
const LONGEST: usize = 1024;

macro_rules! out {
    ($($arg:tt)*) => { output::print_line(format!($($arg)*)) };
}

pub(super) fn print_environment(environment: Option<&str>) {
    if let Some(environment) = environment {
        out!("{STRONG}environment {environment}{STRONG:#}");
    }
}

/// Prints references grouped by repository, and counts the rest.
pub(super) fn print_survey(survey: &Survey, has_rules: bool) {
    let mut found: Vec<&Found> = survey.found.iter().collect();
    let place = |found: &Found| (found.site.line, found.site.column);
    found.sort_by(|a, b| (&a.site.repository, &a.file, place(a)).cmp(&(&b.site.repository, &b.file, place(b))));
    for group in found.chunk_by(|a, b| a.site.repository == b.site.repository) {
        print_group(group, has_rules);
    }
    let reasons = survey.missed.iter().map(|near| near.missed.why.to_string());
    print_counts("Not taken, though it looks like a reference (--missed lists it):", reasons);
    let reasons = survey.skips.iter().map(|skip| summary(&skip.reason).to_owned());
    print_counts("Files left alone (--skipped lists them):", reasons);
    let repositories: BTreeSet<_> = found.iter().map(|found| &found.site.repository).collect();
    let covered = found.iter().filter(|found| found.rule.is_some()).count();
    let watched = if has_rules { format!(", {covered} of them watched") } else { String::new() };
    let (missed, skips) = (survey.missed.len(), survey.skips.len());
    anstream::eprintln!(
        "{} to {} found{watched}; {missed} not taken, {} left alone",
        count(found.len(), "reference", "references"),
        count(repositories.len(), "repository", "repositories"),
        count(skips, "file", "files"),
    );
}

/// Prints the references to one repository.
fn print_group(group: &[&Found], has_rules: bool) {
    let Some(first) = group.first() else { return };
    let rules: BTreeSet<Option<&str>> = group.iter().map(|found| found.rule.as_ref().map(|rule| rule.policy.as_str())).collect();
    let is_mixed = rules.len() > 1;
    let mut head = format!("{STRONG}{}{STRONG:#}", first.site.repository);
    if group.len() > 1 {
        head.push_str(&format!("  {FAINT}{}{FAINT:#}", amount(group)));
    }
    if !is_mixed && has_rules {
        head.push_str(&format!("  {}", coverage(first.rule.as_ref())));
    }
    out!("{head}");
    let tags: Vec<String> = group.iter().map(|found| tag(&found.site)).collect();
    let width = tags.iter().map(|tag| tag.chars().count()).filter(|width| *width <= WIDEST_TAG).max().unwrap_or_default();
    for (found, tag) in group.iter().zip(tags) {
        let Found { file, site, rule } = found;
        let mut line = format!("  {tag:width$}  {}:{}:{}  {FAINT}{}", one_line(file, LONGEST), site.line, site.column, site.shape);
        if let Some(written) = written(site) {
            line.push_str(&format!("  {written}"));
        }
        line.push_str(&format!("{FAINT:#}"));
        if is_mixed {
            line.push_str(&format!("  {}", coverage(rule.as_ref())));
        }
        out!("{line}");
        if let Some(locked) = &site.locked {
            out!("  {:width$}  {WARNING}left alone{WARNING:#}: {locked}", "");
        } else if site.blank {
            out!("  {:width$}  {FAINT}its tag is empty and the chart's default rules; `fill = true` writes one{FAINT:#}", "");
        }
    }
}

/// Says how many references there are, and with which tags.
fn amount(group: &[&Found]) -> String {
    let tags: BTreeSet<&str> = group.iter().filter_map(|found| found.site.tag.as_ref()).map(Tag::as_str).collect();
    let mut named: Vec<&str> = tags.iter().copied().take(MOST_TAGS).collect();
    let more = format!("{} more", tags.len().saturating_sub(MOST_TAGS));
    if tags.len() > MOST_TAGS {
        named.push(&more);
    }
    let tags = if named.is_empty() { String::new() } else { format!(": {}", named.join(", ")) };
    format!("{}{tags}", count(group.len(), "reference", "references"))
}

fn coverage(rule: Option<&Covering>) -> String {
    match rule {
        Some(Covering { repository, policy }) => format!("{ADDED}watched{ADDED:#} {FAINT}by {repository}: {policy}{FAINT:#}"),
        None => format!("{WARNING}not watched{WARNING:#}"),
    }
}

/// Returns tag and digest, the latter cut short.
fn tag(site: &Site) -> String {
    let digest = site.digest.as_ref().map(|digest| format!("@{}", short(digest.as_str())));
    match (&site.tag, digest) {
        (Some(tag), digest) => format!("{tag}{}", digest.unwrap_or_default()),
        (None, Some(digest)) => digest,
        (None, None) => "(no tag)".to_owned(),
    }
}

fn short(digest: &str) -> String {
    digest.get(..SHORT_DIGEST).map_or_else(|| digest.to_owned(), |start| format!("{start}…"))
}

/// Returns the reference as it is written, unless that is nothing but the repository, tag and digest that stand above and before it.
fn written(site: &Site) -> Option<String> {
    let tag = site.tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
    let digest = site.digest.as_ref().map(|digest| format!("@{digest}")).unwrap_or_default();
    let written = one_line(&site.written, LONGEST);
    if written == format!("{}{tag}{digest}", site.repository) {
        return None;
    }
    Some(site.digest.as_ref().map_or_else(|| written.clone(), |digest| written.replace(digest.as_str(), &short(digest.as_str()))))
}

/// Prints how often each reason is given, the most frequent first.
fn print_counts(title: &str, reasons: impl Iterator<Item = String>) {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for reason in reasons {
        *counts.entry(reason).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|(a, most), (b, least)| (least, a).cmp(&(most, b)));
    let width = counts.first().map_or(0, |(_, most)| most.to_string().len());
    if width > 0 {
        out!("{STRONG}{title}{STRONG:#}");
    }
    for (reason, count) in counts {
        out!("  {count:>width$}  {reason}");
    }
}

/// Prints what was not taken, grouped by reason.
pub(super) fn print_missed(missed: &[NearMiss]) {
    let mut missed: Vec<&NearMiss> = missed.iter().collect();
    missed.sort_by_key(|near| near.missed.why);
    for group in missed.chunk_by(|a, b| a.missed.why == b.missed.why) {
        let Some(first) = group.first() else { continue };
        out!("{STRONG}{}{STRONG:#}", first.missed.why);
        for NearMiss { file, missed } in group {
            out!("  {}:{}:{}  {FAINT}{}{FAINT:#}", one_line(file, LONGEST), missed.line, missed.column, missed.shown);
        }
    }
}

pub(super) fn print_skips(skips: &[Skip]) {
    let style: Style = WARNING;
    for Skip { file, reason } in skips {
        out!("{}: {style}{reason}{style:#}", one_line(file, LONGEST));
    }
}

/// Says why a file is left alone, without what is particular to this one.
fn summary(reason: &SkipReason) -> &'static str {
    match reason {
        SkipReason::TooLarge | SkipReason::Unreadable(Unreadable::TooLarge { .. }) => "it is too large",
        SkipReason::Unreadable(Unreadable::NotYaml { .. }) => "it is no YAML or JSON, such as a template of Helm",
        SkipReason::Unreadable(Unreadable::NotUtf8 { .. } | Unreadable::Utf16 | Unreadable::Binary { .. }) => "it is no text in UTF-8",
        SkipReason::Unreadable(_) => "it holds more, or deeper, than anyone writes",
        SkipReason::PartlyRead(_) => "it is no YAML or JSON, and only its markers and what `[[file]]` finds are read",
        SkipReason::LfsPointer => "its content is kept by Git LFS",
        SkipReason::Encrypted => "it is encrypted with sops",
        SkipReason::Link => "it is a symbolic link",
        SkipReason::Submodule => "it is a submodule",
        SkipReason::NotRegular => "it is no regular file",
        SkipReason::Unopened(_) => "it cannot be opened",
        SkipReason::Odd => "its name or mode is none that Git checks out",
    }
}
