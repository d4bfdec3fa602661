//! What bills or blocks and is no part of a blueprint: addresses, key pairs, launch templates, alarms,
//! dashboards and log groups. Found by our tag or, where the kind has no tags to ask for, by our hashed name.

use aws_sdk_cloudwatch::types::AlarmType;
use aws_sdk_ec2::types::Tag;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use deployer_core::inventory::StrayKind;
use deployer_core::names::{Scope, TAG_DEPLOYMENT};

use super::listing::Part;
use super::machines::{ours, tag};
use crate::account::Account;
use crate::error::{AwsError, During};
use crate::log_groups;

/// When AWS made something, RFC 3339.
pub(super) fn instant(time: Option<&DateTime>) -> Option<String> {
    time.and_then(|t| t.fmt(Format::DateTime).ok())
}

/// Whether something carries our tag or our hashed name.
fn is_ours(scope: &Scope, tags: &[Tag], name: Option<&str>) -> bool {
    tag(tags, TAG_DEPLOYMENT) == Some(scope.deployment.as_str())
        || name.is_some_and(|name| name.starts_with(&format!("{}-", scope.prefix())))
}

pub(super) async fn addresses(account: &Account, scope: &Scope) -> Result<Part, AwsError> {
    let answer = account
        .ec2
        .describe_addresses()
        .filters(ours(scope))
        .send()
        .await
        .during("DescribeAddresses")?;
    let mut part = Part::default();
    part.read_at_once("DescribeAddresses", answer.addresses(), |part, address| {
        if let Some(id) = address.allocation_id() {
            part.stray(StrayKind::Address, id).state =
                address.public_ip().unwrap_or_default().to_owned();
        }
    });
    Ok(part)
}

pub(super) async fn key_pairs(account: &Account, scope: &Scope) -> Result<Part, AwsError> {
    let answer = account.ec2.describe_key_pairs().send().await;
    let answer = answer.during("DescribeKeyPairs")?;
    let mut part = Part::default();
    part.read_at_once("DescribeKeyPairs", answer.key_pairs(), |part, pair| {
        let is_ours = is_ours(scope, pair.tags(), pair.key_name());
        if let (true, Some(id)) = (is_ours, pair.key_pair_id()) {
            let stray = part.stray(StrayKind::KeyPair, id);
            stray.state = pair.key_name().unwrap_or_default().to_owned();
            stray.created = instant(pair.create_time());
        }
    });
    Ok(part)
}

pub(super) async fn launch_templates(account: &Account, scope: &Scope) -> Result<Part, AwsError> {
    let pages = account
        .ec2
        .describe_launch_templates()
        .set_max_results(account.page_size)
        .into_paginator()
        .send();
    let mut part = Part::default();
    part.read_pages("DescribeLaunchTemplates", pages, |part, page| {
        for template in page.launch_templates() {
            let is_ours = is_ours(scope, template.tags(), template.launch_template_name());
            if let (true, Some(id)) = (is_ours, template.launch_template_id()) {
                let stray = part.stray(StrayKind::LaunchTemplate, id);
                stray.state = template
                    .launch_template_name()
                    .unwrap_or_default()
                    .to_owned();
                stray.created = instant(template.create_time());
            }
        }
        page.launch_templates().len()
    })
    .await?;
    Ok(part)
}

/// Alarms of every type: unless they are named, only those on one metric are listed.
pub(super) async fn alarms(account: &Account, scope: &Scope) -> Result<Part, AwsError> {
    let pages = account
        .cloudwatch
        .describe_alarms()
        .alarm_name_prefix(format!("{}-", scope.prefix()))
        .alarm_types(AlarmType::MetricAlarm)
        .alarm_types(AlarmType::CompositeAlarm)
        .set_max_records(account.page_size)
        .into_paginator()
        .send();
    let mut part = Part::default();
    part.read_pages("DescribeAlarms", pages, |part, page| {
        let metric = page.metric_alarms().iter().map(|a| a.alarm_name());
        let composite = page.composite_alarms().iter().map(|a| a.alarm_name());
        for name in metric.chain(composite).flatten() {
            part.stray(StrayKind::Alarm, name);
        }
        page.metric_alarms().len() + page.composite_alarms().len()
    })
    .await?;
    Ok(part)
}

pub(super) async fn dashboards(account: &Account, scope: &Scope) -> Result<Part, AwsError> {
    let pages = account
        .cloudwatch
        .list_dashboards()
        .dashboard_name_prefix(format!("{}-", scope.prefix()))
        .into_paginator()
        .send();
    let mut part = Part::default();
    part.read_pages("ListDashboards", pages, |part, page| {
        for name in page
            .dashboard_entries()
            .iter()
            .filter_map(|d| d.dashboard_name())
        {
            part.stray(StrayKind::Dashboard, name);
        }
        page.dashboard_entries().len()
    })
    .await?;
    Ok(part)
}

pub(super) async fn log_groups(account: &Account, scope: &Scope) -> Result<Part, AwsError> {
    let mut part = Part::default();
    for prefix in log_groups::prefixes(scope) {
        let (groups, pages) = log_groups::groups(account, &prefix).await?;
        part.read_all("DescribeLogGroups", pages, &groups, |part, group| {
            let stray = part.stray(StrayKind::LogGroup, &group.name);
            let created = group.created.map(DateTime::from_millis);
            stray.created = instant(created.as_ref());
        });
    }
    Ok(part)
}
