//! What the standard policies say, as far as histories need it.

use sluice_model::decision::{
    HookCleanup, Phase, Propagation, PruneDecision, PruneVerdict, Strategy, SyncDecision,
};
use sluice_model::object::Object;

/// Which policies answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policies {
    /// The standard ones.
    #[default]
    Standard,
    /// Every plugin fails, so that what the engine falls back to decides.
    Failing,
    /// Everything may go.
    Careless,
}

impl Policies {
    /// How an object is applied.
    pub fn sync(self, object: &Object) -> SyncDecision {
        if self == Self::Failing {
            let hold = Some("the plugin `sync-standard` failed".to_owned());
            return SyncDecision {
                hold,
                ..SyncDecision::default()
            };
        }
        let annotation = |name: &str| object.annotation(&format!("sluice.dev/{name}"));
        let mut decision = SyncDecision::default();
        if let Some(hooks) = annotation("hook") {
            decision.hook = true;
            decision.hook_types = hooks.split(',').map(str::to_owned).collect();
            decision.phases = hooks.split(',').filter_map(phase).collect();
            decision.skip = decision.phases == [Phase::Skip];
            let cleanup = annotation("hook-delete-policy").unwrap_or("BeforeHookCreation");
            decision.delete_policies = cleanup.split(',').filter_map(clean_up).collect();
        }
        decision.wave = annotation("sync-wave")
            .and_then(|wave| wave.parse().ok())
            .unwrap_or_default();
        decision.strategy = match annotation("sync-strategy") {
            Some("create-only") => Strategy::CreateOnly,
            Some("leave-alone") => Strategy::LeaveAlone,
            Some("replace") => Strategy::Replace,
            Some("recreate") => Strategy::Recreate,
            Some("recreate-always") => Strategy::RecreateAlways,
            Some("merge") => Strategy::Merge,
            Some(_) | None => Strategy::ServerSideApply,
        };
        decision.force = annotation("force-conflicts") == Some("true");
        decision.prune_last = annotation("prune-last") == Some("true");
        decision.ignored = annotation("ignored") == Some("true");
        decision.hold = annotation("hold").map(str::to_owned);
        let fields = annotation("ignore-fields").unwrap_or_default();
        decision.ignore_fields = fields
            .split(',')
            .filter(|field| !field.is_empty())
            .map(str::to_owned)
            .collect();
        if decision.hold.is_some() {
            decision
                .decided_by
                .insert("hold".to_owned(), "sync-standard".to_owned());
        }
        decision
    }

    /// Whether a live object may go.
    pub fn prune(self, live: &Object) -> PruneDecision {
        let propagation = match live.annotation("sluice.dev/prune-propagation") {
            Some("background") => Propagation::Background,
            Some("orphan") => Propagation::Orphan,
            Some(_) | None => Propagation::Foreground,
        };
        let by = |verdict| PruneDecision {
            verdict,
            propagation,
            decided_by: Some("prune-standard".to_owned()),
        };
        let stateful = matches!(
            live.kind(),
            "PersistentVolumeClaim" | "Namespace" | "CustomResourceDefinition"
        );
        match (self, live.annotation("sluice.dev/prune")) {
            (Self::Failing, _) => PruneDecision {
                verdict: PruneVerdict::Keep {
                    reason: "the plugin `prune-standard` failed".to_owned(),
                },
                propagation,
                decided_by: None,
            },
            (Self::Careless, _) => by(PruneVerdict::Delete),
            (Self::Standard, Some("keep")) => by(PruneVerdict::Keep {
                reason: "it says so itself".to_owned(),
            }),
            (Self::Standard, Some("hold")) => by(PruneVerdict::Hold {
                reason: "it says so itself".to_owned(),
            }),
            (Self::Standard, Some(_) | None) if stateful => by(PruneVerdict::Hold {
                reason: format!("a {} holds data", live.kind()),
            }),
            (Self::Standard, Some(_) | None) => by(PruneVerdict::Delete),
        }
    }
}

fn phase(name: &str) -> Option<Phase> {
    Some(match name {
        "PreSync" => Phase::PreSync,
        "Sync" => Phase::Sync,
        "PostSync" => Phase::PostSync,
        "SyncFail" => Phase::SyncFail,
        "PreDelete" => Phase::PreDelete,
        "PostDelete" => Phase::PostDelete,
        "Skip" => Phase::Skip,
        _ => return None,
    })
}

fn clean_up(name: &str) -> Option<HookCleanup> {
    Some(match name {
        "BeforeHookCreation" => HookCleanup::BeforeHookCreation,
        "HookSucceeded" => HookCleanup::HookSucceeded,
        "HookFailed" => HookCleanup::HookFailed,
        _ => return None,
    })
}
