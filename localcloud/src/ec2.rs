//! EC2: instances, images, security groups and what they stand on.

use std::sync::{Arc, OnceLock, Weak};

use crate::StartError;
use crate::auth::Caller;
use crate::context::Context;
use crate::iam::Iam;
use crate::wire::{ApiError, Params};

/// Another service whose resources use security groups.
pub trait GroupUser: std::fmt::Debug + Send + Sync {
    /// What uses a group, one line each; a group that is used cannot be deleted.
    fn users_of_group(&self, region: &str, group_id: &str) -> Vec<String>;
}

/// The instances of an account and all that belongs to them.
#[derive(Debug)]
pub struct Ec2 {
    group_users: OnceLock<Weak<dyn GroupUser>>,
}

impl Ec2 {
    /// Opens the service on the state that is on disk.
    ///
    /// # Errors
    /// The state cannot be read.
    pub async fn open(_context: Arc<Context>, _iam: Arc<Iam>) -> Result<Arc<Self>, StartError> {
        Ok(Arc::new(Self {
            group_users: OnceLock::new(),
        }))
    }

    /// Names the other service whose resources use security groups.
    pub fn tell_group_users(&self, users: Weak<dyn GroupUser>) {
        // Said once, when the cloud is put together.
        let _ = self.group_users.set(users);
    }

    /// Answers a call with what belongs inside `<ActionResponse>`, after the request's id.
    ///
    /// # Errors
    /// What EC2 answers in that case.
    pub async fn call(&self, _caller: &Caller, params: &Params) -> Result<String, ApiError> {
        Err(ApiError::invalid_action(params.action()?))
    }

    /// The id of the default VPC of a region.
    pub fn default_vpc(&self, region: &str) -> String {
        format!("vpc-{region}")
    }

    /// The id of the default security group of a region.
    pub fn default_security_group(&self, region: &str) -> String {
        format!("sg-{region}")
    }

    /// Whether a region has a security group.
    pub fn has_security_group(&self, _region: &str, _group_id: &str) -> bool {
        false
    }

    /// The default subnets of a region: id and name of the zone.
    pub fn subnets(&self, region: &str) -> Vec<(String, String)> {
        vec![(format!("subnet-{region}"), format!("{region}a"))]
    }

    /// Boots what was running when localcloud stopped.
    pub async fn resume(&self) {}

    /// What is left, one line each.
    pub fn remaining(&self) -> Vec<String> {
        Vec::new()
    }

    /// Stops every instance's processes; the state stays.
    pub async fn shutdown(&self) {}
}
