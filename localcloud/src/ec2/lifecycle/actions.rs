//! TerminateInstances, StopInstances, StartInstances and RebootInstances.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::enter;
use crate::auth::Caller;
use crate::ec2::model::{Instance, InstanceState, Reason};
use crate::ec2::{Ec2, PORT_TAKEN, done, ids, instances};
use crate::wire::{ApiError, Params, Xml};

/// A change of state that a caller asked for.
struct Change {
    id: String,
    before: InstanceState,
    after: InstanceState,
}

impl Ec2 {
    pub(in crate::ec2) fn terminate_instances(
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

    pub(in crate::ec2) fn stop_instances(
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

    pub(in crate::ec2) fn start_instances(
        self: &Arc<Self>,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let region = self.region(&caller.region);
        self.change_states(caller, params, |instance| match instance.state {
            InstanceState::Stopped => self
                .check_ports(&region, instance)
                .map(|()| InstanceState::Pending)
                .map_err(|error| ApiError::new(PORT_TAKEN, error.to_string())),
            same @ (InstanceState::Pending | InstanceState::Running) => Ok(same),
            _ => Err(wrong_state(instance, "started")),
        })
    }

    pub(in crate::ec2) fn reboot_instances(
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
                if self.context.stage.is_unseen(id) {
                    return Err(ids::INSTANCE.not_found(id));
                }
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
    let mut seen = BTreeSet::new();
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
