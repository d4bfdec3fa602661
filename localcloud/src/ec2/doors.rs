//! What is open to the world: the public addresses of instances, and what their security groups let in
//! there.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::Ec2;
use super::model::{Instance, Peer, Region, Rule};
use crate::machines::MachineError;
use crate::network::listeners;
use crate::network::public::{Opening, Reachable};

/// How often it is looked what instances listen on, where a rule opens a wide range of ports.
const LOOK: Duration = Duration::from_millis(250);

/// Actions after which something else may be open.
pub(super) const ACTIONS: [&str; 3] = [
    "AuthorizeSecurityGroupIngress",
    "RevokeSecurityGroupIngress",
    "ModifyInstanceAttribute",
];

/// Follows what instances listen on, as long as that matters, until EC2 is gone.
pub(super) async fn follow(ec2: Weak<Ec2>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let Some(ec2) = ec2.upgrade() else {
            return;
        };
        if ec2.doors.follow_listeners() && !ec2.context.stopping.is_cancelled() {
            ec2.keep_doors().await;
        }
    }
}

impl Ec2 {
    /// Opens what the rules say now at the public addresses of instances that are up, and closes all
    /// else.
    pub(super) async fn keep_doors(&self) {
        if !self.context.paper {
            self.doors.keep(|| self.reachable()).await;
        }
    }

    /// A program that listens at an instance's public address would answer in its place.
    pub(super) async fn check_doors(&self, instance: &Instance) -> Result<(), MachineError> {
        let Some(address) = instance.public_address() else {
            return Ok(());
        };
        let blocked = self.doors.blocked_at(address).await;
        match blocked.and_then(|at| Some((at.port(), listeners::on(at)?))) {
            None => Ok(()),
            Some((port, listener)) => Err(MachineError::PortTaken {
                address,
                port,
                listener,
            }),
        }
    }

    fn reachable(&self) -> Vec<Reachable> {
        self.state.read(|all| {
            let of_region = |region: &Region| {
                let reachable = region.instances.values().filter_map(|instance| {
                    Some(Reachable {
                        public: instance.public_address()?,
                        private: instance.address,
                        openings: openings(region, &instance.groups),
                    })
                });
                reachable.collect::<Vec<_>>()
            };
            all.regions.values().flat_map(of_region).collect()
        })
    }

    /// Gives an instance that starts the public address that it is to have and has none of.
    pub(super) async fn give_public_address(self: &Arc<Self>, region: &str, id: &str) {
        let lacks = self
            .instance(region, id)
            .is_some_and(|instance| instance.public && instance.public_address.is_none());
        if !lacks {
            return;
        }
        let Ok(address) = self.context.network.lease_public() else {
            tracing::error!(instance = id, "there is no public address left for it");
            return;
        };
        let given = self.note(region, |region| {
            let instance = region.instances.get_mut(id)?;
            instance.public_address = Some(address);
            Some(())
        });
        if given.await.flatten().is_none() {
            self.context.network.release(address);
        }
    }

    /// Whether a call that is signed with an instance's own keys could not have come here on AWS: from
    /// the default VPC nothing leads out but public addresses.
    pub fn is_cut_off(&self, id: &str) -> bool {
        self.state.read(|all| {
            let mut regions = all.regions.values();
            let instance = regions.find_map(|region| region.instances.get(id));
            instance.is_some_and(|instance| !instance.public)
        })
    }
}

/// What the rules of some groups let in from addresses. A rule from a group means private addresses,
/// which nobody has who comes by the public one.
fn openings(region: &Region, groups: &[String]) -> Vec<Opening> {
    let groups = groups.iter().filter_map(|id| region.groups.get(id));
    let rules = groups.flat_map(|group| &group.rules);
    rules.filter_map(opening).collect()
}

fn opening(rule: &Rule) -> Option<Opening> {
    let Peer::V4(range) = &rule.peer else {
        return None;
    };
    let ports = match rule.protocol.as_str() {
        "tcp" => u16::try_from(rule.ports.0).ok()?..=u16::try_from(rule.ports.1).ok()?,
        "-1" => 0..=u16::MAX,
        _ => return None,
    };
    let from = range.parse().ok()?;
    (!rule.egress).then_some(Opening { ports, from })
}
