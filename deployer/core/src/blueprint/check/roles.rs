//! Roles: a policy of ours, or an instance profile that exists.

use crate::policy;

use super::super::Role;
use super::super::problem::Span;
use super::super::raw::RawRole;
use super::super::reader::{At, Field};
use super::Check;
use super::known::Known;

impl Check<'_> {
    pub(super) fn check_role(&mut self, known: &Known, at: Span, raw: RawRole) -> Option<Role> {
        match (raw.allow, raw.existing) {
            (Field::Set(file), Field::Missing) => self.check_policy(known, file),
            (Field::Missing, Field::Set(name)) => self.check_profile(name),
            (Field::Missing, Field::Missing) => {
                let help = "write `allow: FILE`, or `existing: INSTANCE-PROFILE`";
                self.note_help(
                    at,
                    "this role says neither what it allows nor which it is",
                    help,
                );
                None
            }
            (Field::Set(_), Field::Set(existing)) => {
                self.note(existing.span, "a role has `allow` or `existing`, not both");
                None
            }
            _ => None,
        }
    }

    fn check_policy(&mut self, known: &Known, file: At<String>) -> Option<Role> {
        let template = self.file(&file)?;
        let roles = known.own_roles.iter().map(String::as_str);
        let buckets = known.buckets.iter().map(String::as_str);
        match policy::check(&template, roles, buckets) {
            Ok(()) => Some(Role::Allow {
                template,
                file: file.value,
            }),
            Err(problem) => {
                self.note(file.span, format!("the policy `{}`: {problem}", file.value));
                None
            }
        }
    }

    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_InstanceProfile.html>
    fn check_profile(&self, name: At<String>) -> Option<Role> {
        let right = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b);
        if (1..=128).contains(&name.value.len()) && name.value.bytes().all(right) {
            return Some(Role::Existing(name.value));
        }
        let help = match name.value.starts_with("arn:") {
            true => "write the name only, what stands after the last `/` of the ARN",
            false => "letters, digits and _+=,.@- make one",
        };
        self.note_help(
            name.span,
            "this is not the name of an instance profile",
            help,
        );
        None
    }
}
