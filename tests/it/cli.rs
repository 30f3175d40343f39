//! Tests of the cli module as its users see it.
