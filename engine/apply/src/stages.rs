//! What of a wave may be done at the same time.
//!
//! The plan's order is kept; this only says where the executor must pause: consecutive steps of one stage do not need each
//! other and go in parallel.

use std::collections::HashSet;

use sluice_model::ObjectRef;
use sluice_model::plan::{Action, Step};

/// What others need before they can be stored or before they work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Namespaces and CRDs: nothing can be stored without them.
    Ground,
    /// What running things read, are allowed by or are limited by.
    Settings,
    /// What runs.
    Work,
    /// What changes how everything else is stored: only once its own backend is there.
    Gates,
    /// Deletions, which the plan has put where they belong.
    Deletion,
}

fn stage(step: &Step) -> Stage {
    match &step.action {
        Action::Delete { .. } => Stage::Deletion,
        Action::Apply { .. } => stage_of(&step.object),
    }
}

fn stage_of(object: &ObjectRef) -> Stage {
    match (object.group.as_str(), object.kind.as_str()) {
        ("", "Namespace") | ("apiextensions.k8s.io", "CustomResourceDefinition") => Stage::Ground,
        ("admissionregistration.k8s.io" | "apiregistration.k8s.io", _) => Stage::Gates,
        ("", "ResourceQuota" | "LimitRange" | "ServiceAccount" | "Secret" | "ConfigMap")
        | ("", "PersistentVolume" | "PersistentVolumeClaim")
        | ("rbac.authorization.k8s.io" | "storage.k8s.io" | "scheduling.k8s.io" | "node.k8s.io", _) => {
            Stage::Settings
        }
        (_, kind) if kind.ends_with("Class") => Stage::Settings,
        _ => Stage::Work,
    }
}

/// Cuts the steps of one wave into runs that may each be done in parallel; the runs follow one another.
pub(crate) fn runs<'a>(steps: &[&'a Step]) -> Vec<Vec<&'a Step>> {
    let mut runs: Vec<Vec<&'a Step>> = Vec::new();
    let (mut current, mut names) = (None, HashSet::new());
    for step in steps {
        let stage = stage(step);
        let ObjectRef {
            group,
            kind,
            namespace,
            name,
            ..
        } = &step.object;
        let name = (group, kind, namespace, name);
        match runs.last_mut() {
            // The same object twice (a hook that is replaced): one after the other.
            Some(run) if current == Some(stage) && !names.contains(&name) => run.push(step),
            _ => {
                runs.push(vec![step]);
                names.clear();
            }
        }
        if !step.object.name.is_empty() {
            names.insert(name);
        }
        current = Some(stage);
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_model::decision::{ApplyOptions, Phase, Propagation, Strategy};

    fn step(group: &str, kind: &str, name: &str, delete: bool) -> Step {
        Step {
            phase: Phase::Sync,
            wave: 0,
            object: ObjectRef {
                group: group.to_owned(),
                version: "v1".to_owned(),
                kind: kind.to_owned(),
                namespace: None,
                name: name.to_owned(),
            },
            action: match delete {
                true => Action::Delete {
                    propagation: Propagation::Background,
                },
                false => Action::Apply {
                    manifest: Default::default(),
                    strategy: Strategy::ServerSideApply,
                    force: false,
                    validate: true,
                    delete_first: false,
                    take_over: Vec::new(),
                    cleanup: Vec::new(),
                    options: ApplyOptions::default(),
                },
            },
            origin: None,
            changes: Vec::new(),
            precondition: None,
        }
    }

    #[test]
    fn what_needs_something_comes_after_it() {
        let steps = [
            step("", "Namespace", "n", false),
            step("apiextensions.k8s.io", "CustomResourceDefinition", "c", false),
            step("", "ConfigMap", "a", false),
            step("", "Secret", "b", false),
            step("apps", "Deployment", "d", false),
            step("x.io", "Thing", "t", false),
            step("", "ConfigMap", "old", true),
        ];
        let runs = runs(&steps.iter().collect::<Vec<_>>());
        assert_eq!(runs.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 2, 1]);
    }

    #[test]
    fn one_object_is_never_written_twice_at_once() {
        let steps = [
            step("", "ConfigMap", "a", false),
            step("", "ConfigMap", "a", false),
        ];
        assert_eq!(runs(&steps.iter().collect::<Vec<_>>()).len(), 2);
    }
}
