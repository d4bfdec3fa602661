//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatch.html>

use crate::access::decision::Check;
use crate::access::keys::Keys;
use crate::auth::Caller;

/// What a call of CloudWatch checks: the alarms and dashboards that are made or deleted, of `named`,
/// and for metrics, which have no ARN, the namespace they are put into. Alarms of all types are only
/// listed by who may list all. `None` if there is no such action.
pub fn metrics(
    caller: &Caller,
    operation: &str,
    namespace: Option<&str>,
    named: &[String],
) -> Option<Vec<Check>> {
    let (region, account) = (&caller.region, &caller.account);
    let check = |resource: String, keys: Keys| Check {
        action: format!("cloudwatch:{operation}"),
        resource,
        keys,
    };
    let each = |kind: String| match named {
        [] => vec![check(format!("{kind}*"), Keys::default())],
        named => {
            let arns = named.iter().map(|name| format!("{kind}{name}"));
            arns.map(|arn| check(arn, Keys::default())).collect()
        }
    };
    Some(match operation {
        "PutMetricAlarm" | "DeleteAlarms" => {
            each(format!("arn:aws:cloudwatch:{region}:{account}:alarm:"))
        }
        "PutDashboard" | "DeleteDashboards" => {
            each(format!("arn:aws:cloudwatch::{account}:dashboard/"))
        }
        "PutMetricData" => {
            let keys = Keys::default().with_some("cloudwatch:namespace", namespace);
            vec![check("*".to_owned(), keys)]
        }
        "GetMetricData"
        | "GetMetricStatistics"
        | "ListMetrics"
        | "DescribeAlarms"
        | "ListDashboards" => vec![check("*".to_owned(), Keys::default())],
        _ => return None,
    })
}
