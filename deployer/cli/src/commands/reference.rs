//! What is written for editors, shells and readers: `deploy schema`, `completions` and `man`.

use std::io::Write as _;

use crate::arguments;
use crate::failure::{Exit, Failure};

pub(super) fn schema() -> Exit {
    print(crate::built_in::schema().as_bytes())
}

pub(super) fn completions(given: &arguments::Completions) -> Exit {
    let mut script = Vec::new();
    let mut command = arguments::command();
    clap_complete::generate(given.shell, &mut command, "deploy", &mut script);
    print(&script)
}

/// A reader that has read enough and closed the pipe is no failure.
fn print(text: &[u8]) -> Exit {
    let _ = std::io::stdout().write_all(text);
    Exit::Done
}

pub(super) fn man(given: &arguments::Man) -> Result<Exit, Failure> {
    let failed = || Failure::here(format!("writing into {}", given.folder.display()));
    std::fs::create_dir_all(&given.folder).map_err(failed())?;
    clap_mangen::generate_to(arguments::command(), &given.folder).map_err(failed())?;
    println!(
        "man -l {} reads the first of them",
        given.folder.join("deploy.1").display()
    );
    Ok(Exit::Done)
}
