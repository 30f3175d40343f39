//! What the tests share: servers, repositories, and whole worlds.

pub mod world;
