//! Git over SSH by the OpenSSH client.
//!
//! Owns the command line and the child process. The host's key is always checked: against the configured file of known
//! hosts, or the user's own. Nothing is ever asked for (`BatchMode`), nothing of the remote reaches a shell of ours, and the
//! child dies with its session.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use git2::transport::Service;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;

use super::ssh_says::diagnose;
use super::{Pipe, Session};
use crate::environment::error::{Fault, Foreign};
use crate::environment::url::SshPlace;
use crate::environment::{Auth, Config};

/// How a session reaches its SSH remote.
pub(super) struct Ssh {
    options: Vec<String>,
    target: String,
    path: String,
}

impl Ssh {
    /// Makes ready to connect.
    ///
    /// # Errors
    /// If the credential is not for SSH, or the key cannot be read.
    pub(super) fn new(place: &SshPlace, config: &Config) -> Result<Self, Fault> {
        let mut options = Vec::new();
        let mut option = |text: String| options.extend(["-o".to_owned(), text]);
        for fixed in [
            "BatchMode=yes",
            "StrictHostKeyChecking=yes",
            "UpdateHostKeys=no",
            "ClearAllForwardings=yes",
            "ForwardAgent=no",
            "PermitLocalCommand=no",
            "ControlMaster=no",
            "ControlPath=none",
            "LogLevel=ERROR",
        ] {
            option(fixed.to_owned());
        }
        option(format!("ConnectTimeout={}", config.timeout.as_secs().max(1)));
        match &config.auth {
            None => {}
            Some(Auth::Ssh { key, known_hosts }) => {
                let unusable = |e: std::io::Error| Fault::KeyUnusable(Foreign::new(&format!("{}: {e}", key.display())));
                std::fs::File::open(key).map_err(unusable)?;
                option("IdentitiesOnly=yes".to_owned());
                option("IdentityAgent=none".to_owned());
                option(format!("IdentityFile={}", quoted(key)?));
                if let Some(known_hosts) = known_hosts {
                    option(format!("UserKnownHostsFile={}", quoted(known_hosts)?));
                    option("GlobalKnownHostsFile=/dev/null".to_owned());
                }
            }
            Some(Auth::Basic { .. }) => return Err(Fault::WrongKindOfAuth("a password for an SSH remote")),
        }
        if let Some(port) = place.port {
            option(format!("Port={port}"));
        }
        if let Some(user) = &place.user {
            option(format!("User={user}"));
        }
        Ok(Self { options, target: place.host.clone(), path: place.path.clone() })
    }

    /// Starts `ssh` with the remote's side of a service.
    pub(super) fn start(&self, session: &Session, service: Service) -> Result<Process, Fault> {
        let program = match service {
            Service::UploadPackLs | Service::UploadPack => "git-upload-pack",
            Service::ReceivePackLs | Service::ReceivePack => "git-receive-pack",
        };
        let mut command = Command::new("ssh");
        command
            .args(&self.options)
            .args(["-T", "--", &self.target, &format!("{program} {}", for_shell(&self.path))])
            .env("LC_ALL", "C")
            .env_remove("SSH_ASKPASS")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        session.wait(async {
            let mut child = command.spawn().map_err(Fault::NoSsh)?;
            let missing = || Fault::Broken(Foreign::new("a pipe to ssh is missing"));
            let stdin = child.stdin.take().ok_or_else(missing)?;
            let stdout = child.stdout.take().ok_or_else(missing)?;
            let stderr = child.stderr.take().ok_or_else(missing)?;
            Ok(Process { child, stdin: Some(stdin), stdout, stderr: Some(tokio::spawn(collect(stderr))) })
        })
    }
}

/// A running `ssh`.
pub(super) struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    stderr: Option<JoinHandle<Vec<u8>>>,
}

impl Process {
    /// How long `ssh` may take to end after the conversation did.
    const FAREWELL: Duration = Duration::from_secs(2);
    /// More of the standard error is not kept.
    const LONGEST_STDERR: usize = 16 * 1024;

    /// Tells what `ssh` died of; for when the conversation ended too early.
    fn autopsy(&mut self, session: &Session) -> Fault {
        self.stdin = None;
        let stderr = self.stderr.take();
        let child = &mut self.child;
        let ended = session.wait(async {
            if tokio::time::timeout(Self::FAREWELL, child.wait()).await.is_err() {
                let _ = child.kill().await;
            }
            match stderr {
                Some(stderr) => Ok(tokio::time::timeout(Self::FAREWELL, stderr).await.ok().and_then(Result::ok).unwrap_or_default()),
                None => Ok(Vec::new()),
            }
        });
        match ended {
            Ok(words) if words.is_empty() => Fault::Broken(Foreign::new("ssh ended without a word")),
            Ok(words) => diagnose(&String::from_utf8_lossy(&words), session.clean(&words)),
            Err(fault) => fault,
        }
    }
}

impl Pipe for Process {
    fn read(&mut self, session: &Session, buffer: &mut [u8]) -> Result<usize, Fault> {
        let stdout = &mut self.stdout;
        let read = session.wait(async { stdout.read(buffer).await.map_err(|e| Fault::Broken(Foreign::new(&e.to_string()))) })?;
        // libgit2 reads only while it expects more.
        if read == 0 && !buffer.is_empty() { Err(self.autopsy(session)) } else { Ok(read) }
    }

    fn write(&mut self, session: &Session, bytes: &[u8]) -> Result<(), Fault> {
        let Some(stdin) = &mut self.stdin else { return Ok(()) };
        match session.wait(async { Ok(stdin.write_all(bytes).await) })? {
            Ok(()) => Ok(()),
            Err(_) => Err(self.autopsy(session)),
        }
    }

    fn close(&mut self, session: &Session) {
        self.stdin = None;
        let child = &mut self.child;
        // Past the deadline there is no farewell: `kill_on_drop` ends it.
        let _ = session.wait(async {
            if tokio::time::timeout(Self::FAREWELL, child.wait()).await.is_err() {
                let _ = child.kill().await;
            }
            Ok(())
        });
    }
}

/// Reads all that is written, so that the writer never blocks, and keeps the first part.
async fn collect(mut stderr: ChildStderr) -> Vec<u8> {
    let (mut kept, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(n @ 1..) = stderr.read(&mut buffer).await {
        let room = Process::LONGEST_STDERR.saturating_sub(kept.len());
        kept.extend(buffer[..n].iter().take(room));
    }
    kept
}

/// Quotes a path for the remote's shell.
fn for_shell(path: &str) -> String {
    format!("'{}'", path.replace('\'', r"'\''").replace('!', r"'\!'"))
}

/// Writes a file's name as `ssh_config` reads it: in quotes, with its own signs taken literally.
fn quoted(path: &Path) -> Result<String, Fault> {
    let unfit = || Fault::KeyUnusable(Foreign::new(&format!("`ssh` does not take the file name {}", path.display())));
    let text = path.to_str().ok_or_else(unfit)?;
    if text.contains(['"', '\\', '\n']) || text.contains("${") || text.starts_with('~') {
        return Err(unfit());
    }
    Ok(format!("\"{}\"", text.replace('%', "%%")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_of_the_remote_shell() {
        assert_eq!(for_shell("/a b.git"), "'/a b.git'");
        assert_eq!(for_shell("/a'; rm -rf !b'"), r"'/a'\''; rm -rf '\!'b'\'''");
    }

    #[test]
    fn file_names_are_taken_literally_or_not_at_all() {
        assert_eq!(quoted(Path::new("/k e%y")).unwrap(), "\"/k e%%y\"");
        for unfit in ["/a\"b", "/a\\b", "/${HOME}/k", "~/.ssh/k"] {
            assert!(quoted(Path::new(unfit)).is_err(), "{unfit}");
        }
    }
}
