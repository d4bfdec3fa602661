//! EC2: instances, images, security groups and what they stand on.

mod access;
mod addresses;
mod attributes;
mod doors;
mod facts;
mod filters;
mod groups;
mod ids;
mod images;
mod instances;
mod key_pairs;
mod launch_templates;
mod lifecycle;
mod model;
mod network;
mod recovery;
mod run;
mod storage;
mod tags;
mod types;
mod unattached;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use crate::StartError;
use crate::auth::Caller;
use crate::cloud::Thing;
use crate::context::Context;
use crate::iam::Iam;
use crate::imds::MetadataServers;
use crate::machines::{Machines, PaperMachines, RealMachines};
use crate::network::Zone;
use crate::network::public::PublicAddresses;
use crate::state::Document;
use crate::wire::{ApiError, Params, Xml};
use groups::Direction;
use model::{Region, Regions};

pub use facts::InstanceFacts;

/// What a launch or start is answered when a program that is not ours has a port of the instance's
/// address. AWS has no such code.
const PORT_TAKEN: &str = "PortTaken";

/// Another service whose resources use security groups.
pub trait GroupUser: std::fmt::Debug + Send + Sync {
    /// What uses a group, one line each; a group that is used cannot be deleted.
    fn users_of_group(&self, region: &str, group_id: &str) -> Vec<String>;
}

/// The instances of an account and all that belongs to them.
#[derive(Debug)]
pub struct Ec2 {
    context: Arc<Context>,
    iam: Arc<Iam>,
    state: Document<Regions>,
    machines: Box<dyn Machines>,
    metadata: MetadataServers,
    doors: PublicAddresses,
    group_users: OnceLock<Weak<dyn GroupUser>>,
    /// One task at a time works on an instance's machine.
    holds: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

impl Ec2 {
    /// Opens the service on the state that is on disk. Nothing is booted yet.
    ///
    /// # Errors
    /// The state cannot be read.
    pub async fn open(context: Arc<Context>, iam: Arc<Iam>) -> Result<Arc<Self>, StartError> {
        let state: Document<Regions> = context.state.document("ec2")?;
        let (events, ended) = tokio::sync::mpsc::unbounded_channel();
        let machines: Box<dyn Machines> = if context.paper {
            Box::new(PaperMachines::new(events, Arc::clone(&context)))
        } else {
            Box::new(RealMachines::new(
                context.home.path(),
                context.init_program.clone(),
                context.network.endpoint(),
                events,
            ))
        };
        let ec2 = Arc::new(Self {
            context,
            iam,
            state,
            machines,
            metadata: MetadataServers::default(),
            doors: PublicAddresses::default(),
            group_users: OnceLock::new(),
            holds: Mutex::default(),
        });
        ec2.recall_addresses();
        ec2.remove_strays().await;
        tokio::spawn(lifecycle::follow(Arc::downgrade(&ec2), ended));
        tokio::spawn(doors::follow(Arc::downgrade(&ec2)));
        Ok(ec2)
    }

    /// Names the other service whose resources use security groups.
    pub fn tell_group_users(&self, users: Weak<dyn GroupUser>) {
        // Said once, when the cloud is put together.
        let _ = self.group_users.set(users);
    }

    /// Answers a call with what belongs inside `<ActionResponse>`, after the request's id.
    ///
    /// # Errors
    /// What EC2 answers in that case.
    pub async fn call(
        self: &Arc<Self>,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let action = params.action()?;
        if action.starts_with("Describe") || action.starts_with("Get") {
            refuse_dry_run(params)?;
        }
        let answer = self.act(caller, action, params).await?;
        if doors::ACTIONS.contains(&action) {
            self.keep_doors().await;
        }
        Ok(answer)
    }

    async fn act(
        self: &Arc<Self>,
        caller: &Caller,
        action: &str,
        params: &Params,
    ) -> Result<String, ApiError> {
        match action {
            "RunInstances" => self.run_instances(caller, params),
            "DescribeInstances" => self.describe_instances(caller, params),
            "DescribeInstanceStatus" => self.describe_instance_status(caller, params),
            "TerminateInstances" => self.terminate_instances(caller, params),
            "StopInstances" => self.stop_instances(caller, params),
            "StartInstances" => self.start_instances(caller, params),
            "RebootInstances" => self.reboot_instances(caller, params),
            "DescribeInstanceAttribute" => self.describe_instance_attribute(caller, params),
            "ModifyInstanceAttribute" => self.modify_instance_attribute(caller, params),
            "GetConsoleOutput" => self.get_console_output(caller, params),
            "CreateTags" => self.create_tags(caller, params),
            "DeleteTags" => self.delete_tags(caller, params),
            "DescribeTags" => self.describe_tags(caller, params),
            "CreateSecurityGroup" => self.create_security_group(caller, params),
            "DescribeSecurityGroups" => self.describe_security_groups(caller, params),
            "DeleteSecurityGroup" => self.delete_security_group(caller, params),
            "AuthorizeSecurityGroupIngress" => self.authorize(caller, params, Direction::Ingress),
            "AuthorizeSecurityGroupEgress" => self.authorize(caller, params, Direction::Egress),
            "RevokeSecurityGroupIngress" => self.revoke(caller, params, Direction::Ingress),
            "RevokeSecurityGroupEgress" => self.revoke(caller, params, Direction::Egress),
            "DescribeSecurityGroupRules" => self.describe_security_group_rules(caller, params),
            "DescribeRegions" => self.describe_regions(caller, params),
            "DescribeAvailabilityZones" => self.describe_availability_zones(caller, params),
            "DescribeVpcs" => self.describe_vpcs(caller, params),
            "DescribeSubnets" => self.describe_subnets(caller, params),
            "DescribeNetworkInterfaces" => self.describe_network_interfaces(caller, params),
            "DescribeInstanceTypes" => Self::describe_instance_types(params),
            "DescribeInstanceTypeOfferings" => {
                self.describe_instance_type_offerings(caller, params)
            }
            "DescribeImages" => self.describe_images(caller, params),
            "CreateImage" => self.create_image(caller, params).await,
            "DeregisterImage" => self.deregister_image(caller, params).await,
            "DescribeVolumes" => self.describe_volumes(caller, params),
            "DeleteVolume" => self.delete_volume(caller, params),
            "DescribeSnapshots" => self.describe_snapshots(caller, params),
            "DeleteSnapshot" => self.delete_snapshot(caller, params).await,
            "CreateVolume" => self.create_volume(caller, params),
            "CreateSnapshot" => self.create_snapshot(caller, params),
            "CreateNetworkInterface" => self.create_network_interface(caller, params),
            "DeleteNetworkInterface" => self.delete_network_interface(caller, params),
            "AllocateAddress" => self.allocate_address(caller, params),
            "ReleaseAddress" => self.release_address(caller, params),
            "DescribeAddresses" => self.describe_addresses(caller, params),
            "ImportKeyPair" => self.import_key_pair(caller, params),
            "DeleteKeyPair" => self.delete_key_pair(caller, params),
            "DescribeKeyPairs" => self.describe_key_pairs(caller, params),
            "CreateLaunchTemplate" => self.create_launch_template(caller, params),
            "DeleteLaunchTemplate" => self.delete_launch_template(caller, params),
            "DescribeLaunchTemplates" => self.describe_launch_templates(caller, params),
            other => Err(ApiError::invalid_action(other)),
        }
    }

    /// The id of the default VPC of a region.
    pub fn default_vpc(&self, region: &str) -> String {
        ids::default_vpc(self.context.account(), region)
    }

    /// The id of the default security group of a region.
    pub fn default_security_group(&self, region: &str) -> String {
        ids::default_group(self.context.account(), region)
    }

    /// Whether a region has a security group.
    pub fn has_security_group(&self, region: &str, group_id: &str) -> bool {
        self.region(region).groups.contains_key(group_id)
    }

    /// The default subnets of a region: id and name of the zone.
    pub fn subnets(&self, region: &str) -> Vec<(String, String)> {
        Zone::ALL
            .map(|zone| {
                (
                    ids::subnet(self.context.account(), region, zone),
                    zone.name(region),
                )
            })
            .into()
    }

    /// What is left, one line each.
    pub fn remaining(&self) -> Vec<String> {
        self.state.read(|all| {
            all.regions
                .iter()
                .flat_map(|(name, region)| remaining_in(name, region))
                .collect()
        })
    }

    /// What is there, as kinds and tags.
    pub fn things(&self) -> Vec<Thing> {
        self.state
            .read(|all| all.regions.values().flat_map(things_in).collect())
    }

    /// A region as it is now.
    fn region(&self, name: &str) -> Region {
        self.state
            .read(|all| all.region(self.context.account(), name))
    }

    /// Changes the caller's region; with `DryRun`, checks that it could be done and changes nothing.
    fn change<T>(
        &self,
        caller: &Caller,
        params: &Params,
        change: impl FnOnce(&mut Region) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        self.state.change(|all| {
            let answer = change(all.region_mut(self.context.account(), &caller.region))?;
            refuse_dry_run(params)?;
            Ok(answer)
        })
    }

    /// Writes down what has become of a machine or a copy; nothing when localcloud stops before it
    /// can be.
    async fn note<T>(&self, region: &str, mut change: impl FnMut(&mut Region) -> T) -> Option<T> {
        let account = self.context.account();
        self.state
            .note(&self.context.stopping, |all| {
                change(all.region_mut(account, region))
            })
            .await
    }

    /// Waits until no other task works on an instance's machine, and keeps others off.
    async fn hold(&self, id: &str) -> tokio::sync::OwnedMutexGuard<()> {
        let lock = {
            let mut holds = self.holds.lock().unwrap_or_else(PoisonError::into_inner);
            holds.retain(|_, lock| Arc::strong_count(lock) > 1);
            Arc::clone(holds.entry(id.to_owned()).or_default())
        };
        lock.lock_owned().await
    }
}

/// The answer to `DryRun`: it would have worked.
fn refuse_dry_run(params: &Params) -> Result<(), ApiError> {
    if params.boolean("DryRun")? == Some(true) {
        return Err(ApiError::with_status(
            http::StatusCode::PRECONDITION_FAILED,
            "DryRunOperation",
            "Request would have succeeded, but DryRun flag is set.",
        ));
    }
    Ok(())
}

/// `<return>true</return>`.
fn done() -> String {
    let mut xml = Xml::fragment();
    xml.text("return", true);
    xml.finish()
}

fn things_in(region: &Region) -> Vec<Thing> {
    let live = || region.live_instances();
    let instances = live().map(|instance| Thing::new("instance", &instance.tags));
    let interfaces = live().map(|instance| Thing::new("interface", &instance.interface.tags));
    let volumes = region.volumes.values();
    let snapshots = region.snapshots.values();
    let images = region.images.values();
    let groups = region.groups.values();
    instances
        .chain(interfaces)
        .chain(volumes.map(|volume| Thing::new("volume", &volume.tags)))
        .chain(snapshots.map(|snapshot| Thing::new("snapshot", &snapshot.tags)))
        .chain(images.map(|image| Thing::new("image", &image.tags)))
        .chain(groups.map(|group| Thing::new("security group", &group.tags)))
        .collect()
}

fn remaining_in(name: &str, region: &Region) -> Vec<String> {
    let line = |kind: &str, id: &str| format!("{name}: {kind} {id}");
    let instances = region
        .live_instances()
        .map(|instance| line("instance", &instance.id));
    let volumes = region.volumes.keys().map(|id| line("volume", id));
    let snapshots = region.snapshots.keys().map(|id| line("snapshot", id));
    let images = region.images.keys().map(|id| line("image", id));
    let groups = region
        .groups
        .values()
        .filter(|group| group.name != "default")
        .map(|group| line("security group", &group.id));
    let addresses = region.addresses.keys().map(|id| line("address", id));
    let pairs = region.key_pairs.keys().map(|id| line("key pair", id));
    let templates = region.launch_templates.keys();
    let templates = templates.map(|id| line("launch template", id));
    let interfaces = region.interfaces.keys();
    let interfaces = interfaces.map(|id| line("network interface", id));
    instances
        .chain(volumes)
        .chain(snapshots)
        .chain(images)
        .chain(groups)
        .chain(addresses)
        .chain(pairs)
        .chain(templates)
        .chain(interfaces)
        .collect()
}
