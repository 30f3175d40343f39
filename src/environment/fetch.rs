//! Bringing the branch's tip into the clone.

use git2::{AutotagOption, ConfigLevel, Direction, FetchOptions, Oid, Reference, RemoteCallbacks, Repository};

use super::error::{Error, Fault};
use super::local;
use super::store::TIP;
use super::transport::{Advertisement, Open};

/// What is fetched from where.
pub(super) struct Wanted<'a> {
    /// The remote, for messages.
    pub(super) remote: &'a str,
    /// The branch; none means the one that HEAD stands for.
    pub(super) branch: Option<&'a str>,
    /// How many commits.
    pub(super) history: i32,
}

/// The branch and the commit it stands at.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tip {
    pub(super) branch: String,
    pub(super) id: Oid,
}

impl Wanted<'_> {
    /// Fetches over the network; if the tip is the one that we have, only the references are listed.
    pub(super) fn fetch(&self, repository: &Repository, session: &Open) -> Result<Tip, Error> {
        let fail = |e| self.fail(session.fault(e));
        let mut remote = repository.remote_anonymous(&session.url()).map_err(fail)?;
        let mut connection = remote.connect_auth(Direction::Fetch, None, None).map_err(fail)?;
        let told = session.advertisement();
        let tip = self.choose(&told)?;
        if !has(repository, tip.id) {
            let mut options = FetchOptions::new();
            let mut callbacks = RemoteCallbacks::new();
            callbacks.transfer_progress(|_| !session.is_cancelled());
            options.remote_callbacks(callbacks).download_tags(AutotagOption::None);
            options.depth(if told.shallow { self.history.max(1) } else { 0 });
            connection.remote().download(&[format!("+refs/heads/{}:{TIP}", tip.branch)], Some(&mut options)).map_err(fail)?;
        }
        Ok(tip)
    }

    /// Fetches from a directory of this machine, with its whole history.
    pub(super) fn fetch_local(&self, repository: &Repository, path: &str, stop: &dyn Fn() -> bool) -> Result<Tip, Error> {
        let fail = |e: git2::Error| self.fail(Fault::Git(e.into()));
        let source = Repository::open(path).map_err(|e| match e.code() {
            git2::ErrorCode::NotFound => self.fail(Fault::NotFound),
            _ => fail(e),
        })?;
        let told = local_branches(&source).map_err(fail)?;
        let tip = self.choose(&told)?;
        if !has(repository, tip.id) {
            let known = repository.refname_to_id(TIP).ok().filter(|&id| source.find_commit(id).is_ok());
            // The clone's settings, which look for no deltas, go before the source's own.
            let settings = repository.path().join("config");
            source.config().and_then(|mut config| config.add_file(&settings, ConfigLevel::App, true)).map_err(fail)?;
            local::copy(&source, tip.id, known, repository, stop).map_err(|cause| self.fail(cause))?;
        }
        Ok(tip)
    }

    fn fail(&self, cause: Fault) -> Error {
        Error::Fetch { remote: self.remote.to_owned(), cause }
    }

    /// Finds the branch among those that the remote offers.
    fn choose(&self, told: &Advertisement) -> Result<Tip, Error> {
        let remote = self.remote.to_owned();
        if !told.any {
            return Err(Error::EmptyRepository { remote });
        }
        let name = match self.branch {
            Some(branch) => {
                let name = format!("refs/heads/{branch}");
                // The name goes into a refspec, where `*` and `:` mean something.
                if !Reference::is_valid_name(&name) {
                    return Err(Error::InvalidBranch { branch: branch.to_owned() });
                }
                name
            }
            None => told.default_branch().ok_or_else(|| Error::NoDefaultBranch { remote: remote.clone() })?,
        };
        let branch = name.trim_start_matches("refs/heads/").to_owned();
        match told.branches.get(name.as_bytes()) {
            Some(&id) => Ok(Tip { branch, id }),
            None => Err(Error::BranchMissing { remote, branch }),
        }
    }
}

impl Advertisement {
    /// Returns the branch that HEAD stands for; if the remote does not say it, the likeliest one at HEAD's commit.
    fn default_branch(&self) -> Option<String> {
        let name = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok().filter(|name| Reference::is_valid_name(name));
        match &self.head {
            Some(head) => name(head).filter(|head| head.starts_with("refs/heads/")),
            None => {
                let id = self.head_id?;
                let at_head = |name: &&[u8]| self.branches.get(*name) == Some(&id);
                let usual = [&b"refs/heads/main"[..], b"refs/heads/master"];
                let likeliest = usual.into_iter().find(at_head).or_else(|| self.branches.keys().map(Vec::as_slice).find(at_head));
                name(likeliest?)
            }
        }
    }
}

/// Says whether the clone's tip is that commit; then all that it needs is there, too.
fn has(repository: &Repository, tip: Oid) -> bool {
    repository.refname_to_id(TIP).is_ok_and(|id| id == tip)
}

/// Lists a local repository's branches as a remote would.
fn local_branches(source: &Repository) -> Result<Advertisement, git2::Error> {
    let mut told = Advertisement::default();
    if let Ok(head) = source.find_reference("HEAD") {
        told.head = head.symbolic_target_bytes().map(<[u8]>::to_vec);
        told.head_id = head.resolve().ok().and_then(|head| head.target());
    }
    for reference in source.references()? {
        let reference = reference?;
        if let Some(id) = reference.target() {
            told.any = true;
            if reference.name_bytes().starts_with(b"refs/heads/") {
                told.branches.insert(reference.name_bytes().to_vec(), id);
            }
        }
    }
    Ok(told)
}
