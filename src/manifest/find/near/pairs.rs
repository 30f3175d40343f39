//! Repositories and tags that have no other half beside them, or none that can be read.

use super::super::super::missed::Why;
use super::super::fields::{Field, Fields};
use super::super::names::{Name, Role, Sure};
use super::super::scalar::names_image;
use super::Near;
use super::text::is_template;
use crate::image::{Digest, Repository, Tag};

/// How a key ends that holds a repository, with what stands in its place in the key of the tag and the digest.
const ENDINGS: [(&str, &str, &str); 3] =
    [("repository", "tag", "digest"), ("Repository", "Tag", "Digest"), ("REPOSITORY", "TAG", "DIGEST")];

impl<'w> Near<'w, '_> {
    /// Looks at a mapping's entries together.
    pub(super) fn mapping(&mut self, mapping: usize) {
        let tree = self.tree;
        let fields = Fields::of_mapping(tree, mapping, &mut self.merges);
        if self.kustomize(&fields) {
            return;
        }
        self.variable(&fields);
        self.pairs(&fields);
        self.chart(&fields);
    }

    /// Looks at a list under `parameters` (Argo CD's `helm.parameters`) as if it were a mapping.
    pub(super) fn parameters(&mut self, sequence: usize) {
        if self.trail.nearest_key() == Some("parameters") {
            self.pairs(&Fields::of_parameters(self.tree, sequence));
        }
    }

    /// Looks at an entry of kustomize's `images:`, and says whether it is one.
    fn kustomize(&mut self, fields: &Fields<'w>) -> bool {
        let names = ["newName", "newTag", "digest"];
        let is_entry = names.iter().any(|name| fields.get(name).is_some()) || self.trail.kind() == Some("Kustomization");
        let Some(name) = fields.own("newName").or_else(|| fields.own("name")).filter(|_| is_entry && self.trail.is_item_of("images"))
        else {
            return false;
        };
        names.iter().chain(&["name"]).for_each(|name| self.judge(fields.own(name)));
        let (tag, digest) = (fields.get("newTag"), fields.get("digest"));
        if self.are_taken([tag, digest]) {
            return true;
        }
        let text = self.text(name);
        if let Some(why) = unreadable(text) {
            self.report_field(name, text, why);
        } else if [tag, digest].into_iter().flatten().all(|field| self.is_empty(field)) {
            self.report_field(name, text, Why::NoTag);
        }
        true
    }

    /// Looks at an environment variable whose name says that it holds an image.
    fn variable(&mut self, fields: &Fields<'w>) {
        let (Some(name), Some(value)) = (fields.own("name"), fields.own("value")) else { return };
        let text = self.text(value);
        if names_image(self.text(name)) && !self.are_taken([Some(value)]) && !text.is_empty() {
            if is_template(text) {
                self.report_field(value, text, Why::Template);
            } else if super::is_reference(text) {
                self.report_field(value, text, Why::Unsure);
            } else {
                return;
            }
            self.judge(Some(value));
        }
    }

    /// Looks at repositories and tags side by side.
    fn pairs(&mut self, fields: &Fields<'w>) {
        for field in fields.all() {
            let Some(name) = Name::parse(field.name).filter(|name| name.role != Role::Version || name.names_image()) else { continue };
            let repositories: Vec<_> = name.repositories().into_iter().filter(|(_, sure)| *sure == Sure::Yes).collect();
            let repository = repositories.iter().find_map(|(key, _)| fields.get(key)).filter(|field| !self.text(field).is_empty());
            let other = fields.get(&name.with(if name.role == Role::Tag { "digest" } else { "tag" }));
            if let Some(repository) = repository {
                self.judge(Some(repository));
                if self.are_taken([Some(field), other, Some(repository)]) {
                    continue;
                }
                self.unread(repository);
            } else if self.is_image(&name, fields) && !self.are_taken([Some(field), other]) && self.is_tag(field, name.role) {
                self.judge(Some(field));
                let text = self.text(field);
                self.report_field(field, text, if is_template(text) { Why::Template } else { Why::NoRepository });
            }
        }
        self.repositories(fields);
    }

    /// Judges a repository beside a tag or a digest, neither of which was taken.
    fn unread(&mut self, repository: &Field<'w>) {
        let text = self.text(repository);
        if let Some(why) = unreadable(text) {
            self.report_field(repository, text, why);
        }
    }

    /// Looks at repositories with no place for a tag beside them.
    fn repositories(&mut self, fields: &Fields<'w>) {
        for field in fields.all() {
            let Some((stem, tag, digest)) =
                ENDINGS.iter().find_map(|(word, tag, digest)| Some((field.name.strip_suffix(word)?, tag, digest)))
            else {
                continue;
            };
            let has = |word: &str| fields.get(&format!("{stem}{word}")).is_some();
            let stem_names = names_image(stem.trim_end_matches(['.', '_']));
            let is_image = stem_names || stem.is_empty() && self.trail.nearest_key().is_some_and(names_image);
            if !is_image || has(tag) || has(digest) || stem.is_empty() && has("version") || self.are_taken([Some(field)]) {
                continue;
            }
            self.judge(Some(field));
            let text = self.text(field);
            if !text.is_empty() && !text.contains("://") {
                self.report_field(field, text, unreadable(text).unwrap_or(Why::NoTag));
            }
        }
    }

    /// Says whether a tag's or digest's own name, or the key above it, names an image.
    fn is_image(&self, name: &Name<'_>, fields: &Fields<'_>) -> bool {
        let has_part = |word| fields.get(&name.with(word)).is_some();
        match name.prefix.strip_suffix('.') {
            Some(prefix) => names_image(prefix),
            None => {
                name.names_image() || self.trail.nearest_key().is_some_and(names_image) || has_part("registry") || has_part("pullPolicy")
            }
        }
    }

    /// Says whether a value is a tag or digest, or a template of one.
    fn is_tag(&self, field: &Field<'_>, role: Role) -> bool {
        let text = self.text(field);
        let parses =
            || if role == Role::Digest { Digest::parse(text).is_ok() } else { Tag::parse(text.split('@').next().unwrap_or(text)).is_ok() };
        !self.is_empty(field) && (is_template(text) || parses())
    }

    pub(super) fn text(&self, field: &Field<'_>) -> &'w str {
        self.tree.text_of(field.value).unwrap_or_default()
    }

    /// Says whether a value is empty or null; a mapping or a list is neither.
    pub(super) fn is_empty(&self, field: &Field<'_>) -> bool {
        self.tree.text_of(field.value).is_some_and(|text| matches!(text, "" | "~" | "null" | "Null" | "NULL"))
    }

    /// Notes that a value was judged together with others.
    pub(super) fn judge(&mut self, field: Option<&Field<'_>>) {
        self.judged.extend(field.map(|field| field.value));
    }

    /// Says whether a site stands at any of these.
    pub(super) fn are_taken<'f, const N: usize>(&mut self, fields: [Option<&'f Field<'w>>; N]) -> bool
    where
        'w: 'f,
    {
        fields.into_iter().flatten().any(|field| {
            field.steps.iter().for_each(|&step| self.trail.push(step));
            let is_taken = self.taken.contains(self.trail.path().as_str());
            field.steps.iter().for_each(|_| self.trail.pop());
            is_taken
        })
    }

    /// Notes a near miss at a named value.
    pub(super) fn report_field(&mut self, field: &Field<'_>, shown: &str, why: Why) {
        field.steps.iter().for_each(|&step| self.trail.push(step));
        self.report(field.value, 0, shown, why);
        field.steps.iter().for_each(|_| self.trail.pop());
    }
}

/// Returns why a text is no repository, if so; one at a URL is something else.
fn unreadable(text: &str) -> Option<Why> {
    match Repository::parse(text) {
        Ok(_) => None,
        Err(_) if is_template(text) => Some(Why::Template),
        Err(_) if text.contains("://") => None,
        Err(error) => Some(Why::Malformed(error.reason)),
    }
}
