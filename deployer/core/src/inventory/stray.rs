//! What is ours and no section of a blueprint asks for: made by AWS on the side, by hand under our
//! tag, or left by something that was cut off. It bills or blocks all the same.

/// A thing of ours that no section of a blueprint stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stray {
    /// What it is.
    pub kind: StrayKind,
    /// What it is deleted by: an id where it has one, else its name.
    pub id: String,
    /// Its state in AWS's words; empty where it has none.
    pub state: String,
    /// When it was made, RFC 3339, where AWS says it.
    pub created: Option<String>,
    /// Its size in GiB, of a database's snapshots and backups, where AWS says it.
    pub gib: Option<u32>,
}

/// The kinds of [`Stray`]s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StrayKind {
    /// An instance that carries the deployment's tag and does not say what it is.
    Instance,
    /// A database instance of our hashed name or tag that is none of the blueprint's.
    Database,
    /// A bucket of our hashed name that does not say what it is.
    Bucket,
    /// A security group that carries the deployment's tag and does not say what it is.
    SecurityGroup,
    /// An image that carries the deployment's tag and does not say what it is.
    Image,
    /// A role of our hashed name that does not say what it is.
    Role,
    /// An elastic address: it bills, attached or not.
    Address,
    /// A key pair.
    KeyPair,
    /// A launch template.
    LaunchTemplate,
    /// A snapshot of a database, made by hand or as its last.
    DatabaseSnapshot,
    /// Automated backups that outlived their database.
    DatabaseBackup,
    /// A group of subnets for databases.
    SubnetGroup,
    /// A group of parameters for databases.
    ParameterGroup,
    /// An alarm on a metric.
    Alarm,
    /// A dashboard of charts.
    Dashboard,
    /// A group of logs.
    LogGroup,
}

impl StrayKind {
    /// The kind's name in output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            StrayKind::Instance => "instance",
            StrayKind::Database => "database",
            StrayKind::Bucket => "bucket",
            StrayKind::SecurityGroup => "security group",
            StrayKind::Image => "image",
            StrayKind::Role => "role",
            StrayKind::Address => "elastic address",
            StrayKind::KeyPair => "key pair",
            StrayKind::LaunchTemplate => "launch template",
            StrayKind::DatabaseSnapshot => "database snapshot",
            StrayKind::DatabaseBackup => "automated backups",
            StrayKind::SubnetGroup => "DB subnet group",
            StrayKind::ParameterGroup => "DB parameter group",
            StrayKind::Alarm => "alarm",
            StrayKind::Dashboard => "dashboard",
            StrayKind::LogGroup => "log group",
        }
    }
}
