//! Stopping with localcloud, and going on where it stopped or died.

use std::sync::Arc;

use super::Ec2;
use super::model::{ImageState, InstanceState, Region};
use crate::wire::ApiError;

impl Ec2 {
    /// Boots what was running when localcloud stopped, and finishes what was under way.
    pub async fn resume(self: &Arc<Self>) {
        let unfinished: Vec<(String, String, InstanceState)> = self.state.read(|all| {
            all.regions
                .iter()
                .flat_map(|(name, region)| {
                    region
                        .live_instances()
                        .map(|instance| (name.clone(), instance.id.clone(), instance.state))
                })
                .collect()
        });
        let work = unfinished.into_iter().map(|(region, id, state)| {
            let this = Arc::clone(self);
            async move {
                match state {
                    InstanceState::Pending | InstanceState::Running => {
                        this.bring_up(region, id).await;
                    }
                    InstanceState::Stopping | InstanceState::ShuttingDown => {
                        this.take_down(region, id).await;
                    }
                    InstanceState::Stopped | InstanceState::Terminated => {}
                }
            }
        });
        futures::future::join_all(work).await;
    }

    /// Stops every instance's processes; the state stays.
    pub async fn shutdown(&self) {
        self.machines.stop_all().await;
        // One that was about to boot did so meanwhile.
        self.context.tasks.close();
        self.context.tasks.wait().await;
        self.machines.stop_all().await;
        self.metadata.close_all();
        self.doors.keep(Vec::new).await;
    }

    /// Addresses that the state says are in use are not given out again.
    pub(super) fn recall_addresses(&self) {
        self.state.read(|all| {
            for instance in all.regions.values().flat_map(Region::live_instances) {
                let addresses = [Some(instance.address), instance.public_address];
                for address in addresses.into_iter().flatten() {
                    self.context.network.reserve(address);
                }
            }
            for loose in all
                .regions
                .values()
                .flat_map(|region| region.interfaces.values())
            {
                self.context.network.reserve(loose.address);
            }
        });
    }

    /// Removes files of instances and snapshots that the state does not know, and images whose copy
    /// a crash interrupted.
    pub(super) async fn remove_strays(&self) {
        let pruned = self.state.change(|all| {
            for region in all.regions.values_mut() {
                for image in region.images.values_mut() {
                    if image.state == ImageState::Pending {
                        image.state = ImageState::Failed;
                        image.failure = Some("localcloud stopped while it was made".to_owned());
                    }
                }
            }
            Ok::<_, ApiError>(())
        });
        if let Err(error) = pruned {
            tracing::error!(%error, "cannot save the state of images");
        }
        let (instances, snapshots) = self.state.read(|all| {
            let regions = || all.regions.values();
            let instances = regions().flat_map(Region::live_instances);
            (
                instances
                    .map(|instance| instance.id.clone())
                    .collect::<Vec<_>>(),
                regions()
                    .flat_map(|region| region.snapshots.keys().cloned())
                    .collect::<Vec<_>>(),
            )
        });
        self.machines.keep_only(&instances, &snapshots).await;
    }
}
