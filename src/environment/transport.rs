//! The way to a remote: our own transports below libgit2.
//!
//! Owns the registration with libgit2 and one [`Session`] for each fetch or push: its deadline, its size limit, its
//! credential, what was heard from the remote, and the fault that ended it. libgit2's transports are global to the process
//! and know remotes by URL only; a session therefore has a URL of its own invention (`tagboat://7/`), under which
//! libgit2 finds it. So two environments on one host never see each other's credentials.
//!
//! Why not libgit2's own: they crash on some redirects, ask for a refused password without end, know one CA file for all,
//! and have no deadline. Hides HTTP ([`http`]) and the SSH client ([`ssh`]).

mod http;
mod listen;
mod ssh;
mod ssh_says;

use std::collections::BTreeMap;
use std::future::Future;
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use git2::transport::{Service, SmartSubtransport, SmartSubtransportStream, Transport};
use tokio::runtime::Runtime;
use tokio::time::Instant;

use super::Config;
use super::error::{Fault, Foreign, GitError, LONGEST_TEXT};
use super::url::Place;
use crate::error::chain;
use crate::redact::{Redactor, one_line};
use crate::shutdown::CancellationToken;

pub(super) use listen::{Advertisement, Report};

/// What a session is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    Fetch,
    Push,
}

/// One fetch or push over the network.
pub(super) struct Session {
    id: u64,
    purpose: Purpose,
    wire: Wire,
    timeout: Duration,
    deadline: Instant,
    cancel: CancellationToken,
    redactor: Redactor,
    /// Of its own, so that nothing is left of a session when it ends. Always there until then.
    runtime: Option<Runtime>,
    state: Mutex<State>,
}

enum Wire {
    Http(http::Http),
    Ssh(ssh::Ssh),
}

#[derive(Default)]
struct State {
    fault: Option<Fault>,
    received: u64,
    sent: bool,
    listener: listen::Listener,
}

/// The sessions by their invented URLs.
static SESSIONS: LazyLock<Mutex<BTreeMap<u64, Arc<Session>>>> = LazyLock::new(Mutex::default);

const SCHEME: &str = "tagboat";

/// Registers our transport with libgit2.
///
/// # Safety
/// Nobody else may register or create a transport at the same time.
#[allow(unsafe_code)] // `git2::transport::register` is unsafe for the reason told above, which is passed on.
pub(super) unsafe fn register() -> Result<(), git2::Error> {
    let factory = |remote: &git2::Remote<'_>| {
        let id = remote.url()?.strip_prefix("tagboat://").and_then(|rest| rest.trim_end_matches('/').parse::<u64>().ok());
        let session = id.and_then(|id| lock(&SESSIONS).get(&id).cloned());
        let session = session.ok_or_else(|| git2::Error::from_str("no such session"))?;
        let stateless = matches!(session.wire, Wire::Http(_));
        Transport::smart(remote, stateless, Subtransport(session))
    };
    unsafe { git2::transport::register(SCHEME, factory) }
}

/// A session that libgit2 can find; it ends when this goes.
pub(super) struct Open(Arc<Session>);

impl Session {
    /// The remote's silence that a fetch bears. A push may wait for a hook, within its deadline.
    const PATIENCE: Duration = Duration::from_secs(30);
    /// The most that is taken from a remote in one fetch.
    const LARGEST_FETCH: u64 = 4 << 30;
    /// The most that is taken before the pack: all references, which libgit2 keeps in memory.
    const LARGEST_TALK: u64 = 64 << 20;

    /// Opens a session; connects to nobody yet. None for a local remote, which needs no transport of ours.
    ///
    /// # Errors
    /// If the credential or the certificates cannot be read.
    pub(super) fn open(config: &Config, purpose: Purpose, cancel: &CancellationToken) -> Result<Option<Open>, Fault> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let (wire, secrets) = match config.url.place() {
            Place::Local(_) => return Ok(None),
            Place::Http(url) => {
                let (http, secrets) = http::Http::new(url, config)?;
                (Wire::Http(http), secrets)
            }
            Place::Ssh(place) => (Wire::Ssh(ssh::Ssh::new(place, config)?), Vec::new()),
        };
        let broken = |e: io::Error| Fault::Broken(Foreign::new(&e.to_string()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(broken)?;
        let session = Arc::new(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            purpose,
            wire,
            timeout: config.timeout,
            deadline: Instant::now() + config.timeout,
            // A push in flight is let through: to tear it would leave its outcome unknown.
            cancel: if purpose == Purpose::Push { CancellationToken::new() } else { cancel.clone() },
            redactor: Redactor::new(secrets),
            runtime: Some(runtime),
            state: Mutex::default(),
        });
        lock(&SESSIONS).insert(session.id, Arc::clone(&session));
        Ok(Some(Open(session)))
    }

    /// Does a piece of work on this thread, within the session's limits.
    fn wait<T>(&self, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        let Some(runtime) = &self.runtime else { return Err(Fault::Interrupted) };
        runtime.block_on(async {
            let patience = Instant::now() + Self::PATIENCE;
            let (until, late) = if self.purpose == Purpose::Fetch && patience < self.deadline {
                (patience, Fault::Silent { after: Self::PATIENCE })
            } else {
                (self.deadline, Fault::Timeout { after: self.timeout })
            };
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => Err(Fault::Interrupted),
                done = tokio::time::timeout_at(until, work) => done.unwrap_or(Err(late)),
            }
        })
    }

    /// Takes note of bytes on their way to libgit2.
    fn received(&self, bytes: &[u8]) -> Result<(), Fault> {
        let mut state = lock(&self.state);
        state.received += bytes.len() as u64;
        let limit = if state.sent && self.purpose == Purpose::Fetch { Self::LARGEST_FETCH } else { Self::LARGEST_TALK };
        if state.received > limit {
            return Err(Fault::TooLarge { limit });
        }
        state.listener.hear(bytes, self.purpose == Purpose::Push);
        Ok(())
    }

    /// Takes note that we have something to say after the advertisement.
    fn sending(&self) {
        let mut state = lock(&self.state);
        state.sent = true;
        state.listener.answered(self.purpose == Purpose::Push);
    }

    /// Keeps the first fault, and makes of it what libgit2 takes.
    fn fail(&self, fault: Fault) -> io::Error {
        // libgit2's binding makes a C string of it, so it must not hold a NUL.
        let text = one_line(&chain(&fault).to_string(), LONGEST_TEXT);
        lock(&self.state).fault.get_or_insert(fault);
        io::Error::other(text)
    }

    /// Cleans a text that came from the remote or a helper.
    fn clean(&self, text: &[u8]) -> Foreign {
        Foreign(self.redactor.clean(&String::from_utf8_lossy(text), LONGEST_TEXT))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // To drop it would wait for name look-ups that may hang beyond every deadline.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Open {
    /// Returns the URL under which libgit2 finds the session.
    pub(super) fn url(&self) -> String {
        format!("{SCHEME}://{}/", self.0.id)
    }

    /// Returns why the session failed: our own fault if there is one, else the remote's or libgit2's word.
    pub(super) fn fault(&self, error: git2::Error) -> Fault {
        let mut state = lock(&self.0.state);
        if let Some(fault) = state.fault.take() {
            return fault;
        }
        match state.listener.error.take() {
            Some(words) => Fault::RemoteSays(self.0.clean(&words)),
            None => {
                let mut error = GitError::from(error);
                // It may quote the remote, which may quote us.
                error.message = self.0.clean(error.message.as_bytes()).0;
                Fault::Git(error)
            }
        }
    }

    /// Returns what the remote offered.
    pub(super) fn advertisement(&self) -> Advertisement {
        std::mem::take(&mut lock(&self.0.state).listener.advertisement)
    }

    /// Returns what the remote said about a push, and its text for people.
    pub(super) fn report(&self) -> (Report, Foreign) {
        let state = lock(&self.0.state);
        (state.listener.report.clone(), self.0.clean(&state.listener.text))
    }

    /// Returns a text of the remote, cleaned.
    pub(super) fn clean(&self, text: &str) -> Foreign {
        self.0.clean(text.as_bytes())
    }

    /// Says whether anything was sent that can change the remote.
    pub(super) fn sent(&self) -> bool {
        lock(&self.0.state).sent
    }

    /// Says whether we are asked to stop.
    pub(super) fn is_cancelled(&self) -> bool {
        self.0.cancel.is_cancelled()
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        lock(&SESSIONS).remove(&self.0.id);
    }
}

/// What libgit2 gets for a session.
struct Subtransport(Arc<Session>);

impl SmartSubtransport for Subtransport {
    fn action(&self, _: &str, service: Service) -> Result<Box<dyn SmartSubtransportStream>, git2::Error> {
        let session = Arc::clone(&self.0);
        let pipe: Result<Box<dyn Pipe>, Fault> = match &session.wire {
            Wire::Http(_) => Ok(Box::new(http::Exchange::new(service))),
            Wire::Ssh(ssh) => ssh.start(&session, service).map(|pipe| Box::new(pipe) as Box<dyn Pipe>),
        };
        match pipe {
            Ok(pipe) => Ok(Box::new(Stream { session, pipe })),
            Err(fault) => Err(git2::Error::from_str(&session.fail(fault).to_string())),
        }
    }

    fn close(&self) -> Result<(), git2::Error> {
        Ok(())
    }
}

/// Two directions of bytes.
trait Pipe: Send {
    fn read(&mut self, session: &Session, buffer: &mut [u8]) -> Result<usize, Fault>;
    fn write(&mut self, session: &Session, bytes: &[u8]) -> Result<(), Fault>;
    fn close(&mut self, _: &Session) {}
}

/// A pipe as libgit2 sees it.
struct Stream {
    session: Arc<Session>,
    pipe: Box<dyn Pipe>,
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.pipe.read(&self.session, buffer).and_then(|n| self.session.received(&buffer[..n]).map(|()| n));
        read.map_err(|fault| self.session.fail(fault))
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The flush with which libgit2 takes its leave asks for nothing.
        if bytes != b"0000" {
            self.session.sending();
        }
        self.pipe.write(&self.session, bytes).map_err(|fault| self.session.fail(fault))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.pipe.close(&self.session);
    }
}

/// Locks, whatever another thread's panic left behind: every value is whole at each unlock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
