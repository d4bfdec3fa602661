//! The arguments of what a newcomer meets first, and of what helps at the command line.

use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;
use deployer_core::names::DeploymentName;

use super::{Place, Whereabouts};
use crate::built_in;

const DOCTOR_EXAMPLES: &str = "\
Examples:
  deploy doctor                       is this laptop fit for a deployment
  deploy doctor --target aws          and the account
  deploy doctor my.yaml --target aws  for a blueprint of one's own

It makes nothing and costs nothing. Exit code 1: a check failed.";

#[derive(Debug, Args)]
#[command(after_help = DOCTOR_EXAMPLES)]
pub(crate) struct Doctor {
    /// What is to be deployed [default: the elastic photo cache that ships]
    pub(crate) blueprint: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) place: Place,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const CHECK_EXAMPLES: &str = "\
Examples:
  deploy check elastic-cache
  deploy check http://127.78.0.16:5000 --with-resize

It DELETES EVERY PHOTO of the deployment, as its graders do; where photos are
stored it goes ahead with --delete-photos only. Exit code 1: a check failed.";

#[derive(Debug, Args)]
#[command(after_help = CHECK_EXAMPLES)]
pub(crate) struct Check {
    /// The deployment's name, or the address of a front-end
    #[arg(value_name = "URL|NAME")]
    pub(crate) checked: Checked,
    #[command(flatten)]
    pub(crate) whereabouts: Whereabouts,
    /// Go ahead even if photos are stored there; they will be gone
    #[arg(long)]
    pub(crate) delete_photos: bool,
    /// Also walk the pool from 1 to 8 nodes and back under load
    #[arg(long)]
    pub(crate) with_resize: bool,
    /// Print one JSON object at the end instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

/// What is checked.
#[derive(Clone, Debug)]
pub(crate) enum Checked {
    /// A front-end, wherever it is.
    Address(String),
    /// A deployment that this machine can find.
    Deployment(DeploymentName),
}

impl std::str::FromStr for Checked {
    type Err = String;

    fn from_str(text: &str) -> Result<Checked, String> {
        if text.contains("://") {
            return Ok(Checked::Address(text.to_owned()));
        }
        let name = text.parse::<DeploymentName>();
        name.map(Checked::Deployment)
            .map_err(|problem| format!("{problem}; or give an address: http://127.78.0.16:5000"))
    }
}

const INIT_EXAMPLES: &str = "\
Examples:
  deploy init photos.yaml  a copy of elastic-cache, named as this folder
  deploy plan photos.yaml  what it would make";

#[derive(Debug, Args)]
#[command(after_help = INIT_EXAMPLES)]
pub(crate) struct Init {
    /// The file to write; recipes, policies and schema are put beside it
    pub(crate) file: PathBuf,
    /// The blueprint to begin with
    #[arg(long, value_name = "BLUEPRINT", default_value = built_in::ELASTIC_CACHE,
          value_parser = PossibleValuesParser::new(built_in::names()))]
    pub(crate) like: String,
    /// The deployment's name [default: the folder's]
    #[arg(long)]
    pub(crate) name: Option<DeploymentName>,
}

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  deploy completions bash > ~/.local/share/bash-completion/completions/deploy
  deploy completions zsh > ~/.zfunc/_deploy         with ~/.zfunc in fpath
  deploy completions fish > ~/.config/fish/completions/deploy.fish";

#[derive(Debug, Args)]
#[command(after_help = COMPLETIONS_EXAMPLES)]
pub(crate) struct Completions {
    /// Whose
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The folder to write them into, such as ~/.local/share/man/man1
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
}
