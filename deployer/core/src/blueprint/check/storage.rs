//! Databases and buckets.

use super::super::problem::Span;
use super::super::raw::{Bytes, GIB, Named, RawBucket, RawDatabase};
use super::super::reader::{At, Field};
use super::super::{Bucket, Database, machine};
use super::known::Known;
use super::{Check, Section};

impl Check<'_> {
    pub(super) fn check_database(
        &mut self,
        known: &Known,
        at: Span,
        raw: RawDatabase,
    ) -> Option<Database> {
        let engine = self.need(at, "engine", raw.engine);
        let class = self
            .need(at, "class", raw.class)
            .and_then(|class| self.check_class(class));
        let storage = self
            .need(at, "storage", raw.storage)
            .and_then(|s| self.check_storage(&s));
        let security_group = self
            .need(at, "security-group", raw.security_group)
            .and_then(|name| self.check_reference(&name, "security-groups", &known.groups));
        let version = match raw.version {
            Field::Missing => None,
            Field::Wrong => return None,
            // Older ones are out of support, and AWS refuses them or bills them extra.
            Field::Set(version) => Some(self.within("PostgreSQL's version", &version, 14, 18)?),
        };
        engine?;
        Some(Database {
            class: class?,
            storage_gib: storage?,
            version: version.map(|version| version.to_string()),
            security_group: security_group?,
        })
    }

    fn check_class(&self, class: At<String>) -> Option<String> {
        machine::check_class(&class.value)
            .map_err(|help| {
                let message = format!("`{}` is not a database instance class", class.value);
                let help = help.unwrap_or_else(|| "for example `db.t4g.micro`".into());
                self.note_help(class.span, message, help);
            })
            .ok()
            .map(|()| class.value)
    }

    /// RDS takes 20 GiB to 64 TiB of gp2 storage.
    /// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Storage.html>
    fn check_storage(&self, storage: &At<Bytes>) -> Option<u32> {
        let bytes = storage.value.0;
        if bytes.is_multiple_of(GIB) && (20..=65_536).contains(&(bytes / GIB)) {
            return u32::try_from(bytes / GIB).ok();
        }
        self.note(
            storage.span,
            "the storage of a database is 20 GiB to 64 TiB, in whole GiB",
        );
        None
    }

    pub(super) fn check_buckets(
        &mut self,
        head: Span,
        raw: Field<Named<RawBucket>>,
    ) -> Section<Bucket> {
        let place = match &raw {
            Field::Missing => Some(head),
            Field::Set(section) if section.value.0.is_empty() => Some(section.span),
            _ => None,
        };
        if let Some(place) = place {
            let help = "add `buckets: { photos: {} }`; programs and settings are kept there too";
            self.note_help(place, "a deployment needs a bucket", help);
        }
        self.section(raw, |_, _, RawBucket {}| Some(Bucket {}))
    }
}
