//! What ends a command early, printed once, with what to do next and the exit code.

mod hints;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use deployer_aws::{AwsError, Meaning};
use deployer_core::blueprint::Problems;

pub use hints::{hint_for, in_full};

/// How the program ends: an interface, see docs/errors.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: done.
    Done,
    /// 1: failed.
    Failed,
    /// 2: `plan --detailed-exitcode` has changes.
    Changes,
    /// 3: refused by a guard.
    Refused,
    /// 4: something remains.
    Remains,
    /// 5: it cannot be proven that nothing remains.
    CannotProve,
    /// 64: the command line or the blueprint is wrong.
    Usage,
    /// 130: interrupted.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Changes => 2,
            Exit::Refused => 3,
            Exit::Remains => 4,
            Exit::CannotProve => 5,
            Exit::Usage => 64,
            Exit::Interrupted => 130,
        })
    }
}

/// Why a command could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A file that was named cannot be read.
    #[error("reading {path}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
        /// What could be named instead.
        hint: String,
    },
    /// A blueprint has problems.
    #[error("{0}")]
    Blueprint(Problems),
    /// An AWS call failed.
    #[error("{doing}")]
    Aws {
        /// What was being done.
        doing: String,
        /// Why it failed.
        source: AwsError,
    },
    /// Something on this machine failed.
    #[error("{doing}")]
    Here {
        /// What was being done.
        doing: String,
        /// Why it failed.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A guard refused before anything was changed.
    #[error("{what}")]
    Refused {
        /// What is refused, and why.
        what: String,
        /// What to do instead.
        hint: String,
    },
    /// What was asked for was not reached.
    #[error("{what}")]
    Unfinished {
        /// What was not.
        what: String,
        /// What to do next.
        hint: String,
    },
    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted {
        /// How to go on.
        hint: String,
    },
}

impl Failure {
    /// Names what was being done when an AWS call failed.
    pub fn aws(doing: impl Into<String>) -> impl FnOnce(AwsError) -> Failure {
        let doing = doing.into();
        move |source| Failure::Aws { doing, source }
    }

    /// Names what was being done when something on this machine failed.
    pub fn here<E: Into<Box<dyn Error + Send + Sync>>>(
        doing: impl Into<String>,
    ) -> impl FnOnce(E) -> Failure {
        let doing = doing.into();
        move |source| Failure::Here {
            doing,
            source: source.into(),
        }
    }

    /// Whether it is that AWS's session is over: with new credentials the same can be done.
    #[must_use]
    pub fn is_expired(&self) -> bool {
        matches!(self, Failure::Aws { source, .. } if source.meaning() == Meaning::Expired)
    }

    /// How the program ends then.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Failure::Blueprint(_) => Exit::Usage,
            Failure::Unreadable { .. } => Exit::Usage,
            Failure::Refused { .. } => Exit::Refused,
            Failure::Interrupted { .. } => Exit::Interrupted,
            Failure::Aws { .. } | Failure::Here { .. } | Failure::Unfinished { .. } => Exit::Failed,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Failure::Unreadable { hint, .. }
            | Failure::Refused { hint, .. }
            | Failure::Unfinished { hint, .. }
            | Failure::Interrupted { hint } => Some(hint.clone()),
            Failure::Aws { source, .. } => hint_for(source),
            Failure::Here { source, .. } => {
                is_out_of_room(source.as_ref()).then(|| ROOM.to_owned())
            }
            Failure::Blueprint(_) => None,
        }
        .filter(|hint| !hint.is_empty())
    }

    /// Prints the error, each cause on a line of its own, and the hint.
    pub fn print(&self) {
        if let Failure::Blueprint(problems) = self {
            eprintln!("{problems}");
            return;
        }
        let word = console::style("error").red().bold().for_stderr();
        eprintln!("{word}: {self}");
        let mut cause = self.source();
        let mut said = self.to_string();
        while let Some(error) = cause {
            let text = error.to_string();
            if !said.contains(&text) {
                eprintln!("  because: {text}");
            }
            said = text;
            cause = error.source();
        }
        if let Some(hint) = self.hint() {
            let word = console::style("hint").cyan().bold().for_stderr();
            eprintln!("{word}: {hint}");
        }
    }
}

/// What to do on a full disk.
const ROOM: &str =
    "the disk is full: make room on it and run the same command again; nothing is lost";

fn is_out_of_room(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let io = error.downcast_ref::<std::io::Error>();
        if io.is_some_and(|io| io.kind() == std::io::ErrorKind::StorageFull) {
            return true;
        }
        cause = error.source();
    }
    false
}
