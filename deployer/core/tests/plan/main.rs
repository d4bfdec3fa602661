//! Plans of the blueprint that ships, for what may exist when `up` is typed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod edits;
mod existing;
mod expiry;
mod left_over;
mod programs;
mod world;
