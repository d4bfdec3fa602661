//! What a client is told when something does not work.

use http::StatusCode;

use crate::form::FormError;
use crate::key::{InvalidKey, Key};
use crate::objects::ObjectsError;
use crate::upload::UploadError;

/// A status and a sentence: what is wrong, and what would be right. Told as JSON below `/api` and as
/// a page elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The HTTP status, which is the contract's code too.
    pub status: StatusCode,
    /// The sentence.
    pub message: String,
}

impl Failure {
    /// A failure with these words.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }

    /// Nobody has uploaded this key.
    #[must_use]
    pub fn no_photo(key: &Key) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            format!("there is no photo with the key \"{key}\"; upload it first"),
        )
    }

    /// A disk is full.
    #[must_use]
    pub fn no_room() -> Self {
        Self::new(
            StatusCode::INSUFFICIENT_STORAGE,
            "there is no room left to store anything: the disk is full; whoever deployed this has to make room",
        )
    }

    /// The schema is not up to date yet.
    #[must_use]
    pub fn no_database_yet() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the database cannot be used yet; try again in a moment",
        )
    }
}

impl From<InvalidKey> for Failure {
    fn from(error: InvalidKey) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error.to_string())
    }
}

impl From<FormError> for Failure {
    fn from(error: FormError) -> Self {
        let status = match &error {
            FormError::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            FormError::Spool(_) => {
                log("receiving an upload", &error);
                StatusCode::INSUFFICIENT_STORAGE
            }
            _ => StatusCode::BAD_REQUEST,
        };
        Self::new(status, error.to_string())
    }
}

impl From<catalog::Error> for Failure {
    fn from(error: catalog::Error) -> Self {
        log("asking the catalog", &error);
        if error.is_out_of_room() {
            return Self::no_room();
        }
        if error.is_unavailable() {
            let message = "the database does not answer; try again in a moment";
            return Self::new(StatusCode::SERVICE_UNAVAILABLE, message);
        }
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("{error}; the front-end's log says why"),
        )
    }
}

impl From<ObjectsError> for Failure {
    fn from(error: ObjectsError) -> Self {
        log("asking the bucket", &error);
        match error {
            ObjectsError::NoObject(_) => Self::new(
                StatusCode::NOT_FOUND,
                "the photo's bytes are no longer in the bucket; upload it again",
            ),
            ObjectsError::NoRoom(_) => Self::no_room(),
            ObjectsError::NoBucket(_) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "the bucket with the photos does not exist any more; whoever deployed this has to run `up` again",
            ),
            ObjectsError::Failed { .. } => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "the bucket with the photos does not answer; try again in a moment",
            ),
        }
    }
}

impl From<UploadError> for Failure {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::Catalog(error) => error.into(),
            UploadError::Objects(error) => error.into(),
            UploadError::Expired | UploadError::NotInvalidated => {
                log("uploading", &error);
                Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
            }
            UploadError::Ended => {
                log("uploading", &error);
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
            }
        }
    }
}

fn log(operation: &'static str, error: &(dyn std::error::Error + 'static)) {
    tracing::warn!(error, operation, "a request failed");
}
