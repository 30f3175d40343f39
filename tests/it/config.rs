//! Tests of the config module as its users see it.
