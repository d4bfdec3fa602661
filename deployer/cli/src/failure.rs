//! What ends a command early, printed once, with what to do next and the exit code.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use deployer_aws::{AwsError, Meaning};
use deployer_core::blueprint::Problems;

use crate::invocation::invocation;

/// How the program ends: an interface, see docs/errors.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Done,
    Failed,
    Changes,
    Refused,
    Remains,
    CannotProve,
    Usage,
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
pub(crate) enum Failure {
    #[error("reading {path}", path = path.display())]
    Unreadable {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{0}")]
    Blueprint(Problems),
    #[error("{doing}")]
    Aws { doing: String, source: AwsError },
    #[error("{doing}")]
    Here {
        doing: String,
        source: Box<dyn Error + Send + Sync>,
    },
    #[error("{what}")]
    Refused { what: String, hint: String },
    #[error("{what}")]
    Unfinished { what: String, hint: String },
    #[error("interrupted")]
    Interrupted { hint: String },
}

impl Failure {
    /// Names what was being done when an AWS call failed.
    pub(crate) fn aws(doing: impl Into<String>) -> impl FnOnce(AwsError) -> Failure {
        let doing = doing.into();
        move |source| Failure::Aws { doing, source }
    }

    /// Names what was being done when something on this machine failed.
    pub(crate) fn here<E: Into<Box<dyn Error + Send + Sync>>>(
        doing: impl Into<String>,
    ) -> impl FnOnce(E) -> Failure {
        let doing = doing.into();
        move |source| Failure::Here {
            doing,
            source: source.into(),
        }
    }

    pub(crate) fn exit(&self) -> Exit {
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
            Failure::Unreadable { .. } => Some(format!(
                "name a blueprint, for example: {} up blueprints/elastic-cache.yaml",
                invocation()
            )),
            Failure::Refused { hint, .. }
            | Failure::Unfinished { hint, .. }
            | Failure::Interrupted { hint } => Some(hint.clone()),
            Failure::Aws { source, .. } => hint_for(source),
            Failure::Here { source, .. } => is_out_of_room(source.as_ref()).then(make_room),
            Failure::Blueprint(_) => None,
        }
        .filter(|hint| !hint.is_empty())
    }

    /// Prints the error, each cause on a line of its own, and the hint.
    pub(crate) fn print(&self) {
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

fn make_room() -> String {
    "the disk is full: make room on it and run the same command again; nothing is lost".to_owned()
}

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

fn hint_for(error: &AwsError) -> Option<String> {
    // What localcloud answers when its disk is full; AWS has no such code.
    if error.code() == Some("InsufficientStorage") {
        return Some(make_room());
    }
    let hint = match error.meaning() {
        Meaning::Credentials => {
            "AWS does not accept these credentials; get new ones (in a Learner Lab: AWS Details, Show), \
             and try again"
        }
        Meaning::NotAllowed => {
            "these credentials may not do this; in a Learner Lab use `existing:` roles"
        }
        Meaning::NoRoom => {
            "the account has no room for this now; a smaller pool or another region may fit"
        }
        _ if matches!(
            error,
            AwsError::Unanswered {
                operation: "GetCallerIdentity",
                ..
            }
        ) =>
        {
            "no credentials were found or AWS cannot be reached; `aws sts get-caller-identity` tells which"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}
