//! What entries refer to: each other's names, and files beside the blueprint.

use std::collections::BTreeSet;

use crate::names::ResourceName;

use super::super::problem::did_you_mean;
use super::super::raw::{Named, RawBlueprint};
use super::super::reader::{At, Field};
use super::Check;

/// The names that entries may refer to.
pub(super) struct Known {
    pub(super) groups: Vec<String>,
    pub(super) roles: Vec<String>,
    /// The roles that the deployment makes itself, which policies may name.
    pub(super) own_roles: Vec<String>,
    pub(super) buckets: Vec<String>,
    pub(super) images: Vec<String>,
}

impl Known {
    pub(super) fn of(raw: &RawBlueprint) -> Self {
        Known {
            groups: names(&raw.security_groups, |_| true),
            roles: names(&raw.iam_roles, |_| true),
            own_roles: names(&raw.iam_roles, |role| {
                !matches!(role.existing, Field::Set(_))
            }),
            buckets: names(&raw.buckets, |_| true),
            images: names(&raw.images, |_| true),
        }
    }
}

/// The names in a section, also of entries that are wrong, unless `takes` refuses the entry.
fn names<T>(section: &Field<Named<T>>, takes: impl Fn(&T) -> bool) -> Vec<String> {
    let Field::Set(section) = section else {
        return Vec::new();
    };
    let taken = section.value.0.iter().filter(|(_, entry)| match entry {
        Field::Set(entry) => takes(&entry.value),
        Field::Missing | Field::Wrong => true,
    });
    taken.map(|(key, _)| key.value.clone()).collect()
}

impl Check<'_> {
    /// A name that has to stand in the section `section`, which has the names `known`.
    pub(super) fn check_reference(
        &self,
        name: &At<String>,
        section: &str,
        known: &[String],
    ) -> Option<ResourceName> {
        if known.contains(&name.value) {
            return name.value.parse().ok();
        }
        let near = did_you_mean(&name.value, known.iter().map(String::as_str));
        let help = near.unwrap_or_else(|| match known {
            [] => format!("`{section}` has no entries"),
            known => format!("there: {}", known.join(", ")),
        });
        self.note_help(
            name.span,
            format!("`{section}` has no `{}`", name.value),
            help,
        );
        None
    }

    /// The text of a file that the blueprint names.
    pub(super) fn file(&self, name: &At<String>) -> Option<String> {
        let bytes = match self.files.read(&name.value) {
            Ok(bytes) => bytes,
            Err(error) => {
                let help = "the name is read from the blueprint's folder";
                self.note_help(
                    name.span,
                    format!("cannot read `{}`: {error}", name.value),
                    help,
                );
                return None;
            }
        };
        if bytes.len() > super::LARGEST {
            self.note(name.span, format!("`{}` is larger than 1 MiB", name.value));
            return None;
        }
        match String::from_utf8(bytes) {
            Ok(text) => Some(text),
            Err(_) => {
                self.note(
                    name.span,
                    format!("`{}` is not a text in UTF-8", name.value),
                );
                None
            }
        }
    }

    /// The entries of a list, each of which may stand there once.
    pub(super) fn once<T: Ord + Copy>(&self, list: Vec<Field<T>>) -> Option<Vec<T>> {
        let count = list.len();
        let mut seen = BTreeSet::new();
        let mut entries = Vec::new();
        for At { value, span } in list.into_iter().filter_map(Field::set) {
            if seen.insert(value) {
                entries.push(value);
            } else {
                self.note(span, "this stands here a second time");
            }
        }
        (entries.len() == count).then_some(entries)
    }
}
