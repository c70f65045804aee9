//! Trying one plugin on a case: what it says by itself, before that is laid over what others say. For `sluice plugin test`.
//!
//! What goes in and comes out is what the golden cases of the SDK have (`plugins/sdk/src/golden.rs`), so that the same folder can be
//! judged natively and by the component itself, in the engine's own runtime.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sluice_model::Object;
use sluice_model::application::PolicyRef;
use sluice_model::census::{Census, Tally};
use sluice_model::decision::Occasion;
use sluice_model::plan::ApplicationKey;
use sluice_model::related::{Among, Related, Unrelated};

use crate::codes::PluginError;
use crate::host::PluginHost;
use crate::run::Runtime;
use crate::session::Asked;
use crate::worlds::health::HealthQuestion;
use crate::worlds::prune::{PruneContext, PruneObject};
use crate::worlds::sync::{SyncContext, SyncObject};
use crate::worlds::{self, PluginKind};

/// What a plugin is asked.
pub struct Case {
    /// Objects, and for the other worlds `{live, desired}` and `{context: …}`.
    pub documents: Vec<Value>,
    /// The plugin's settings.
    pub settings: Map<String, Value>,
    /// The time of the question.
    pub now: Timestamp,
    /// What there is around the objects; none if that is not known.
    pub related: Option<Vec<Object>>,
}

/// A document of a case that is no object.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// A document is not what the world asks about.
    #[error("document {number}: {reason}")]
    Document {
        /// Which one, from 1.
        number: usize,
        /// What is wrong.
        reason: String,
    },
    /// The plugin is not there, or failed.
    #[error(transparent)]
    Plugin(#[from] PluginError),
}

impl PluginHost {
    /// Returns what a plugin says of each document, as JSON: a verdict, a decision, null for no opinion. If it refuses the settings,
    /// `{"problems": […]}`; if it cannot answer at all, `{"error": …}`.
    ///
    /// # Errors
    /// If there is no such plugin, it failed otherwise, its schema refuses settings that it takes, or a document is not what it can be
    /// asked about.
    pub fn try_case(&self, kind: PluginKind, name: &str, case: &Case) -> Result<Value, TrialError> {
        let policy = PolicyRef {
            plugin: name.to_owned(),
            settings: case.settings.clone(),
        };
        let runtime = self.runtime()?;
        let asked = self.ask(kind, std::slice::from_ref(&policy));
        let asked = asked
            .first()
            .ok_or(PluginError::NotFound { kind: kind.world() })?;
        let said = match kind {
            PluginKind::Health => health(runtime, asked, case)?,
            PluginKind::Prune => prune(runtime, asked, case)?,
            PluginKind::Sync => sync(runtime, asked, case)?,
        };
        match said {
            Ok(answers) => {
                // What the plugin takes must fit its schema, or the engine would never ask it.
                asked.plugin()?.check_settings(&asked.settings)?;
                Ok(Value::Array(answers))
            }
            Err(PluginError::Settings { problems }) => {
                let plain = |problem: String| problem.replacen('`', "", 2);
                let problems: Vec<String> = problems.into_iter().map(plain).collect();
                Ok(json!({"problems": problems}))
            }
            Err(PluginError::Guest { message, .. }) => Ok(json!({"error": message})),
            Err(error) => Err(error.into()),
        }
    }
}

/// What a plugin said, or why it said nothing.
type Said = Result<Vec<Value>, PluginError>;

fn health(runtime: &Runtime, asked: &Asked, case: &Case) -> Result<Said, TrialError> {
    let objects: Result<Vec<Object>, TrialError> = case
        .documents
        .iter()
        .zip(1..)
        .map(|(document, number)| object(document, number))
        .collect();
    let related: Arc<dyn Related> = match &case.related {
        Some(objects) => Arc::new(Among(objects.clone())),
        None => Arc::new(Unrelated),
    };
    let question = HealthQuestion {
        policies: &[],
        objects: &objects?,
        now: case.now,
        related,
        is_traced: false,
    };
    Ok(worlds::health::told(runtime, asked, &question))
}

fn prune(runtime: &Runtime, asked: &Asked, case: &Case) -> Result<Said, TrialError> {
    let mut context = PruneContext {
        now: case.now,
        occasion: Occasion::Sync,
        application: application(),
        owned: Census::default(),
        desired: Census::default(),
        options: Vec::new(),
    };
    let mut others = Vec::new();
    let mut candidates = Vec::new();
    for (document, number) in case.documents.iter().zip(1..) {
        let Some(given) = document.get("context") else {
            candidates.push(PruneObject {
                live: object(document.get("live").unwrap_or(document), number)?,
                desired: side(document, "desired", number)?,
            });
            continue;
        };
        context.options = texts(given.get("options"));
        if given.get("occasion").and_then(Value::as_str) == Some("application-deleted") {
            context.occasion = Occasion::ApplicationDeleted;
        }
        for other in given
            .get("others")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            others.push(tally(other, number)?);
        }
    }
    context.desired = census(&others);
    let candidate = |candidate: &PruneObject| Tally {
        group: candidate.live.group().to_owned(),
        kind: candidate.live.kind().to_owned(),
        namespace: candidate.live.namespace().map(str::to_owned),
        count: 1,
    };
    others.extend(candidates.iter().map(candidate));
    context.owned = census(&others);
    Ok(worlds::prune::told(runtime, asked, &candidates, &context))
}

fn sync(runtime: &Runtime, asked: &Asked, case: &Case) -> Result<Said, TrialError> {
    let mut context = SyncContext {
        now: case.now,
        application: Some(application()),
        options: Vec::new(),
    };
    let mut answers = Vec::new();
    for (document, number) in case.documents.iter().zip(1..) {
        if let Some(given) = document.get("context") {
            context.options = texts(given.get("options"));
            continue;
        }
        let change: SyncObject = match document.get("apiVersion") {
            Some(_) => object(document, number)?.into(),
            None => (
                side(document, "desired", number)?,
                side(document, "live", number)?,
            )
                .into(),
        };
        match worlds::sync::told(runtime, asked, &change, &context) {
            Ok(answer) => answers.push(answer),
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(answers))
}

/// The Application of every case.
fn application() -> ApplicationKey {
    ApplicationKey {
        namespace: "shop".to_owned(),
        name: "app".to_owned(),
    }
}

fn object(document: &Value, number: usize) -> Result<Object, TrialError> {
    Object::new(document.clone()).map_err(|error| TrialError::Document {
        number,
        reason: error.to_string(),
    })
}

fn side(document: &Value, name: &str, number: usize) -> Result<Option<Object>, TrialError> {
    document.get(name).map(|side| object(side, number)).transpose()
}

fn tally(other: &Value, number: usize) -> Result<Tally, TrialError> {
    let text = |field: &str| other.get(field).and_then(Value::as_str);
    let count = other.get("count").and_then(Value::as_u64);
    let (Some(version), Some(kind), Some(count)) = (text("apiVersion"), text("kind"), count) else {
        return Err(TrialError::Document {
            number,
            reason: "each of `others` has `apiVersion`, `kind` and `count`".to_owned(),
        });
    };
    Ok(Tally {
        group: version.split_once('/').map_or("", |(group, _)| group).to_owned(),
        kind: kind.to_owned(),
        namespace: text("namespace").map(str::to_owned),
        count: u32::try_from(count).unwrap_or(u32::MAX),
    })
}

/// All tallies, those of one kind and namespace together.
fn census(tallies: &[Tally]) -> Census {
    let mut sums: Vec<Tally> = Vec::new();
    for tally in tallies {
        let same = |sum: &&mut Tally| {
            (&sum.group, &sum.kind, &sum.namespace) == (&tally.group, &tally.kind, &tally.namespace)
        };
        match sums.iter_mut().find(same) {
            Some(sum) => sum.count = sum.count.saturating_add(tally.count),
            None => sums.push(tally.clone()),
        }
    }
    Census::recorded(&sums)
}

fn texts(list: Option<&Value>) -> Vec<String> {
    let list = list.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}
