//! The program `deploy`: makes a deployment from a blueprint, shows it, and takes it away.

mod arguments;
mod bill;
mod built_in;
mod commands;
mod outputs;
mod programs;
mod renewal;

use std::process::ExitCode;

use deployer_session::{
    binding, confirm, failure, home, interrupt, invocation, journal, local, lock, prices, replaced,
    report, session, whereabouts,
};
use failure::Exit;

fn main() -> ExitCode {
    let arguments = match arguments::parse() {
        Ok(arguments) => arguments,
        Err(exit) => return exit.into(),
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
    let ended = runtime.block_on(commands::run(arguments));
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
