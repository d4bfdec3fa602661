//! The settings file that `boot` wrote for the services of this instance.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The environment variable that names the settings file.
pub const VARIABLE: &str = "BIVOUAC_SETTINGS";

/// The instance a service runs on, under `"instance"` in the settings.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Instance {
    /// EC2 instance id, such as `i-0123456789abcdef0`.
    pub id: String,
    /// The private address: what services bind to and tell each other.
    pub address: IpAddr,
    /// Availability zone, such as `us-east-1a`.
    pub zone: String,
    /// Instance type, such as `t3.micro`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Region, such as `us-east-1`.
    pub region: String,
}

/// A string that must not reach a log: `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret that did not come from the settings file.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret itself, for the call that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

/// Why the settings could not be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Nobody said where the settings are.
    #[error(
        "reading the settings: the variable {VARIABLE} is not set (boot sets it to the path of settings.json)"
    )]
    Unnamed,
    /// The file cannot be read.
    #[error("reading the settings file {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not JSON, or a field is missing or of the wrong kind.
    #[error("reading the settings file {}: field `{field}`", path.display())]
    Field {
        /// The file.
        path: PathBuf,
        /// Dotted path of the field, `.` for the file as a whole.
        field: String,
        /// What was wrong with it.
        source: serde_json::Error,
    },
}

/// Reads the file that `BIVOUAC_SETTINGS` names as `T`; keys are kebab-case, keys that `T` does not
/// know are other services' and are ignored.
///
/// # Errors
/// When the variable is unset, the file unreadable, or a field missing or of the wrong kind.
pub fn load<T: DeserializeOwned>() -> Result<T, SettingsError> {
    let path = std::env::var_os(VARIABLE).ok_or(SettingsError::Unnamed)?;
    load_from(Path::new(&path))
}

/// Reads the settings from `path`.
///
/// # Errors
/// As [`load`].
pub fn load_from<T: DeserializeOwned>(path: &Path) -> Result<T, SettingsError> {
    let text = std::fs::read(path).map_err(|source| SettingsError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    let mut json = serde_json::Deserializer::from_slice(&text);
    serde_path_to_error::deserialize(&mut json).map_err(|error| SettingsError::Field {
        path: path.to_owned(),
        field: error.path().to_string(),
        source: error.into_inner(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::error::Error;
    use std::io::Write;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct Settings {
        instance: Instance,
        front_end: FrontEnd,
        secret: Secret,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct FrontEnd {
        upload_limit: u64,
    }

    fn parse(text: &str) -> Result<Settings, SettingsError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        load_from(file.path())
    }

    const INSTANCE: &str = r#""instance":{"id":"i-1","address":"127.0.0.1","zone":"us-east-1a","type":"t3.micro","region":"us-east-1"}"#;

    #[test]
    fn reads_what_it_knows_and_leaves_the_rest_to_others() {
        let text = format!(
            r#"{{{INSTANCE},"front-end":{{"upload-limit":7,"port":1}},"secret":"s","pool":{{}}}}"#
        );
        let settings = parse(&text).unwrap();
        assert_eq!(settings.front_end.upload_limit, 7);
        assert_eq!(settings.instance.kind, "t3.micro");
        assert_eq!(settings.secret.expose(), "s");
        assert!(!format!("{settings:?}").contains(r#""s""#));
    }

    #[test]
    fn an_error_names_file_and_field() {
        let text = format!(r#"{{{INSTANCE},"front-end":{{"upload-limit":"big"}},"secret":"s"}}"#);
        let error = parse(&text).unwrap_err();
        assert!(
            error.to_string().contains("front-end.upload-limit"),
            "{error}"
        );
        assert!(error.source().unwrap().to_string().contains("expected u64"));
        let error = parse("{").unwrap_err();
        assert!(error.to_string().contains("settings file /"), "{error}");
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = load_from::<Settings>(Path::new("/nowhere/settings.json")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "reading the settings file /nowhere/settings.json"
        );
    }
}
