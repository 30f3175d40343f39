//! Tests of the manifest module as its users see it.
