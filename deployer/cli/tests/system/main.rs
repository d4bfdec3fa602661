//! The system as its users have it: the program `deploy`, a laptop of its own for each test, and
//! everything behind it real.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod account;
mod closed;
mod cuts;
mod edits;
mod expiry;
mod faults;
mod first_contact;
mod full_disk;
mod interruptions;
mod laptop;
mod mistakes;
mod money;
mod outages;
mod photos;
mod races;
mod reach;
mod readme;
mod rehearse;
mod static_programs;
mod story;
mod walk;
