//! Tests of the architecture module as its users see it.
