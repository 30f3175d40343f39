//! The listening socket: accepts within limits, and drains when asked to stop.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use super::routes::routes;
use super::{Config, Sources, webhook};
use crate::shutdown::CancellationToken;

/// What one client can take from us, and all of them together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Connections at once; more wait in the system's queue.
    pub(super) connections: usize,
    /// Until a request's head is read whole, counted from the end of the last one; so also how long an idle connection lives.
    pub(super) head: Duration,
    /// How long a connection lives at most, whatever it does.
    pub(super) connection: Duration,
    /// How long connections may go on after the server was asked to stop.
    pub(super) drain: Duration,
}

impl Limits {
    const DEFAULT: Self =
        Self { connections: 128, head: Duration::from_secs(10), connection: Duration::from_secs(300), drain: Duration::from_secs(5) };
    /// The largest head of a request, in bytes, and the most headers in it.
    const HEAD_SIZE: usize = 16 * 1024;
    const HEADERS: usize = 64;
    /// After a failed accept (the process may be out of file handles), a pause lets others finish.
    const ACCEPT_PAUSE: Duration = Duration::from_millis(500);
}

/// Why the server could not listen.
#[derive(Debug, thiserror::Error)]
#[error("listening on {address}")]
pub struct BindError {
    /// Where it should have.
    pub address: SocketAddr,
    /// What the system says.
    #[source]
    pub cause: io::Error,
}

/// A server that listens, but does not answer yet.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    webhooks: Vec<webhook::Config>,
    sources: Sources,
    limits: Limits,
}

impl Server {
    /// Starts to listen; returns none if the configuration wants no server.
    ///
    /// # Errors
    /// If the address cannot be had.
    pub async fn bind(config: &Config, sources: Sources) -> Result<Option<Self>, BindError> {
        match config.listen {
            Some(address) => Self::with_limits(address, config.webhooks.clone(), sources, Limits::DEFAULT).await.map(Some),
            None => Ok(None),
        }
    }

    pub(super) async fn with_limits(
        wanted: SocketAddr,
        webhooks: Vec<webhook::Config>,
        sources: Sources,
        limits: Limits,
    ) -> Result<Self, BindError> {
        let fail = |cause| BindError { address: wanted, cause };
        let listener = TcpListener::bind(wanted).await.map_err(fail)?;
        let address = listener.local_addr().map_err(fail)?;
        Ok(Self { listener, address, webhooks, sources, limits })
    }

    /// Returns the address it listens on, with the port that the system chose if 0 was asked for.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `shutdown`, then waits a few seconds for requests in flight.
    pub async fn serve(self, shutdown: CancellationToken) {
        let router = routes(self.webhooks, self.sources);
        let connections = TaskTracker::new();
        let places = Arc::new(Semaphore::new(self.limits.connections));
        loop {
            let accepted = tokio::select! {
                () = shutdown.cancelled() => break,
                accepted = accept(&self.listener, &places) => accepted,
            };
            match accepted {
                Ok((stream, place)) => {
                    let connection = connection(stream, TowerToHyperService::new(router.clone()), self.limits, shutdown.clone());
                    connections.spawn(async move {
                        connection.await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(error = &error as &(dyn std::error::Error + 'static), "accepting a connection failed");
                    tokio::time::sleep(Limits::ACCEPT_PAUSE).await;
                }
            }
        }
        drop(self.listener);
        connections.close();
        // What is not done by then is cut off as the runtime ends; nothing here must be finished.
        let _ = tokio::time::timeout(self.limits.drain, connections.wait()).await;
    }
}

/// Waits for a free place first, then for a client: who comes when all places are taken waits in the system's queue.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> io::Result<(TcpStream, impl Drop + Send + 'static)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, place))
}

/// Serves one connection to its end. Errors are the client's own business: a probe that hangs up is no news.
async fn connection(stream: TcpStream, service: TowerToHyperService<axum::Router>, limits: Limits, shutdown: CancellationToken) {
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_header_size(Limits::HEAD_SIZE)
        .max_headers(Limits::HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    let until_done = async {
        tokio::pin!(served);
        tokio::select! {
            _ = served.as_mut() => return,
            () = shutdown.cancelled() => served.as_mut().graceful_shutdown(),
        }
        let _ = served.await;
    };
    let _ = tokio::time::timeout(limits.connection, until_done).await;
}

#[cfg(test)]
mod tests;
