//! What can only be said of the blueprint as a whole: that its parts are complete, and that every
//! service which listens can be reached by those who call it. The laptop's addresses would forgive
//! a missing rule; on AWS it is a connection that hangs.

use crate::names::ResourceName;

use super::super::problem::Span;
use super::super::reader::At;
use super::super::reader::Field;
use super::super::{
    Callee, Database, Image, Ingress, Instance, Pool, SecurityGroup, Service, Source,
};
use super::{Check, Section};

/// The port of PostgreSQL.
const POSTGRES: u16 = 5432;

/// Who runs a service: the security group (unless its name is wrong) and the place of the name.
#[derive(Clone)]
pub(super) struct Host {
    pub(super) group: Option<ResourceName>,
    pub(super) key: Span,
}

/// A service on an instance, and where it is named.
struct Placed {
    service: Service,
    span: Span,
    host: Host,
}

/// Which services run where.
#[derive(Default)]
pub(super) struct Services {
    /// On single instances, in the file's order.
    placed: Vec<Placed>,
    /// The pools of cache nodes.
    pub(super) nodes: Vec<Host>,
}

impl Services {
    pub(super) fn note<'a>(
        &mut self,
        host: &Host,
        services: impl Iterator<Item = &'a Field<Service>>,
    ) {
        for field in services {
            if let Field::Set(At { value, span }) = field {
                self.placed.push(Placed {
                    service: *value,
                    span: *span,
                    host: host.clone(),
                });
            }
        }
    }

    /// Each service that calls somebody, with the group that it calls from.
    fn callers(&self, callee: Callee) -> impl Iterator<Item = (Service, &ResourceName)> {
        let single = self.placed.iter();
        let single = single.map(|placed| (placed.service, &placed.host));
        let nodes = self.nodes.iter().map(|node| (Service::CacheNode, node));
        single
            .chain(nodes)
            .filter(move |(service, _)| service.calls().contains(&callee))
            .filter_map(|(service, host)| Some((service, host.group.as_ref()?)))
    }

    fn all(&self, service: Service) -> impl Iterator<Item = &Placed> {
        self.placed
            .iter()
            .filter(move |placed| placed.service == service)
    }
}

/// The sections that depend on each other.
pub(super) struct Sections {
    pub(super) groups: Section<SecurityGroup>,
    pub(super) databases: Section<Database>,
    pub(super) images: Section<Image>,
    pub(super) instances: Section<Instance>,
    pub(super) pools: Section<Pool>,
    pub(super) services: Services,
}

impl Check<'_> {
    pub(super) fn check_whole(&self, sections: &Sections) {
        self.check_nodes_are_in_pools(sections);
        self.check_one_manager(sections);
        self.check_is_beside_manager(sections, Service::FrontEnd);
        self.check_is_beside_manager(sections, Service::Scaler);
        self.check_someone_scales(sections);
        self.check_one_of_each(sections);
        self.check_programs(sections);
        self.check_doors(sections);
        self.check_nodes_are_reachable(sections);
        self.check_database_is_reachable(sections);
    }

    fn check_nodes_are_in_pools(&self, sections: &Sections) {
        for node in sections.services.all(Service::CacheNode) {
            let help = "remove it here; a pool with `service: cache-node` runs it";
            self.note_help(
                node.span,
                "a cache node does not run on a single instance",
                help,
            );
        }
    }

    fn check_one_manager(&self, sections: &Sections) {
        let mut managers = sections.services.all(Service::Manager);
        if managers.next().is_none() && sections.instances.whole {
            for pool in &sections.services.nodes {
                let help = "add an instance with `services: [front-end, manager]`";
                self.note_help(
                    pool.key,
                    "no instance runs the `manager` that makes its nodes",
                    help,
                );
            }
        }
        for second in managers {
            self.note(
                second.span,
                "a deployment has one `manager`; this is another",
            );
        }
    }

    /// Front-end and scaler call the manager on the instance's own address.
    fn check_is_beside_manager(&self, sections: &Sections, service: Service) {
        let name = service.as_str();
        let mut all = sections.services.all(service);
        let Some(first) = all.next() else {
            return;
        };
        let managers: Vec<&Placed> = sections.services.all(Service::Manager).collect();
        if managers.is_empty() && sections.instances.whole {
            let help = format!("write `services: [{name}, manager]`");
            self.note_help(
                first.span,
                "no instance runs the `manager` it works with",
                help,
            );
        } else if !managers.is_empty()
            && !managers
                .iter()
                .any(|manager| manager.host.key == first.host.key)
        {
            let message = format!("the `{name}` has to run on the instance of the `manager`");
            self.note(first.span, message);
        }
        for second in all {
            self.note(
                second.span,
                format!("a deployment has one `{name}`; this is another"),
            );
        }
    }

    /// A pool in mode auto would keep its size for ever if nobody decided on it.
    fn check_someone_scales(&self, sections: &Sections) {
        let is_scaled = sections.services.all(Service::Scaler).next().is_some();
        let Some(manager) = sections.services.all(Service::Manager).next() else {
            return;
        };
        let automatic = sections
            .pools
            .right
            .values()
            .any(|pool| pool.scaling.automatic);
        if automatic && !is_scaled && sections.instances.whole {
            self.note_help(
                manager.span,
                "the pool's mode is auto, and no instance runs the `scaler` that decides its size",
                "add `scaler` to the services here, or write `mode: manual`",
            );
        }
    }

    /// What the manager looks after: one pool and one database.
    fn check_one_of_each(&self, sections: &Sections) {
        let Some(manager) = sections.services.all(Service::Manager).next() else {
            return;
        };
        let pools = (
            &sections.pools.places,
            sections.pools.whole,
            "pool",
            "`pools`",
        );
        let databases = (
            &sections.databases.places,
            sections.databases.whole,
            "database",
            "`databases`",
        );
        for (places, whole, what, section) in [pools, databases] {
            let mut spans: Vec<Span> = places.values().copied().collect();
            spans.sort_by_key(|span| span.start);
            if spans.is_empty() && whole {
                let help = format!("add one under {section}");
                self.note_help(manager.span, format!("the `manager` needs a {what}"), help);
            }
            for span in spans.iter().skip(1) {
                self.note(
                    *span,
                    format!("the `manager` looks after one {what}; this is another"),
                );
            }
        }
    }

    /// The image of a pool holds the program of the pool's service.
    fn check_programs(&self, sections: &Sections) {
        for (name, pool) in &sections.pools.right {
            let Some(image) = sections.images.right.get(&pool.image) else {
                continue;
            };
            let program = pool.service.as_str();
            if !image
                .recipe
                .programs
                .iter()
                .any(|installed| installed == program)
            {
                let at = sections.pools.places.get(name).copied().unwrap_or_default();
                let message = format!("its image `{}` does not install `{program}`", pool.image);
                self.note_help(at, message, "add it to `programs` in the image's recipe");
            }
        }
    }

    /// Front-end and manager are there for people: a rule from outside leads to each.
    fn check_doors(&self, sections: &Sections) {
        for door in &sections.services.placed {
            if door.service == Service::CacheNode {
                continue;
            }
            let Some(port) = door.service.port() else {
                continue;
            };
            let open = |rule: &Ingress| matches!(rule.from, Source::MyIp | Source::Range(_));
            let Some(group) = sections.closed(door.host.group.as_ref(), port, open) else {
                continue;
            };
            let message = format!(
                "`{}` listens on port {port}, which no rule of `{group}` opens from outside",
                door.service.as_str(),
            );
            self.note_help(door.span, message, add(group, port, "my-ip"));
        }
    }

    /// Whoever calls a cache node, other nodes among them.
    fn check_nodes_are_reachable(&self, sections: &Sections) {
        let callee = Callee::Service(Service::CacheNode);
        let Some(port) = Service::CacheNode.port() else {
            return;
        };
        for pool in &sections.services.nodes {
            let group = pool.group.as_ref();
            self.check_callers(
                sections,
                pool.key,
                ("these cache nodes", callee),
                group,
                port,
            );
        }
    }

    /// Whoever keeps rows in a database.
    fn check_database_is_reachable(&self, sections: &Sections) {
        for (name, database) in &sections.databases.right {
            let at = sections
                .databases
                .places
                .get(name)
                .copied()
                .unwrap_or_default();
            let group = Some(&database.security_group);
            let callee = ("this database", Callee::Database);
            self.check_callers(sections, at, callee, group, POSTGRES);
        }
    }

    fn check_callers(
        &self,
        sections: &Sections,
        at: Span,
        (what, callee): (&str, Callee),
        group: Option<&ResourceName>,
        port: u16,
    ) {
        let mut named: Vec<&ResourceName> = Vec::new();
        for (caller, from) in sections.services.callers(callee) {
            if named.contains(&from) {
                continue;
            }
            let open = |rule: &Ingress| match &rule.from {
                Source::Group(group) => group == from,
                Source::Range(range) => range == "0.0.0.0/0",
                Source::MyIp => false,
            };
            if let Some(group) = sections.closed(group, port, open) {
                let message = format!(
                    "`{}` calls {what} on port {port}, which no rule of `{group}` opens to `{from}`",
                    caller.as_str(),
                );
                self.note_help(at, message, add(group, port, from.as_str()));
                named.push(from);
            }
        }
    }
}

impl Sections {
    /// The group, if it is right and none of its rules for that port is `open`.
    fn closed<'g>(
        &self,
        group: Option<&'g ResourceName>,
        port: u16,
        open: impl Fn(&Ingress) -> bool,
    ) -> Option<&'g ResourceName> {
        let group = group?;
        let rules = &self.groups.right.get(group)?.ingress;
        let covers = |rule: &&Ingress| (rule.first_port..=rule.last_port).contains(&port);
        (!rules.iter().filter(covers).any(open)).then_some(group)
    }
}

/// The rule that is missing, as it can be typed.
fn add(group: &ResourceName, port: u16, from: &str) -> String {
    format!("add to the ingress of `{group}`: {{ port: {port}, from: {from} }}")
}
