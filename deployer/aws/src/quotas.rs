//! Service Quotas: how much an account may have at once.
//! <https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_GetServiceQuota.html>

use serde_json::json;

use crate::account::Account;
use crate::error::AwsError;
use crate::json_api::Service;

const OPERATION: &str = "GetServiceQuota";
const SERVICE: Service = Service {
    name: "servicequotas",
    target: "ServiceQuotasV20190624",
};
/// "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances", in vCPUs.
const RUNNING_VCPUS: (&str, &str) = ("ec2", "L-1216C47A");

/// How many vCPUs the usual instances of a region may have together.
pub(crate) async fn running_vcpus(account: &Account) -> Result<u32, AwsError> {
    let (service, quota) = RUNNING_VCPUS;
    let body = json!({ "ServiceCode": service, "QuotaCode": quota });
    let answer = account.json.call(SERVICE, OPERATION, &body).await?;
    let value = answer["Quota"]["Value"].as_f64();
    let value = value.ok_or(AwsError::Incomplete {
        operation: OPERATION,
        what: "value",
    })?;
    // A quota is a whole number that JSON writes as `32.0`.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    Ok(value.clamp(0.0, f64::from(u32::MAX)) as u32)
}
