//! Building the programs with cargo, and its progress.

use std::path::Path;
use std::process::Stdio;

use tokio::io::AsyncReadExt;
use tokio::process::Command;

use super::{DEPLOYED, StaticBuild};
use crate::failure::Failure;
use crate::report::{Event, Report};

/// Builds the same packages as `cargo run` selects, so that nothing is compiled a second time.
/// `folder` is the one of this program.
pub(super) async fn build(
    folder: &Path,
    static_build: Option<&StaticBuild>,
    report: &dyn Report,
) -> Result<(), Failure> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.arg("build");
    match static_build {
        None => command.arg("--bins"),
        // Only what is deployed; it lies beside what is built for this machine.
        Some(wanted) => command
            .envs(wanted.variables())
            .args(DEPLOYED.iter().flat_map(|name| ["--bin", name]))
            .args(["--target", wanted.target()])
            .arg("--target-dir")
            .arg(folder.parent().unwrap_or(folder)),
    };
    if folder.file_name().is_some_and(|name| name == "release") {
        command.arg("--release");
    }
    if let Some(source) = std::env::var_os("CARGO_MANIFEST_DIR") {
        // `deploy` lies two folders below the workspace, and building from there would select it alone.
        command
            .arg("--manifest-path")
            .arg(Path::new(&source).join("../../Cargo.toml"));
    }
    // What cargo tells the programs it runs of their package. Build scripts ask for some of it, and
    // would run again, with all that depends on them, each time it is there and was not before.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
        .env("CARGO_TERM_PROGRESS_WHEN", "always")
        .env("CARGO_TERM_PROGRESS_WIDTH", "80")
        .env("CARGO_TERM_COLOR", "never")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn().map_err(Failure::here("starting cargo"))?;
    let said = match child.stderr.take() {
        Some(stderr) => read_progress(stderr, report).await,
        None => String::new(),
    };
    let status = child
        .wait()
        .await
        .map_err(Failure::here("building the programs"))?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::Unfinished {
        what: format!(
            "the programs could not be built; cargo said:\n{}",
            what_went_wrong(&said)
        ),
        hint: match static_build {
            None => "cargo build --release --bins shows all of it".to_owned(),
            Some(wanted) => format!("{} shows all of it", wanted.by_hand()),
        },
    })
}

/// Reads cargo's progress bar as text, `Building [==>  ] 12/340: hyper`, and keeps the rest.
async fn read_progress(
    mut stderr: impl tokio::io::AsyncRead + Unpin,
    report: &dyn Report,
) -> String {
    let mut said = String::new();
    let mut line = Vec::new();
    let mut chunk = [0; 4096];
    while let Ok(count @ 1..) = stderr.read(&mut chunk).await {
        for byte in &chunk[..count] {
            if !matches!(byte, b'\r' | b'\n') {
                line.push(*byte);
                continue;
            }
            let text = String::from_utf8_lossy(&line).into_owned();
            line.clear();
            match progress_of(&text) {
                Some((done, all)) => report.event(&Event::Building { done, all }),
                None if !text.trim().is_empty() => said.push_str(&format!("{text}\n")),
                None => {}
            }
        }
    }
    said
}

fn progress_of(line: &str) -> Option<(u64, u64)> {
    let counted = line
        .trim_start_matches(|c: char| !c.is_alphabetic())
        .strip_prefix("Building [")?;
    let (done, all) = counted
        .split_once("] ")?
        .1
        .split(':')
        .next()?
        .split_once('/')?;
    Some((done.trim().parse().ok()?, all.trim().parse().ok()?))
}

/// From the first error on; the lines before it say what was compiled.
fn what_went_wrong(said: &str) -> String {
    let from = said
        .lines()
        .position(|line| line.trim_start().starts_with("error"))
        .unwrap_or(0);
    said.lines()
        .skip(from)
        .take(40)
        .map(|line| format!("    {line}\n"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargos_bar_is_read() {
        let bar = "    Building [=======>        ] 123/456: hyper, tokio";
        assert_eq!(progress_of(bar), Some((123, 456)));
        assert_eq!(progress_of("   Compiling hyper v1.0.0"), None);
        assert_eq!(progress_of("Building [nonsense"), None);
    }

    #[test]
    fn the_first_error_is_shown() {
        let said = "Compiling a\nerror[E0425]: no such value\n --> src/lib.rs\n";
        assert!(what_went_wrong(said).starts_with("    error[E0425]"));
    }
}
