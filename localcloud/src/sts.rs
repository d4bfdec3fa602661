//! STS: who am I, and why I was refused.

use crate::access::decode_message;
use crate::auth::Caller;
use crate::wire::{ApiError, Params, Xml};

/// Answers a call to STS.
///
/// # Errors
/// What STS answers in that case.
pub fn call(caller: &Caller, params: &Params) -> Result<String, ApiError> {
    match params.action()? {
        "GetCallerIdentity" => {
            let mut xml = Xml::fragment();
            xml.text("Arn", &caller.arn)
                .text("UserId", &caller.user_id)
                .text("Account", &caller.account);
            Ok(xml.finish())
        }
        "DecodeAuthorizationMessage" => {
            let message = decode_message(params.required("EncodedMessage")?)?;
            let mut xml = Xml::fragment();
            xml.text("DecodedMessage", message);
            Ok(xml.finish())
        }
        other => Err(ApiError::invalid_action(other)),
    }
}
