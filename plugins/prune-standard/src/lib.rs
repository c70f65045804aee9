//! What may be deleted, by kind and by annotation.
//!
//! - `sluice.dev/prune: keep` keeps an object, `hold` waits for a person's approval, `delete` lets it go, whatever its kind. Any other
//!   value holds: somebody wanted something, and nobody can tell what.
//! - `sluice.dev/prune-propagation: foreground | background | orphan` says what becomes of what the object owns.
//! - Without annotation, kinds that hold data or other objects are held (`PersistentVolumeClaim`, `PersistentVolume`, `Namespace`,
//!   `CustomResourceDefinition`), and everything else may go, its dependents first. The setting `hold` replaces that list; its
//!   entries are kinds with their group, `Kind.group`, or `Kind` for the core group.
//!
//! The live object counts as well as the one in Git, and the more cautious of the two wins: protection that was added in a
//! hurry with `kubectl annotate` protects, and so does protection that was never applied.

use sluice_plugin::{
    Candidate, Claim, Descriptor, Object, Problem, Propagation, PruneContext, PrunePolicy, PruneVerdict,
    Settings,
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
        let mut held = HELD.map(str::to_owned).to_vec();
        if let Some(list) = settings.get("hold") {
            match list.as_array().map(|list| {
                list.iter()
                    .map(|kind| kind.as_str().map(str::to_owned))
                    .collect::<Option<Vec<_>>>()
            }) {
                Some(Some(kinds)) => held = kinds,
                Some(None) | None => problems.push(Problem::new(
                    "/hold",
                    "must be a list of texts such as `Namespace` or `Deployment.apps`",
                )),
            }
        }
        if problems.is_empty() {
            Ok(Self { held })
        } else {
            Err(problems)
        }
    }

    fn review(&self, candidates: &[Candidate], _: &PruneContext) -> Result<Vec<PruneVerdict>, String> {
        Ok(candidates.iter().map(|candidate| self.judge(candidate)).collect())
    }
}

sluice_plugin::prune_policy!(PruneStandard);

/// What one side of a candidate says.
enum Wish {
    Nothing,
    Delete,
    Hold(String),
    Keep,
}

impl PruneStandard {
    fn judge(&self, candidate: &Candidate) -> PruneVerdict {
        let live = wish(&candidate.live);
        let desired = candidate.desired.as_ref().map_or(Wish::Nothing, wish);
        match (live, desired) {
            (Wish::Keep, _) | (_, Wish::Keep) => PruneVerdict::Keep("`sluice.dev/prune: keep`".to_owned()),
            (Wish::Hold(reason), _) | (_, Wish::Hold(reason)) => PruneVerdict::Hold(reason),
            (Wish::Delete, _) | (_, Wish::Delete) => propagated(candidate),
            (Wish::Nothing, Wish::Nothing) => self.by_kind(candidate),
        }
    }

    fn by_kind(&self, candidate: &Candidate) -> PruneVerdict {
        let reference = candidate.live.reference();
        let kind = match reference.group.is_empty() {
            true => reference.kind,
            false => format!("{}.{}", reference.kind, reference.group),
        };
        match self.held.contains(&kind) {
            true => PruneVerdict::Hold(format!("a {kind} is deleted only when somebody approves")),
            false => propagated(candidate),
        }
    }
}

fn wish(object: &Object<'_>) -> Wish {
    let [wish] = object.fields(["/metadata/annotations/sluice.dev~1prune"]);
    match wish.text() {
        Ok(None) => Wish::Nothing,
        Ok(Some(text)) => match text.as_str() {
            "delete" => Wish::Delete,
            "hold" => Wish::Hold("`sluice.dev/prune: hold`".to_owned()),
            "keep" => Wish::Keep,
            other => Wish::Hold(format!(
                "`sluice.dev/prune: {other}` is none of keep, hold and delete"
            )),
        },
        Err(error) => Wish::Hold(error),
    }
}

fn propagated(candidate: &Candidate) -> PruneVerdict {
    let annotation = |object: &Object<'_>| object.annotation("sluice.dev/prune-propagation");
    let wanted = annotation(&candidate.live).or_else(|| candidate.desired.as_ref().and_then(annotation));
    match wanted.as_deref() {
        None | Some("foreground") => PruneVerdict::Delete(Propagation::Foreground),
        Some("background") => PruneVerdict::Delete(Propagation::Background),
        Some("orphan") => PruneVerdict::Delete(Propagation::Orphan),
        Some(other) => PruneVerdict::Hold(format!(
            "`sluice.dev/prune-propagation: {other}` is none of foreground, background and orphan"
        )),
    }
}
