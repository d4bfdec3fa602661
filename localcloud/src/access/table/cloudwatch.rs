//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatch.html>

use crate::access::decision::Check;
use crate::access::keys::Keys;

/// What a call of CloudWatch checks; nothing can be named, but a namespace can be asked for where
/// metrics are put. `None` if there is no such action.
pub fn metrics(operation: &str, namespace: Option<&str>) -> Option<Vec<Check>> {
    let keys = match operation {
        "PutMetricData" => Keys::default().with_some("cloudwatch:namespace", namespace),
        "GetMetricData" | "GetMetricStatistics" | "ListMetrics" => Keys::default(),
        _ => return None,
    };
    Some(vec![Check {
        action: format!("cloudwatch:{operation}"),
        resource: "*".to_owned(),
        keys,
    }])
}
