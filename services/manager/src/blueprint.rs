//! What the blueprint says of the pool: a document that the deployer writes into the bucket. It is
//! read again and again, so that an edit is taken in while everything goes on.

use std::sync::Arc;
use std::time::Duration;

use catalog::{Choices, Mode, Policy, PoolRow};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::bucket::Bucket;
use crate::keeper::Keeper;
use crate::reconcile::chain;
use crate::settings::Subnet;

/// How often the document is read; sooner while there is none.
const POLL: Duration = Duration::from_secs(3);
const FIRST_POLL: Duration = Duration::from_millis(500);

/// The pool as the blueprint wants it, with the ids that things have in the account.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Blueprint {
    /// How its nodes are launched.
    #[serde(flatten)]
    pub make: Make,
    /// Where nodes are launched: the first, the others when that has no room.
    pub subnets: Vec<Subnet>,
    /// How many nodes.
    pub size: Size,
    /// Bytes of each node's cache.
    pub capacity: u64,
    /// Replacement policy.
    pub policy: Policy,
    /// Who decides the size.
    pub mode: Mode,
    /// Miss rate above which the pool grows.
    pub grow_above: f64,
    /// Miss rate below which it shrinks.
    pub shrink_below: f64,
    /// Growth factor.
    pub expand: f64,
    /// Shrink factor.
    pub shrink: f64,
    /// How many instances may run in the account at once, whosever they are.
    #[serde(default)]
    pub max_instances: Option<usize>,
    /// Whether entries are handed over when the table changes.
    #[serde(default = "always")]
    pub hand_over: bool,
}

const fn always() -> bool {
    true
}

/// What a node is launched as. A node that was launched as something else is replaced.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Make {
    /// AMI.
    pub image: String,
    /// Instance type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Name of the instance profile.
    pub instance_profile: String,
    /// Ids of the security groups.
    pub security_groups: Vec<String>,
    /// What happens when its CPU credits are used up: `unlimited` or `standard`; AWS decides by the
    /// type when absent.
    #[serde(default)]
    pub cpu_credits: Option<String>,
}

/// How many nodes the pool has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Size {
    /// Smallest.
    pub min: u32,
    /// Largest.
    pub max: u32,
    /// At the first start.
    pub start: u32,
}

/// A blueprint as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Version {
    /// What it says.
    pub blueprint: Blueprint,
    /// SHA-256 of its text, hexadecimal: the deployer knows it by that.
    pub hash: String,
}

/// Why a document is no blueprint of a pool.
#[derive(Debug, thiserror::Error)]
pub enum BlueprintError {
    /// It is not what the deployer writes.
    #[error("it cannot be read")]
    Json(#[from] serde_json::Error),
    /// What it says does not go together.
    #[error("{0}")]
    Wrong(&'static str),
}

impl Version {
    /// Reads the document.
    ///
    /// # Errors
    /// When it is not what the deployer writes.
    pub fn read(text: &[u8]) -> Result<Self, BlueprintError> {
        let blueprint: Blueprint = serde_json::from_slice(text)?;
        let Size { min, max, start } = blueprint.size;
        if min == 0 || min > start || start > max || max > *crate::pool::SIZES.end() {
            return Err(BlueprintError::Wrong(
                "its sizes are not 1 <= min <= start <= max <= 8",
            ));
        }
        if blueprint.capacity == 0 {
            return Err(BlueprintError::Wrong("its capacity is 0 bytes"));
        }
        if blueprint.shrink_below >= blueprint.grow_above {
            return Err(BlueprintError::Wrong(
                "shrink-below is not less than grow-above",
            ));
        }
        let rates = 0.0..=1.0;
        if !rates.contains(&blueprint.shrink_below) || !rates.contains(&blueprint.grow_above) {
            return Err(BlueprintError::Wrong(
                "shrink-below and grow-above are not from 0 to 1",
            ));
        }
        if blueprint.expand <= 1.0 || blueprint.shrink <= 0.0 || blueprint.shrink >= 1.0 {
            return Err(BlueprintError::Wrong(
                "expand is not above 1, or shrink not between 0 and 1",
            ));
        }
        Ok(Self {
            blueprint,
            hash: hex::encode(Sha256::digest(text)),
        })
    }
}

impl Make {
    /// Tells one make from another; nodes carry it as a tag.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        let groups = self.security_groups.iter();
        for part in [&self.image, &self.kind, &self.instance_profile]
            .into_iter()
            .chain(groups)
            .chain(&self.cpu_credits)
        {
            hash.update(part);
            hash.update([0]);
        }
        hex::encode(&hash.finalize()[..8])
    }
}

impl Blueprint {
    /// The pool at its first start.
    #[must_use]
    pub fn first(&self, name: &str) -> PoolRow {
        PoolRow {
            name: name.to_owned(),
            revision: 0,
            epoch: 1,
            size: 0,
            wanted: self.size.start,
            min: self.size.min,
            max: self.size.max,
            capacity: self.capacity,
            policy: self.policy,
            mode: self.mode,
            exp_ratio: self.expand,
            shrink_ratio: self.shrink,
            max_miss: self.grow_above,
            min_miss: self.shrink_below,
            told: Some(self.choices()),
            hand_over: 0,
            taken: 0,
            coming: None,
            hands_over: self.hand_over,
        }
    }

    /// The pool with what the blueprint says anew. What it said before and says still keeps what
    /// people have set in the meantime.
    #[must_use]
    pub fn take_in(&self, pool: &PoolRow) -> PoolRow {
        let says = self.choices();
        let said = pool.told.unwrap_or(says);
        let mut taken = PoolRow {
            wanted: pool.wanted.clamp(self.size.min, self.size.max),
            min: self.size.min,
            max: self.size.max,
            capacity: newer(said.capacity, says.capacity, pool.capacity),
            policy: newer(said.policy, says.policy, pool.policy),
            mode: newer(said.mode, says.mode, pool.mode),
            exp_ratio: newer(said.exp_ratio, says.exp_ratio, pool.exp_ratio),
            shrink_ratio: newer(said.shrink_ratio, says.shrink_ratio, pool.shrink_ratio),
            max_miss: newer(said.max_miss, says.max_miss, pool.max_miss),
            min_miss: newer(said.min_miss, says.min_miss, pool.min_miss),
            told: Some(says),
            hands_over: self.hand_over,
            ..pool.clone()
        };
        if taken.min_miss >= taken.max_miss {
            // One of them is people's, and they do not go together.
            (taken.min_miss, taken.max_miss) = (says.min_miss, says.max_miss);
        }
        taken
    }

    fn choices(&self) -> Choices {
        Choices {
            capacity: self.capacity,
            policy: self.policy,
            mode: self.mode,
            exp_ratio: self.expand,
            shrink_ratio: self.shrink,
            max_miss: self.grow_above,
            min_miss: self.shrink_below,
        }
    }
}

/// What is said, if that is new; else what is set.
fn newer<T: PartialEq + Copy>(said: T, says: T, set: T) -> T {
    if said == says { set } else { says }
}

/// Reads the document for ever. While it cannot be read, or is wrong, what was read before counts.
pub async fn watch<B: Bucket>(keeper: Keeper, bucket: B, key: String) {
    let mut said = None;
    loop {
        let trouble = look(&keeper, &bucket, &key).await.err();
        if trouble.is_some() && trouble != said {
            tracing::warn!(key, trouble, "reading what the blueprint says of the pool");
        }
        said = trouble;
        let is_first = keeper.blueprint().is_none();
        tokio::time::sleep(if is_first { FIRST_POLL } else { POLL }).await;
    }
}

async fn look<B: Bucket>(keeper: &Keeper, bucket: &B, key: &str) -> Result<(), String> {
    let text = bucket.get(key).await.map_err(|error| chain(&error))?;
    let text = text.ok_or_else(|| "it is not in the bucket yet".to_owned())?;
    let version = Version::read(&text).map_err(|error| chain(&error))?;
    if keeper.blueprint().is_none_or(|known| *known != version) {
        tracing::info!(hash = version.hash, "the blueprint's word on the pool");
        keeper.set_blueprint(Arc::new(version));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use serde_json::json;

    fn document(change: impl FnOnce(&mut serde_json::Value)) -> Vec<u8> {
        let mut value = json!({
            "image": "ami-1", "type": "t3.micro", "instance-profile": "p",
            "security-groups": ["sg-1"], "subnets": [{"id": "subnet-a", "zone": "us-east-1a"}],
            "size": {"min": 1, "max": 8, "start": 2}, "capacity": 64, "policy": "lru",
            "mode": "manual", "grow-above": 0.6, "shrink-below": 0.2, "expand": 2.0, "shrink": 0.5
        });
        change(&mut value);
        value.to_string().into_bytes()
    }

    fn blueprint(change: impl FnOnce(&mut serde_json::Value)) -> Blueprint {
        Version::read(&document(change)).unwrap().blueprint
    }

    #[test]
    fn what_is_said_anew_counts_and_what_is_not_keeps_what_people_have_set() {
        let mut pool = blueprint(|_| ()).first("cache");
        pool.capacity = 32;
        pool.policy = Policy::Random;
        pool.max_miss = 0.9;
        let taken = blueprint(|b| b["capacity"] = 96.into()).take_in(&pool);
        assert_eq!(taken.capacity, 96);
        assert_eq!((taken.policy, taken.max_miss), (Policy::Random, 0.9));
        assert_eq!(
            blueprint(|b| b["capacity"] = 96.into()).take_in(&taken),
            taken
        );
    }

    #[test]
    fn a_value_set_back_to_what_it_was_is_said_anew() {
        let mut pool = blueprint(|_| ()).first("cache");
        pool = blueprint(|b| b["policy"] = "random".into()).take_in(&pool);
        assert_eq!(pool.policy, Policy::Random);
        assert_eq!(blueprint(|_| ()).take_in(&pool).policy, Policy::Lru);
    }

    #[test]
    fn the_pool_moves_into_its_bounds_and_a_new_start_moves_nothing() {
        let mut pool = blueprint(|_| ()).first("cache");
        pool.wanted = 6;
        let bounds = |min: u32, max: u32| {
            blueprint(|b| b["size"] = json!({"min": min, "max": max, "start": max})).take_in(&pool)
        };
        assert_eq!(bounds(1, 4).wanted, 4);
        assert_eq!(bounds(7, 8).wanted, 7);
        assert_eq!(bounds(1, 8).wanted, 6);
    }

    #[test]
    fn limits_that_do_not_go_together_are_the_blueprints() {
        let mut pool = blueprint(|_| ()).first("cache");
        pool.min_miss = 0.5;
        let taken = blueprint(|b| b["grow-above"] = 0.4.into()).take_in(&pool);
        assert_eq!((taken.min_miss, taken.max_miss), (0.2, 0.4));
    }

    #[test]
    fn what_an_older_program_left_is_kept() {
        let mut pool = blueprint(|_| ()).first("cache");
        (pool.told, pool.capacity) = (None, 7);
        let taken = blueprint(|_| ()).take_in(&pool);
        assert_eq!(taken.capacity, 7);
        assert!(taken.told.is_some());
    }

    #[test]
    fn what_is_no_blueprint_is_refused() {
        let broken: [fn(&mut serde_json::Value); 11] = [
            |b| b["size"]["min"] = 0.into(),
            |b| b["size"]["start"] = 9.into(),
            |b| b["size"] = json!({"min": 1, "max": 9, "start": 1}),
            |b| b["capacity"] = 0.into(),
            |b| b["grow-above"] = 0.1.into(),
            |b| b["policy"] = "fifo".into(),
            |b| b["grow-above"] = 1.1.into(),
            |b| b["shrink-below"] = (-0.1).into(),
            |b| b["expand"] = 1.0.into(),
            |b| b["shrink"] = 0.0.into(),
            |b| b["shrink"] = 1.0.into(),
        ];
        for change in broken {
            assert!(Version::read(&document(change)).is_err());
        }
        for text in ["", "{", "[]", "null", "\u{0}"] {
            assert!(Version::read(text.as_bytes()).is_err(), "{text:?}");
        }
        assert!(Version::read(&vec![b'['; 1 << 20]).is_err());
    }

    #[test]
    fn every_part_of_the_make_tells_nodes_apart() {
        let make = || blueprint(|_| ()).make;
        let changes: [fn(&mut Make); 4] = [
            |m| m.image.push('x'),
            |m| m.kind.push('x'),
            |m| m.instance_profile.push('x'),
            |m| m.security_groups.push("sg-2".to_owned()),
        ];
        for change in changes {
            let mut other = make();
            change(&mut other);
            assert_ne!(other.hash(), make().hash());
        }
        assert_eq!(make().hash(), make().hash());
    }
}
