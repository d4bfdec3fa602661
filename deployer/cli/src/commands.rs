//! The commands, one file each.

use crate::arguments::{Arguments, Command};
use crate::failure::{Exit, Failure};

mod audit;
mod check;
mod cost;
mod doctor;
mod down;
mod env;
mod extend;
mod front_end;
mod init;
mod load;
mod logs;
mod output;
mod plan;
mod prepare;
mod prices;
mod ready;
mod reference;
mod rehearse;
mod simulate;
mod status;
mod up;

/// Runs the command that was asked for.
pub(crate) async fn run(arguments: Arguments) -> Result<Exit, Failure> {
    match arguments.command {
        Command::Up(given) => up::up(&given).await,
        Command::Plan(given) => plan::plan(&given).await,
        Command::Down(given) => down::down(&given).await,
        Command::Audit(given) => audit::audit(&given).await,
        Command::Status(given) => status::status(&given).await,
        Command::Cost(given) => cost::cost(&given).await,
        Command::Extend(given) => extend::extend(&given).await,
        Command::Prices(given) => prices::prices(&given),
        Command::Output(given) => output::output(&given).await,
        Command::Load(given) => load::load(&given).await,
        Command::Logs(given) => logs::logs(&given).await,
        Command::Env(given) => env::env(&given).await,
        Command::Simulate(given) => simulate::simulate(&given).await,
        Command::Check(given) => check::check(&given).await,
        Command::Doctor(given) => doctor::doctor(&given).await,
        Command::Init(given) => init::init(&given),
        Command::Schema => Ok(reference::schema()),
        Command::Completions(given) => Ok(reference::completions(&given)),
        Command::Man(given) => reference::man(&given),
    }
}
