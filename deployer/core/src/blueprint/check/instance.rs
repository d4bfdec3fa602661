//! Single instances.

use super::super::problem::Span;
use super::super::raw::RawInstance;
use super::super::reader::{At, Field};
use super::super::{Api, BaseImage, Instance, Service, machine};
use super::Check;
use super::known::Known;
use super::whole::{Host, Services};

impl Check<'_> {
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
        let api = match raw.api {
            Field::Missing => Api::default(),
            Field::Wrong => return None,
            Field::Set(api) => self.check_api(&api, &list)?,
        };
        let cpu_credits = self.check_credits(raw.cpu_credits, machine.as_ref());
        Some(Instance {
            machine: machine?.value,
            base,
            role: role?,
            security_group: group?,
            services: list,
            api,
            cpu_credits: cpu_credits?,
        })
    }

    /// Only front-end and manager have an API.
    fn check_api(&self, api: &At<Api>, services: &[Service]) -> Option<Api> {
        let have_one = [Service::FrontEnd, Service::Manager];
        if services.iter().any(|service| have_one.contains(service)) {
            return Some(api.value);
        }
        let help = "move it to the instance that runs the `front-end` and the `manager`";
        self.note_help(api.span, "no service of this instance has an API", help);
        None
    }

    pub(super) fn check_machine(&self, machine: At<String>) -> Option<At<String>> {
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
}
