//! The commands, one file each.

use crate::arguments::{Arguments, Command};
use crate::failure::{Exit, Failure};

mod down;
mod env;
mod logs;
mod output;
mod plan;
mod prepare;
mod ready;
mod simulate;
mod status;
mod up;

/// Runs the command that was asked for.
pub(crate) async fn run(arguments: Arguments) -> Result<Exit, Failure> {
    match arguments.command {
        Command::Up(given) => up::up(&given).await,
        Command::Plan(given) => plan::plan(&given).await,
        Command::Down(given) => down::down(&given).await,
        Command::Status(given) => status::status(&given).await,
        Command::Output(given) => output::output(&given).await,
        Command::Logs(given) => logs::logs(&given).await,
        Command::Env(given) => env::env(&given).await,
        Command::Simulate(given) => simulate::simulate(&given).await,
        Command::Schema => {
            println!("{:#}", deployer_core::blueprint::schema());
            Ok(Exit::Done)
        }
    }
}
