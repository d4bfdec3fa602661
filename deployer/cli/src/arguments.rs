//! The command line.

mod contact;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use deployer_core::expiry::{Expiry, Lifetime};
use deployer_core::names::{DeploymentName, ResourceId};

pub(crate) use contact::{Check, Checked, Completions, Doctor, Init, Man};

use crate::failure::Exit;
use crate::report::Colours;
pub(crate) use crate::whereabouts::{Where, Whereabouts};

/// Makes elastic services from a YAML blueprint, on this laptop or on AWS, and takes them away
/// again with proof that nothing is left.
#[derive(Debug, Parser)]
#[command(name = "deploy", version, max_term_width = 100, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) colours: Colours,
}

const EXAMPLES: &str = "\
Examples:
  deploy up blueprints/elastic-cache.yaml   make it on this laptop, for nothing
  deploy status elastic-cache               what there is, and how it is
  deploy down elastic-cache                 take it away
  deploy doctor --target aws                is an account fit for it

Exit codes:
    0  done                               4  something remains
    1  failed                             5  cannot prove that nothing remains
    2  plan --detailed-exitcode: changes  64  usage or blueprint
    3  refused by a guard                130  interrupted";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make what a blueprint says, or change what there is until it is so
    Up(Up),
    /// Show what `up` would do; writes nothing anywhere
    Plan(Plan),
    /// Take a deployment away, and prove that it went
    Down(Down),
    /// Check the receipt of a `down` again: every id gone, every listing empty; writes nothing
    Audit(Audit),
    /// Show what there is, whether it is well, and since when
    Status(Status),
    /// Show what a deployment has cost, and what it will cost until it expires
    Cost(Cost),
    /// Let a deployment live longer, or shorter
    Extend(Extend),
    /// Show the prices that costs are estimated by, or read new ones
    Prices(Prices),
    /// Print the addresses of a deployment
    Output(Output),
    /// Print what an instance wrote to its console
    Logs(Logs),
    /// Put load on a deployment, and check every answer
    Load(Load),
    /// Print what makes other AWS tools use this laptop's cloud, for a shell
    Env(Env),
    /// Show what the scaler would decide on a trace of load: --trace FILE; --help tells all
    #[command(disable_help_flag = true)]
    Simulate(Simulate),
    /// Try every endpoint of a photo cache, as a grader does
    Check(Check),
    /// Say whether this laptop or an account is fit, and what to do
    Doctor(Doctor),
    /// Write a commented blueprint of one's own
    Init(Init),
    /// Print the JSON Schema of blueprints, for editors
    Schema,
    /// Print what makes a shell complete the commands of `deploy`
    Completions(Completions),
    /// Write the manual pages
    Man(Man),
}

#[derive(Debug, Args)]
pub(crate) struct Up {
    /// The blueprint, a YAML file
    pub(crate) blueprint: PathBuf,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Lose what a bucket or database holds that the blueprint leaves out, such as bucket/archive
    #[arg(long, value_name = "KIND/NAME")]
    pub(crate) remove: Vec<ResourceId>,
    #[command(flatten)]
    pub(crate) place: Place,
    /// Print events as JSON, one a line
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) rehearsal: Rehearsal,
}

/// Doing it on paper, as an account on AWS would.
#[derive(Clone, Debug, Args)]
pub(crate) struct Rehearsal {
    /// Make it and take it away on paper: says how long that takes on AWS, and which calls it makes
    #[arg(long, conflicts_with_all = ["target", "yes", "remove", "json"])]
    pub(crate) rehearse: bool,
    /// The kind of account to rehearse for
    #[arg(long, requires = "rehearse", value_enum, default_value_t = AccountKind::Paid)]
    pub(crate) account: AccountKind,
    /// Another seed draws other delays
    #[arg(long, requires = "rehearse", value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Seconds of AWS in one second here
    #[arg(long, requires = "rehearse", value_name = "X", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) speed: u32,
}

/// A kind of account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AccountKind {
    Paid,
    FreePlan,
    LearnerLab,
}

impl AccountKind {
    /// The name that `localcloud serve --account` takes.
    pub(crate) fn name(self) -> &'static str {
        match self {
            AccountKind::Paid => "paid",
            AccountKind::FreePlan => "free-plan",
            AccountKind::LearnerLab => "learner-lab",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// The blueprint, a YAML file
    pub(crate) blueprint: PathBuf,
    /// Plan to lose what a bucket or database holds that the blueprint leaves out
    #[arg(long, value_name = "KIND/NAME")]
    pub(crate) remove: Vec<ResourceId>,
    #[command(flatten)]
    pub(crate) place: Place,
    /// Print the plan as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// End with exit code 2 when there are changes
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
}

const DOWN_EXAMPLES: &str = "\
Examples:
  deploy down elastic-cache                  all of it, photos too
  deploy down elastic-cache --keep bucket    all but the photos
  deploy down elastic-cache --final-snapshot all of it, after a last snapshot of each database";

#[derive(Debug, Args)]
#[command(after_help = DOWN_EXAMPLES)]
pub(crate) struct Down {
    /// The deployment's name
    pub(crate) name: DeploymentName,
    /// Keep the databases, or the buckets with the photos; may be given twice
    #[arg(long, value_name = "KIND", value_enum)]
    pub(crate) keep: Vec<Kept>,
    /// Make a last snapshot of each database; it stays, and bills, until the next `down`
    #[arg(long, conflicts_with = "keep")]
    pub(crate) final_snapshot: bool,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) whereabouts: Whereabouts,
    /// Print events as JSON, one a line
    #[arg(long)]
    pub(crate) json: bool,
}

/// What can outlive a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kept {
    /// The databases, their snapshots and the groups that they are in
    Database,
    /// The buckets and all that is in them
    Bucket,
}

#[derive(Debug, Args)]
pub(crate) struct Audit {
    /// The receipt, a JSON file that `down` has named
    pub(crate) receipt: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// The deployment's name; without it, all that this machine knows of
    pub(crate) name: Option<DeploymentName>,
    #[command(flatten)]
    pub(crate) whereabouts: Whereabouts,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Cost {
    /// The deployment's name
    pub(crate) name: DeploymentName,
    #[command(flatten)]
    pub(crate) whereabouts: Whereabouts,
    /// Print JSON; amounts are in millionths of a dollar
    #[arg(long)]
    pub(crate) json: bool,
}

const EXTEND_EXAMPLES: &str = "\
Examples:
  deploy extend elastic-cache 2h                            two hours later than now planned
  deploy extend elastic-cache --to 4h                       four hours from now
  deploy extend elastic-cache --until 2026-11-26T21:00:00Z  then";

#[derive(Debug, Args)]
#[command(after_help = EXTEND_EXAMPLES)]
#[group(id = "end", required = true, multiple = false, args = ["by", "to", "until"])]
pub(crate) struct Extend {
    /// The deployment's name
    pub(crate) name: DeploymentName,
    /// How much later it ends, such as 2h, 90m or 1h30m
    #[arg(value_name = "LENGTH")]
    pub(crate) by: Option<Lifetime>,
    /// How long it still lives, from now on
    #[arg(long, value_name = "LENGTH")]
    pub(crate) to: Option<Lifetime>,
    /// When it ends, such as 2026-11-26T21:00:00Z
    #[arg(long, value_name = "INSTANT")]
    pub(crate) until: Option<Expiry>,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) whereabouts: Whereabouts,
}

const PRICES_EXAMPLES: &str = "\
Examples:
  deploy prices --region eu-west-1
  curl -sS https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/AmazonRDS/current/eu-west-1/index.json |
    deploy prices --update - --region eu-west-1

The lists with our prices are those of AmazonEC2, AmazonRDS, AmazonVPC, AmazonCloudWatch, AmazonS3 and
AWSDataTransfer. Each replaces the prices that it has and leaves the others.";

#[derive(Debug, Args)]
#[command(after_help = PRICES_EXAMPLES)]
pub(crate) struct Prices {
    /// Whose prices
    #[arg(long, default_value = "us-east-1")]
    pub(crate) region: String,
    /// Read one of AWS's published price lists in JSON; `-` reads it from standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) update: Option<PathBuf>,
    /// Keep this price too, such as ec2/m7i.large or rds/db.m7g.large
    #[arg(long, value_name = "PRICE", requires = "update")]
    pub(crate) also: Vec<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Output {
    /// The deployment's name
    pub(crate) name: DeploymentName,
    #[command(flatten)]
    pub(crate) whereabouts: Whereabouts,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Print the password of the manager's pages too
    #[arg(long)]
    pub(crate) show_password: bool,
    /// Print the token of the API too, where the blueprint says `api: token`
    #[arg(long)]
    pub(crate) show_token: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// The deployment's name
    pub(crate) name: DeploymentName,
    /// An instance: its name in the blueprint, its pool, or its id [default: the single instances]
    pub(crate) instance: Option<String>,
    #[command(flatten)]
    pub(crate) whereabouts: Whereabouts,
    /// Go on printing what is added, until Ctrl-C
    #[arg(long, short)]
    pub(crate) follow: bool,
}

const LOAD_EXAMPLES: &str = "\
Examples:
  deploy load elastic-cache --prepare --verify
  deploy load elastic-cache --target aws --rate 500 --duration 5m

The options most used, after the name:
  --duration 30s  --rate 500 (a second) or --clients 16  --keys 1000
  --prepare   store every photo first     --verify  read every one at the end

All that it can do: deploy load elastic-cache -- --help";

#[derive(Debug, Args)]
#[command(after_help = LOAD_EXAMPLES)]
pub(crate) struct Load {
    /// The deployment's name
    pub(crate) name: DeploymentName,
    #[command(flatten)]
    pub(crate) whereabouts: Whereabouts,
    /// What the program `load` takes; after --target and --region, if they are given
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "LOAD-OPTION"
    )]
    pub(crate) options: Vec<OsString>,
}

/// The options are the scaler's own.
#[derive(Debug, Args)]
pub(crate) struct Simulate {
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "OPTIONS"
    )]
    pub(crate) arguments: Vec<OsString>,
}

const ENV_EXAMPLES: &str = "\
Examples:
  eval \"$(deploy env)\"              from here on boto3, the AWS CLI and other SDKs
                                    in this shell use localcloud, until:
  eval \"$(deploy env --unset)\"
  deploy env --shell fish | source  the same in fish";

#[derive(Debug, Args)]
#[command(after_help = ENV_EXAMPLES)]
pub(crate) struct Env {
    /// Print what takes the variables away again
    #[arg(long)]
    pub(crate) unset: bool,
    /// Whose syntax [default: fish if SHELL says so, else sh, which is bash's and zsh's too]
    #[arg(long, value_enum)]
    pub(crate) shell: Option<Shell>,
    /// The region to use [default: that of the deployments on this laptop, else us-east-1]
    #[arg(long)]
    pub(crate) region: Option<String>,
}

/// A shell's syntax for variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    Sh,
    Fish,
}

/// Where to make a deployment.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Place {
    /// Where: this laptop, or an AWS account with the credentials that the AWS tools find
    #[arg(long, value_enum, default_value_t = Where::Local)]
    pub(crate) target: Where,
}

/// The whole command line, for what is made from it.
pub(crate) fn command() -> clap::Command {
    Arguments::command()
}

/// Reads the command line. Help and version are printed here, and so is what is wrong with it.
pub(crate) fn parse() -> Result<Arguments, Exit> {
    Arguments::try_parse().map_err(|error| {
        // A closed pipe is no reason to fail.
        let _ = error.print();
        if error.use_stderr() {
            Exit::Usage
        } else {
            Exit::Done
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        command().debug_assert();
    }
}
