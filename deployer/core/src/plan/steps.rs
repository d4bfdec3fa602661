//! The growing list of steps, and which step makes what.

use std::collections::BTreeMap;

use crate::names::{Kind, ResourceName};
use crate::plan::{Action, Refusal, Step, Verb};

/// Steps in order, with the step that makes each resource, so that later steps can need it.
#[derive(Debug, Default)]
pub(super) struct Steps {
    pub(super) list: Vec<Step>,
    pub(super) refusals: Vec<Refusal>,
    pub(super) settled: usize,
    made_by: BTreeMap<String, Vec<usize>>,
}

impl Steps {
    /// Adds a step that makes or changes `resource` and needs whatever makes `after`.
    pub(super) fn add(
        &mut self,
        resource: &str,
        verb: Verb,
        detail: String,
        action: Action,
        after: &[String],
    ) {
        let mut needs: Vec<usize> = after
            .iter()
            .filter_map(|name| self.made_by.get(name))
            .flatten()
            .copied()
            .collect();
        needs.sort_unstable();
        needs.dedup();
        let index = self.list.len();
        self.list.push(Step {
            resource: resource.to_owned(),
            verb,
            detail,
            action,
            needs,
        });
        self.made_by
            .entry(resource.to_owned())
            .or_default()
            .push(index);
    }

    /// Whether a step touches that resource.
    pub(super) fn touches(&self, resource: &str) -> bool {
        self.made_by.contains_key(resource)
    }

    /// Notes what cannot be done.
    pub(super) fn refuse(&mut self, resource: String, reason: impl Into<String>) {
        self.refusals.push(Refusal {
            resource,
            reason: reason.into(),
        });
    }
}

/// The resource's name in steps and output, for example `instance/manager`.
pub(super) fn label(kind: Kind, name: &ResourceName) -> String {
    format!("{}/{name}", kind.as_str())
}
