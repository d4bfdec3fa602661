//! The policies of roles: Handlebars templates over JSON, filled in with the deployment's names.
//!
//! At the end of its list of statements a template may say `{{> reaping}}`: the statements by which
//! an instance takes the deployment away, each of which holds only after it has expired. Where a
//! deployment does not expire there are none.

use std::collections::BTreeMap;

use handlebars::{Handlebars, RenderErrorReason};
use serde::Serialize;

use crate::expiry::Expiry;

/// What IAM keeps of all inline policies of a role, in characters without white space.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
pub const LARGEST: usize = 10_240;

/// What `{{> reaping}}` stands for; it begins with the comma that the statement before it needs.
const REAPING: &str = include_str!("../../../ami/policies/reaping.json.hbs");

/// What a template may name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PolicyContext {
    /// `{{account}}`: the twelve digits of the account.
    pub account: String,
    /// `{{region}}`: the region, for example `us-east-1`.
    pub region: String,
    /// `{{deployment}}`: the deployment, the value of the tag `bivouac:deployment`.
    pub deployment: String,
    /// `{{prefix}}`: what the names of the deployment's databases and buckets begin with, without the
    /// hyphen that follows.
    pub prefix: String,
    /// `{{namespace}}`: the CloudWatch namespace of the deployment's metrics.
    pub namespace: String,
    /// `{{bucket}}`: the name of the bucket with settings, secrets and photos.
    pub bucket: String,
    /// `{{buckets.photos}}`: the names of all buckets, by their names in the blueprint.
    pub buckets: BTreeMap<String, String>,
    /// `{{roles.node}}`: the ARNs of the roles that the blueprint makes, by their names there.
    pub roles: BTreeMap<String, String>,
    /// `{{expires-at}}`: the instant at which the deployment ends, as `aws:CurrentTime` is written;
    /// `{{#if expires-at}}` leaves out what a deployment without an end has no use for.
    pub expires_at: Option<String>,
}

/// Why a template is not a policy.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The template is broken.
    #[error("line {}: it is not a Handlebars template: {}", .0.pos().map_or(1, |at| at.0), .0.reason())]
    Template(#[source] Box<handlebars::TemplateError>),
    /// It names something that is not there.
    #[error("line {line}: there is no `{name}`; {there}")]
    Unknown {
        /// The line of the template, counted from 1.
        line: usize,
        /// The name as it stands there.
        name: String,
        /// What could stand there.
        there: String,
    },
    /// It cannot be filled in for another reason.
    #[error("it cannot be filled in: {0}")]
    Render(#[source] Box<handlebars::RenderError>),
    /// What comes out is not JSON.
    #[error("filled in, it is not JSON: {0}")]
    Json(#[source] serde_json::Error),
    /// It is JSON, but not a policy.
    #[error("filled in, it is not a policy: it has no list `Statement`")]
    NotAPolicy,
    /// It is more than IAM takes.
    #[error("filled in, it has {0} characters; IAM takes {LARGEST}")]
    TooLong(usize),
}

/// The `aws` of an ARN in that region, `{{partition}}` in templates.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>
#[must_use]
pub fn partition(region: &str) -> &'static str {
    match region.get(..3) {
        Some("cn-") => "aws-cn",
        _ if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

/// Fills in a template: the policy as JSON without white space.
///
/// # Errors
/// When the template is broken, names something that `context` has not, or is no policy.
pub fn render(template: &str, context: &PolicyContext) -> Result<String, PolicyError> {
    #[derive(Serialize)]
    struct Values<'a> {
        partition: &'static str,
        #[serde(flatten)]
        context: &'a PolicyContext,
    }
    let mut templates = strict();
    for (name, text) in [("reaping", REAPING), ("policy", template)] {
        templates
            .register_template_string(name, text)
            .map_err(|error| PolicyError::Template(Box::new(error)))?;
    }
    let values = Values {
        partition: partition(&context.region),
        context,
    };
    let text = templates
        .render("policy", &values)
        .map_err(|error| refused(error, context))?;
    let policy: serde_json::Value = serde_json::from_str(&text).map_err(PolicyError::Json)?;
    if !policy
        .get("Statement")
        .is_some_and(serde_json::Value::is_array)
    {
        return Err(PolicyError::NotAPolicy);
    }
    let text = policy.to_string();
    let length = text.chars().count();
    if length > LARGEST {
        Err(PolicyError::TooLong(length))
    } else {
        Ok(text)
    }
}

/// Tries a template out before anything exists: with the names that the blueprint has, and values
/// as long as they get.
///
/// # Errors
/// As [`render`].
pub fn check<'a>(
    template: &str,
    roles: impl Iterator<Item = &'a str>,
    buckets: impl Iterator<Item = &'a str>,
) -> Result<(), PolicyError> {
    let deployment = "d".repeat(24);
    let prefix = format!("bivouac-{deployment}-00000000");
    let arn = |role: &str| {
        format!(
            "arn:aws:iam::123456789012:role/bivouac/{deployment}/us-east-1/{prefix}-{role}-0000"
        )
    };
    let mut context = PolicyContext {
        expires_at: Some("2026-11-26T13:00:00Z".into()),
        account: "123456789012".into(),
        region: "us-east-1".into(),
        namespace: format!("Bivouac/{deployment}-00000000"),
        bucket: format!("{prefix}-{}-0000", "b".repeat(16)),
        buckets: buckets
            .map(|name| (name.to_owned(), format!("{prefix}-{name}-0000")))
            .collect(),
        roles: roles.map(|name| (name.to_owned(), arn(name))).collect(),
        prefix,
        deployment,
    };
    render(template, &context)?;
    context.expires_at = None;
    render(template, &context).map(drop)
}

/// A policy that was filled in earlier, with another end: every `aws:CurrentTime` that a condition
/// compares with becomes that instant. `None` when nothing of it is another.
#[must_use]
pub fn with_expiry(policy: &str, expires_at: Expiry) -> Option<String> {
    let old: serde_json::Value = serde_json::from_str(policy).ok()?;
    let mut new = old.clone();
    for statement in new.get_mut("Statement")?.as_array_mut()? {
        let conditions = statement
            .get_mut("Condition")
            .and_then(|c| c.as_object_mut());
        for operator in conditions.into_iter().flat_map(|c| c.values_mut()) {
            if let Some(instant) = operator.get_mut("aws:CurrentTime") {
                *instant = expires_at.to_string().into();
            }
        }
    }
    (new != old).then(|| new.to_string())
}

fn refused(error: handlebars::RenderError, context: &PolicyContext) -> PolicyError {
    let RenderErrorReason::MissingVariable(Some(name)) = error.reason() else {
        return PolicyError::Render(Box::new(error));
    };
    let names = |section: &BTreeMap<String, String>| -> String {
        section
            .keys()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(", ")
    };
    let there = match name.split('.').next() {
        Some("roles") => {
            format!(
                "the roles that the blueprint makes are: {}",
                names(&context.roles)
            )
        }
        Some("buckets") => format!("the buckets are: {}", names(&context.buckets)),
        _ => "known are account, region, partition, deployment, prefix, namespace, expires-at, \
              bucket, buckets.NAME and roles.NAME"
            .to_owned(),
    };
    PolicyError::Unknown {
        line: error.line_no.unwrap_or(1),
        name: name.clone(),
        there,
    }
}

/// Handlebars that refuses unknown names, and writes values so that they stay inside their JSON
/// string.
fn strict() -> Handlebars<'static> {
    let mut templates = Handlebars::new();
    templates.set_strict_mode(true);
    templates.register_escape_fn(|value| {
        let quoted = serde_json::Value::from(value).to_string();
        quoted
            .get(1..quoted.len() - 1)
            .unwrap_or_default()
            .to_owned()
    });
    templates
}
