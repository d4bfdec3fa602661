//! The program `teardown`: finds every deployment of an account, with no blueprint and no state, and
//! takes away what it is told to.

mod program;

use std::process::ExitCode;

use clap::Parser;
use deployer_session::failure::Exit;
use program::arguments::{Arguments, Command};
use teardown::reap;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // A closed pipe is no reason to fail.
            let _ = error.print();
            return match error.use_stderr() {
                true => Exit::Usage.into(),
                false => Exit::Done.into(),
            };
        }
    };
    arguments.colours.set();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: starting the runtime: {error}");
            return Exit::Failed.into();
        }
    };
    let ended = runtime.block_on(async {
        match arguments.command {
            Command::List(given) => program::list::list(&given).await,
            Command::Run(given) => program::run::run(&given).await,
            Command::Reap(given) => match reap::run(&given).await {
                Ok(()) => Ok(Exit::Done),
                Err(failure) => {
                    eprintln!("teardown: {failure}");
                    Ok(Exit::Failed)
                }
            },
        }
    });
    // What still waits, a question on the terminal for one, is not waited for.
    runtime.shutdown_background();
    match ended {
        Ok(exit) => exit.into(),
        Err(failure) => {
            failure.print();
            failure.exit().into()
        }
    }
}
