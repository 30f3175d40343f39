//! Tests of the environment module as its users see it.
