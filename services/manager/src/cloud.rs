//! The instances of the pool: what the manager needs of EC2.

mod ec2;

use std::collections::BTreeMap;
use std::future::Future;

pub use ec2::Ec2;
use uuid::Uuid;

use crate::blueprint::Make;
use crate::pool::{InstanceState, Outdated};

/// One instance to be launched. The same order again launches nothing new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Client token.
    pub token: Uuid,
    /// Where.
    pub subnet: String,
    /// As what.
    pub make: Make,
    /// How many instances may run in the account at once, whosever they are, if that is limited.
    pub most_instances: Option<usize>,
}

/// An instance that was launched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launched {
    /// Instance id.
    pub instance: String,
    /// Private address, if it has one already.
    pub address: Option<std::net::IpAddr>,
}

/// An instance as listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its state.
    pub state: InstanceState,
    /// Private address.
    pub address: Option<std::net::IpAddr>,
    /// The client token of its launch, if it is one of ours.
    pub token: Option<Uuid>,
    /// What it was launched as.
    pub made: Made,
}

/// What an instance was launched as, by what EC2 says of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Made {
    /// Its AMI.
    pub image: String,
    /// Its type.
    pub kind: String,
    /// [`Make::hash`] at its launch, if it carries it.
    pub make: Option<String>,
}

impl Make {
    /// Why an instance is not what would be launched now; `None` if it is.
    #[must_use]
    pub fn differs_from(&self, made: &Made) -> Option<Outdated> {
        if made.make.as_ref() == Some(&self.hash()) {
            return None;
        }
        match (made.image == self.image, made.kind == self.kind) {
            (false, true) => Some(Outdated::Image),
            (true, false) => Some(Outdated::Type),
            (false, false) => Some(Outdated::ImageAndType),
            // Without the tag nothing but image and type can be told.
            (true, true) => made.make.as_ref().map(|_| Outdated::Access),
        }
    }
}

/// Why a call to EC2 failed, by what is to be done about it.
#[derive(Debug, thiserror::Error)]
pub enum CloudError {
    /// EC2 has no room, or the account may not have more: later, or elsewhere.
    #[error("{code}: {message}")]
    NoRoom {
        /// EC2's error code.
        code: String,
        /// EC2's words.
        message: String,
    },
    /// As many instances run in the account as the blueprint allows.
    #[error(
        "{running} instances run in the account, whosever they are, and it may have {most} at once (max-instances)"
    )]
    Ceiling {
        /// How many run, or are about to.
        running: usize,
        /// How many may.
        most: usize,
    },
    /// The instance profile has not reached EC2 yet.
    #[error("the instance profile is not known to EC2 yet")]
    ProfileNotYet,
    /// EC2 refused: nothing was launched.
    #[error("{code}: {message}")]
    Refused {
        /// EC2's error code.
        code: String,
        /// EC2's words.
        message: String,
    },
    /// There is no such instance (any more).
    #[error("there is no such instance")]
    NotFound,
    /// No clear answer: the call may have had its effect.
    #[error("EC2 did not answer clearly: {0}")]
    Unclear(String),
}

impl CloudError {
    /// Whether the account has as many instances as it may: only one that ends makes room.
    #[must_use]
    pub fn is_account_limit(&self) -> bool {
        match self {
            Self::Ceiling { .. } => true,
            Self::NoRoom { code, .. } => {
                ["InstanceLimitExceeded", "VcpuLimitExceeded"].contains(&code.as_str())
            }
            _ => false,
        }
    }
}

/// EC2 as the manager uses it. Tests bring their own.
pub trait Cloud: Send + Sync + 'static {
    /// Launches one node.
    fn launch(&self, order: &Order) -> impl Future<Output = Result<Launched, CloudError>> + Send;
    /// Ends one instance.
    fn terminate(&self, instance: &str) -> impl Future<Output = Result<(), CloudError>> + Send;
    /// Whether an instance, whatever its tags, has ended. Only for ones that there are.
    fn has_ended(&self, instance: &str) -> impl Future<Output = Result<bool, CloudError>> + Send;
    /// All instances that carry the pool's tags. Those that have ended lose them.
    fn list(&self) -> impl Future<Output = Result<BTreeMap<String, Listed>, CloudError>> + Send;
}
