//! What one folder holds, shared by all trees in which the folder is the same.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::census::Census;
use super::scanned::Content;
use super::{SiteFile, Skip, SkipReason, View};
use crate::environment::{Entry, Folder};
use crate::image::Repository;

/// What a folder holds, and all below it.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) folder: Arc<Folder>,
    /// In the order of paths; all folders are among them.
    children: Box<[Child]>,
    /// The files in it itself that are counted.
    contents: Box<[Content]>,
    /// The repositories that a rule covers in these.
    covered: Box<[Repository]>,
    /// How many files with sites are in it and below.
    files: usize,
    /// How many files are left alone in it and below, by reason.
    skipped: BTreeMap<&'static str, u64>,
}

#[derive(Debug)]
enum Child {
    File(SiteFile),
    Skip(Skip),
    Folder(Arc<Part>),
}

impl Part {
    /// Visits the files with sites in it and below.
    pub(super) fn files(&self) -> impl Iterator<Item = &SiteFile> {
        self.leaves(|part| part.files > 0).filter_map(|child| if let Child::File(file) = child { Some(file) } else { None })
    }

    /// Visits what is left alone in it and below.
    pub(super) fn skips(&self) -> impl Iterator<Item = &Skip> {
        self.leaves(|part| !part.skipped.is_empty()).filter_map(|child| if let Child::Skip(skip) = child { Some(skip) } else { None })
    }

    /// Visits all that are no folders, in those folders that are to be entered.
    fn leaves(&self, enter: impl Fn(&Self) -> bool) -> impl Iterator<Item = &Child> {
        let mut path = vec![self.children.iter()];
        std::iter::from_fn(move || {
            loop {
                match path.last_mut()?.next() {
                    None => {
                        path.pop();
                    }
                    Some(Child::Folder(part)) if enter(part) => path.push(part.children.iter()),
                    Some(Child::Folder(_)) => {}
                    Some(leaf) => return Some(leaf),
                }
            }
        })
    }

    /// Returns how many files are left alone, by reason.
    pub(super) fn skipped(&self) -> &BTreeMap<&'static str, u64> {
        &self.skipped
    }

    /// Returns the folders in it, by name.
    fn folders(&self) -> HashMap<&str, &Arc<Self>> {
        let names = self.folder.entries().iter().filter(|(_, entry)| matches!(entry, Entry::Folder(_))).map(|(name, _)| &**name);
        let parts = self.children.iter().filter_map(|child| if let Child::Folder(part) = child { Some(part) } else { None });
        names.zip(parts).collect()
    }
}

/// Says whether a part is of this very folder.
fn is_of(part: Option<&Arc<Part>>, folder: &Arc<Folder>) -> bool {
    part.is_some_and(|part| Arc::ptr_eq(&part.folder, folder))
}

/// Returns the contents of all files in folders that are not as they were, in the order of their paths.
pub(super) fn changed(before: Option<&Arc<Part>>, folder: &Arc<Folder>, view: View<'_>) -> Vec<Content> {
    let mut contents = Vec::new();
    gather(before, folder, &mut String::new(), view, &mut contents);
    contents
}

fn gather(before: Option<&Arc<Part>>, folder: &Arc<Folder>, path: &mut String, view: View<'_>, contents: &mut Vec<Content>) {
    if is_of(before, folder) {
        return;
    }
    let known = before.map(|part| part.folders()).unwrap_or_default();
    let above = path.len();
    for (name, entry) in folder.entries() {
        path.push_str(name);
        match entry {
            Entry::Folder(folder) => {
                path.push('/');
                gather(known.get(&**name).copied(), folder, path, view, contents);
            }
            Entry::File(blob) => contents.extend(view.format(path).map(|format| (*blob, format))),
            Entry::Link | Entry::Submodule | Entry::Odd => {}
        }
        path.truncate(above);
    }
}

/// Makes the parts of a new tree and keeps the census in step.
pub(super) struct Builder<'a> {
    census: &'a mut Census,
    view: View<'a>,
    /// What the new tree no longer holds. It is taken out of the count at the end, as it may only have moved.
    gone: Vec<Gone>,
}

enum Gone {
    /// A folder and all below it.
    Whole(Arc<Part>),
    /// The files in a folder itself.
    Files(Arc<Part>),
}

impl<'a> Builder<'a> {
    pub(super) fn new(census: &'a mut Census, view: View<'a>) -> Self {
        Self { census, view, gone: Vec::new() }
    }

    /// Makes the part of the root; what is the same as before is taken over.
    pub(super) fn build(mut self, before: Option<&Arc<Part>>, folder: &Arc<Folder>) -> Arc<Part> {
        let root = self.part(before, folder, &mut String::new());
        while let Some(gone) = self.gone.pop() {
            let (Gone::Whole(part) | Gone::Files(part)) = &gone;
            part.contents.iter().for_each(|content| self.census.take(*content));
            part.covered.iter().for_each(|repository| self.census.uncover(repository));
            if let Gone::Whole(part) = &gone {
                self.gone.extend(part.folders().into_values().map(|part| Gone::Whole(Arc::clone(part))));
            }
        }
        self.census.end();
        root
    }

    fn part(&mut self, before: Option<&Arc<Part>>, folder: &Arc<Folder>, path: &mut String) -> Arc<Part> {
        if let Some(part) = before.filter(|_| is_of(before, folder)) {
            return Arc::clone(part);
        }
        let mut known = before.map(|part| part.folders()).unwrap_or_default();
        let mut part = Draft::default();
        let above = path.len();
        for (name, entry) in folder.entries() {
            path.push_str(name);
            match entry {
                Entry::Folder(folder) => {
                    path.push('/');
                    part.folder(self.part(known.remove(&**name), folder, path));
                }
                Entry::File(blob) => {
                    if let Some(format) = self.view.format(path) {
                        self.file(&mut part, path, (*blob, format));
                    }
                }
                Entry::Link => part.skip(path, SkipReason::Link),
                Entry::Submodule => part.skip(path, SkipReason::Submodule),
                Entry::Odd => part.skip(path, SkipReason::Odd),
            }
            path.truncate(above);
        }
        for repository in &part.covered {
            self.census.cover(repository, || self.view.rules.interval(repository));
        }
        self.gone.extend(known.into_values().map(|part| Gone::Whole(Arc::clone(part))));
        self.gone.extend(before.map(|part| Gone::Files(Arc::clone(part))));
        Arc::new(part.finish(Arc::clone(folder)))
    }

    fn file(&mut self, part: &mut Draft, path: &str, content: Content) {
        let Some(scanned) = self.census.add(content) else { return };
        part.contents.push(content);
        let (sites, reason) = scanned.parts();
        if let Some(reason) = reason {
            part.skip(path, reason);
        }
        let Some(sites) = sites else { return };
        let View { environment, rules } = self.view;
        for site in sites.iter() {
            if !part.covered.contains(&site.repository) && rules.find(environment, path, site).is_some() {
                part.covered.insert(site.repository.clone());
            }
        }
        let ((blob, format), sites) = (content, Arc::clone(sites));
        part.children.push(Child::File(SiteFile { path: path.into(), blob, format, sites }));
        part.files += 1;
    }
}

/// A part on its way.
#[derive(Default)]
struct Draft {
    children: Vec<Child>,
    contents: Vec<Content>,
    covered: BTreeSet<Repository>,
    files: usize,
    skipped: BTreeMap<&'static str, u64>,
}

impl Draft {
    fn folder(&mut self, part: Arc<Part>) {
        self.files += part.files;
        for (reason, count) in &part.skipped {
            *self.skipped.entry(reason).or_default() += count;
        }
        self.children.push(Child::Folder(part));
    }

    fn skip(&mut self, path: &str, reason: SkipReason) {
        *self.skipped.entry(reason.as_str()).or_default() += 1;
        self.children.push(Child::Skip(Skip { file: path.to_owned(), reason }));
    }

    fn finish(self, folder: Arc<Folder>) -> Part {
        let Self { children, contents, covered, files, skipped } = self;
        Part { folder, children: children.into(), contents: contents.into(), covered: covered.into_iter().collect(), files, skipped }
    }
}
