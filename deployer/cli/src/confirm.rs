//! Asking before something that costs or cannot be taken back.

use std::io::{IsTerminal, Write};

use crate::failure::Failure;

/// Asks, and takes only `yes` for an answer.
pub(crate) async fn confirm(question: &str) -> Result<(), Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::Refused {
            what: format!("{question} That needs a yes, and there is no terminal to ask on"),
            hint: "add --yes if that is what you want".to_owned(),
        });
    }
    eprint!("{question} Type yes to go on: ");
    let _ = std::io::stderr().flush();
    let answer = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map(|_| line)
    });
    let line = answer.await.map_err(Failure::here("reading the answer"))?;
    let line = line.map_err(Failure::here("reading the answer"))?;
    if line.trim().eq_ignore_ascii_case("yes") {
        return Ok(());
    }
    Err(Failure::Refused {
        what: "not confirmed; nothing was changed".to_owned(),
        hint: String::new(),
    })
}
