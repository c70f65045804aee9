//! Holds plans that delete too much at once: what a wrong path, a broken render or a bad merge looks like.
//!
//! | setting | default | |
//! |---|---|---|
//! | `maxSharePercent` | 50 | how much of what the application owns one plan may delete |
//! | `minCount` | 4 | plans that delete fewer objects are not judged by their share: of three objects, two are soon 67 % |
//! | `maxCount` | none | how many objects one plan may delete |
//! | `kinds` | none | limits for one kind: `{"Deployment.apps": {"maxCount": 2, "maxSharePercent": 25}}` |
//! | `namespaces` | none | the same for one namespace |
//! | `protectedKinds`, `protectedNamespaces` | none | what no plan deletes without a person |
//! | `applicationDeletion` | `allow` | `limit`: the limits count as well where the Application itself is deleted, and all of it goes |
//!
//! A limit that is exceeded holds all that it counts: the whole plan, or what is of that kind or in that namespace. A person who has
//! looked approves the plan by its digest. Counted is every candidate, also what another policy keeps: what others say is not
//! known here, and who has to look at so much had better look. Below its limits the plugin has no opinion.
//!
//! What the application owns is what it owned when the first of its waiting deletions began to wait: what a sync adds meanwhile
//! makes no share smaller.

mod limits;

use std::collections::BTreeMap;

use sluice_plugin::{
    Candidate, Claim, Descriptor, Occasion, Problem, PruneContext, PruneDecision, PrunePolicy, PruneVerdict,
    Settings, Tally, words,
};

use limits::{Limit, Limits};

/// The plugin.
pub struct PruneBlastRadius(Limits);

impl PrunePolicy for PruneBlastRadius {
    fn describe() -> Descriptor {
        Descriptor::new(
            "holds plans that delete too many objects at once: by count, by share, by kind, by namespace",
            [Claim::all()],
        )
        .with_settings(limits::SCHEMA)
    }

    fn configure(settings: &Settings) -> Result<Self, Vec<Problem>> {
        Limits::read(settings).map(Self)
    }

    fn review(&self, candidates: &[Candidate], context: &PruneContext) -> Result<Vec<PruneDecision>, String> {
        let limits = &self.0;
        let places: Vec<Place> = candidates.iter().map(Place::of).collect();
        let is_limited = context.occasion() == Occasion::Sync || limits.count_application_deletion;
        let excess = is_limited.then(|| Excess::of(limits, &places, context.owned()));
        Ok(places
            .iter()
            .map(|place| {
                let reason = limits
                    .protection(place)
                    .or_else(|| excess.as_ref()?.about(place).cloned());
                match reason {
                    Some(reason) => PruneVerdict::Hold(reason).into(),
                    None => PruneVerdict::NoOpinion.into(),
                }
            })
            .collect())
    }
}

sluice_plugin::prune_policy!(PruneBlastRadius);

/// Where an object counts.
struct Place {
    /// `Kind.group`.
    kind: String,
    namespace: Option<String>,
}

impl Place {
    fn of(candidate: &Candidate) -> Self {
        let reference = candidate.live().reference();
        Self {
            kind: words::kind(&reference),
            namespace: reference.namespace,
        }
    }
}

/// The limits that a plan exceeds, each with the numbers.
struct Excess {
    all: Option<String>,
    kinds: BTreeMap<String, String>,
    namespaces: BTreeMap<String, String>,
}

impl Excess {
    fn of(limits: &Limits, places: &[Place], owned: &[Tally]) -> Self {
        let count = |chosen: &dyn Fn(&Place) -> bool, owns: &dyn Fn(&Tally) -> bool| {
            let deleted = places.iter().filter(|place| chosen(place)).count() as u64;
            let tallies = owned.iter().filter(|tally| owns(tally));
            let owned: u64 = tallies.map(|tally| u64::from(tally.count)).sum();
            // What is deleted is owned, whatever the tallies say.
            (deleted, owned.max(deleted))
        };
        let all = |limit: &Limit| {
            let numbers = count(&|_| true, &|_| true);
            let limit = match numbers.0 < u64::from(limits.min_count) {
                true => Limit {
                    share: None,
                    ..*limit
                },
                false => *limit,
            };
            limit.exceeded(numbers, "the application owns")
        };
        let kind = |(kind, limit): (&String, &Limit)| {
            let numbers = count(&|place| place.kind == *kind, &|tally| {
                words::kind_in(&tally.kind, &tally.group) == *kind
            });
            let excess = limit.exceeded(numbers, &format!("of kind `{kind}`"))?;
            Some((kind.clone(), excess))
        };
        let namespace = |(name, limit): (&String, &Limit)| {
            let numbers = count(&|place| place.namespace.as_ref() == Some(name), &|tally| {
                tally.namespace.as_ref() == Some(name)
            });
            let excess = limit.exceeded(numbers, &format!("in namespace `{name}`"))?;
            Some((name.clone(), excess))
        };
        Self {
            all: all(&limits.all),
            kinds: limits.kinds.iter().filter_map(kind).collect(),
            namespaces: limits.namespaces.iter().filter_map(namespace).collect(),
        }
    }

    fn about(&self, place: &Place) -> Option<&String> {
        let namespace = || self.namespaces.get(place.namespace.as_ref()?);
        self.all
            .as_ref()
            .or_else(|| self.kinds.get(&place.kind))
            .or_else(namespace)
    }
}
