//! The command line.

use clap::{Args, Parser, Subcommand};
use deployer_core::names::DeploymentName;
use deployer_session::report::Colours;
use deployer_session::whereabouts::Where;
use teardown::reap;

/// Finds every deployment of an account by its tags and names, in all regions that can be read, and
/// takes away what it is told to. It needs no blueprint and nothing that another machine remembers.
#[derive(Debug, Parser)]
#[command(name = "teardown", version, max_term_width = 100, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) colours: Colours,
}

const EXAMPLES: &str = "\
Examples:
  teardown list --target aws                           every deployment in the account
  teardown run --target aws --expired                  show what has outlived its time
  teardown run --target aws --expired --yes            take it away; asks for the account
  teardown run --target aws --deployment demo --yes    one deployment, wherever it is

Exit codes:
    0  done, or nothing to do     4  something remains
    1  failed                     5  cannot prove that nothing remains
    3  refused by a guard        64  usage
                                130  interrupted";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List every deployment: name, region, owner, age, expiry, and what there is of it
    List(List),
    /// Show what would be taken away; with --yes, take it away and prove that it went
    Run(Run),
    /// What an instance runs when its deployment has expired, with the rights of its role
    Reap(reap::Arguments),
}

/// Where to look.
#[derive(Clone, Debug, Args)]
pub(crate) struct Place {
    /// This laptop's cloud, or an AWS account with the credentials that the AWS tools find
    #[arg(long, value_enum, default_value_t = Where::Local)]
    pub(crate) target: Where,
    /// Only this region [default: every region that can be read]
    #[arg(long)]
    pub(crate) region: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) which: Which,
    #[command(flatten)]
    pub(crate) place: Place,
    /// Do it, rather than show it
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// The account's number, in place of typing it when asked
    #[arg(long, value_name = "NUMBER", requires = "yes")]
    pub(crate) account: Option<String>,
    /// Print events as JSON, one a line
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which deployments.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Which {
    /// The one of this name, in whichever region it is
    #[arg(long, value_name = "NAME")]
    pub(crate) deployment: Option<DeploymentName>,
    /// Those whose time is over
    #[arg(long)]
    pub(crate) expired: bool,
    /// All of them
    #[arg(long)]
    pub(crate) all: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }

    #[test]
    fn run_wants_to_know_which() {
        let parse = |rest: &[&str]| {
            let words = ["teardown", "run"].iter().chain(rest);
            Arguments::try_parse_from(words).is_ok()
        };
        assert!(!parse(&[]));
        assert!(!parse(&["--all", "--expired"]));
        assert!(!parse(&["--all", "--account", "1"]));
        assert!(parse(&["--all"]));
        assert!(parse(&["--deployment", "demo", "--yes", "--account", "1"]));
    }
}
