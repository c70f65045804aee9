//! Strategies from Flux's annotations (or labels) `kustomize.toolkit.fluxcd.io/…`, values in any case of letters.
//!
//! | | |
//! |---|---|
//! | `reconcile: disabled`, `ssa: Ignore` (also on the live object) | left alone |
//! | `ssa: Merge` | merge |
//! | `ssa: IfNotPresent` | created where missing, never changed after |
//! | `ssa: Override` | server-side apply that takes over fields in conflict |
//! | `force: enabled` | deleted and created again where a field cannot be changed |

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
        let problems = settings.unknown(&[]);
        if problems.is_empty() {
            Ok(Self)
        } else {
            Err(problems)
        }
    }

    fn decide(&self, change: &Change, _: &SyncContext) -> Result<Decision, String> {
        let ignored =
            |object: &Object<'_>| says(object, "reconcile", "disabled") || says(object, "ssa", "Ignore");
        if change.desired.iter().chain(&change.live).any(ignored) {
            return Ok(Decision {
                strategy: Some(Strategy::LeaveAlone),
                ..NO_OPINION
            });
        }
        let Some(desired) = &change.desired else {
            return Ok(NO_OPINION);
        };
        if says(desired, "force", "enabled") {
            return Ok(Decision {
                strategy: Some(Strategy::Recreate),
                ..NO_OPINION
            });
        }
        if says(desired, "ssa", "IfNotPresent") {
            return Ok(Decision {
                strategy: Some(Strategy::CreateOnly),
                ..NO_OPINION
            });
        }
        if says(desired, "ssa", "Merge") {
            return Ok(Decision {
                strategy: Some(Strategy::Merge),
                ..NO_OPINION
            });
        }
        if says(desired, "ssa", "Override") {
            return Ok(Decision {
                strategy: Some(Strategy::ServerSideApply),
                force_conflicts: Some(true),
                ..NO_OPINION
            });
        }
        Ok(NO_OPINION)
    }
}

sluice_plugin::sync_policy!(SyncFlux);

fn says(object: &Object<'_>, key: &str, value: &str) -> bool {
    let key = format!("kustomize.toolkit.fluxcd.io/{key}");
    let matches = |text: Option<String>| text.is_some_and(|text| text.eq_ignore_ascii_case(value));
    matches(object.annotation(&key)) || matches(object.label(&key))
}
