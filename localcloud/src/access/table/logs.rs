//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatchlogs.html>

use super::{Call, Row};
use crate::access::decision::Check;
use crate::access::keys::Keys;

pub(super) const ROWS: &[(&str, Row)] = &[
    ("CreateLogGroup", on_group),
    ("DeleteLogGroup", on_group),
    ("DescribeLogGroups", on_group),
];

/// The group named, or all of them. AWS's refusals show the streams behind it, of which none is named.
fn on_group(call: &Call<'_>) -> Vec<Check> {
    let (region, account) = (&call.caller.region, &call.caller.account);
    let name = call.params.get("logGroupName").unwrap_or_default();
    let group = format!("arn:aws:logs:{region}:{account}:log-group:{name}:log-stream:");
    vec![call.on(group, Keys::default())]
}
