//! What may be deleted, by kind and by annotation.
//!
//! - `sluice.dev/prune: keep` keeps an object, `hold` waits for a person's approval, `delete` lets it go, whatever its kind. Any other
//!   value holds: somebody wanted something, and nobody can tell what.
//! - `sluice.dev/prune-propagation: foreground | background | orphan` says what becomes of what the object owns.
//! - Without annotation, kinds that hold data or other objects are held (`PersistentVolumeClaim`, `PersistentVolume`, `Namespace`,
//!   `CustomResourceDefinition`), and everything else may go, its dependents first. The setting `hold` replaces that list; its
//!   entries are kinds with their group, `Kind.group`, or `Kind` for the core group.
//! - `sluice.dev/sync-strategy: leave-alone` keeps: what is not touched is not deleted either.
//!
//! The live object counts as well as the one in Git, and the more cautious of the two wins: protection that was added in a
//! hurry with `kubectl annotate` protects, and so does protection that was never applied.

use sluice_plugin::{
    Candidate, Claim, Descriptor, Field, Problem, PruneContext, PruneDecision, PrunePolicy, PruneVerdict,
    Settings, words,
};

/// The plugin.
pub struct PruneStandard {
    /// `Kind.group`.
    held: Vec<String>,
}

const HELD: [&str; 4] = [
    "PersistentVolumeClaim",
    "PersistentVolume",
    "Namespace",
    "CustomResourceDefinition.apiextensions.k8s.io",
];

const SCHEMA: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "hold": {
      "description": "Kinds whose deletion waits for approval, as Kind.group; replaces the default list.",
      "type": "array",
      "items": {"type": "string", "minLength": 1}
    }
  }
}"#;

impl PrunePolicy for PruneStandard {
    fn describe() -> Descriptor {
        Descriptor::new(
            "holds what has data or other objects in it, keeps or holds what `sluice.dev/prune` says, lets the rest go",
            [Claim::all()],
        )
        .with_settings(SCHEMA)
    }

    fn configure(settings: &Settings) -> Result<Self, Vec<Problem>> {
        let mut problems = settings.unknown(&["hold"]);
        let held = match settings.get("hold") {
            None => Some(HELD.map(str::to_owned).to_vec()),
            Some(list) => list.as_array().and_then(|list| {
                let kinds = list.iter().map(|kind| kind.as_str().map(str::to_owned));
                kinds.collect::<Option<Vec<_>>>()
            }),
        };
        if held.is_none() {
            problems.push(Problem::new(
                "/hold",
                "must be a list of texts such as `Namespace` or `Deployment.apps`",
            ));
        }
        match held.filter(|_| problems.is_empty()) {
            Some(held) => Ok(Self { held }),
            None => Err(problems),
        }
    }

    fn review(&self, candidates: &[Candidate], _: &PruneContext) -> Result<Vec<PruneDecision>, String> {
        Ok(candidates.iter().map(|candidate| self.judge(candidate)).collect())
    }
}

sluice_plugin::prune_policy!(PruneStandard);

impl PruneStandard {
    fn judge(&self, candidate: &Candidate) -> PruneDecision {
        let mut wishes = Vec::new();
        let mut propagations = Vec::new();
        for side in candidate.sides() {
            let [prune, strategy, propagation] = side.fields([
                "/metadata/annotations/sluice.dev~1prune",
                "/metadata/annotations/sluice.dev~1sync-strategy",
                "/metadata/annotations/sluice.dev~1prune-propagation",
            ]);
            wishes.extend(wish(prune));
            if strategy.text().ok().flatten().as_deref() == Some("leave-alone") {
                wishes.push(PruneVerdict::Keep(
                    "`sluice.dev/sync-strategy: leave-alone`".to_owned(),
                ));
            }
            match propagation.text() {
                Ok(None) => {}
                Ok(Some(text)) => match words::propagation(&text) {
                    Some(propagation) => propagations.push(propagation),
                    None => wishes.push(PruneVerdict::Hold(format!(
                        "`sluice.dev/prune-propagation: {text}` is none of foreground, background and orphan"
                    ))),
                },
                Err(error) => wishes.push(PruneVerdict::Hold(error)),
            }
        }
        // Declared from the least to the most cautious.
        let caution = |verdict: &PruneVerdict| match verdict {
            PruneVerdict::NoOpinion | PruneVerdict::Delete => 0,
            PruneVerdict::Hold(_) => 1,
            PruneVerdict::Keep(_) => 2,
        };
        let verdict = wishes.into_iter().rev().max_by_key(caution);
        PruneDecision {
            verdict: verdict.unwrap_or_else(|| self.by_kind(candidate)),
            propagation: propagations.first().copied(),
        }
    }

    fn by_kind(&self, candidate: &Candidate) -> PruneVerdict {
        let kind = words::kind(&candidate.live().reference());
        match self.held.contains(&kind) {
            true => PruneVerdict::Hold(format!("a {kind} is deleted only when somebody approves")),
            false => PruneVerdict::Delete,
        }
    }
}

/// What one side says; none where it says nothing.
fn wish(prune: Field) -> Option<PruneVerdict> {
    match prune.text() {
        Ok(text) => text.map(|text| match text.as_str() {
            "delete" => PruneVerdict::Delete,
            "hold" => PruneVerdict::Hold("`sluice.dev/prune: hold`".to_owned()),
            "keep" => PruneVerdict::Keep("`sluice.dev/prune: keep`".to_owned()),
            other => PruneVerdict::Hold(format!(
                "`sluice.dev/prune: {other}` is none of keep, hold and delete"
            )),
        }),
        Err(error) => Some(PruneVerdict::Hold(error)),
    }
}
