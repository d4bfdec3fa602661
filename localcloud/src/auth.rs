//! Who is calling: credentials, and the check of AWS Signature Version 4.

mod credentials;
mod signature;

pub use credentials::{Credential, Credentials, Principal, RootKey, upper_base32};
pub use signature::{AuthFailure, Scope, scope_of, verify};

/// A caller whose signature has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The account's twelve digits.
    pub account: String,
    /// ARN of the principal: the account's root, or a role's session.
    pub arn: String,
    /// `UserId` as STS tells it.
    pub user_id: String,
    /// Region the request was signed for.
    pub region: String,
    /// Service the request was signed for: `ec2`, `iam`, `sts`, `rds`, `monitoring`.
    pub service: String,
    /// Who that is.
    pub principal: Principal,
}

impl Caller {
    /// The holder of a key, in a request signed for a region and a service.
    pub fn new(account: &str, principal: Principal, region: String, service: String) -> Self {
        Self {
            account: account.to_owned(),
            arn: principal.arn(account),
            user_id: principal.user_id(account),
            region,
            service,
            principal,
        }
    }
}
