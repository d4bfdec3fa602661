//! The program's commands.

pub(crate) mod arguments;
pub(crate) mod list;
pub(crate) mod run;
mod shown;
