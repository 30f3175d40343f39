//! Tests of the registry module as its users see it.
