//! Tests of the importers.

mod golden;
