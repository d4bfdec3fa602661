//! Carries out on EC2 what the state says: launches `launching` nodes, terminates `ending` ones, and
//! looks which instances there are.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use catalog::{NodeRow, PoolState, Stage};
use uuid::Uuid;

use crate::blueprint::Version;
use crate::cloud::{Cloud, CloudError, Launched, Order};
use crate::keeper::{ChangeError, Keeper};
use crate::pool::{self, Instance, InstanceState};
use crate::reconcile::chain;

/// How often instances are listed while it is not known which are as the blueprint says, while
/// something is coming or going, and otherwise.
const LIST_ANEW: Duration = Duration::from_millis(500);
const LIST_BUSY: Duration = Duration::from_secs(2);
const LIST_STEADY: Duration = Duration::from_secs(15);
/// How often an instance is told to terminate until it has.
const TERMINATE_EVERY: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(250);
/// Waiting time after EC2 refused a launch: doubled each time up to the limit.
const FIRST_WAIT: Duration = Duration::from_secs(2);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How long a profile that EC2 does not know yet is nothing to complain about.
const PROFILE_TIME: Duration = Duration::from_secs(300);
/// An instance younger than this may be unknown to EC2's other calls.
const CONSISTENT_AFTER: jiff::SignedDuration = jiff::SignedDuration::from_secs(60);

/// The hands of the pool on EC2.
pub struct Launcher<C> {
    keeper: Keeper,
    cloud: C,
    port: u16,
    next_subnet: usize,
    wait: Wait,
    listed: Option<Instant>,
    terminated: BTreeMap<String, Instant>,
    vanished: BTreeSet<String>,
}

#[derive(Default)]
struct Wait {
    until: Option<Instant>,
    length: Option<Duration>,
    profile_since: Option<Instant>,
}

impl<C: Cloud> Launcher<C> {
    /// For the pool whose nodes listen on `port`.
    pub fn new(keeper: Keeper, cloud: C, port: u16) -> Self {
        Self {
            keeper,
            cloud,
            port,
            next_subnet: 0,
            wait: Wait::default(),
            listed: None,
            terminated: BTreeMap::new(),
            vanished: BTreeSet::new(),
        }
    }

    /// Acts for ever.
    pub async fn run(mut self) {
        let mut changed = self.keeper.watch_state();
        loop {
            if let (Some(state), Some(version)) = (self.keeper.state(), self.keeper.blueprint())
                && let Err(error) = self.act(&state, &version).await
            {
                tracing::warn!(error = chain(&error), "could not note what EC2 said");
                tokio::time::sleep(LOOK).await;
            }
            let _changed = tokio::time::timeout(LOOK, changed.changed()).await;
        }
    }

    async fn act(&mut self, state: &PoolState, version: &Version) -> Result<(), ChangeError> {
        for node in &state.nodes {
            match (node.stage, &node.instance) {
                // An ending one's launch was not answered: asked again, EC2 names the instance.
                (Stage::Launching | Stage::Ending, None) => self.launch(node, version).await?,
                (Stage::Ending, Some(instance)) => self.terminate(node, instance).await,
                (Stage::Lost, Some(instance)) => self.ask_for_its_end(instance).await,
                _ => {}
            }
        }
        self.list(state, version).await;
        Ok(())
    }

    async fn launch(&mut self, node: &NodeRow, version: &Version) -> Result<(), ChangeError> {
        if self.wait.until.is_some_and(|until| Instant::now() < until) {
            return Ok(());
        }
        let Some(order) = self.order(node, version).await? else {
            return Ok(());
        };
        match self.cloud.launch(&order).await {
            Ok(launched) => self.launched(&order, &launched).await,
            Err(error) => self.refused(&order, &error).await,
        }
    }

    /// Notes the subnet before the call, so that the same call can be made again after a crash.
    async fn order(&self, node: &NodeRow, version: &Version) -> Result<Option<Order>, ChangeError> {
        let subnet = node.subnet.clone().or_else(|| {
            let subnets = &version.blueprint.subnets;
            let next = subnets.get(self.next_subnet % subnets.len().max(1));
            next.map(|subnet| subnet.id.clone())
        });
        let Some(subnet) = subnet else {
            self.keeper
                .set_hold(Some("the settings name no subnet for nodes".to_owned()));
            return Ok(None);
        };
        let noted = self
            .edit(node.id, |row| row.subnet = Some(subnet.clone()))
            .await?;
        Ok(noted.then_some(Order {
            token: node.id,
            subnet,
            make: version.blueprint.make.clone(),
            most_instances: version.blueprint.max_instances,
        }))
    }

    async fn launched(&mut self, order: &Order, launched: &Launched) -> Result<(), ChangeError> {
        tracing::info!(
            instance = launched.instance,
            subnet = order.subnet,
            "launched a node"
        );
        self.wait = Wait::default();
        self.keeper.set_hold(None);
        self.keeper.seen().is_full = false;
        let address = launched.address.map(|address| self.socket(address));
        self.edit(order.token, |row| {
            row.instance = Some(launched.instance.clone());
            row.address = address;
            if row.stage == Stage::Launching {
                row.stage = Stage::Starting;
                row.since = jiff::Timestamp::now();
            }
        })
        .await?;
        self.listed = None;
        Ok(())
    }

    /// After a clear refusal nothing was launched: the next try is another order, in another subnet.
    async fn refused(&mut self, order: &Order, error: &CloudError) -> Result<(), ChangeError> {
        let now = Instant::now();
        self.keeper.seen().is_full = error.is_account_limit();
        let is_profile = matches!(error, CloudError::ProfileNotYet);
        let profile_since = *self.wait.profile_since.get_or_insert(now);
        if is_profile && now.duration_since(profile_since) < PROFILE_TIME {
            self.wait.until = Some(now + FIRST_WAIT);
            self.keeper
                .set_hold(Some("waiting until EC2 knows the nodes' role".to_owned()));
        } else {
            let length = self
                .wait
                .length
                .map_or(FIRST_WAIT, |length| (length * 2).min(LONGEST_WAIT));
            self.wait.length = Some(length);
            self.wait.until = Some(now + length);
            let reason = format!("EC2 launches no node: {error}");
            tracing::warn!(retry_after = ?length, "{reason}");
            self.keeper.set_hold(Some(reason));
        }
        if matches!(error, CloudError::Unclear(_)) {
            return Ok(());
        }
        self.next_subnet += 1;
        self.edit(order.token, |row| {
            row.id = Uuid::new_v4();
            row.subnet = None;
        })
        .await?;
        Ok(())
    }

    async fn terminate(&mut self, node: &NodeRow, instance: &str) {
        let told = self.terminated.get(instance);
        if told.is_some_and(|at| at.elapsed() < TERMINATE_EVERY) {
            return;
        }
        // One that has ended is listed no more, as it has lost its tags; and without them the role
        // may not terminate it either.
        if told.is_some() && matches!(self.cloud.has_ended(instance).await, Ok(true)) {
            self.vanished.insert(instance.to_owned());
            self.listed = None;
            return;
        }
        self.terminated.insert(instance.to_owned(), Instant::now());
        match self.cloud.terminate(instance).await {
            Ok(()) => {
                tracing::info!(instance, "terminated a node");
                self.listed = None;
            }
            Err(CloudError::NotFound) => {
                let age = jiff::Timestamp::now().duration_since(node.since);
                if age >= CONSISTENT_AFTER {
                    self.vanished.insert(instance.to_owned());
                }
            }
            Err(error) => tracing::warn!(instance, error = chain(&error), "terminating a node"),
        }
    }

    /// One that has ended is not waited for: it is listed no more, and so has to be asked for.
    async fn ask_for_its_end(&mut self, instance: &str) {
        let is_due = self.listed.is_none_or(|at| at.elapsed() >= LIST_BUSY);
        if is_due && matches!(self.cloud.has_ended(instance).await, Ok(true)) {
            self.vanished.insert(instance.to_owned());
        }
    }

    async fn list(&mut self, state: &PoolState, version: &Version) {
        let is_judged = self.keeper.seen().judged.as_ref() == Some(&version.hash);
        let every = match (is_judged, pool::is_steady(state)) {
            (false, _) => LIST_ANEW,
            (true, false) => LIST_BUSY,
            (true, true) => LIST_STEADY,
        };
        if self.listed.is_some_and(|at| at.elapsed() < every) {
            return;
        }
        self.listed = Some(Instant::now());
        let listed = match self.cloud.list().await {
            Ok(listed) => listed,
            Err(error) => {
                tracing::warn!(error = chain(&error), "listing the pool's instances");
                return;
            }
        };
        let mut instances: BTreeMap<_, _> = listed
            .into_iter()
            .map(|(id, listed)| {
                let address = listed.address.map(|address| self.socket(address));
                let instance = Instance {
                    state: listed.state,
                    address,
                    token: listed.token,
                    outdated: version.blueprint.make.differs_from(&listed.made),
                };
                (id, instance)
            })
            .collect();
        let is_known = |id: &String| {
            let mut nodes = state.nodes.iter();
            nodes.any(|node| node.instance.as_ref() == Some(id))
        };
        self.terminated.retain(|id, _| is_known(id));
        self.vanished
            .retain(|id| is_known(id) && !instances.contains_key(id));
        for id in &self.vanished {
            let gone = Instance {
                state: InstanceState::Terminated,
                address: None,
                token: None,
                outdated: None,
            };
            instances.insert(id.clone(), gone);
        }
        self.keeper.seen().listed(instances, &version.hash);
        self.keeper.stir();
    }

    fn socket(&self, address: std::net::IpAddr) -> String {
        std::net::SocketAddr::new(address, self.port).to_string()
    }

    /// Changes one node's row; false if there is no such row any more.
    async fn edit(&self, id: Uuid, edit: impl FnOnce(&mut NodeRow)) -> Result<bool, ChangeError> {
        let mut found = false;
        self.keeper
            .change(|state| {
                let mut next = state.clone();
                if let Some(row) = next.nodes.iter_mut().find(|row| row.id == id) {
                    found = true;
                    edit(row);
                }
                Ok::<_, ChangeError>(next)
            })
            .await?;
        Ok(found)
    }
}
