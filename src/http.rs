//! Health and metrics over HTTP. (contract)

use std::net::SocketAddr;

/// Where to listen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The address; none means no server at all.
    pub listen: Option<SocketAddr>,
}
