//! The commands in README do what README says, typed as printed there.

use std::process::{Command, Stdio};

use crate::laptop::{Laptop, Said, source};

/// The commands of README: the lines of its code blocks.
fn commands() -> Vec<String> {
    let readme = std::fs::read_to_string(source().join("README.md")).unwrap();
    let block = readme.lines().filter_map(|line| line.strip_prefix("    "));
    let inline = readme
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|text| text.starts_with("cargo "));
    block.chain(inline).map(str::to_owned).collect()
}

/// Types a command in the source tree, with a home of its own and no account.
fn type_in(laptop: &Laptop, line: &str) -> Said {
    let mut words = line.split_whitespace();
    let mut command = Command::new(words.next().unwrap());
    command.args(words);
    run(laptop, command)
}

/// The same, with what only a shell understands.
fn type_in_shell(laptop: &Laptop, line: &str) -> Said {
    let mut command = Command::new("sh");
    command.args(["-c", line]);
    run(laptop, command)
}

fn run(laptop: &Laptop, mut command: Command) -> Said {
    command.current_dir(source()).stdin(Stdio::null());
    laptop.surround(&mut command);
    Said::from(command.output().unwrap())
}

#[test]
fn what_readme_says_works_as_typed() {
    let laptop = Laptop::new();
    let commands = commands();
    for line in [
        "up blueprints/elastic-cache.yaml",
        "status elastic-cache",
        "output elastic-cache --show-password",
        "load elastic-cache --prepare --verify --duration 10s",
        "plan blueprints/elastic-cache.yaml",
        "check elastic-cache --delete-photos",
    ] {
        let line = format!("cargo run --release -- {line}");
        assert!(commands.contains(&line), "README does not say {line}");
        let said = type_in(&laptop, &line);
        assert_eq!(
            said.code,
            Some(0),
            "{line} said\n{}\n{}",
            said.out,
            said.err
        );
    }
    let line = r#"eval "$(cargo run --release -- env)""#;
    assert!(
        commands.iter().any(|c| c == line),
        "README does not say {line}"
    );
    let said = type_in_shell(&laptop, &format!("{line}; echo \"$AWS_ENDPOINT_URL\""));
    assert!(said.out.starts_with("http://127.77."), "{}", said.err);
    let down = "cargo run --release -- down elastic-cache";
    assert!(commands.iter().any(|c| c == down));
    let said = type_in(&laptop, &format!("{down} --yes"));
    assert_eq!(said.code, Some(0), "{}", said.err);
    laptop.assert_no_trace();
}

#[test]
fn what_readme_says_of_accounts_is_understood() {
    let laptop = Laptop::new();
    let on_an_account: Vec<String> = commands()
        .into_iter()
        .filter(|c| c.contains("--target aws"))
        .collect();
    assert!(!on_an_account.is_empty());
    for line in on_an_account {
        let said = type_in(&laptop, &line);
        assert_eq!(said.code, Some(1), "{line} said\n{}", said.err);
        let all = format!("{}{}", said.out, said.err);
        assert!(all.contains("no AWS credentials were found"), "{all}");
    }
}

#[test]
fn ci_runs_what_readme_says() {
    let ci = std::fs::read_to_string(source().join(".ci/run")).unwrap();
    let test = commands()
        .into_iter()
        .find(|c| c == "cargo xtask ci")
        .expect("README names the test command");
    assert!(ci.lines().any(|line| line.trim() == test), "{ci}");
}
