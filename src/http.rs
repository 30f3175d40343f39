//! Health, metrics and status over HTTP.
//!
//! Owns the listening socket and its limits: how many connections at once, how long each may take, how large a request's
//! head may be. Hides the routes. It knows no engine: what it tells comes from [`Sources`]. No request body is ever read
//! and no request changes anything.

mod probe;
mod routes;
mod server;
mod status;

use std::net::SocketAddr;
use std::sync::Arc;

use prometheus_client::registry::Registry;

pub use probe::{ProbeError, probe};
pub use server::{BindError, Server};
pub use status::{Filter, StatusSource};

/// Where to listen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The address; none means no server at all.
    pub listen: Option<SocketAddr>,
}

/// A question with yes for an answer, or no and the reason; it is asked often and must answer at once.
pub type Check = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// What the server tells about.
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
}
