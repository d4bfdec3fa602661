//! Which call goes wrong, when and how: written down beforehand, or drawn from a seed. Pure.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The connection is closed in the place of an answer.
    Drop,
    /// Nothing comes, and the connection stays open.
    Silence,
    /// The service answers that it has failed, with its own code and HTTP status 500.
    #[serde(rename = "500")]
    Failure,
    /// The service answers that there were too many calls, with its own code.
    Throttle,
    /// Nothing comes, and whoever watches is told: now is the moment to end the caller.
    Stop,
}

impl Fault {
    const ALL: [(&'static str, Self); 5] = [
        ("drop", Self::Drop),
        ("silence", Self::Silence),
        ("500", Self::Failure),
        ("throttle", Self::Throttle),
        ("stop", Self::Stop),
    ];

    fn named(name: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(known, _)| *known == name);
        found.map(|(_, fault)| *fault)
    }
}

/// On which side of its effect a call goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    /// It has no effect.
    Before,
    /// It has its whole effect, and the caller does not learn of it.
    After,
}

/// One call that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Which one: the calls are counted from 1, each attempt by itself.
    pub attempt: u64,
    /// Before or after its effect.
    pub moment: Moment,
    /// How.
    pub fault: Fault,
}

/// Calls that go wrong at random, and always the same with one seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dice {
    /// What decides.
    pub seed: u64,
    /// How many of 1000 calls go wrong.
    pub per_thousand: u16,
}

impl Dice {
    /// What can come of a throw, each as often as it stands here.
    const FACES: [(Moment, Fault); 8] = [
        (Moment::Before, Fault::Drop),
        (Moment::After, Fault::Drop),
        (Moment::After, Fault::Drop),
        (Moment::Before, Fault::Failure),
        (Moment::After, Fault::Failure),
        (Moment::Before, Fault::Throttle),
        (Moment::Before, Fault::Silence),
        (Moment::After, Fault::Silence),
    ];

    fn throw(self, attempt: u64) -> Option<(Moment, Fault)> {
        let number = scatter(self.seed ^ scatter(attempt));
        let goes_wrong = number % 1000 < u64::from(self.per_thousand);
        let face = usize::try_from((number >> 32) % Self::FACES.len() as u64).ok()?;
        goes_wrong.then(|| Self::FACES[face])
    }
}

/// One step of SplitMix64: neighbours become strangers (Steele, Lea and Flood, *Fast Splittable
/// Pseudorandom Number Generators*, 2014).
fn scatter(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Which calls go wrong. An empty plan counts calls and leaves them alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// These for certain.
    pub cuts: Vec<Cut>,
    /// And others at random.
    pub dice: Option<Dice>,
}

impl Plan {
    /// One call that goes wrong.
    pub fn cut(attempt: u64, moment: Moment, fault: Fault) -> Self {
        let cut = Cut {
            attempt,
            moment,
            fault,
        };
        Self {
            cuts: vec![cut],
            dice: None,
        }
    }

    /// What happens to the call of that number.
    pub fn fate(&self, attempt: u64) -> Option<(Moment, Fault)> {
        let cut = self.cuts.iter().find(|cut| cut.attempt == attempt);
        cut.map(|cut| (cut.moment, cut.fault))
            .or_else(|| self.dice.and_then(|dice| dice.throw(attempt)))
    }
}

/// A text is no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{part:?} is no fault; write CALL:before|after:drop|silence|500|throttle|stop, for example 17:after:drop, or seed:SEED:OF_1000, for example seed:42:20; with commas between them"
)]
pub struct NoPlan {
    part: String,
}

impl FromStr for Plan {
    type Err = NoPlan;

    /// Parts such as `17:after:drop` or `seed:42:20`, with commas between them.
    fn from_str(text: &str) -> Result<Self, NoPlan> {
        let mut plan = Self::default();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let read = match part.split(':').collect::<Vec<_>>()[..] {
                ["seed", seed, often] => read_dice(seed, often).map(|dice| plan.dice = Some(dice)),
                [attempt, moment, fault] => {
                    read_cut(attempt, moment, fault).map(|cut| plan.cuts.push(cut))
                }
                _ => None,
            };
            read.ok_or_else(|| NoPlan {
                part: part.to_owned(),
            })?;
        }
        Ok(plan)
    }
}

fn read_dice(seed: &str, often: &str) -> Option<Dice> {
    Some(Dice {
        seed: seed.parse().ok()?,
        per_thousand: often.parse().ok().filter(|often| *often <= 1000)?,
    })
}

fn read_cut(attempt: &str, moment: &str, fault: &str) -> Option<Cut> {
    Some(Cut {
        attempt: attempt.parse().ok().filter(|attempt| *attempt > 0)?,
        moment: match moment {
            "before" => Moment::Before,
            "after" => Moment::After,
            _ => return None,
        },
        fault: Fault::named(fault)?,
    })
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Before => "before",
            Self::After => "after",
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = Self::ALL.iter().find(|(_, known)| known == self);
        f.write_str(found.map_or("", |(name, _)| name))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_plan_is_read_part_by_part() {
        let plan: Plan = "17:after:drop,3:before:500,seed:42:20".parse().unwrap();
        assert_eq!(plan.fate(17), Some((Moment::After, Fault::Drop)));
        assert_eq!(plan.fate(3), Some((Moment::Before, Fault::Failure)));
        let (seed, per_thousand) = (42, 20);
        assert_eq!(plan.dice, Some(Dice { seed, per_thousand }));
        assert_eq!("".parse::<Plan>().unwrap(), Plan::default());
        for (name, fault) in Fault::ALL {
            let cut: Plan = format!("1:before:{name}").parse().unwrap();
            assert_eq!(cut, Plan::cut(1, Moment::Before, fault));
            assert_eq!(fault.to_string(), name);
        }
    }

    #[test]
    fn what_is_no_plan_is_named() {
        for wrong in [
            "x",
            "0:after:drop",
            "1:later:drop",
            "1:after:fire",
            "seed:1:1001",
            "seed:1",
        ] {
            let refused = format!("2:after:drop,{wrong}").parse::<Plan>().unwrap_err();
            assert_eq!(refused.part, wrong);
        }
    }

    #[test]
    fn dice_fall_the_same_with_one_seed_and_as_often_as_asked() {
        let plan = |seed| Plan {
            dice: Some(Dice {
                seed,
                per_thousand: 20,
            }),
            ..Plan::default()
        };
        let fates = |seed| -> Vec<_> { (1..=50_000).map(|n| plan(seed).fate(n)).collect() };
        assert_eq!(fates(7), fates(7));
        assert_ne!(fates(7), fates(8));
        let wrong = fates(7).into_iter().flatten().collect::<Vec<_>>();
        assert!((800..1200).contains(&wrong.len()), "{}", wrong.len());
        for face in Dice::FACES {
            assert!(wrong.contains(&face), "{face:?} never comes");
        }
    }
}
