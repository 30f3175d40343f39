//! Which conditions say nothing, or the opposite, under which orders.
//!
//! One table, so that every pair of an order and a condition is decided in one place; what is not in it makes sense.

use super::{Config, ConfigError, Order, Precision, Prerelease, Variant};

/// Orders under which some conditions make no sense, and why. In the words `{order}` and `{key}` stand for the two.
struct Senseless {
    orders: &'static [&'static str],
    keys: &'static [&'static str],
    why: &'static str,
}

/// The name in the table of `semver` with `strict`.
const STRICT: &str = "strict";

const SENSELESS: &[Senseless] = &[
    Senseless { orders: &[STRICT], keys: &["variant"], why: "`strict` reads a variant as a prerelease; leave out one of the two" },
    Senseless { orders: &[STRICT], keys: &["precision"], why: "`strict` reads versions of three numbers only; leave out one of the two" },
    Senseless {
        orders: &["update", "calver", "numeric", "alphabetical", "newest", "digest"],
        keys: &["strict"],
        why: "`strict` is for `semver`; `{order}` has no use for it",
    },
    Senseless { orders: &["calver"], keys: &["precision"], why: "the form of `calver` says which numbers a tag has; leave out `{key}`" },
    Senseless {
        orders: &["numeric", "alphabetical", "newest"],
        keys: &["prerelease", "variant", "precision"],
        why: "`{order}` does not read versions, so it cannot tell one {key} from another; use `filter`",
    },
    Senseless { orders: &["newest"], keys: &["extract"], why: "`newest` compares times and no text; leave out `extract`" },
    Senseless {
        orders: &["digest"],
        keys: &["filter", "extract", "exclude", "prerelease", "variant", "precision"],
        why: "`digest` names the only tag that is taken, so `{key}` has nothing to choose from",
    },
    Senseless {
        orders: &["digest"],
        keys: &["downgrade"],
        why: "`digest` follows a tag wherever it points, so no digest is lower than another; leave out `downgrade`",
    },
    Senseless {
        orders: &["update"],
        keys: &["fill"],
        why: "`update` goes on from the tag that a site has, and `{key}` is about sites that have none; use an order such as `semver`",
    },
    Senseless { orders: &["digest"], keys: &["pin_digest"], why: "`digest` writes the digest anyway; leave out `pin_digest`" },
];

/// Finds conditions that make no sense under the order.
pub(super) fn check(order: &Order, config: &Config, errors: &mut Vec<ConfigError>) {
    let name = if config.strict && matches!(order, Order::Semver(_)) { STRICT } else { order.name() };
    for (key, _) in given(config).into_iter().filter(|(_, is_given)| *is_given) {
        let senseless = SENSELESS.iter().find(|senseless| senseless.orders.contains(&name) && senseless.keys.contains(&key));
        if let Some(Senseless { why, .. }) = senseless {
            errors.push(ConfigError::new(key, why.replace("{order}", name).replace("{key}", key)));
        }
    }
}

/// All conditions, and whether the configuration says something by them.
fn given(config: &Config) -> [(&'static str, bool); 12] {
    [
        ("filter", config.filter.is_some()),
        ("extract", config.extract.is_some()),
        ("exclude", !config.exclude.is_empty()),
        ("prerelease", config.prerelease != Prerelease::No),
        ("variant", config.variant != Variant::Same),
        ("precision", config.precision != Precision::Same),
        ("strict", config.strict),
        ("min_age", config.min_age.is_some()),
        ("platforms", !config.platforms.is_empty()),
        ("pin_digest", config.pin_digest),
        ("fill", config.fill),
        ("downgrade", config.downgrade),
    ]
}
