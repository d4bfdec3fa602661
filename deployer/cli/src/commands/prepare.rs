//! What `plan` and `up` have in common: from a file to a plan.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use deployer_aws::{TargetKind, read};
use deployer_core::blueprint::{Blueprint, Files, LARGEST, read as read_blueprint};
use deployer_core::expiry::{self, DEFAULT_LIFETIME};
use deployer_core::inventory::Ground;
use deployer_core::names::{ResourceId, Scope};
use deployer_core::plan::{Plan, Programs, Situation, plan};

use crate::bill::Bill;
use crate::failure::Failure;
use crate::home::Home;
use crate::invocation::invocation;
use crate::session::Session;

/// All that a plan was made from, and the plan.
pub(super) struct Prepared {
    pub(super) scope: Scope,
    pub(super) ground: Ground,
    pub(super) plan: Plan,
    pub(super) bill: Bill,
    /// Whether there is anything of the deployment already.
    pub(super) exists: bool,
}

/// The files that a blueprint names, beside it.
struct Beside(PathBuf);

impl Files for Beside {
    fn read(&self, name: &str) -> std::io::Result<Vec<u8>> {
        bounded(&self.0.join(name))
    }
}

/// Reads a file as far as it takes to know that it is too large: it may be a pipe or a device.
fn bounded(path: &Path) -> std::io::Result<Vec<u8>> {
    let most = u64::try_from(LARGEST).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    let mut file = std::fs::File::open(path)?.take(most.saturating_add(1));
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads and checks a blueprint. Nothing was called and nothing was made when this fails.
pub(super) fn blueprint(path: &Path) -> Result<Blueprint, Failure> {
    let bytes = bounded(path).map_err(|source| Failure::Unreadable {
        path: path.to_owned(),
        source,
        hint: format!(
            "name a blueprint, for example: {} up blueprints/elastic-cache.yaml",
            invocation()
        ),
    })?;
    let folder = path.parent().map(Path::to_owned).unwrap_or_default();
    read_blueprint(&path.display().to_string(), &bytes, &Beside(folder)).map_err(Failure::Blueprint)
}

/// Reads what there is, and plans; `remove` is what may go although it holds data.
pub(super) async fn prepare(
    home: &Home,
    session: &Session,
    blueprint: &Blueprint,
    programs: &Programs,
    remove: &[ResourceId],
) -> Result<Prepared, Failure> {
    let account = &session.account;
    let scope = account.scope(blueprint.name.clone());
    let looking = Failure::aws(format!("looking at {} in {}", account.id, account.region));
    let survey = read::survey(account, &scope, blueprint)
        .await
        .map_err(looking)?;
    let now = jiff::Timestamp::now();
    let kind = account.target.kind;
    // What bills has an end of its own.
    let usual = (kind == TargetKind::Aws).then_some(DEFAULT_LIFETIME);
    let expires_at = expiry::decide(&survey.timers, blueprint.ttl, usual, now);
    let bill = Bill::new(home, kind, blueprint, &survey.inventory, expires_at, now)?;
    let plan = plan(&Situation {
        scope: &scope,
        blueprint,
        inventory: &survey.inventory,
        ground: &survey.ground,
        programs,
        stored: &survey.stored,
        timers: &survey.timers,
        expires_at,
        remove: &remove.iter().cloned().collect(),
        database_ca: &account.target.database_ca,
        dice: &dice(),
    });
    Ok(Prepared {
        scope,
        ground: survey.ground,
        plan,
        bill,
        exists: !survey.inventory.is_empty(),
    })
}

/// A plan that asks for what no step can do is not begun.
pub(super) fn refuse_what_cannot_be(plan: &Plan) -> Result<(), Failure> {
    if plan.refusals.is_empty() {
        return Ok(());
    }
    let refused: Vec<String> = plan
        .refusals
        .iter()
        .map(|r| format!("{}: {}", r.resource, r.reason))
        .collect();
    Err(Failure::Refused {
        what: format!(
            "the blueprint asks for what cannot be done; nothing was changed:\n  {}",
            refused.join("\n  ")
        ),
        hint: String::new(),
    })
}

/// Four lower-case letters or digits.
fn dice() -> String {
    const FACES: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    (0..4)
        .map(|_| char::from(FACES[rand::random_range(0..FACES.len())]))
        .collect()
}
