//! Argo CD's and Helm's protections against deletion.
//!
//! - `argocd.argoproj.io/sync-options: Prune=false` keeps an object that Git dropped, `Prune=confirm` holds it;
//!   `Delete=false` and `Delete=confirm` say the same for when the Application is deleted.
//! - The same options in `spec.syncPolicy.syncOptions` count for every object that does not say otherwise itself.
//! - `PrunePropagationPolicy=foreground | background | orphan` there says what becomes of dependents.
//! - `helm.sh/resource-policy: keep` keeps an object on both occasions.
//!
//! Argo CD reads them from the live object; here the object in Git counts too, and the more cautious of the two wins.

use sluice_plugin::{
    Candidate, Claim, Descriptor, Object, Occasion, Problem, Propagation, PruneContext, PrunePolicy,
    PruneVerdict, Settings,
};

/// The plugin.
pub struct PruneArgocd;

impl PrunePolicy for PruneArgocd {
    fn describe() -> Descriptor {
        Descriptor::new(
            "honours Prune=, Delete= and PrunePropagationPolicy= of Argo CD, and Helm's resource policy",
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

    fn review(&self, candidates: &[Candidate], context: &PruneContext) -> Result<Vec<PruneVerdict>, String> {
        let option = match context.occasion {
            Occasion::Sync => "Prune",
            Occasion::ApplicationDeleted => "Delete",
        };
        let application = value(&context.options, option);
        let propagation = value(&context.options, "PrunePropagationPolicy");
        Ok(candidates
            .iter()
            .map(|candidate| judge(candidate, option, application, propagation))
            .collect())
    }
}

sluice_plugin::prune_policy!(PruneArgocd);

fn judge(
    candidate: &Candidate,
    option: &str,
    application: Option<&str>,
    propagation: Option<&str>,
) -> PruneVerdict {
    let sides: Vec<&Object<'_>> = std::iter::once(&candidate.live)
        .chain(&candidate.desired)
        .collect();
    let mut wishes = Vec::new();
    for side in sides {
        let [options, policy] = side.fields([
            "/metadata/annotations/argocd.argoproj.io~1sync-options",
            "/metadata/annotations/helm.sh~1resource-policy",
        ]);
        if policy
            .text()
            .is_ok_and(|policy| policy.is_some_and(|policy| list(&policy).any(|word| word == "keep")))
        {
            return PruneVerdict::Keep("`helm.sh/resource-policy: keep`".to_owned());
        }
        match options.text() {
            Ok(text) => {
                let options: Vec<String> = text
                    .iter()
                    .flat_map(|text| list(text))
                    .map(str::to_owned)
                    .collect();
                wishes.extend(value(&options, option).map(str::to_owned));
            }
            Err(error) => return PruneVerdict::Hold(error),
        }
    }
    // An object's own word overrides the application's.
    if wishes.is_empty() {
        wishes.extend(application.map(str::to_owned));
    }
    if wishes.iter().any(|wish| wish == "false") {
        return PruneVerdict::Keep(format!("`{option}=false`"));
    }
    if wishes.iter().any(|wish| wish == "confirm") {
        return PruneVerdict::Hold(format!("`{option}=confirm`"));
    }
    match propagation {
        Some("foreground") => PruneVerdict::Delete(Propagation::Foreground),
        Some("background") => PruneVerdict::Delete(Propagation::Background),
        Some("orphan") => PruneVerdict::Delete(Propagation::Orphan),
        Some(_) | None => PruneVerdict::NoOpinion,
    }
}

/// The entries of a comma-separated list.
fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|entry| !entry.is_empty())
}

/// The value of the first `key=value`.
fn value<'a>(options: &'a [String], key: &str) -> Option<&'a str> {
    options
        .iter()
        .find_map(|option| option.trim().strip_prefix(key)?.strip_prefix('='))
}
