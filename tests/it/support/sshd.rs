//! A real `sshd` on a free port of the loopback address, with keys of its own.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A running `sshd` that lets one key in; it stops when this goes.
pub struct Sshd {
    dir: TempDir,
    port: u16,
    child: Child,
}

impl Sshd {
    pub fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        keygen(&dir.path().join("host"));
        keygen(&dir.path().join("client"));
        let program = ["/usr/sbin/sshd", "/usr/local/sbin/sshd"].into_iter().find(|path| Path::new(path).exists());
        let program = program.expect("these tests need openssh-server; tests/run.sh installs it");
        // sshd wants that directory when it starts as root, and the package's service makes it.
        let _ = std::fs::create_dir_all("/run/sshd");
        for _ in 0..10 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let config = dir.path().join("config");
            let path = dir.path().display();
            let lines = format!(
                "Port {port}\nListenAddress 127.0.0.1\nHostKey {path}/host\nAuthorizedKeysFile {path}/client.pub\nPidFile none\nStrictModes no\n\
                 UsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n"
            );
            std::fs::write(&config, lines).unwrap();
            let mut child =
                Command::new(program).args(["-D", "-e", "-f"]).arg(&config).stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            if answers(&mut child, port) {
                return Self { dir, port, child };
            }
            let _ = child.kill();
            let _ = child.wait();
        }
        panic!("sshd does not start");
    }

    /// The SSH URL of a local path.
    pub fn url(&self, path: &Path) -> String {
        format!("ssh://{}@127.0.0.1:{}{}", user(), self.port, path.display())
    }

    /// The key that is let in.
    pub fn key(&self) -> PathBuf {
        self.dir.path().join("client")
    }

    /// A key that is not let in.
    pub fn other_key(&self) -> PathBuf {
        let path = self.dir.path().join("other");
        if !path.exists() {
            keygen(&path);
        }
        path
    }

    /// A file of known hosts with this server in it.
    pub fn known_hosts(&self) -> PathBuf {
        self.known_hosts_with(&self.dir.path().join("host.pub"), "known_hosts")
    }

    /// A file of known hosts in which this server has another key.
    pub fn other_known_hosts(&self) -> PathBuf {
        self.known_hosts_with(&self.other_key().with_extension("pub"), "other known hosts")
    }

    fn known_hosts_with(&self, key: &Path, name: &str) -> PathBuf {
        let key = std::fs::read_to_string(key).unwrap();
        let path = self.dir.path().join(name);
        std::fs::write(&path, format!("[127.0.0.1]:{} {key}", self.port)).unwrap();
        path
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until the server answers, or has ended because somebody else took the port.
fn answers(child: &mut Child, port: u16) -> bool {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(10) {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

fn keygen(path: &Path) {
    let status = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path).status().unwrap();
    assert!(status.success(), "ssh-keygen failed");
}

fn user() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
