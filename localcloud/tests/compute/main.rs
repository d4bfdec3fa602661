//! EC2, IAM and STS as the AWS SDK sees them, on paper and on real machines.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod access;
mod doors;
mod groups;
mod images;
mod launching;
mod living;
#[path = "../lonely/mod.rs"]
mod lonely;
mod machines;
mod permissions;
#[path = "../refusal/mod.rs"]
mod refusal;
mod rehearsal;
mod restarts;
mod roles;
mod support;
