//! Tagboat watches OCI registries for new image tags and commits the chosen ones to a Git *environment repository*, from
//! which a pull operator brings them to the cluster.
//!
//! This page is the architecture. The README tells the same from outside; `engine/reconcile.rs` is the heart of the code.
//!
//! # One pass, in five steps
//!
//! 1. **Observe**: list the tags of every watched repository that is due ([`registry`], scheduled by [`engine`]).
//! 2. **Open**: bring the branch's tip into the bare clone ([`environment`]) and find every *site* in its tree ([`manifest`]).
//! 3. **Decide**: for each site the policy turns tags and current tag into a decision with a reason ([`policy`]).
//! 4. **Edit**: replace just the bytes of the values that change, and prove that nothing else did ([`manifest`]).
//! 5. **Push**: one commit, compare-and-swap ([`environment`]). Lost the race: back to the start with fresh eyes.
//!
//! The loop is level-triggered: every pass compares what should be with what is. A crash or a lost push costs time and never
//! correctness, and all that is kept on disk is a cache. One task lists repositories as they fall due; each environment has a
//! task of its own that fails alone.
//!
//! # Words
//!
//! A *site* is a place in a file where a reference to a watched image stands. A *decision* says where a site moves, or why it stays.
//! A *hold* is a version that Tagboat wrote and someone took out again; holds are read from the branch's own history. A *note* is
//! the reason why a site or a file was left alone; it reaches the log, `tagboat plan` and the status.
//!
//! # Modules, and who may know whom
//!
//! Arrows only go down; `tests/it/architecture.rs` reads the `use` lines and holds this table.
//!
//! | layer | module | what it owns | may use |
//! | --- | --- | --- | --- |
//! | 0 words | [`image`] | registries, repositories, tags, digests, references, platforms: parsed, canonical, as written | – |
//! | 0 tools | [`error`] | what to do next after an error: retry, stalled, bug; how an error is told | each other sparingly |
//! | 0 tools | [`retry`] | backoff, `Retry-After` | each other sparingly |
//! | 0 tools | [`redact`] | secrets, and URLs and texts that may hold one | each other sparingly |
//! | 0 tools | [`shutdown`] | signals, and who is told to stop | each other sparingly |
//! | 0 tools | [`telemetry`] | the form of a log line, every metric's name | each other sparingly |
//! | 1 pure | [`policy`] | reading a tag, ordering tags, ranges, filters, `decide` | `image`, `error` |
//! | 1 pure | [`manifest`] | finding sites in text, editing bytes, the proof | `image`, `error` |
//! | 1 edges | [`registry`] | the OCI distribution client: listings, digests, credentials, limits | `image`, tools |
//! | 1 edges | [`environment`] | the Git repository: fetch, read blobs, history, commit, push; bytes and paths, not images | tools |
//! | 2 core | [`engine`] | schedule, pass, plan, holds, state, commit message | all above |
//! | 3 faces | [`http`] | health, metrics, push events | `image`, `engine`'s snapshot types, tools |
//! | 3 faces | [`config`] | the policy file: text to the modules' own `Config` types, all mistakes at once | the `Config` types |
//! | 3 faces | [`import`] | other updaters' objects, to a policy file | `image`, `policy`, `environment`, `config`, tools |
//! | 4 wiring | [`app`] | the only place that puts modules together; start-up and drain | all above |
//! | 4 wiring | [`demo`] | the embedded try-out: a registry, a repository, a story for the real daemon | all above |
//! | 5 commands | [`cli`] | one file a command; what a person sees; exit codes | all above |
//!
//! `policy` and `manifest` take no clock, no I/O and no tokio, so what they promise is proved by tests on values. Only
//! `engine` knows both text and Git. The first lines of each module say what it owns and what it hides.
//!
//! # What always holds
//!
//! - **Byte-exact**: outside the values that a commit means to change, every file is as it was, and each edit is proved by
//!   reading the result with two parsers.
//! - **Reverts win**, and no version is lowered, unless the policy says so.
//! - **No choice from half a list**: a listing that failed on any page is not used; the last good one stays.
//! - **Nothing lost, nothing doubled**: the push is compare-and-swap and never forced.
//! - **Hostile input is input**: tags and digests match their grammars; sizes, pages, times and redirects are bounded.
//! - **Secrets never show**, and go only to the host they were given for.
//! - **Every no has a reason**, and one bad neighbour hurts nobody.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod app;
pub mod cli;
pub mod config;
pub mod demo;
pub mod engine;
pub mod environment;
pub mod error;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
pub mod http;
pub mod image;
pub mod import;
pub mod manifest;
pub mod policy;
pub mod redact;
pub mod registry;
pub mod retry;
pub mod shutdown;
pub mod telemetry;
