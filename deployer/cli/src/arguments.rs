//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use deployer_aws::TargetKind;
use deployer_core::names::{DeploymentName, ResourceId};

use crate::failure::Exit;

/// Makes elastic services from a YAML blueprint, on this laptop or on AWS, and takes them away
/// again with proof that nothing is left.
#[derive(Debug, Parser)]
#[command(name = "deploy", version, max_term_width = 100, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// When to colour: auto is on terminals, unless NO_COLOR is set
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = Colour::Auto, hide_default_value = true)]
    pub(crate) color: Colour,
}

/// When output is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    Auto,
    Always,
    Never,
}

const EXAMPLES: &str = "\
Examples:
  deploy up blueprints/elastic-cache.yaml   make it on this laptop, for nothing
  deploy status elastic-cache               what there is, and how it is
  deploy down elastic-cache                 take it away

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
    /// Show what there is, whether it is well, and since when
    Status(Status),
    /// Print the addresses of a deployment
    Output(Output),
    /// Print what an instance wrote to its console
    Logs(Logs),
    /// Print what makes other AWS tools use this laptop's cloud, for a shell
    Env(Env),
    /// Show what the scaler would decide on a trace of load: --trace FILE; --help tells all
    #[command(disable_help_flag = true)]
    Simulate(Simulate),
    /// Print the JSON Schema of blueprints, for editors
    Schema,
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

#[derive(Debug, Args)]
pub(crate) struct Down {
    /// The deployment's name
    pub(crate) name: DeploymentName,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) whereabouts: Whereabouts,
    /// Print events as JSON, one a line
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

/// Where a deployment was made.
#[derive(Clone, Debug, Args)]
pub(crate) struct Whereabouts {
    /// Where it was made [default: where this machine remembers having made it, else local]
    #[arg(long, value_enum)]
    pub(crate) target: Option<Where>,
    /// The region it was made in [default: as remembered, else every region]
    #[arg(long)]
    pub(crate) region: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Where {
    Local,
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
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }
}
