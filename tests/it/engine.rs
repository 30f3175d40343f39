//! Whole passes, seen from outside: tags in, commits out.

mod daemon;
mod facts;
mod faults;
mod holds;
mod markers;
mod pass;
mod pushed;
mod races;
mod real;
mod sources;
mod status;
