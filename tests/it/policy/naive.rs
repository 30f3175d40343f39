//! The conditions once more, slowly and plainly, by other means than the policy's own code: regular expressions over whole
//! tags. Says of a choice what is wrong with it; it knows the tags that the property tests make, and no others.

use regex::Regex;
use semver::Version;
use tagboat::image::Platform;
use tagboat::policy::{Config, Fact, Known, Moment, Order, Precision, Prerelease, Range, Step, Variant};

/// A version of the property tests.
struct Plain {
    prefix: String,
    numbers: Vec<String>,
    prerelease: String,
    rest: String,
}

/// Splits `v1.2.3-rc.1-alpine3.18` with one pattern.
fn plain(tag: &str) -> Option<Plain> {
    let pattern = r"^(?<prefix>v|release-)?(?<numbers>[0-9]+(?:[.][0-9]+)*)(?<pre>-rc[.]?[0-9]+|b[0-9]+|-alpha[.][0-9]+|-(?:SNAPSHOT|nightly|dev)(?:[-_][0-9]+|-[af]bc1234)?)?(?<rest>(?:-alpine[0-9.]+|-debian-11-r[0-9]+|-ls[0-9]+|_[0-9]+|-slim|-[af]bc1234|-20240101)?)$";
    let found = Regex::new(pattern).unwrap().captures(tag)?;
    let text = |name: &str| found.name(name).map_or("", |found| found.as_str()).to_owned();
    // A date or a serial number; neither is a version.
    if text("numbers").len() >= 6 && !text("numbers").contains('.') {
        return None;
    }
    let numbers = text("numbers").split('.').map(|number| number.trim_start_matches('0').to_owned()).collect();
    Some(Plain { prefix: text("prefix"), numbers, prerelease: text("pre"), rest: text("rest") })
}

/// Says what speaks against the move of a site at `current` to `to`, which is one of `tags`.
pub(super) fn satisfies(config: &Config, to: &str, current: Option<&str>, tags: &[String], fact: fn(&str) -> Fact) -> Result<(), String> {
    conditions(config, to, current, tags, &fact(to))?;
    let (Some(from), Some(there), Variant::Same) = (current.and_then(plain), plain(to), &config.variant) else { return Ok(()) };
    // The same version on the site's own base system: as good, and nearer.
    for other in tags.iter().filter(|_| from.rest.starts_with("-alpine") && there.rest != from.rest) {
        let is_it = plain(other)
            .is_some_and(|it| it.rest == from.rest && padded(&it.numbers) == padded(&there.numbers) && it.prerelease == there.prerelease);
        if is_it && conditions(config, other, current, tags, &fact(other)).is_ok() && reads_versions(config) {
            return Err(format!("{other} is on the base system of the site"));
        }
    }
    Ok(())
}

fn reads_versions(config: &Config) -> bool {
    matches!(config.order, Some(Order::Semver(_) | Order::Update(_))) && !config.strict
}

fn conditions(config: &Config, to: &str, current: Option<&str>, tags: &[String], fact: &Fact) -> Result<(), String> {
    let demand = |holds: bool, what: &str| if holds { Ok(()) } else { Err(what.to_owned()) };
    for pattern in &config.exclude {
        demand(!Regex::new(pattern).unwrap().is_match(to), "excluded")?;
    }
    if let Some(filter) = &config.filter {
        demand(Regex::new(filter).unwrap().is_match(to), "filter")?;
    }
    if let Some(min_age) = config.min_age {
        demand(matches!(&fact.age, Some(Known::Is(age)) if *age >= min_age), "age")?;
    }
    for wanted in &config.platforms {
        let wanted = Platform::parse(wanted).unwrap();
        let same = |there: &Platform| there.os == wanted.os && there.architecture == wanted.architecture;
        demand(matches!(&fact.platforms, Some(Known::Is(there)) if there.iter().any(same)), "platform")?;
    }
    if let Some(Order::Newest(moment)) = config.order {
        let time = if moment == Moment::Pushed { &fact.pushed } else { &fact.created };
        demand(matches!(time, Some(Known::Is(_))), "time")?;
    }
    if let Some(Order::Calver(form)) = &config.order {
        let pattern = match form.as_str() {
            "YYYY.MM.MICRO" => r"^[vV]?(?:199\d|20\d\d)[.](?:[1-9]|1[0-2])[.]\d+(?:$|\D)",
            "YYYY0M0D" => r"^[vV]?(?:199\d|20\d\d)(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:$|\D)",
            "YYYY-0M-0D" => r"^[vV]?(?:199\d|20\d\d)-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])(?:$|\D)",
            "YY.0M" => r"^[vV]?(?:\d|[1-9]\d)[.](?:0[1-9]|1[0-2])(?:$|\D)",
            other => panic!("{other}"),
        };
        demand(Regex::new(pattern).unwrap().is_match(to), "form")?;
    }
    if config.strict {
        demand(to.split('.').count() >= 3 && Version::parse(&spelled_out(to)).is_ok(), "semver")?;
    }
    if let (Some(current), Some(Order::Update(Step::Minor | Step::Major))) = (current, &config.order) {
        let padded = Regex::new(r"^(v|release-)?([1-9]\d|199\d|20\d\d)[.]0[1-9](\D|$)").unwrap();
        let month = Regex::new(r"^(v|release-)?([1-9]\d|199\d|20\d\d)[.]1[0-2](\D|$)").unwrap();
        let form =
            |text: &str, pattern: &Regex| pattern.captures(text).map(|found| (found.get(1).map(|v| v.as_str().to_owned()), found[2].len()));
        let beside = form(current, &month).is_some_and(|it| tags.iter().any(|tag| form(tag, &padded).is_some_and(|other| other == it)));
        demand(!padded.is_match(current) && !beside, "a calendar version")?;
    }
    let (to_text, Some(to)) = (to, plain(to).filter(|_| reads_versions(config))) else { return Ok(()) };
    let from = current.map(plain);
    // Of what this cannot read of the site it says nothing.
    if let Some(None) = from {
        return Ok(());
    }
    let from = from.flatten();
    if let Some(Order::Semver(range)) = &config.order
        && to.numbers.iter().all(|number| number.len() < 19)
        && to.prerelease.is_empty()
    {
        let number = |at: usize| to.numbers.get(at).filter(|n| !n.is_empty()).map_or(0, |number| number.parse().unwrap());
        demand(Range::parse(range).unwrap().matches(&Version::new(number(0), number(1), number(2))), "range")?;
    }
    demand(config.variant != Variant::Only("alpine".into()) || to.rest.starts_with("-alpine"), "variant")?;
    let names_a_prerelease = matches!(&config.order, Some(Order::Semver(range)) if range.contains('-'));
    let is_rc = to.prerelease.starts_with("-rc");
    let goes_on = from.as_ref().is_some_and(|from| !from.prerelease.is_empty() && padded(&from.numbers) == padded(&to.numbers));
    let allowed = match &config.prerelease {
        Prerelease::No => false,
        Prerelease::Any => true,
        Prerelease::Kinds(_) => is_rc,
    };
    let twin = |text: &str| text.strip_suffix("-dev").is_some_and(|twin| tags.iter().any(|tag| tag == twin));
    let is_pair = config.prerelease == Prerelease::No && config.variant == Variant::Same && current.is_some_and(twin);
    demand(!is_pair || twin(to_text), "the twin of another")?;
    demand(to.prerelease.is_empty() || allowed || names_a_prerelease || goes_on || is_pair, "prerelease")?;
    let Some(from) = from else { return Ok(()) };
    demand(config.precision == Precision::Any || to.numbers.len() == from.numbers.len(), "precision")?;
    demand((to.prefix == "release-") == (from.prefix == "release-"), "prefix")?;
    let letters = |rest: &str| rest.replace("fbc", "abc").chars().filter(char::is_ascii_alphabetic).collect::<String>();
    let blank = |rest: &str| (rest.is_empty(), letters(rest));
    demand(config.variant != Variant::Same || blank(&to.rest) == blank(&from.rest), "variant of the site")?;
    let (mut to, mut from) = (padded(&to.numbers), padded(&from.numbers));
    let stays = match config.order {
        Some(Order::Update(Step::Patch)) => 2,
        Some(Order::Update(Step::Minor)) => 1,
        _ => 0,
    };
    to.truncate(stays);
    from.truncate(stays);
    demand(to == from, "step")
}

/// Takes `v` and leading zeros from the numbers and gives them all three, which semver demands and Flux does not: it counts dots.
fn spelled_out(tag: &str) -> String {
    let tag = tag.strip_prefix('v').unwrap_or(tag);
    let (numbers, suffix) = tag.split_at(tag.find(['-', '+']).unwrap_or(tag.len()));
    let number = |n: &str| n.trim_start_matches('0').to_owned();
    let mut numbers: Vec<String> = numbers.split('.').map(number).map(|n| if n.is_empty() { "0".to_owned() } else { n }).collect();
    numbers.resize(numbers.len().max(3), "0".to_owned());
    format!("{}{suffix}", numbers.join("."))
}

/// Three numbers at least; missing ones are zero.
fn padded(numbers: &[String]) -> Vec<String> {
    numbers.iter().cloned().chain(std::iter::repeat_n(String::new(), 4)).take(4).collect()
}
