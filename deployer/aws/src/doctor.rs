//! Reads what `deployer_core::doctor` holds an account against. What cannot be read is told as such:
//! the rest is read all the same. Nothing is made.

mod probes;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as _;
use std::time::SystemTime;

use aws_sdk_ec2::types::{Filter, InstanceType, VCpuInfo};
use deployer_core::doctor::{
    AccountFacts, Credentials, Databases, Leftovers, Needs, Reading, Running, Unread,
};
use deployer_core::names::Scope;

use crate::account::{Account, Lasting};
use crate::clock::Clock;
use crate::error::{AwsError, During, Meaning};
use crate::{quotas, read};

/// Looks at an account for a deployment of that scope. The clock is the one that the account was
/// connected by.
pub async fn look(account: &Account, scope: &Scope, needs: &Needs, clock: &Clock) -> AccountFacts {
    let (vpc, offered, vcpus, free_types, classes, databases) = tokio::join!(
        read::find_default_vpc(account),
        offered(account, needs),
        vcpus(account, needs),
        free_types(account),
        classes(account, needs),
        databases(account),
    );
    let (running, vcpu_quota, profiles, deployments, credentials) = tokio::join!(
        running(account),
        quotas::running_vcpus(account),
        profiles(account, needs),
        deployments(account),
        account.credentials_last(),
    );
    let subnets = match &vpc {
        Ok(Some(vpc)) => read::default_subnets(account, vpc).await,
        _ => Ok(Vec::new()),
    };
    let probes = match (&vpc, &subnets) {
        (Ok(Some(vpc)), Ok(subnets)) => {
            probes::all(account, scope, needs, vpc, subnets.first()).await
        }
        _ => Vec::new(),
    };
    AccountFacts {
        account: account.id.clone(),
        caller: account.caller.clone(),
        credentials: reading(credentials.map(seconds_left)),
        clock_ahead: clock.ahead(),
        vpc: reading(vpc),
        subnet_zones: reading(subnets.map(|all| all.into_iter().map(|s| s.zone).collect())),
        offered: reading(offered),
        vcpus: reading(vcpus),
        free_types: reading(free_types),
        classes: reading(classes),
        databases: reading(databases),
        running: reading(running),
        vcpu_quota: reading(vcpu_quota),
        profiles: reading(profiles),
        probes,
        deployments: reading(deployments),
    }
}

fn reading<T>(read: Result<T, AwsError>) -> Reading<T> {
    read.map_err(|error| Unread {
        why: why(&error),
        denied: error.meaning() == Meaning::NotAllowed,
    })
}

/// An error, with what kept an answer from coming where there was none.
fn why(error: &AwsError) -> String {
    match (error, error.source()) {
        (AwsError::Unanswered { .. }, Some(source)) => format!("{error}: {source}"),
        _ => error.to_string(),
    }
}

fn seconds_left(lasting: Lasting) -> Credentials {
    match lasting {
        Lasting::ForEver => Credentials::ForEver,
        Lasting::ASession => Credentials::ASession,
        Lasting::Until(end) => {
            let left = end.duration_since(SystemTime::now()).unwrap_or_default();
            Credentials::Seconds(left.as_secs())
        }
    }
}

/// The zones that offer each type.
async fn offered(
    account: &Account,
    needs: &Needs,
) -> Result<BTreeMap<String, BTreeSet<String>>, AwsError> {
    let mut offered = BTreeMap::new();
    for machine in needs.types() {
        let zones = read::zones_offering(account, machine).await?;
        offered.insert(machine.to_owned(), zones);
    }
    Ok(offered)
}

async fn vcpus(account: &Account, needs: &Needs) -> Result<BTreeMap<String, u32>, AwsError> {
    let types = needs.types().into_iter().map(InstanceType::from).collect();
    vcpus_of(account, types).await
}

async fn vcpus_of(
    account: &Account,
    types: Vec<InstanceType>,
) -> Result<BTreeMap<String, u32>, AwsError> {
    // No types would mean every type.
    if types.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut pages = account
        .ec2
        .describe_instance_types()
        .set_instance_types(Some(types))
        .into_paginator()
        .items()
        .send();
    let mut found = BTreeMap::new();
    while let Some(info) = pages.next().await {
        let info = info.during("DescribeInstanceTypes")?;
        let vcpus = info.v_cpu_info().and_then(VCpuInfo::default_v_cpus);
        if let (Some(name), Some(vcpus)) = (info.instance_type(), vcpus) {
            let vcpus = u32::try_from(vcpus).unwrap_or_default();
            found.insert(name.as_str().to_owned(), vcpus);
        }
    }
    Ok(found)
}

async fn free_types(account: &Account) -> Result<BTreeSet<String>, AwsError> {
    let free = filter("free-tier-eligible", "true");
    let mut pages = account
        .ec2
        .describe_instance_types()
        .filters(free)
        .into_paginator()
        .items()
        .send();
    let mut found = BTreeSet::new();
    while let Some(info) = pages.next().await {
        let info = info.during("DescribeInstanceTypes")?;
        found.extend(info.instance_type().map(|name| name.as_str().to_owned()));
    }
    Ok(found)
}

/// The classes that can be ordered as we order them.
async fn classes(account: &Account, needs: &Needs) -> Result<BTreeSet<String>, AwsError> {
    let mut found = BTreeSet::new();
    for class in needs.classes.keys() {
        let mut pages = account
            .rds
            .describe_orderable_db_instance_options()
            .engine("postgres")
            .db_instance_class(class)
            .vpc(true)
            .into_paginator()
            .items()
            .send();
        while let Some(option) = pages.next().await {
            let option = option.during("DescribeOrderableDBInstanceOptions")?;
            if option.storage_type() == Some("gp2") {
                found.insert(class.clone());
            }
        }
    }
    Ok(found)
}

async fn databases(account: &Account) -> Result<Databases, AwsError> {
    let answer = account.rds.describe_account_attributes().send().await;
    let answer = answer.during("DescribeAccountAttributes")?;
    let quota = answer
        .account_quotas()
        .iter()
        .find(|quota| quota.account_quota_name() == Some("DBInstances"))
        .ok_or(AwsError::Incomplete {
            operation: "DescribeAccountAttributes",
            what: "quota DBInstances",
        })?;
    let count = |count: Option<i64>| u32::try_from(count.unwrap_or_default()).unwrap_or(u32::MAX);
    Ok(Databases {
        used: count(quota.used()),
        most: count(quota.max()),
    })
}

/// All instances of the account in the region, whoever made them.
async fn running(account: &Account) -> Result<Running, AwsError> {
    let alive = Filter::builder()
        .name("instance-state-name")
        .values("pending")
        .values("running")
        .build();
    let mut pages = account
        .ec2
        .describe_instances()
        .filters(alive)
        .into_paginator()
        .items()
        .send();
    let mut by_type: BTreeMap<String, u32> = BTreeMap::new();
    while let Some(reservation) = pages.next().await {
        for instance in reservation.during("DescribeInstances")?.instances() {
            let machine = instance.instance_type().map_or("", InstanceType::as_str);
            *by_type.entry(machine.to_owned()).or_default() += 1;
        }
    }
    let types = by_type.keys().map(|name| InstanceType::from(name.as_str()));
    let vcpus = vcpus_of(account, types.collect()).await?;
    let of = |machine: &str| vcpus.get(machine).copied().unwrap_or(2);
    Ok(Running {
        instances: by_type.values().sum(),
        vcpus: by_type.iter().map(|(m, count)| of(m) * count).sum(),
    })
}

/// Of the instance profiles asked for, those that are there.
async fn profiles(account: &Account, needs: &Needs) -> Result<BTreeSet<String>, AwsError> {
    let mut found = BTreeSet::new();
    for name in &needs.profiles {
        let request = account.iam.get_instance_profile();
        let answer = request.instance_profile_name(name).send().await;
        match answer.during("GetInstanceProfile") {
            Ok(_) => drop(found.insert(name.clone())),
            Err(error) if error.meaning() == Meaning::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// All that there is of every deployment. One that cannot be read in full may be more than it says.
async fn deployments(account: &Account) -> Result<BTreeMap<String, Leftovers>, AwsError> {
    let mut found = BTreeMap::new();
    for deployment in read::deployments::deployments(account).await? {
        let scope = account.scope(deployment.name);
        let scan = read::scan(account, &scope, &read::Remembered::new()).await;
        // Tags of what is gone are listed for a while.
        if !scan.inventory.is_empty() {
            found.insert(scope.deployment.to_string(), scan.inventory.listed());
        } else if let Some(unread) = scan.unread.into_iter().next() {
            return Err(unread.error);
        }
    }
    Ok(found)
}

fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}
