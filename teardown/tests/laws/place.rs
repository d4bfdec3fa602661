//! An account of its own for each test, with a blueprint, and what is done with it.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_credential_types::Credentials;
use deployer_aws::carry_out::Site;
use deployer_aws::progress::Progress;
use deployer_aws::{Account, AwsError, Pace, Target, TargetKind, read, stored};
use deployer_core::blueprint::{Blueprint, Files, read as read_blueprint};
use deployer_core::destroy::Removal;
use deployer_core::names::{ResourceId, Scope};
use deployer_core::plan::{Action, Plan, Program, Programs, Situation, plan};
use deployer_core::settings::home_bucket;
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

/// An account of its own, in this process; databases are real, machines are paper.
pub(crate) struct Place {
    pub(crate) account: Account,
    pub(crate) blueprint: Blueprint,
    programs: Programs,
    pub(crate) remove: BTreeSet<ResourceId>,
    pub(crate) cloud: Running,
    folder: TempDir,
}

impl Place {
    pub(crate) async fn new(blueprint: &Blueprint) -> Place {
        let folder = tempfile::Builder::new()
            .prefix("bivouac-laws-")
            .tempdir_in("/var/tmp")
            .unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
        let mut options = Options::paper(folder.path().join("cloud"));
        options.init_program = Some(localcloud_program());
        let cloud = localcloud::start(options).await.unwrap();
        let key = cloud.credentials();
        let target = Target {
            kind: TargetKind::Local,
            endpoint: Some(cloud.endpoint()),
            credentials: Some(Credentials::new(
                &key.access_key_id,
                &key.secret_access_key,
                None,
                None,
                "test",
            )),
            database_ca: std::fs::read_to_string(cloud.ca()).unwrap(),
            address_lookup: format!("{}/checkip", cloud.endpoint()),
            pace: Pace {
                poll: Duration::from_millis(2),
                ..Pace::LAPTOP
            },
        };
        let account = Account::connect(target, &blueprint.region).await.unwrap();
        let programs = write_programs(folder.path());
        Place {
            account,
            blueprint: blueprint.clone(),
            programs,
            remove: BTreeSet::new(),
            cloud,
            folder,
        }
    }

    pub(crate) fn scope(&self) -> Scope {
        self.account.scope(self.blueprint.name.clone())
    }

    /// A plan made from what is there now, and a site to carry it out on.
    pub(crate) async fn plan(&self, dice: &str) -> (Plan, Site) {
        let scope = self.scope();
        let survey = read::survey(&self.account, &scope, &self.blueprint);
        let survey = survey.await.unwrap();
        let plan = plan(&Situation {
            scope: &scope,
            blueprint: &self.blueprint,
            inventory: &survey.inventory,
            ground: &survey.ground,
            programs: &self.programs,
            stored: &survey.stored,
            remove: &self.remove,
            database_ca: &self.account.target.database_ca,
            dice,
        });
        let folder = self.folder.path().to_owned();
        let known = plan.known.clone();
        let site = Site::new(
            self.account.clone(),
            scope,
            self.blueprint.clone(),
            survey.ground,
            folder,
            self.programs.clone(),
            known,
        );
        (plan, site)
    }

    /// Carries out the first steps of a plan.
    pub(crate) async fn carry_out(&self, steps: usize, dice: &str) {
        let (plan, site) = self.plan(dice).await;
        for step in plan.steps.iter().take(steps) {
            self.stand_in_for_the_builder(&site, &step.action).await;
            let done = site.carry_out(&step.action, &Progress::silent()).await;
            done.unwrap_or_else(|error| panic!("{}: {error}", step.resource));
        }
    }

    /// A paper builder runs no recipe: its ok object is written for it.
    async fn stand_in_for_the_builder(&self, site: &Site, action: &Action) {
        if let Action::BakeImage { inputs, .. } = action {
            let known = site.known();
            let bucket = home_bucket(&self.blueprint, &known).unwrap();
            stored::put(
                &self.account,
                bucket,
                &format!("bake/{inputs}.ok"),
                b"{}".to_vec().into(),
                "text/plain",
            )
            .await
            .unwrap();
        }
    }

    pub(crate) async fn settled(&self) {
        let (plan, _) = self.plan("zzzz").await;
        assert!(plan.is_empty(), "{:#?}", plan.steps);
    }

    /// Tears down, and looks into the account by other means whether nothing is left.
    pub(crate) async fn clean(self) {
        let (_told, stop) = watch::channel(false);
        let verdict = tear_down(&self.account, &self.scope(), Duration::ZERO, stop, &Silent).await;
        assert!(matches!(verdict, Verdict::Zero), "{verdict:?}");
        assert!(
            self.cloud.cloud().remaining().is_empty(),
            "{:?}",
            self.cloud.cloud().remaining()
        );
        self.cloud.shutdown().await;
    }
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
    ["boot", "cache-node", "front-end", "manager", "scaler"]
        .into_iter()
        .map(write)
        .collect()
}

/// Databases are ended through the program `localcloud`, which cargo puts one folder above tests.
fn localcloud_program() -> PathBuf {
    let program = std::env::current_exe()
        .unwrap()
        .parent()
        .unwrap()
        .parent()
        .unwrap()
        .join("localcloud");
    assert!(
        program.is_file(),
        "build the programs first: cargo build --release --bins"
    );
    program
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
