//! Asking before something that costs or cannot be taken back.

use std::io::{IsTerminal, Write};

use crate::failure::Failure;

/// Asks, and takes only `yes` for an answer.
pub async fn confirm(question: &str) -> Result<(), Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::Refused {
            what: format!("{question} That needs a yes, and there is no terminal to ask on"),
            hint: "add --yes if that is what you want".to_owned(),
        });
    }
    let line = answer(&format!("{question} Type yes to go on: ")).await?;
    if line.trim().eq_ignore_ascii_case("yes") {
        return Ok(());
    }
    Err(not_confirmed())
}

/// Asks for the number of the account, unless it was given beforehand.
///
/// # Errors
/// It is another one, or there is no terminal to ask on.
pub async fn confirm_account(account: &str, given: Option<&str>) -> Result<(), Failure> {
    let typed = match given {
        Some(given) => given.to_owned(),
        None if std::io::stdin().is_terminal() => {
            let question = format!("This goes for good. Type the account's number, {account}: ");
            answer(&question).await?
        }
        None => {
            return Err(Failure::Refused {
                what: format!(
                    "the account, {account}, has to be confirmed, and there is no terminal to ask on"
                ),
                hint: format!("add --account {account} if that is the account you mean"),
            });
        }
    };
    if typed.trim() == account {
        return Ok(());
    }
    Err(not_confirmed())
}

fn not_confirmed() -> Failure {
    Failure::Refused {
        what: "not confirmed; nothing was changed".to_owned(),
        hint: String::new(),
    }
}

/// Says something on the terminal and waits for a line.
///
/// # Errors
/// The terminal cannot be read.
pub async fn answer(prompt: &str) -> Result<String, Failure> {
    eprint!("{prompt}");
    let _ = std::io::stderr().flush();
    let answer = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map(|_| line)
    });
    let line = answer.await.map_err(Failure::here("reading the answer"))?;
    line.map_err(Failure::here("reading the answer"))
}
