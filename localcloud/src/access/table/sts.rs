//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecuritytokenservice.html>

use super::{Row, on_everything};

pub(super) const ROWS: &[(&str, Row)] = &[
    // "No permissions are required to perform this operation."
    ("GetCallerIdentity", |_| Vec::new()),
    ("DecodeAuthorizationMessage", on_everything),
];
