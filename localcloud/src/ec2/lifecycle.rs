//! Instances from pending to terminated, and their machines with them.

mod actions;

use std::sync::{Arc, Weak};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc::UnboundedReceiver;

use super::model::{Instance, InstanceState, Reason, Region, ShutdownBehavior};
use super::{Ec2, groups};
use crate::machines::{Ended, MachineError, MachineSpec};
use crate::rehearsal::{Delay, SessionAction};
use crate::wire::ApiError;

/// How often it is looked whether the last instance has stopped.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Follows machines that end without being told to, until EC2 is gone.
pub(super) async fn follow(ec2: Weak<Ec2>, mut ended: UnboundedReceiver<Ended>) {
    while let Some(event) = ended.recv().await {
        let Some(ec2) = ec2.upgrade() else {
            return;
        };
        if !ec2.context.stopping.is_cancelled() {
            ec2.after_end(&event).await;
        }
    }
}

impl Ec2 {
    fn set_to_work(self: &Arc<Self>, region: &str, id: &str, state: InstanceState) {
        let (this, region, id) = (Arc::clone(self), region.to_owned(), id.to_owned());
        match state {
            InstanceState::Pending => self.context.tasks.spawn(this.bring_up(region, id)),
            _ => self.context.tasks.spawn(this.take_down(region, id)),
        };
    }

    /// Boots the machine of an instance that is pending, or was running when localcloud stopped.
    pub(super) async fn bring_up(self: Arc<Self>, region: String, id: String) {
        let _held = self.hold(&id).await;
        let Some(instance) = self.instance(&region, &id) else {
            return;
        };
        if instance.state == InstanceState::Pending {
            let stage = &self.context.stage;
            let due = stage.begin_with_tags(Delay::InstanceRunning, &id, &instance.tags);
            due.over().await;
        }
        let state = self.instance(&region, &id).map(|instance| instance.state);
        // When localcloud stops, the next start boots it.
        if matches!(state, Some(InstanceState::Pending | InstanceState::Running))
            && !self.context.stopping.is_cancelled()
        {
            self.start_machine(&region, &id).await;
        }
    }

    /// Starts the machine of an instance that the caller holds. One that cannot be started fails as
    /// on AWS: it stops, and its state says why.
    pub(super) async fn start_machine(self: &Arc<Self>, region: &str, id: &str) {
        self.give_public_address(region, id).await;
        let Some(instance) = self.instance(region, id) else {
            return;
        };
        let started = self.try_start(region, &instance).await;
        let next = self.note(region, |region| {
            let instance = region.instances.get_mut(id)?;
            match &started {
                Ok(()) if instance.state == InstanceState::Pending => {
                    enter(instance, InstanceState::Running, None);
                }
                Ok(()) => {}
                Err(error) => {
                    let message = ApiError::internal(error).message;
                    let reason = Reason::new("Server.InternalError", message);
                    if !instance.state.is_ending() {
                        enter(instance, InstanceState::Stopping, Some(reason));
                        return Some(InstanceState::Stopping);
                    }
                }
            }
            None
        });
        if let Some(Some(state)) = next.await {
            self.set_to_work(region, id, state);
        }
    }

    /// A program may have taken a port while the instance was off. Started all the same, its services
    /// would fail for ever, and that program would answer whoever asks for them.
    fn check_ports(&self, region: &Region, instance: &Instance) -> Result<(), MachineError> {
        let ports = groups::opened_ports(region, &instance.groups);
        self.machines.check_ports(instance.address, &ports)
    }

    async fn try_start(
        self: &Arc<Self>,
        region: &str,
        instance: &Instance,
    ) -> Result<(), MachineError> {
        self.check_ports(&self.region(region), instance)?;
        let source = self.root_source(region, &instance.root_snapshot);
        self.machines.create(&instance.id, &source).await?;
        if !self.context.paper {
            self.metadata
                .open(self, region, &instance.id, instance.address)
                .await?;
        }
        self.keep_doors().await;
        self.check_doors(instance).await?;
        let user_data = instance
            .user_data
            .as_ref()
            .and_then(|text| base64_simd::STANDARD.decode_to_vec(text).ok());
        let stage = &self.context.stage;
        let _due = stage.begin(Delay::CredentialsThere, &instance.id);
        let boot = stage.begin_with_tags(Delay::InstanceBooted, &instance.id, &instance.tags);
        self.machines
            .start(MachineSpec {
                id: instance.id.clone(),
                boots_for: boot.remaining(),
                address: instance.address,
                user_data,
                stops_at_power_off: instance.shutdown == ShutdownBehavior::Stop,
            })
            .await
    }

    /// Ends the machine of an instance that is stopping or shutting down.
    pub(super) async fn take_down(self: Arc<Self>, region: String, id: String) {
        let _held = self.hold(&id).await;
        let Some(instance) = self.instance(&region, &id) else {
            return;
        };
        if !matches!(
            instance.state,
            InstanceState::Stopping | InstanceState::ShuttingDown
        ) {
            return;
        }
        let delay = match instance.state {
            InstanceState::ShuttingDown => Delay::InstanceTerminated,
            _ => Delay::InstanceStopped,
        };
        let due = self
            .context
            .stage
            .begin_with_tags(delay, &id, &instance.tags);
        self.keep_doors().await;
        self.machines.stop(&id).await;
        self.metadata.close(&id);
        if !due.over().await {
            return;
        }
        // It may have been terminated while it was stopping.
        let terminates = self
            .instance(&region, &id)
            .is_some_and(|instance| instance.state == InstanceState::ShuttingDown);
        if terminates {
            self.machines.delete(&id).await;
        }
        let noted = self.note(&region, |region| {
            if let Some(instance) = region.instances.get_mut(&id) {
                instance.public_address = None;
                if !terminates && instance.state == InstanceState::Stopping {
                    let reason = instance.reason.take();
                    enter(instance, InstanceState::Stopped, reason);
                }
            }
            if terminates {
                terminate(region, &id);
            }
        });
        if noted.await.is_none() {
            return;
        }
        let private = Some(instance.address).filter(|_| terminates);
        for address in private.into_iter().chain(instance.public_address) {
            self.context.network.release(address);
        }
        if terminates {
            let interface = &instance.interface.id;
            self.context
                .stage
                .leave_interface(&region, interface, &instance.groups);
        }
    }

    /// Terminates the newest of the instances that run or are about to, until no more than `most` do.
    pub(super) async fn terminate_newest(self: &Arc<Self>, region: &str, most: usize) {
        let reason = Reason::new(
            "Server.InternalError",
            "The account may not have so many instances at once",
        );
        let ended = self.note(region, |region| {
            let mut running: Vec<&mut Instance> = region
                .instances
                .values_mut()
                .filter(|instance| {
                    let state = instance.state;
                    matches!(state, InstanceState::Pending | InstanceState::Running)
                })
                .collect();
            running.sort_by_key(|instance| instance.launched_at);
            let excess = running.into_iter().skip(most);
            let end = |instance: &mut Instance| {
                enter(instance, InstanceState::ShuttingDown, Some(reason.clone()));
                instance.id.clone()
            };
            excess.map(end).collect::<Vec<_>>()
        });
        for id in ended.await.unwrap_or_default() {
            self.set_to_work(region, &id, InstanceState::ShuttingDown);
        }
    }

    /// Stops whatever runs in any region, or starts whatever is stopped.
    pub async fn turn_all(self: &Arc<Self>, action: SessionAction) {
        let (from, to) = match action {
            SessionAction::End => (InstanceState::Running, InstanceState::Stopping),
            SessionAction::Start => (InstanceState::Stopped, InstanceState::Pending),
        };
        let regions: Vec<String> = self.state.read(|all| all.regions.keys().cloned().collect());
        for name in regions {
            if action == SessionAction::Start {
                self.all_have_stopped(&name).await;
            }
            let turned = self.note(&name, |region| {
                let instances = region.instances.values_mut();
                let turned = instances.filter(|instance| instance.state == from);
                let turn = |instance: &mut Instance| {
                    enter(instance, to, None);
                    instance.id.clone()
                };
                turned.map(turn).collect::<Vec<_>>()
            });
            for id in turned.await.unwrap_or_default() {
                self.set_to_work(&name, &id, to);
            }
        }
    }

    /// Waits until no instance of a region is on its way to stopped.
    async fn all_have_stopped(&self, region: &str) {
        let is_stopping = || {
            let region = self.region(region);
            let mut live = region.live_instances();
            live.any(|instance| instance.state == InstanceState::Stopping)
        };
        while is_stopping() && !self.context.stopping.is_cancelled() {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// A machine powered itself off, or its init was killed.
    async fn after_end(self: &Arc<Self>, event: &Ended) {
        let Some(region) = self.region_of(&event.id) else {
            return;
        };
        let reason = if event.powered_off {
            Reason::new(
                "Client.InstanceInitiatedShutdown",
                "Instance initiated shutdown",
            )
        } else {
            Reason::new(
                "Server.InternalError",
                "The instance's first process was killed",
            )
        };
        let next = self.note(&region, |region| {
            let instance = region.instances.get_mut(&event.id)?;
            if !matches!(
                instance.state,
                InstanceState::Pending | InstanceState::Running
            ) {
                return None;
            }
            let next = match instance.shutdown {
                ShutdownBehavior::Stop => InstanceState::Stopping,
                ShutdownBehavior::Terminate => InstanceState::ShuttingDown,
            };
            enter(instance, next, Some(reason.clone()));
            Some(next)
        });
        if let Some(Some(state)) = next.await {
            self.set_to_work(&region, &event.id, state);
        }
    }

    pub(super) fn instance(&self, region: &str, id: &str) -> Option<Instance> {
        self.state
            .read(|all| all.regions.get(region)?.instances.get(id).cloned())
    }

    fn region_of(&self, id: &str) -> Option<String> {
        self.state.read(|all| {
            all.regions
                .iter()
                .find(|(_, region)| region.instances.contains_key(id))
                .map(|(name, _)| name.clone())
        })
    }
}

fn enter(instance: &mut Instance, state: InstanceState, reason: Option<Reason>) {
    let now = Timestamp::now();
    if state == InstanceState::Pending {
        instance.launched_at = now;
    }
    instance.state = state;
    instance.reason = reason;
    instance.changed_at = now;
}

/// What is left of a terminated instance: its record, for an hour, without its tags.
fn terminate(region: &mut Region, id: &str) {
    region.volumes.retain(|_, volume| {
        volume
            .attachment
            .as_ref()
            .is_none_or(|attachment| attachment.instance != id || !attachment.delete_on_termination)
    });
    for volume in region.volumes.values_mut() {
        if volume
            .attachment
            .as_ref()
            .is_some_and(|attachment| attachment.instance == id)
        {
            volume.attachment = None;
        }
    }
    if let Some(instance) = region.instances.get_mut(id) {
        let reason = instance.reason.take();
        enter(instance, InstanceState::Terminated, reason);
        instance.tags.clear();
        instance.user_data = None;
    }
}
