//! An account on paper, in this process, and what a laptop does with it.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_credential_types::Credentials;
use bytes::Bytes;
use deployer_aws::carry_out::Site;
use deployer_aws::graph::{AfterFailure, Work, run};
use deployer_aws::progress::Progress;
use deployer_aws::{Account, AwsError, CallPace, Pace, Target, TargetKind, read, stored};
use deployer_core::blueprint::{Blueprint, Files, read as read_blueprint};
use deployer_core::destroy::Removal;
use deployer_core::expiry::Expiry;
use deployer_core::names::{ResourceId, TAG_RESOURCE};
use deployer_core::plan::{Action, Plan, Program, Programs, Situation, plan};
use deployer_core::settings::home_bucket;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use localcloud::{Options, Running};
use sha2::{Digest, Sha256};
use teardown::{Observer, Verdict, tear_down};
use tempfile::TempDir;
use tokio::sync::watch;

struct Folder(PathBuf);

impl Files for Folder {
    fn read(&self, name: &str) -> std::io::Result<Vec<u8>> {
        std::fs::read(self.0.join(name))
    }
}

/// Every blueprint that is shipped.
pub(crate) fn blueprints() -> Vec<Blueprint> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../blueprints");
    let files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    assert!(!files.is_empty());
    let read = |file: &PathBuf| {
        read_blueprint(
            &file.display().to_string(),
            &std::fs::read(file).unwrap(),
            &Folder(folder.clone()),
        )
        .unwrap()
    };
    files
        .iter()
        .filter(|f| f.extension().is_some_and(|e| e == "yaml"))
        .map(read)
        .collect()
}

/// No data may be lost.
static NOTHING: BTreeSet<ResourceId> = BTreeSet::new();

/// How long a call waits for an answer that is on its way.
pub(crate) const PATIENT: Duration = Duration::from_secs(20);

/// How many there are of each thing that is ours, by its kind and its tag.
pub(crate) type Census = BTreeMap<(&'static str, String), usize>;

/// A localcloud of its own, on paper, and the programs that a laptop would have built.
pub(crate) struct Paper {
    pub(crate) cloud: Running,
    programs: Programs,
    folder: TempDir,
    /// How long a laptop's calls wait for an answer.
    pub(crate) attempt: Cell<Duration>,
}

impl Paper {
    pub(crate) async fn new() -> Paper {
        let folder = tempfile::Builder::new()
            .prefix("bivouac-laws-")
            .tempdir()
            .unwrap();
        let options = Options::paper(folder.path().join("cloud"));
        Paper {
            cloud: localcloud::start(options).await.unwrap(),
            programs: write_programs(folder.path()),
            folder,
            attempt: Cell::new(PATIENT),
        }
    }

    fn target(&self) -> Target {
        let key = self.cloud.credentials();
        Target {
            kind: TargetKind::Local,
            endpoint: Some(self.cloud.endpoint()),
            credentials: Some(Credentials::new(
                &key.access_key_id,
                &key.secret_access_key,
                None,
                None,
                "test",
            )),
            database_ca: std::fs::read_to_string(self.cloud.ca()).unwrap(),
            address_lookup: format!("{}/checkip", self.cloud.endpoint()),
            pace: Pace {
                poll: Duration::from_millis(2),
                between_scans: Duration::from_millis(2),
                call: CallPace {
                    first_wait: Duration::from_millis(1),
                    longest_wait: Duration::from_millis(1),
                    attempt: self.attempt.get(),
                    upload: self.attempt.get(),
                    ..Pace::LAPTOP.call
                },
                ..Pace::LAPTOP
            },
        }
    }

    /// A laptop's connection, with clients of its own.
    pub(crate) async fn connect(&self, region: &str) -> Result<Account, AwsError> {
        Account::connect(self.target(), region).await
    }

    /// A plan made from what is there now, and a site to carry it out on.
    pub(crate) async fn plan(
        &self,
        account: &Account,
        blueprint: &Blueprint,
        remove: &BTreeSet<ResourceId>,
        dice: &str,
    ) -> Result<(Plan, Site), AwsError> {
        let scope = account.scope(blueprint.name.clone());
        let survey = read::survey(account, &scope, blueprint).await?;
        let plan = plan(&Situation {
            scope: &scope,
            blueprint,
            inventory: &survey.inventory,
            ground: &survey.ground,
            programs: &self.programs,
            stored: &survey.stored,
            timers: &survey.timers,
            expires_at: survey.timers.expires_at().or(end()),
            remove,
            database_ca: &account.target.database_ca,
            dice,
        });
        let site = Site::new(
            account.clone(),
            scope,
            blueprint.clone(),
            survey.ground,
            self.folder.path().to_owned(),
            self.programs.clone(),
            plan.known.clone(),
        );
        Ok((plan, site))
    }

    /// `up` as the program does it: on a connection of its own, each step as soon as what it needs
    /// is done.
    pub(crate) async fn up(&self, blueprint: &Blueprint, dice: &str) -> Result<(), String> {
        let account = self
            .connect(&blueprint.region)
            .await
            .map_err(|e| told(&e))?;
        let plan = self.plan(&account, blueprint, &NOTHING, dice);
        let (plan, site) = plan.await.map_err(|e| told(&e))?;
        if !plan.refusals.is_empty() {
            return Err(format!("refused: {:?}", plan.refusals));
        }
        let needs: Vec<Vec<usize>> = plan.steps.iter().map(|s| s.needs.clone()).collect();
        let work = |index: usize| -> Work<'_> {
            let action = &plan.steps[index].action;
            Box::pin(async { carry_out(&site, action).await.map(drop) })
        };
        let (_told, stop) = watch::channel(false);
        let outcome = run(&needs, AfterFailure::Stop, stop, work).await;
        let mut failed = outcome.failed.into_iter();
        match failed.next() {
            None => Ok(()),
            Some((step, error)) => Err(format!("{}: {}", plan.steps[step].resource, told(&error))),
        }
    }

    /// `down` as the program does it, on a connection of its own, with nothing but the name.
    pub(crate) async fn down(&self, blueprint: &Blueprint) -> Result<Verdict, String> {
        let account = self
            .connect(&blueprint.region)
            .await
            .map_err(|e| told(&e))?;
        let scope = account.scope(blueprint.name.clone());
        let (_told, stop) = watch::channel(false);
        Ok(tear_down(&account, &scope, Duration::ZERO, stop, &Silent).await)
    }

    /// Plans again: nothing is to be done.
    pub(crate) async fn settled(&self, blueprint: &Blueprint) -> Result<(), String> {
        let account = self
            .connect(&blueprint.region)
            .await
            .map_err(|e| told(&e))?;
        let plan = self.plan(&account, blueprint, &NOTHING, "zzzz");
        let (plan, _) = plan.await.map_err(|e| told(&e))?;
        if plan.is_empty() {
            return Ok(());
        }
        let steps: Vec<&str> = plan.steps.iter().map(|s| s.resource.as_str()).collect();
        Err(format!("not settled: {steps:?}, {:?}", plan.refusals))
    }

    /// Takes down, and looks into the account by other means whether anything is left.
    pub(crate) async fn taken_down(&self, blueprint: &Blueprint) -> Result<(), String> {
        match self.down(blueprint).await? {
            Verdict::Zero => self.is_empty(),
            verdict => Err(format!("down ended with {verdict:?}")),
        }
    }

    /// Whether nothing is left in the account, as the cloud itself knows.
    pub(crate) fn is_empty(&self) -> Result<(), String> {
        match self.cloud.cloud().remaining() {
            left if left.is_empty() => Ok(()),
            left => Err(format!("left in the account: {left:?}")),
        }
    }

    /// What is in the account, as the cloud itself knows.
    pub(crate) fn census(&self) -> Census {
        let mut census = Census::new();
        for thing in self.cloud.cloud().things() {
            let name = thing.tags.get(TAG_RESOURCE).cloned().unwrap_or_default();
            *census.entry((thing.kind, name)).or_default() += 1;
        }
        census
    }
}

/// Carries one step out. A paper builder runs no recipe: its ok object is written for it, with a
/// presigned URL, as a builder has it.
pub(crate) async fn carry_out(site: &Site, action: &Action) -> Result<Option<String>, AwsError> {
    if let Action::BakeImage { inputs, .. } = action {
        let known = site.known();
        let bucket = home_bucket(&site.blueprint, &known)?;
        let key = format!("bake/{inputs}.ok");
        let url = stored::presigned_put(&site.account, bucket, &key).await?;
        let body = Full::new(Bytes::from_static(b"{}"));
        let put = http::Request::put(url).body(body).unwrap();
        let builder = Client::builder(TokioExecutor::new()).build_http();
        let answer = builder.request(put).await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
    }
    site.carry_out(action, &Progress::silent()).await
}

/// An error with its causes.
pub(crate) fn told(error: &AwsError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Every deployment here has an end, so that whatever a law says holds of its tags too.
fn end() -> Option<Expiry> {
    "2030-01-01T00:00:00Z".parse().ok()
}

/// Small files in the place of programs.
fn write_programs(folder: &Path) -> Programs {
    let write = |name: &str| {
        let bytes = format!("the program {name}").into_bytes();
        std::fs::write(folder.join(name), &bytes).unwrap();
        let sha256 = hex::encode(Sha256::digest(&bytes));
        (
            name.to_owned(),
            Program {
                sha256,
                size: bytes.len() as u64,
                needs: None,
            },
        )
    };
    needed_by(&blueprints()).iter().map(|n| write(n)).collect()
}

fn needed_by(blueprints: &[Blueprint]) -> BTreeSet<String> {
    let needed = blueprints.iter().map(deployer_core::plan::needed_programs);
    needed.flatten().collect()
}

pub(crate) struct Silent;

impl Observer for Silent {
    fn planned(&self, _: &[Removal]) {}
    fn started(&self, _: usize) {}
    fn progress(&self, _: usize) -> Progress {
        Progress::silent()
    }
    fn ended(&self, _: usize, _: &Result<(), AwsError>) {}
    fn scanning(&self, _: u32, _: Duration) {}
}
