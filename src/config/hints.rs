//! What is no mistake, yet most likely not what was meant.

use std::collections::{BTreeMap, BTreeSet};

use super::environments::default_author;
use super::images::Image;
use super::read::{Context, Located, printable};
use crate::engine::EnvironmentConfig;
use crate::image::{Repository, RepositoryPattern};

/// Names the environments whose commits a forge may refuse for their author.
pub(super) fn unknown_authors(environments: &[EnvironmentConfig]) -> Option<String> {
    let author = default_author();
    let unset = |environment: &&EnvironmentConfig| environment.git.author == author && !is_local(&environment.git.url.to_string());
    let names: Vec<String> = environments.iter().filter(unset).map(|environment| format!("[environment.{}]", environment.name)).collect();
    (!names.is_empty()).then(|| {
        format!("many forges refuse commits by {} <{}>, the default; set `author` in {}", author.name, author.email, names.join(", "))
    })
}

fn is_local(url: &str) -> bool {
    url.starts_with(['/', '.']) || url.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("file://"))
}

/// Finds the rules that are never used, because earlier ones cover all that they cover.
pub(super) fn unreachable(images: &[Located<Image>], names: &[String], context: &Context<'_>) -> Vec<String> {
    let mut hints = Vec::new();
    // By repository, since there may be thousands of them; patterns are few.
    let mut before: BTreeMap<Option<&Repository>, Vec<&Located<Image>>> = BTreeMap::new();
    for located @ Located { value: image, at } in images {
        let Some(repository) = &image.repository else { continue };
        let alike = match repository {
            RepositoryPattern::One(repository) => before.entry(Some(repository)).or_default(),
            RepositoryPattern::Many { .. } => before.entry(None).or_default(),
        };
        let mut left = environments(image, names);
        let mut first = None;
        for earlier in alike.iter() {
            let covered = earlier.value.repository.as_ref().is_some_and(|pattern| covers(pattern, repository));
            if covered && earlier.value.written_paths() == image.written_paths() {
                let theirs = environments(&earlier.value, names);
                let many = left.len();
                left.retain(|name| !theirs.contains(name));
                first = first.or((left.len() < many).then_some(earlier.at));
            }
        }
        alike.push(located);
        if let (true, Some(first)) = (left.is_empty(), first) {
            let name = printable(&repository.to_string());
            let (here, there) = (context.describe(*at), context.describe(first));
            hints.push(format!("{here}: this rule for `{name}` is never used; what stands before it, at {there}, covers the same"));
        }
    }
    hints
}

/// The environments that a rule is about.
fn environments<'a>(image: &'a Image, all: &'a [String]) -> BTreeSet<&'a str> {
    let own = image.environments.iter().map(|name| name.value.as_str());
    if image.environments.is_empty() { all.iter().map(String::as_str).collect() } else { own.collect() }
}

/// Says whether all repositories of `inner` are surely among those of `outer`, and `outer` is asked first where it stands first.
fn covers(outer: &RepositoryPattern, inner: &RepositoryPattern) -> bool {
    match (outer, inner) {
        (RepositoryPattern::One(outer), RepositoryPattern::One(inner)) => outer == inner,
        (RepositoryPattern::Many { glob: outer, .. }, RepositoryPattern::Many { glob: inner, .. }) => {
            let inner = inner.glob().glob();
            // A star that is matched as a character stands where the outer pattern has a wildcard, which would match
            // any text in its place. Two stars stand for any number of components, so both one and two must match.
            let only_stars = !inner.contains(['?', '[', '{', '\\']) && !outer.glob().glob().contains(['?', '[', '{', '\\']);
            let matches = |components: &str| outer.is_match(inner.replace("**", components));
            outer.glob().glob() == inner || only_stars && matches("*") && (!inner.contains("**") || matches("*/*"))
        }
        // A rule that names its repository goes before one with a pattern, wherever they stand.
        (RepositoryPattern::One(_), RepositoryPattern::Many { .. }) | (RepositoryPattern::Many { .. }, RepositoryPattern::One(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_covers_another() {
        for (outer, inner, expected) in [
            ("nginx", "docker.io/library/nginx", true),
            ("nginx", "redis", false),
            ("ghcr.io/acme/*", "ghcr.io/acme/*", true),
            ("ghcr.io/**", "ghcr.io/acme/*", true),
            ("ghcr.io/**", "ghcr.io/acme/**", true),
            ("**", "ghcr.io/acme/**", true),
            ("ghcr.io/*/api", "ghcr.io/acme*/api", true),
            ("ghcr.io/acme/*", "ghcr.io/acme/web-*", true),
            ("ghcr.io/acme/*", "ghcr.io/acme/**", false),
            ("ghcr.io/acme/web-*", "ghcr.io/acme/*", false),
            ("ghcr.io/acme/*", "quay.io/acme/*", false),
            ("ghcr.io/acme/?", "ghcr.io/acme/*", false),
            ("ghcr.io/acme/[!a]*", "ghcr.io/acme/*", false),
            // The rule that names its repository is asked first.
            ("ghcr.io/acme/*", "ghcr.io/acme/api", false),
            ("ghcr.io/acme/api", "ghcr.io/acme/*", false),
        ] {
            let pattern = |text| RepositoryPattern::parse(text).unwrap();
            assert_eq!(covers(&pattern(outer), &pattern(inner)), expected, "{outer} {inner}");
        }
    }
}
