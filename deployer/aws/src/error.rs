//! What AWS answers when it does not do what was asked, by its codes and never by its texts.

use std::error::Error;

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// A call that failed.
#[derive(Debug, thiserror::Error)]
pub enum AwsError {
    /// AWS answered with an error.
    #[error("{operation}: {code}: {}{}", shortened(message), request(request_id.as_deref()))]
    Answered {
        /// The call, for example `RunInstances`.
        operation: &'static str,
        /// AWS's code, for example `VcpuLimitExceeded`.
        code: String,
        /// AWS's text.
        message: String,
        /// The id that AWS gave the request, for its support and logs.
        request_id: Option<String>,
    },
    /// Nothing on this machine says who we are.
    #[error("no AWS credentials were found")]
    NoCredentials {
        /// What went wrong where some are set up; nothing where none are.
        #[source]
        source: Option<Box<dyn Error + Send + Sync>>,
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
    /// The credentials are wrong or unknown, or the clock is off.
    Credentials,
    /// The session is over: the same call works with new credentials.
    Expired,
    /// The credentials may not do this.
    NotAllowed,
    /// This zone has no room for the machine, or no such machine: another zone may.
    NotInZone,
    /// The account has no more room, in any zone: a quota, or AWS still verifies it.
    NoRoom,
    /// Too many calls were made on the account lately.
    Throttled,
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

    /// Whether the cause may be that what a call names was made only seconds ago. EC2 says of a new
    /// group that there is none; of a new profile, and RDS of its own role, that a parameter is
    /// wrong: they have no code for it.
    #[must_use]
    pub fn may_be_too_early(&self) -> bool {
        matches!(
            self.code(),
            Some("InvalidParameterValue" | "InvalidGroup.NotFound")
        )
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
            | "DBSnapshotNotFound"
            | "DBSnapshotNotFoundFault"
            | "DBInstanceAutomatedBackupNotFound"
            | "DBInstanceAutomatedBackupNotFoundFault"
            | "DBSubnetGroupNotFoundFault"
            | "DBParameterGroupNotFound"
            | "DBParameterGroupNotFoundFault"
            | "InvalidLaunchTemplateId.NotFoundException"
            | "ResourceNotFound"
            | "ResourceNotFoundException"
            | "DashboardNotFoundError"
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
            | "InvalidDBSubnetGroupStateFault"
            | "InvalidDBParameterGroupState"
            | "InvalidIPAddress.InUse"
            | "VolumeInUse"
            | "InvalidNetworkInterface.InUse"
            | "OperationAborted" => Meaning::InUse,
            "AuthFailure"
            | "SignatureDoesNotMatch"
            | "InvalidAccessKeyId"
            | "InvalidClientTokenId"
            | "UnrecognizedClientException"
            | "InvalidSignatureException"
            | "IncompleteSignature"
            | "MissingAuthenticationToken"
            | "InvalidToken" => Meaning::Credentials,
            "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" => Meaning::Expired,
            "UnauthorizedOperation"
            | "AccessDenied"
            | "AccessDeniedException"
            | "AuthorizationError"
            | "OptInRequired" => Meaning::NotAllowed,
            "InsufficientInstanceCapacity"
            | "InsufficientFreeAddressesInSubnet"
            | "InsufficientDBInstanceCapacity"
            | "Unsupported" => Meaning::NotInZone,
            "VcpuLimitExceeded"
            | "InstanceLimitExceeded"
            | "InstanceQuotaExceeded"
            | "StorageQuotaExceeded"
            | "VolumeLimitExceeded"
            | "SecurityGroupLimitExceeded"
            | "LimitExceeded"
            | "TooManyBuckets"
            | "PendingVerification" => Meaning::NoRoom,
            "RequestLimitExceeded"
            | "Throttling"
            | "ThrottlingException"
            | "RequestThrottled"
            | "TooManyRequestsException"
            | "SlowDown" => Meaning::Throttled,
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
    R: std::fmt::Debug + Send + Sync + 'static + Answer,
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
                request_id: answer.raw().request_id(),
            },
            other => AwsError::Unanswered {
                operation,
                source: Box::new(other),
            },
        })
    }
}

/// What an answer says of itself outside its body.
pub(crate) trait Answer {
    /// The HTTP status: what a HEAD request has in place of a code.
    fn status_code(&self) -> String;
    /// The id of the request.
    fn request_id(&self) -> Option<String>;
}

impl Answer for aws_smithy_runtime_api::client::orchestrator::HttpResponse {
    fn status_code(&self) -> String {
        self.status().as_u16().to_string()
    }

    fn request_id(&self) -> Option<String> {
        // S3 has a name of its own for it.
        let headers = self.headers();
        let id = headers
            .get("x-amzn-requestid")
            .or(headers.get("x-amz-request-id"));
        id.map(str::to_owned)
    }
}

/// EC2 adds an encoded text of a thousand characters to a refusal, for
/// `aws sts decode-authorization-message`.
fn shortened(message: &str) -> String {
    const LONGEST: usize = 300;
    if message.chars().count() <= LONGEST {
        return message.to_owned();
    }
    let begin: String = message.chars().take(LONGEST).collect();
    format!("{begin}…")
}

fn request(id: Option<&str>) -> String {
    id.map_or_else(String::new, |id| format!(" (request {id})"))
}

/// Makes "there is no such thing" a success: whoever removes is content with it.
pub(crate) fn gone_is_fine<T>(result: Result<T, AwsError>) -> Result<(), AwsError> {
    match result {
        Ok(_) => Ok(()),
        Err(error) if error.meaning() == Meaning::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(code: &str, message: &str) -> AwsError {
        AwsError::Answered {
            operation: "RunInstances",
            code: code.to_owned(),
            message: message.to_owned(),
            request_id: Some("7a62".to_owned()),
        }
    }

    #[test]
    fn an_error_names_call_code_and_request() {
        assert_eq!(
            answered("VcpuLimitExceeded", "Too many.").to_string(),
            "RunInstances: VcpuLimitExceeded: Too many. (request 7a62)"
        );
        let long = answered("UnauthorizedOperation", &"x".repeat(2000)).to_string();
        assert!(
            long.ends_with("x… (request 7a62)") && long.len() < 400,
            "{long}"
        );
    }

    #[test]
    fn a_session_that_is_over_is_not_a_wrong_key() {
        for code in ["ExpiredToken", "ExpiredTokenException", "RequestExpired"] {
            assert_eq!(answered(code, "").meaning(), Meaning::Expired);
        }
        assert_eq!(answered("AuthFailure", "").meaning(), Meaning::Credentials);
    }
}
