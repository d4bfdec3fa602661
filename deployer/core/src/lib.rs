//! The pure part of the deployer: a blueprint is read and checked, held against what exists, and
//! becomes a plan. No clock, no dice, no files and no network: each of them is an argument.

pub mod binary;
pub mod blueprint;
pub mod cost;
pub mod critical_path;
pub mod destroy;
pub mod doctor;
pub mod expiry;
pub mod inventory;
pub mod known;
pub mod money;
pub mod names;
pub mod plan;
pub mod policy;
pub mod prices;
pub mod reach;
pub mod reaping;
pub mod settings;
pub mod user_data;
