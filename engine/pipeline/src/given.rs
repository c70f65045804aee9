//! What a rendering is given besides the files of the commit: keys, values and variables, from ConfigMaps and Secrets in the
//! Application's namespace; and which version of a renderer of the plugin directory it is made by.
//!
//! [`Given`] tells one state of all of them from another without holding any of it, so that a rendering is done again once one changes.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use sluice_model::application::{GivenKind, Helm, Source, ValuesReference};
use sluice_render::{Variables, set};
use sluice_sops::Keys;

use crate::credentials::{Values, values};
use crate::error::PipelineError;
use crate::references::Named;
use crate::variables::has_variables;
use crate::{Job, Pipeline};

/// Values of a chart are no larger: a Secret takes no more.
const VALUES_BYTES: usize = 4 << 20;

/// What all that an Application's rendering is given comes to: equal as long as none of it changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given(Option<[u8; 32]>);

/// Values for a chart, and which texts in them are secret.
pub(crate) struct ChartValues {
    pub(crate) values: Map<String, Value>,
    pub(crate) secrets: Vec<String>,
}

impl From<GivenKind> for Named {
    fn from(kind: GivenKind) -> Self {
        match kind {
            GivenKind::ConfigMap => Self::ConfigMap,
            GivenKind::Secret => Self::Secret,
        }
    }
}

/// Returns what the rendering of a job is given, each with its name.
fn named(job: &Job) -> BTreeSet<(Named, &str)> {
    let helm = job.sources.iter().filter_map(|source| source.spec.helm.as_ref());
    let values = helm.flat_map(|helm| &helm.values_from);
    let values = values.map(|from| (from.kind.into(), from.name.as_str()));
    let variables = job
        .spec
        .post_build
        .iter()
        .flat_map(|build| &build.substitute_from);
    let variables = variables.map(|from| (from.kind.into(), from.name.as_str()));
    let keys = job.spec.decryption.iter();
    let keys = keys.map(|decryption| (Named::Secret, decryption.secret_ref.name.as_str()));
    values.chain(variables).chain(keys).collect()
}

impl Pipeline {
    /// Returns what the rendering of an Application is given: nothing for most, which costs nothing.
    ///
    /// # Errors
    /// [`PipelineError::Given`] if one of them cannot be read. One that is not there is told when it is needed.
    pub async fn given(&self, job: &Job) -> Result<Given, PipelineError> {
        let named = named(job);
        let has_variables = has_variables(job);
        let renderers = self.renderer_digests(job);
        if named.is_empty() && job.spec.post_build.is_none() && !has_variables && renderers.is_empty() {
            return Ok(Given(None));
        }
        let mut digest = Sha256::new();
        let mut part = |bytes: &[u8]| {
            digest.update((bytes.len() as u64).to_le_bytes());
            digest.update(bytes);
        };
        part(format!("{:?} {:?}", job.spec.decryption, job.spec.post_build).as_bytes());
        if has_variables {
            part(format!("{:?} {:?}", job.spec.service, job.spec.environment).as_bytes());
            part(format!("{:?}", self.cluster_variables().await?).as_bytes());
        }
        for renderer in renderers {
            part(renderer.as_bytes());
        }
        for (kind, name) in named {
            part(format!("{kind} {name}").as_bytes());
            for (key, value) in self.entries(job, kind, name).await?.unwrap_or_default() {
                part(key.as_bytes());
                part(&value);
            }
        }
        Ok(Given(Some(digest.finalize().into())))
    }

    /// The entries of a ConfigMap or Secret in the Application's namespace; none if there is none.
    async fn entries(&self, job: &Job, kind: Named, name: &str) -> Result<Option<Values>, PipelineError> {
        let namespace = &job.key.namespace;
        let unusable = |detail: String| PipelineError::Given {
            what: format!("{kind} {namespace}/{name}"),
            detail,
        };
        if self.offline {
            let detail = "it is in the cluster, which is not asked with `--offline`";
            return Err(unusable(detail.to_owned()));
        }
        let object = self.references.get(kind, namespace, name).await;
        let object = object.map_err(|error| unusable(sluice_model::error::one_line(&*error)))?;
        object.map(|object| values(&object).map_err(unusable)).transpose()
    }

    /// As [`Pipeline::entries`]; one that is not there is an error unless it is optional.
    async fn wanted(
        &self,
        job: &Job,
        kind: Named,
        name: &str,
        optional: bool,
    ) -> Result<Option<Values>, PipelineError> {
        if self.offline && optional {
            return Ok(None);
        }
        let entries = self.entries(job, kind, name).await?;
        match entries.is_none() && !optional {
            true => Err(unusable(job, kind, name, "there is none".to_owned())),
            false => Ok(entries),
        }
    }

    /// The keys that open encrypted files; none if the Application does not say which.
    pub(crate) async fn decryption_keys(&self, job: &Job) -> Result<Option<Arc<Keys>>, PipelineError> {
        if let Some(keys) = &self.keys {
            return Ok(Some(Arc::clone(keys)));
        }
        let Some(decryption) = &job.spec.decryption else {
            return Ok(None);
        };
        let name = &decryption.secret_ref.name;
        if self.offline {
            let detail = "it is in the cluster, which is not asked with `--offline`; give the key with `--decryption-key`";
            return Err(unusable(job, Named::Secret, name, detail.to_owned()));
        }
        let entries = self.wanted(job, Named::Secret, name, false).await?;
        let mut keys = Keys::default();
        for (entry, bytes) in entries.unwrap_or_default() {
            if entry.ends_with(".agekey") || entry.ends_with(".asc") {
                let place = format!("Secret {}/{name}: {entry}", job.key.namespace);
                keys.add(&place, &bytes)
                    .map_err(|error| PipelineError::Decryption(vec![(String::new(), error)]))?;
            }
        }
        match keys.is_empty() {
            true => {
                let detail = "it has no entry that ends in `.agekey` or `.asc`".to_owned();
                Err(unusable(job, Named::Secret, name, detail))
            }
            false => Ok(Some(Arc::new(keys))),
        }
    }

    /// The variables for rendered objects.
    pub(crate) async fn variables(&self, job: &Job) -> Result<Variables, PipelineError> {
        let Some(build) = &job.spec.post_build else {
            return Ok(Variables::default());
        };
        let mut variables = Variables::new(build.strict);
        for from in &build.substitute_from {
            let kind = from.kind.into();
            let entries = self.wanted(job, kind, &from.name, from.optional).await?;
            for (name, value) in entries.unwrap_or_default() {
                let unusable = |detail: String| unusable(job, kind, &from.name, detail);
                let value = String::from_utf8(value).map_err(|_| unusable(format!("`{name}` is no text")))?;
                if !variables.set(&name, &value, kind == Named::Secret) {
                    return Err(unusable(not_a_variable(&name)));
                }
            }
        }
        for (name, value) in &build.substitute {
            if !variables.set(name, value, false) {
                return Err(PipelineError::Given {
                    what: "spec.postBuild.substitute".to_owned(),
                    detail: not_a_variable(name),
                });
            }
        }
        Ok(variables)
    }

    /// The values of `valuesFrom` with the inline ones over them; none for a source that has no `valuesFrom`.
    pub(crate) async fn chart_values(
        &self,
        job: &Job,
        source: &Source,
    ) -> Result<Option<ChartValues>, PipelineError> {
        let Some(helm) = source.helm.as_ref().filter(|helm| !helm.values_from.is_empty()) else {
            return Ok(None);
        };
        let mut all = ChartValues {
            values: Map::new(),
            secrets: Vec::new(),
        };
        for from in &helm.values_from {
            let kind = from.kind.into();
            let Some(entries) = self.wanted(job, kind, &from.name, from.optional).await? else {
                continue;
            };
            let unusable = |detail: String| unusable(job, kind, &from.name, detail);
            let key = &from.values_key;
            let value = entries
                .get(key)
                .ok_or_else(|| unusable(format!("it has no entry `{key}`")))?;
            let text = std::str::from_utf8(value).map_err(|_| unusable(format!("`{key}` is no text")))?;
            add(&mut all, from, text).map_err(unusable)?;
        }
        let inline = inline(helm).map_err(|detail| PipelineError::Given {
            what: "spec.source.helm.values".to_owned(),
            detail,
        })?;
        merge(&mut all.values, inline);
        Ok(Some(all))
    }
}

fn unusable(job: &Job, kind: Named, name: &str, detail: String) -> PipelineError {
    PipelineError::Given {
        what: format!("{kind} {}/{name}", job.key.namespace),
        detail,
    }
}

fn not_a_variable(name: &str) -> String {
    format!(
        "`{name}` is no name for a variable: it has other characters than letters, digits and `_`, or begins with a digit"
    )
}

/// Adds what one reference gives. As Flux has it, quotes around a single value make it text.
fn add(all: &mut ChartValues, from: &ValuesReference, text: &str) -> Result<(), String> {
    let is_secret = from.kind == GivenKind::Secret;
    let (key, path) = (&from.values_key, &from.target_path);
    if path.is_empty() {
        let values = read(text).map_err(|reason| format!("`{key}` {reason}"))?;
        if is_secret {
            scalars(&Value::Object(values.clone()), &mut all.secrets);
        }
        merge(&mut all.values, values);
        return Ok(());
    }
    let is_quoted = |quote: char| text.starts_with(quote) && text.ends_with(quote);
    let as_text = is_quoted('\'') || is_quoted('"');
    let value = if as_text {
        text.trim_matches(['\'', '"'])
    } else {
        text
    };
    if is_secret {
        all.secrets.push(value.to_owned());
    }
    set(&mut all.values, &format!("{path}={value}"), as_text)
        .map_err(|error| format!("`{key}` cannot be set at `{path}`: {error}"))
}

fn inline(helm: &Helm) -> Result<Map<String, Value>, String> {
    match &helm.values_object {
        Some(values) => Ok(values.clone()),
        None => read(&helm.values),
    }
}

/// Reads values as Helm does. Nothing of them is quoted.
fn read(text: &str) -> Result<Map<String, Value>, String> {
    if text.len() > VALUES_BYTES {
        return Err("is more than 4 MiB".to_owned());
    }
    match sluice_render::read_values(text) {
        Ok(Value::Object(values)) => Ok(values),
        Ok(Value::Null) => Ok(Map::new()),
        Ok(_) => Err("is no map".to_owned()),
        Err(line) => Err(format!("cannot be read as YAML: line {line}")),
    }
}

/// Puts values over others: maps are merged, anything else takes the place of what was there.
fn merge(under: &mut Map<String, Value>, over: Map<String, Value>) {
    for (name, value) in over {
        match (under.get_mut(&name), value) {
            (Some(Value::Object(under)), Value::Object(over)) => merge(under, over),
            (_, value) => drop(under.insert(name, value)),
        }
    }
}

fn scalars(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::Number(number) => found.push(number.to_string()),
        Value::String(text) => found.push(text.clone()),
        Value::Array(entries) => entries.iter().for_each(|entry| scalars(entry, found)),
        Value::Object(map) => map.values().for_each(|value| scalars(value, found)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reference(kind: GivenKind, target_path: &str) -> ValuesReference {
        ValuesReference {
            kind,
            name: "x".to_owned(),
            values_key: "values.yaml".to_owned(),
            target_path: target_path.to_owned(),
            optional: false,
        }
    }

    #[test]
    fn later_values_are_over_earlier_ones() {
        let mut all = ChartValues {
            values: Map::new(),
            secrets: Vec::new(),
        };
        add(
            &mut all,
            &reference(GivenKind::ConfigMap, ""),
            "a: {b: 1, c: 2}\nlist: [1, 2]\n",
        )
        .unwrap();
        add(
            &mut all,
            &reference(GivenKind::Secret, ""),
            "a: {b: secret-b}\nlist: [3]\n",
        )
        .unwrap();
        add(&mut all, &reference(GivenKind::Secret, "a.d"), "5").unwrap();
        add(&mut all, &reference(GivenKind::Secret, "a.e"), "\"5\"").unwrap();
        assert_eq!(
            Value::Object(all.values),
            json!({"a": {"b": "secret-b", "c": 2, "d": 5, "e": "5"}, "list": [3]})
        );
        assert_eq!(all.secrets, ["secret-b", "3", "5", "5"]);
    }

    #[test]
    fn what_cannot_be_read_is_not_quoted() {
        let mut all = ChartValues {
            values: Map::new(),
            secrets: Vec::new(),
        };
        for (path, text) in [
            ("", "a: [s3cr3t"),
            ("", "- s3cr3t"),
            ("a", "x,s3cr3t"),
            ("a[x]", "s3cr3t"),
        ] {
            let error = add(&mut all, &reference(GivenKind::Secret, path), text).unwrap_err();
            assert!(!error.contains("s3cr3t"), "{error}");
        }
    }
}
