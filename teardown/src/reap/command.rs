//! The command line of `teardown reap`.

use std::time::Duration;

use clap::Args;
use deployer_aws::{Account, AwsError, Target};
use deployer_core::names::DeploymentName;
use deployer_session::failure::in_full;
use jiff::Timestamp;

use super::{Console, Reaped, reap};

/// What `teardown reap` is told; `boot` tells it.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The deployment that has expired
    #[arg(long)]
    pub deployment: DeploymentName,
    /// The region that it is in
    #[arg(long)]
    pub region: String,
    /// The id of the instance that this runs on; it is left to power itself off
    #[arg(long, value_name = "ID")]
    pub instance: String,
    /// The instant since which the deployment should be gone, RFC 3339
    #[arg(long, value_name = "INSTANT")]
    pub due: Timestamp,
}

/// Why `teardown reap` has not done all there is to do.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// AWS cannot be asked.
    #[error("looking for what is left of {deployment}: {}", in_full(source))]
    Aws {
        /// The deployment.
        deployment: DeploymentName,
        /// What AWS said.
        source: AwsError,
    },
    /// Another instance is at it.
    #[error("{first} takes {deployment} away; this instance does if it has not in {} s", left.as_secs())]
    Waits {
        /// The deployment.
        deployment: DeploymentName,
        /// The instance whose turn it is.
        first: String,
        /// How long it has.
        left: Duration,
    },
    /// Something cannot be removed.
    #[error("of {deployment} this is left:{}", what.iter().map(|line| format!("\n  {line}")).collect::<String>())]
    Remains {
        /// The deployment.
        deployment: DeploymentName,
        /// What it is, and why it is left, a line each.
        what: Vec<String>,
    },
}

/// Runs `teardown reap`. When it is done, the instance has nothing left to do but to power off.
///
/// # Errors
/// When something is left, or it is another instance's turn: it is to be run again in a while.
pub async fn run(given: &Arguments) -> Result<(), Failure> {
    let deployment = &given.deployment;
    let failed = |source| Failure::Aws {
        deployment: deployment.clone(),
        source,
    };
    let account = Account::connect(Target::of_an_instance(), &given.region)
        .await
        .map_err(failed)?;
    let scope = account.scope(deployment.clone());
    let overdue = Timestamp::now().duration_since(given.due);
    let overdue = Duration::try_from(overdue).unwrap_or_default();
    let reaped = reap(&account, &scope, &given.instance, overdue, &Console);
    match reaped.await.map_err(failed)? {
        Reaped::Done => {
            println!("teardown: {deployment} has expired and nothing of it bills any more");
            Ok(())
        }
        Reaped::LivesOn => {
            println!("teardown: {deployment} was extended without this instance, which ends");
            Ok(())
        }
        Reaped::Waits { first, left } => Err(Failure::Waits {
            deployment: deployment.clone(),
            first,
            left,
        }),
        Reaped::Remains(failures) => Err(Failure::Remains {
            deployment: deployment.clone(),
            what: failures
                .iter()
                .map(|(removal, error)| {
                    format!("{} {}: {}", removal.resource, removal.id, in_full(error))
                })
                .collect(),
        }),
    }
}
