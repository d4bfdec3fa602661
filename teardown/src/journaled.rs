//! What this machine's journal says of a deployment, as far as a teardown needs it.

use deployer_aws::read::Remembered;
use deployer_core::names::DeploymentName;
use deployer_session::home::Home;
use deployer_session::journal::Entry;
use jiff::Timestamp;

use crate::receipt::Made;

/// What was made and when; nothing where there is no journal.
#[derive(Debug, Default)]
pub struct Journaled {
    /// What was made.
    pub made: Vec<Made>,
    /// The same, to be looked for.
    pub remembered: Remembered,
    /// When the last step was begun or ended.
    pub last: Option<Timestamp>,
}

impl Journaled {
    /// Reads the journal of a deployment.
    #[must_use]
    pub fn read(home: &Home, name: &DeploymentName) -> Journaled {
        let entries = Entry::all(home, name);
        let done = entries.iter().filter(|e| e.event == "done");
        let made: Vec<Made> = done
            .filter_map(|e| {
                Some(Made {
                    resource: e.resource.clone(),
                    id: e.id.clone()?,
                    at: e.at,
                })
            })
            .collect();
        let remembered = made.iter().map(|m| (m.id.clone(), m.resource.clone()));
        Journaled {
            remembered: remembered.collect(),
            last: entries.last().map(|e| e.at),
            made,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use deployer_session::journal::Journal;

    #[test]
    fn a_journal_hands_on_the_ids_of_what_was_made() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::temporary(folder.path());
        let name = "camp".parse().unwrap();
        let journal = Journal::open(&home, &name).unwrap();
        journal.write("begin", "instance/manager", None);
        journal.write("done", "instance/manager", Some("i-1"));
        journal.write("begin", "database/catalog", None);
        let read = Journaled::read(&home, &name);
        let remembered: Vec<_> = read.remembered.into_iter().collect();
        assert_eq!(
            remembered,
            [("i-1".to_owned(), "instance/manager".to_owned())]
        );
        assert_eq!(read.made.len(), 1);
        assert!(read.last.unwrap() >= read.made[0].at);
    }
}
