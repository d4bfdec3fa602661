//! What an instance reads at its first boot: a shell script with one line for `boot`.
//!
//! The scripts are the same on AWS and on a laptop, where `BIVOUAC_ROOT` names the folder that is
//! the instance's system.

use handlebars::Handlebars;
use serde::{Deserialize, Serialize};

/// The most bytes of user data that EC2 takes, before they are encoded.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html>
pub const LARGEST: usize = 16_384;

const INSTANCE: &str = include_str!("../../../userdata/instance.sh.hbs");
const BUILDER: &str = include_str!("../../../userdata/builder.sh.hbs");
const INSTALL: &str = include_str!("../../../userdata/install.sh.hbs");
const UNIT: &str = include_str!("../../../userdata/bivouac.service");

/// All that the builder's script is made from but its values: part of what an image is named by.
pub const BUILDER_TEMPLATE: &str = concat!(
    include_str!("../../../userdata/builder.sh.hbs"),
    include_str!("../../../userdata/install.sh.hbs"),
    include_str!("../../../userdata/bivouac.service"),
);

/// How the line begins that `boot` looks for.
const LINE: &str = "# bivouac: ";

/// Who an instance is, and where the rest is written: the line that `boot` reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Header {
    /// The deployment.
    pub deployment: String,
    /// The region.
    pub region: String,
    /// The bucket with settings and secrets.
    pub bucket: String,
    /// What the instance is in the blueprint, for example `instance/manager` or `pool/cache`.
    pub resource: String,
    /// The key of its settings in the bucket.
    pub settings: String,
    /// The key of its secrets in the bucket.
    pub secrets: String,
}

/// A program to install.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Download {
    /// Its name in `/opt/bivouac/bin`.
    pub name: String,
    /// What its bytes hash to, in 64 hexadecimal digits.
    pub sha256: String,
    /// A presigned address to get it from; whoever has it may, so it is never shown.
    pub url: String,
}

impl std::fmt::Debug for Download {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Download")
            .field("name", &self.name)
            .field("sha256", &self.sha256)
            .finish_non_exhaustive()
    }
}

/// Why there is no script.
#[derive(Debug, thiserror::Error)]
pub enum UserDataError {
    /// More than EC2 takes.
    #[error("the user data has {0} bytes; EC2 takes {LARGEST}: shorten the recipe's lines")]
    TooLarge(usize),
    /// A character that a script cannot hold.
    #[error("{0} holds a NUL or a carriage return, which a script cannot")]
    Character(&'static str),
    /// A value of the wrong form.
    #[error("`{value}` is not {what}")]
    Value {
        /// What it should be.
        what: &'static str,
        /// What it is.
        value: String,
    },
    /// A template of ours is broken.
    #[error("fill in the user data: {0}")]
    Template(#[source] Box<handlebars::RenderError>),
    /// The line for `boot` cannot be written.
    #[error("write the line for boot: {0}")]
    Header(#[source] serde_json::Error),
}

/// The script of a single instance: installs programs and starts `boot`.
///
/// # Errors
/// When a value is of the wrong form, or the script is larger than EC2 takes.
pub fn instance_script(header: &Header, downloads: &[Download]) -> Result<String, UserDataError> {
    render("instance", header, downloads, &[], "")
}

/// The script of a builder: installs programs, runs the recipe's lines, uploads the ok object to
/// `ok_url` (a presigned PUT) and powers off. When something fails there is no ok object.
///
/// # Errors
/// When a value is of the wrong form, or the script is larger than EC2 takes.
pub fn builder_script(
    header: &Header,
    downloads: &[Download],
    run: &[String],
    ok_url: &str,
) -> Result<String, UserDataError> {
    check_url(ok_url)?;
    render("builder", header, downloads, run, ok_url)
}

/// The user data of an instance whose image holds everything: the line for `boot`, and a script
/// that does nothing.
///
/// # Errors
/// When the line cannot be written.
pub fn node_script(header: &Header) -> Result<String, UserDataError> {
    let header = serde_json::to_string(header).map_err(UserDataError::Header)?;
    Ok(format!("#!/bin/bash\n{LINE}{header}\nexit 0\n"))
}

/// Finds the line for `boot` in user data, wherever it stands.
#[must_use]
pub fn parse(text: &str) -> Option<Header> {
    let line = text.lines().find_map(|line| line.strip_prefix(LINE))?;
    serde_json::from_str(line.trim_end()).ok()
}

/// What the templates name. `{{…}}` quotes for the shell, `{{{…}}}` does not.
#[derive(Serialize)]
struct Values<'a> {
    header: String,
    downloads: &'a [Download],
    run: Vec<Line<'a>>,
    ok_url: &'a str,
    unit: &'static str,
}

/// One line of a recipe, counted from 1.
#[derive(Serialize)]
struct Line<'a> {
    number: usize,
    line: &'a str,
}

fn render(
    template: &str,
    header: &Header,
    downloads: &[Download],
    run: &[String],
    ok_url: &str,
) -> Result<String, UserDataError> {
    for download in downloads {
        check_download(download)?;
    }
    if run.iter().any(|line| line.contains(['\0', '\r'])) {
        return Err(UserDataError::Character("a line of the recipe"));
    }
    let values = Values {
        header: serde_json::to_string(header).map_err(UserDataError::Header)?,
        downloads,
        run: (1..)
            .zip(run)
            .map(|(number, line)| Line { number, line })
            .collect(),
        ok_url,
        unit: UNIT,
    };
    let script = templates()
        .and_then(|templates| templates.render(template, &values))
        .map_err(|error| UserDataError::Template(Box::new(error)))?;
    match script.len() {
        length if length > LARGEST => Err(UserDataError::TooLarge(length)),
        _ if script.contains('\r') => Err(UserDataError::Character("a template")),
        _ => Ok(script),
    }
}

fn templates() -> Result<Handlebars<'static>, handlebars::RenderError> {
    let mut templates = Handlebars::new();
    templates.set_strict_mode(true);
    templates.register_escape_fn(quoted);
    for (name, text) in [
        ("instance", INSTANCE),
        ("builder", BUILDER),
        ("install", INSTALL),
    ] {
        templates.register_template_string(name, text)?;
    }
    Ok(templates)
}

/// One word for the shell, whatever is in it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn check_download(download: &Download) -> Result<(), UserDataError> {
    let Download { name, sha256, url } = download;
    let wrong = |what, value: &String| {
        Err(UserDataError::Value {
            what,
            value: value.clone(),
        })
    };
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if name.is_empty() || name.starts_with('-') || !name.bytes().all(letter) {
        return wrong("the name of a program", name);
    }
    if sha256.len() != 64 || !sha256.bytes().all(|b| b.is_ascii_hexdigit()) {
        return wrong("a SHA-256", sha256);
    }
    check_url(url)
}

/// An address as it may stand in curl's configuration, between double quotes. It is a secret, so
/// the error does not repeat it.
fn check_url(url: &str) -> Result<(), UserDataError> {
    let web = url.starts_with("https://") || url.starts_with("http://");
    if web
        && url
            .bytes()
            .all(|b| b.is_ascii_graphic() && !b"\"\\".contains(&b))
    {
        return Ok(());
    }
    Err(UserDataError::Value {
        what: "an address",
        value: "…".into(),
    })
}
