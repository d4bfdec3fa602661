//! IAM: roles, their inline policies, instance profiles.

use std::sync::Arc;

use crate::StartError;
use crate::auth::Caller;
use crate::context::Context;
use crate::wire::{ApiError, Params};

/// The roles and instance profiles of an account.
#[derive(Debug)]
pub struct Iam {}

impl Iam {
    /// Opens the service on the state that is on disk.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn open(_context: Arc<Context>) -> Result<Self, StartError> {
        Ok(Self {})
    }

    /// Answers a call with what belongs inside `<ActionResult>`.
    ///
    /// # Errors
    /// What IAM answers in that case.
    pub fn call(&self, _caller: &Caller, params: &Params) -> Result<String, ApiError> {
        Err(ApiError::invalid_action(params.action()?))
    }

    /// What is left, one line each.
    pub fn remaining(&self) -> Vec<String> {
        Vec::new()
    }
}
