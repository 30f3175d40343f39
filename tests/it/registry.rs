//! Tests of the registry module as its users see it.

mod attacks;
mod auth;
mod demo;
mod digest;
mod limits;
mod listing;
mod mirror;
mod ping;
mod proxy;
mod real;
mod tls;
