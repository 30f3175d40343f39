//! Which files are read, and how, by their path; and the way from there to the sites.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::find;
use super::missed::{self, Missed};
use super::site::{Locked, Site};
use super::sources::{self, Source};
use super::text::{self, Language, Reader, Search};
use super::tree::{self, Tree, Unreadable};
use super::watch::{Watch, fnv1a};

/// The extensions of templates, behind that of the text that they make.
const TEMPLATES: [&str; 7] = ["gotmpl", "tmpl", "tpl", "tftpl", "j2", "jinja", "jinja2"];
const TERRAFORM: [&str; 4] = ["tf", "hcl", "nomad", "tfvars"];

/// How a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Format {
    /// As YAML.
    Yaml,
    /// As YAML, of which JSON is a part, with values in quotes alone, so that it stays JSON.
    Json,
    /// As YAML if it is some, though made to be filled in.
    Template,
    /// As a Dockerfile or Containerfile.
    Dockerfile,
    /// As Terraform or other HCL.
    Terraform,
    /// By searches of the user's, beside what is built in for its name.
    Searched(Searched),
}

/// A file with searches of the user's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Searched {
    built_in: Option<BuiltIn>,
    /// The numbers of the searches, as bits.
    searches: u64,
}

/// What is built in for a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum BuiltIn {
    Yaml,
    Json,
    Template,
    Dockerfile,
    Terraform,
}

/// What a text was found to hold.
#[derive(Debug, Default)]
pub struct Scan {
    /// The sites of watched references, in the order of their bytes.
    pub sites: Vec<Site>,
    /// The sources of charts that it declares, for others to know.
    pub sources: Vec<Source>,
    /// Whether it holds a chart whose source it does not declare itself, so that its sites depend on what the watch
    /// [knows](Watch::know).
    pub asks: bool,
    /// Why the rest is not read, where the text should be YAML and is none, and sites were found in it line by line.
    pub rest: Option<Unreadable>,
}

impl From<Vec<Site>> for Scan {
    fn from(sites: Vec<Site>) -> Self {
        Self { sites, ..Self::default() }
    }
}

/// Which files are read, and how: a set that is built in, and the searches of the user's.
#[derive(Clone, Debug, Default)]
pub struct Formats {
    searches: Arc<[Search]>,
}

impl Formats {
    /// Adds searches of the user's to what is built in; those beyond [`MAX_SEARCHES`](super::MAX_SEARCHES) are left out.
    #[must_use]
    pub fn new(searches: impl IntoIterator<Item = Search>) -> Self {
        Self { searches: searches.into_iter().take(text::MAX_SEARCHES).collect() }
    }

    /// Returns how a file is read; none if it holds no references.
    #[must_use]
    pub fn of(&self, path: &str) -> Option<Format> {
        let built_in = BuiltIn::of(path);
        let applying = self.searches.iter().enumerate().filter(|(_, search)| search.applies_to(path));
        match (built_in, applying.fold(0, |searches, (index, _)| searches | 1 << index)) {
            (Some(BuiltIn::Yaml), 0) => Some(Format::Yaml),
            (Some(BuiltIn::Json), 0) => Some(Format::Json),
            (Some(BuiltIn::Template), 0) => Some(Format::Template),
            (Some(BuiltIn::Dockerfile), 0) => Some(Format::Dockerfile),
            (Some(BuiltIn::Terraform), 0) => Some(Format::Terraform),
            (None, 0) => None,
            (built_in, searches) => Some(Format::Searched(Searched { built_in, searches })),
        }
    }

    /// Returns a number that is the same for the same searches in whatever process: a key for caches of scans.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        fnv1a(self.searches.iter().flat_map(|search| search.words().chain(["\n"])))
    }

    /// Finds the sites of watched references in a text, in the order of their bytes.
    ///
    /// A text that the watch screens off is not parsed, so it is never unreadable. A text that should be YAML and is none is read by the
    /// user's searches, if some apply, and for values at bound markers alone.
    ///
    /// # Errors
    /// If the text may hold a watched reference and cannot be read: one broken document spoils the whole text, because
    /// what stands behind the break cannot be proved unchanged after an edit.
    pub fn scan(&self, text: &[u8], format: Format, watch: &Watch) -> Result<Vec<Site>, Unreadable> {
        self.read(text, format, watch).map(|scan| scan.sites)
    }

    /// Does as [`scan`](Self::scan), and also tells what else the text says.
    ///
    /// # Errors
    /// As those of [`scan`](Self::scan).
    pub fn read(&self, text: &[u8], format: Format, watch: &Watch) -> Result<Scan, Unreadable> {
        tree::refuse_utf16(text)?;
        let (built_in, reader) = self.reader(format);
        let is_tree = matches!(built_in, Some(BuiltIn::Yaml | BuiltIn::Json | BuiltIn::Template));
        let may_declare = is_tree && watch.may_hold_sources(text);
        if !watch.may_hold(text) && !reader.names_watched(watch) {
            let sources = if may_declare { self.sources(text, format) } else { Vec::new() };
            return Ok(Scan { sources, ..Scan::default() });
        }
        if !is_tree {
            return text::sites(text, &reader, watch).map(Scan::from);
        }
        match Tree::parse(text) {
            Ok(tree) => {
                let sources = if may_declare { find::declared(&tree) } else { Vec::new() };
                let (mut sites, asks) = find::sites(&tree, watch, reader.read(tree.text)?.findings)?;
                if built_in == Some(BuiltIn::Json) {
                    sites.iter_mut().filter(|site| site.is_bare()).for_each(|site| site.locked = Some(Locked::Malformed));
                }
                Ok(Scan { sites, sources, asks, rest: None })
            }
            Err(error) => {
                let is_text = matches!(error, Unreadable::NotYaml { .. }) && built_in != Some(BuiltIn::Json);
                let markers = watch.markers().filter(|_| is_text).cloned();
                if reader.searches.is_empty() && markers.is_none() {
                    return Err(error);
                }
                match text::sites(text, &Reader { markers, ..reader }, watch)? {
                    sites if sites.is_empty() => Err(error),
                    sites => Ok(Scan { sites, rest: Some(error), ..Scan::default() }),
                }
            }
        }
    }

    /// Finds the sources of charts that a text declares; what cannot be read declares none.
    #[must_use]
    pub fn sources(&self, text: &[u8], format: Format) -> Vec<Source> {
        let is_tree = matches!(self.reader(format).0, Some(BuiltIn::Yaml | BuiltIn::Json | BuiltIn::Template));
        let tree = if is_tree && sources::may_stand_in(text) { Tree::parse(text).ok() } else { None };
        tree.as_ref().map(find::declared).unwrap_or_default()
    }

    /// Finds what looks like a reference in a text and is not among its sites, in the order of its bytes; 10,000 at most.
    ///
    /// `sites` are all that were taken. A text that cannot be read, or is encrypted, has no near misses: it is skipped as a whole.
    #[must_use]
    pub fn missed(&self, text: &[u8], format: Format, watch: &Watch, sites: &[Site]) -> Vec<Missed> {
        let (built_in, reader) = self.reader(format);
        let Ok(decoded) = tree::decode(text) else { return Vec::new() };
        let searched = reader.read(decoded).map(|found| found.misses).unwrap_or_default();
        let tree = match built_in {
            Some(BuiltIn::Yaml | BuiltIn::Json | BuiltIn::Template) => Tree::parse(text).ok(),
            Some(BuiltIn::Dockerfile | BuiltIn::Terraform) | None => None,
        };
        missed::missed(decoded, tree.as_ref(), searched, watch, sites)
    }

    /// Returns what is built in for a format, and who reads the text beside or instead of the YAML parser.
    fn reader(&self, format: Format) -> (Option<BuiltIn>, Reader) {
        let (built_in, searches) = match format {
            Format::Yaml => (Some(BuiltIn::Yaml), 0),
            Format::Json => (Some(BuiltIn::Json), 0),
            Format::Template => (Some(BuiltIn::Template), 0),
            Format::Dockerfile => (Some(BuiltIn::Dockerfile), 0),
            Format::Terraform => (Some(BuiltIn::Terraform), 0),
            Format::Searched(Searched { built_in, searches }) => (built_in, searches),
        };
        let language = match built_in {
            Some(BuiltIn::Dockerfile) => Language::Dockerfile,
            Some(BuiltIn::Terraform) => Language::Terraform,
            Some(BuiltIn::Yaml | BuiltIn::Json | BuiltIn::Template) | None => Language::Other,
        };
        let applying = self.searches.iter().enumerate().filter(|(index, _)| searches & 1 << index != 0);
        (built_in, Reader { language, searches: applying.map(|(_, search)| search.clone()).collect(), markers: None })
    }
}

impl BuiltIn {
    fn of(path: &str) -> Option<Self> {
        let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
        let (stem, extension) = name.rsplit_once('.').unwrap_or((&name, ""));
        let is_yaml = |extension: &str| matches!(extension, "yaml" | "yml");
        if path.rsplit('/').next() == Some("Kustomization") || is_yaml(extension) {
            return Some(Self::Yaml);
        }
        if extension == "json" {
            return Some(Self::Json);
        }
        let is_ignored = extension == "dockerignore" || extension == "containerignore";
        if !is_ignored
            && (name == "dockerfile"
                || stem.starts_with("dockerfile") && name.starts_with("dockerfile.")
                || extension == "dockerfile"
                || name.starts_with("containerfile"))
        {
            return Some(Self::Dockerfile);
        }
        if TERRAFORM.contains(&extension) {
            return Some(Self::Terraform);
        }
        let of_yaml = || stem.rsplit_once('.').is_some_and(|(_, extension)| is_yaml(extension) || extension == "json");
        (TEMPLATES.contains(&extension) && of_yaml()).then_some(Self::Template)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_tell_how_they_are_read() {
        let formats = Formats::default();
        for (format, names) in [
            (Some(Format::Yaml), &["a.yaml", "x/b.YML", "x/Kustomization"][..]),
            (Some(Format::Json), &["x/deployment.json", "package-lock.json", "a.tf.json"]),
            (Some(Format::Template), &["values.yaml.gotmpl", "x/a.yml.j2", "a.yaml.tpl", "b.json.tmpl"]),
            (
                Some(Format::Dockerfile),
                &[
                    "Dockerfile",
                    "x/dockerfile",
                    "Dockerfile.prod",
                    "Dockerfile.j2",
                    "api.Dockerfile",
                    "api.dockerfile",
                    "Containerfile",
                    "x/Containerfile.web",
                ],
            ),
            (Some(Format::Terraform), &["main.tf", "job.nomad", "prod.tfvars", "terragrunt.hcl"]),
            (
                None,
                &[
                    "yaml",
                    "x/Kustomization/a",
                    "README.md",
                    "Dockerfile.dockerignore",
                    "Dockerfiles",
                    "a.tpl",
                    "x/.env",
                    "Dockerfile/a",
                    "",
                    ".",
                ],
            ),
        ] {
            for name in names {
                assert_eq!(formats.of(name), format, "{name}");
            }
        }
    }

    #[test]
    fn searches_apply_by_path_beside_what_is_built_in() {
        let search = |ending: &'static str| Search::new(&["(?<tag>x)".to_owned()], Some("a"), move |path| path.ends_with(ending)).unwrap();
        let formats = Formats::new([search(".env"), search("v")]);
        let searched = |built_in, searches| Some(Format::Searched(Searched { built_in, searches }));
        assert_eq!(formats.of("a.env"), searched(None, 0b11));
        assert_eq!(formats.of("a.tv"), searched(None, 0b10));
        assert_eq!(formats.of("a.tf"), Some(Format::Terraform));
        assert_eq!(Formats::new([search("a.yaml")]).of("a.yaml"), searched(Some(BuiltIn::Yaml), 1));
        assert_ne!(formats.fingerprint(), Formats::default().fingerprint());
    }
}
