//! From how Argo CD Image Updater chooses a tag to a policy.

use super::settings::Names;
use super::wanted::Wanted;
use crate::image::Platform;
use crate::import::Line;
use crate::import::common::{Glob, Teller, glob, is_range, is_regex, repository};

impl Wanted {
    /// Gives the policy of the image; none if it is one that the tool would never update.
    pub(super) fn choice(&self, names: &Names, tell: &mut Teller<'_>) -> Option<Vec<Line>> {
        if repository(&self.name).is_none() {
            tell.broken(&self.field, format!("`{}` is no name of an image", self.name));
            return None;
        }
        let strategy = self.settings.strategy.as_deref().unwrap_or("semver").to_ascii_lowercase();
        let constraint = self.constraint.as_deref();
        let mut policy = match strategy.as_str() {
            "newest-build" | "latest" => {
                self.tell_of_constraint(tell);
                vec![Line::text("newest", "created")]
            }
            "alphabetical" | "name" => {
                self.tell_of_constraint(tell);
                vec![Line::text("alphabetical", "ascending")]
            }
            "digest" => match constraint {
                Some(tag) => vec![Line::text("digest", tag)],
                None => {
                    tell.broken(&self.of(names.strategy), format!("`digest` follows one tag, and `{}` names none", self.name));
                    return None;
                }
            },
            other => {
                if other != "semver" {
                    tell.note(&self.of(names.strategy), format!("`{other}` is no strategy, so `semver` was used"), "");
                }
                let range = constraint.unwrap_or("*");
                if let Err(error) = is_range(range) {
                    tell.broken(&self.field, format!("`{range}` of `{}` is no range of versions: {error}", self.name));
                    return None;
                }
                vec![Line::text("semver", range)]
            }
        };
        let force = self.settings.force.as_deref().map(str::trim).filter(|force| !force.is_empty());
        self.force(force, names, tell)?;
        if strategy == "digest" {
            self.tell_of_filters(names, tell);
        } else {
            policy.extend(self.filter(names, tell)?);
            policy.extend(self.exclude(names, tell));
        }
        policy.extend(self.platforms(names, tell));
        Some(policy)
    }

    /// Under these orders the tool does not look at a constraint.
    fn tell_of_constraint(&self, tell: &mut Teller<'_>) {
        if let Some(constraint) = &self.constraint {
            tell.note(
                &self.field,
                format!("`{constraint}` of `{}` is of no use but with `semver` and `digest`; it was left out", self.name),
                "",
            );
        }
    }

    fn tell_of_filters(&self, names: &Names, tell: &mut Teller<'_>) {
        let is_any = |allow: &String| allow.trim().eq_ignore_ascii_case("any");
        if self.settings.allow.as_ref().is_some_and(|allow| !is_any(allow)) {
            tell.note(&self.of(names.allow), "a policy that follows one tag has no use for a filter; it was left out", "");
        }
        if self.settings.ignore.is_some() {
            tell.note(&self.of(names.ignore), "a policy that follows one tag has no use for a filter; it was left out", "");
        }
    }

    /// Reads Go's truth values.
    fn force(&self, force: Option<&str>, names: &Names, tell: &mut Teller<'_>) -> Option<()> {
        match force {
            None | Some("0" | "f" | "F" | "false" | "FALSE" | "False") => {}
            Some("1" | "t" | "T" | "true" | "TRUE" | "True") => {
                let reason = "images that do not run are always updated too: what is current is read from Git, not from the cluster";
                tell.note(&self.of(names.force), reason, "");
            }
            Some(other) => {
                tell.broken(&self.of(names.force), format!("`{other}` is neither true nor false"));
                return None;
            }
        }
        Some(())
    }

    /// Reads which tags may be taken; none within is all, none around it is that no tag ever could.
    fn filter(&self, names: &Names, tell: &mut Teller<'_>) -> Option<Option<Line>> {
        let field = self.of(names.allow);
        let Some(allow) = self.settings.allow.as_deref().map(str::trim).filter(|allow| !allow.is_empty()) else { return Some(None) };
        if allow.eq_ignore_ascii_case("any") {
            return Some(None);
        }
        let pattern = allow.split_once(':').filter(|(kind, _)| kind.eq_ignore_ascii_case("regexp")).map(|(_, pattern)| pattern.trim());
        let Some(pattern) = pattern else {
            tell.broken(&field, format!("`{allow}` is neither `any` nor `regexp:…`, so no tag is allowed; the image was left out"));
            return None;
        };
        if let Err(error) = is_regex(pattern) {
            tell.broken(&field, format!("no tag is allowed by `{pattern}`: {error}; the image was left out"));
            return None;
        }
        Some(Some(Line::text("filter", pattern)))
    }

    fn exclude(&self, names: &Names, tell: &mut Teller<'_>) -> Option<Line> {
        let mut patterns = Vec::new();
        for pattern in self.settings.ignore.iter().flatten() {
            match glob(pattern, Glob::Path) {
                Some(regex) => patterns.push(regex),
                None => tell.broken(&self.of(names.ignore), format!("`{pattern}` is no pattern, so it takes out no tag")),
            }
        }
        (!patterns.is_empty()).then(|| Line::texts("exclude", &patterns))
    }

    fn platforms(&self, names: &Names, tell: &mut Teller<'_>) -> Option<Line> {
        let mut platforms = Vec::new();
        for platform in self.settings.platforms.iter().flatten() {
            match Platform::parse(platform) {
                Ok(_) => platforms.push(platform.clone()),
                Err(_) => tell.broken(&self.of(names.platforms), format!("`{platform}` is no platform, such as linux/amd64")),
            }
        }
        (!platforms.is_empty()).then(|| Line::texts("platforms", &platforms))
    }
}
