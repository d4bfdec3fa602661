//! What this machine remembers of a deployment: where it was made, and what was done to it. It is
//! a help and never the truth, which is in the tags; everything works with it deleted.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Mutex;

use deployer_aws::TargetKind;
use deployer_core::blueprint::nearest;
use deployer_core::names::DeploymentName;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::home::Home;
use crate::invocation::invocation;
use crate::lock::Lock;
use crate::replaced;

/// Where a deployment was made.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Record {
    /// Its name.
    pub name: DeploymentName,
    /// The laptop, or an account.
    pub target: TargetKind,
    /// The region.
    pub region: String,
    /// The twelve digits of the account; absent in records of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The blueprint it was made from.
    pub blueprint: PathBuf,
    /// When that was begun.
    pub begun: jiff::Timestamp,
}

impl Record {
    fn path(home: &Home, name: &DeploymentName) -> PathBuf {
        home.deployments().join(format!("{name}.json"))
    }

    /// What is remembered of a deployment of that name; nothing when it cannot be read.
    #[must_use]
    pub fn read(home: &Home, name: &DeploymentName) -> Option<Record> {
        serde_json::from_slice(&std::fs::read(Record::path(home, name)).ok()?).ok()
    }

    /// All that is remembered, by name.
    #[must_use]
    pub fn all(home: &Home) -> Vec<Record> {
        let Ok(entries) = std::fs::read_dir(home.deployments()) else {
            return Vec::new();
        };
        let name = |path: PathBuf| {
            path.file_name()?
                .to_str()?
                .strip_suffix(".json")?
                .parse()
                .ok()
        };
        let mut all: Vec<Record> = entries
            .filter_map(|entry| name(entry.ok()?.path()))
            .filter_map(|name| Record::read(home, &name))
            .collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// Another that is remembered, whose name is nearly that one.
    #[must_use]
    pub fn nearest(home: &Home, name: &DeploymentName) -> Option<DeploymentName> {
        let all = Record::all(home);
        let others = all.iter().filter(|record| record.name != *name);
        nearest(name.as_str(), others.map(|record| record.name.as_str()))?
            .parse()
            .ok()
    }

    /// The command that goes on with a deployment that is not finished.
    #[must_use]
    pub fn up_again(home: &Home, name: &DeploymentName) -> String {
        let record = Record::read(home, name);
        let is_account = record.as_ref().is_some_and(|r| r.target == TargetKind::Aws);
        let blueprint = record.map_or_else(|| "BLUEPRINT".to_owned(), |r| r.as_typed());
        let target = if is_account { " --target aws" } else { "" };
        format!("{} up {blueprint}{target}", invocation())
    }

    /// Its blueprint as one would type it here.
    fn as_typed(&self) -> String {
        let here = std::env::current_dir().unwrap_or_default();
        let path = self.blueprint.strip_prefix(here).unwrap_or(&self.blueprint);
        path.display().to_string()
    }

    /// Writes it down.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, home: &Home) -> Result<(), Failure> {
        let path = Record::path(home, &self.name);
        let failed = || Failure::here::<std::io::Error>(format!("writing {}", path.display()));
        std::fs::create_dir_all(home.deployments()).map_err(failed())?;
        let text =
            serde_json::to_vec_pretty(self).map_err(Failure::here("writing down where it is"))?;
        replaced::write(&path, &text).map_err(failed())
    }

    /// Forgets a deployment that is gone.
    pub fn forget(home: &Home, name: &DeploymentName) {
        // What cannot be removed is only a help and does no harm.
        replaced::remove(&Record::path(home, name));
        let _ = std::fs::remove_file(journal_path(home, name));
        let _ = std::fs::remove_file(Lock::path(home, name));
    }
}

fn journal_path(home: &Home, name: &DeploymentName) -> PathBuf {
    home.deployments().join(format!("{name}.journal"))
}

/// The intents and ends of steps, a line each, on disk before a step begins.
#[derive(Debug)]
pub struct Journal(Mutex<File>);

/// One line of a journal.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Line<'a> {
    at: String,
    event: &'a str,
    resource: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
}

/// One line of a journal, as it is read.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Entry {
    /// When it was written.
    pub at: jiff::Timestamp,
    /// `begin`, `done` or `failed`.
    pub event: String,
    /// What of the blueprint it is about, for example `instance/manager`.
    pub resource: String,
    /// The id or name of what was made.
    #[serde(default)]
    pub id: Option<String>,
}

impl Entry {
    /// All that a deployment's journal says; nothing when there is none. A line that a crash has cut
    /// off is passed over.
    #[must_use]
    pub fn all(home: &Home, name: &DeploymentName) -> Vec<Entry> {
        let text = std::fs::read(journal_path(home, name)).unwrap_or_default();
        let lines = text.split(|byte| *byte == b'\n');
        lines
            .filter_map(|line| serde_json::from_slice(line).ok())
            .collect()
    }
}

impl Journal {
    /// Opens it, to be added to.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open(home: &Home, name: &DeploymentName) -> Result<Journal, Failure> {
        let path = journal_path(home, name);
        std::fs::create_dir_all(home.deployments())
            .map_err(Failure::here("making the journal's folder"))?;
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path);
        let file = file.map_err(Failure::here(format!("opening {}", path.display())))?;
        Ok(Journal(Mutex::new(file)))
    }

    /// Writes a line down to the disk. A journal that cannot be written is no reason to stop: the
    /// tags tell the same.
    pub fn write(&self, event: &str, resource: &str, id: Option<&str>) {
        let line = Line {
            at: jiff::Timestamp::now().to_string(),
            event,
            resource,
            id,
        };
        let Ok(mut text) = serde_json::to_vec(&line) else {
            return;
        };
        text.push(b'\n');
        if let Ok(mut file) = self.0.lock() {
            let _ = file.write_all(&text).and_then(|()| file.sync_data());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn record(home: &Home, name: &str, target: TargetKind) {
        let record = Record {
            name: name.parse().unwrap(),
            target,
            region: "us-east-1".to_owned(),
            account: None,
            blueprint: PathBuf::from("/elsewhere/photos.yaml"),
            begun: jiff::Timestamp::UNIX_EPOCH,
        };
        record.write(home).unwrap();
    }

    #[test]
    fn another_of_nearly_that_name_is_found_and_not_itself() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::temporary(folder.path());
        let nearest = |name: &str| {
            let near = Record::nearest(&home, &name.parse().unwrap());
            near.map(|near| near.to_string())
        };
        assert_eq!(nearest("photos"), None);
        record(&home, "photos", TargetKind::Local);
        assert_eq!(nearest("photo"), Some("photos".to_owned()));
        assert_eq!(nearest("photos"), None);
        assert_eq!(nearest("elastic-cache"), None);
    }

    #[test]
    fn what_goes_on_with_a_deployment_names_its_blueprint_and_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::temporary(folder.path());
        record(&home, "photos", TargetKind::Aws);
        let again = Record::up_again(&home, &"photos".parse().unwrap());
        let typed = " up /elsewhere/photos.yaml --target aws";
        assert!(again.ends_with(typed), "{again}");
        let unknown = Record::up_again(&home, &"other".parse().unwrap());
        assert!(unknown.ends_with(" up BLUEPRINT"), "{unknown}");
    }
}
