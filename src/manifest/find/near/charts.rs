//! Charts and artifacts that do not come from a registry, or whose version moves by itself.

use super::super::super::missed::Why;
use super::super::super::sources::{Address, KIND};
use super::super::charts::{entry, is_exact, join};
use super::super::fields::{Field, Fields};
use super::Near;
use super::text::is_template;
use crate::image::Repository;

impl<'w> Near<'w, '_> {
    /// Looks at a mapping as a chart or an artifact.
    pub(super) fn chart(&mut self, fields: &Fields<'w>) {
        let tree = self.tree;
        // Its URL is the beginning of the repositories of all its charts.
        if self.trail.kind() == Some(KIND) {
            return;
        }
        let filled = |field: &&Field<'w>| tree.text_of(field.value).is_some_and(|text| !text.is_empty());
        let own = |name: &str| fields.own(name).filter(filled);
        let url = ["repoURL", "repository", "repo", "url"].into_iter().find_map(own);
        let text_of = |field: Option<&Field<'w>>| field.and_then(|field| tree.text_of(field.value)).unwrap_or_default();
        let (address, chart) = (text_of(url), own("chart"));
        let version = ["targetRevision", "version"].into_iter().find_map(own);
        let is_oci = [address, text_of(chart)].iter().any(|text| text.starts_with("oci://"));
        // What lies in Git or in a folder has its versions elsewhere.
        let names_repository = matches!(url.map(|url| url.name), Some("repository" | "repo"));
        // A dependency stands in a list; what has these at its top is something else, such as a `package.json`.
        let is_dependency = names_repository && version.is_some() && own("name").is_some() && self.trail.nearest_key().is_some();
        let is_chart = chart.is_some() || is_dependency;
        let is_http = is_chart && ["http://", "https://"].iter().any(|scheme| address.starts_with(scheme));
        let Some(place) = version.or(chart).or(url) else { return };
        let shown = match chart {
            Some(chart) => self.text(chart),
            None if is_dependency => text_of(own("name")),
            None => address,
        };
        let shown = version.map_or_else(|| shown.to_owned(), |version| format!("{shown} {}", self.text(version)));
        let why = if is_http {
            Why::HttpChart
        } else if is_oci {
            match self.version_of(fields, version) {
                Some(why) => why,
                None => return,
            }
        } else if chart.is_some() && address.is_empty() {
            match self.source(fields).or_else(|| self.version_of(fields, version)) {
                Some(why) if fields.own("sourceRef").is_some() => why,
                _ => return,
            }
        } else if chart.is_some() {
            match version.and_then(|version| unsettled(self.text(version))) {
                Some(why) => why,
                None => return,
            }
        } else {
            return;
        };
        if !self.below_is_taken(fields, [version, url, chart]) {
            [version, url, chart].into_iter().for_each(|field| self.judge(field));
            self.report_field(place, &shown, why);
        }
    }

    /// Says why the version of an artifact at a registry is none to move, if so.
    fn version_of(&self, fields: &Fields<'w>, version: Option<&Field<'w>>) -> Option<Why> {
        if let Some(version) = version {
            return unsettled(self.text(version));
        }
        let Some(reference) = fields.own("ref") else {
            return fields.own("tag").or(fields.own("digest")).is_none().then_some(Why::NoTag);
        };
        let entry = |name| entry(self.tree, self.tree.resolve(reference.value), name);
        match (entry("semver"), entry("tag").or_else(|| entry("digest"))) {
            (Some(_), None) => Some(Why::Range),
            (_, Some(tag)) => is_template(tag).then_some(Why::Template),
            (None, None) => Some(Why::NoTag),
        }
    }

    /// Says why the source that a Flux chart names cannot be followed, if so. Charts in Git have no version there.
    fn source(&mut self, fields: &Fields<'w>) -> Option<Why> {
        let origin = self.origins.find(self.tree, self.watch, &self.trail, fields.own("sourceRef")?.value)?;
        match origin.address {
            None => Some(Why::SourceElsewhere),
            Some(Address::Http) => Some(Why::HttpChart),
            Some(Address::Unclear) => Some(Why::SourceUnclear),
            Some(Address::Registry(base)) => {
                let chart = join(&base, self.text(fields.own("chart")?));
                Repository::parse(&chart).err().map(|error| Why::Malformed(error.reason))
            }
        }
    }

    /// Says whether a site stands at one of these, or below `ref`.
    fn below_is_taken(&mut self, fields: &Fields<'w>, places: [Option<&Field<'w>>; 3]) -> bool {
        if self.are_taken(places) || self.are_taken([fields.own("tag"), fields.own("digest")]) {
            return true;
        }
        let Some(reference) = fields.own("ref") else { return false };
        reference.steps.iter().for_each(|&step| self.trail.push(step));
        let path = self.trail.path();
        reference.steps.iter().for_each(|_| self.trail.pop());
        ["tag", "digest"].iter().any(|name| self.taken.contains(format!("{path}.{name}").as_str()))
    }
}

/// Says why a version is none to move, if so.
fn unsettled(version: &str) -> Option<Why> {
    if is_template(version) { Some(Why::Template) } else { (!is_exact(version)).then_some(Why::Range) }
}
