//! The part of systemd's unit files that images use.
//! <https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html>

use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tokio::time::Instant;

/// What systemd calls one run of a service in its environment, and that of all it starts.
/// <https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html#%24INVOCATION_ID>
pub(super) const INVOCATION: &str = "INVOCATION_ID";
const WANTS: &str = "etc/systemd/system/multi-user.target.wants";
/// systemd's own RestartSec, and how far the delay grows when a service fails at once each time.
const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(10);
/// A service that ran so long starts again with the first delay.
const RAN_WELL: Duration = Duration::from_secs(10);

/// When a service is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Restart {
    No,
    OnFailure,
    Always,
}

/// A service to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Service {
    pub(super) name: String,
    program: Vec<String>,
    environment: Vec<(String, String)>,
    folder: Option<String>,
    restart: Restart,
    first_delay: Duration,
    delay: Duration,
    pub(super) started_at: Option<Instant>,
    /// Of its present run.
    pub(super) invocation: String,
}

impl Service {
    /// Absolute paths of the program and of its folder are those of the instance.
    pub(super) fn command(&self, root: &Path) -> Command {
        let mut words = self.program.iter();
        let program = words.next().map(String::as_str).unwrap_or_default();
        let mut command = Command::new(inside(root, program));
        command
            .args(words)
            .envs(self.environment.iter().cloned())
            .env(INVOCATION, &self.invocation)
            .current_dir(inside(root, self.folder.as_deref().unwrap_or("/")));
        command
    }

    /// How long to wait before starting it again; nothing if it stays ended.
    pub(super) fn restart_after(&mut self, clean: bool) -> Option<Duration> {
        match self.restart {
            Restart::No => return None,
            Restart::OnFailure if clean => return None,
            Restart::OnFailure | Restart::Always => {}
        }
        if self
            .started_at
            .take()
            .is_some_and(|at| at.elapsed() >= RAN_WELL)
        {
            self.delay = self.first_delay;
        }
        let delay = self.delay;
        self.delay = (delay * 2).clamp(self.first_delay, LONGEST_DELAY.max(self.first_delay));
        Some(delay)
    }
}

/// The enabled services of a root folder, by name; what cannot be used is said instead.
pub(super) fn enabled(root: &Path) -> Vec<Result<Service, String>> {
    let Ok(entries) = fs::read_dir(root.join(WANTS)) else {
        return Vec::new();
    };
    let mut links: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "service")
        })
        .collect();
    links.sort();
    links
        .into_iter()
        .map(|link| {
            let name = link
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let file = target_of(root, &link);
            fs::read_to_string(&file)
                .map_err(|error| error.to_string())
                .and_then(|text| parse(&name, &text))
                .map_err(|problem| format!("cannot start {name}: {problem}"))
        })
        .collect()
}

/// Where a link leads, its absolute target being a path of the instance.
fn target_of(root: &Path, link: &Path) -> PathBuf {
    match fs::read_link(link) {
        Ok(target) if target.is_absolute() => inside(root, &target.to_string_lossy()),
        Ok(target) => link.parent().unwrap_or(root).join(target),
        Err(_) => link.to_owned(),
    }
}

/// A path of the instance as a path of the host. Nothing leads out of the root by its name.
fn inside(root: &Path, path: &str) -> PathBuf {
    let mut host = root.to_owned();
    let mut depth = 0;
    for component in Path::new(path).components() {
        match component {
            Component::Normal(name) => {
                host.push(name);
                depth += 1;
            }
            Component::ParentDir if depth > 0 => {
                host.pop();
                depth -= 1;
            }
            _ => {}
        }
    }
    host
}

fn parse(name: &str, text: &str) -> Result<Service, String> {
    let mut service = Service {
        name: name.to_owned(),
        program: Vec::new(),
        environment: Vec::new(),
        folder: None,
        restart: Restart::No,
        first_delay: FIRST_DELAY,
        delay: FIRST_DELAY,
        started_at: None,
        invocation: String::new(),
    };
    let mut section = "";
    let joined = text.replace("\\\n", " ");
    for line in joined.lines().map(str::trim) {
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(header) = line.strip_prefix('[') {
            section = header.trim_end_matches(']');
            continue;
        }
        let Some((key, value)) = line.split_once('=') else {
            return Err(format!("the line {line:?} is not key=value"));
        };
        if section == "Service" {
            set(&mut service, key.trim(), value.trim())?;
        }
    }
    match service.program.first() {
        Some(program) if program.starts_with('/') => Ok(service),
        Some(program) => Err(format!("ExecStart={program} is not an absolute path")),
        None => Err("it has no ExecStart".to_owned()),
    }
}

fn set(service: &mut Service, key: &str, value: &str) -> Result<(), String> {
    match key {
        "ExecStart" => service.program = words(value)?,
        "WorkingDirectory" => service.folder = Some(value.to_owned()),
        "Environment" => {
            for word in words(value)? {
                let (name, value) = word
                    .split_once('=')
                    .ok_or_else(|| format!("Environment={word} is not NAME=value"))?;
                service
                    .environment
                    .push((name.to_owned(), value.to_owned()));
            }
        }
        "Restart" => {
            service.restart = match value {
                "always" => Restart::Always,
                "no" | "" => Restart::No,
                "on-success" => return Err("Restart=on-success is not known here".to_owned()),
                _ => Restart::OnFailure,
            }
        }
        "RestartSec" => {
            let delay = duration(value)
                .ok_or_else(|| format!("RestartSec={value} is no time"))?
                .max(FIRST_DELAY);
            service.first_delay = delay;
            service.delay = delay;
        }
        // Limits, hardening, ordering: nothing of it changes what runs on a laptop.
        _ => {}
    }
    Ok(())
}

/// Seconds, or a number with `ms`, `s` or `min`.
fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at(
        text.find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len()),
    );
    let number: f64 = number.parse().ok()?;
    let seconds = match unit.trim() {
        "" | "s" | "sec" => number,
        "ms" | "msec" => number / 1000.0,
        "min" | "m" => number * 60.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(seconds).ok()
}

/// Words in quotes or between spaces.
fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for character in text.chars() {
        match quote {
            Some(open) if character == open => quote = None,
            Some(_) => word.get_or_insert_default().push(character),
            None if character == '"' || character == '\'' => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            None if character.is_whitespace() => words.extend(word.take()),
            None => word.get_or_insert_default().push(character),
        }
    }
    if quote.is_some() {
        return Err(format!("a quote in {text:?} is not closed"));
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::symlink;

    const UNIT: &str = "[Unit]\nDescription=boot\nAfter=network-online.target\n\n[Service]\n\
        # a comment\nExecStart=/opt/bivouac/bin/boot --verbose \"two words\"\n\
        Environment=A=1 \"B=2 3\"\nRestart=always\nRestartSec=250ms\nLimitNOFILE=65536\n\n\
        [Install]\nWantedBy=multi-user.target\n";

    #[test]
    fn an_enabled_unit_is_found_and_its_program_is_the_instances() {
        let root = tempfile::tempdir().unwrap();
        let units = root.path().join("etc/systemd/system");
        fs::create_dir_all(units.join("multi-user.target.wants")).unwrap();
        fs::write(units.join("bivouac.service"), UNIT).unwrap();
        symlink(
            "/etc/systemd/system/bivouac.service",
            units.join("multi-user.target.wants/bivouac.service"),
        )
        .unwrap();
        let found = enabled(root.path());
        let service = found[0].as_ref().unwrap();
        let command = service.command(root.path());
        assert_eq!(
            command.get_program(),
            root.path().join("opt/bivouac/bin/boot")
        );
        assert_eq!(
            command.get_args().collect::<Vec<_>>(),
            ["--verbose", "two words"]
        );
        assert_eq!(
            service.environment,
            [("A".into(), "1".into()), ("B".into(), "2 3".into())]
        );
        assert_eq!(service.first_delay, Duration::from_millis(250));
    }

    #[test]
    fn a_service_that_keeps_failing_waits_longer_each_time() {
        let mut service = parse("x", "[Service]\nExecStart=/x\nRestart=always").unwrap();
        let delays: Vec<_> = (0..10)
            .map(|_| service.restart_after(false).unwrap())
            .collect();
        assert_eq!(delays[0], Duration::from_millis(100));
        assert!(delays.windows(2).all(|pair| pair[0] <= pair[1]));
        assert_eq!(delays[9], LONGEST_DELAY);
    }

    #[test]
    fn restart_is_honoured() {
        let with = |restart: &str| {
            parse("x", &format!("[Service]\nExecStart=/x\nRestart={restart}")).unwrap()
        };
        assert!(with("no").restart_after(false).is_none());
        assert!(with("on-failure").restart_after(true).is_none());
        assert!(with("on-failure").restart_after(false).is_some());
        assert!(with("always").restart_after(true).is_some());
    }

    #[test]
    fn useless_units_say_what_is_wrong() {
        for (text, problem) in [
            ("[Service]\nRestart=always", "no ExecStart"),
            ("[Service]\nExecStart=boot", "absolute"),
            ("[Service]\nExecStart=/x \"y", "quote"),
            ("[Service]\nnonsense", "key=value"),
        ] {
            let error = parse("x", text).unwrap_err();
            assert!(error.contains(problem), "{error}");
        }
    }

    #[test]
    fn no_path_leads_out_of_the_root() {
        let root = Path::new("/r");
        assert_eq!(
            inside(root, "/../../etc/passwd"),
            Path::new("/r/etc/passwd")
        );
        assert_eq!(inside(root, "/a/../b"), Path::new("/r/b"));
    }
}
