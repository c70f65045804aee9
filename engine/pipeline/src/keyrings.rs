//! Keys and rules, from where the spec says they are.

use std::sync::Arc;

use sluice_model::application::RuleSet;
use sluice_verify::{Keyring, Policy, Rules};

use crate::blocking::blocking;
use crate::credentials::{Values, values};
use crate::error::PipelineError;
use crate::references::Named;
use crate::{Found, Job, KeyringPlace, Origin, Pipeline};

/// What messages call the rules of the Application itself.
const OWN_RULES: &str = "spec.verification";

/// Whose signatures count for an Application, and by which rules.
#[derive(Debug, Clone, Default)]
pub struct Grounds {
    /// The keys.
    pub keyring: Arc<Keyring>,
    /// What is asked of their signatures.
    pub policy: Arc<Policy>,
}

impl Grounds {
    /// Returns what of the keyrings cannot be used, while the rest serves.
    pub fn problems(&self) -> Vec<String> {
        self.keyring.problems().iter().map(ToString::to_string).collect()
    }
}

impl Pipeline {
    /// Returns whose signatures count for what was found, and by which rules; an empty keyring if the Application asks for no
    /// verification.
    ///
    /// # Errors
    /// [`PipelineError::Keyring`] if a keyring or shared rules are missing or cannot be read; [`PipelineError::Verify`] if a rule cannot.
    pub async fn grounds(&self, job: &Job, found: &Found) -> Result<Grounds, PipelineError> {
        let Some(verification) = &job.spec.verification else {
            return Ok(Grounds::default());
        };
        let keyring = self.keyring(job).await?;
        let mut shared = Vec::new();
        for reference in &verification.rules_from {
            let name = &reference.config_map.name;
            let what = format!("ConfigMap {}/{name}", job.key.namespace);
            let values = self.read(job, Named::ConfigMap, name).await?;
            let text = values.get(&reference.key).ok_or_else(|| PipelineError::Keyring {
                what: what.clone(),
                detail: format!("it has no key `{}`", reference.key),
            })?;
            let place = format!("{what}: {}", reference.key);
            let text = String::from_utf8_lossy(text);
            let set = Rules::read(&place, &text).map_err(rules_error)?;
            shared.push((place, set));
        }
        let own = verification.rule_set();
        let mut sets: Vec<(&str, &RuleSet)> = vec![(OWN_RULES, &own)];
        sets.extend(shared.iter().map(|(place, set)| (place.as_str(), set)));
        let branch = match &found.origin {
            Origin::Git(git) => {
                let (reader, name) = (Arc::clone(&git.repository), git.revision.requested.clone());
                blocking(move || reader.branch(&name)).await??
            }
            Origin::Chart(_) => None,
        };
        let rules = Rules::new(&sets, &found.source.spec.repo_url, branch.as_deref());
        Ok(Grounds {
            keyring: Arc::new(keyring),
            policy: Arc::new(Policy {
                valid_at: verification.valid_at,
                allow_weak: verification.allow_weak.iter().copied().collect(),
                rules: rules.map_err(rules_error)?,
            }),
        })
    }

    async fn keyring(&self, job: &Job) -> Result<Keyring, PipelineError> {
        let mut keyring = Keyring::default();
        for place in &job.keyrings {
            let (kind, name) = match place {
                KeyringPlace::ConfigMap(name) => (Named::ConfigMap, name),
                KeyringPlace::Secret(name) => (Named::Secret, name),
                KeyringPlace::File(path) => {
                    let file = path.clone();
                    let read = blocking(move || Keyring::from_path(&file)).await?;
                    keyring.extend(read.map_err(|error| PipelineError::Keyring {
                        what: path.display().to_string(),
                        detail: sluice_model::error::one_line(&error),
                    })?);
                    continue;
                }
            };
            for (key, bytes) in self.read(job, kind, name).await? {
                let what = format!("{kind} {}/{name}: {key}", job.key.namespace);
                keyring.extend(Keyring::from_bytes(&what, &bytes));
            }
        }
        Ok(keyring)
    }

    /// The values of a ConfigMap or Secret of keys or rules.
    async fn read(&self, job: &Job, named: Named, name: &str) -> Result<Values, PipelineError> {
        let namespace = &job.key.namespace;
        let unusable = |detail: String| PipelineError::Keyring {
            what: format!("{named} {namespace}/{name}"),
            detail,
        };
        let object = self.references.get(named, namespace, name).await;
        let object = object.map_err(|error| unusable(sluice_model::error::one_line(&*error)))?;
        let object = object.ok_or_else(|| unusable("there is none".to_owned()))?;
        values(&object).map_err(unusable)
    }
}

fn rules_error(error: sluice_verify::VerifyError) -> PipelineError {
    PipelineError::Verify {
        commit: String::new(),
        error: Arc::new(error),
    }
}
