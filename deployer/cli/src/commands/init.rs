//! `deploy init`: a blueprint of one's own, with all that it refers to beside it.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use deployer_core::names::DeploymentName;

use crate::arguments;
use crate::built_in;
use crate::failure::{Exit, Failure};
use crate::invocation::invocation;

/// Where recipes and policies are from a blueprint of one's own: beside it.
const AMI: &str = "ami/";

/// A file to write.
struct Written {
    path: PathBuf,
    text: String,
}

pub(super) fn init(given: &arguments::Init) -> Result<Exit, Failure> {
    let file = std::path::absolute(&given.file)
        .map_err(Failure::here(format!("finding {}", given.file.display())))?;
    let folder = file.parent().unwrap_or(Path::new("/"));
    let name = match &given.name {
        Some(name) => name.clone(),
        None => named_as(folder)?,
    };
    let blueprint = Written {
        text: own(
            built_in::text(&given.like).unwrap_or_default(),
            &given.like,
            &name,
            &given.file,
        ),
        path: file.clone(),
    };
    let around = beside(folder);
    refuse_to_overwrite(&blueprint, &around)?;
    for one in around.iter().chain([&blueprint]) {
        write(one)?;
    }
    println!(
        "{} is a deployment named {name}, like {}. Beside it is what it refers to:",
        given.file.display(),
        given.like
    );
    for one in &around {
        let path = one.path.strip_prefix(folder).unwrap_or(&one.path);
        println!("  {}", path.display());
    }
    println!("\nNext:\n  {} plan {}", invocation(), given.file.display());
    Ok(Exit::Done)
}

/// The blueprint under another name, in another place. What stands in a column behind a gap, as
/// comments do, stays there.
fn own(text: &str, like: &str, name: &DeploymentName, file: &Path) -> String {
    let renamed = |line: &str| {
        line.replace(
            &format!("blueprints/{like}.yaml"),
            &file.display().to_string(),
        )
        .replace(like, name.as_str())
        .replace(built_in::AMI, AMI)
    };
    text.lines()
        .map(|line| match line.rsplit_once("  ") {
            Some((before, after)) if !before.trim().is_empty() => {
                let (before, width) = (renamed(before.trim_end()), before.len());
                format!("{before:width$}  {}\n", renamed(after))
            }
            _ => format!("{}\n", renamed(line)),
        })
        .collect()
}

fn beside(folder: &Path) -> Vec<Written> {
    let ami = built_in::FILES.iter().map(|(name, text)| Written {
        path: folder.join(AMI).join(name),
        text: (*text).to_owned(),
    });
    let schema = Written {
        path: folder.join(built_in::SCHEMA_FILE),
        text: built_in::schema(),
    };
    ami.chain([schema]).collect()
}

/// Takes the folder's name as far as it goes: `My Photos` is `my-photos`.
fn named_as(folder: &Path) -> Result<DeploymentName, Failure> {
    let shown = folder
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let plain: String = shown
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    let words: Vec<&str> = plain.split('-').filter(|word| !word.is_empty()).collect();
    let name: String = words.join("-").chars().take(24).collect();
    name.trim_end_matches('-')
        .parse()
        .map_err(|_| Failure::Refused {
            what: format!("the folder's name, `{shown}`, makes no name for a deployment"),
            hint: "give one: --name my-photos".to_owned(),
        })
}

/// Files that are there already and hold the same may stay.
fn refuse_to_overwrite(blueprint: &Written, around: &[Written]) -> Result<(), Failure> {
    let other = around.iter().find(|one| {
        one.path.exists() && !std::fs::read(&one.path).is_ok_and(|held| held == one.text.as_bytes())
    });
    let in_the_way = if blueprint.path.exists() {
        Some(blueprint)
    } else {
        other
    };
    match in_the_way {
        None => Ok(()),
        Some(one) => Err(Failure::Refused {
            what: format!(
                "{} is there already, and nothing is overwritten",
                one.path.display()
            ),
            hint: "name another file, in another folder".to_owned(),
        }),
    }
}

fn write(one: &Written) -> Result<(), Failure> {
    let failed = || Failure::here(format!("writing {}", one.path.display()));
    if let Some(folder) = one.path.parent() {
        std::fs::create_dir_all(folder).map_err(failed())?;
    }
    if one.path.exists() {
        return Ok(());
    }
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&one.path);
    made.and_then(|mut file| file.write_all(one.text.as_bytes()))
        .map_err(failed())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_folder_gives_its_name() {
        let name = |folder: &str| named_as(Path::new(folder)).map(|name| name.to_string());
        assert_eq!(name("/tmp/My Photos!").unwrap(), "my-photos");
        assert_eq!(
            name("/a-folder-with-a-very-long-name").unwrap(),
            "a-folder-with-a-very-lon"
        );
        for none in ["/", "/1st", "/…", "/x"] {
            assert!(name(none).is_err(), "{none}");
        }
    }

    #[test]
    fn comments_stay_in_their_column() {
        let text = "#   deploy up blueprints/like.yaml    makes it\nname: like    # its name\n  x: ../ami/y\n";
        let name = "photos".parse().unwrap();
        assert_eq!(
            own(text, "like", &name, Path::new("my.yaml")),
            "#   deploy up my.yaml                 makes it\nname: photos  # its name\n  x: ami/y\n"
        );
    }
}
