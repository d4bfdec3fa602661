//! AWS Signature Version 4 in the `Authorization` header.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, StatusCode, request};
use jiff::{SignedDuration, Timestamp};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::{Caller, Credentials};
use crate::wire::{ApiError, ParameterError};

/// How far the clocks of caller and localcloud may be apart.
const MOST_CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);
/// What RFC 3986 calls unreserved stays as it is.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The credential scope of a signed request: which key, which day, which region, which service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Whose key.
    pub access_key_id: String,
    /// `YYYYMMDD`.
    pub date: String,
    /// The region it was signed for.
    pub region: String,
    /// The service it was signed for.
    pub service: String,
}

/// Why a request is not who it says it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthFailure {
    /// There is no signature.
    #[error("Request is missing Authentication Token")]
    Missing,
    /// The header cannot be read.
    #[error("The Authorization header is incomplete or malformed: {0}")]
    Malformed(&'static str),
    /// No such access key.
    #[error("The security token included in the request is invalid.")]
    UnknownKey,
    /// The session is over.
    #[error("The security token included in the request is expired")]
    Expired,
    /// The caller's clock is off, or the request was recorded and sent again.
    #[error(
        "Signature expired: {0} is more than 5 minutes from the time of the server. Check the clock."
    )]
    Skewed(String),
    /// The signature is another one.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method."
    )]
    Mismatch,
}

impl AuthFailure {
    /// The error as the service that was called words it.
    pub fn into_error(self, service: &str) -> ApiError {
        let message = self.to_string();
        if service == "ec2" {
            return match self {
                Self::Expired | Self::Skewed(_) => ApiError::new("RequestExpired", message),
                // EC2 asks for what only its first clients sent.
                Self::Missing => ParameterError::Missing("AWSAccessKeyId".to_owned()).into(),
                _ => ApiError::with_status(
                    StatusCode::UNAUTHORIZED,
                    "AuthFailure",
                    format!(
                        "AWS was not able to validate the provided access credentials: {message}"
                    ),
                ),
            };
        }
        let code = match self {
            Self::Missing => "MissingAuthenticationToken",
            Self::Malformed(_) => "IncompleteSignature",
            Self::UnknownKey => "InvalidClientTokenId",
            Self::Expired => "ExpiredToken",
            Self::Skewed(_) | Self::Mismatch => "SignatureDoesNotMatch",
        };
        ApiError::with_status(StatusCode::FORBIDDEN, code, message)
    }
}

/// The parts of an `Authorization` header.
struct Authorization<'a> {
    scope: Scope,
    signed_headers: Vec<&'a str>,
    signature: &'a str,
}

fn parse(value: &str) -> Result<Authorization<'_>, AuthFailure> {
    let rest = value
        .strip_prefix("AWS4-HMAC-SHA256")
        .ok_or(AuthFailure::Malformed(
            "the algorithm is not AWS4-HMAC-SHA256",
        ))?;
    let (mut credential, mut signed_headers, mut signature) = (None, None, None);
    for part in rest.split(',') {
        match part.trim().split_once('=') {
            Some(("Credential", value)) => credential = Some(value),
            Some(("SignedHeaders", value)) => signed_headers = Some(value),
            Some(("Signature", value)) => signature = Some(value),
            _ => {}
        }
    }
    let credential = credential.ok_or(AuthFailure::Malformed("there is no Credential"))?;
    let parts: Vec<&str> = credential.split('/').collect();
    let [access_key_id, date, region, service, "aws4_request"] = parts[..] else {
        return Err(AuthFailure::Malformed(
            "Credential is not key/date/region/service/aws4_request",
        ));
    };
    Ok(Authorization {
        scope: Scope {
            access_key_id: access_key_id.to_owned(),
            date: date.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
        },
        signed_headers: signed_headers
            .ok_or(AuthFailure::Malformed("there is no SignedHeaders"))?
            .split(';')
            .collect(),
        signature: signature.ok_or(AuthFailure::Malformed("there is no Signature"))?,
    })
}

/// The scope that a request claims in its header, before anything is checked.
pub fn scope_of(headers: &HeaderMap) -> Option<Scope> {
    let value = headers.get(http::header::AUTHORIZATION)?.to_str().ok()?;
    Some(parse(value).ok()?.scope)
}

/// Checks a request with its whole body.
///
/// # Errors
/// The header is malformed, the key unknown or expired, the clock off, or the signature wrong.
pub fn verify(
    credentials: &Credentials,
    parts: &request::Parts,
    body: &[u8],
    now: Timestamp,
) -> Result<Caller, AuthFailure> {
    let header = text(&parts.headers, "authorization").ok_or(AuthFailure::Missing)?;
    let authorization = parse(header)?;
    let scope = &authorization.scope;
    let key = credentials
        .find(&scope.access_key_id)
        .ok_or(AuthFailure::UnknownKey)?;
    let token = text(&parts.headers, "x-amz-security-token");
    if !tokens_equal(token, key.session_token.as_deref()) {
        return Err(AuthFailure::UnknownKey);
    }
    if key.is_expired(now) {
        return Err(AuthFailure::Expired);
    }
    let stamp = text(&parts.headers, "x-amz-date")
        .ok_or(AuthFailure::Malformed("there is no X-Amz-Date"))?;
    check_clock(stamp, scope, now)?;
    let expected = sign(
        &key.secret_access_key,
        scope,
        stamp,
        &canonical_request(parts, &authorization.signed_headers, body)?,
    );
    let given = hex::decode(authorization.signature)
        .map_err(|_| AuthFailure::Malformed("Signature is not hexadecimal"))?;
    if !bool::from(expected.ct_eq(&given)) {
        return Err(AuthFailure::Mismatch);
    }
    Ok(Caller::new(
        credentials.account(),
        key.principal,
        authorization.scope.region,
        authorization.scope.service,
    ))
}

fn tokens_equal(given: Option<&str>, expected: Option<&str>) -> bool {
    match (given, expected) {
        (None, None) => true,
        (Some(given), Some(expected)) => given.as_bytes().ct_eq(expected.as_bytes()).into(),
        _ => false,
    }
}

fn check_clock(stamp: &str, scope: &Scope, now: Timestamp) -> Result<(), AuthFailure> {
    let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", stamp)
        .and_then(|time| time.to_zoned(jiff::tz::TimeZone::UTC))
        .map_err(|_| AuthFailure::Malformed("X-Amz-Date is not YYYYMMDDTHHMMSSZ"))?
        .timestamp();
    if !stamp.starts_with(&scope.date) {
        return Err(AuthFailure::Malformed(
            "Credential and X-Amz-Date are of different days",
        ));
    }
    if now.duration_since(time).abs() > MOST_CLOCK_SKEW {
        return Err(AuthFailure::Skewed(stamp.to_owned()));
    }
    Ok(())
}

fn canonical_request(
    parts: &request::Parts,
    signed_headers: &[&str],
    body: &[u8],
) -> Result<String, AuthFailure> {
    if !signed_headers.contains(&"host") {
        return Err(AuthFailure::Malformed("the Host header is not signed"));
    }
    let body_hash = hex::encode(Sha256::digest(body));
    if let Some(claimed) = text(&parts.headers, "x-amz-content-sha256")
        && claimed != body_hash
    {
        return Err(AuthFailure::Mismatch);
    }
    let mut headers = String::new();
    for name in signed_headers {
        let values: Vec<String> = parts
            .headers
            .get_all(*name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .map(|value| value.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        headers.push_str(&format!("{name}:{}\n", values.join(",")));
    }
    Ok(format!(
        "{}\n{}\n{}\n{headers}\n{}\n{body_hash}",
        parts.method,
        canonical_path(parts.uri.path()),
        canonical_query(parts.uri.query().unwrap_or_default()),
        signed_headers.join(";"),
    ))
}

/// The path encoded a second time, as every service but S3 wants it.
fn canonical_path(path: &str) -> String {
    path.split('/')
        .map(|segment| utf8_percent_encode(segment, UNRESERVED).to_string())
        .collect::<Vec<_>>()
        .join("/")
}

fn canonical_query(query: &str) -> String {
    let encode = |text: &str| {
        let bytes: Vec<u8> = percent_decode_str(text).collect();
        percent_encoding::percent_encode(&bytes, UNRESERVED).to_string()
    };
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (encode(name), encode(value)))
        .collect();
    pairs.sort();
    pairs
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect::<Vec<_>>()
        .join("&")
}

fn sign(secret: &str, scope: &Scope, stamp: &str, canonical_request: &str) -> Vec<u8> {
    let Scope {
        date,
        region,
        service,
        ..
    } = scope;
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{stamp}\n{date}/{region}/{service}/aws4_request\n{}",
        hex::encode(Sha256::digest(canonical_request))
    );
    let mut key = format!("AWS4{secret}").into_bytes();
    for part in [date, region, service, "aws4_request"] {
        key = hmac(&key, part);
    }
    hmac(&key, &to_sign)
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    // HMAC takes a key of any length: the error cannot happen, and an empty code matches nothing.
    Hmac::<Sha256>::new_from_slice(key).map_or_else(
        |_| Vec::new(),
        |mut mac| {
            mac.update(text.as_bytes());
            mac.finalize().into_bytes().to_vec()
        },
    )
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The example of AWS's own test suite, "get-vanilla-query-order-key-case".
    #[test]
    fn signs_as_the_suite_of_aws_does() {
        let scope = Scope {
            access_key_id: "AKIDEXAMPLE".into(),
            date: "20150830".into(),
            region: "us-east-1".into(),
            service: "service".into(),
        };
        let parts = http::Request::builder()
            .uri("/?Param2=value2&Param1=value1")
            .header("host", "example.amazonaws.com")
            .header("x-amz-date", "20150830T123600Z")
            .body(())
            .unwrap()
            .into_parts()
            .0;
        let canonical = canonical_request(&parts, &["host", "x-amz-date"], b"").unwrap();
        let signature = sign(
            "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            &scope,
            "20150830T123600Z",
            &canonical,
        );
        assert_eq!(
            hex::encode(signature),
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"
        );
    }

    #[test]
    fn a_body_other_than_the_signed_one_is_refused() {
        let parts = http::Request::builder()
            .header("host", "h")
            .header("x-amz-content-sha256", hex::encode(Sha256::digest("a")))
            .body(())
            .unwrap()
            .into_parts()
            .0;
        assert!(canonical_request(&parts, &["host"], b"a").is_ok());
        assert_eq!(
            canonical_request(&parts, &["host"], b"b"),
            Err(AuthFailure::Mismatch)
        );
    }

    #[test]
    fn malformed_headers_are_refused() {
        for header in [
            "",
            "AWS4-HMAC-SHA256",
            "AWS4-HMAC-SHA256 Credential=a/b/c, SignedHeaders=host, Signature=00",
            "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request, Signature=00",
            "Basic x",
        ] {
            assert!(
                matches!(parse(header), Err(AuthFailure::Malformed(_))),
                "{header}"
            );
        }
    }
}
