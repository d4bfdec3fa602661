//! *Interrupted*: `up` and `down` cut off at every HTTP attempt, before and after it takes effect,
//! by an answer that is lost and by the death of the deployer. Whoever goes on is another laptop: a
//! connection of its own, other dice, and nothing remembered.

use std::time::{Duration, Instant};

use deployer_core::blueprint::Blueprint;
use localcloud::faults::{Fault, Happened, Moment, Plan};

use crate::lanes::{Run, Tally, cores, run_each};
use crate::paper::{Census, Paper, blueprints};

/// Nobody stays connected after their death for longer.
const GONE: Duration = Duration::from_secs(30);

/// What became of work under a plan of faults.
pub(crate) struct Cut<T> {
    /// What it ended with; `None` when it died.
    pub(crate) ended: Option<T>,
    /// What went wrong meanwhile.
    pub(crate) happened: Vec<Happened>,
}

/// Does work while calls go wrong as planned. Where the plan says so, it dies: it is dropped with
/// all its clients, in the middle of whatever it does.
pub(crate) async fn under<T>(paper: &Paper, plan: Plan, work: impl Future<Output = T>) -> Cut<T> {
    let faults = paper.cloud.faults();
    faults.follow(Some(plan));
    let ended = tokio::select! {
        biased;
        () = faults.stop() => None,
        ended = work => Some(ended),
    };
    let happened = faults.report().happened;
    faults.follow(None);
    // What was asked for before the death still takes effect.
    let gone = tokio::time::timeout(GONE, paper.cloud.nobody_connected()).await;
    gone.expect("the connections of whoever died are closed");
    Cut { ended, happened }
}

/// What is to hold of a blueprint.
pub(crate) struct Deployment {
    pub(crate) blueprint: Blueprint,
    /// What is in the account after an `up` that nothing disturbed.
    pub(crate) whole: Census,
}

impl Deployment {
    /// Every blueprint that is shipped.
    pub(crate) fn all() -> Vec<Deployment> {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let learn = async |blueprint: Blueprint| {
            let paper = Paper::new().await;
            paper.up(&blueprint, "ab12").await.unwrap();
            let whole = paper.census();
            paper.taken_down(&blueprint).await.unwrap();
            paper.cloud.shutdown().await;
            Deployment { blueprint, whole }
        };
        let learn = |blueprint| runtime.block_on(learn(blueprint));
        blueprints().into_iter().map(learn).collect()
    }

    /// Nothing is to be done, nothing is there twice and nothing besides.
    pub(crate) async fn is_whole(&self, paper: &Paper) -> Result<(), String> {
        paper.settled(&self.blueprint).await?;
        let census = paper.census();
        if census == self.whole {
            return Ok(());
        }
        let mut differ: Vec<String> = Vec::new();
        for thing in self.whole.keys().chain(census.keys()) {
            let count = |of: &Census| of.get(thing).copied().unwrap_or_default();
            if count(&census) != count(&self.whole) {
                let (kind, name) = thing;
                let (is, shall) = (count(&census), count(&self.whole));
                differ.push(format!("{kind} {name:?}: {is}, not {shall}"));
            }
        }
        Err(differ.join("; "))
    }
}

/// What is cut off in one run, and what goes wrong there.
trait Law: AsyncFn(&Deployment, &Paper, Plan) -> Result<Vec<Happened>, String> + Sync {}
impl<L: AsyncFn(&Deployment, &Paper, Plan) -> Result<Vec<Happened>, String> + Sync> Law for L {}

/// Of how many cut points a law takes one. Where nothing is said they are shared out among the
/// blueprints, so that more of them take no longer; each law takes others.
fn share(blueprints: usize) -> u64 {
    let said = std::env::var("BIVOUAC_LAWS_SHARE").ok();
    let share = said.map(|share| share.parse().expect("BIVOUAC_LAWS_SHARE is a number"));
    share.unwrap_or(blueprints as u64)
}

/// Holds a law against the calls of every blueprint, before and after their effect. `offset` tells the
/// laws apart.
fn at_every_call(name: &str, offset: u64, fault: Fault, law: &impl Law) {
    let begun = Instant::now();
    let mut tally = Tally::default();
    let deployments = Deployment::all();
    let share = share(deployments.len());
    for (deployment, moment) in deployments
        .iter()
        .flat_map(|d| [(d, Moment::Before), (d, Moment::After)])
    {
        let run = async |paper: &Paper, number: u64| {
            let call = (number - 1) * share + 1 + (offset + moment as u64) % share;
            let ran = law(deployment, paper, Plan::cut(call, moment, fault)).await;
            match ran {
                Ok(happened) if happened.is_empty() => Ok(Run::Past),
                Ok(happened) => Ok(Run::Clean {
                    points: happened.len(),
                }),
                Err(why) => {
                    let name = &deployment.blueprint.name;
                    Err(format!("{name}, {call}:{moment}:{fault}: {why}"))
                }
            }
        };
        tally.add(run_each(cores(), u64::MAX, &run));
    }
    let which = match share {
        1 => "all".to_owned(),
        share => format!("1 of {share}"),
    };
    tally.all_clean(name, &format!("cut points ({which})"), begun);
}

/// Names the call at which something went wrong.
fn at<T>(happened: &[Happened], result: Result<T, String>) -> Result<T, String> {
    let call = happened.first().map_or("", |h| h.call.as_str());
    result.map_err(|why| format!("{call}: {why}"))
}

#[test]
fn an_answer_that_is_lost_changes_nothing() {
    let law = async |it: &Deployment, paper: &Paper, plan: Plan| {
        let up = under(paper, plan.clone(), paper.up(&it.blueprint, "ab12")).await;
        at(&up.happened, up.ended.unwrap())?;
        at(&up.happened, it.is_whole(paper).await)?;
        let down = under(paper, plan, paper.taken_down(&it.blueprint)).await;
        at(&down.happened, down.ended.unwrap())?;
        Ok([up.happened, down.happened].concat())
    };
    at_every_call("an answer lost, in up and in down", 0, Fault::Drop, &law);
}

#[test]
fn whoever_died_is_followed_by_the_same_command() {
    let law = async |it: &Deployment, paper: &Paper, plan: Plan| {
        let up = under(paper, plan.clone(), paper.up(&it.blueprint, "ab12")).await;
        at(&up.happened, paper.up(&it.blueprint, "cd34").await)?;
        at(&up.happened, it.is_whole(paper).await)?;
        let down = under(paper, plan, paper.down(&it.blueprint)).await;
        at(&down.happened, paper.taken_down(&it.blueprint).await)?;
        Ok([up.happened, down.happened].concat())
    };
    at_every_call("up dies, up; down dies, down", 1, Fault::Stop, &law);
}

#[test]
fn after_a_death_during_up_down_ends_at_zero() {
    let law = async |it: &Deployment, paper: &Paper, plan: Plan| {
        let cut = under(paper, plan, paper.up(&it.blueprint, "ab12")).await;
        at(&cut.happened, paper.taken_down(&it.blueprint).await)?;
        Ok(cut.happened)
    };
    at_every_call("up dies, down", 2, Fault::Stop, &law);
}

#[test]
fn after_a_death_during_down_up_makes_it_whole_again() {
    let law = async |it: &Deployment, paper: &Paper, plan: Plan| {
        paper.up(&it.blueprint, "ab12").await?;
        let cut = under(paper, plan, paper.down(&it.blueprint)).await;
        at(&cut.happened, paper.up(&it.blueprint, "cd34").await)?;
        at(&cut.happened, it.is_whole(paper).await)?;
        at(&cut.happened, paper.taken_down(&it.blueprint).await)?;
        Ok(cut.happened)
    };
    at_every_call("down dies, up, down", 3, Fault::Stop, &law);
}
