//! Argo CD's and Helm's protections against deletion.
//!
//! - `argocd.argoproj.io/sync-options: Prune=false` keeps an object that Git dropped, `Prune=confirm` holds it;
//!   `Delete=false` and `Delete=confirm` say the same for when the Application is deleted.
//! - The same options in `spec.syncPolicy.syncOptions` count for every object that does not say otherwise itself.
//!   Of several values on one object, the most cautious counts.
//! - `PrunePropagationPolicy=foreground | background | orphan` there says what becomes of dependents.
//! - `helm.sh/resource-policy: keep` keeps an object on both occasions.
//!
//! Argo CD reads them from the live object; here the object in Git counts too, and the more cautious of the two wins.

use sluice_plugin::{
    Candidate, Claim, Descriptor, Occasion, Problem, PruneContext, PruneDecision, PrunePolicy, PruneVerdict,
    Settings, words,
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
        settings.none().map(|()| Self)
    }

    fn review(&self, candidates: &[Candidate], context: &PruneContext) -> Result<Vec<PruneDecision>, String> {
        let option = match context.occasion() {
            Occasion::Sync => "Prune",
            Occasion::ApplicationDeleted => "Delete",
        };
        let application: Vec<&str> = context.options().iter().map(String::as_str).collect();
        let propagation = values(&application, "PrunePropagationPolicy").next();
        let propagation = propagation.and_then(words::propagation);
        let wishes: Vec<&str> = values(&application, option).collect();
        Ok(candidates
            .iter()
            .map(|candidate| PruneDecision {
                verdict: judge(candidate, option, &wishes),
                propagation,
            })
            .collect())
    }
}

sluice_plugin::prune_policy!(PruneArgocd);

/// What the object says; where it says nothing, what the application does.
fn judge(candidate: &Candidate, option: &str, application: &[&str]) -> PruneVerdict {
    let mut wishes: Vec<String> = Vec::new();
    for side in candidate.sides() {
        let [options, policy] = side.fields([
            "/metadata/annotations/argocd.argoproj.io~1sync-options",
            "/metadata/annotations/helm.sh~1resource-policy",
        ]);
        let policy = policy.text().ok().flatten().unwrap_or_default();
        if words::list(&policy).any(|word| word == "keep") {
            return PruneVerdict::Keep("`helm.sh/resource-policy: keep`".to_owned());
        }
        match options.text() {
            Ok(text) => {
                let text = text.unwrap_or_default();
                let options: Vec<&str> = words::list(&text).collect();
                wishes.extend(values(&options, option).map(str::to_owned));
            }
            Err(error) => return PruneVerdict::Hold(error),
        }
    }
    let wished = |wanted: &str| match wishes.is_empty() {
        true => application.contains(&wanted),
        false => wishes.iter().any(|wish| wish == wanted),
    };
    if wished("false") {
        PruneVerdict::Keep(format!("`{option}=false`"))
    } else if wished("confirm") {
        PruneVerdict::Hold(format!("`{option}=confirm`"))
    } else {
        PruneVerdict::NoOpinion
    }
}

/// The values of `key=value`.
fn values<'a>(options: &'a [&str], key: &'a str) -> impl Iterator<Item = &'a str> {
    options
        .iter()
        .filter_map(move |option| option.trim().strip_prefix(key)?.strip_prefix('='))
}
