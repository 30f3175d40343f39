//! Tests of the importers.

mod golden;
mod hostile;
