//! What the credentials of a role can do: what its policies say and nothing else.

mod enforcement;
mod manager;
mod node;
mod stage;
