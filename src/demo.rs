//! The embedded try-out: a registry inside this process, an environment repository on disk, and a story that the real
//! daemon plays in. The registry serves tests and benches as well.

pub mod registry;
pub mod repository;
pub mod story;
