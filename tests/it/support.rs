//! What tests of several parts share: servers, repositories, and whole worlds.

pub mod authority;
pub mod docker_registry;
pub mod git;
pub mod git_http;
pub mod proxy;
pub mod registry;
pub mod registry_raw;
pub mod registry_tls;
pub mod sshd;
pub mod token_server;
pub mod world;
