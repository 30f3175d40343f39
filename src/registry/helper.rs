//! Docker's credential helpers: programs that give the login of a registry.
//!
//! Owns how one is run (<https://github.com/docker/docker-credential-helpers>): `docker-credential-<name> get`, the
//! server's name on its standard input, no shell, a deadline after which it dies with all that it started, and a bound
//! on its output. Hides that output, which is a secret in whole: no part of it comes into a message.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use crate::error::Verdict;
use crate::redact::Secret;

use super::credential::Credential;

/// Those of clouds ask over the network.
const DEADLINE: Duration = Duration::from_secs(10);
/// A login is a few kilobytes at most.
const LARGEST_OUTPUT: u64 = 64 * 1024;
/// What every helper writes where it has nothing (`credentials.NewErrCredentialsNotFound`).
const NOT_FOUND: &[u8] = b"credentials not found in native keychain";
/// The user in whose place an identity token stands.
const IDENTITY: &str = "<token>";

/// A helper program by its short name, `ecr-login` for `docker-credential-ecr-login`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Helper(String);

impl Helper {
    /// Takes a name.
    ///
    /// # Errors
    /// If it holds anything but letters, digits, `.`, `_` and `-`, as that could name a program elsewhere.
    pub fn parse(name: &str) -> Result<Self, HelperError> {
        let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if !name.is_empty() && name.bytes().all(known) { Ok(Self(name.to_owned())) } else { Err(HelperError::Name) }
    }

    /// Asks it for the login at `server`; none if it has none. It is looked for on `path`, or on the process's own.
    pub(super) async fn get(&self, server: &str, path: Option<&OsStr>) -> Result<Option<Credential>, HelperError> {
        let mut command = Command::new(self.to_string());
        command.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true).process_group(0);
        if let Some(path) = path {
            command.env("PATH", path);
        }
        let child = command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => HelperError::Missing,
            _ => HelperError::Start(error),
        })?;
        let mut running = Running { group: child.id().and_then(|id| Pid::from_raw(id.cast_signed())), child };
        let ended = tokio::time::timeout(DEADLINE, running.talk(server)).await.unwrap_or(Err(HelperError::Late));
        running.end().await;
        let (status, output) = ended?;
        if status.success() {
            return read(&output);
        }
        if output.trim_ascii() == NOT_FOUND { Ok(None) } else { Err(HelperError::Failed(status)) }
    }
}

impl fmt::Display for Helper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "docker-credential-{}", self.0)
    }
}

/// Why a helper program gave no login.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HelperError {
    /// Its name could be that of any program.
    #[error("the name of a credential helper holds nothing but letters, digits, `.`, `_` and `-`")]
    Name,
    /// There is no such program.
    #[error("there is no such program on the PATH")]
    Missing,
    /// It could not be run.
    #[error("it cannot be run")]
    Start(#[source] io::Error),
    /// It could not be spoken to.
    #[error("speaking to it")]
    Talk(#[source] io::Error),
    /// It hung.
    #[error("it did not end within {} s and was killed", DEADLINE.as_secs())]
    Late,
    /// It said too much.
    #[error("it wrote more than {} KiB and was killed", LARGEST_OUTPUT / 1024)]
    TooLong,
    /// It failed.
    #[error("it failed ({0})")]
    Failed(ExitStatus),
    /// It said something else than a login.
    #[error("what it wrote is not a login in JSON, with `Username` and `Secret`")]
    Rubbish,
}

impl HelperError {
    pub(super) fn verdict(&self) -> Verdict {
        match self {
            // They ask over the network, or a keychain that may be locked.
            Self::Failed(_) | Self::Late | Self::Talk(_) => Verdict::RETRY,
            _ => Verdict::Stalled,
        }
    }

    pub(super) fn hint(&self, helper: &Helper, registry: &str) -> String {
        match self {
            Self::Missing => format!("install {helper} where Tagboat runs, or give the credential as `auth` of [registry.\"{registry}\"]"),
            _ => format!("see what `echo {registry} | {helper} get` says where Tagboat runs"),
        }
    }
}

/// A program with all that it starts, which is a process group of its own.
struct Running {
    child: Child,
    /// None once it is gone, since its number may then be another's.
    group: Option<Pid>,
}

impl Running {
    /// Asks and listens to the end.
    async fn talk(&mut self, server: &str) -> Result<(ExitStatus, Vec<u8>), HelperError> {
        if let Some(mut stdin) = self.child.stdin.take() {
            // One that ends without reading has its say all the same.
            let _ = stdin.write_all(server.as_bytes()).await;
        }
        let mut output = Vec::new();
        if let Some(stdout) = self.child.stdout.take() {
            stdout.take(LARGEST_OUTPUT + 1).read_to_end(&mut output).await.map_err(HelperError::Talk)?;
        }
        if output.len() as u64 > LARGEST_OUTPUT {
            return Err(HelperError::TooLong);
        }
        let status = self.child.wait().await.map_err(HelperError::Talk)?;
        self.group = None;
        Ok((status, output))
    }

    /// Sees to it that nothing is left of it.
    async fn end(&mut self) {
        self.kill();
        let _ = self.child.wait().await;
        self.group = None;
    }

    fn kill(&self) {
        if let Some(group) = self.group {
            // It fails where the group has ended by itself.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A helper's answer; `ServerURL` is of no use.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Login {
    username: String,
    secret: String,
}

fn read(output: &[u8]) -> Result<Option<Credential>, HelperError> {
    // The parser's message could quote the secret.
    let Login { username, secret } = serde_json::from_slice(output).map_err(|_| HelperError::Rubbish)?;
    match (username.as_str(), Secret::new(secret)) {
        ("", secret) if secret.expose().is_empty() => Ok(None),
        (_, secret) if secret.expose().is_empty() => Err(HelperError::Rubbish),
        (IDENTITY, secret) => Ok(Some(Credential::Identity(secret))),
        (_, password) => Ok(Some(Credential::Basic { username, password })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;
    use tokio::time::Instant;

    const SECRET: &str = "hunter22-hunter22";

    /// A folder with one helper, `docker-credential-test`, and the PATH that leads to it.
    struct World(tempfile::TempDir);

    impl World {
        fn new(script: &str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let program = folder.path().join("docker-credential-test");
            std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
            std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
            Self(folder)
        }

        fn file(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        async fn get(&self, name: &str) -> Result<Option<Credential>, String> {
            let mut path = self.0.path().as_os_str().to_owned();
            path.push(":/usr/bin:/bin");
            let result = Helper::parse(name).unwrap().get("ghcr.io", Some(&path)).await;
            result.map_err(|error| {
                for text in [crate::error::chain(&error).to_string(), format!("{error:?}"), error.hint(&Helper::parse(name).unwrap(), "r")]
                {
                    assert!(!text.contains(SECRET), "{text}");
                }
                crate::error::chain(&error).to_string()
            })
        }
    }

    fn basic(username: &str, password: &str) -> Option<Credential> {
        Some(Credential::Basic { username: username.to_owned(), password: Secret::new(password) })
    }

    #[tokio::test]
    async fn the_server_goes_in_and_the_login_comes_out() {
        let world = World::new(
            r#"server=$(cat); echo "$0 $* <$server>" > "${0%/*}/call"; echo '{"ServerURL":"x","Username":"bot","Secret":"one"}'"#,
        );
        assert_eq!(world.get("test").await, Ok(basic("bot", "one")));
        let call = std::fs::read_to_string(world.file("call")).unwrap();
        assert!(call.ends_with("/docker-credential-test get <ghcr.io>\n"), "{call}");
    }

    #[tokio::test]
    async fn what_helpers_answer() {
        let not_found = "credentials not found in native keychain";
        for (script, expected) in [
            (r#"echo '{"Username":"<token>","Secret":"refresh"}'"#.to_owned(), Ok(Some(Credential::Identity(Secret::new("refresh"))))),
            (r#"echo '{"Username":"","Secret":""}'"#.to_owned(), Ok(None)),
            (format!("echo '{not_found}'; exit 1"), Ok(None)),
            (format!("echo '{not_found}'"), Err("what it wrote is not a login")),
            (format!("echo '{{\"Username\":\"a\",\"Secret\":\"{SECRET}\"}}'; exit 3"), Err("it failed (exit status: 3)")),
            (format!("echo 'error for {SECRET}: {not_found}'; echo {SECRET} >&2; exit 1"), Err("it failed (exit status: 1)")),
            (format!("echo {SECRET}"), Err("what it wrote is not a login")),
            (format!("echo '{{\"Username\":5,\"Secret\":\"{SECRET}\"}}'"), Err("what it wrote is not a login")),
            (r#"echo '{"Username":"a","Secret":""}'"#.to_owned(), Err("what it wrote is not a login")),
            ("echo '{}'".to_owned(), Err("what it wrote is not a login")),
            (String::new(), Err("what it wrote is not a login")),
            ("head -c 10000000 /dev/zero".to_owned(), Err("it wrote more than 64 KiB and was killed")),
            ("yes".to_owned(), Err("it wrote more than 64 KiB and was killed")),
            ("kill -9 $$".to_owned(), Err("it failed (signal: 9")),
            ("exec <&-; exit 2".to_owned(), Err("it failed (exit status: 2)")),
        ] {
            match (World::new(&script).get("test").await, expected) {
                (Err(message), Err(expected)) => assert!(message.starts_with(expected), "{script}: {message}"),
                (found, expected) => assert_eq!(found, expected.map_err(str::to_owned), "{script}"),
            }
        }
    }

    #[tokio::test]
    async fn a_missing_program_and_one_that_cannot_be_run_are_told() {
        let world = World::new("");
        assert_eq!(world.get("other").await, Err("there is no such program on the PATH".to_owned()));
        std::fs::set_permissions(world.file("docker-credential-test"), std::fs::Permissions::from_mode(0o644)).unwrap();
        let message = world.get("test").await.unwrap_err();
        assert!(message.starts_with("it cannot be run: "), "{message}");
    }

    #[test]
    fn a_name_cannot_lead_elsewhere() {
        for good in ["ecr-login", "osxkeychain", "acr_env.2"] {
            assert_eq!(Helper::parse(good).unwrap().to_string(), format!("docker-credential-{good}"));
        }
        for bad in ["", "x/../../bin/sh", "/bin/sh", "a b", "a;b", "a\0b", "a\n", "é"] {
            assert!(matches!(Helper::parse(bad), Err(HelperError::Name)), "{bad:?}");
        }
    }

    /// Counts the processes of a group that are there, dead ones that nobody fetched included.
    fn left_of(group: &str) -> usize {
        let stats = std::fs::read_dir("/proc").unwrap().filter_map(|entry| std::fs::read_to_string(entry.ok()?.path().join("stat")).ok());
        // After the name in parentheses: state, parent, group.
        stats.filter(|stat| stat.rsplit_once(')').unwrap().1.split_whitespace().nth(2) == Some(group)).count()
    }

    #[tokio::test]
    async fn one_that_hangs_is_killed_at_the_deadline_with_its_children_and_leaves_no_zombie() {
        let world = World::new(r#"echo $$ > "${0%/*}/pid"; sleep 1000 & sleep 1000"#);
        let start = Instant::now();
        let pid = async {
            loop {
                tokio::time::sleep(Duration::from_millis(5)).await;
                if let Some(pid) = std::fs::read_to_string(world.file("pid")).ok().filter(|pid| pid.ends_with('\n')) {
                    break pid.trim().to_owned();
                }
            }
        };
        let (result, pid) = tokio::join!(world.get("test"), async {
            let pid = pid.await;
            while left_of(&pid) < 3 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            // From here on the clock runs by itself to the deadline.
            tokio::time::pause();
            pid
        });
        assert_eq!(result, Err("it did not end within 10 s and was killed".to_owned()));
        assert!(start.elapsed() >= DEADLINE);
        tokio::time::resume();
        // The grandchild's end is not ours to wait for: its new parent fetches it.
        while left_of(&pid) > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    }

    #[tokio::test]
    async fn one_that_nobody_waits_for_any_more_is_killed() {
        let world = World::new(r#"echo $$ > "${0%/*}/pid"; sleep 1000"#);
        tokio::select! {
            found = world.get("test") => panic!("{found:?}"),
            () = async {
                while !std::fs::read_to_string(world.file("pid")).is_ok_and(|pid| pid.ends_with('\n')) {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            } => {}
        }
        let pid = std::fs::read_to_string(world.file("pid")).unwrap();
        while left_of(pid.trim()) > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
