//! *Interrupted*, at random: lost answers, silence, errors, throttling and deaths, mixed by a seed.
//!
//! One run: `up`, which may die; `up` or `down`, which may die, too; then, with nothing wrong any
//! more, either `down`, or `up` and `down`. What a disturbed command says it has done, it has done.
//!
//! `BIVOUAC_SEEDS=1000` runs so many, `BIVOUAC_SEED=17` runs that one alone. The same calls go wrong
//! with the same seed; which calls those are depends on the order of what goes on at once.

use std::env;
use std::time::{Duration, Instant};

use localcloud::faults::{self, Dice, Fault, Moment, Plan};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use teardown::Verdict;

use crate::cuts::{Cut, Deployment, under};
use crate::lanes::{Run, cores, run_each};
use crate::paper::{PATIENT, Paper};

/// How many there are where nothing is said: as many as take a minute on two cores.
const SEEDS: u64 = 150;
/// How long a call waits for an answer: a silence is to end soon, an answer of a busy machine to come
/// in time.
const ATTEMPT: Duration = Duration::from_millis(500);
/// Lanes for each core: silence is waited for.
const LANES: usize = 4;
/// A death comes at one of the first so many calls, or not at all.
const DEATHS: u64 = 100;

/// What goes wrong during one command.
fn draw(dice: &mut StdRng) -> Plan {
    let mut plan = Plan {
        dice: Some(Dice {
            seed: dice.random(),
            per_thousand: dice.random_range(5..=60),
        }),
        ..Plan::default()
    };
    if dice.random_bool(0.5) {
        plan.cuts.push(faults::Cut {
            attempt: dice.random_range(1..=DEATHS),
            moment: [Moment::Before, Moment::After][dice.random_range(0..2)],
            fault: Fault::Stop,
        });
    }
    plan
}

/// One run, with all that went wrong in it written down.
async fn run(
    it: &Deployment,
    paper: &Paper,
    seed: u64,
    diary: &mut Vec<String>,
) -> Result<(), String> {
    let mut dice = StdRng::seed_from_u64(seed);
    disturbed_up(it, paper, draw(&mut dice), "ab12", diary).await?;
    if dice.random_bool(0.5) {
        disturbed_up(it, paper, draw(&mut dice), "cd34", diary).await?;
    } else {
        disturbed_down(it, paper, draw(&mut dice), diary).await?;
    }
    if dice.random_bool(0.5) {
        diary.push("up".to_owned());
        paper.up(&it.blueprint, "ef56").await?;
        it.is_whole(paper).await?;
    }
    diary.push("down".to_owned());
    paper.taken_down(&it.blueprint).await
}

/// Does work under a plan, with no more patience than silence deserves.
async fn disturbed<T>(paper: &Paper, plan: Plan, work: impl Future<Output = T>) -> Cut<T> {
    paper.attempt.set(ATTEMPT);
    let cut = under(paper, plan, work).await;
    paper.attempt.set(PATIENT);
    cut
}

/// It may fail or die; where it says that it is done, all is there.
async fn disturbed_up(
    it: &Deployment,
    paper: &Paper,
    plan: Plan,
    names: &str,
    diary: &mut Vec<String>,
) -> Result<(), String> {
    let cut = disturbed(paper, plan, paper.up(&it.blueprint, names)).await;
    diary.push(format!("up: {:?}, {:?}", cut.happened, cut.ended));
    match cut.ended {
        Some(Ok(())) => it.is_whole(paper).await,
        _ => Ok(()),
    }
}

/// It may fail or die; where it says that nothing is left, nothing is.
async fn disturbed_down(
    it: &Deployment,
    paper: &Paper,
    plan: Plan,
    diary: &mut Vec<String>,
) -> Result<(), String> {
    let cut = disturbed(paper, plan, paper.down(&it.blueprint)).await;
    diary.push(format!("down: {:?}, {:?}", cut.happened, cut.ended));
    match cut.ended {
        Some(Ok(Verdict::Zero)) => paper.is_empty(),
        _ => Ok(()),
    }
}

fn number(variable: &str) -> Option<u64> {
    let said = env::var(variable).ok()?;
    Some(
        said.parse()
            .unwrap_or_else(|_| panic!("{variable} is a number")),
    )
}

#[test]
fn whatever_goes_wrong_it_ends_at_zero() {
    let begun = Instant::now();
    let deployments = Deployment::all();
    let only = number("BIVOUAC_SEED");
    let seeds = only.map_or_else(|| number("BIVOUAC_SEEDS").unwrap_or(SEEDS), |_| 1);
    let tally = run_each(cores() * LANES, seeds, &async |paper: &Paper, counted| {
        let seed = only.unwrap_or(counted);
        let it = &deployments[usize::try_from(seed).unwrap() % deployments.len()];
        let mut diary = Vec::new();
        match run(it, paper, seed, &mut diary).await {
            Ok(()) => Ok(Run::Clean { points: 1 }),
            Err(why) => Err(format!(
                "{}, seed {seed}: {why}\n  {}\n  again: BIVOUAC_SEED={seed} cargo test --release --workspace --test laws schedules",
                it.blueprint.name,
                diary.join("\n  "),
            )),
        }
    });
    tally.all_clean("mixed faults", "seeds", begun);
}
