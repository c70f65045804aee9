//! Variables of an Application: what expressions in its settings stand for, and its sources once they are replaced.
//!
//! Names and variables are in the Application, in a ConfigMap about the cluster, and in files of verified revisions. So expressions are
//! replaced after the trust stage, and before anything is rendered: a folder whose name has an expression in it is read only then.

mod expressions;

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use sluice_model::application::{CLUSTER_VARIABLES, Source, VariableScope, VariablesFile, flattened};
use sluice_source::TreeLimits;

use crate::blocking::blocking;
use crate::codes;
use crate::credentials::Values;
use crate::error::PipelineError;
use crate::references::Named;
use crate::sources::place_in;
use crate::{Job, Origin, Pipeline, Problem, Trusted, TrustedSource};

pub(crate) use expressions::has_expression;
use expressions::{Known, Outcome, Replaced, replace};

/// The settings of a source in which expressions are replaced.
pub(crate) const SETTINGS: [&str; 5] = ["path", "helm", "kustomize", "directory", "plugin"];
/// A file of variables is no larger.
const FILE_BYTES: usize = 1 << 20;

/// An Application whose expressions are replaced.
#[derive(Debug, Clone)]
pub struct Expanded {
    /// What it wants.
    pub job: Job,
    /// The files of its sources.
    pub trusted: Trusted,
    /// Every variable that there is, by name.
    pub variables: Vec<Variable>,
}

/// One variable.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Variable {
    /// Its name, as it stands between `<+` and `>`.
    pub name: String,
    /// What it stands for.
    pub value: Value,
    /// Where that is from: a field of the Application, a ConfigMap, or a file.
    pub from: String,
    /// The settings that it was put into, as paths of fields.
    pub used_in: Vec<String>,
}

/// True if the path of a source is known only once its expressions are replaced.
pub(crate) fn is_path_open(source: &Source) -> bool {
    has_expression(&source.path)
}

/// True if an Application has variables, or something that stands for one.
pub(crate) fn has_variables(job: &Job) -> bool {
    let spec = &job.spec;
    if spec.service.is_some() || spec.environment.is_some() {
        return true;
    }
    let text = |value: serde_json::Result<String>| value.is_ok_and(|text| has_expression(&text));
    let sources = job.sources.iter();
    sources
        .into_iter()
        .any(|source| text(serde_json::to_string(&source.spec)))
        || spec
            .post_build
            .as_ref()
            .is_some_and(|build| text(serde_json::to_string(build)))
}

impl Pipeline {
    /// Replaces the expressions in paths, values and settings, and reads the folders whose names are known only now.
    ///
    /// # Errors
    /// [`PipelineError::Spec`] with every expression that stands for nothing; [`PipelineError::Given`] if a file or the ConfigMap of variables
    /// cannot be used; [`PipelineError::Source`] if a folder is not there.
    pub async fn expanded(&self, job: &Job, trusted: &Trusted) -> Result<Expanded, PipelineError> {
        let unchanged = Expanded {
            job: job.clone(),
            trusted: trusted.clone(),
            variables: Vec::new(),
        };
        if !has_variables(job) {
            return Ok(unchanged);
        }
        let cluster = self.cluster_variables().await?;
        blocking(move || expand(unchanged, cluster)).await?
    }

    /// The entries of the ConfigMap about the cluster; none if there is none, or no cluster is asked.
    pub(crate) async fn cluster_variables(&self) -> Result<Values, PipelineError> {
        if self.offline {
            return Ok(Values::default());
        }
        let entries = self.shared(Named::ConfigMap, CLUSTER_VARIABLES).await?;
        Ok(entries.unwrap_or_default())
    }
}

fn expand(expanded: Expanded, cluster: Values) -> Result<Expanded, PipelineError> {
    let Expanded { mut job, trusted, .. } = expanded;
    let known = known(&job, &trusted, cluster)?;
    let mut outcome = Outcome::default();
    let mut sources = trusted.sources;
    let mut open = Vec::new();
    for (index, source) in sources.iter_mut().enumerate() {
        let place = source.source.field(index);
        let spec = &mut source.source.spec;
        if is_path_open(spec) {
            open.push(index);
        }
        *spec = settings(spec, &place, &known, &mut outcome)?;
    }
    if let Some(build) = &mut job.spec.post_build {
        let mut value = serde_json::to_value(&build.substitute).map_err(PipelineError::internal)?;
        replace(&mut value, "spec.postBuild.substitute", &known, &mut outcome);
        build.substitute = read(value)?;
    }
    if !outcome.wrong.is_empty() {
        let problem = |(place, detail)| Problem::of(&codes::EXPRESSION, place, detail);
        return Err(PipelineError::Spec(
            outcome.wrong.into_iter().map(problem).collect(),
        ));
    }
    for index in open {
        if let Some(source) = sources.get_mut(index) {
            reread(source)?;
        }
    }
    let variables = known.all().map(|(name, value, from)| Variable {
        name: name.to_owned(),
        value: value.clone(),
        from: from.to_owned(),
        used_in: used_in(&outcome.replaced, name),
    });
    Ok(Expanded {
        variables: variables.collect(),
        job,
        trusted: Trusted { sources },
    })
}

fn used_in(replaced: &[Replaced], name: &str) -> Vec<String> {
    let places = replaced.iter().filter(|replaced| replaced.name == name);
    let mut places: Vec<String> = places.map(|replaced| replaced.place.clone()).collect();
    places.dedup();
    places
}

/// A source with the expressions of its settings replaced.
fn settings(
    source: &Source,
    place: &str,
    known: &Known,
    outcome: &mut Outcome,
) -> Result<Source, PipelineError> {
    let mut settings = serde_json::to_value(source).map_err(PipelineError::internal)?;
    for name in SETTINGS {
        if let Some(setting) = settings.get_mut(name) {
            replace(setting, &format!("{place}.{name}"), known, outcome);
        }
    }
    read(settings)
}

/// Reads the folder whose name is known only now.
fn reread(trusted: &mut TrustedSource) -> Result<(), PipelineError> {
    if trusted.source.gives_values_alone() {
        return Ok(());
    }
    let path = &trusted.source.spec.path;
    let tree = match &trusted.origin {
        Origin::Git(git) => git.repository.tree(&git.revision, path, &TreeLimits::default())?,
        Origin::Chart(chart) => chart.fetched.tree(path)?,
    };
    let read = trusted.tree.with(tree);
    let read = read.ok_or_else(|| PipelineError::internal("a folder was read of another revision"))?;
    trusted.tree = Arc::new(read);
    Ok(())
}

/// What the settings of this program are read back as.
fn read<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, PipelineError> {
    serde_json::from_value(value).map_err(PipelineError::internal)
}

/// Everything that expressions may stand for.
fn known(job: &Job, trusted: &Trusted, cluster: Values) -> Result<Known, PipelineError> {
    let mut known = Known::default();
    known.set(
        "cluster.name".to_owned(),
        Value::String(job.spec.destination.name.clone()),
        "spec.destination.name",
    );
    for (entry, value) in cluster {
        let from = format!("ConfigMap {CLUSTER_VARIABLES}");
        let text = String::from_utf8(value).map_err(|_| PipelineError::Given {
            what: from.clone(),
            detail: format!("`{entry}` is no text"),
        })?;
        let name = match entry.as_str() {
            "name" => "cluster.name".to_owned(),
            entry => format!("cluster.variables.{entry}"),
        };
        known.set(name, Value::String(text), &from);
    }
    let scopes = [
        ("service", "spec.service", &job.spec.service),
        ("env", "spec.environment", &job.spec.environment),
    ];
    for (group, field, scope) in scopes {
        if let Some(scope) = scope {
            let name = Value::String(scope.name.clone());
            known.set(format!("{group}.name"), name, &format!("{field}.name"));
        }
    }
    for (group, field, scope) in scopes {
        let Some(scope) = scope else { continue };
        variables(&mut known, group, field, scope, trusted)?;
    }
    Ok(known)
}

fn variables(
    known: &mut Known,
    group: &str,
    field: &str,
    scope: &VariableScope,
    trusted: &Trusted,
) -> Result<(), PipelineError> {
    let mut found = Vec::new();
    for (index, file) in scope.variables_from.iter().enumerate() {
        let place = format!("{field}.variablesFrom[{index}]");
        let mut path = Value::String(file.path.clone());
        let mut outcome = Outcome::default();
        replace(&mut path, &format!("{place}.path"), known, &mut outcome);
        if let Some((place, detail)) = outcome.wrong.into_iter().next() {
            return Err(PipelineError::Spec(vec![Problem::of(
                &codes::EXPRESSION,
                place,
                detail,
            )]));
        }
        let source = source_of(file, trusted).map_err(|detail| {
            PipelineError::Spec(vec![Problem::of(&codes::SPEC, format!("{place}.source"), detail)])
        })?;
        let path = path.as_str().unwrap_or_default();
        if let Some(variables) = file_of(source, path, file.optional)? {
            found.push((place_in(&source.source.name, path), variables));
        }
    }
    found.push((format!("{field}.variables"), scope.variables.clone()));
    for (from, variables) in found {
        for (name, value) in flattened(&variables) {
            known.set(format!("{group}.variables.{name}"), value, &from);
        }
    }
    Ok(())
}

fn source_of<'t>(file: &VariablesFile, trusted: &'t Trusted) -> Result<&'t TrustedSource, String> {
    let wanted = &file.source;
    match trusted.sources.as_slice() {
        [alone] if wanted.is_empty() => Ok(alone),
        sources => {
            let is_meant = |one: &&TrustedSource| {
                !wanted.is_empty() && (one.source.name == *wanted || one.source.spec.reference == *wanted)
            };
            sources.iter().find(is_meant).ok_or_else(|| {
                let names: Vec<&str> = sources.iter().map(|one| &*one.source.name).collect();
                format!("`{wanted}` is none of the sources `{}`", names.join("`, `"))
            })
        }
    }
}

/// The variables of a file; none if it is not there and may be missing.
fn file_of(
    source: &TrustedSource,
    path: &str,
    optional: bool,
) -> Result<Option<serde_json::Map<String, Value>>, PipelineError> {
    let unusable = |detail: &str| PipelineError::Given {
        what: format!("the file of variables {}", place_in(&source.source.name, path)),
        detail: detail.to_owned(),
    };
    let tree = source.at(path)?;
    let content = tree.as_ref().and_then(|tree| tree.files.get(&tree.path));
    let Some(content) = content else {
        return match optional {
            true => Ok(None),
            false => Err(unusable("the revision has no such file")),
        };
    };
    if sluice_sops::Format::of(path, content).is_some() {
        return Err(unusable("it is encrypted, and variables are shown to people"));
    }
    if content.len() > FILE_BYTES {
        return Err(unusable("it is more than 1 MiB"));
    }
    let text = std::str::from_utf8(content).map_err(|_| unusable("it is no text"))?;
    match sluice_render::read_values(text) {
        Ok(Value::Object(variables)) => Ok(Some(variables)),
        Ok(Value::Null) => Ok(Some(serde_json::Map::new())),
        Ok(_) => Err(unusable("it is no map of variables")),
        Err(line) => Err(unusable(&format!("it cannot be read as YAML: line {line}"))),
    }
}
