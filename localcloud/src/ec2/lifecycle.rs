//! Instances from pending to terminated, and their machines with them.

use std::sync::{Arc, Weak};

use jiff::Timestamp;
use tokio::sync::mpsc::UnboundedReceiver;

use super::model::{Instance, InstanceState, Reason, Region, ShutdownBehavior};
use super::{Ec2, done, groups, ids, instances};
use crate::auth::Caller;
use crate::machines::{Ended, MachineError, MachineSpec};
use crate::wire::{ApiError, Params, Xml};

/// A change of state that a caller asked for.
struct Change {
    id: String,
    before: InstanceState,
    after: InstanceState,
}

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
    pub(super) fn terminate_instances(
        self: &Arc<Self>,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        self.change_states(caller, params, |instance| {
            if instance.termination_protection {
                return Err(ApiError::new(
                    "OperationNotPermitted",
                    format!("The instance '{}' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again.", instance.id),
                ));
            }
            Ok(match instance.state {
                ending if ending.is_ending() => ending,
                _ => InstanceState::ShuttingDown,
            })
        })
    }

    pub(super) fn stop_instances(
        self: &Arc<Self>,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        self.change_states(caller, params, |instance| match instance.state {
            InstanceState::Running => Ok(InstanceState::Stopping),
            same @ (InstanceState::Stopping | InstanceState::Stopped) => Ok(same),
            _ => Err(wrong_state(instance, "stopped")),
        })
    }

    pub(super) fn start_instances(
        self: &Arc<Self>,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let region = self.region(&caller.region);
        self.change_states(caller, params, |instance| match instance.state {
            InstanceState::Stopped => self
                .check_ports(&region, instance)
                .map(|()| InstanceState::Pending)
                .map_err(|error| ApiError::new("Unsupported", error.to_string())),
            same @ (InstanceState::Pending | InstanceState::Running) => Ok(same),
            _ => Err(wrong_state(instance, "started")),
        })
    }

    pub(super) fn reboot_instances(
        self: &Arc<Self>,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let wanted = wanted(params)?;
        self.change(caller, params, |region| {
            for id in &wanted {
                let instance = ids::INSTANCE.find(&region.instances, id)?;
                if instance.state != InstanceState::Running {
                    return Err(wrong_state(instance, "rebooted"));
                }
            }
            Ok(())
        })?;
        for id in wanted {
            let (this, region) = (Arc::clone(self), caller.region.clone());
            self.context.tasks.spawn(async move {
                let _held = this.hold(&id).await;
                this.machines.stop(&id).await;
                this.start_machine(&region, &id).await;
            });
        }
        Ok(done())
    }

    /// Moves instances to the states that `next` says, all or none, and sets their machines to work.
    fn change_states(
        self: &Arc<Self>,
        caller: &Caller,
        params: &Params,
        next: impl Fn(&Instance) -> Result<InstanceState, ApiError>,
    ) -> Result<String, ApiError> {
        let wanted = wanted(params)?;
        let changes = self.change(caller, params, |region| {
            let mut changes = Vec::new();
            for id in &wanted {
                let instance = ids::INSTANCE.find_mut(&mut region.instances, id)?;
                let (before, after) = (instance.state, next(instance)?);
                if after != before {
                    let reason =
                        matches!(after, InstanceState::ShuttingDown | InstanceState::Stopping)
                            .then(|| {
                                Reason::new(
                                    "Client.UserInitiatedShutdown",
                                    "User initiated shutdown",
                                )
                            });
                    enter(instance, after, reason);
                }
                changes.push(Change {
                    id: id.clone(),
                    before,
                    after,
                });
            }
            Ok(changes)
        })?;
        for change in changes
            .iter()
            .filter(|change| change.after != change.before)
        {
            self.set_to_work(&caller.region, &change.id, change.after);
        }
        let mut xml = Xml::fragment();
        xml.list("instancesSet", "item", changes, |xml, change| {
            xml.text("instanceId", &change.id);
            instances::write_state(xml, "currentState", change.after);
            instances::write_state(xml, "previousState", change.before);
        });
        Ok(xml.finish())
    }

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
        let user_data = instance
            .user_data
            .as_ref()
            .and_then(|text| base64_simd::STANDARD.decode_to_vec(text).ok());
        self.machines
            .start(MachineSpec {
                id: instance.id.clone(),
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
        self.machines.stop(&id).await;
        self.metadata.close(&id);
        // It may have been terminated while it was stopping.
        let terminates = self
            .instance(&region, &id)
            .is_some_and(|instance| instance.state == InstanceState::ShuttingDown);
        if terminates {
            self.machines.delete(&id).await;
        }
        let noted = self.note(&region, |region| {
            if terminates {
                terminate(region, &id);
            } else if let Some(instance) = region.instances.get_mut(&id)
                && instance.state == InstanceState::Stopping
            {
                let reason = instance.reason.take();
                enter(instance, InstanceState::Stopped, reason);
            }
        });
        if noted.await.is_some() && terminates {
            self.context.network.release(instance.address);
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

    fn instance(&self, region: &str, id: &str) -> Option<Instance> {
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

/// The ids a request names; at least one.
fn wanted(params: &Params) -> Result<Vec<String>, ApiError> {
    let mut wanted = params.list("InstanceId");
    if wanted.is_empty() {
        return Err(ApiError::new(
            "MissingParameter",
            "The request must contain the parameter InstanceId",
        ));
    }
    let mut seen = std::collections::BTreeSet::new();
    wanted.retain(|id| seen.insert(id.clone()));
    Ok(wanted)
}

fn wrong_state(instance: &Instance, verb: &str) -> ApiError {
    ApiError::new(
        "IncorrectInstanceState",
        format!(
            "The instance '{}' is not in a state from which it can be {verb}: it is {}.",
            instance.id,
            instance.state.name()
        ),
    )
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
