//! Tests of the support module as its users see it.
