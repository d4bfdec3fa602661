//! The system as its users have it: the program `deploy`, a laptop of its own for each test, and
//! everything behind it real.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod interruptions;
mod laptop;
mod mistakes;
mod readme;
mod story;
