//! Flux's protections against deletion: `kustomize.toolkit.fluxcd.io/prune: disabled`, and what Flux does not touch at all:
//! `…/reconcile: disabled` and `…/ssa: Ignore`. Annotation or label, on the live object or the one in Git, in any case of letters.

use sluice_plugin::{
    Candidate, Claim, Descriptor, Object, Problem, PruneContext, PruneDecision, PrunePolicy, PruneVerdict,
    Settings,
};

/// The plugin.
pub struct PruneFlux;

const PROTECTIONS: [(&str, &str); 3] = [
    ("kustomize.toolkit.fluxcd.io/prune", "disabled"),
    ("kustomize.toolkit.fluxcd.io/reconcile", "disabled"),
    ("kustomize.toolkit.fluxcd.io/ssa", "Ignore"),
];

impl PrunePolicy for PruneFlux {
    fn describe() -> Descriptor {
        Descriptor::new("keeps what Flux is told not to prune", [Claim::all()])
    }

    fn configure(settings: &Settings) -> Result<Self, Vec<Problem>> {
        settings.none().map(|()| Self)
    }

    fn review(&self, candidates: &[Candidate], _: &PruneContext) -> Result<Vec<PruneDecision>, String> {
        Ok(candidates
            .iter()
            .map(|candidate| match candidate.sides().find_map(protection) {
                Some(protection) => PruneVerdict::Keep(protection).into(),
                None => PruneVerdict::NoOpinion.into(),
            })
            .collect())
    }
}

sluice_plugin::prune_policy!(PruneFlux);

fn protection(object: &Object<'_>) -> Option<String> {
    PROTECTIONS.iter().find_map(|(key, value)| {
        let says = |text: Option<String>| text.is_some_and(|text| text.eq_ignore_ascii_case(value));
        (says(object.annotation(key)) || says(object.label(key))).then(|| format!("`{key}: {value}`"))
    })
}
