//! CloudWatch Logs, as far as what is left of it goes: groups are made, listed and deleted. Nothing
//! writes into one here.
//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/Welcome.html>

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::StartError;
use crate::auth::Caller;
use crate::context::Context;
use crate::json;
use crate::state::Document;
use crate::wire::{ApiError, Params, Response};

const TARGET: &str = "Logs_20140328.";
/// The most groups of a page, and as many as there are where no limit is given.
const PAGE: usize = 50;
const LONGEST_NAME: usize = 512;

/// The log groups of an account.
#[derive(Debug)]
pub struct Logs {
    groups: Document<Groups>,
}

/// By region and name: when each was made.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Groups(BTreeMap<String, BTreeMap<String, Timestamp>>);

/// What a call names.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Asked {
    log_group_name: Option<String>,
    log_group_name_prefix: Option<String>,
    limit: Option<i64>,
    next_token: Option<String>,
}

/// The operation that a request asks for; empty if none of this service.
pub fn operation(headers: &HeaderMap) -> &str {
    json::operation(headers, TARGET)
}

/// What of a call decides whether it is allowed: the group that it names.
pub fn params(body: &Bytes) -> Params {
    let asked: Asked = serde_json::from_slice(body).unwrap_or_default();
    let mut form = form_urlencoded::Serializer::new(String::new());
    if let Some(name) = asked.log_group_name {
        form.append_pair("logGroupName", &name);
    }
    Params::parse(form.finish().as_bytes()).unwrap_or_default()
}

impl Logs {
    /// Opens the service on the groups that are on disk.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn open(context: &Arc<Context>) -> Result<Self, StartError> {
        let groups = context.state.document("log-groups")?;
        Ok(Self { groups })
    }

    /// Answers a call.
    ///
    /// # Errors
    /// What CloudWatch Logs answers in that case.
    pub fn call(
        &self,
        caller: &Caller,
        operation: &str,
        body: &Bytes,
    ) -> Result<Response, ApiError> {
        let asked: Asked = serde_json::from_slice(body).map_err(|error| {
            ApiError::new(
                "SerializationException",
                format!("The body is wrong: {error}"),
            )
        })?;
        let answer = match operation {
            "CreateLogGroup" => self.create(caller, asked),
            "DeleteLogGroup" => self.delete(caller, asked),
            "DescribeLogGroups" => self.describe(caller, asked),
            other => Err(ApiError::invalid_action(other)),
        }?;
        Ok(json::answer(StatusCode::OK, &answer))
    }

    /// What is left, one line each.
    pub fn remaining(&self) -> Vec<String> {
        self.groups.read(|Groups(all)| {
            let names = all
                .iter()
                .flat_map(|(region, groups)| groups.keys().map(move |name| (region, name)));
            names
                .map(|(region, name)| format!("{region}: log group {name}"))
                .collect()
        })
    }

    fn create(&self, caller: &Caller, asked: Asked) -> Result<Value, ApiError> {
        let name = named(asked)?;
        self.groups.change(|Groups(all)| {
            let here = all.entry(caller.region.clone()).or_default();
            if here.contains_key(&name) {
                return Err(ApiError::new(
                    "ResourceAlreadyExistsException",
                    "The specified log group already exists",
                ));
            }
            here.insert(name, Timestamp::now());
            Ok(json!({}))
        })
    }

    fn delete(&self, caller: &Caller, asked: Asked) -> Result<Value, ApiError> {
        let name = named(asked)?;
        self.groups.change(|Groups(all)| {
            let here = all.entry(caller.region.clone()).or_default();
            here.remove(&name).ok_or_else(|| {
                ApiError::new(
                    "ResourceNotFoundException",
                    "The specified log group does not exist.",
                )
            })?;
            Ok(json!({}))
        })
    }

    fn describe(&self, caller: &Caller, asked: Asked) -> Result<Value, ApiError> {
        let limit = match asked.limit {
            None => PAGE,
            Some(limit) => usize::try_from(limit)
                .ok()
                .filter(|limit| (1..=PAGE).contains(limit))
                .ok_or_else(|| invalid("limit has to be from 1 to 50"))?,
        };
        let prefix = asked.log_group_name_prefix.unwrap_or_default();
        let after = asked.next_token.unwrap_or_default();
        let (account, region) = (&caller.account, &caller.region);
        self.groups.read(|Groups(all)| {
            let mut rest =
                all.get(region).into_iter().flatten().filter(|(name, _)| {
                    name.starts_with(&prefix) && name.as_str() > after.as_str()
                });
            let here: Vec<_> = rest.by_ref().take(limit).collect();
            let groups = here.iter().map(|(name, made)| {
                json!({
                    "logGroupName": name,
                    "arn": format!("arn:aws:logs:{region}:{account}:log-group:{name}:*"),
                    "creationTime": made.as_millisecond(),
                    "metricFilterCount": 0,
                    "storedBytes": 0,
                })
            });
            let mut page = json!({ "logGroups": groups.collect::<Vec<_>>() });
            if let (Some((last, _)), Some(_)) = (here.last(), rest.next()) {
                page["nextToken"] = json!(last);
            }
            Ok(page)
        })
    }
}

/// The group that has to be named: letters, digits and `_-/.#`.
/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html>
fn named(asked: Asked) -> Result<String, ApiError> {
    let name = asked.log_group_name.unwrap_or_default();
    let is_right = |c: char| c.is_ascii_alphanumeric() || "_-/.#".contains(c);
    if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(is_right) {
        return Err(invalid(
            "logGroupName has to be 1 to 512 letters, digits, _, -, /, . and #",
        ));
    }
    Ok(name)
}

fn invalid(why: &str) -> ApiError {
    ApiError::new("InvalidParameterException", why)
}
