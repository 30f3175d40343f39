//! Tests of the support module as its users see it.

pub mod git;
pub mod git_http;
pub mod sshd;
