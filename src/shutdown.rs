//! Stopping in order: who asks for it, and how long is waited.
//!
//! Owns the signals. Everything that waits takes a [`CancellationToken`]; what must not be torn (a push
//! in flight) runs on and is waited for within the grace period.

pub use tokio_util::sync::CancellationToken;

/// Returns when the process is asked to stop: SIGTERM or SIGINT (Ctrl-C); the name of the signal tells which.
///
/// # Errors
/// If the signal handlers cannot be installed.
pub async fn requested() -> std::io::Result<&'static str> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}
