//! Tests of the policy module as its users see it.
