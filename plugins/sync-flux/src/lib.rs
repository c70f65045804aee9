//! What Flux's annotations (or labels) `kustomize.toolkit.fluxcd.io/…` say, values in any case of letters, as Flux reads them.
//!
//! | | on | |
//! |---|---|---|
//! | `reconcile: disabled`, `ssa: Ignore` | either side | left alone |
//! | `ssa: IfNotPresent` | Git | created where missing, never changed after |
//! | `force: enabled` | either side | deleted and created again where a field cannot be changed |
//! | `ssa: Override` | Git | fields in conflict are taken over; so are those that `kubectl` and other tools applied |
//! | `ssa: Merge` | Git | fields in conflict are taken over; what other tools applied beside them stays |
//!
//! The first of them wins, but `force` and `ssa` go together. Flux always takes over fields in conflict; here it does so for objects
//! that carry one of its words.

use sluice_plugin::{
    Change, Claim, Decision, Descriptor, NO_OPINION, Object, Problem, Settings, Strategy, SyncContext,
    SyncPolicy,
};

/// The plugin.
pub struct SyncFlux;

impl SyncPolicy for SyncFlux {
    fn describe() -> Descriptor {
        Descriptor::new(
            "does what Flux's annotations say: reconcile, ssa, force",
            [Claim::all()],
        )
    }

    fn configure(settings: &Settings) -> Result<Self, Vec<Problem>> {
        settings.none().map(|()| Self)
    }

    fn decide(&self, change: &Change, _: &SyncContext) -> Result<Decision, String> {
        let desired = change.desired().map(Words::of).unwrap_or_default();
        let live = change.live().map(Words::of).unwrap_or_default();
        if [&desired, &live]
            .into_iter()
            .any(|words| words.reconcile("disabled") || words.ssa("Ignore"))
        {
            return Ok(Decision {
                strategy: Some(Strategy::LeaveAlone),
                ..NO_OPINION
            });
        }
        if desired.ssa("IfNotPresent") {
            return Ok(Decision {
                strategy: Some(Strategy::CreateOnly),
                ..NO_OPINION
            });
        }
        let force = desired.force("enabled") || live.force("enabled");
        let (merge, override_all) = (desired.ssa("Merge"), desired.ssa("Override"));
        if !force && !merge && !override_all {
            return Ok(NO_OPINION);
        }
        Ok(Decision {
            strategy: Some(match force {
                true => Strategy::Recreate,
                false => Strategy::ServerSideApply,
            }),
            force_conflicts: Some(true),
            take_over: merge.then(Vec::new),
            ..NO_OPINION
        })
    }
}

sluice_plugin::sync_policy!(SyncFlux);

/// What one side of a change says, by annotation or by label.
#[derive(Default)]
struct Words {
    reconcile: [Option<String>; 2],
    ssa: [Option<String>; 2],
    force: [Option<String>; 2],
}

impl Words {
    fn of(object: &Object<'_>) -> Self {
        let words = object.fields([
            "/metadata/annotations/kustomize.toolkit.fluxcd.io~1reconcile",
            "/metadata/labels/kustomize.toolkit.fluxcd.io~1reconcile",
            "/metadata/annotations/kustomize.toolkit.fluxcd.io~1ssa",
            "/metadata/labels/kustomize.toolkit.fluxcd.io~1ssa",
            "/metadata/annotations/kustomize.toolkit.fluxcd.io~1force",
            "/metadata/labels/kustomize.toolkit.fluxcd.io~1force",
        ]);
        // What is no text is none of the words that mean something.
        let [reconcile, reconcile_label, ssa, ssa_label, force, force_label] =
            words.map(|field| field.text().ok().flatten());
        Self {
            reconcile: [reconcile, reconcile_label],
            ssa: [ssa, ssa_label],
            force: [force, force_label],
        }
    }

    fn reconcile(&self, word: &str) -> bool {
        any(&self.reconcile, word)
    }

    fn ssa(&self, word: &str) -> bool {
        any(&self.ssa, word)
    }

    fn force(&self, word: &str) -> bool {
        any(&self.force, word)
    }
}

fn any(words: &[Option<String>], wanted: &str) -> bool {
    words
        .iter()
        .flatten()
        .any(|word| word.eq_ignore_ascii_case(wanted))
}
