//! The manager as a whole, in-process: a real PostgreSQL, real cache nodes, and an EC2 and a bucket
//! that tests can make fail.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod api;
mod browser;
mod cloudwatch;
mod configuration;
mod data;
mod edits;
mod faults;
mod front;
mod laws;
mod login;
mod metrics;
mod pages;
mod person;
mod pool;
mod races;
mod requests;
mod scaling;
mod steps;
mod world;
