//! The front-end as its clients meet it, with a real database, real cache nodes, and a bucket and a
//! manager made for the test.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bad_input;
mod browser;
mod bucket;
mod closed;
mod contract;
mod events;
mod faults;
mod freshness;
mod pages;
mod pool;
mod stage;
