//! All services together.

mod resources;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::StartError;
use crate::access::Access;
use crate::cloudwatch::CloudWatch;
use crate::context::Context;
use crate::ec2::Ec2;
use crate::iam::Iam;
use crate::logs::Logs;
use crate::rds::Rds;
use crate::s3::S3;

/// Something that is in the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thing {
    /// Its kind, for example `volume`.
    pub kind: &'static str,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl Thing {
    pub(crate) fn new(kind: &'static str, tags: &BTreeMap<String, String>) -> Self {
        Self {
            kind,
            tags: tags.clone(),
        }
    }
}

/// All services of one localcloud.
#[derive(Debug)]
pub struct Cloud {
    /// What they share.
    pub context: Arc<Context>,
    /// Who may do what.
    pub access: Arc<Access>,
    /// Instances, images, security groups.
    pub ec2: Arc<Ec2>,
    /// Roles and instance profiles.
    pub iam: Arc<Iam>,
    /// Databases.
    pub rds: Arc<Rds>,
    /// Buckets.
    pub s3: Arc<S3>,
    /// Metrics.
    pub cloudwatch: Arc<CloudWatch>,
    /// Log groups.
    pub logs: Logs,
}

impl Cloud {
    /// Opens every service on the state that is on disk.
    ///
    /// # Errors
    /// State that cannot be read, or what a service needs and does not find.
    pub async fn open(context: Arc<Context>) -> Result<Self, StartError> {
        let iam = Arc::new(Iam::open(Arc::clone(&context))?);
        let access = Arc::new(Access::new(Arc::clone(&iam)));
        let ec2 = Ec2::open(Arc::clone(&context), Arc::clone(&iam)).await?;
        let rds = Arc::new(Rds::open(Arc::clone(&context), Arc::clone(&ec2)).await?);
        let s3 = Arc::new(S3::open(Arc::clone(&context), Arc::clone(&access)).await?);
        let cloudwatch =
            Arc::new(CloudWatch::open(Arc::clone(&context), Arc::clone(&access)).await?);
        let logs = Logs::open(&context)?;
        ec2.tell_group_users(Arc::downgrade(&rds) as _);
        Ok(Self {
            context,
            access,
            ec2,
            iam,
            rds,
            s3,
            cloudwatch,
            logs,
        })
    }

    /// Boots what was running when localcloud stopped. The endpoint is already being served.
    pub async fn resume(&self) {
        tokio::join!(self.rds.resume(), self.ec2.resume());
    }

    /// Waits until all that has begun can be seen: what callers that have died asked for may still be
    /// on its way.
    pub async fn settled(&self) {
        // In all other services whoever looks waits for the one who changes something.
        self.s3.settled().await;
    }

    /// What is left in the account, one line each; nothing when it is empty. After
    /// [`Cloud::settled`], that is for certain.
    pub fn remaining(&self) -> Vec<String> {
        [
            self.ec2.remaining(),
            self.iam.remaining(),
            self.rds.remaining(),
            self.s3.remaining(),
            self.cloudwatch.remaining(),
            self.logs.remaining(),
        ]
        .concat()
    }

    /// What is in the account, each thing with its kind and tags: two with the same tags are a double.
    pub fn things(&self) -> Vec<Thing> {
        [
            self.ec2.things(),
            self.iam.things(),
            self.rds.things(),
            self.s3.things(),
        ]
        .concat()
    }

    /// Stops every process; the state stays.
    pub async fn shutdown(&self) {
        tokio::join!(self.ec2.shutdown(), self.rds.shutdown());
    }
}
