//! The embedded try-out: small servers inside this process, for `tagboat demo`, tests and benches.

pub mod registry;
