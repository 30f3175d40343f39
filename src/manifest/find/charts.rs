//! Shape 6: charts and other OCI artifacts: an `oci://` URL, or what stands for one, with a version beside it.
//!
//! Read are Argo CD's sources (`repoURL`, `chart`, `targetRevision`), Flux's `OCIRepository` (`url`, `ref`) and the charts
//! of `HelmRelease` and `HelmChart`, `dependencies` in `Chart.yaml`, kustomize's `helmCharts`, Helmfile's releases, and
//! whatever else has a URL and a version side by side. A version that is a range moves by itself and is left alone.

use super::super::site::Shape;
use super::super::sources::Address;
use super::super::tree::{Kind, Tree};
use super::Finder;
use super::fields::{Field, Fields};
use super::scalar::has_host;
use super::split::Pair;
use super::trail::Step;

/// The keys under which an artifact's URL stands.
const URLS: [&str; 4] = ["repoURL", "repository", "repo", "url"];
/// The keys under which a chart's version stands.
const VERSIONS: [&str; 2] = ["targetRevision", "version"];
/// How many entries are searched for what a chart names.
const MAX_SEARCHED: usize = 1_000;

/// Where an artifact's tag and digest stand.
struct Artifact<'w> {
    /// The repository as written, without a scheme.
    written: String,
    /// Whether the tag is a chart's version, which may hold a `+`.
    is_chart: bool,
    tag: Option<Field<'w>>,
    digest: Option<Field<'w>>,
}

impl<'w> Finder<'w, '_> {
    /// Looks at a mapping's entries together, and says whether they are an artifact.
    pub(super) fn chart(&mut self, mapping: usize) {
        let tree = self.tree;
        let (mut may_be, mut hit) = (false, false);
        for (key, value) in tree.entries(mapping) {
            may_be |= tree.text_of(key).is_some_and(|key| key == "chart" || URLS.contains(&key));
            // The name of a chart need not be all of what is searched for.
            let is_source = tree.text_of(key) == Some("sourceRef");
            hit |= is_source || matches!(tree.kind(value), Kind::Alias(_)) || self.is_hit(value);
        }
        if !may_be || !hit {
            return;
        }
        let fields = Fields::of_mapping(tree, mapping, &mut self.merges);
        let Some(Artifact { written, is_chart, tag, digest }) = self.artifact(&fields) else { return };
        let Some((written, repository)) = self.bare_repository(written.trim_end_matches('/'), None) else { return };
        let named = ["chart", "name", "ref"].into_iter().chain(URLS).chain(VERSIONS);
        let repeated = named.into_iter().any(|name| fields.is_repeated(name));
        let beside = ("digest".to_owned(), true);
        let shape = if is_chart { Shape::Chart } else { Shape::Artifact };
        self.pair(Pair { shape, written, repository, tag: tag.as_ref(), digest: digest.as_ref(), beside, repeated, only_if_tag: true });
    }

    /// Reads a mapping as an artifact.
    fn artifact(&mut self, fields: &Fields<'w>) -> Option<Artifact<'w>> {
        let tree = self.tree;
        let text_of = |name: &str| fields.get(name).and_then(|field| tree.text_of(field.value)).filter(|text| !text.is_empty());
        let chart = text_of("chart");
        // A version is one only if it is exact, and stands here itself.
        let version = || VERSIONS.iter().find_map(|name| fields.own(name)).filter(|field| tree.text_of(field.value).is_some_and(is_exact));
        let of_chart = |written: String| Some(Artifact { written, is_chart: true, tag: Some(version()?.clone()), digest: None });
        if let Some(url) = chart.and_then(|chart| chart.strip_prefix("oci://")) {
            return of_chart(url.to_owned());
        }
        let url = URLS.iter().find_map(|name| Some((*name, text_of(name)?)));
        let base = url.and_then(|(key, url)| match url.strip_prefix("oci://") {
            Some(url) => Some(url),
            // Argo CD writes a registry of charts without a scheme.
            None => (key == "repoURL" && chart.is_some() && has_host(url) && !url.contains("://")).then_some(url),
        });
        match (chart, url, base) {
            (Some(chart), _, Some(base)) => of_chart(join(base, chart)),
            // A chart's dependency, or one of kustomize's `helmCharts`.
            (None, Some(("repository" | "repo", _)), Some(base)) if fields.get("version").is_some() => {
                of_chart(join(base, text_of("name")?))
            }
            (None, Some(_), Some(base)) => self.plain_artifact(fields, base),
            (Some(chart), None, None) if version().is_some() => of_chart(self.named_repository(fields, chart)?),
            _ => None,
        }
    }

    /// Reads an artifact whose URL is all of its repository; its tag stands beside it or below `ref`.
    fn plain_artifact(&self, fields: &Fields<'w>, base: &str) -> Option<Artifact<'w>> {
        let tree = self.tree;
        let written = base.to_owned();
        let Some(reference) = fields.own("ref").filter(|field| tree.is_mapping(field.value)) else {
            let tag = ["targetRevision", "tag", "version"].iter().find_map(|name| fields.own(name))?.clone();
            return Some(Artifact { written, is_chart: false, tag: Some(tag), digest: fields.own("digest").cloned() });
        };
        let (mut tag, mut digest) = (None, None);
        for (key, value) in tree.entries(reference.value) {
            let name = tree.text_of(key);
            let slot = match name {
                Some("tag") => &mut tag,
                Some("digest") => &mut digest,
                _ => continue,
            };
            let steps = reference.steps.iter().copied().chain([Step::Entry { mapping: reference.value, key }]).collect();
            *slot = Some(Field { name: name.unwrap_or_default(), value, steps });
        }
        Some(Artifact { written, is_chart: false, tag, digest })
    }

    /// Finds the repository of a chart that names where it comes from: a Flux `HelmRepository`, or one of Helmfile's
    /// `repositories` in the same file.
    fn named_repository(&mut self, fields: &Fields<'w>, chart: &str) -> Option<String> {
        let tree = self.tree;
        if let Some(source) = fields.get("sourceRef") {
            let origin = self.origins.find(tree, self.watch, &self.trail, source.value)?;
            self.asks |= origin.is_elsewhere && self.watch.may_be_chart(chart);
            return match origin.address? {
                Address::Registry(base) => Some(join(&base, chart)),
                Address::Http | Address::Unclear => None,
            };
        }
        let (alias, name) = chart.split_once('/')?;
        Some(join(&helmfile_repository(tree, self.trail.root(), alias)?, name))
    }
}

pub(super) fn join(base: &str, name: &str) -> String {
    format!("{}/{name}", base.trim_end_matches('/'))
}

/// Says whether a version is one, and no range: `1.4.1`, `v1.4.1-rc.1+build`.
pub(super) fn is_exact(version: &str) -> bool {
    semver::Version::parse(version.strip_prefix('v').unwrap_or(version)).is_ok()
}

/// Finds the URL of one of Helmfile's `repositories` that is a registry, without its scheme.
fn helmfile_repository(tree: &Tree<'_>, root: usize, alias: &str) -> Option<String> {
    let repositories = value(tree, root, "repositories")?;
    if !matches!(tree.kind(repositories), Kind::Sequence { .. }) {
        return None;
    }
    let mut items = tree.children(repositories).take(MAX_SEARCHED).map(|item| tree.resolve(item));
    items.find_map(|item| {
        let is_oci = entry(tree, item, "oci") == Some("true") && entry(tree, item, "name") == Some(alias);
        let url = entry(tree, item, "url").filter(|_| is_oci)?;
        Some(url.strip_prefix("oci://").unwrap_or(url).to_owned())
    })
}

pub(super) fn value(tree: &Tree<'_>, mapping: usize, name: &str) -> Option<usize> {
    if !tree.is_mapping(mapping) {
        return None;
    }
    let found = tree.entries(mapping).take(MAX_SEARCHED).find(|&(key, _)| tree.text_of(key) == Some(name));
    found.map(|(_, value)| tree.resolve(value))
}

pub(super) fn entry<'w>(tree: &'w Tree<'_>, mapping: usize, name: &str) -> Option<&'w str> {
    tree.text_of(value(tree, mapping, name)?).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::is_exact;

    #[test]
    fn a_range_is_no_version() {
        for exact in ["1.4.1", "v1.4.1", "1.4.1-rc.1", "1.4.1+build.7"] {
            assert!(is_exact(exact), "{exact}");
        }
        for range in ["1.4", "1.x", "^1.4.1", "~1.4.1", ">=1.4.1", "1.4.1 - 2.0.0", "*", "latest", ""] {
            assert!(!is_exact(range), "{range}");
        }
    }
}
