//! The pool's instances on EC2.

use std::collections::BTreeMap;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder;
use aws_sdk_ec2::types::{
    CreditSpecificationRequest, Filter, HttpTokensState, IamInstanceProfileSpecification,
    Instance as Ec2Instance, InstanceMetadataEndpointState, InstanceMetadataOptionsRequest,
    InstanceMetadataTagsState, InstanceNetworkInterfaceSpecification, InstanceStateName,
    InstanceType, Reservation, ResourceType, ShutdownBehavior, Tag, TagSpecification,
};
use kit::expiry::Expiry;
use serde_json::json;

use super::{Cloud, CloudError, Launched, Listed, Made, Order};
use crate::deadline::Deadline;
use crate::pool::InstanceState;
use crate::settings::Settings;

/// EC2 has no room now, or the account has reached a limit; see "Error codes for the Amazon EC2 API"
/// in the EC2 developer guide.
const NO_ROOM: [&str; 10] = [
    "InsufficientInstanceCapacity",
    "InsufficientHostCapacity",
    "InsufficientCapacity",
    "InsufficientFreeAddressesInSubnet",
    "InstanceLimitExceeded",
    "VcpuLimitExceeded",
    "MaxSpotInstanceCountExceeded",
    "Unsupported",
    "PendingVerification",
    "RequestLimitExceeded",
];

/// The tag that holds what a node was launched as ([`crate::blueprint::Make::hash`]).
const TAG_MAKE: &str = "bivouac:make";

/// EC2 for one pool.
#[derive(Clone, Debug)]
pub struct Ec2 {
    client: Client,
    tags: Vec<Tag>,
    filters: Vec<Filter>,
    user_data: String,
    deadline: Deadline,
}

impl Ec2 {
    /// EC2 for the pool of `settings`.
    #[must_use]
    pub fn new(sdk: &aws_config::SdkConfig, settings: &Settings, deadline: Deadline) -> Self {
        let pool = &settings.pool;
        let tags = pool.tags.iter();
        Self {
            client: Client::new(sdk),
            filters: tags
                .clone()
                .map(|(key, value)| filter(&format!("tag:{key}"), value))
                .collect(),
            tags: tags
                .map(|(key, value)| Tag::builder().key(key).value(value).build())
                .collect(),
            user_data: base64_simd::STANDARD.encode_to_string(user_data(settings)),
            deadline,
        }
    }

    /// The call that launches one node, all in one: what is missing here cannot be added without a
    /// moment in which the instance runs without it.
    fn run_instances(&self, order: &Order, expiry: Option<Expiry>) -> RunInstancesFluentBuilder {
        let metadata = InstanceMetadataOptionsRequest::builder()
            .http_tokens(HttpTokensState::Required)
            .http_put_response_hop_limit(1)
            .http_endpoint(InstanceMetadataEndpointState::Enabled)
            .instance_metadata_tags(InstanceMetadataTagsState::Enabled)
            .build();
        // With an interface of our own, subnet and groups have to be named there and not beside it.
        // Without a public address no node reaches S3 from a default VPC, which has no NAT.
        let interface = InstanceNetworkInterfaceSpecification::builder()
            .device_index(0)
            .subnet_id(&order.subnet)
            .set_groups(Some(order.make.security_groups.clone()))
            .associate_public_ip_address(true)
            .delete_on_termination(true)
            .build();
        let profile = IamInstanceProfileSpecification::builder()
            .name(&order.make.instance_profile)
            .build();
        let credits = order.make.cpu_credits.as_deref().map(|credits| {
            let chosen = CreditSpecificationRequest::builder().cpu_credits(credits);
            chosen.build()
        });
        let tagged = [
            ResourceType::Instance,
            ResourceType::Volume,
            ResourceType::NetworkInterface,
        ];
        self.client
            .run_instances()
            .client_token(order.token.to_string())
            .min_count(1)
            .max_count(1)
            .image_id(&order.make.image)
            .instance_type(InstanceType::from(order.make.kind.as_str()))
            .iam_instance_profile(profile)
            .network_interfaces(interface)
            .metadata_options(metadata)
            .set_credit_specification(credits)
            .instance_initiated_shutdown_behavior(ShutdownBehavior::Terminate)
            .user_data(&self.user_data)
            .set_tag_specifications(Some(
                tagged.map(|kind| self.tag(kind, order, expiry)).to_vec(),
            ))
    }

    /// Whether one more instance fits into the account, whoever has made the others. Two managers that
    /// look at the same moment may both launch.
    async fn must_fit(&self, most: usize) -> Result<(), CloudError> {
        let states = ["pending", "running"].map(str::to_owned).to_vec();
        let alive = Filter::builder().name("instance-state-name");
        let mut pages = self
            .client
            .describe_instances()
            .filters(alive.set_values(Some(states)).build())
            .into_paginator()
            .send();
        let mut running = 0;
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| meaning(&error))?;
            let reservations = page.reservations().iter();
            running += reservations.map(|r| r.instances().len()).sum::<usize>();
        }
        if running >= most {
            return Err(CloudError::Ceiling { running, most });
        }
        Ok(())
    }

    fn tag(&self, kind: ResourceType, order: &Order, expiry: Option<Expiry>) -> TagSpecification {
        let tag = |key: &str, value: String| Tag::builder().key(key).value(value).build();
        let make = tag(TAG_MAKE, order.make.hash());
        let expiry = expiry.map(|expiry| tag(kit::expiry::TAG, expiry.at.to_string()));
        let tags = self.tags.iter().cloned().chain([make]).chain(expiry);
        TagSpecification::builder()
            .resource_type(kind)
            .set_tags(Some(tags.collect()))
            .build()
    }
}

impl Cloud for Ec2 {
    async fn launch(&self, order: &Order) -> Result<Launched, CloudError> {
        if let Some(most) = order.most_instances {
            self.must_fit(most).await?;
        }
        // Without it a node would live on when all else is gone.
        let expiry = self.deadline.look().await;
        let expiry =
            expiry.map_err(|error| CloudError::Unclear(crate::reconcile::chain(&error)))?;
        let answer = self
            .run_instances(order, expiry)
            .send()
            .await
            .map_err(|error| meaning(&error))?;
        let instance = answer
            .instances()
            .first()
            .ok_or_else(|| CloudError::Unclear("the answer names no instance".to_owned()))?;
        Ok(Launched {
            instance: instance
                .instance_id()
                .ok_or_else(|| CloudError::Unclear("the instance has no id".to_owned()))?
                .to_owned(),
            address: address(instance),
        })
    }

    async fn terminate(&self, instance: &str) -> Result<(), CloudError> {
        self.client
            .terminate_instances()
            .instance_ids(instance)
            .send()
            .await
            .map(|_| ())
            .map_err(|error| meaning(&error))
    }

    async fn has_ended(&self, instance: &str) -> Result<bool, CloudError> {
        let answer = self
            .client
            .describe_instances()
            .instance_ids(instance)
            .send()
            .await
            .map_err(|error| meaning(&error))?;
        let mut found = answer
            .reservations()
            .iter()
            .flat_map(Reservation::instances);
        Ok(found.any(|instance| listed_as(instance).state == InstanceState::Terminated))
    }

    async fn list(&self) -> Result<BTreeMap<String, Listed>, CloudError> {
        let mut pages = self
            .client
            .describe_instances()
            .set_filters(Some(self.filters.clone()))
            .into_paginator()
            .send();
        let mut listed = BTreeMap::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| meaning(&error))?;
            let instances = page.reservations().iter().flat_map(Reservation::instances);
            listed.extend(
                instances.filter_map(|i| Some((i.instance_id()?.to_owned(), listed_as(i)))),
            );
        }
        Ok(listed)
    }
}

fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

/// What a node reads at boot: a script that does nothing, and the line that `boot` looks for.
fn user_data(settings: &Settings) -> String {
    let line = json!({
        "deployment": settings.deployment,
        "region": settings.region,
        "bucket": settings.bucket,
        "resource": format!("pool/{}", settings.pool.name),
        "settings": settings.pool.settings,
        "secrets": settings.pool.secrets,
    });
    format!("#!/bin/bash\n# bivouac: {line}\nexit 0\n")
}

fn address(instance: &Ec2Instance) -> Option<std::net::IpAddr> {
    instance.private_ip_address()?.parse().ok()
}

fn listed_as(instance: &Ec2Instance) -> Listed {
    Listed {
        state: state(instance.state().and_then(|state| state.name())),
        address: address(instance),
        token: instance.client_token().and_then(|token| token.parse().ok()),
        made: made(instance),
    }
}

fn state(name: Option<&InstanceStateName>) -> InstanceState {
    match name {
        Some(InstanceStateName::Pending) => InstanceState::Pending,
        Some(InstanceStateName::ShuttingDown) => InstanceState::Terminating,
        Some(InstanceStateName::Terminated) => InstanceState::Terminated,
        Some(InstanceStateName::Stopping | InstanceStateName::Stopped) => InstanceState::Stopped,
        _ => InstanceState::Running,
    }
}

fn made(instance: &Ec2Instance) -> Made {
    let make = instance
        .tags()
        .iter()
        .find(|tag| tag.key() == Some(TAG_MAKE));
    Made {
        image: instance.image_id().unwrap_or_default().to_owned(),
        kind: instance
            .instance_type()
            .map_or_else(String::new, |kind| kind.as_str().to_owned()),
        make: make.and_then(|tag| tag.value()).map(str::to_owned),
    }
}

fn meaning<E>(error: &SdkError<E>) -> CloudError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let SdkError::ServiceError(refusal) = error else {
        return CloudError::Unclear(crate::reconcile::chain(error));
    };
    let code = refusal.err().code().unwrap_or_default();
    let message = refusal.err().message().unwrap_or_default();
    // EC2 has no code of its own for a profile that has not reached it: the text is all there is.
    if code == "InvalidParameterValue" && message.contains("Invalid IAM Instance Profile name") {
        return CloudError::ProfileNotYet;
    }
    let (code, message) = (code.to_owned(), message.to_owned());
    if code.starts_with("InvalidInstanceID.NotFound") {
        CloudError::NotFound
    } else if NO_ROOM.contains(&code.as_str()) {
        CloudError::NoRoom { code, message }
    } else if refusal.raw().status().is_server_error() {
        CloudError::Unclear(format!("{code}: {message}"))
    } else {
        CloudError::Refused { code, message }
    }
}
