//! Where a deployment is, as it is said on a command line.

use clap::{Args, ValueEnum};
use deployer_aws::TargetKind;

/// Where a deployment was made.
#[derive(Clone, Debug, Args)]
pub struct Whereabouts {
    /// Where it was made [default: where this machine remembers having made it, else local]
    #[arg(long, value_enum)]
    pub target: Option<Where>,
    /// The region it was made in [default: as remembered, else every region]
    #[arg(long)]
    pub region: Option<String>,
}

/// The two targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Where {
    /// localcloud, on this machine.
    Local,
    /// An AWS account.
    Aws,
}

impl From<Where> for TargetKind {
    fn from(place: Where) -> TargetKind {
        match place {
            Where::Local => TargetKind::Local,
            Where::Aws => TargetKind::Aws,
        }
    }
}
