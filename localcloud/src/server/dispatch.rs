//! Which service a request is for, and whether its caller is who they say.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, request};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use jiff::Timestamp;
use uuid::Uuid;

use super::own;
use crate::access::table;
use crate::auth::{self, Caller, Principal, Scope};
use crate::cloud::Cloud;
use crate::connections::Request;
use crate::s3;
use crate::wire::{ApiError, ErrorStyle, Params, Response, Xml, response, too_large, unpacked};

/// Largest body of a request to anything but S3; PutMetricData takes 1 MiB.
const LARGEST_BODY: usize = 2 << 20;

/// The services, beside S3, as signatures name them.
const SERVICES: [&str; 7] = [
    "ec2",
    "iam",
    "sts",
    "rds",
    "monitoring",
    "logs",
    "servicequotas",
];

/// Answers one request.
pub(crate) async fn answer(cloud: &Arc<Cloud>, peer: SocketAddr, request: Request) -> Response {
    if own::is_for_us(&request) {
        if own::is_about_what_is_left(&request) {
            cloud.settled().await;
        }
        return own::answer(cloud, peer, &request);
    }
    let scope = auth::scope_of(request.headers());
    if let Some(instance) = scope.as_ref().and_then(|scope| cut_off(cloud, scope)) {
        return no_way_out(cloud, &request, scope.as_ref(), &instance);
    }
    match scope {
        Some(scope) if scope.service != "s3" => {
            by_action(cloud, request, Some(&scope.service)).await
        }
        None if names_an_action(&request) => by_action(cloud, request, None).await,
        // Unsigned, credentials in the query or an older signature: only S3 takes those.
        _ => cloud.s3.call(request).await,
    }
}

/// The instance whose keys sign, if it could not have come here on AWS: it has no public address.
fn cut_off(cloud: &Cloud, scope: &Scope) -> Option<String> {
    let key = cloud.context.credentials.find(&scope.access_key_id)?;
    match key.principal {
        Principal::Role { session, .. } if cloud.ec2.is_cut_off(&session) => Some(session),
        _ => None,
    }
}

/// On AWS such a call would wait for ever. Here it is told why.
fn no_way_out(cloud: &Cloud, request: &Request, scope: Option<&Scope>, instance: &str) -> Response {
    let error = ApiError::with_status(
        StatusCode::FORBIDDEN,
        "NoPublicAddress",
        format!(
            "{instance} has no public address, and nothing else leads out of the default VPC: on AWS this call would never be answered. Launch it with AssociatePublicIpAddress."
        ),
    );
    tracing::warn!(instance, "refused: it has no public address");
    let service = scope.map_or("s3", |scope| scope.service.as_str());
    let request_id = Uuid::new_v4().to_string();
    if service == "s3" {
        return error.render(ErrorStyle::S3, &request_id);
    }
    refuse_as(cloud, service, request.headers(), &error, &request_id)
}

/// Whether the body or a header says what to do, as never in S3.
fn names_an_action(request: &Request) -> bool {
    request.method() == Method::POST
        && (request.uri().path() == "/" || request.headers().contains_key("smithy-protocol"))
}

/// Answers a request to one of the services beside S3: the one that the signature names, if there is
/// one.
async fn by_action(cloud: &Arc<Cloud>, request: Request, named: Option<&str>) -> Response {
    let request_id = Uuid::new_v4().to_string();
    let (parts, body) = request.into_parts();
    let mut service = named.unwrap_or("monitoring");
    let answered = match Limited::new(body, LARGEST_BODY).collect().await {
        Ok(body) => {
            let body = body.to_bytes();
            service = named.unwrap_or_else(|| likely_service(&body));
            call_to_the_end(cloud, service, &parts, body, &request_id).await
        }
        Err(error) if error.is::<LengthLimitError>() => Err(too_large(LARGEST_BODY)),
        Err(error) => Err(ApiError::new("IncompleteBody", error.to_string())),
    };
    let mut response = answered
        .unwrap_or_else(|error| refuse_as(cloud, service, &parts.headers, &error, &request_id));
    if let Ok(value) = request_id.parse() {
        response.headers_mut().insert("x-amzn-requestid", value);
    }
    response
}

/// Carries a call out to its end, also when the caller goes away meanwhile: it has been asked for.
async fn call_to_the_end(
    cloud: &Arc<Cloud>,
    service: &str,
    parts: &request::Parts,
    body: Bytes,
    request_id: &str,
) -> Result<Response, ApiError> {
    let (cloud, parts) = (Arc::clone(cloud), parts.clone());
    let (service, request_id) = (service.to_owned(), request_id.to_owned());
    let tasks = cloud.context.tasks.clone();
    let called =
        tasks.spawn(async move { call(&cloud, &service, &parts, body, &request_id).await });
    called
        .await
        .unwrap_or_else(|error| Err(ApiError::internal(&error)))
}

async fn call(
    cloud: &Cloud,
    service: &str,
    parts: &request::Parts,
    body: Bytes,
    request_id: &str,
) -> Result<Response, ApiError> {
    let caller = identify(cloud, service, parts, &body)?;
    let operation = cloudwatch_operation(parts);
    if caller.service == "monitoring" && !operation.is_empty() {
        admit(cloud, &caller, &operation)?;
        return Ok(cloud
            .cloudwatch
            .call(&caller, &operation, body, &parts.headers)
            .await);
    }
    if !SERVICES.contains(&caller.service.as_str()) {
        return Err(unknown_service(&caller.service));
    }
    if caller.service == "logs" {
        let operation = crate::logs::operation(&parts.headers);
        admit(cloud, &caller, operation)?;
        permit(cloud, &caller, operation, &crate::logs::params(&body))?;
        return cloud.logs.call(&caller, operation, &body);
    }
    if caller.service == "servicequotas" {
        let operation = crate::quotas::operation(&parts.headers);
        permit(cloud, &caller, operation, &Params::default())?;
        return crate::quotas::call(cloud.context.stage.account(), &caller, operation, &body);
    }
    let params = Params::parse(&unpacked(&body, &parts.headers)?)?;
    let action = params.action()?;
    admit(cloud, &caller, action)?;
    permit(cloud, &caller, action, &params)?;
    let (namespace, style, answer) = match caller.service.as_str() {
        "ec2" => (
            "http://ec2.amazonaws.com/doc/2016-11-15/",
            ErrorStyle::Ec2,
            cloud.ec2.call(&caller, &params).await?,
        ),
        "iam" => (
            "https://iam.amazonaws.com/doc/2010-05-08/",
            ErrorStyle::Query,
            cloud.iam.call(&caller, &params)?,
        ),
        "sts" => (
            "https://sts.amazonaws.com/doc/2011-06-15/",
            ErrorStyle::Query,
            crate::sts::call(&caller, &params)?,
        ),
        "rds" => (
            "http://rds.amazonaws.com/doc/2014-10-31/",
            ErrorStyle::Query,
            cloud.rds.call(&caller, &params).await?,
        ),
        "monitoring" => (
            "http://monitoring.amazonaws.com/doc/2010-08-01/",
            ErrorStyle::Query,
            cloud.cloudwatch.query(&caller, &params)?,
        ),
        other => return Err(unknown_service(other)),
    };
    Ok(success(action, namespace, style, &answer, request_id))
}

/// The service that an unsigned request is for, as far as refusing it goes: EC2 by its version, else
/// one whose refusals are as those of all the others.
fn likely_service(body: &[u8]) -> &'static str {
    let of_ec2 = ("Version".into(), "2016-11-15".into());
    if form_urlencoded::parse(body).any(|parameter| parameter == of_ec2) {
        "ec2"
    } else {
        "monitoring"
    }
}

fn unknown_service(name: &str) -> ApiError {
    ApiError::new(
        "UnknownService",
        format!(
            "localcloud has no service {name:?}; it has s3, {}.",
            SERVICES.join(", ")
        ),
    )
}

fn identify(
    cloud: &Cloud,
    service: &str,
    parts: &request::Parts,
    body: &[u8],
) -> Result<Caller, ApiError> {
    let caller = auth::verify(&cloud.context.credentials, parts, body, Timestamp::now())
        .map_err(|failure| failure.into_error(service))?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if caller.region.is_empty() || caller.region.len() > 32 || !caller.region.chars().all(plain) {
        return Err(ApiError::new(
            "InvalidRegion",
            format!("{:?} cannot be the name of a region.", caller.region),
        ));
    }
    Ok(caller)
}

/// Counts a call, and refuses what the rehearsed account does.
fn admit(cloud: &Cloud, caller: &Caller, action: &str) -> Result<(), ApiError> {
    cloud.context.calls.note(caller, action);
    cloud.context.stage.admit(caller, action)
}

/// Refuses what the caller's role may not do, and what nobody can do here: an action without a row in
/// the table of checks.
fn permit(cloud: &Cloud, caller: &Caller, action: &str, params: &Params) -> Result<(), ApiError> {
    let service = caller.service.as_str();
    if service == "monitoring" {
        // CloudWatch has more protocols than this one, and checks behind all of them.
        return Ok(());
    }
    let row = table::row(service, action).ok_or_else(|| ApiError::invalid_action(action))?;
    if caller.principal == Principal::Root {
        return Ok(());
    }
    let checks = row(&table::Call {
        caller,
        action,
        params,
        resources: cloud,
    });
    let permitted = cloud.access.permit(caller, &checks);
    permitted.map_err(|refusal| refusal.error(service))
}

/// The operation in the path of the CBOR protocol, or in the header of the JSON one; empty in Query.
fn cloudwatch_operation(parts: &request::Parts) -> String {
    let target = parts
        .headers
        .get("x-amz-target")
        .and_then(|value| value.to_str().ok());
    parts
        .uri
        .path()
        .strip_prefix("/service/GraniteServiceVersion20100801/operation/")
        .or_else(|| target?.strip_prefix("GraniteServiceVersion20100801."))
        .unwrap_or_default()
        .to_owned()
}

fn success(
    action: &str,
    namespace: &str,
    style: ErrorStyle,
    answer: &str,
    request_id: &str,
) -> Response {
    let mut xml = Xml::document();
    xml.root(&format!("{action}Response"), namespace, |xml| match style {
        ErrorStyle::Ec2 => {
            xml.text("requestId", request_id).raw(answer);
        }
        _ => {
            xml.element(&format!("{action}Result"), |xml| {
                xml.raw(answer);
            })
            .element("ResponseMetadata", |xml| {
                xml.text("RequestId", request_id);
            });
        }
    });
    response(StatusCode::OK, "text/xml;charset=UTF-8", xml.finish())
}

/// A refusal in the form of a service, with an id of its own.
pub(crate) fn refuse(
    cloud: &Cloud,
    service: &str,
    headers: &HeaderMap,
    error: &ApiError,
) -> Response {
    refuse_as(cloud, service, headers, error, &Uuid::new_v4().to_string())
}

fn refuse_as(
    cloud: &Cloud,
    service: &str,
    headers: &HeaderMap,
    error: &ApiError,
    request_id: &str,
) -> Response {
    match service {
        "monitoring" => cloud.cloudwatch.refuse(headers, error, request_id),
        "ec2" => error.render(ErrorStyle::Ec2, request_id),
        "s3" => s3::refusal(error, request_id),
        "logs" | "servicequotas" => crate::json::refuse(error),
        _ => error.render(ErrorStyle::Query, request_id),
    }
}
