//! One pass over one environment, in five steps.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::facts::{Learned, Learner};
use super::holds::Holds;
use super::plan::{self, Change, FilePlan, Note, NoteKind, Plan, PlannedEdit};
use super::tree::{Cache, LARGEST_FILE, Tree, alone};
use super::{Engine, EnvironmentConfig, digests, message, parallel};
use crate::environment::{self, Changeset, Environment, Push, Snapshot};
use crate::error::{Classified, Verdict, chain};
use crate::image::Repository;
use crate::manifest::{self, Edit, Formats, Shape, Site, Watch};
use crate::retry::Backoff;
use crate::shutdown::CancellationToken;

/// How often a lost push race is run again within one pass.
const MOST_RACES: u32 = 10;
/// How long a pass waits before it runs a lost race again.
const RACE_BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));

/// The file in an environment's directory that brings its scans over a restart.
const KEPT: &str = "sites";

/// What a pass is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Push what is due.
    Push,
    /// Only show what is due.
    Plan,
}

/// A file as a commit changes it.
#[derive(Clone, Debug)]
pub struct EditedFile {
    /// The file.
    pub path: String,
    /// Its content before.
    pub before: Vec<u8>,
    /// Its content after.
    pub after: Vec<u8>,
}

/// What a pass did.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The commit pushed, if there was anything to push.
    pub pushed: Option<String>,
    /// The commit of the branch that was decided on.
    pub base: String,
    /// The values changed, or to be changed.
    pub changes: Vec<Change>,
    /// The files as they would be changed; only kept when planning.
    pub files: Vec<EditedFile>,
    /// Why sites and files were left alone.
    pub notes: Arc<[Note]>,
    /// How many files were left alone as a whole, by reason; not all of them have a note.
    pub skipped: BTreeMap<&'static str, u64>,
    /// How many sites a rule covers.
    pub sites: usize,
    /// The rules that cover any of them, by their place in the policy file.
    pub rules: BTreeSet<usize>,
    /// How many push races were lost on the way.
    pub races: u32,
}

/// Why a pass did not reach its end; what it left undone, the next one does.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// The environment repository cannot be used.
    #[error(transparent)]
    Environment(#[from] environment::Error),
    /// Others were always faster.
    #[error("the branch moved during each of {MOST_RACES} pushes")]
    Raced,
    /// The server does not take our commit.
    #[error("the server refused the push: {reason}")]
    Refused {
        /// What the server said, cleaned.
        reason: String,
    },
    /// The daemon is stopping.
    #[error("stopped before the push")]
    Stopped,
    /// A step ended by a panic.
    #[error("a step of the pass ended by a bug")]
    Panicked(#[source] tokio::task::JoinError),
}

impl Classified for PassError {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Environment(error) => error.verdict(),
            Self::Raced | Self::Stopped => Verdict::RETRY,
            Self::Refused { .. } => Verdict::Stalled,
            Self::Panicked(_) => Verdict::Bug,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Environment(error) => error.hint(),
            Self::Raced => Some("another writer pushes to this branch all the time; Tagboat tries again".to_owned()),
            Self::Refused { .. } => Some("allow Tagboat's user to push to this branch: see its protection rules and hooks".to_owned()),
            Self::Stopped | Self::Panicked(_) => None,
        }
    }
}

/// What an environment keeps between passes: all of it caches.
pub(super) struct Workspace {
    pub(super) config: EnvironmentConfig,
    /// The repositories at the sites of the last tree.
    pub(super) watched: BTreeMap<Repository, Duration>,
    /// The stamp of the observations that the last pass decided on.
    pub(super) decided: u64,
    /// When a decision of the last pass changes by itself.
    pub(super) change: Option<Timestamp>,
    /// The outcome of the last pass, if it found nothing to do and would find the same again.
    settled: Option<Outcome>,
    local: Arc<Mutex<Local>>,
}

/// The part of a workspace that blocks, and so moves to a thread of its own.
struct Local {
    config: EnvironmentConfig,
    dir: PathBuf,
    /// Ends a fetch; a push is never torn.
    stop: CancellationToken,
    clone: Option<Environment>,
    cache: Cache,
    holds: Option<(String, Arc<Holds>)>,
}

/// The branch's tip, and what stands in its tree.
struct Opened {
    snapshot: Arc<Snapshot>,
    tree: Arc<Tree>,
    holds: Arc<Holds>,
}

/// The result of editing: the changeset, and what it changes.
struct Edited {
    changeset: Changeset,
    changes: Vec<Change>,
    files: Vec<EditedFile>,
    notes: Vec<Note>,
    /// Whether a site from before a restart was not found again.
    is_stale: bool,
}

/// Makes one pass: observe, open, decide, edit, push.
pub(super) async fn pass(
    engine: &Engine,
    workspace: &mut Workspace,
    purpose: Purpose,
    patience: Duration,
    stop: &CancellationToken,
) -> Result<Outcome, PassError> {
    let mut races = 0;
    loop {
        // 1. Observe: list the tags of every watched repository that is due.
        let observed = Arc::new(engine.observer.observe(&workspace.watched, patience).await);

        // 2. Open: bring the branch's tip into the bare clone and find every site in its tree.
        let opened = workspace.open(engine).await?;
        if workspace.learn(engine, &opened.tree) {
            continue; // the tree holds repositories that were not observed yet
        }
        if let Some(outcome) = workspace.settled(&opened, &observed) {
            return Ok(outcome); // neither side has changed since a pass that found nothing to do
        }

        // 3. Decide: for each site the policy turns tags and current tag into a decision with a reason.
        //    What it has to know beyond names (times, digests, ages, platforms) is learned on the way.
        let mut plan = workspace.decide(engine, &opened, &observed).await?;
        digests::resolve(&engine.observer, &mut plan).await;
        digests::leave_same(&engine.observer, &engine.rules, &mut plan).await;

        // 4. Edit: replace just the bytes of the values that change, and prove that nothing else did.
        let (base, skipped) = (opened.snapshot.commit().to_owned(), opened.tree.skipped.clone());
        let (sites, rules) = (plan.sites, std::mem::take(&mut plan.rules));
        workspace.change = plan.change;
        let edited = workspace.edit(opened, plan, purpose).await?;
        workspace.decided = observed.stamp();
        workspace.settled = None;
        let Edited { changeset, changes, files, notes, .. } = edited;
        let outcome = Outcome { pushed: None, base, changes, files, notes: notes.into(), skipped, sites, rules, races };

        // 5. Push: one commit, compare-and-swap. Lost the race: back to 1 and 2 with fresh eyes.
        if purpose == Purpose::Plan || outcome.changes.is_empty() {
            workspace.settle(&outcome);
            return Ok(outcome);
        }
        if stop.is_cancelled() {
            return Err(PassError::Stopped);
        }
        match workspace.push(changeset, message::write(&outcome.changes)).await? {
            (Push::Pushed, commit) => return Ok(Outcome { pushed: Some(commit), ..outcome }),
            (Push::Refused { reason }, _) => return Err(PassError::Refused { reason }),
            (Push::Raced, _) => races += 1,
        }
        engine.metrics.raced(&workspace.config.name);
        if races == MOST_RACES {
            return Err(PassError::Raced);
        }
        tracing::debug!(races, "the branch moved during the push; planning again on its new tip");
        tokio::time::sleep(RACE_BACKOFF.delay(races)).await;
    }
}

impl Workspace {
    pub(super) fn new(engine: &Engine, config: EnvironmentConfig, stop: CancellationToken) -> Self {
        let dir = engine.config.state_dir.join("environments").join(directory_name(&config.name));
        let cache = Cache::new(engine.rules.watch(&config)).kept_in(dir.join(KEPT), &config);
        let local = Local { config: config.clone(), dir, stop, clone: None, cache, holds: None };
        Self { config, watched: BTreeMap::new(), decided: 0, change: None, settled: None, local: Arc::new(Mutex::new(local)) }
    }

    /// Runs a step that blocks on a thread for such work, in the current span.
    async fn blocking<R: Send + 'static>(&self, name: &str, step: impl FnOnce(&mut Local) -> R + Send + 'static) -> Result<R, PassError> {
        let local = Arc::clone(&self.local);
        let span = tracing::Span::current();
        let run = move || span.in_scope(|| step(&mut local.lock().unwrap_or_else(PoisonError::into_inner)));
        let started = Instant::now();
        let result = tokio::task::spawn_blocking(run).await.map_err(PassError::Panicked);
        tracing::debug!(step = name, duration_ms = started.elapsed().as_secs_f64() * 1e3, "did a step of the pass");
        result
    }

    async fn open(&self, engine: &Engine) -> Result<Opened, PassError> {
        let rules = Arc::clone(&engine.rules);
        let snapshot = self.blocking("fetch", Local::fetch).await??;
        Ok(self.blocking("scan", move |local| local.scan(snapshot, &rules)).await??)
    }

    /// Returns what the last pass came to, if the branch and the observations are still those that it decided on, and no tag
    /// has become old enough since.
    fn settled(&self, opened: &Opened, observed: &super::Observations) -> Option<Outcome> {
        if self.change.is_some_and(|change| change <= Timestamp::now()) {
            return None;
        }
        self.settled.as_ref().filter(|outcome| outcome.base == opened.snapshot.commit() && self.decided == observed.stamp()).cloned()
    }

    /// Keeps the outcome of a pass that had nothing to do; one in which an edit, a digest or a fact failed is to be tried again.
    fn settle(&mut self, outcome: &Outcome) {
        let again = outcome.notes.iter().any(|note| matches!(note.kind, NoteKind::Unproved | NoteKind::NoDigest | NoteKind::NoFacts));
        self.settled = (outcome.changes.is_empty() && !again).then(|| Outcome { races: 0, ..outcome.clone() });
    }

    /// Takes over the tree's repositories; says whether some of them were not watched before.
    fn learn(&mut self, engine: &Engine, tree: &Tree) -> bool {
        let new = tree.repositories.keys().any(|repository| !self.watched.contains_key(repository));
        if self.watched != *tree.repositories {
            self.watched.clone_from(&tree.repositories);
            engine.observer.use_for(&self.config.name, &self.watched);
        }
        new
    }

    async fn decide(&self, engine: &Engine, opened: &Opened, observed: &Arc<super::Observations>) -> Result<Plan, PassError> {
        let (tree, holds, observed) = (Arc::clone(&opened.tree), Arc::clone(&opened.holds), Arc::clone(observed));
        let (rules, config) = (Arc::clone(&engine.rules), self.config.clone());
        let decide = Arc::new(move |learned: &Learned| plan::decide(&tree, &config, &rules, &observed, &holds, learned));
        let mut learned = Learned::new(Learner::new(engine.observer.client().clone(), Arc::clone(&engine.ages)));
        loop {
            let decide = Arc::clone(&decide);
            let (plan, known) = self.blocking("decide", move |_| (decide(&learned), learned)).await?;
            if plan.needs.is_empty() {
                return self.tell_holds(opened, plan).await;
            }
            learned = known;
            learned.learn(plan.needs, |repository| engine.observer.listing(repository)).await;
        }
    }

    /// Turns the sites of a plan that are held into notes, which name the commits that took the versions out.
    async fn tell_holds(&self, opened: &Opened, mut plan: Plan) -> Result<Plan, PassError> {
        let held = std::mem::take(&mut plan.held);
        if held.is_empty() {
            return Ok(plan);
        }
        let (snapshot, holds) = (Arc::clone(&opened.snapshot), Arc::clone(&opened.holds));
        let notes = self.blocking("holds", move |local| holds.notes(held, &snapshot, &local.config.formats, local.cache.watch())).await??;
        plan.notes.extend(notes);
        Ok(plan)
    }

    async fn edit(&self, opened: Opened, plan: Plan, purpose: Purpose) -> Result<Edited, PassError> {
        Ok(self.blocking("edit", move |local| local.edit(&opened.snapshot, plan, purpose)).await??)
    }

    /// Commits and pushes; returns the server's answer and the commit's id.
    async fn push(&self, changeset: Changeset, message: String) -> Result<(Push, String), PassError> {
        let commit = self.blocking("commit", move |_| changeset.commit(&message)).await??;
        let id = commit.id().to_owned();
        let pushed = self.blocking("push", move |local| local.clone()?.push(&commit)).await??;
        Ok((pushed, id))
    }
}

impl Local {
    /// Returns the bare clone, opened at first use.
    fn clone(&mut self) -> Result<&mut Environment, environment::Error> {
        let clone = match self.clone.take() {
            Some(clone) => clone,
            None => Environment::open(self.config.git.clone(), &self.dir)?.interrupted_by(self.stop.clone()),
        };
        Ok(self.clone.insert(clone))
    }

    fn fetch(&mut self) -> Result<Snapshot, environment::Error> {
        self.clone()?.fetch()
    }

    fn scan(&mut self, snapshot: Snapshot, rules: &super::Rules) -> Result<Opened, environment::Error> {
        let holds = match &self.holds {
            Some((commit, holds)) if *commit == snapshot.commit() => Arc::clone(holds),
            _ => Arc::new(Holds::read(snapshot.history()?)),
        };
        self.holds = Some((snapshot.commit().to_owned(), Arc::clone(&holds)));
        let tree = self.cache.sites(&snapshot, &self.config, rules)?;
        let environment::Reads { folders, files } = snapshot.reads();
        tracing::debug!(folders, files, "read what is new in the tree");
        Ok(Opened { snapshot: Arc::new(snapshot), tree, holds })
    }

    /// Edits the files of a plan. If a site from before a restart was not found again, all that is left of that time is distrusted.
    fn edit(&mut self, snapshot: &Snapshot, plan: Plan, purpose: Purpose) -> Result<Edited, environment::Error> {
        let plan = spare_locked_charts(snapshot, plan)?;
        let edited = edit(snapshot, plan, purpose, &self.config.formats, self.cache.watch())?;
        if edited.is_stale {
            tracing::warn!("what was kept of scans over the restart is wrong; all files are scanned anew");
            self.cache.distrust();
        }
        Ok(edited)
    }
}

/// Leaves alone the dependencies of charts that have a `Chart.lock`: it holds a checksum over them, and Helm refuses a chart whose
/// lock does not fit.
fn spare_locked_charts(snapshot: &Snapshot, mut plan: Plan) -> Result<Plan, environment::Error> {
    let mut files = Vec::with_capacity(plan.files.len());
    for FilePlan { file, mut edits } in plan.files {
        let folder = file.path.strip_suffix("Chart.yaml").filter(|folder| folder.is_empty() || folder.ends_with('/'));
        if let Some(folder) = folder
            && snapshot.has(&format!("{folder}Chart.lock"))?
        {
            edits.retain(|edit| {
                let site = &file.sites[edit.site];
                let why = "the Chart.lock beside it would no longer fit; run `helm dependency update` with it by hand, or remove the lock";
                let is_free = site.shape != Shape::Chart;
                if !is_free {
                    plan.notes.push(file.note(site, NoteKind::Locked, format!("{} is due, but {why}", edit.to)));
                }
                is_free
            });
        }
        if !edits.is_empty() {
            files.push(FilePlan { file, edits });
        }
    }
    Ok(Plan { files, ..plan })
}

/// Edits the files of a plan, each as soon as it is read; a file whose edit or proof fails becomes a note and stays as it is.
fn edit(snapshot: &Snapshot, plan: Plan, purpose: Purpose, formats: &Formats, watch: &Watch) -> Result<Edited, environment::Error> {
    let changeset = Mutex::new(snapshot.change());
    let results = parallel::map(plan.files, |file| {
        let before = snapshot.read(file.file.blob, LARGEST_FILE)?.unwrap_or_default();
        let after = edit_file(&file, &before, formats, watch);
        if let Ok(after) = &after {
            changeset.lock().unwrap_or_else(PoisonError::into_inner).write(Arc::clone(&file.file.path), after)?;
        }
        let kept = (purpose == Purpose::Plan).then_some(before);
        Ok((file, after.map(|after| kept.map(|before| (before, after)))))
    });
    let changeset = changeset.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut edited = Edited { changeset, changes: Vec::new(), files: Vec::new(), notes: plan.notes, is_stale: false };
    for result in results {
        match result? {
            (file, Err(reason)) => {
                edited.is_stale |= matches!(reason, Unedited::NotFoundAgain { .. });
                edited.notes.push(unproved(&file, &reason));
            }
            (file, Ok(kept)) => {
                edited.changes.extend(changes(&file));
                edited.files.extend(kept.map(|(before, after)| EditedFile { path: file.file.path.to_string(), before, after }));
            }
        }
    }
    Ok(edited)
}

/// Why a file was not edited.
#[derive(Debug, thiserror::Error)]
enum Unedited {
    #[error(transparent)]
    Edit(#[from] manifest::EditError),
    #[error("{path} was found before the last restart, and is not found again")]
    NotFoundAgain { path: String },
}

fn edit_file(plan: &FilePlan, text: &[u8], formats: &Formats, watch: &Watch) -> Result<Vec<u8>, Unedited> {
    let _alone = alone(text);
    let FilePlan { file, edits } = plan;
    let sites = || edits.iter().map(|edit| &file.sites[edit.site]);
    let again = if sites().all(Site::is_bound) { Vec::new() } else { formats.scan(text, file.format, watch).unwrap_or_default() };
    let bound = |site| {
        let found = if again.is_empty() { Some(site).filter(|site: &&Site| site.is_bound()) } else { site.again(&again) };
        found.ok_or_else(|| Unedited::NotFoundAgain { path: site.path.to_string() })
    };
    let edit = |(edit, site): (&PlannedEdit, _)| Ok(Edit { site: bound(site)?, tag: edit.to.clone(), digest: edit.digest.clone() });
    let edits = edits.iter().zip(sites()).map(edit).collect::<Result<Vec<_>, Unedited>>()?;
    Ok(manifest::apply(text, &edits)?)
}

fn unproved(plan: &FilePlan, reason: &Unedited) -> Note {
    let site = plan.edits.first().map(|edit| &plan.file.sites[edit.site]);
    Note {
        kind: NoteKind::Unproved,
        file: Arc::clone(&plan.file.path),
        path: site.map(|site| Arc::clone(&site.path)),
        repository: site.map(|site| site.repository.clone()),
        tag: site.and_then(|site| site.tag.clone()),
        reason: chain(reason).to_string().into(),
    }
}

fn changes(plan: &FilePlan) -> impl Iterator<Item = Change> {
    plan.edits.iter().map(|edit| {
        let site = &plan.file.sites[edit.site];
        Change {
            file: Arc::clone(&plan.file.path),
            path: Arc::clone(&site.path),
            key: Arc::clone(&site.key),
            line: site.line,
            repository: site.repository.clone(),
            from: site.tag.clone().or_else(|| (!site.blank).then(|| edit.to.clone())),
            from_digest: site.digest.clone(),
            to: edit.to.clone(),
            digest: edit.digest.clone(),
            policy: Arc::clone(&edit.policy),
        }
    })
}

/// Returns a folder's name for an environment: its own name, with everything but plain characters replaced, and a hash that keeps such names apart.
fn directory_name(name: &str) -> String {
    let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' }).take(64).collect();
    if plain == name {
        return plain;
    }
    use sha2::{Digest as _, Sha256};
    let hash = Sha256::digest(name.as_bytes());
    format!("{plain}-{:02x}{:02x}{:02x}{:02x}", hash[0], hash[1], hash[2], hash[3])
}
