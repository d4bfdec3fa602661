//! How long things take on AWS: the one table of it.

use serde::Serialize;

/// Something that takes time on AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Delay {
    /// From RunInstances or StartInstances to `running`.
    InstanceRunning,
    /// From `running` to the first line of the user data.
    InstanceBooted,
    /// What a paper builder needs for its recipe. Real ones run theirs.
    RecipeDone,
    /// From `stopping` to `stopped`.
    InstanceStopped,
    /// From `shutting-down` to `terminated`.
    InstanceTerminated,
    /// From `pending` to `available`, of an image and its snapshot.
    ImageAvailable,
    /// From `creating` to the end of it.
    DatabaseCreated,
    /// The first backup, where backups are kept.
    DatabaseBackedUp,
    /// From `modifying` to the end of it.
    DatabaseModified,
    /// From `starting` to `available`.
    DatabaseStarted,
    /// From `stopping` to `stopped`.
    DatabaseStopped,
    /// From `deleting` to gone.
    DatabaseDeleted,
    /// The service-linked role of RDS, made with the first database.
    DatabaseRole,
    /// From gone to the interface's being gone too: it holds its groups until then.
    InterfaceGone,
    /// From CreateInstanceProfile to EC2's knowing it.
    ProfileKnown,
    /// Launches with a profile that was made again under its old name get the old one meanwhile.
    OldProfileForgotten,
    /// From a change of a role's policies to its effect.
    PolicyEffective,
    /// From `running` to credentials in the metadata service.
    CredentialsThere,
    /// From a creation to calls with the new id finding it.
    SeenById,
    /// From a creation to listings by filter showing it.
    SeenByFilter,
    /// From the deletion of a bucket to its name's being free.
    BucketNameFree,
    /// From the deletion of a bucket to its not being listed any more.
    BucketUnlisted,
    /// From PutMetricData to the data's being readable.
    DatumReadable,
    /// From a metric's first datum to ListMetrics' showing it.
    MetricListed,
    /// From one instance too many in a Learner Lab to the end of the newest.
    ExcessTerminated,
}

impl Delay {
    /// All of them.
    pub const ALL: [Self; 25] = [
        Self::InstanceRunning,
        Self::InstanceBooted,
        Self::RecipeDone,
        Self::InstanceStopped,
        Self::InstanceTerminated,
        Self::ImageAvailable,
        Self::DatabaseCreated,
        Self::DatabaseBackedUp,
        Self::DatabaseModified,
        Self::DatabaseStarted,
        Self::DatabaseStopped,
        Self::DatabaseDeleted,
        Self::DatabaseRole,
        Self::InterfaceGone,
        Self::ProfileKnown,
        Self::OldProfileForgotten,
        Self::PolicyEffective,
        Self::CredentialsThere,
        Self::SeenById,
        Self::SeenByFilter,
        Self::BucketNameFree,
        Self::BucketUnlisted,
        Self::DatumReadable,
        Self::MetricListed,
        Self::ExcessTerminated,
    ];

    /// The shortest and the longest it takes, in seconds, and its name. *Estimate*: by experience, and
    /// in no document of AWS.
    const fn row(self) -> (&'static str, f64, f64) {
        match self {
            // Estimate.
            Self::InstanceRunning => ("instance-running", 10.0, 30.0),
            // Estimate; AWS says only that a boot takes "a few minutes" at most.
            Self::InstanceBooted => ("instance-booted", 20.0, 90.0),
            // Estimate.
            Self::RecipeDone => ("recipe-done", 40.0, 80.0),
            // Estimate.
            Self::InstanceStopped => ("instance-stopped", 20.0, 60.0),
            // Estimate.
            Self::InstanceTerminated => ("instance-terminated", 30.0, 120.0),
            // Estimate, for 8 GiB of which 2 are written.
            Self::ImageAvailable => ("image-available", 120.0, 360.0),
            // Estimate; Terraform's provider waits up to 40 minutes, and most report 5 to 10.
            Self::DatabaseCreated => ("database-created", 300.0, 600.0),
            // Estimate.
            Self::DatabaseBackedUp => ("database-backed-up", 60.0, 180.0),
            // Estimate.
            Self::DatabaseModified => ("database-modified", 120.0, 480.0),
            // Estimate.
            Self::DatabaseStarted => ("database-started", 180.0, 480.0),
            // Estimate.
            Self::DatabaseStopped => ("database-stopped", 120.0, 480.0),
            // Estimate.
            Self::DatabaseDeleted => ("database-deleted", 180.0, 600.0),
            // "Wait and try again later": a second try a little later works.
            // https://github.com/cds-snc/terraform-modules/issues/88
            Self::DatabaseRole => ("database-role", 5.0, 20.0),
            // https://github.com/hashicorp/terraform/issues/11047 waits five minutes and more.
            Self::InterfaceGone => ("interface-gone", 0.0, 300.0),
            // https://github.com/hashicorp/terraform/issues/15341 and hashicorp/packer#12303: up to
            // two minutes and more.
            Self::ProfileKnown => ("profile-known", 5.0, 120.0),
            // A comment in https://github.com/hashicorp/terraform/issues/2037.
            Self::OldProfileForgotten => ("old-profile-forgotten", 60.0, 60.0),
            // Estimate; IAM: "changes … can take time to propagate".
            // https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html
            Self::PolicyEffective => ("policy-effective", 2.0, 60.0),
            // https://github.com/aws/aws-sdk-js/issues/850: fifteen seconds.
            Self::CredentialsThere => ("credentials-there", 1.0, 15.0),
            // "starting with a couple of seconds of wait time, and increasing gradually".
            // https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
            Self::SeenById => ("seen-by-id", 0.0, 5.0),
            // The same page: up to some minutes; a minute is an estimate of the usual.
            Self::SeenByFilter => ("seen-by-filter", 0.0, 60.0),
            // https://github.com/aws/aws-cli/issues/2593: up to an hour.
            Self::BucketNameFree => ("bucket-name-free", 0.0, 3600.0),
            // "If you delete a bucket and immediately list all buckets, the deleted bucket might still
            // appear in the list." How long is an estimate.
            // https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel
            Self::BucketUnlisted => ("bucket-unlisted", 0.0, 20.0),
            // Estimate.
            Self::DatumReadable => ("datum-readable", 5.0, 90.0),
            // "up to 15 minutes".
            // https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html
            Self::MetricListed => ("metric-listed", 900.0, 900.0),
            // Estimate.
            Self::ExcessTerminated => ("excess-terminated", 20.0, 20.0),
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().0
    }

    /// The shortest and the longest it takes, in seconds of AWS.
    #[must_use]
    pub const fn seconds(self) -> (f64, f64) {
        let (_, shortest, longest) = self.row();
        (shortest, longest)
    }
}
