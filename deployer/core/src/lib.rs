//! The pure part of the deployer: a blueprint is read and checked, held against what exists, and
//! becomes a plan. No clock, no dice, no files and no network: each of them is an argument.

pub mod binary;
pub mod blueprint;
pub mod destroy;
pub mod inventory;
pub mod known;
pub mod names;
pub mod plan;
pub mod policy;
pub mod settings;
pub mod user_data;
