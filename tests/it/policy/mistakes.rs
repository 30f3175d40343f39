//! Mistakes in a policy: all of them, each with its key, its place and what to do.

use std::time::Duration;

use tagboat::policy::{Config, ConfigError, Direction::*, Moment, Order, Policy, Precision, Prerelease, Step::*, Variant};

use super::{alphabetical, numeric, semver, strict, update};

fn mistakes(config: Config) -> Vec<ConfigError> {
    Policy::new(config).err().unwrap_or_default()
}

#[test]
fn conditions_that_say_nothing_under_the_order() {
    let kinds = |words: &[&str]| Prerelease::Kinds(words.iter().map(|&w| w.to_owned()).collect());
    for (config, key, words) in [
        (Config { extract: Some("$1".into()), ..update(Minor) }, "extract", "`filter`, which is missing"),
        (Config { strict: true, ..update(Minor) }, "strict", "`strict` is for `semver`"),
        (Config { strict: true, ..numeric(Ascending) }, "strict", "`numeric` has no use for it"),
        (Config { strict: true, ..Config::default() }, "strict", "`update` has no use for it"),
        (Config { fill: true, ..update(Minor) }, "fill", "sites that have none"),
        (Config { fill: true, ..Config::default() }, "fill", "use an order such as `semver`"),
        (Config { variant: Variant::Any, ..strict("*") }, "variant", "leave out one of the two"),
        (Config { precision: Precision::Any, ..strict("*") }, "precision", "three numbers only"),
        (Config { prerelease: Prerelease::Any, ..numeric(Ascending) }, "prerelease", "does not read versions"),
        (Config { variant: Variant::Any, ..alphabetical(Ascending) }, "variant", "use `filter`"),
        (Config { precision: Precision::Any, ..alphabetical(Ascending) }, "precision", "use `filter`"),
        (Config { prerelease: kinds(&[]), ..update(Minor) }, "prerelease", "write `false`"),
        (Config { prerelease: kinds(&["rc", "foo"]), ..update(Minor) }, "prerelease", "`foo` is no kind of prerelease; known are alpha,"),
        (Config { prerelease: kinds(&["a1"]), ..strict("*") }, "prerelease", "`a1` is no kind"),
        (Config { variant: Variant::Only("a b".into()), ..update(Minor) }, "variant", "a tag holds only"),
        (Config { variant: Variant::Only("-alpine".into()), ..update(Minor) }, "variant", "without the separator"),
    ] {
        let errors = mistakes(config.clone());
        assert_eq!(errors.len(), 1, "{config:?}: {errors:?}");
        assert_eq!(errors[0].key, key, "{errors:?}");
        assert!(errors[0].message.contains(words), "{}", errors[0].message);
    }
    assert_eq!(mistakes(Config { prerelease: kinds(&["foo"]), ..strict("*") }), [], "strictly, any suffix is a prerelease");
}

#[test]
fn every_pair_of_an_order_and_a_condition_is_decided() {
    type Condition = (&'static str, fn(&mut Config));
    let conditions: [Condition; 12] = [
        ("filter", |config| config.filter = Some("(x)".into())),
        ("extract", |config| (config.filter, config.extract) = (Some("(x)".into()), Some("$1".into()))),
        ("exclude", |config| config.exclude = vec!["x".into()]),
        ("prerelease", |config| config.prerelease = Prerelease::Any),
        ("variant", |config| config.variant = Variant::Any),
        ("precision", |config| config.precision = Precision::Any),
        ("strict", |config| config.strict = true),
        ("min_age", |config| config.min_age = Some(Duration::from_secs(1))),
        ("platforms", |config| config.platforms = vec!["linux/amd64".into()]),
        ("pin_digest", |config| config.pin_digest = true),
        ("fill", |config| config.fill = true),
        ("downgrade", |config| config.downgrade = true),
    ];
    let order = |order| Config { order: Some(order), ..Config::default() };
    for (config, refused) in [
        (semver("*"), vec![]),
        (strict("*"), vec!["variant", "precision"]),
        (update(Minor), vec!["strict", "fill"]),
        (order(Order::Calver("YYYY.MM".into())), vec!["precision", "strict"]),
        (numeric(Ascending), vec!["prerelease", "variant", "precision", "strict"]),
        (alphabetical(Ascending), vec!["prerelease", "variant", "precision", "strict"]),
        (order(Order::Newest(Moment::Pushed)), vec!["extract", "prerelease", "variant", "precision", "strict"]),
        (
            order(Order::Digest("stable".into())),
            vec!["filter", "extract", "exclude", "prerelease", "variant", "precision", "strict", "pin_digest", "downgrade"],
        ),
    ] {
        for (key, set) in conditions {
            let mut config = config.clone();
            set(&mut config);
            let keys: Vec<_> = mistakes(config.clone()).iter().map(|error| error.key).collect();
            assert_eq!(keys.contains(&key), refused.contains(&key), "{key} under {:?}: {keys:?}", config.order);
        }
    }
}

#[test]
fn mistakes_in_forms_tags_and_platforms_have_a_place() {
    let order = |order| Config { order: Some(order), ..Config::default() };
    for (config, key, index, span) in [
        (order(Order::Calver("YYYY.HH".into())), "calver", None, Some(5..7)),
        (order(Order::Digest("a tag".into())), "digest", None, None),
        (Config { platforms: vec!["linux/amd64".into(), "amd64".into()], ..update(Minor) }, "platforms", Some(1), None),
    ] {
        let errors = mistakes(config.clone());
        assert_eq!(errors.len(), 1, "{config:?}");
        assert_eq!((errors[0].key, errors[0].index, errors[0].span.clone()), (key, index, span), "{errors:?}");
    }
}

#[test]
fn mistakes_in_ranges_have_a_place() {
    for (range, span, words) in [
        ("", 0..0, "a range is missing"),
        ("^1 ||", 5..5, "a range is missing"),
        ("|| 1", 0..0, "a range is missing"),
        (">=1,,<2", 4..5, "a number or `*` should stand before `,`"),
        ("==1", 1..3, "should stand before `=1`"),
        ("^1.2.3.4", 1..8, "at most three numbers"),
        (">= bar", 3..6, "should stand before `bar`"),
        ("1.0.0p", 5..6, "a version ends before `p`"),
        (">=1<2", 3..5, "ends before `<2`"),
        (">=1,", 3..4, "missing after the comma"),
        ("1.2.3-beta.01", 5..13, "`beta.01` is not a prerelease"),
        (">1 - 2", 0..2, "no operators"),
        ("^", 1..1, "the range ends where"),
        ("1.99999999999999999999", 2..22, "larger than"),
        ("1.é2", 2..5, "should stand before `é2`"),
        ("1 latest 2", 2..8, "before `latest`"),
    ] {
        let errors = mistakes(semver(range));
        assert_eq!(errors.len(), 1, "{range}");
        assert_eq!((errors[0].key, errors[0].span.clone()), ("semver", Some(span)), "{range}: {}", errors[0].message);
        assert!(errors[0].message.contains(words), "{range}: {}", errors[0].message);
    }
}

#[test]
fn mistakes_in_patterns_have_a_place() {
    for (pattern, span) in [
        ("^test-(.*", Some(6..7)),
        ("[=", Some(0..1)),
        ("a{2,1}", Some(1..6)),
        ("é(", Some(2..3)),
        (r"\p{Nope}", Some(0..8)),
        ("a{1000}{1000}", None),
    ] {
        let errors = mistakes(Config { filter: Some(pattern.into()), ..update(Minor) });
        assert_eq!(errors.len(), 1, "{pattern}");
        assert_eq!((errors[0].key, errors[0].span.clone()), ("filter", span), "{pattern}: {}", errors[0].message);
        assert!(!errors[0].message.contains('\n'), "{pattern}: {}", errors[0].message);
    }
    let errors = mistakes(Config { exclude: vec!["ok".into(), "(".into()], ..update(Minor) });
    assert_eq!((errors.len(), errors[0].key, errors[0].index), (1, "exclude", Some(1)));
}

#[test]
fn a_pattern_that_would_fill_the_memory_is_refused() {
    let errors = mistakes(Config { filter: Some(r"(\w{100}){100}".into()), ..update(Minor) });
    assert!(errors[0].message.contains("when compiled"), "{errors:?}");
}

#[test]
fn all_mistakes_at_once() {
    let config = Config {
        order: Some(Order::Semver("nope".into())),
        filter: Some("(x)".into()),
        extract: Some("$2".into()),
        exclude: vec!["(".into(), "[".into()],
        prerelease: Prerelease::Kinds(vec!["rc1".into()]),
        variant: Variant::Any,
        precision: Precision::Any,
        strict: true,
        min_age: Some(Duration::from_secs(1)),
        platforms: vec!["linux".into()],
        pin_digest: true,
        fill: true,
        downgrade: true,
    };
    let mut keys: Vec<_> = mistakes(config).iter().map(|error| (error.key, error.index)).collect();
    keys.sort_unstable();
    assert_eq!(
        keys,
        [
            ("exclude", Some(0)),
            ("exclude", Some(1)),
            ("extract", None),
            ("platforms", Some(0)),
            ("precision", None),
            ("prerelease", Some(0)),
            ("semver", None),
            ("variant", None)
        ]
    );
}
