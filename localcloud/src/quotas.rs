//! Service Quotas: how many virtual CPUs the instances of a region may have together.
//! <https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_GetServiceQuota.html>

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use crate::auth::Caller;
use crate::json;
use crate::network::Zone;
use crate::rehearsal::AccountKind;
use crate::wire::{ApiError, Response};

const TARGET: &str = "ServiceQuotasV20190624.";
/// "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances".
const RUNNING: &str = "L-1216C47A";

/// The operation that a request asks for; empty if none of this service.
pub fn operation(headers: &HeaderMap) -> &str {
    json::operation(headers, TARGET)
}

/// Answers a call, as that kind of account if one is rehearsed.
///
/// # Errors
/// What Service Quotas answers in that case.
pub fn call(
    account: Option<AccountKind>,
    caller: &Caller,
    operation: &str,
    body: &Bytes,
) -> Result<Response, ApiError> {
    match operation {
        "GetServiceQuota" => get(account, caller, body),
        other => Err(ApiError::invalid_action(other)),
    }
}

fn get(account: Option<AccountKind>, caller: &Caller, body: &Bytes) -> Result<Response, ApiError> {
    let asked: Value = serde_json::from_slice(body).unwrap_or_default();
    let named = |name: &str| asked[name].as_str().map(str::to_owned);
    let (Some(service), Some(quota)) = (named("ServiceCode"), named("QuotaCode")) else {
        return Err(ApiError::new(
            "IllegalArgumentException",
            "ServiceCode and QuotaCode are required.",
        ));
    };
    if (service.as_str(), quota.as_str()) != ("ec2", RUNNING) {
        return Err(ApiError::new(
            "NoSuchResourceException",
            format!("localcloud has no quota {quota} of {service}; it has ec2's {RUNNING}."),
        ));
    }
    let region = &caller.region;
    let body = json!({ "Quota": {
        "ServiceCode": service,
        "ServiceName": "Amazon Elastic Compute Cloud (Amazon EC2)",
        "QuotaArn": format!("arn:aws:servicequotas:{region}:{}:{service}/{quota}", caller.account),
        "QuotaCode": quota,
        "QuotaName": "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances",
        "Value": f64::from(account.map_or_else(most_vcpus, AccountKind::vcpu_quota)),
        "Unit": "None",
        "Adjustable": false,
        "GlobalQuota": false,
    }});
    Ok(json::answer(StatusCode::OK, &body))
}

/// Where no kind of account is rehearsed there are as many instances as there are addresses, of two
/// virtual CPUs most of them.
fn most_vcpus() -> u32 {
    Zone::ALL.map(Zone::size).into_iter().sum::<u32>() * 2
}
