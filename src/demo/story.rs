//! What happens in the demo: releases, temptations, a revert.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::registry::Registry;
use super::repository::{Shown, Upstream};
use crate::app::{App, StartError};
use crate::config;
use crate::shutdown::CancellationToken;

/// How long the demo waits for a commit that must come.
const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// How often the repository is looked at for new commits.
const LOOK: Duration = Duration::from_millis(50);

const API: &str = "clusters/prod/api/deployment.yaml";
const WORKER: &str = "clusters/prod/worker/kustomization.yaml";
const WEB: &str = "charts/web/values.yaml";

/// Something to show.
#[derive(Clone, Debug)]
pub enum Event {
    /// The demo is set up.
    Ready(Tour),
    /// A sentence about what comes next.
    Says(&'static str),
    /// A tag was pushed to the registry.
    Published(String),
    /// A commit landed.
    Landed(Shown),
    /// The story is over; the daemon goes on.
    TheEnd,
}

/// Where to look around.
#[derive(Clone, Debug)]
pub struct Tour {
    /// The environment repository.
    pub repository: PathBuf,
    /// The policy file.
    pub policy_file: PathBuf,
    /// The address of the daemon's health and metrics.
    pub listen: String,
}

/// Why the demo cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A file or socket cannot be made.
    #[error("setting the demo up")]
    Setup(#[from] std::io::Error),
    /// The environment repository cannot be used.
    #[error("using the demo's environment repository")]
    Repository(#[from] git2::Error),
    /// The demo's own policy file is wrong.
    #[error("the demo's policy file has mistakes:\n{0}")]
    Policy(config::Report),
    /// The daemon cannot start.
    #[error("starting the daemon")]
    Start(#[from] StartError),
    /// The daemon did not commit what it should have.
    #[error("no commit came within {} seconds", LONGEST_WAIT.as_secs())]
    NoCommit,
}

/// The stage: what the acts need.
struct Stage {
    registry: Registry,
    upstream: Upstream,
    landed: watch::Receiver<usize>,
    events: mpsc::Sender<Event>,
    pace: Duration,
    /// Whether the play ends with its last act.
    curtain: bool,
    stop: CancellationToken,
}

/// Runs the demo; `pace` is the pause before each act. Ends when `stop` is cancelled or on Ctrl-C, or, with `curtain`, after the last act.
///
/// # Errors
/// If something cannot be set up, or a commit that must come does not.
pub async fn run(pace: Duration, curtain: bool, stop: CancellationToken, events: mpsc::Sender<Event>) -> Result<(), DemoError> {
    let folder = tempfile::Builder::new().prefix("tagboat-demo-").tempdir()?;
    let registry = Registry::start().await?;
    publish_first_tags(&registry);
    let upstream = create_upstream(&folder.path().join("environment.git"), &registry.host())?;
    let (tour, settings) = write_policy(folder.path(), &registry, &upstream)?;

    let app = App::build(settings).await?;
    let daemon = tokio::spawn(app.run(stop.clone()));
    let (count, landed) = watch::channel(0);
    let look = CancellationToken::new();
    let watching = tokio::spawn(watch_commits(tour.repository.clone(), events.clone(), count, look.clone()));
    // A listener that has gone away ends the demo by `stop`, not by an error here.
    let _ = events.send(Event::Ready(tour)).await;

    let stage = Stage { registry, upstream, landed, events, pace, curtain, stop: stop.clone() };
    let told = tokio::select! {
        told = stage.play() => told,
        () = stop.cancelled() => Ok(()),
    };
    // The play is over, one way or another; now the daemon ends too.
    stop.cancel();
    let ended = daemon.await;
    look.cancel();
    let _ = watching.await;
    told?;
    if let Ok(ended) = ended {
        ended?;
    }
    Ok(())
}

fn publish_first_tags(registry: &Registry) {
    for (repository, tags) in [
        ("shop/api", &["1.3.9", "1.4.0", "1.4.1", "latest"][..]),
        ("shop/proxy", &["2.0.2", "2.0.3"]),
        ("shop/worker", &["1.8", "1.9", "1.10"]),
        ("shop/web", &["3.1.4", "3.1.4-alpine", "3.2.0", "3.2.0-alpine"]),
    ] {
        for tag in tags {
            registry.publish(repository, tag);
        }
    }
}

fn create_upstream(path: &Path, host: &str) -> Result<Upstream, git2::Error> {
    let fill = |text: &str| text.replace("REGISTRY", host);
    let files = [
        (API, fill(include_str!("files/api.yaml"))),
        (WORKER, fill(include_str!("files/kustomization.yaml"))),
        (WEB, fill(include_str!("files/values.yaml"))),
    ];
    Upstream::create(path, &files)
}

fn write_policy(folder: &Path, registry: &Registry, upstream: &Upstream) -> Result<(Tour, config::Settings), DemoError> {
    // The port is free now and taken a moment later; nobody else asks for it in between on a quiet machine.
    let listen = std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.to_string();
    let text = include_str!("files/tagboat.toml")
        .replace("REGISTRY", &registry.host())
        .replace("STATE", &folder.join("state").display().to_string())
        .replace("LISTEN", &listen)
        .replace("URL", &upstream.path().display().to_string());
    let policy_file = folder.join("tagboat.toml");
    std::fs::write(&policy_file, text)?;
    let settings = config::load(&policy_file, &config::Variables::default()).map_err(DemoError::Policy)?;
    Ok((Tour { repository: upstream.path().to_owned(), policy_file, listen }, settings))
}

/// Sends each new commit on, until `look` is cancelled.
async fn watch_commits(repository: PathBuf, events: mpsc::Sender<Event>, count: watch::Sender<usize>, look: CancellationToken) {
    let upstream = Upstream::at(repository);
    let mut seen: Option<String> = None;
    while !look.is_cancelled() {
        // A repository that cannot be read just now is read again at the next look.
        let commits = upstream.commits_after(seen.as_deref()).unwrap_or_default();
        for commit in commits {
            let first = seen.replace(commit.id.clone()).is_none();
            if !first {
                let _ = events.send(Event::Landed(commit)).await;
                count.send_modify(|n| *n += 1);
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

impl Stage {
    async fn play(mut self) -> Result<(), DemoError> {
        self.say("A release: somebody pushes shop/api 1.4.2.").await;
        self.publish(&[("shop/api", "1.4.2")]).await;
        self.until(API, "shop/api:1.4.2").await?;

        self.say("Temptations: a release candidate, a commit hash, another variant, and the one right tag among them.").await;
        self.publish(&[("shop/api", "1.5.0-rc.1"), ("shop/api", "8d3f2a1"), ("shop/web", "3.2.1"), ("shop/web", "3.2.1-alpine")]).await;
        self.until(WEB, "3.2.1-alpine").await?;

        self.say("Two more images. The quotes around 1.20 stay, or YAML would read the number 1.2.").await;
        self.publish(&[("shop/worker", "1.20"), ("shop/proxy", "2.0.4")]).await;
        self.until(WORKER, "'1.20'").await?;
        self.until(API, "shop/proxy:2.0.4").await?;

        self.say("A colleague takes shop/api 1.4.2 out again. Reverts win: Tagboat holds it, and says so.").await;
        let reverted = self.upstream.read(API)?.replace("shop/api:1.4.2", "shop/api:1.4.1");
        self.upstream.commit("Revert \"bump shop/api to 1.4.2\"\n\nIt leaks memory.", &[(API, reverted)])?;
        self.until(API, "shop/api:1.4.1").await?;
        tokio::time::sleep(self.pace.max(Duration::from_millis(1500))).await;

        self.say("The fix is released: 1.4.3 is newer than what was taken out.").await;
        self.publish(&[("shop/api", "1.4.3")]).await;
        self.until(API, "shop/api:1.4.3").await?;

        let _ = self.events.send(Event::TheEnd).await;
        if !self.curtain {
            self.stop.cancelled().await;
        }
        Ok(())
    }

    async fn say(&self, sentence: &'static str) {
        tokio::time::sleep(self.pace).await;
        let _ = self.events.send(Event::Says(sentence)).await;
    }

    async fn publish(&self, tags: &[(&str, &str)]) {
        for (repository, tag) in tags {
            self.registry.publish(repository, tag);
            let _ = self.events.send(Event::Published(format!("{}/{repository}:{tag}", self.registry.host()))).await;
        }
    }

    /// Waits until a commit has been shown after which a file holds a text.
    async fn until(&mut self, file: &str, text: &str) -> Result<(), DemoError> {
        let upstream = &self.upstream;
        let there = self.landed.wait_for(|_| upstream.read(file).is_ok_and(|content| content.contains(text)));
        match tokio::time::timeout(LONGEST_WAIT, there).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(DemoError::NoCommit),
        }
    }
}
