//! What can be said of one entry, knowing only the names of the others.

use std::collections::BTreeSet;
use std::path::{Component, Path};

use crate::names::ResourceName;
use crate::policy;

use super::super::problem::{Notes, Span, did_you_mean};
use super::super::raw::{
    Bytes, GIB, MIB, Named, RawBlueprint, RawBucket, RawDatabase, RawImage, RawIngress,
    RawInstance, RawMode, RawPool, RawProgram, RawRecipe, RawRole, RawScaling, RawSecurityGroup,
    RawSettings, RawSize,
};
use super::super::reader::{self, At, Field};
use super::super::{
    BaseImage, Bucket, Database, Image, Ingress, Instance, Policy, Pool, Recipe, Role, Scaling,
    SecurityGroup, Service, Size, Source, machine, tree,
};
use super::whole::{Host, Services};
use super::{Check, Section};

/// The most nodes a pool has.
const MOST_NODES: i64 = 8;

/// The names that entries may refer to.
pub(super) struct Known {
    groups: Vec<String>,
    roles: Vec<String>,
    /// The roles that the deployment makes itself, which policies may name.
    own_roles: Vec<String>,
    buckets: Vec<String>,
    images: Vec<String>,
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
    fn check_reference(
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

    pub(super) fn check_security_group(
        &mut self,
        known: &Known,
        raw: RawSecurityGroup,
    ) -> Option<SecurityGroup> {
        let rules = match raw.ingress {
            Field::Missing => Vec::new(),
            Field::Wrong => return None,
            Field::Set(rules) => rules.value,
        };
        let mut ingress: Vec<Ingress> = Vec::new();
        let mut right = true;
        for rule in rules {
            let Some((span, rule)) = rule
                .set()
                .and_then(|At { value, span }| Some((span, self.rule(known, span, value)?)))
            else {
                right = false;
                continue;
            };
            if ingress.contains(&rule) {
                self.note(span.head(), "this rule stands here a second time");
                right = false;
            }
            ingress.push(rule);
        }
        right.then_some(SecurityGroup { ingress })
    }

    fn rule(&self, known: &Known, span: Span, raw: RawIngress) -> Option<Ingress> {
        let ports = self.check_ports(span, raw.port, raw.ports);
        let from = self.need(span.head(), "from", raw.from);
        let from = from.and_then(|from| self.check_source(known, &from));
        let (first_port, last_port) = ports?;
        Some(Ingress {
            first_port,
            last_port,
            from: from?,
        })
    }

    fn check_ports(
        &self,
        span: Span,
        port: Field<i64>,
        ports: Field<String>,
    ) -> Option<(u16, u16)> {
        match (port, ports) {
            (Field::Missing, Field::Missing) => {
                let help = "write `port: 5000`, or `ports: 5000-5001` for a range";
                self.note_help(span.head(), "this rule names no port", help);
                None
            }
            (Field::Set(port), Field::Missing) => {
                let port = self.within("a port", &port, 1, 65535)?;
                let port = u16::try_from(port).ok()?;
                Some((port, port))
            }
            (Field::Missing, Field::Set(ports)) => self.check_range(&ports),
            (Field::Set(_), Field::Set(ports)) => {
                self.note(ports.span, "a rule has `port` or `ports`, not both");
                None
            }
            _ => None,
        }
    }

    fn check_range(&self, ports: &At<String>) -> Option<(u16, u16)> {
        let range = ports.value.split_once('-').and_then(|(first, last)| {
            Some((
                first.trim().parse::<u16>().ok()?,
                last.trim().parse::<u16>().ok()?,
            ))
        });
        match range {
            Some((first, last)) if 0 < first && first <= last => Some((first, last)),
            Some((first, last)) if 0 < last && last < first => {
                let help = format!("did you mean `{last}-{first}`?");
                self.note_help(ports.span, "the first port comes first", help);
                None
            }
            _ => {
                let message = format!("`{}` is not a range of ports from 1 to 65535", ports.value);
                self.note_help(ports.span, message, "for example `5000-5001`");
                None
            }
        }
    }

    fn check_source(&self, known: &Known, from: &At<String>) -> Option<Source> {
        let text = from.value.as_str();
        if text == "my-ip" {
            return Some(Source::MyIp);
        }
        if text.contains(['.', '/', ':']) {
            return self.check_addresses(from).map(Source::Range);
        }
        if let Some(near) =
            did_you_mean(text, ["my-ip"]).filter(|_| !known.groups.contains(&from.value))
        {
            self.note_help(
                from.span,
                format!("`security-groups` has no `{text}`"),
                near,
            );
            return None;
        }
        self.check_reference(from, "security-groups", &known.groups)
            .map(Source::Group)
    }

    /// An IPv4 range as AWS keeps it: with no bit set after the prefix.
    fn check_addresses(&self, from: &At<String>) -> Option<String> {
        let text = from.value.as_str();
        let parsed = text.split_once('/').and_then(|(address, prefix)| {
            let address: std::net::Ipv4Addr = address.parse().ok()?;
            let digits = !prefix.is_empty() && prefix.bytes().all(|b| b.is_ascii_digit());
            let prefix: u32 = prefix
                .parse()
                .ok()
                .filter(|prefix| digits && *prefix <= 32)?;
            Some((address, prefix))
        });
        let Some((address, prefix)) = parsed else {
            let help = match text.parse::<std::net::Ipv4Addr>() {
                Ok(address) => format!("for this one address write `{address}/32`"),
                Err(_) => "write `my-ip`, a security group, or IPv4 like `203.0.113.0/24`".into(),
            };
            self.note_help(
                from.span,
                format!("`{text}` is not a range of addresses"),
                help,
            );
            return None;
        };
        let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
        let network = std::net::Ipv4Addr::from(u32::from(address) & mask);
        if network != address {
            let help = format!("did you mean `{network}/{prefix}`?");
            self.note_help(
                from.span,
                format!("`{text}` is not the start of its range"),
                help,
            );
            return None;
        }
        Some(format!("{network}/{prefix}"))
    }

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

    /// The text of a file that the blueprint names.
    fn file(&self, name: &At<String>) -> Option<String> {
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

    pub(super) fn check_image(&mut self, at: Span, raw: RawImage) -> Option<Image> {
        let base = self.need(at, "base", raw.base);
        let recipe = self
            .need(at, "recipe", raw.recipe)
            .and_then(|file| self.recipe(&file));
        Some(Image {
            base: base?.value,
            recipe: recipe?,
        })
    }

    /// A recipe is a file of its own, with problems of its own.
    fn recipe(&mut self, file: &At<String>) -> Option<Recipe> {
        let text = self.file(file)?;
        let name = beside(self.notes.file, &file.value);
        let notes = Notes::new(&name, text.strip_prefix('\u{feff}').unwrap_or(&text));
        let mut none = Vec::new();
        let recipe = Check {
            notes: &notes,
            files: self.files,
            elsewhere: &mut none,
        }
        .recipe_text();
        let problems = notes.into_problems();
        let right = problems.is_empty();
        self.elsewhere.extend(problems);
        recipe.filter(|_| right)
    }

    fn recipe_text(&self) -> Option<Recipe> {
        let Some(document) = tree::parse(self.notes) else {
            if self.notes.is_empty() {
                let help = "a recipe begins with `programs: [boot, cache-node]`";
                self.note_help(Span::default(), "the recipe is empty", help);
            }
            return None;
        };
        let At { value: raw, span } = reader::read::<RawRecipe>(self.notes, &document)?;
        let programs = self.need(span.head(), "programs", raw.programs)?;
        let names = self.once(programs.value)?;
        if !names.contains(&RawProgram::Boot) {
            let help = "add `boot`: it starts the services of an instance";
            self.note_help(
                programs.span.head(),
                "the recipe does not install `boot`",
                help,
            );
        }
        let run = match raw.run {
            Field::Missing => Vec::new(),
            Field::Wrong => return None,
            Field::Set(lines) => {
                let count = lines.value.len();
                let lines: Vec<String> = lines
                    .value
                    .into_iter()
                    .filter_map(|line| self.check_line(line.set()?))
                    .collect();
                (lines.len() == count).then_some(lines)?
            }
        };
        Some(Recipe {
            programs: names.iter().map(|name| name.as_str().to_owned()).collect(),
            run,
        })
    }

    fn check_line(&self, line: At<String>) -> Option<String> {
        let problem = if line.value.trim().is_empty() {
            "this line does nothing"
        } else if line.value.contains('\0') {
            "a shell line cannot hold a NUL"
        } else {
            return Some(line.value);
        };
        self.note(line.span, problem);
        None
    }

    /// The entries of a list, each of which may stand there once.
    fn once<T: Ord + Copy>(&self, list: Vec<Field<T>>) -> Option<Vec<T>> {
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

    pub(super) fn check_instance(
        &mut self,
        known: &Known,
        at: Span,
        raw: RawInstance,
        services: &mut Services,
    ) -> Option<Instance> {
        let machine = self
            .need(at, "type", raw.machine)
            .and_then(|m| self.check_machine(m));
        let role = self
            .need(at, "role", raw.role)
            .and_then(|name| self.check_reference(&name, "iam-roles", &known.roles));
        let group = self
            .need(at, "security-group", raw.security_group)
            .and_then(|name| self.check_reference(&name, "security-groups", &known.groups));
        let list = self.need(at, "services", raw.services)?;
        if list.value.is_empty() {
            self.note(list.span, "an instance runs one service at least");
        }
        let host = Host {
            group: group.clone(),
            key: at,
        };
        services.note(&host, list.value.iter());
        let list = self.once(list.value)?;
        let base = match raw.base {
            Field::Missing => BaseImage::AmazonLinux2023,
            Field::Wrong => return None,
            Field::Set(base) => base.value,
        };
        Some(Instance {
            machine: machine?.value,
            base,
            role: role?,
            security_group: group?,
            services: list,
        })
    }

    fn check_machine(&self, machine: At<String>) -> Option<At<String>> {
        if let Err(help) = machine::check(&machine.value) {
            let message = format!("`{}` is not an instance type", machine.value);
            self.note_help(
                machine.span,
                message,
                help.unwrap_or("for example `t3.micro`".into()),
            );
            return None;
        }
        Some(machine)
    }

    pub(super) fn check_pool(
        &mut self,
        known: &Known,
        at: Span,
        raw: RawPool,
        services: &mut Services,
    ) -> Option<Pool> {
        let image = self
            .need(at, "image", raw.image)
            .and_then(|name| self.check_reference(&name, "images", &known.images));
        let machine = self
            .need(at, "type", raw.machine)
            .and_then(|m| self.check_machine(m));
        let role = self
            .need(at, "role", raw.role)
            .and_then(|name| self.check_reference(&name, "iam-roles", &known.roles));
        let group = self
            .need(at, "security-group", raw.security_group)
            .and_then(|name| self.check_reference(&name, "security-groups", &known.groups));
        let service = self
            .need(at, "service", raw.service)
            .and_then(|s| self.check_node(&s));
        if service.is_some() {
            services.nodes.push(Host {
                group: group.clone(),
                key: at,
            });
        }
        let size = self
            .need(at, "size", raw.size)
            .and_then(|size| self.check_size(size));
        let settings = self.need(at, "settings", raw.settings);
        let settings = settings.and_then(|s| self.check_settings(s, machine.as_ref()));
        let scaling = self.check_scaling(raw.scaling);
        let (capacity, policy) = settings?;
        Some(Pool {
            image: image?,
            machine: machine?.value,
            role: role?,
            security_group: group?,
            service: service?,
            size: size?,
            capacity,
            policy,
            scaling: scaling?,
        })
    }

    fn check_node(&self, service: &At<Service>) -> Option<Service> {
        if service.value == Service::CacheNode {
            return Some(service.value);
        }
        let message = format!(
            "a pool's nodes run `cache-node`, not `{}`",
            service.value.as_str()
        );
        self.note(service.span, message);
        None
    }

    fn check_size(&self, size: At<RawSize>) -> Option<Size> {
        let At { value: raw, span } = size;
        let count = |what, at| self.within(what, at, 1, MOST_NODES);
        let min = self.need(span.head(), "min", raw.min);
        let max = self.need(span.head(), "max", raw.max);
        let checked_min = min.as_ref().and_then(|min| count("`min`", min));
        let checked_max = max.as_ref().and_then(|max| count("`max`", max));
        let start = match raw.start {
            Field::Missing => checked_min,
            Field::Wrong => None,
            Field::Set(start) => {
                let checked = count("`start`", &start)?;
                if checked < checked_min? || checked > checked_max? {
                    self.note(
                        start.span,
                        "the pool starts with less than `min` or more than `max`",
                    );
                    return None;
                }
                Some(checked)
            }
        };
        if checked_min? > checked_max? {
            self.note(max?.span, "`max` is less than `min`");
            return None;
        }
        Some(Size {
            min: checked_min?,
            max: checked_max?,
            start: start?,
        })
    }

    fn check_settings(
        &self,
        settings: At<RawSettings>,
        machine: Option<&At<String>>,
    ) -> Option<(u64, Policy)> {
        let At { value: raw, span } = settings;
        let policy = match raw.policy {
            Field::Missing => Some(Policy::Lru),
            field => field.set().map(|policy| policy.value),
        };
        let capacity = self.need(span.head(), "capacity", raw.capacity)?;
        let bytes = capacity.value.0;
        if bytes < MIB || !bytes.is_multiple_of(MIB) {
            self.note(
                capacity.span,
                "a capacity is a whole number of MiB, 1 MiB at least",
            );
            return None;
        }
        if let Some(memory) = machine.and_then(|machine| machine::memory(&machine.value)) {
            let room = machine::room(memory);
            if bytes > room {
                let machine = machine.map_or("", |machine| &machine.value);
                let message = format!("a {machine} has {} MiB of memory", memory / MIB);
                let help = format!("{} MiB at most fit beside system and service", room / MIB);
                self.note_help(capacity.span, message, help);
                return None;
            }
        }
        Some((bytes, policy?))
    }

    fn check_scaling(&self, raw: Field<RawScaling>) -> Option<Scaling> {
        let mut scaling = Scaling {
            automatic: false,
            grow_above: 0.6,
            shrink_below: 0.2,
            expand: 2.0,
            shrink: 0.5,
        };
        let At { value: raw, span } = match raw {
            Field::Missing => return Some(scaling),
            Field::Wrong => return None,
            Field::Set(raw) => raw,
        };
        let mode = self.need(span.head(), "mode", raw.mode);
        let place = match &raw.shrink_below {
            Field::Set(shrink_below) => shrink_below.span,
            _ => span.head(),
        };
        let rate = |rate: f64| (0.0..=1.0).contains(&rate);
        let right = [
            self.factor(
                &mut scaling.grow_above,
                raw.grow_above,
                "a rate is from 0 to 1",
                rate,
            ),
            self.factor(
                &mut scaling.shrink_below,
                raw.shrink_below,
                "a rate is from 0 to 1",
                rate,
            ),
            self.factor(
                &mut scaling.expand,
                raw.expand,
                "this factor is above 1, at most 8",
                |f| f > 1.0 && f <= 8.0,
            ),
            self.factor(
                &mut scaling.shrink,
                raw.shrink,
                "this factor is between 0 and 1",
                |f| f > 0.0 && f < 1.0,
            ),
        ];
        scaling.automatic = matches!(mode?.value, RawMode::Auto);
        if right.contains(&false) {
            return None;
        }
        if scaling.shrink_below >= scaling.grow_above {
            self.note(place, "`shrink-below` has to be less than `grow-above`");
            return None;
        }
        Some(scaling)
    }

    /// Takes a number over its default, if it is one that is allowed.
    fn factor(
        &self,
        into: &mut f64,
        field: Field<f64>,
        rule: &str,
        allowed: impl Fn(f64) -> bool,
    ) -> bool {
        match field {
            Field::Missing => true,
            Field::Wrong => false,
            Field::Set(number) => {
                *into = number.value;
                let right = allowed(number.value);
                if !right {
                    self.note(number.span, rule);
                }
                right
            }
        }
    }
}

/// The name to show for a file that is named from the folder of another.
fn beside(file: &str, name: &str) -> String {
    let folder = Path::new(file).parent().unwrap_or(Path::new(""));
    let mut shown = std::path::PathBuf::new();
    for part in folder.join(name).components() {
        let up = part == Component::ParentDir;
        if up && matches!(shown.components().next_back(), Some(Component::Normal(_))) {
            shown.pop();
        } else {
            shown.push(part);
        }
    }
    shown.display().to_string()
}
