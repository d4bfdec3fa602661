//! Pools: their size, their cache and by which numbers they grow.

use super::super::problem::Span;
use super::super::raw::{MIB, RawMode, RawPool, RawScaling, RawSettings, RawSize};
use super::super::reader::{At, Field};
use super::super::{Policy, Pool, Scaling, Service, Size, machine};
use super::Check;
use super::known::Known;
use super::whole::{Host, Services};

/// The most nodes a pool has.
const MOST_NODES: i64 = 8;

/// The settings of a node's cache, as a pool takes them.
struct CheckedSettings {
    capacity: u64,
    policy: Policy,
    hand_over: bool,
}

impl Check<'_> {
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
        let cpu_credits = self.check_credits(raw.cpu_credits, machine.as_ref());
        let settings = settings?;
        Some(Pool {
            image: image?,
            machine: machine?.value,
            cpu_credits: cpu_credits?,
            role: role?,
            security_group: group?,
            service: service?,
            size: size?,
            capacity: settings.capacity,
            policy: settings.policy,
            hand_over: settings.hand_over,
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
    ) -> Option<CheckedSettings> {
        let At { value: raw, span } = settings;
        let policy = match raw.policy {
            Field::Missing => Some(Policy::Lru),
            field => field.set().map(|policy| policy.value),
        };
        let hand_over = match raw.hand_over {
            Field::Missing => Some(true),
            field => field.set().map(|hand_over| hand_over.value),
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
        Some(CheckedSettings {
            capacity: bytes,
            policy: policy?,
            hand_over: hand_over?,
        })
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
