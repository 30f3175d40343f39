//! What tests of several parts share: servers, repositories, and whole worlds.

pub mod docker_registry;
pub mod registry;
pub mod registry_raw;
pub mod registry_tls;
pub mod world;
