//! The growing list of steps, and which step makes what.

use std::collections::BTreeMap;

use crate::names::{Kind, ResourceName};
use crate::plan::{Action, Change, Note, Refusal, Step, Verb};

/// Steps in order, with the step that makes each resource, so that later steps can need it.
#[derive(Debug, Default)]
pub(super) struct Steps {
    pub(super) list: Vec<Step>,
    pub(super) refusals: Vec<Refusal>,
    pub(super) notes: Vec<Note>,
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
            changes: Vec::new(),
            action,
            needs,
        });
        self.made_by
            .entry(resource.to_owned())
            .or_default()
            .push(index);
    }

    /// Says what the step that was added last changes.
    pub(super) fn because(&mut self, changes: Vec<Change>) {
        if let Some(step) = self.list.last_mut() {
            step.changes = changes;
        }
    }

    /// Notes what there is to know.
    pub(super) fn note(&mut self, resource: &str, text: impl Into<String>) {
        self.notes.push(Note {
            resource: resource.to_owned(),
            text: text.into(),
        });
    }

    /// Whether a step touches that resource.
    pub(super) fn touches(&self, resource: &str) -> bool {
        self.made_by.contains_key(resource)
    }

    /// Whether a step bakes that image.
    pub(super) fn bakes(&self, image: &ResourceName) -> bool {
        let mut actions = self.list.iter().map(|step| &step.action);
        actions.any(|a| matches!(a, Action::BakeImage { resource, .. } if resource == image))
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
