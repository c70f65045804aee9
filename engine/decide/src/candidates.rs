//! What might have to go, and what the policies say about that.

use std::collections::BTreeSet;

use sluice_model::census::Census;
use sluice_model::decision::{Propagation, PruneDecision, PruneVerdict};
use sluice_model::object::{Object, ObjectKey};
use sluice_model::secret::mask;
use sluice_plan::PruneCandidate;

use crate::policies::{self as ask, Candidate, Change, Deletion, Policies};
use crate::{Compared, Intent, Live, Subject};

/// Every member that Git no longer has. What is on its way out already is among them only where something else is to go: it
/// may have to wait for it.
pub(crate) fn candidates(
    subject: &Subject,
    intent: &Intent,
    live: &Live,
    objects: &[Compared],
    policies: &mut impl Policies,
) -> Vec<PruneCandidate> {
    let desired: BTreeSet<ObjectKey> = objects.iter().map(|object| object.desired.key()).collect();
    let (gone, going): (Vec<&Object>, Vec<&Object>) = live
        .members
        .iter()
        .filter(|(key, _)| !desired.contains(*key))
        .map(|(_, object)| object)
        .partition(|object| !object.is_deleting());
    if gone.is_empty() {
        return Vec::new();
    }
    let owned = owned(live);
    let deletion = Deletion {
        occasion: intent.occasion,
        owned: match &subject.owned_before {
            Some(before) => owned.no_more_than(before),
            None => owned,
        },
        desired: objects
            .iter()
            .filter(|object| object.is_lasting())
            .map(|object| &object.desired)
            .collect(),
    };
    let masked: Vec<Object> = gone.iter().map(|object| mask(object)).collect();
    let asked = masked.iter().map(|object| Candidate {
        live: object.clone(),
        desired: intent.protections.get(&object.key()).map(mask),
    });
    let verdicts = ask::prune(policies, asked.collect(), &deletion);
    // What is on its way out was decided about before.
    let decided = going.iter().map(|_| PruneDecision {
        verdict: PruneVerdict::Delete,
        propagation: Propagation::default(),
        decided_by: None,
    });
    let verdicts: Vec<PruneDecision> = verdicts.into_iter().chain(decided).collect();
    let masked: Vec<Object> = masked.into_iter().chain(going.into_iter().map(mask)).collect();
    let asked = masked.iter().map(|object| Change {
        desired: None,
        live: Some(object.clone()),
    });
    let sync = ask::sync(policies, asked.collect());
    masked
        .into_iter()
        .zip(verdicts)
        .zip(sync)
        .map(|((live_object, prune), sync)| PruneCandidate {
            claimed: live.claims.reason(&live_object.key()).cloned(),
            live: live_object,
            prune,
            sync,
        })
        .collect()
}

/// What the application owns, without what is being deleted already.
pub(crate) fn owned(live: &Live) -> Census {
    let members = live.members.values();
    members.filter(|member| !member.is_deleting()).collect()
}
