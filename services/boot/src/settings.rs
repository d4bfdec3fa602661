//! The settings file: what the bucket says, together with what the instance is.

use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::metadata::Facts;

/// Settings that services can be started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// The services to start, by the names of their programs.
    pub services: Vec<String>,
    text: Vec<u8>,
}

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// An object of the bucket is not a JSON object.
    #[error("the {0} are not a JSON object")]
    NoObject(&'static str, #[source] serde_json::Error),
    /// They do not say what to start.
    #[error("the settings' field `services` is not a list of one or more programs' names")]
    Services,
    /// They cannot be written as JSON.
    #[error("the settings cannot be written")]
    Write(#[source] serde_json::Error),
}

impl Prepared {
    /// Puts together the objects of the bucket and the facts of the instance.
    ///
    /// # Errors
    /// When the objects are not what the deployer writes.
    pub fn new(settings: &[u8], secrets: &[u8], facts: &Facts) -> Result<Self, PrepareError> {
        let hash = hex::encode(Sha256::digest(settings));
        let mut all = object("settings", settings)?;
        let services = services(&all).ok_or(PrepareError::Services)?;
        all.insert(
            "secrets".to_owned(),
            Value::Object(object("secrets", secrets)?),
        );
        let facts = serde_json::to_value(facts).map_err(PrepareError::Write)?;
        all.insert("instance".to_owned(), facts);
        all.insert("settings-hash".to_owned(), Value::String(hash));
        let text = serde_json::to_vec_pretty(&all).map_err(PrepareError::Write)?;
        Ok(Self { services, text })
    }
}

fn object(name: &'static str, text: &[u8]) -> Result<Map<String, Value>, PrepareError> {
    serde_json::from_slice(text).map_err(|error| PrepareError::NoObject(name, error))
}

fn services(settings: &Map<String, Value>) -> Option<Vec<String>> {
    let names: Option<Vec<String>> = settings
        .get("services")?
        .as_array()?
        .iter()
        .map(|name| {
            name.as_str()
                .filter(|name| is_program(name))
                .map(str::to_owned)
        })
        .collect();
    names.filter(|names| !names.is_empty())
}

/// Letters, digits and hyphens: a name in our own folder, never a path.
fn is_program(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty() && name.bytes().all(allowed)
}

/// The file that services read their settings from.
#[derive(Debug, Clone)]
pub struct SettingsFile(PathBuf);

impl SettingsFile {
    /// The file below the instance's root.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self(root.join("run/bivouac/settings.json"))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes it whole or not at all; only its owner may read it.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write(&self, prepared: &Prepared) -> io::Result<()> {
        let folder = self.0.parent().unwrap_or(Path::new("/"));
        std::fs::create_dir_all(folder)?;
        let mut file = tempfile::Builder::new()
            .permissions(std::fs::Permissions::from_mode(0o600))
            .tempfile_in(folder)?;
        file.write_all(&prepared.text)?;
        file.as_file().sync_all()?;
        file.persist(&self.0)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn facts() -> Facts {
        Facts {
            id: "i-1".to_owned(),
            address: "127.0.0.1".to_owned(),
            zone: "us-east-1a".to_owned(),
            kind: "t3.micro".to_owned(),
            region: "us-east-1".to_owned(),
        }
    }

    #[test]
    fn the_file_is_what_services_read() {
        let root = tempfile::tempdir().unwrap();
        let settings = br#"{"services":["cache-node"],"cache-node":{"port":5003}}"#;
        let secrets = br#"{"internal-token":"0123456789abcdef"}"#;
        let prepared = Prepared::new(settings, secrets, &facts()).unwrap();
        assert_eq!(prepared.services, ["cache-node"]);
        let file = SettingsFile::new(root.path());
        file.write(&prepared).unwrap();
        file.write(&prepared).unwrap();
        assert_eq!(
            file.path().metadata().unwrap().permissions().mode() & 0o777,
            0o600
        );
        let folder = file.path().parent().unwrap();
        assert_eq!(
            std::fs::read_dir(folder).unwrap().count(),
            1,
            "nothing else is left"
        );
        let read: Value = serde_json::from_slice(&std::fs::read(file.path()).unwrap()).unwrap();
        assert_eq!(read["cache-node"]["port"], 5003);
        assert_eq!(read["secrets"]["internal-token"], "0123456789abcdef");
        assert_eq!(read["instance"]["type"], "t3.micro");
        assert_eq!(read["settings-hash"], hex::encode(Sha256::digest(settings)));
        let instance: kit::settings::Instance =
            serde_json::from_value(read["instance"].clone()).unwrap();
        assert_eq!(instance.id, "i-1");
    }

    #[test]
    fn what_cannot_be_started_is_refused() {
        let prepare = |settings: &str| Prepared::new(settings.as_bytes(), b"{}", &facts());
        for bad in [
            r#"{}"#,
            r#"{"services":[]}"#,
            r#"{"services":"cache-node"}"#,
            r#"{"services":["../../bin/sh"]}"#,
            r#"{"services":["a",1]}"#,
        ] {
            assert!(matches!(prepare(bad), Err(PrepareError::Services)), "{bad}");
        }
        for bad in ["", "[]", "{"] {
            assert!(
                matches!(prepare(bad), Err(PrepareError::NoObject("settings", _))),
                "{bad}"
            );
        }
        let error = Prepared::new(br#"{"services":["a"]}"#, b"7", &facts()).unwrap_err();
        assert_eq!(error.to_string(), "the secrets are not a JSON object");
    }
}
