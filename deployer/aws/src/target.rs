//! Where the AWS calls go. This is all that differs between a laptop and an account.

use std::time::Duration;

use aws_credential_types::Credentials;
use serde::{Deserialize, Serialize};

/// The two places that a deployment can be made in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetKind {
    /// localcloud, on this machine.
    Local,
    /// An AWS account.
    Aws,
}

impl TargetKind {
    /// The name that `--target` takes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            TargetKind::Local => "local",
            TargetKind::Aws => "aws",
        }
    }
}

/// Where calls go, with which credentials, and how patiently answers are waited for.
#[derive(Clone, Debug)]
pub struct Target {
    /// Which of the two it is, for output.
    pub kind: TargetKind,
    /// The endpoint of all services; AWS's own when absent.
    pub endpoint: Option<String>,
    /// Credentials; those that the SDK finds by itself when absent.
    pub credentials: Option<Credentials>,
    /// The certificates that a database's own is checked against, PEM.
    pub database_ca: String,
    /// A URL that answers with the caller's address.
    pub address_lookup: String,
    /// How patiently to wait.
    pub pace: Pace,
}

/// How long to wait between two looks, and before a result counts as proven.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Between two looks at a resource that changes its state.
    pub poll: Duration,
    /// After the last creating call, before an empty listing counts: EC2 shows what it made only
    /// after a while (AWS, "Ensuring idempotency and eventual consistency in the EC2 API").
    pub quiet: Duration,
    /// Between the two listings that have to be empty.
    pub between_scans: Duration,
    /// Between two reads of a console that is followed.
    pub follow: Duration,
}

impl Pace {
    /// For an account.
    pub const ACCOUNT: Pace = Pace {
        poll: Duration::from_secs(5),
        quiet: Duration::from_secs(120),
        between_scans: Duration::from_secs(30),
        follow: Duration::from_secs(5),
    };
    /// For localcloud, whose listings are never behind.
    pub const LAPTOP: Pace = Pace {
        poll: Duration::from_millis(50),
        quiet: Duration::ZERO,
        between_scans: Duration::from_millis(50),
        follow: Duration::from_millis(300),
    };
}
