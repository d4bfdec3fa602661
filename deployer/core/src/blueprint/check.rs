//! From raw to checked: one `check_*` per invariant, each noting every problem it finds.

mod image;
mod instance;
mod known;
mod limits;
mod network;
mod pool;
mod roles;
mod storage;
mod whole;

use std::collections::BTreeMap;

use crate::names::{DeploymentName, ResourceName};

use super::problem::{Notes, Problem, Problems, Span, did_you_mean};
use super::raw::{Named, RawBlueprint};
use super::reader::{self, At, Field};
use super::{Blueprint, tree};

/// The largest file that is read, in bytes. Whoever reads it need not read more than one byte beyond.
pub const LARGEST: usize = 1 << 20;

/// The files that a blueprint names, found from its folder.
pub trait Files {
    /// The bytes of the file of that name.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read(&self, name: &str) -> std::io::Result<Vec<u8>>;
}

/// Tests and embedded blueprints hold their files in a map.
impl Files for BTreeMap<String, Vec<u8>> {
    fn read(&self, name: &str) -> std::io::Result<Vec<u8>> {
        self.get(name)
            .cloned()
            .ok_or_else(|| std::io::ErrorKind::NotFound.into())
    }
}

/// Reads a blueprint and checks all of it. `file` is its name for messages.
///
/// # Errors
/// Every problem found, in the blueprint and in the files it names.
pub fn read(file: &str, bytes: &[u8], files: &dyn Files) -> Result<Blueprint, Problems> {
    let text = text(file, bytes)?;
    let notes = Notes::new(file, text);
    let mut elsewhere = Vec::new();
    let blueprint = Check {
        notes: &notes,
        files,
        elsewhere: &mut elsewhere,
    }
    .blueprint();
    let mut problems = notes.into_problems();
    problems.append(&mut elsewhere);
    match blueprint {
        Some(blueprint) if problems.is_empty() => Ok(blueprint),
        _ => Err(Problems::new(problems)),
    }
}

/// The text of a file that is neither huge nor something else than UTF-8.
fn text<'a>(file: &str, bytes: &'a [u8]) -> Result<&'a str, Problems> {
    let refused = |notes: Notes<'_>| Problems::new(notes.into_problems());
    if bytes.len() > LARGEST {
        let notes = Notes::new(file, "");
        let help = "a blueprint has some kilobytes; is this the right file?".to_owned();
        notes.note(
            Span::default(),
            "the file is larger than 1 MiB, the most that is read",
            Some(help),
        );
        return Err(refused(notes));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let notes = Notes::new(file, std::str::from_utf8(good).unwrap_or_default());
        let span = Span {
            start: good.len(),
            end: good.len(),
        };
        let (message, help) = match bytes {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => (
                "the file is UTF-16, not UTF-8".to_owned(),
                "save it as UTF-8; PowerShell's `>` writes UTF-16, `Out-File -Encoding utf8` does not",
            ),
            _ => {
                let byte = bytes.get(good.len()).copied().unwrap_or_default();
                let offset = good.len();
                (
                    format!("the byte {byte:#04x} here, at offset {offset}, is not UTF-8"),
                    "save the file as UTF-8",
                )
            }
        };
        notes.note(span, message, Some(help.to_owned()));
        refused(notes)
    })
}

/// A blueprint being checked.
struct Check<'a> {
    notes: &'a Notes<'a>,
    files: &'a dyn Files,
    /// Problems in the files that the blueprint names.
    elsewhere: &'a mut Vec<Problem>,
}

/// What a section came to: the entries that are right, and where each of them stands.
pub(super) struct Section<T> {
    /// The right ones.
    pub(super) right: BTreeMap<ResourceName, T>,
    /// Where the name of each stands, of the wrong ones too.
    pub(super) places: BTreeMap<ResourceName, Span>,
    /// Are all of them right?
    pub(super) whole: bool,
}

impl Check<'_> {
    /// Reads and checks the whole file. `None` means that a problem has been noted.
    fn blueprint(&mut self) -> Option<Blueprint> {
        let document = tree::parse(self.notes);
        let Some(document) = document else {
            if self.notes.is_empty() {
                let help = "a blueprint begins with `bivouac: 1`".to_owned();
                self.notes
                    .note(Span::default(), "the file is empty", Some(help));
            }
            return None;
        };
        let At { value: raw, span } = reader::read::<RawBlueprint>(self.notes, &document)?;
        let head = span.head();

        let known = known::Known::of(&raw);
        self.check_version(head, raw.bivouac);
        let name = self.check_name(head, raw.name);
        let region = self.check_region(head, raw.region);
        let ttl = Self::check_ttl(raw.ttl);
        let budget = self.check_budget(raw.budget);
        let max_instances = self.check_max_instances(raw.max_instances);
        let groups = self.section(raw.security_groups, |c, _, raw| {
            c.check_security_group(&known, raw)
        });
        let roles = self.section(raw.iam_roles, |c, at, raw| c.check_role(&known, at, raw));
        let databases = self.section(raw.databases, |c, at, raw| {
            c.check_database(&known, at, raw)
        });
        let buckets = self.check_buckets(head, raw.buckets);
        let images = self.section(raw.images, Self::check_image);
        let mut services = whole::Services::default();
        let instances = self.section(raw.instances, |c, at, raw| {
            c.check_instance(&known, at, raw, &mut services)
        });
        let pools = self.section(raw.pools, |c, at, raw| {
            c.check_pool(&known, at, raw, &mut services)
        });

        let sections = whole::Sections {
            groups,
            databases,
            images,
            instances,
            pools,
            services,
        };
        self.check_whole(&sections);
        Some(Blueprint {
            name: name?,
            region: region?,
            ttl: ttl?,
            budget: budget?,
            max_instances: max_instances?,
            security_groups: sections.groups.right,
            roles: roles.right,
            databases: sections.databases.right,
            buckets: buckets.right,
            images: sections.images.right,
            instances: sections.instances.right,
            pools: sections.pools.right,
        })
    }

    fn note(&self, span: Span, message: impl AsRef<str>) {
        self.notes.note(span, message, None);
    }

    fn note_help(&self, span: Span, message: impl AsRef<str>, help: impl Into<String>) {
        self.notes.note(span, message, Some(help.into()));
    }

    /// The value of a key that has to be there. A missing one is noted at `parent`.
    fn need<T>(&self, parent: Span, key: &str, field: Field<T>) -> Option<At<T>> {
        if matches!(field, Field::Missing) {
            self.note(parent, format!("`{key}` is missing here"));
        }
        field.set()
    }

    /// A whole number in that range, both ends included.
    fn within(&self, what: &str, number: &At<i64>, least: i64, most: i64) -> Option<u32> {
        if (least..=most).contains(&number.value) {
            return u32::try_from(number.value).ok();
        }
        self.note(
            number.span,
            format!("{what} is a whole number from {least} to {most}"),
        );
        None
    }

    /// Each entry of a section by `check`, under its checked name.
    fn section<R, T>(
        &mut self,
        section: Field<Named<R>>,
        mut check: impl FnMut(&mut Self, Span, R) -> Option<T>,
    ) -> Section<T> {
        let mut checked = Section {
            right: BTreeMap::new(),
            places: BTreeMap::new(),
            whole: true,
        };
        checked.whole = !matches!(section, Field::Wrong);
        let entries = section
            .set()
            .map(|section| section.value.0)
            .unwrap_or_default();
        for (key, entry) in entries {
            let name = self.check_resource_name(&key);
            let value = entry
                .set()
                .and_then(|entry| check(self, key.span, entry.value));
            checked
                .places
                .extend(name.clone().map(|name| (name, key.span)));
            match (name, value) {
                (Some(name), Some(value)) => {
                    checked.right.insert(name, value);
                }
                _ => checked.whole = false,
            }
        }
        checked
    }

    fn check_resource_name(&self, key: &At<String>) -> Option<ResourceName> {
        key.value
            .parse()
            .map_err(|problem| self.note(key.span, format!("{problem}")))
            .ok()
    }

    fn check_version(&self, head: Span, version: Field<i64>) {
        let missing = matches!(version, Field::Missing);
        match version.set() {
            Some(version) if version.value != 1 => {
                let help = "write `bivouac: 1`";
                self.note_help(
                    version.span,
                    "this version of the grammar is not known",
                    help,
                );
            }
            None if missing => {
                let help = "begin the file with `bivouac: 1`, the version of its grammar";
                self.note_help(head, "`bivouac` is missing here", help);
            }
            _ => {}
        }
    }

    /// The outer `None` means that a problem has been noted, the inner one that nothing is said.
    fn check_max_instances(&self, most: Field<i64>) -> Option<Option<u32>> {
        match most {
            Field::Missing => Some(None),
            Field::Wrong => None,
            Field::Set(most) => self.within("`max-instances`", &most, 1, 1000).map(Some),
        }
    }

    fn check_name(&self, head: Span, name: Field<String>) -> Option<DeploymentName> {
        let name = self.need(head, "name", name)?;
        name.value
            .parse()
            .map_err(|problem| self.note(name.span, format!("{problem}")))
            .ok()
    }

    fn check_region(&self, head: Span, region: Field<String>) -> Option<String> {
        let At { value, span } = self.need(head, "region", region)?;
        if REGIONS.contains(&value.as_str()) {
            return Some(value);
        }
        let near = did_you_mean(&value, REGIONS.iter().copied());
        if near.is_none() && is_region(&value) {
            // One that is newer than the list below.
            return Some(value);
        }
        let help = near.unwrap_or_else(|| "for example `us-east-1`".into());
        self.note_help(span, format!("`{value}` is not an AWS region"), help);
        None
    }
}

/// `us-east-1`: two letters, words, a number.
fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [first, middle @ .., last] = parts.as_slice() else {
        return false;
    };
    let word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    let number = last.len() == 1 && last.bytes().all(|b| b.is_ascii_digit());
    first.len() == 2
        && word(first)
        && !middle.is_empty()
        && middle.iter().all(|p| word(p))
        && number
}

/// The regions that there were when this was written, to catch misspelt ones.
/// <https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html>
const REGIONS: &[&str] = &[
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "cn-north-1",
    "cn-northwest-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-west-1",
    "us-west-2",
];
