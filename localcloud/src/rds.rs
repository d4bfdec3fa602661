//! RDS: databases.

use std::sync::Arc;

use crate::StartError;
use crate::auth::Caller;
use crate::context::Context;
use crate::ec2::{Ec2, GroupUser};
use crate::wire::{ApiError, Params};

/// The databases of an account.
#[derive(Debug)]
pub struct Rds {}

impl Rds {
    /// Opens the service on the state that is on disk.
    ///
    /// # Errors
    /// The state cannot be read.
    #[expect(clippy::unused_async, reason = "the frame awaits it")]
    pub async fn open(_context: Arc<Context>, _ec2: Arc<Ec2>) -> Result<Self, StartError> {
        Ok(Self {})
    }

    /// Answers a call with what belongs inside `<ActionResult>`.
    ///
    /// # Errors
    /// What RDS answers in that case.
    pub async fn call(&self, _caller: &Caller, params: &Params) -> Result<String, ApiError> {
        Err(ApiError::invalid_action(params.action()?))
    }

    /// Starts again what ran when localcloud stopped.
    pub async fn resume(&self) {}

    /// What is left, one line each.
    pub fn remaining(&self) -> Vec<String> {
        Vec::new()
    }

    /// Stops every server; the state stays.
    pub async fn shutdown(&self) {}
}

impl GroupUser for Rds {
    fn users_of_group(&self, _region: &str, _group_id: &str) -> Vec<String> {
        Vec::new()
    }
}
