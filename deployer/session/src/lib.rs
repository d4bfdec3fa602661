//! What the programs `deploy` and `teardown` have in common: the folder that things are kept in, locks
//! between commands, a connection to localcloud or to an account, what is asked and said on a
//! terminal, and how a program ends.

pub mod binding;
pub mod confirm;
pub mod failure;
pub mod home;
pub mod interrupt;
pub mod invocation;
pub mod journal;
pub mod local;
pub mod lock;
pub mod prices;
pub mod replaced;
pub mod report;
pub mod session;
pub mod whereabouts;
