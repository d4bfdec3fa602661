//! S3 as the AWS SDK sees it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod access;
mod buckets;
mod durability;
mod listings;
#[path = "../lonely/mod.rs"]
mod lonely;
mod objects;
mod parts;
mod permissions;
mod support;
