//! The one integration test binary: a module for each part of Tagboat.
#![allow(clippy::unwrap_used, clippy::expect_used, unreachable_pub, missing_docs)]

mod architecture;
mod cli;
mod config;
mod engine;
mod environment;
mod examining;
mod explaining;
mod import;
mod manifest;
mod packaging;
mod policy;
mod refs;
mod registry;
mod support;
mod webhook;
