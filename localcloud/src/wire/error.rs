//! Errors as AWS's clients see them: a code to match on, a message for people, an HTTP status.

use std::borrow::Cow;

use http::StatusCode;

use super::{Response, Xml, response};

/// The code for a full disk. Its status is 507, "Insufficient Storage" (RFC 4918, 11.5).
pub const NO_ROOM: &str = "InsufficientStorage";

/// How a service writes its errors.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorStyle {
    /// `<Response><Errors><Error>…`, EC2's own.
    Ec2,
    /// `<ErrorResponse><Error>…`, as IAM, STS and RDS.
    Query,
    /// `<Error>…`, S3's own.
    S3,
}

/// An error that a service answers to its caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// AWS's code of this error, the part a program may match on.
    pub code: Cow<'static, str>,
    /// What is wrong and what would be right, for a person.
    pub message: String,
    /// HTTP status of the answer.
    pub status: StatusCode,
}

impl ApiError {
    /// An error with HTTP status 400, as most are.
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::with_status(StatusCode::BAD_REQUEST, code, message)
    }

    /// An error with a status of its own.
    pub fn with_status(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            status,
        }
    }

    /// The service does not have this action, or localcloud does not.
    pub fn invalid_action(action: &str) -> Self {
        Self::new(
            "InvalidAction",
            format!(
                "The action {action} is not valid for this web service (localcloud does not implement it)."
            ),
        )
    }

    /// A fault of localcloud itself: the disk, a process. The chain of causes is in the message.
    pub fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            message.push_str(": ");
            message.push_str(&cause.to_string());
            source = cause.source();
        }
        tracing::error!(%message, "internal error");
        if crate::state::is_out_of_room(error) {
            // No such thing on AWS, and no use in trying again at once, as clients do after a 500.
            return Self::with_status(StatusCode::INSUFFICIENT_STORAGE, NO_ROOM, message);
        }
        Self::with_status(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalFailure",
            message,
        )
    }

    /// The answer in the given style.
    pub fn render(&self, style: ErrorStyle, request_id: &str) -> Response {
        let kind = if self.status.is_server_error() {
            "Receiver"
        } else {
            "Sender"
        };
        let mut xml = Xml::document();
        match style {
            ErrorStyle::Ec2 => xml.element("Response", |xml| {
                xml.element("Errors", |xml| {
                    xml.element("Error", |xml| {
                        xml.text("Code", &self.code).text("Message", &self.message);
                    });
                })
                .text("RequestID", request_id);
            }),
            ErrorStyle::Query => xml.element("ErrorResponse", |xml| {
                xml.element("Error", |xml| {
                    xml.text("Type", kind)
                        .text("Code", &self.code)
                        .text("Message", &self.message);
                })
                .text("RequestId", request_id);
            }),
            ErrorStyle::S3 => xml.element("Error", |xml| {
                xml.text("Code", &self.code)
                    .text("Message", &self.message)
                    .text("RequestId", request_id);
            }),
        };
        response(self.status, "text/xml;charset=UTF-8", xml.finish())
    }
}

/// A parameter that is missing or cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// A parameter that must be there is not.
    #[error("The request must contain the parameter {0}")]
    Missing(String),
    /// A parameter is there but its value is of no use.
    #[error("Value ({value}) for parameter {name} is invalid. {expected}")]
    Invalid {
        /// Name of the parameter, as the caller wrote it.
        name: String,
        /// What the caller sent.
        value: String,
        /// What would be right.
        expected: String,
    },
}

impl From<ParameterError> for ApiError {
    /// The codes of EC2 and RDS; IAM and STS say `ValidationError` for both.
    fn from(error: ParameterError) -> Self {
        let code = match error {
            ParameterError::Missing(_) => "MissingParameter",
            ParameterError::Invalid { .. } => "InvalidParameterValue",
        };
        Self::new(code, error.to_string())
    }
}
