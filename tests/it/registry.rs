//! Tests of the registry module as its users see it.

mod attacks;
mod auth;
mod clouds;
mod demo;
mod digest;
mod helpers;
mod image;
mod limits;
mod listing;
mod mirror;
mod ping;
mod proxy;
mod real;
mod sparing;
mod times;
mod tls;
