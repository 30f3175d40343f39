//! The policy table of an image.

use serde_json::{Value as Json, json};

use super::read::{Context, Keys, Located, Read, ReadTable};
use super::source::{Node, Value};
use super::values::{Age, Choice, OneOf};
use crate::policy::{Config, ConfigError, Direction, Moment, Order, Policy, Precision, Prerelease, Step, Variant};

const ORDERS: &[&str] = &["semver", "update", "calver", "numeric", "alphabetical", "newest", "digest"];

impl ReadTable for Policy {
    fn read(keys: &mut Keys<'_, '_, '_>) -> Option<Self> {
        let order = order(keys);
        let filter = keys.optional::<String>("filter", "A regular expression that tags must match.", "'^main-(?P<build>\\d+)$'");
        let extract = keys.optional::<String>("extract", "What the order compares, made from the groups of `filter`.", r#""$build""#);
        let exclude = keys.optional::<Vec<String>>("exclude", "Regular expressions of tags that are never taken.", "['-debug$']");
        let prerelease = keys.defaulted::<Prerelease>(
            "prerelease",
            "Whether prereleases may be taken: false, true, or a list of the kinds that may.",
            "false",
            r#"["rc"]"#,
        );
        let variant = keys.defaulted::<Variant>(
            "variant",
            "Which variants may be taken: \"same\" as the site's current tag, \"any\", or one such as \"alpine\".",
            r#""same""#,
            r#""alpine""#,
        );
        let precision = keys.defaulted::<OneOf<Precision>>(
            "precision",
            "How many numeric parts a tag has: the \"same\" number as the current tag or \"any\".",
            r#""same""#,
            r#""any""#,
        );
        let strict = keys.defaulted::<bool>(
            "strict",
            "Read the whole tag as a semantic version, as Flux does: its suffix is a prerelease.",
            "false",
            "true",
        );
        let min_age = keys.optional::<Age>(
            "min_age",
            "Only tags that were first seen, or pushed, at least this long ago; a tag that moves starts anew.",
            r#""3d""#,
        );
        let platforms =
            keys.optional::<Vec<String>>("platforms", "Platforms that an image must all have.", r#"["linux/amd64", "linux/arm64"]"#);
        let pin_digest = keys.defaulted::<bool>(
            "pin_digest",
            "Write the digest along: `tag@sha256:…`, or a `digest` of its own beside a `tag`.",
            "false",
            "true",
        );
        let fill = keys.defaulted::<bool>("fill", "Write a tag also where its place stands empty, as in `tag: \"\"`.", "false", "true");
        let downgrade = keys.defaulted::<bool>("downgrade", "Let the policy lower a site that is ahead of it.", "false", "true");
        // A template whose filter could not even be read would be blamed for the filter's absence.
        let extract = extract.filter(|_| filter.is_some() || !keys.has("filter"));
        let config = Config {
            order,
            filter,
            extract,
            exclude: exclude.unwrap_or_default(),
            prerelease: prerelease.unwrap_or_default(),
            variant: variant.unwrap_or_default(),
            precision: precision.map(|p| p.0).unwrap_or_default(),
            strict: strict.unwrap_or_default(),
            min_age: min_age.map(|age| age.0),
            platforms: platforms.unwrap_or_default(),
            pin_digest: pin_digest.unwrap_or_default(),
            fill: fill.unwrap_or_default(),
            downgrade: downgrade.unwrap_or_default(),
        };
        match Policy::new(config) {
            Ok(policy) => Some(policy),
            Err(errors) => {
                errors.iter().for_each(|error| locate(error, keys));
                None
            }
        }
    }
}

fn order(keys: &mut Keys<'_, '_, '_>) -> Option<Order> {
    let semver = keys.optional::<String>("semver", "Order: the highest version in this range.", r#""^1.4""#);
    let update = keys.optional::<OneOf<Step>>(
        "update",
        "Order: the highest version within this step of the site's current tag. Default: \"minor\", if no order is given.",
        r#""minor""#,
    );
    let calver = keys.optional::<String>(
        "calver",
        "Order: the latest calendar version of this form, of YYYY, YY, 0Y, MM, 0M, WW, 0W, DD, 0D, MAJOR, MINOR, MICRO and MODIFIER.",
        r#""YYYY.0M.0D""#,
    );
    let numeric = keys.optional::<OneOf<Direction>>(
        "numeric",
        "Order: the greatest number (\"ascending\") or the least (\"descending\"), exact at any length.",
        r#""ascending""#,
    );
    let alphabetical = keys.optional::<OneOf<Direction>>(
        "alphabetical",
        "Order: the last in byte order (\"ascending\") or the first (\"descending\").",
        r#""ascending""#,
    );
    let newest = keys.optional::<OneOf<Moment>>(
        "newest",
        "Order: the tag that was \"pushed\" last, where the registry tells, or whose image was \"created\" last.",
        r#""pushed""#,
    );
    let digest = keys.optional::<String>("digest", "Order: this tag, followed by digest.", r#""latest""#);
    keys.at_most_one(ORDERS, "a policy has one order");
    let unread = ORDERS.iter().any(|name| keys.has(name)).then(|| Order::Semver("*".to_owned()));
    semver
        .map(Order::Semver)
        .or_else(|| update.map(|step| Order::Update(step.0)))
        .or_else(|| calver.map(Order::Calver))
        .or_else(|| numeric.map(|direction| Order::Numeric(direction.0)))
        .or_else(|| alphabetical.map(|direction| Order::Alphabetical(direction.0)))
        .or_else(|| newest.map(|moment| Order::Newest(moment.0)))
        .or_else(|| digest.map(Order::Digest))
        // An order that could not be read has been told; the conditions are not to be blamed for its absence.
        .or(unread)
}

/// Brings a mistake that the policy found to the value, or the part of it, that it is about.
fn locate(error: &ConfigError, keys: &mut Keys<'_, '_, '_>) {
    let node = keys.node(error.key).map(|node| match (&node.value, error.index) {
        (Value::List(items), Some(index)) => items.get(index).unwrap_or(node),
        _ => node,
    });
    let at = match (node, &error.span) {
        (Some(Node { at, value: Value::Text(text) }), Some(span)) => keys.context.part(*at, text, span),
        (Some(node), _) => node.at,
        (None, _) => keys.at,
    };
    keys.context.mistake::<()>(at, crate::redact::one_line(&error.message, 400), None);
}

impl Read for Prerelease {
    fn schema() -> Json {
        json!({ "oneOf": [{ "type": "boolean" }, <Vec<String> as Read>::schema()] })
    }

    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        match node.value {
            Value::Boolean(false) => Some(Self::No),
            Value::Boolean(true) => Some(Self::Any),
            Value::List(_) => Vec::<String>::read(node, context).map(Self::Kinds),
            _ => context.expected("true, false or an array of kinds", node),
        }
    }
}

impl Read for Variant {
    fn schema() -> Json {
        String::schema()
    }

    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        let Located { value, .. } = Located::<String>::read(node, context)?;
        Some(match value.as_str() {
            "same" => Self::Same,
            "any" => Self::Any,
            _ => Self::Only(value),
        })
    }
}

impl Choice for Step {
    const CHOICES: &'static [(&'static str, Self)] = &[("patch", Self::Patch), ("minor", Self::Minor), ("major", Self::Major)];
}

impl Choice for Direction {
    const CHOICES: &'static [(&'static str, Self)] = &[("ascending", Self::Ascending), ("descending", Self::Descending)];
}

impl Choice for Precision {
    const CHOICES: &'static [(&'static str, Self)] = &[("same", Self::Same), ("any", Self::Any)];
}

impl Choice for Moment {
    const CHOICES: &'static [(&'static str, Self)] = &[("pushed", Self::Pushed), ("created", Self::Created)];
}
