//! Log groups of CloudWatch. No blueprint makes one; RDS does, of a database whose logs somebody has
//! it export, and leaves it when the database goes.
//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/Welcome.html>

use deployer_core::names::Scope;
use serde_json::{Value, json};

use crate::account::Account;
use crate::error::{AwsError, gone_is_fine};
use crate::json_api::Service;

const SERVICE: Service = Service {
    name: "logs",
    target: "Logs_20140328",
};
/// The most groups that a page has.
const LARGEST_PAGE: i32 = 50;

/// A log group, and when it was made, in milliseconds of Unix time.
pub(crate) struct LogGroup {
    pub(crate) name: String,
    pub(crate) created: Option<i64>,
}

/// How the names of a deployment's groups begin: as its own do, or as RDS's of its databases.
pub(crate) fn prefixes(scope: &Scope) -> [String; 2] {
    let prefix = scope.prefix();
    [format!("{prefix}-"), format!("/aws/rds/instance/{prefix}-")]
}

/// The groups whose names begin like that, and how many pages they took.
pub(crate) async fn groups(
    account: &Account,
    prefix: &str,
) -> Result<(Vec<LogGroup>, u32), AwsError> {
    let limit = account.page_size.unwrap_or(LARGEST_PAGE).min(LARGEST_PAGE);
    let mut body = json!({ "logGroupNamePrefix": prefix, "limit": limit });
    let (mut groups, mut pages) = (Vec::new(), 0);
    loop {
        let call = account.json.call(SERVICE, "DescribeLogGroups", &body);
        let page = call.await?;
        pages += 1;
        let here = page["logGroups"].as_array().ok_or(AwsError::Incomplete {
            operation: "DescribeLogGroups",
            what: "list of groups",
        })?;
        groups.extend(here.iter().filter_map(log_group));
        match page["nextToken"].as_str() {
            Some(next) => body["nextToken"] = json!(next),
            None => return Ok((groups, pages)),
        }
    }
}

fn log_group(told: &Value) -> Option<LogGroup> {
    Some(LogGroup {
        name: told["logGroupName"].as_str()?.to_owned(),
        created: told["creationTime"].as_i64(),
    })
}

/// Deletes a group with all that is in it.
pub(crate) async fn delete(account: &Account, name: &str) -> Result<(), AwsError> {
    let body = json!({ "logGroupName": name });
    let call = account.json.call(SERVICE, "DeleteLogGroup", &body);
    gone_is_fine(call.await)
}
