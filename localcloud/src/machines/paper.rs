//! Paper machines: states change, nothing runs.

use std::net::Ipv4Addr;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Ended, Events, MachineError, MachineSpec, Machines, RootSource};
use crate::context::Context;
use crate::rehearsal::Delay;

/// Machines that only exist in EC2's answers. One that has user data and stops when it powers off is
/// an image builder: it powers itself off as soon as it has booted and, in a rehearsal, has had its
/// time for the recipe. What its recipe would have written is
/// for the caller to arrange.
#[derive(Debug)]
pub struct PaperMachines {
    events: Events,
    context: Arc<Context>,
}

impl PaperMachines {
    /// Machines that tell their end there.
    pub fn new(events: Events, context: Arc<Context>) -> Self {
        Self { events, context }
    }
}

#[async_trait]
impl Machines for PaperMachines {
    fn check_ports(&self, _address: Ipv4Addr, _ports: &[u16]) -> Result<(), MachineError> {
        Ok(())
    }

    async fn create(&self, _id: &str, _source: &RootSource) -> Result<(), MachineError> {
        Ok(())
    }

    async fn start(&self, spec: MachineSpec) -> Result<(), MachineError> {
        if spec.user_data.is_some() && spec.stops_at_power_off {
            let (events, context) = (self.events.clone(), Arc::clone(&self.context));
            tokio::spawn(async move {
                tokio::time::sleep(spec.boots_for).await;
                let recipe = context.stage.begin(Delay::RecipeDone, &spec.id);
                if recipe.over().await {
                    // Nobody listens any more once localcloud stops.
                    let _ = events.send(Ended {
                        id: spec.id,
                        powered_off: true,
                    });
                }
            });
        }
        Ok(())
    }

    async fn stop(&self, _id: &str) {}

    async fn delete(&self, _id: &str) {}

    async fn snapshot(&self, _id: &str, _snapshot: &str) -> Result<(), MachineError> {
        Ok(())
    }

    async fn delete_snapshot(&self, _snapshot: &str) {}

    fn console(&self, _id: &str) -> Vec<u8> {
        Vec::new()
    }

    async fn stop_all(&self) {}

    async fn keep_only(&self, _instances: &[String], _snapshots: &[String]) {}
}
