//! Who may call: signatures against localcloud's access keys, and the tokens of role sessions.

use std::sync::Arc;

use http::StatusCode;
use jiff::Timestamp;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};
use subtle::ConstantTimeEq;

use crate::context::Context;

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

/// Lets signed requests through whose session, if the key is one of a session, is named and not over.
pub(crate) struct Sessions(pub(crate) Arc<Context>);

#[async_trait::async_trait]
impl S3Access for Sessions {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let Some(signed) = context.credentials() else {
            return Err(s3_error!(AccessDenied, "Access Denied"));
        };
        let credential = self
            .0
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
        Ok(())
    }
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
