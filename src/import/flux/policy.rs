//! ImagePolicy: which tag of an ImageRepository is chosen.

use super::fields::{Fields, full_name};
use super::input::Input;
use super::repository::{Scan, Scans};
use crate::import::{Line, Object, Remark, shown};
use crate::policy::{Config, Direction, Order, Policy};

/// What an ImagePolicy says, with the ImageRepository that it is about.
pub(super) struct Choice<'a, 's> {
    pub(super) object: &'a Object,
    pub(super) scan: &'s Scan<'a>,
    /// The keys of the policy table.
    pub(super) policy: Vec<Line>,
    pub(super) is_suspended: bool,
}

const KNOWN: &[&str] = &["imageRepositoryRef", "policy", "filterTags", "digestReflectionPolicy", "interval", "suspend"];

/// Reads an ImagePolicy; one that is broken is told and left out.
pub(super) fn choice<'a, 's>(
    object: &'a Object,
    input: &Input<'a>,
    scans: &'s Scans<'a>,
    remarks: &mut Vec<Remark>,
) -> Option<Choice<'a, 's>> {
    let mut fields = Fields::new(object, remarks);
    fields.only(KNOWN);
    let scan = scan(&mut fields, input, scans)?;
    let is_suspended = fields.is_on("spec.suspend");
    let digest = fields.text("spec.digestReflectionPolicy").unwrap_or("Never");
    if !matches!(digest, "Never" | "IfNotPresent" | "Always") {
        return fields.broken("spec.digestReflectionPolicy", format!("`{}` is none of Never, IfNotPresent and Always", shown(digest)));
    }
    if fields.duration("spec.interval").is_some() {
        fields.note("spec.interval", "a digest is looked at whenever the repository is listed", "see `interval` of the [[image]]");
    }
    let pattern = fields.text("spec.filterTags.pattern");
    let extract = fields.text("spec.filterTags.extract");
    let order = order(&mut fields)?;
    if fields.is_broken {
        return None;
    }
    if let Some(tag) = pattern.filter(|_| digest == "Always" && extract.is_none()).and_then(only_tag) {
        return Some(Choice { object, scan, policy: vec![Line::text("digest", &tag)], is_suspended });
    }
    let config = Config {
        filter: pattern.map(str::to_owned),
        extract: extract.map(str::to_owned),
        exclude: exclude(scan, &order),
        strict: matches!(order, Order::Semver(_)),
        order: Some(order),
        ..Config::default()
    };
    let mut policy = lines(&config);
    check(config, &mut fields)?;
    policy.extend((digest != "Never").then(|| Line::new("pin_digest", "true")));
    if digest == "Always" {
        let reason = "`pin_digest` writes the digest together with a new tag; one that is pushed again keeps the digest it had";
        fields.lost("spec.digestReflectionPolicy", reason, "the order `digest`, where one tag is followed");
    }
    Some(Choice { object, scan, policy, is_suspended })
}

fn scan<'a, 's>(fields: &mut Fields<'a, '_>, input: &Input<'a>, scans: &'s Scans<'a>) -> Option<&'s Scan<'a>> {
    const FIELD: &str = "spec.imageRepositoryRef";
    let name = fields.needed("spec.imageRepositoryRef.name", "it names no ImageRepository, so it is left out")?;
    let namespace = fields.namespace_of(FIELD);
    let Some(object) = input.repositories.find(namespace, name) else {
        let reason = format!("the ImageRepository {} is not among the input, so the policy is left out", full_name(namespace, name));
        return fields.broken(FIELD, reason);
    };
    let scan = scans.of(object);
    if scan.is_none() {
        return fields.broken(FIELD, format!("the {} is broken, so the policy is left out", object.title()));
    }
    scan
}

/// Reads the order. Of several, Flux takes the first of semver, alphabetical and numerical.
fn order(fields: &mut Fields<'_, '_>) -> Option<Order> {
    const ORDERS: [&str; 3] = ["semver", "alphabetical", "numerical"];
    let mut given = ORDERS.into_iter().filter(|order| fields.has(&format!("spec.policy.{order}"))).collect::<Vec<_>>().into_iter();
    let Some(order) = given.next() else {
        return fields.broken("spec.policy", "it has none of semver, alphabetical and numerical, so it is left out");
    };
    for other in given {
        fields.note(&format!("spec.policy.{other}"), &format!("Flux does not use it either, beside `{order}`"), "");
    }
    if order == "semver" {
        let range = fields.needed("spec.policy.semver.range", "there is no range, so the policy is left out")?;
        return Some(Order::Semver(range.to_owned()));
    }
    let field = format!("spec.policy.{order}.order");
    let direction = match fields.text(&field).unwrap_or("asc") {
        "asc" => Direction::Ascending,
        "desc" => Direction::Descending,
        other => return fields.broken(&field, format!("`{}` is neither asc nor desc, so the policy is left out", shown(other))),
    };
    Some(if order == "numerical" { Order::Numeric(direction) } else { Order::Alphabetical(direction) })
}

/// Returns the tags that are not taken. Flux leaves cosign's signatures out, if it is not told otherwise; by number or version they
/// are never read anyway.
fn exclude(scan: &Scan<'_>, order: &Order) -> Vec<String> {
    match (&scan.exclude, order) {
        (Some(patterns), _) => patterns.iter().copied().map(str::to_owned).collect(),
        (None, Order::Alphabetical(_)) => vec![r"^.*\.sig$".to_owned()],
        (None, _) => Vec::new(),
    }
}

/// Writes the keys of a policy.
fn lines(config: &Config) -> Vec<Line> {
    let order = match &config.order {
        Some(Order::Semver(range)) => Some(Line::text("semver", range)),
        Some(Order::Numeric(direction)) => Some(Line::text("numeric", &direction.to_string())),
        Some(Order::Alphabetical(direction)) => Some(Line::text("alphabetical", &direction.to_string())),
        _ => None,
    };
    let text = |key, text: &Option<String>| text.as_ref().map(|text| Line::text(key, text));
    let strict = config.strict.then(|| Line::new("strict", "true"));
    let exclude = (!config.exclude.is_empty()).then(|| Line::texts("exclude", &config.exclude));
    [order, strict, text("filter", &config.filter), text("extract", &config.extract), exclude].into_iter().flatten().collect()
}

/// Has the policy checked, so that a mistake is told of the field that it is in.
fn check(config: Config, fields: &mut Fields<'_, '_>) -> Option<()> {
    let errors = Policy::new(config).err().unwrap_or_default();
    for error in &errors {
        let field = match error.key {
            "semver" => "spec.policy.semver.range",
            "filter" => "spec.filterTags.pattern",
            "extract" => "spec.filterTags.extract",
            "exclude" => "spec.imageRepositoryRef (its exclusionList)",
            _ => "spec.policy",
        };
        fields.broken::<()>(field, format!("{}; the policy is left out", error.message));
    }
    errors.is_empty().then_some(())
}

/// Returns the one tag that a pattern such as `^latest$` matches.
fn only_tag(pattern: &str) -> Option<String> {
    let text = pattern.strip_prefix('^')?.strip_suffix('$')?.replace(r"\.", "\u{0}").replace(r"\-", "-");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '\u{0}');
    (!text.is_empty() && text.chars().all(is_plain)).then(|| text.replace('\u{0}', "."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_of_one_tag_is_known() {
        for (pattern, tag) in [
            ("^latest$", Some("latest")),
            (r"^1\.2-alpine$", Some("1.2-alpine")),
            ("latest", None),
            ("^1.2$", None),
            ("^a|b$", None),
            ("^$", None),
            (r"^\d$", None),
        ] {
            assert_eq!(only_tag(pattern).as_deref(), tag, "{pattern}");
        }
    }
}
