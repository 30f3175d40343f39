//! Tests of the engine module as its users see it.
