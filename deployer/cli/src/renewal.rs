//! A session of AWS that ends while a command is at work: new credentials, and on with it.

use std::io::IsTerminal;

use deployer_aws::{Account, TargetKind};

use crate::confirm::answer;
use crate::failure::{Failure, in_full};

const OVER: &str = "
The AWS session is over; what was made so far is kept. Log in again in another terminal,
or paste new keys into ~/.aws/credentials (Learner Lab: AWS Details, AWS CLI, Show).";
const PROMPT: &str = "Then press Enter to go on, or Ctrl-C to stop here: ";

/// Whether somebody can be asked, and what they do elsewhere would count: variables of this process
/// cannot be changed from outside.
pub(crate) fn is_possible(account: &Account) -> bool {
    account.target.kind == TargetKind::Aws
        && std::io::stdin().is_terminal()
        && std::io::stderr().is_terminal()
        && std::env::var_os("AWS_ACCESS_KEY_ID").is_none()
}

/// Waits until there are new credentials of the same account. Every client uses them then.
pub(crate) async fn renew(account: &Account) -> Result<(), Failure> {
    eprintln!("{OVER}");
    loop {
        answer(PROMPT).await?;
        match account.renew_credentials().await {
            Ok(found) if found == account.id => return Ok(()),
            Ok(other) => eprintln!("These are of account {other}; it has to be {}.", account.id),
            Err(error) => eprintln!("Not yet: {}", in_full(&error)),
        }
    }
}
