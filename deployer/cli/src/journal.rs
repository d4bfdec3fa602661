//! What this machine remembers of a deployment: where it was made, and what was done to it. It is
//! a help and never the truth, which is in the tags; everything works with it deleted.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Mutex;

use deployer_aws::TargetKind;
use deployer_core::names::DeploymentName;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::home::Home;
use crate::lock::Lock;

/// Where a deployment was made.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Record {
    pub(crate) name: DeploymentName,
    pub(crate) target: TargetKind,
    pub(crate) region: String,
    pub(crate) blueprint: PathBuf,
    pub(crate) begun: jiff::Timestamp,
}

impl Record {
    fn path(home: &Home, name: &DeploymentName) -> PathBuf {
        home.deployments().join(format!("{name}.json"))
    }

    /// What is remembered of a deployment of that name; nothing when it cannot be read.
    pub(crate) fn read(home: &Home, name: &DeploymentName) -> Option<Record> {
        serde_json::from_slice(&std::fs::read(Record::path(home, name)).ok()?).ok()
    }

    /// All that is remembered, by name.
    pub(crate) fn all(home: &Home) -> Vec<Record> {
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

    pub(crate) fn write(&self, home: &Home) -> Result<(), Failure> {
        let path = Record::path(home, &self.name);
        let failed = || Failure::here::<std::io::Error>(format!("writing {}", path.display()));
        std::fs::create_dir_all(home.deployments()).map_err(failed())?;
        let text =
            serde_json::to_vec_pretty(self).map_err(Failure::here("writing down where it is"))?;
        let next = path.with_extension("json.next");
        let written = std::fs::write(&next, text).and_then(|()| std::fs::rename(&next, &path));
        if written.is_err() {
            // What is there of it takes room on a disk that has none.
            let _ = std::fs::remove_file(&next);
        }
        written.map_err(failed())
    }

    /// Forgets a deployment that is gone.
    pub(crate) fn forget(home: &Home, name: &DeploymentName) {
        // What cannot be removed is only a help and does no harm.
        let _ = std::fs::remove_file(Record::path(home, name));
        let _ = std::fs::remove_file(journal_path(home, name));
        let _ = std::fs::remove_file(Lock::path(home, name));
    }
}

fn journal_path(home: &Home, name: &DeploymentName) -> PathBuf {
    home.deployments().join(format!("{name}.journal"))
}

/// The intents and ends of steps, a line each, on disk before a step begins.
#[derive(Debug)]
pub(crate) struct Journal(Mutex<File>);

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

impl Journal {
    pub(crate) fn open(home: &Home, name: &DeploymentName) -> Result<Journal, Failure> {
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
    pub(crate) fn write(&self, event: &str, resource: &str, id: Option<&str>) {
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
