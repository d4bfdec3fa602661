//! A cloud whose instances are in this process.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use manager::blueprint::Make;
use manager::cloud::{Cloud, CloudError, Launched, Listed, Made, Order};
use manager::pool::InstanceState;
use serde_json::json;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{TOKEN, at, blueprint, runtime};

/// An EC2 whose instances are cache nodes in this process.
#[derive(Clone)]
pub(crate) struct FakeCloud {
    pub(super) network: [u8; 3],
    port: u16,
    inner: Arc<Mutex<Ec2>>,
}

#[derive(Default)]
struct Ec2 {
    instances: BTreeMap<String, FakeInstance>,
    by_token: BTreeMap<Uuid, String>,
    refusals: Vec<CloudError>,
    lost_answers: usize,
    limit: Option<usize>,
    subnets: Vec<String>,
    next_address: Option<IpAddr>,
    terminations: usize,
}

struct FakeInstance {
    address: IpAddr,
    token: Uuid,
    made: Made,
    state: InstanceState,
    node: Option<Runtime>,
}

impl FakeCloud {
    pub(super) fn new(network: [u8; 3], port: u16) -> Self {
        Self {
            network,
            port,
            inner: Arc::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Ec2> {
        self.inner.lock().unwrap()
    }

    /// Ids of instances that are not gone.
    pub(crate) fn living(&self) -> Vec<String> {
        let ec2 = self.lock();
        let living = ec2.instances.iter();
        living
            .filter(|(_, instance)| instance.state == InstanceState::Running)
            .map(|(id, _)| id.clone())
            .collect()
    }

    /// All ids ever launched.
    pub(crate) fn launched(&self) -> usize {
        self.lock().instances.len()
    }

    /// The subnets of all launches asked for.
    pub(crate) fn subnets(&self) -> Vec<String> {
        self.lock().subnets.clone()
    }

    /// How often something was to be terminated.
    pub(crate) fn terminations(&self) -> usize {
        self.lock().terminations
    }

    /// The next launches are refused so.
    pub(crate) fn refuse(&self, errors: Vec<CloudError>) {
        self.lock().refusals = errors;
    }

    /// The account may have so many instances from now on.
    pub(crate) fn limit(&self, instances: usize) {
        self.lock().limit = Some(instances);
    }

    /// The answers of so many launches get lost; the instances run.
    pub(crate) fn lose_answers(&self, count: usize) {
        self.lock().lost_answers = count;
    }

    /// The instance dies; EC2 says so.
    pub(crate) fn kill(&self, id: &str) {
        let mut ec2 = self.lock();
        let instance = ec2.instances.get_mut(id).unwrap();
        instance.state = InstanceState::Terminated;
        if let Some(node) = instance.node.take() {
            node.shutdown_background();
        }
    }

    /// The node takes connections, and answers nothing for so long: its only thread is kept busy.
    pub(crate) fn hang(&self, id: &str, time: Duration) {
        if let Some(node) = &self.lock().instances[id].node {
            node.spawn(async move { std::thread::sleep(time) });
        }
    }

    /// The node's process dies; the instance runs on.
    pub(crate) fn stop_node(&self, id: &str) {
        let mut ec2 = self.lock();
        let instance = ec2.instances.get_mut(id).unwrap();
        if let Some(node) = instance.node.take() {
            node.shutdown_background();
        }
    }

    /// The node's process dies, if it has not, and comes back empty.
    pub(crate) fn restart_node(&self, id: &str) {
        self.stop_node(id);
        let mut ec2 = self.lock();
        let instance = ec2.instances.get_mut(id).unwrap();
        instance.node = Some(start_node(id, instance.address, self.port));
    }

    /// The instance dies, and the next one that is launched gets its address.
    pub(crate) fn kill_and_pass_its_address_on(&self, id: &str) {
        self.kill(id);
        let mut ec2 = self.lock();
        ec2.next_address = Some(ec2.instances[id].address);
    }

    /// An instance with our tags that nobody remembers.
    pub(crate) fn stray(&self) -> String {
        let value = serde_json::from_value(blueprint()).unwrap();
        self.create(Uuid::new_v4(), &value)
    }

    fn create(&self, token: Uuid, make: &Make) -> String {
        let mut ec2 = self.lock();
        let id = format!("i-{:08x}", ec2.instances.len() + 1);
        let host = 10 + u8::try_from(ec2.instances.len()).unwrap();
        let address = ec2
            .next_address
            .take()
            .unwrap_or_else(|| at(self.network, host));
        let node = start_node(&id, address, self.port);
        ec2.by_token.insert(token, id.clone());
        let instance = FakeInstance {
            address,
            token,
            made: Made {
                image: make.image.clone(),
                kind: make.kind.clone(),
                make: Some(make.hash()),
            },
            state: InstanceState::Running,
            node: Some(node),
        };
        ec2.instances.insert(id.clone(), instance);
        id
    }

    pub(super) fn end(&self) {
        for instance in self.lock().instances.values_mut() {
            if let Some(node) = instance.node.take() {
                node.shutdown_background();
            }
        }
    }
}

impl Cloud for FakeCloud {
    async fn launch(&self, order: &Order) -> Result<Launched, CloudError> {
        let known = {
            let mut ec2 = self.lock();
            ec2.subnets.push(order.subnet.clone());
            if !ec2.refusals.is_empty() {
                return Err(ec2.refusals.remove(0));
            }
            let known = ec2.by_token.get(&order.token).cloned();
            let is_full = |limit| {
                let running = |i: &&FakeInstance| i.state == InstanceState::Running;
                ec2.instances.values().filter(running).count() >= limit
            };
            if known.is_none() && ec2.limit.is_some_and(is_full) {
                return Err(CloudError::NoRoom {
                    code: "VcpuLimitExceeded".to_owned(),
                    message: "the account is full".to_owned(),
                });
            }
            known
        };
        let id = known.unwrap_or_else(|| self.create(order.token, &order.make));
        let mut ec2 = self.lock();
        if ec2.lost_answers > 0 {
            ec2.lost_answers -= 1;
            return Err(CloudError::Unclear("the connection broke".to_owned()));
        }
        Ok(Launched {
            address: Some(ec2.instances[&id].address),
            instance: id,
        })
    }

    async fn terminate(&self, instance: &str) -> Result<(), CloudError> {
        self.lock().terminations += 1;
        if self.has_ended(instance).await? {
            return Err(CloudError::Refused {
                code: "UnauthorizedOperation".to_owned(),
                message: "it has no tags any more".to_owned(),
            });
        }
        self.kill(instance);
        Ok(())
    }

    async fn has_ended(&self, instance: &str) -> Result<bool, CloudError> {
        let ec2 = self.lock();
        let found = ec2.instances.get(instance).ok_or(CloudError::NotFound)?;
        Ok(found.state == InstanceState::Terminated)
    }

    async fn list(&self) -> Result<BTreeMap<String, Listed>, CloudError> {
        let ec2 = self.lock();
        let tagged = ec2
            .instances
            .iter()
            .filter(|(_, instance)| instance.state != InstanceState::Terminated);
        let listed = tagged.map(|(id, instance)| {
            let listed = Listed {
                state: instance.state,
                address: Some(instance.address),
                token: Some(instance.token),
                made: instance.made.clone(),
            };
            (id.clone(), listed)
        });
        Ok(listed.collect())
    }
}

fn start_node(id: &str, address: IpAddr, port: u16) -> Runtime {
    let runtime = runtime();
    let value = json!({
        "instance": {"id": id, "address": address.to_string(), "zone": "us-east-1a",
                     "type": "t3.micro", "region": "us-east-1"},
        "namespace": "Bivouac/test",
        "cache-node": {"port": port, "capacity": 67_108_864, "policy": "lru"},
        "secrets": {"internal-token": TOKEN},
    });
    let settings: cache_node::Settings = serde_json::from_value(value).unwrap();
    runtime.spawn(async move {
        let listener = loop {
            // The address of a node that was just killed is free in a moment.
            if let Ok(listener) = cache_node::bind(&settings).await {
                break listener;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        cache_node::run(settings, listener, None, CancellationToken::new()).await;
    });
    runtime
}
