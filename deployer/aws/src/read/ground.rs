//! What the account offers to build on: the default VPC, its subnets, base images, and the address
//! that this laptop has from there.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{Filter, LocationType};
use bytes::Bytes;
use deployer_core::blueprint::{BaseImage, Blueprint, Database, Source};
use deployer_core::inventory::{Base, Ground, Subnet};
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use crate::account::Account;
use crate::error::{AwsError, During};

/// Reads what a blueprint needs of the account.
///
/// # Errors
/// When a call fails, or the account lacks a default VPC or a base image.
pub async fn ground(account: &Account, blueprint: &Blueprint) -> Result<Ground, AwsError> {
    let vpc = default_vpc(account).await?;
    let bases: BTreeSet<BaseImage> = blueprint
        .images
        .values()
        .map(|i| i.base)
        .chain(blueprint.instances.values().map(|i| i.base))
        .collect();
    let mut ground = Ground {
        subnets: subnets(account, &vpc, blueprint).await?,
        vpc,
        ..Ground::default()
    };
    for base in bases {
        ground.bases.insert(base, newest(account, base).await?);
    }
    let asks = |source: &Source| *source == Source::MyIp;
    if blueprint
        .security_groups
        .values()
        .flat_map(|g| &g.ingress)
        .any(|i| asks(&i.from))
    {
        ground.my_ip = Some(my_address(account).await?);
    }
    Ok(ground)
}

async fn default_vpc(account: &Account) -> Result<String, AwsError> {
    find_default_vpc(account)
        .await?
        .ok_or_else(|| AwsError::NotReached {
            what: format!("the default VPC of {}", account.region),
            why: format!(
                "there is none; make one with: aws ec2 create-default-vpc --region {}",
                account.region
            ),
        })
}

pub(crate) async fn find_default_vpc(account: &Account) -> Result<Option<String>, AwsError> {
    let only_default = Filter::builder().name("is-default").values("true").build();
    let answer = account
        .ec2
        .describe_vpcs()
        .filters(only_default)
        .send()
        .await
        .during("DescribeVpcs")?;
    let vpc = answer.vpcs().first().and_then(|v| v.vpc_id());
    Ok(vpc.map(str::to_owned))
}

/// The default subnets of a VPC, by zone.
pub(crate) async fn default_subnets(account: &Account, vpc: &str) -> Result<Vec<Subnet>, AwsError> {
    let in_vpc = Filter::builder().name("vpc-id").values(vpc).build();
    let defaults = Filter::builder()
        .name("default-for-az")
        .values("true")
        .build();
    let answer = account
        .ec2
        .describe_subnets()
        .filters(in_vpc)
        .filters(defaults)
        .send()
        .await;
    let answer = answer.during("DescribeSubnets")?;
    let mut found: Vec<Subnet> = answer
        .subnets()
        .iter()
        .filter_map(|s| {
            Some(Subnet {
                id: s.subnet_id()?.to_owned(),
                zone: s.availability_zone()?.to_owned(),
            })
        })
        .collect();
    found.sort_by(|a, b| a.zone.cmp(&b.zone));
    Ok(found)
}

/// Those in zones that offer every machine type and database class of the blueprint: some zones never
/// got the small types. The first is where all of it goes, so that nothing is paid for traffic between
/// zones; the others are for when it has no room.
async fn subnets(
    account: &Account,
    vpc: &str,
    blueprint: &Blueprint,
) -> Result<Vec<Subnet>, AwsError> {
    let mut found = default_subnets(account, vpc).await?;
    let machines: BTreeSet<&String> = blueprint
        .instances
        .values()
        .map(|i| &i.machine)
        .chain(blueprint.pools.values().map(|p| &p.machine))
        .collect();
    for machine in machines {
        let zones = zones_offering(account, machine).await?;
        found.retain(|s| zones.contains(&s.zone));
    }
    for database in blueprint.databases.values() {
        let zones = zones_with_class(account, database).await?;
        // Where nothing is said of the class, RDS itself will say it.
        found.retain(|s| zones.is_empty() || zones.contains(&s.zone));
    }
    if found.is_empty() {
        return Err(AwsError::NotReached {
            what: format!("a default subnet of {vpc}"),
            why: format!(
                "none is in a zone that offers {} together; name other types, or another region",
                types_of(blueprint).join(", ")
            ),
        });
    }
    Ok(found)
}

/// The machine types and database classes of a blueprint.
fn types_of(blueprint: &Blueprint) -> Vec<&str> {
    let instances = blueprint.instances.values().map(|i| i.machine.as_str());
    let pools = blueprint.pools.values().map(|p| p.machine.as_str());
    let databases = blueprint.databases.values().map(|d| d.class.as_str());
    let types: BTreeSet<&str> = instances.chain(pools).chain(databases).collect();
    types.into_iter().collect()
}

/// The zones in which a database of that class can be made.
async fn zones_with_class(
    account: &Account,
    database: &Database,
) -> Result<BTreeSet<String>, AwsError> {
    let mut options = account
        .rds
        .describe_orderable_db_instance_options()
        .engine("postgres")
        .db_instance_class(&database.class)
        .vpc(true)
        .into_paginator()
        .items()
        .send();
    let mut zones = BTreeSet::new();
    while let Some(option) = options.next().await {
        let option = option.during("DescribeOrderableDBInstanceOptions")?;
        let named = option.availability_zones().iter().filter_map(|z| z.name());
        zones.extend(named.map(str::to_owned));
    }
    Ok(zones)
}

pub(crate) async fn zones_offering(
    account: &Account,
    machine: &str,
) -> Result<BTreeSet<String>, AwsError> {
    let this_type = Filter::builder()
        .name("instance-type")
        .values(machine)
        .build();
    let answer = account
        .ec2
        .describe_instance_type_offerings()
        .location_type(LocationType::AvailabilityZone)
        .filters(this_type)
        .send()
        .await
        .during("DescribeInstanceTypeOfferings")?;
    Ok(answer
        .instance_type_offerings()
        .iter()
        .filter_map(|o| o.location().map(str::to_owned))
        .collect())
}

/// The newest image of a base system by its publisher.
pub(crate) async fn newest(account: &Account, base: BaseImage) -> Result<Base, AwsError> {
    let (owner, pattern) = match base {
        BaseImage::AmazonLinux2023 => ("137112412989", "al2023-ami-2023.*-x86_64"),
        BaseImage::Debian12 => ("136693071363", "debian-12-amd64-*"),
    };
    let name = Filter::builder().name("name").values(pattern).build();
    let available = Filter::builder().name("state").values("available").build();
    let mut pages = account
        .ec2
        .describe_images()
        .owners(owner)
        .filters(name)
        .filters(available)
        .into_paginator()
        .items()
        .send();
    let mut found = Vec::new();
    while let Some(image) = pages.next().await {
        let image = image.during("DescribeImages")?;
        // The minimal variants of Amazon Linux lack what the scripts need.
        let minimal = image.name().is_some_and(|n| n.contains("minimal"));
        if let (false, Some(id), Some(name), Some(device)) = (
            minimal,
            image.image_id(),
            image.name(),
            image.root_device_name(),
        ) {
            let base = Base {
                id: id.to_owned(),
                name: name.to_owned(),
                root_device: device.to_owned(),
            };
            found.push((image.creation_date().unwrap_or_default().to_owned(), base));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
        .pop()
        .map(|(_, base)| base)
        .ok_or_else(|| AwsError::NotReached {
            what: format!(
                "a base image named {pattern} of {owner} in {}",
                account.region
            ),
            why: "there is none".to_owned(),
        })
}

/// The address that this machine shows to the world.
///
/// # Errors
/// When the service that tells it does not answer, or with something else.
pub async fn my_address(account: &Account) -> Result<std::net::IpAddr, AwsError> {
    let lookup = account.target.address_lookup.as_str();
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| AwsError::Here {
        what: format!("asking {lookup} for this machine's address"),
        source,
    };
    let uri: http::Uri = lookup.parse().map_err(|e| failed(Box::new(e)))?;
    let answer: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let answer = tokio::time::timeout(std::time::Duration::from_secs(10), answer.get(uri))
        .await
        .map_err(|e| failed(Box::new(e)))?
        .map_err(|e| failed(Box::new(e)))?;
    let body = answer
        .into_body()
        .collect()
        .await
        .map_err(|e| failed(Box::new(e)))?
        .to_bytes();
    let text = String::from_utf8_lossy(&body);
    text.trim()
        .parse()
        .map_err(|e: std::net::AddrParseError| failed(Box::new(e)))
}
