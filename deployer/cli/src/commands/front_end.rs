//! What `deploy load` and `deploy check` have in common: a front-end that is named, and a program of
//! ours that takes our place.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use deployer_core::names::DeploymentName;

use crate::failure::Failure;
use crate::home::Home;
use crate::journal::Record;
use crate::outputs;
use crate::session::Found;

/// The service that both go to.
const FRONT_END: &str = "front-end";

/// Where those programs look for the token of a closed API. In their arguments everybody on this
/// machine could read it.
const TOKEN: &str = "BIVOUAC_TOKEN";

/// A front-end, and the token that it asks for if its API is closed.
pub(super) struct FrontEnd {
    url: String,
    token: Option<String>,
}

impl FrontEnd {
    /// At an address, of which no token is known but what the environment holds.
    pub(super) fn at(url: &str) -> FrontEnd {
        FrontEnd {
            url: url.to_owned(),
            token: None,
        }
    }

    /// Of a deployment.
    pub(super) async fn of(
        home: &Home,
        name: &DeploymentName,
        found: &Found,
    ) -> Result<FrontEnd, Failure> {
        let account = &found.session.account;
        let reading = || Failure::aws(format!("reading the addresses of {name}"));
        let doors = outputs::doors(account, &found.inventory)
            .await
            .map_err(reading())?;
        let door = doors.into_iter().find(|door| door.service == FRONT_END);
        let Some(door) = door else {
            return Err(Failure::Unfinished {
                what: format!("{name} has no front-end"),
                hint: format!(
                    "if it is not finished, {} goes on with it; this is for the elastic photo cache",
                    Record::up_again(home, name)
                ),
            });
        };
        let shown = outputs::shown(account, &found.inventory)
            .await
            .map_err(reading())?;
        Ok(FrontEnd {
            url: door.url,
            token: shown.and_then(|shown| shown.token),
        })
    }

    /// Begins a program that is told the address first. Nothing of ours is said yet.
    pub(super) fn program(self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.arg(self.url);
        if let Some(token) = self.token {
            command.env(TOKEN, token);
        }
        command
    }
}

/// Lets a program take our place: Ctrl-C, the terminal and the exit code are its own. It comes back
/// with the reason why that was not possible.
pub(super) fn become_it(mut command: Command) -> Failure {
    let failed = command.exec();
    let program = Path::new(command.get_program()).display().to_string();
    Failure::here(format!("starting {program}"))(failed)
}
