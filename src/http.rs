//! Health, metrics, status and webhooks over HTTP.
//!
//! Owns the listening socket and its limits: how many connections at once, how long each may take, how large a request's
//! head may be. Hides the routes. It knows no engine: what it tells comes from [`Sources`], and a webhook tells it through
//! them that a repository is due, which is all that any request can bring about. Only webhooks read request bodies.

mod probe;
mod routes;
mod server;
mod status;
pub mod webhook;

use std::net::SocketAddr;
use std::sync::Arc;

use prometheus_client::registry::Registry;

use crate::image::Repository;
use crate::telemetry::metrics::Metrics;

pub use probe::{ProbeError, probe};
pub use server::{BindError, Server};
pub use status::{Filter, StatusSource};

/// Where to listen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The address; none means no server at all.
    pub listen: Option<SocketAddr>,
    /// Who may send push events.
    pub webhooks: Vec<webhook::Config>,
}

/// A question with yes for an answer, or no and the reason; it is asked often and must answer at once.
pub type Check = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// Says that a repository is due to be listed now; answers at once whether it is watched.
pub type DueNow = Arc<dyn Fn(&Repository) -> bool + Send + Sync>;

/// What the server tells about, and whom it tells.
#[derive(Clone)]
pub struct Sources {
    /// The metrics.
    pub metrics: Arc<Registry>,
    /// Whether the process works; if not, it should be restarted.
    pub live: Check,
    /// Whether it has done its first round.
    pub ready: Check,
    /// What is known about environments, registries and repositories.
    pub status: StatusSource,
    /// What a push event brings about.
    pub due_now: DueNow,
    /// Where deliveries are counted.
    pub counts: Arc<Metrics>,
}
