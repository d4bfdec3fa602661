//! Whatever of ours there is in an account goes, of every kind that can bill or block, and nothing else
//! is touched; what would not go says what holds it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod account;
mod blocked;
mod buckets;
mod kept;
mod receipts;
mod strange;
