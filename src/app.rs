//! The running daemon: the only place that wires modules together.
//!
//! Owns start-up (everything that can fail fails before the first pass) and the drain: on SIGTERM no new
//! work is begun, a push in flight is waited for within the grace period, then the process leaves.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry as MetricRegistry;

use crate::config::Settings;
use crate::engine::Engine;
use crate::shutdown::{self, CancellationToken};
use crate::telemetry::metrics::Metrics;
use crate::{http, registry};

/// How long work in flight may take to end; below the 30 s after which Kubernetes kills.
const GRACE: Duration = Duration::from_secs(25);

/// Why the daemon cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The registry client cannot be made.
    #[error("preparing the registry client")]
    Registry(#[from] registry::Error),
    /// The address cannot be listened on.
    #[error(transparent)]
    Listen(#[from] http::BindError),
    /// The signal handlers cannot be installed.
    #[error("installing the signal handlers")]
    Signals(#[source] std::io::Error),
}

/// The daemon, ready to run.
pub struct App {
    engine: Arc<Engine>,
    server: Option<http::Server>,
}

/// Builds an engine from a policy file's settings, with the metrics it feeds; contacts nobody.
///
/// # Errors
/// If the registry client cannot be made.
pub fn engine(settings: Settings) -> Result<(Arc<Engine>, MetricRegistry), registry::Error> {
    let metrics = Arc::new(Metrics::default());
    let mut families = MetricRegistry::default();
    metrics.register(&mut families);
    let client = registry::Client::new(settings.registry)?;
    Ok((Engine::new(settings.engine, client, metrics), families))
}

impl App {
    /// Builds the daemon: makes the clients and binds the listening address, but contacts nobody.
    ///
    /// # Errors
    /// If a certificate file cannot be used or the address cannot be listened on.
    pub async fn build(settings: Settings) -> Result<Self, StartError> {
        let listen = settings.http.clone();
        let (engine, families) = engine(settings)?;
        let (live, ready, watched, watcher) = (engine.health(), engine.health(), Arc::clone(&engine), Arc::clone(&engine));
        let sources = http::Sources {
            metrics: Arc::new(families),
            live: Arc::new(move || live.live()),
            ready: Arc::new(move || ready.ready()),
            status: Arc::new(move |http::Filter { registry, environment }| {
                serde_json::to_vec(&watched.status().only(registry.as_deref(), environment.as_deref()))
            }),
            due_now: Arc::new(move |repository| watcher.due_now(repository)),
            counts: engine.metrics(),
        };
        let server = http::Server::bind(&listen, sources).await?;
        Ok(Self { engine, server })
    }

    /// Runs until SIGTERM or SIGINT, or until `stop` is cancelled by someone else.
    ///
    /// # Errors
    /// If the signal handlers cannot be installed.
    pub async fn run(self, stop: CancellationToken) -> Result<(), StartError> {
        let listen = self.server.as_ref().map(|server| server.address().to_string());
        tracing::info!(version = env!("CARGO_PKG_VERSION"), listen, "started");
        // The probes answer until the drain has ended, so they have a stop of their own.
        let drained = CancellationToken::new();
        let server = self.server.map(|server| tokio::spawn(server.serve(drained.clone())));
        let engine = {
            tokio::spawn({
                let (engine, stop) = (self.engine, stop.clone());
                async move { engine.run(stop).await }
            })
        };

        let signal = tokio::select! {
            signal = shutdown::requested() => Some(signal.map_err(StartError::Signals)?),
            () = stop.cancelled() => None,
        };
        // Told only once it is so: who reads it may count on no push beginning any more.
        stop.cancel();
        tracing::info!(signal, "stopping");
        match tokio::time::timeout(GRACE, engine).await {
            Ok(_) => tracing::info!("stopped"),
            Err(_) => tracing::warn!(grace_s = GRACE.as_secs(), "stopped before all work had ended; the next start takes it up"),
        }
        drained.cancel();
        if let Some(server) = server {
            let _ = server.await;
        }
        Ok(())
    }
}
