//! What puts a running deployment to the test from outside, over its public address only.

#![forbid(unsafe_code)]

pub mod endpoints;
