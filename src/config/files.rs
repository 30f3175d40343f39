//! `[[file]]`: regular expressions that find references in files of any kind.

use super::read::{Context, Keys, Located, ReadTable, printable, suggest};
use super::values::{PathList, parsed};
use crate::image::{Reference, Repository};
use crate::manifest::{Formats, MAX_SEARCHES, Search, SearchError};

/// A search, as far as it could be read.
pub(super) struct File {
    search: Option<Search>,
    /// Empty means all.
    environments: Vec<Located<String>>,
}

impl ReadTable for File {
    fn read(keys: &mut Keys<'_, '_, '_>) -> Option<Self> {
        let paths = keys.required::<PathList>(
            "paths",
            "In which files, of those that the environment looks at; the last pattern that matches decides, `!` takes out.",
            r#"["**/*.env", "scripts/**"]"#,
        );
        let regex = keys.required::<Vec<Located<String>>>(
            "regex",
            "Regular expressions over the whole text, in multi-line mode, with the groups `tag` or `digest`, and `repository`. Where two find the same bytes, the first counts.",
            r"['IMAGE=(?<repository>[^:\s]+):(?<tag>[^\s@]+)(@(?<digest>\S+))?']",
        );
        let repository = keys.optional::<Located<String>>(
            "repository",
            "The repository, for expressions that have no group `repository`.",
            r#""ghcr.io/acme/api""#,
        );
        let environments = keys.optional::<Vec<Located<String>>>("environments", "In which environments. Default: all.", r#"["prod"]"#);
        let given = keys.has("repository");
        let repository = repository.and_then(|text| parsed(&text, check_repository, keys.context));
        let search = regex.and_then(|regex| {
            let patterns: Vec<String> = regex.iter().map(|pattern| pattern.value.clone()).collect();
            // A repository that could not be read has been told; the expressions are not to be blamed for its absence.
            let fallback = repository.as_deref().or(given.then_some("unread"));
            // Without paths that can be read, the expressions are checked all the same.
            let compiled = paths.map(|paths| paths.compiled).unwrap_or_default();
            match Search::new(&patterns, fallback, move |path| compiled.accept(path)) {
                Ok(search) => Some(search),
                Err(errors) => {
                    errors.iter().for_each(|error| locate(error, &regex, keys.context));
                    None
                }
            }
        });
        if given && search.as_ref().is_some_and(Search::finds_repositories) {
            keys.mistake::<()>("repository", "each expression has a group `repository`, so this one is of no use", None);
        }
        Some(Self { search, environments: environments.unwrap_or_default() })
    }
}

fn check_repository(text: &str) -> Result<String, String> {
    match Repository::parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) if Reference::parse(text).is_ok() => Err("a repository is written without a tag or digest".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Brings a mistake to the expression, or the part of it, that it is about.
fn locate(error: &SearchError, regex: &[Located<String>], context: &mut Context<'_>) {
    let Some(pattern) = regex.get(error.index) else { return };
    let at = error.span.as_ref().map_or(pattern.at, |span| context.part(pattern.at, &pattern.value, span));
    let help = error.group.as_ref().and_then(|group| suggest(group, Search::groups().into_iter()));
    context.mistake::<()>(at, crate::redact::one_line(&error.message, 400), help);
}

/// The searches, checked against the names of the environments.
pub(super) struct Files(Vec<File>);

impl Files {
    pub(super) fn new(files: Vec<Located<File>>, names: &[String], context: &mut Context<'_>) -> Self {
        for name in files.iter().flat_map(|file| &file.value.environments).filter(|name| !names.contains(&name.value)) {
            let help = suggest(&name.value, names.iter().map(String::as_str));
            context.mistake::<()>(name.at, format!("there is no environment `{}`", printable(&name.value)), help);
        }
        if let Some(first) = files.get(MAX_SEARCHES) {
            let help = Some("put expressions for the same files into one `regex` list".to_owned());
            context.mistake::<()>(first.at, format!("there are more than {MAX_SEARCHES} `[[file]]` tables"), help);
        }
        Self(files.into_iter().map(|file| file.value).collect())
    }

    /// Returns how the files of an environment are read; without a name, those of any.
    pub(super) fn formats(&self, environment: Option<&str>) -> Formats {
        let applies = |file: &&File| {
            file.environments.is_empty() || environment.is_none_or(|name| file.environments.iter().any(|one| one.value == name))
        };
        Formats::new(self.0.iter().filter(applies).filter_map(|file| file.search.clone()))
    }
}
