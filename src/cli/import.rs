//! `tagboat import`: from another updater's objects to a policy file.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::ValueEnum;

use super::Exit;
use super::output::{ERROR, FAINT, HINT, WARNING, count, print_line};
use crate::config::{self, Variables};
use crate::import::{self, Draft, Foreign, Object, Origin, Remark, Severity};

/// Write a policy file from the objects of another updater; nothing is contacted
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tagboat import flux clusters/ --output tagboat.toml
  kubectl get imagerepositories,imagepolicies,imageupdateautomations,gitrepositories -A -o yaml | tagboat import flux -

What could not be carried over is told on standard error, and in comments at the end of the file. What is broken, and objects of \
kinds that the import does not know, are named and skipped, and the command ends with 1; with --force it ends with 0 all the same.

A rule from Flux writes only values with the markers of its ImagePolicy (its key `marker`); without that key it finds references \
by their value, and leaves those alone that carry a marker of another rule.

Known, with nothing to import: of Flux its other kinds and Secrets, of Argo CD AppProjects and ConfigMaps, for Keel workloads \
without its settings, HelmReleases and values, and everywhere kustomization files.")]
pub(super) struct Args {
    /// Whose objects they are
    #[arg(value_enum)]
    from: Tool,
    /// Files, directories (their *.yaml, *.yml and *.json), or - for standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Write to this file, which must not be there yet, instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Overwrite the file, and end well even if something in the input is broken or of an unknown kind
    #[arg(long)]
    force: bool,
    /// Name every object of an unknown kind, not only the first of each kind
    #[arg(short, long)]
    verbose: bool,
}

/// The updaters whose objects can be read.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Tool {
    /// ImageRepository, ImagePolicy, ImageUpdateAutomation and GitRepository
    Flux,
    /// Applications with annotations of Argo CD Image Updater, ImageUpdater, and the ConfigMap with registries.conf
    Argocd,
    /// Workloads with labels or annotations of Keel, and Helm values with a `keel` block
    Keel,
}

impl Tool {
    fn import(self, objects: &[Object]) -> Draft {
        match self {
            Self::Flux => import::flux::import(objects),
            Self::Argocd => import::argocd::import(objects),
            Self::Keel => import::keel::import(objects),
        }
    }
}

/// How many bytes are read of all files together; larger inputs are no objects of a cluster.
const LARGEST_INPUT: u64 = 256 * 1024 * 1024;

pub(super) fn execute(args: &Args) -> anyhow::Result<Exit> {
    let word = args.from.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
    let mut input = Input { objects: Vec::new(), remarks: Vec::new(), left: LARGEST_INPUT };
    for path in &args.paths {
        input.add(path)?;
    }
    let Input { objects, remarks, .. } = input;
    let mut draft = args.from.import(&objects);
    draft.remarks.splice(0..0, remarks);
    let draft = import::sound(draft);
    let text = import::write(&draft, &word);
    print_remarks(&draft.remarks, Severity::Broken);
    print_foreign(&draft.foreign, args.verbose, &word);
    print_remarks(&draft.remarks, Severity::Lost);
    print_remarks(&draft.remarks, Severity::Note);
    let objects = count(objects.len(), "object", "objects");
    if draft.images.is_empty() {
        bail!("nothing to import: in {objects}, there is no image that {word} would update");
    }
    if let Err(report) = config::load_str_without_secrets("the result", &text, &Variables::default()) {
        bail!("what was made is not a sound policy file, which is a bug of Tagboat's:\n{report}");
    }
    match &args.output {
        Some(file) => write(file, &text, args.force)?,
        None => print_line(text.trim_end().to_owned()),
    }
    anstream::eprintln!(
        "{objects} read: {}, {}, {}{}",
        count(draft.images.len(), "image", "images"),
        count(draft.environments.len(), "environment", "environments"),
        count(draft.registries.len(), "registry", "registries"),
        if draft.foreign.is_empty() { String::new() } else { format!("; {} skipped", draft.foreign.len()) },
    );
    let is_whole = draft.foreign.is_empty() && draft.remarks.iter().all(|remark| remark.severity != Severity::Broken);
    if is_whole || args.force {
        return Ok(Exit::Done);
    }
    anstream::eprintln!(
        "{HINT}hint{HINT:#}: the policy file is made, without what is broken or was skipped; with --force this is no failure"
    );
    Ok(Exit::Failed)
}

/// What is read of the paths.
struct Input {
    objects: Vec<Object>,
    remarks: Vec<Remark>,
    /// How many bytes may still be read.
    left: u64,
}

impl Input {
    /// Reads a file, a directory's files in the order of their names, or standard input.
    fn add(&mut self, path: &Path) -> anyhow::Result<()> {
        if path == Path::new("-") {
            return self.read("standard input", std::io::stdin());
        }
        let name = path.display();
        if !std::fs::metadata(path).with_context(|| format!("opening {name}"))?.is_dir() {
            return self.open(path);
        }
        let mut entries: Vec<_> =
            std::fs::read_dir(path).and_then(Iterator::collect).with_context(|| format!("reading the directory {name}"))?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            let path = entry.path();
            let kind = entry.file_type().with_context(|| format!("looking at {}", path.display()))?;
            // A link to a folder is not followed, so that a ring of them has an end.
            let is_file = || kind.is_file() || kind.is_symlink() && std::fs::metadata(&path).is_ok_and(|target| target.is_file());
            if kind.is_dir() && !hidden {
                self.add(&path)?;
            } else if holds_objects(&path) && is_file() {
                self.open(&path)?;
            }
        }
        Ok(())
    }

    fn open(&mut self, path: &Path) -> anyhow::Result<()> {
        let name = path.display().to_string();
        let file = File::open(path).with_context(|| format!("opening {name}"))?;
        self.read(&name, file)
    }

    fn read(&mut self, name: &str, source: impl Read) -> anyhow::Result<()> {
        let mut bytes = Vec::new();
        source.take(self.left + 1).read_to_end(&mut bytes).with_context(|| format!("reading {name}"))?;
        self.left = self
            .left
            .checked_sub(bytes.len() as u64)
            .with_context(|| format!("reading {name}: the input is larger than {} MiB", LARGEST_INPUT >> 20))?;
        match String::from_utf8(bytes) {
            Ok(text) => {
                let (objects, remarks) = import::read(&text, name);
                self.objects.extend(objects);
                self.remarks.extend(remarks);
            }
            Err(error) => self.remarks.push(Remark {
                origin: Some(Origin { file: name.to_owned(), document: 1 }),
                object: String::new(),
                field: String::new(),
                reason: format!("it cannot be read: byte {} is no UTF-8", error.utf8_error().valid_up_to() + 1),
                instead: Some("write it anew as UTF-8; PowerShell's `>` may write UTF-16".to_owned()),
                severity: Severity::Broken,
            }),
        }
        Ok(())
    }
}

fn holds_objects(path: &Path) -> bool {
    path.extension().is_some_and(|extension| ["yaml", "yml", "json"].iter().any(|known| extension.eq_ignore_ascii_case(known)))
}

/// Writes the file; one that is there already only if that is wanted.
fn write(path: &Path, text: &str, force: bool) -> anyhow::Result<()> {
    let name = path.display();
    let mut options = OpenOptions::new();
    if force {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    match options.write(true).open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => bail!("{name} is there already; --force overwrites it"),
        file => file.and_then(|mut file| file.write_all(text.as_bytes())).with_context(|| format!("writing {name}")),
    }
}

/// Tells the remarks of one severity.
fn print_remarks(remarks: &[Remark], severity: Severity) {
    let style = match severity {
        Severity::Broken => ERROR,
        Severity::Lost => WARNING,
        Severity::Note => HINT,
    };
    for remark in remarks.iter().filter(|remark| remark.severity == severity) {
        let origin = remark.origin.as_ref().map_or_else(String::new, |origin| format!("{FAINT}{origin}:{FAINT:#} "));
        anstream::eprintln!("{style}{severity}{style:#}: {origin}{remark}");
    }
}

/// Tells what was skipped: a line for each kind, or one for each object with its place.
fn print_foreign(foreign: &[Foreign], each: bool, word: &str) {
    let reason = format!("skipped: `tagboat import {word}` reads nothing of this kind");
    if each {
        for one in foreign {
            anstream::eprintln!("{ERROR}foreign{ERROR:#}: {FAINT}{}:{FAINT:#} {one}: {reason}", one.origin);
        }
    } else {
        for kind in import::by_kind(foreign) {
            anstream::eprintln!("{ERROR}foreign{ERROR:#}: {kind}: {reason}");
        }
    }
}
