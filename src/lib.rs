//! Tagboat.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod app;
pub mod cli;
pub mod config;
pub mod demo;
pub mod engine;
pub mod environment;
pub mod error;
pub mod http;
pub mod image;
pub mod manifest;
pub mod policy;
pub mod redact;
pub mod registry;
pub mod retry;
pub mod shutdown;
pub mod telemetry;
