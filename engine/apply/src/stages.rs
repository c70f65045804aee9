//! What of a wave may be done at the same time.
//!
//! The plan's order is kept; this only says where the executor must pause: consecutive steps of one stage do not need each
//! other and go in parallel.

use std::collections::HashSet;

use sluice_model::ObjectRef;
use sluice_model::layer::Layer;
use sluice_model::plan::{Action, Step};

use crate::step::Ready;

/// What others need before they can be stored or before they work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Namespaces and CRDs: nothing can be stored without them.
    Ground,
    /// What running things read, are allowed by or are limited by.
    Settings,
    /// What runs, and custom resources.
    Work,
    /// What changes how everything else is stored: only once its own backend is there.
    Gates,
    /// Deletions, layer by layer, where the plan has put them: what makes something work outlives it.
    Deletion(Layer),
}

fn stage(step: &Step) -> Stage {
    let layer = Layer::of(&step.object);
    match (&step.action, layer) {
        (Action::Delete { .. }, layer) => Stage::Deletion(layer),
        (Action::Apply { .. }, Layer::Namespace | Layer::Definition) => Stage::Ground,
        (Action::Apply { .. }, Layer::Setting) => Stage::Settings,
        (Action::Apply { .. }, Layer::Work | Layer::Custom) => Stage::Work,
        (Action::Apply { .. }, Layer::Gate) => Stage::Gates,
    }
}

/// Cuts steps, given by their indices, into runs that may each be done in parallel; the runs follow one another.
pub(crate) fn runs(steps: &[Ready<'_>], order: impl IntoIterator<Item = usize>) -> Vec<Vec<usize>> {
    let mut runs: Vec<Vec<usize>> = Vec::new();
    let (mut current, mut names) = (None, HashSet::new());
    for index in order {
        let Some(Ready { step, .. }) = steps.get(index) else {
            continue;
        };
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
            Some(run) if current == Some(stage) && !names.contains(&name) => run.push(index),
            _ => {
                runs.push(vec![index]);
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
                    begun: false,
                },
                false => Action::Apply {
                    manifest: Default::default(),
                    strategy: Strategy::ServerSideApply,
                    force: false,
                    validate: true,
                    delete_first: false,
                    take_over: Vec::new(),
                    record: Default::default(),
                    cleanup: Vec::new(),
                    options: ApplyOptions::default(),
                },
            },
            origin: None,
            changes: Vec::new(),
            precondition: None,
            rests_on: Vec::new(),
        }
    }

    fn lengths(steps: &[Step]) -> Vec<usize> {
        let ready: Vec<_> = steps.iter().map(|step| Ready { step, object: None }).collect();
        let runs = runs(&ready, 0..steps.len());
        assert_eq!(runs.concat(), (0..steps.len()).collect::<Vec<_>>());
        runs.iter().map(Vec::len).collect()
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
        assert_eq!(lengths(&steps), [2, 2, 2, 1]);
    }

    /// An operator's rights, and the operator, outlive the objects that it has to let go.
    #[test]
    fn deletions_are_cut_by_what_needs_what() {
        let steps = [
            step("x.io", "Thing", "a", true),
            step("x.io", "Thing", "b", true),
            step("apps", "Deployment", "operator", true),
            step("", "Service", "operator", true),
            step("rbac.authorization.k8s.io", "Role", "operator", true),
            step("", "ServiceAccount", "operator", true),
            step("apiextensions.k8s.io", "CustomResourceDefinition", "things", true),
            step("", "Namespace", "n", true),
        ];
        assert_eq!(lengths(&steps), [2, 2, 2, 1, 1]);
    }

    #[test]
    fn one_object_is_never_written_twice_at_once() {
        let steps = [
            step("", "ConfigMap", "a", false),
            step("", "ConfigMap", "a", false),
        ];
        assert_eq!(lengths(&steps), [1, 1]);
    }
}
