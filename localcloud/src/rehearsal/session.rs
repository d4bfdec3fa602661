//! The sessions of a Learner Lab: at the end of one every instance is stopped and no database is; the
//! next one starts the instances again.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{AccountKind, InUse, LaunchRequested, Stage};
use crate::EndpointFile;
use crate::wire::ApiError;

/// How long the keys of a session are good for, in seconds of AWS.
const KEYS_LAST: f64 = 4.0 * 3600.0;
/// How long localcloud may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is done to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum SessionAction {
    /// Stop every instance; databases go on, and go on billing. Keys are good for nothing.
    End,
    /// Start the instances again, with new public addresses; keys are good for four hours.
    Start,
}

impl SessionAction {
    /// Its name on the command line and in the address.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::End => "end",
            Self::Start => "start",
        }
    }
}

impl Stage {
    /// Whether the account's own keys are good: always, but in a lab, where they end with the session
    /// or after four hours. (AWS gives new ones; here the same ones are good again.)
    pub(super) fn is_in_session(&self) -> bool {
        let Some(rehearsal) = &self.rehearsal else {
            return true;
        };
        let play = self.lock();
        if play.is_closed {
            return false;
        }
        let lasts = |began: Instant| began.elapsed().as_secs_f64() * rehearsal.speed < KEYS_LAST;
        rehearsal.account != AccountKind::LearnerLab || play.session_began.is_some_and(lasts)
    }

    /// Notes that a session ended or began.
    pub fn turn_session(&self, action: SessionAction) {
        self.lock().session_began = match action {
            SessionAction::End => None,
            SessionAction::Start => Some(Instant::now()),
        };
    }

    /// Refuses a launch that the account has no room for, or may not make.
    ///
    /// # Errors
    /// What EC2 answers.
    pub fn launch(
        &self,
        asked: LaunchRequested<'_>,
        in_use: InUse,
        region: &str,
    ) -> Result<(), ApiError> {
        let Some(rehearsal) = &self.rehearsal else {
            return Ok(());
        };
        if rehearsal.is_being_verified {
            return Err(ApiError::new(
                "PendingVerification",
                "Your request for accessing resources in this region is being validated, and you will not be able to launch additional resources in this region until the validation is complete. We will notify you by email once your request has been validated. While normally resolved within minutes, please allow up to 4 hours for this process to complete.",
            ));
        }
        rehearsal.account.launch(asked, in_use, region)?;
        if rehearsal.full_zones.contains(&asked.zone) {
            let LaunchRequested {
                instance_type,
                zone,
                ..
            } = asked;
            return Err(ApiError::with_status(
                http::StatusCode::INTERNAL_SERVER_ERROR,
                "InsufficientInstanceCapacity",
                format!(
                    "We currently do not have sufficient {instance_type} capacity in the Availability Zone you requested ({region}{zone}). Our system will be working on provisioning additional capacity."
                ),
            ));
        }
        Ok(())
    }

    /// Refuses a database that the account may not have.
    ///
    /// # Errors
    /// What RDS answers.
    pub fn database(
        &self,
        class: &str,
        storage_type: &str,
        retention: i64,
    ) -> Result<(), ApiError> {
        match self.account() {
            Some(account) => account.database(class, storage_type, retention),
            None => Ok(()),
        }
    }

    /// Whether so many instances are the end of a lab. From then on its keys are good for nothing.
    pub fn closes_at(&self, instances: usize) -> bool {
        let closes =
            self.account() == Some(AccountKind::LearnerLab) && instances >= super::account::LAB_END;
        if closes {
            self.lock().is_closed = true;
        }
        closes
    }
}

/// Asks a localcloud that runs to end or to start its session.
///
/// # Errors
/// None runs in that home, or it refuses; the text says why.
pub fn ask(home: &Path, action: SessionAction) -> io::Result<()> {
    let file = std::fs::read(EndpointFile::path(home))?;
    let at: EndpointFile = serde_json::from_slice(&file)?;
    let host = at.endpoint.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "POST /_localcloud/session/{} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        action.name(),
        at.secret_access_key
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if answer.starts_with("HTTP/1.1 200") {
        return Ok(());
    }
    let said = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Err(io::Error::other(said.trim().to_owned()))
}
