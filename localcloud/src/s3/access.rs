//! Who may call: signatures against localcloud's access keys, the tokens of role sessions, and what
//! the policies of their roles allow.

use std::sync::Arc;

use http::StatusCode;
use jiff::Timestamp;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::dto::CopySource;
use s3s::path::S3Path;
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};
use subtle::ConstantTimeEq;

use crate::access::table::{self, S3Call};
use crate::access::{Access, Check, Refusal};
use crate::auth::{Caller, scope_of};
use crate::context::Context;
use crate::wire::ApiError;

use super::api::CreationTags;

const TOKEN: &str = "x-amz-security-token";

/// Gives the signature check the secret of a key.
pub(crate) struct Secrets(pub(crate) Arc<Context>);

#[async_trait::async_trait]
impl S3Auth for Secrets {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        match self.0.credentials.find(access_key) {
            Some(credential) => Ok(SecretKey::from(credential.secret_access_key)),
            None => Err(unknown_key()),
        }
    }
}

/// Lets signed requests through whose session, if the key is one of a session, is named and not
/// over, and whose role, if they are of one, may do what they ask.
pub(crate) struct Permission {
    pub(crate) context: Arc<Context>,
    pub(crate) access: Arc<Access>,
}

#[async_trait::async_trait]
impl S3Access for Permission {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let caller = self.identify(context)?;
        let operation = context.s3_op().name();
        self.context.calls.note(&caller, operation);
        let admitted = self.context.stage.admit(&caller, operation);
        admitted.map_err(|error| as_s3(&error))?;
        let checks = checks(context)?;
        self.access
            .permit(&caller, &checks)
            .map_err(|refusal| denied(&refusal))?;
        context.extensions_mut().insert(caller);
        Ok(())
    }
}

impl Permission {
    fn identify(&self, context: &S3AccessContext<'_>) -> S3Result<Caller> {
        let Some(signed) = context.credentials() else {
            return Err(s3_error!(AccessDenied, "Access Denied"));
        };
        let credential = self
            .context
            .credentials
            .find(&signed.access_key)
            .ok_or_else(unknown_key)?;
        let token = token(context);
        match (&credential.session_token, token) {
            (None, None) => {}
            (Some(expected), Some(given))
                if bool::from(expected.as_bytes().ct_eq(given.as_bytes())) => {}
            // A temporary key without its token is not a key.
            (Some(_), None) => return Err(unknown_key()),
            _ => {
                let mut error = S3Error::with_message(
                    S3ErrorCode::InvalidToken,
                    "The provided token is malformed or otherwise invalid.",
                );
                error.set_status_code(StatusCode::BAD_REQUEST);
                return Err(error);
            }
        }
        if credential.is_expired(Timestamp::now()) {
            return Err(s3_error!(ExpiredToken, "The provided token has expired."));
        }
        Ok(Caller::new(
            self.context.account(),
            credential.principal,
            scope_of(context.headers()).map_or_else(String::new, |scope| scope.region),
            "s3".to_owned(),
        ))
    }
}

/// What a request checks, as far as address and headers say it.
fn checks(context: &mut S3AccessContext<'_>) -> S3Result<Vec<Check>> {
    let (bucket, key) = match context.s3_path() {
        S3Path::Root => ("", ""),
        S3Path::Bucket { bucket } => (bucket.as_ref(), ""),
        S3Path::Object { bucket, key } => (bucket.as_ref(), key.as_ref()),
    };
    let (bucket, key) = (bucket.to_owned(), key.to_owned());
    let operation = context.s3_op().name().to_owned();
    let header = |name: &str| context.headers().get(name)?.to_str().ok();
    let query = pairs(context.uri().query().unwrap_or_default());
    let object_tags = pairs(header("x-amz-tagging").unwrap_or_default());
    let source = header("x-amz-copy-source").and_then(|text| CopySource::parse(text).ok());
    let bucket_tags = context.extensions_mut().get::<CreationTags>().cloned();
    let call = S3Call {
        operation: &operation,
        bucket: &bucket,
        key: &key,
        query: &query,
        copied: match &source {
            Some(CopySource::Bucket { bucket, key, .. }) => Some((bucket, key)),
            _ => None,
        },
        object_tags: &object_tags,
        bucket_tags: bucket_tags.as_ref().map_or(&[], |CreationTags(tags)| tags),
    };
    table::objects(&call)
        .ok_or_else(|| s3_error!(NotImplemented, "localcloud does not implement {operation}"))
}

fn pairs(query: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect()
}

/// An error of the account's, as S3 says it.
fn as_s3(error: &ApiError) -> S3Error {
    let code = match error.code.as_ref() {
        "SlowDown" => S3ErrorCode::SlowDown,
        "ExpiredToken" => S3ErrorCode::ExpiredToken,
        _ => S3ErrorCode::AccessDenied,
    };
    let mut said = S3Error::with_message(code, error.message.clone());
    said.set_status_code(error.status);
    said
}

/// A refusal as S3 says it.
pub(crate) fn denied(refusal: &Refusal) -> S3Error {
    S3Error::with_message(S3ErrorCode::AccessDenied, refusal.to_string())
}

/// The session token of a request: a header, or in a presigned URL part of the query.
fn token(context: &S3AccessContext<'_>) -> Option<String> {
    if let Some(header) = context.headers().get(TOKEN) {
        return header.to_str().ok().map(str::to_owned);
    }
    let query = context.uri().query()?;
    form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name.eq_ignore_ascii_case(TOKEN))
        .map(|(_, value)| value.into_owned())
}

fn unknown_key() -> S3Error {
    s3_error!(
        InvalidAccessKeyId,
        "The AWS Access Key Id you provided does not exist in our records."
    )
}
