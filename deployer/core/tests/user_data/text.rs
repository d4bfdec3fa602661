//! What can be seen without running them.

use std::process::Command;

use deployer_core::user_data::{self, Download, Header, UserDataError};
use proptest::prelude::*;

use super::{header, sha256};

const URL: &str = "https://bucket.s3.us-east-1.amazonaws.com/artifacts/x?X-Amz-Signature=0";

fn program(name: &str) -> Download {
    Download {
        name: name.into(),
        sha256: sha256(b""),
        url: URL.into(),
    }
}

fn builder(run: &[&str]) -> Result<String, UserDataError> {
    let run: Vec<String> = run.iter().map(|line| (*line).to_owned()).collect();
    user_data::builder_script(&header(), &[program("boot")], &run, URL)
}

fn scripts() -> [String; 3] {
    [
        user_data::instance_script(&header(), &[program("boot"), program("manager")]).unwrap(),
        builder(&["echo 'one'", "for x in 1 2; do\n  echo $x\ndone"]).unwrap(),
        user_data::node_script(&header()).unwrap(),
    ]
}

#[test]
fn they_are_what_ec2_takes_and_bash_reads() {
    for script in scripts() {
        assert!(
            script.starts_with("#!/bin/bash\n# bivouac: {\""),
            "{script}"
        );
        assert!(script.len() <= user_data::LARGEST && !script.contains('\r'));
        let checked = Command::new("bash")
            .args(["-n", "-c", &script])
            .output()
            .unwrap();
        assert!(
            checked.status.success(),
            "{}",
            String::from_utf8_lossy(&checked.stderr)
        );
        assert!(
            checked.stderr.is_empty(),
            "{}",
            String::from_utf8_lossy(&checked.stderr)
        );
        assert_eq!(user_data::parse(&script), Some(header()));
    }
}

#[test]
fn a_node_does_nothing() {
    let [.., node] = scripts();
    let ran = Command::new("bash").args(["-c", &node]).output().unwrap();
    assert!(ran.status.success() && ran.stdout.is_empty() && ran.stderr.is_empty());
    assert_eq!(node.lines().count(), 3);
}

/// On a laptop `/` is the laptop's. Every absolute path begins with the root, `#!` aside.
#[test]
fn no_path_leads_out_of_the_root() {
    for script in scripts() {
        let (before, rest) = script
            .split_once("printf '%s' '[Unit]")
            .unwrap_or((&script, ""));
        let after = rest.split_once("[Install]").map_or("", |(_, after)| after);
        for line in before.lines().chain(after.lines()) {
            if line.starts_with('#') || line.trim_start().starts_with("install_program ") {
                continue;
            }
            let line = line.replace("< /dev/null", "");
            for (at, _) in line.match_indices('/') {
                let before = line[..at].chars().next_back().unwrap_or(' ');
                let begins = " \"'=<>(:".contains(before);
                let rooted = line[..at].ends_with("$ROOT\"") || line[..at].ends_with("\"$ROOT\"");
                let url = line[..at].ends_with("https:") || line[..at].ends_with("'s");
                let sed = line.contains("sed -e");
                assert!(!begins || rooted || url || sed, "an absolute path: {line}");
            }
        }
    }
}

/// A unit that waits for what waits for user data would lock up the boot.
#[test]
fn the_unit_waits_for_the_network_only() {
    let [instance, ..] = scripts();
    let order: Vec<&str> = instance
        .lines()
        .filter(|line| {
            ["After=", "Before=", "Requires=", "BindsTo="]
                .iter()
                .any(|k| line.starts_with(k))
        })
        .collect();
    assert_eq!(order, ["After=network-online.target"]);
    for line in [
        "Restart=always",
        "LimitNOFILE=65536",
        "StateDirectory=bivouac",
    ] {
        assert!(instance.lines().any(|l| l == line), "{line}");
    }
}

#[test]
fn the_builder_starts_nothing() {
    let script = builder(&[]).unwrap();
    assert!(!script.contains("systemctl start") && !script.contains("daemon-reload"));
}

#[test]
fn values_of_the_wrong_form_are_refused() {
    let header = header();
    let with = |change: fn(&mut Download)| {
        let mut program = program("boot");
        change(&mut program);
        user_data::instance_script(&header, &[program])
            .unwrap_err()
            .to_string()
    };
    insta::assert_snapshot!(
        [
            with(|p| p.name = "../boot".into()),
            with(|p| p.name = String::new()),
            with(|p| p.sha256 = "abc".into()),
            with(|p| p.url = "file:///etc/passwd".into()),
            with(|p| p.url = "http://host/\"\noutput = \"/etc/passwd".into()),
            builder(&["a\r\nb"]).unwrap_err().to_string(),
            builder(&["a\0b"]).unwrap_err().to_string(),
            builder(&[&"x".repeat(20_000)]).unwrap_err().to_string(),
        ]
        .join("\n")
    );
}

#[test]
fn other_user_data_has_no_line_for_boot() {
    for text in [
        "",
        "#!/bin/bash\n",
        "# bivouac: \n",
        "# bivouac: {}\n",
        "# bivouac: [1]",
        "x # bivouac: {}",
    ] {
        assert_eq!(user_data::parse(text), None, "{text:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    /// Whatever is in the header comes back from its line, and stays in it.
    #[test]
    fn the_line_for_boot_comes_back(texts in proptest::collection::vec(any::<String>(), 6)) {
        let [deployment, region, bucket, resource, settings, secrets] = texts.try_into().unwrap();
        let header = Header { deployment, region, bucket, resource, settings, secrets };
        let script = user_data::node_script(&header).unwrap();
        prop_assert_eq!(user_data::parse(&script), Some(header));
        prop_assert_eq!(script.split('\n').count(), 4);
    }

    /// A recipe's line reaches the shell as it stands in the recipe.
    #[test]
    fn a_line_reaches_the_shell_whole(line in "[ -~\n\u{e9}]{0,60}") {
        let script = builder(&[&line]).unwrap();
        let call = script.find("recipe_line '1' ").unwrap();
        let call = &script[call..script.find("\n\nstep=\"write the ok").unwrap()];
        let shown = format!("recipe_line() {{ printf '%s' \"$2\"; }}\n{call}");
        let ran = Command::new("bash").args(["-c", &shown]).output().unwrap();
        prop_assert_eq!(String::from_utf8(ran.stdout).unwrap(), line);
    }

    #[test]
    fn any_text_is_parsed_or_not(text in any::<String>()) {
        let _ = user_data::parse(&text);
    }
}
