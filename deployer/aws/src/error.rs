//! What AWS answers when it does not do what was asked, by its codes and never by its texts.

use std::error::Error;

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// A call that failed.
#[derive(Debug, thiserror::Error)]
pub enum AwsError {
    /// AWS answered with an error.
    #[error("{operation}: {code}: {message}")]
    Answered {
        /// The call, for example `RunInstances`.
        operation: &'static str,
        /// AWS's code, for example `VcpuLimitExceeded`.
        code: String,
        /// AWS's text.
        message: String,
    },
    /// No answer came, or none that could be read.
    #[error("{operation}: no answer")]
    Unanswered {
        /// The call.
        operation: &'static str,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// An answer lacked what AWS's documentation promises.
    #[error("{operation}: the answer has no {what}")]
    Incomplete {
        /// The call.
        operation: &'static str,
        /// What is missing.
        what: &'static str,
    },
    /// A resource did not get where it was awaited in time, or got somewhere else.
    #[error("{what}: {why}")]
    NotReached {
        /// What was waited for.
        what: String,
        /// What was last seen.
        why: String,
    },
    /// Something on this machine failed.
    #[error("{what}")]
    Here {
        /// What was being done.
        what: String,
        /// Why it failed.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// What a step needs was not made by the steps before it.
    #[error(transparent)]
    NotYet(#[from] deployer_core::settings::NotYet),
}

/// What a code means to us. Different services, and older and newer documentation of one service,
/// use different codes for one meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// There is no such thing.
    NotFound,
    /// There is one already.
    Exists,
    /// Something else still uses it.
    InUse,
    /// The credentials are wrong, unknown or expired.
    Credentials,
    /// The credentials may not do this.
    NotAllowed,
    /// A newly made instance profile is not known to EC2 yet.
    ProfileNotYet,
    /// The account has no more room: a quota, or AWS's own capacity.
    NoRoom,
    /// Anything else.
    Other,
}

impl AwsError {
    /// AWS's code, when AWS answered.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            AwsError::Answered { code, .. } => Some(code),
            _ => None,
        }
    }

    /// What the code means.
    #[must_use]
    pub fn meaning(&self) -> Meaning {
        let Some(code) = self.code() else {
            return Meaning::Other;
        };
        match code {
            "NoSuchEntity"
            | "NoSuchBucket"
            | "NoSuchKey"
            | "NotFound"
            | "DBInstanceNotFound"
            | "DBInstanceNotFoundFault"
            | "404"
            | "NoSuchTagSet" => Meaning::NotFound,
            code if code.ends_with(".NotFound") => Meaning::NotFound,
            "InvalidAMIID.Unavailable" => Meaning::NotFound,
            "EntityAlreadyExists" | "DBInstanceAlreadyExists" | "BucketAlreadyOwnedByYou" => {
                Meaning::Exists
            }
            code if code.ends_with(".Duplicate") => Meaning::Exists,
            "DependencyViolation"
            | "DeleteConflict"
            | "BucketNotEmpty"
            | "InvalidDBInstanceState"
            | "InvalidDBInstanceStateFault"
            | "InvalidSnapshot.InUse"
            | "OperationAborted" => Meaning::InUse,
            "AuthFailure"
            | "SignatureDoesNotMatch"
            | "InvalidAccessKeyId"
            | "InvalidClientTokenId"
            | "UnrecognizedClientException"
            | "ExpiredToken"
            | "ExpiredTokenException"
            | "RequestExpired" => Meaning::Credentials,
            "UnauthorizedOperation" | "AccessDenied" | "AccessDeniedException" => {
                Meaning::NotAllowed
            }
            "VcpuLimitExceeded"
            | "InstanceLimitExceeded"
            | "InsufficientInstanceCapacity"
            | "InstanceQuotaExceeded"
            | "PendingVerification" => Meaning::NoRoom,
            _ => Meaning::Other,
        }
    }
}

/// Turns the SDK's errors into ours, naming the call.
pub(crate) trait During<T> {
    fn during(self, operation: &'static str) -> Result<T, AwsError>;
}

impl<T, E, R> During<T> for Result<T, SdkError<E, R>>
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static + StatusCode,
{
    fn during(self, operation: &'static str) -> Result<T, AwsError> {
        self.map_err(|error| match error {
            SdkError::ServiceError(answer) => AwsError::Answered {
                operation,
                code: answer
                    .err()
                    .code()
                    .map_or_else(|| answer.raw().status_code(), str::to_owned),
                message: answer.err().message().unwrap_or("no message").to_owned(),
            },
            other => AwsError::Unanswered {
                operation,
                source: Box::new(other),
            },
        })
    }
}

/// The HTTP status of an answer: what a HEAD request has in place of a code.
pub(crate) trait StatusCode {
    fn status_code(&self) -> String;
}

impl StatusCode for aws_smithy_runtime_api::client::orchestrator::HttpResponse {
    fn status_code(&self) -> String {
        self.status().as_u16().to_string()
    }
}

/// Makes "there is no such thing" a success: whoever removes is content with it.
pub(crate) fn gone_is_fine<T>(result: Result<T, AwsError>) -> Result<(), AwsError> {
    match result {
        Ok(_) => Ok(()),
        Err(error) if error.meaning() == Meaning::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
