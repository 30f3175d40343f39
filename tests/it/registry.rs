//! Tests of the registry module as its users see it.

mod attacks;
mod auth;
mod demo;
mod digest;
mod helpers;
mod limits;
mod listing;
mod ping;
mod real;
mod tls;
