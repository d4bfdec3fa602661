//! `deploy env`: what makes other AWS tools use this laptop's cloud.

use std::collections::BTreeSet;
use std::io::IsTerminal;

use deployer_aws::TargetKind;

use crate::arguments::{self, Shell};
use crate::failure::{Exit, Failure};
use crate::home::Home;
use crate::invocation::invocation;
use crate::journal::Record;
use crate::local::{Access, Localcloud};
use crate::session::FIRST_REGION;

/// What would lead elsewhere, or be used beside the account's key.
/// <https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html>
const IN_THE_WAY: [&str; 14] = [
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_ENDPOINT_URL_EC2",
    "AWS_ENDPOINT_URL_IAM",
    "AWS_ENDPOINT_URL_STS",
    "AWS_ENDPOINT_URL_RDS",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL_CLOUDWATCH",
    "AWS_STS_REGIONAL_ENDPOINTS",
];

pub(super) async fn env(given: &arguments::Env) -> Result<Exit, Failure> {
    let shell = given.shell.unwrap_or_else(|| of_user(&variable("SHELL")));
    if given.unset {
        for (name, _) in settings(NOWHERE, "") {
            println!("{}", shell.unset(name));
        }
        return Ok(Exit::Done);
    }
    let home = Home::find()?;
    let localcloud = Localcloud::running(&home)
        .await
        .ok_or_else(|| not_running(&home))?;
    let access = localcloud.access();
    let region = given.region.clone().unwrap_or_else(|| region(&home));
    for name in IN_THE_WAY {
        println!("{}", shell.unset(name));
    }
    for (name, value) in settings(access, &region) {
        println!("{}", shell.set(name, value));
    }
    for (name, value) in around_proxies(access.endpoint, variable) {
        println!("{}", shell.set(name, &value));
    }
    if std::io::stdout().is_terminal() {
        eprintln!("\nTo use it, type: {}", shell.take_in(&invocation()));
    }
    Ok(Exit::Done)
}

/// Stands in where only names are asked for.
const NOWHERE: Access<'static> = Access {
    endpoint: "",
    access_key_id: "",
    secret_access_key: "",
};

/// What the AWS tools read. boto3 and the AWS CLI take the first of the two regions, other SDKs the
/// second.
fn settings<'a>(access: Access<'a>, region: &'a str) -> [(&'static str, &'a str); 6] {
    [
        ("AWS_ENDPOINT_URL", access.endpoint),
        ("AWS_ACCESS_KEY_ID", access.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", access.secret_access_key),
        ("AWS_DEFAULT_REGION", region),
        ("AWS_REGION", region),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ]
}

/// Where calls would go through a proxy, which cannot reach this machine's own addresses: the
/// exceptions with localcloud's address among them. They stay when the rest is unset and do no harm.
fn around_proxies(
    endpoint: &str,
    variable: impl Fn(&str) -> String,
) -> Vec<(&'static str, String)> {
    let proxied = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];
    let host = endpoint.strip_prefix("http://").unwrap_or(endpoint);
    let host = host.split(':').next().unwrap_or(host);
    if proxied.iter().all(|name| variable(name).is_empty()) {
        return Vec::new();
    }
    ["no_proxy", "NO_PROXY"]
        .into_iter()
        .filter_map(|name| {
            let kept = variable(name);
            let mut hosts: Vec<&str> = kept.split(',').filter(|one| !one.is_empty()).collect();
            let known = hosts.iter().any(|one| one.trim() == host);
            hosts.push(host);
            (!known).then(|| (name, hosts.join(",")))
        })
        .collect()
}

/// The region that all deployments on this laptop are in, if they are in one.
fn region(home: &Home) -> String {
    let regions: BTreeSet<String> = Record::all(home)
        .into_iter()
        .filter(|record| record.target == TargetKind::Local)
        .map(|record| record.region)
        .collect();
    match Vec::from_iter(regions).as_slice() {
        [only] => only.clone(),
        _ => FIRST_REGION.to_owned(),
    }
}

fn not_running(home: &Home) -> Failure {
    let command = invocation();
    let hint = if Localcloud::has_state(home) {
        format!("`{command} status` starts it again with what it keeps")
    } else {
        format!("`{command} up blueprints/elastic-cache.yaml` starts it")
    };
    Failure::Unfinished {
        what: format!("no localcloud runs in {}", home.localcloud().display()),
        hint,
    }
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

/// The syntax of the shell at that path.
fn of_user(path: &str) -> Shell {
    match path.rsplit('/').next() {
        Some("fish") => Shell::Fish,
        _ => Shell::Sh,
    }
}

impl Shell {
    fn set(self, name: &str, value: &str) -> String {
        match self {
            Shell::Sh => format!("export {name}='{}'", value.replace('\'', r"'\''")),
            Shell::Fish => {
                let quoted = value.replace('\\', r"\\").replace('\'', r"\'");
                format!("set -gx {name} '{quoted}';")
            }
        }
    }

    fn unset(self, name: &str) -> String {
        match self {
            Shell::Sh => format!("unset {name}"),
            Shell::Fish => format!("set -e {name};"),
        }
    }

    /// The line that a person types to have it.
    fn take_in(self, command: &str) -> String {
        match self {
            Shell::Sh => format!("eval \"$({command} env)\""),
            Shell::Fish => format!("{command} env | source"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_shell_reads_back_every_value_as_it_was() {
        for value in ["plain", "a'b", "$HOME `id` \"x\" \\", "two\nlines", ""] {
            let line = Shell::Sh.set("X", value);
            let said = std::process::Command::new("sh")
                .args(["-c", &format!("{line}; printf %s \"$X\"")])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8(said.stdout).unwrap(), value);
        }
        assert_eq!(Shell::Fish.set("X", r"a'b\"), r"set -gx X 'a\'b\\';");
    }

    #[test]
    fn the_shell_is_told_by_its_name() {
        assert_eq!(of_user("/usr/bin/fish"), Shell::Fish);
        for path in ["/bin/bash", "/bin/zsh", "", "/opt/fish/bin/sh"] {
            assert_eq!(of_user(path), Shell::Sh, "{path}");
        }
    }

    #[test]
    fn a_proxy_is_gone_around_once() {
        let around = |pairs: &'static [(&str, &str)]| {
            around_proxies("http://127.77.0.1:4766", |name| {
                let found = pairs.iter().find(|(known, _)| *known == name);
                found
                    .map(|(_, value)| (*value).to_owned())
                    .unwrap_or_default()
            })
        };
        assert_eq!(around(&[("no_proxy", "a")]), []);
        assert_eq!(
            around(&[("HTTP_PROXY", "http://p"), ("no_proxy", "a,b")]),
            [
                ("no_proxy", "a,b,127.77.0.1".to_owned()),
                ("NO_PROXY", "127.77.0.1".to_owned())
            ]
        );
        let both = &[
            ("http_proxy", "http://p"),
            ("no_proxy", "127.77.0.1"),
            ("NO_PROXY", "x, 127.77.0.1"),
        ];
        assert_eq!(around(both), []);
    }
}
