//! STS: who am I.

use crate::auth::Caller;
use crate::wire::{ApiError, Params, Xml};

/// Answers a call to STS.
///
/// # Errors
/// An action other than GetCallerIdentity.
pub fn call(caller: &Caller, params: &Params) -> Result<String, ApiError> {
    match params.action()? {
        "GetCallerIdentity" => {
            let mut xml = Xml::fragment();
            xml.text("Arn", &caller.arn)
                .text("UserId", &caller.user_id)
                .text("Account", &caller.account);
            Ok(xml.finish())
        }
        other => Err(ApiError::invalid_action(other)),
    }
}
