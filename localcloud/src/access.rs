//! Who may do what: the policies of roles, held against what each call does.
//!
//! A pure core decides. `table` says what a call checks, `policy` reads documents, `decision` holds
//! one against the other. `enforcement` is the edge that knows the roles and keeps a record. The
//! account's own key is its root and may do everything; localcloud has no other users, no policies
//! of resources, no boundaries and no organisation.

mod condition;
mod decision;
mod enforcement;
mod keys;
mod pattern;
mod policy;
mod record;
mod refusal;
pub mod table;

#[cfg(test)]
mod tests;

pub use decision::{Check, Decision, Grant, decide};
pub use enforcement::{Access, RoleRights};
pub use keys::Keys;
pub use policy::{Document, Malformed, Policy, TrustPolicy, Written};
pub use record::{Allowed, Refused, RoleRecord, RoleReport};
pub use refusal::{Refusal, decode_message};
