//! `deploy doctor`: looks at this laptop and, where that is the target, at an account; makes nothing.

mod laptop;

use deployer_aws::{Account, AwsError, Clock, TargetKind};
use deployer_core::blueprint::Blueprint;
use deployer_core::doctor::{self, Basis, Finding, Level, Needs};
use serde_json::json;

use super::prepare;
use crate::arguments;
use crate::built_in;
use crate::failure::{Exit, Failure};
use crate::home::Home;
use crate::prices::rates;
use crate::report::wrapped;
use crate::session;

pub(super) async fn doctor(given: &arguments::Doctor) -> Result<Exit, Failure> {
    let blueprint = match &given.blueprint {
        Some(path) => prepare::blueprint(path)?,
        None => built_in::elastic_cache()?,
    };
    let kind = TargetKind::from(given.place.target);
    let home = Home::find()?;
    let facts = laptop::look(&home, kind, &blueprint).await?;
    let mut findings = doctor::laptop(&facts);
    if kind == TargetKind::Aws {
        findings.extend(account(&home, &blueprint).await?);
    }
    if given.json {
        println!("{}", as_json(&blueprint, kind, &findings));
    } else {
        print!("{}", as_text(&blueprint, kind, &findings));
    }
    Ok(match doctor::worst(&findings) {
        Level::Failed => Exit::Failed,
        Level::Ok | Level::Warning => Exit::Done,
    })
}

/// Without an answer to who we are there is one finding, which is why.
async fn account(home: &Home, blueprint: &Blueprint) -> Result<Vec<Finding>, Failure> {
    let clock = Clock::default();
    let region = &blueprint.region;
    let target = session::aws()?;
    let connected = Account::connect_by(target, region, &clock).await;
    let account = match connected {
        Ok(account) => account,
        Err(error) => return Ok(vec![no_account(&error, &clock)]),
    };
    let scope = account.scope(blueprint.name.clone());
    let needs = Needs::of(blueprint);
    let facts = deployer_aws::doctor::look(&account, &scope, &needs, &clock).await;
    let rates = rates(home, &account);
    Ok(doctor::account(&facts, &needs, rates.as_ref()))
}

fn no_account(error: &AwsError, clock: &Clock) -> Finding {
    let skew = clock.ahead().filter(|ahead| ahead.unsigned_abs() > 270);
    let remedy = match skew {
        Some(ahead) => format!(
            "set this machine's clock, which is {} s off: sudo timedatectl set-ntp true",
            ahead.unsigned_abs()
        ),
        None => crate::failure::hint_for(error).unwrap_or_default(),
    };
    Finding {
        level: Level::Failed,
        check: "account".to_owned(),
        fact: crate::failure::in_full(error),
        remedy: Some(remedy).filter(|remedy| !remedy.is_empty()),
        basis: None,
    }
}

fn as_json(blueprint: &Blueprint, kind: TargetKind, findings: &[Finding]) -> serde_json::Value {
    json!({
        "deployment": blueprint.name.as_str(),
        "target": kind.as_str(),
        "region": blueprint.region,
        "result": doctor::worst(findings),
        "findings": findings,
    })
}

fn as_text(blueprint: &Blueprint, kind: TargetKind, findings: &[Finding]) -> String {
    let place = match kind {
        TargetKind::Local => "on this laptop".to_owned(),
        TargetKind::Aws => format!("on AWS in {}", blueprint.region),
    };
    let mut text = format!("{} {place}\n\n", blueprint.name);
    let width = findings.iter().map(|f| f.check.chars().count()).max();
    for finding in findings {
        text.push_str(&row(finding, width.unwrap_or(0)));
    }
    let count = |level| findings.iter().filter(|f| f.level == level).count();
    text.push_str(&format!(
        "\n{} ok, {} to know, {} failed\n",
        count(Level::Ok),
        count(Level::Warning),
        count(Level::Failed)
    ));
    text
}

/// The finding, and what to do under it.
fn row(finding: &Finding, width: usize) -> String {
    let word = match finding.level {
        Level::Ok => console::style("ok     ").green(),
        Level::Warning => console::style("know   ").yellow(),
        Level::Failed => console::style("FAILED ").red().bold(),
    };
    let basis = match finding.basis {
        Some(Basis::Proof) => " (proof)",
        Some(Basis::Hint) => " (hint)",
        None => "",
    };
    let indent = 2 + 7 + 1 + width + 2;
    let fact = wrapped(&format!("{}{basis}", finding.fact), indent);
    let mut text = format!("  {word} {:width$}  {fact}\n", finding.check);
    if let Some(remedy) = &finding.remedy {
        text.push_str(&format!("{:indent$}{}\n", "", advice(remedy, indent)));
    }
    text
}

/// What to do. Lines that are to be typed stay as they are.
fn advice(remedy: &str, indent: usize) -> String {
    match remedy.split_once('\n') {
        None => wrapped(&format!("-> {remedy}"), indent),
        Some((first, lines)) => format!("{}\n{lines}", wrapped(&format!("-> {first}"), indent)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::TERMINAL;

    #[test]
    fn a_finding_fits_a_terminal_and_says_what_to_do() {
        let finding = Finding {
            level: Level::Failed,
            check: "default VPC".to_owned(),
            fact: "there is none in us-east-1, and that is said in very many words for a test"
                .to_owned(),
            remedy: Some("make it: aws ec2 create-default-vpc --region us-east-1".to_owned()),
            basis: Some(Basis::Hint),
        };
        let text = console::strip_ansi_codes(&row(&finding, 11)).into_owned();
        assert!(
            text.lines().all(|line| line.chars().count() <= TERMINAL),
            "{text}"
        );
        assert!(
            text.starts_with("  FAILED  default VPC  there is none"),
            "{text}"
        );
        assert!(
            text.contains("(hint)\n") && text.contains("  -> make it:"),
            "{text}"
        );
    }
}
