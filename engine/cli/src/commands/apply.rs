//! `sluice apply`: executes a plan that was saved before, if it is still what would be planned.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use futures::FutureExt as _;
use kube::ResourceExt as _;
use sluice_apply::{ApplyError, Event, Finished, NotHealthy, Options, Parent, Rehearse, Request};
use sluice_cluster::{Kind, Target};
use sluice_health::{Answer, Awaited, Expectation, ObjectHealth, Wait};
use sluice_model::application::{APPROVED_PLAN_ANNOTATION, PolicyRef};
use sluice_model::health::{HealthStatus, HealthVerdict};
use sluice_model::object::ObjectKey;
use sluice_model::outcome::{Outcome, StepResult};
use sluice_model::plan::{Action, PLAN_VERSION, Plan, Step};
use sluice_model::secret::mask;
use sluice_model::{ExitKind, ObjectRef};
use sluice_observe::Observer;
use sluice_pipeline::PipelineError;
use sluice_plugin_host::PluginHost;

use crate::connection::{Connection, Progress, block_on};
use crate::documents;
use crate::engine::{Engine, Git};
use crate::failure::{CliError, Failure};
use crate::global::Global;
use crate::output::{self, BAD, Cell, FAINT, Format, GOOD, Output, Table, WAITING};

pub(crate) const HELP: &str = "\
Examples:
  sluice plan guestbook -o json > plan.json
  sluice apply plan.json
  sluice apply plan.json --dry-run             only ask the API server whether it would take it

The plan's revision is verified and rendered again, and planned again: only if that gives the
same plan, byte for byte, is anything written. So a plan that was changed, or that the cluster,
Git or a policy has outrun, is refused. Held deletions are done only if the Application carries
the approval of this plan (`sluice approve`).

Exit codes: 0; 3 if the file holds no plan; 4 if the revision is not trusted; 5 if something is
held; 6 if the repository fails; 7 if the cluster moved on, refuses or fails; 8 if a plugin
failed.";

/// The options of `sluice apply`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A plan, as `sluice plan -o json` printed it; `-` for stdin
    #[arg(value_name = "PLAN")]
    plan: PathBuf,
    /// Write nothing: let the API server try everything
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    git: Git,
}

/// Executes the plan.
pub(crate) fn run(arguments: Arguments, global: &Global, out: &mut impl Write) -> Result<(), Failure> {
    let plan = read(&arguments.plan)?;
    let (finished, held) = block_on(execute(&arguments, &plan, global))?;
    let outcomes = [finished.outcomes, finished.sync_fail].concat();
    match arguments.output.format {
        Format::Text => table(&outcomes).write(out, "")?,
        format @ (Format::Json | Format::Yaml) => output::each(out, format, &outcomes)?,
    }
    if let Some(failure) = finished.failure {
        return Err(Failure::of(failure));
    }
    match held {
        0 => Ok(()),
        _ => {
            if arguments.output.format == Format::Text {
                writeln!(
                    out,
                    "{held} held for approval: sluice approve {} -n {} --plan {}",
                    plan.application.name,
                    plan.application.namespace,
                    plan.digest()
                )?;
            }
            Err(Failure::Answered(ExitKind::Held))
        }
    }
}

fn read(path: &std::path::Path) -> Result<Plan, Failure> {
    let bytes = documents::read(path)?;
    let not_a_plan = |source| CliError::NotAPlan {
        path: path.to_owned(),
        source,
    };
    // The version first: a plan of another one may have other fields.
    let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(not_a_plan)?;
    if let Some(version) = value
        .get("version")
        .and_then(serde_json::Value::as_str)
        .filter(|version| *version != PLAN_VERSION)
    {
        return Err(Failure::of(ApplyError::PlanVersion {
            found: version.to_owned(),
            known: PLAN_VERSION,
        }));
    }
    Ok(serde_json::from_value(value).map_err(not_a_plan)?)
}

async fn execute(arguments: &Arguments, saved: &Plan, global: &Global) -> Result<(Finished, usize), Failure> {
    let connection = Connection {
        namespace: saved.application.namespace.clone(),
        ..Connection::open(global).await?
    };
    let application = connection.application(&saved.application.name).await?;
    if let Some(pause) = application.spec.pause.as_ref().filter(|_| !arguments.dry_run) {
        return Err(CliError::Paused {
            application: connection.title(&saved.application.name),
            reason: because(&pause.reason),
        }
        .into());
    }
    let approval = application.annotations().get(APPROVED_PLAN_ANNOTATION).cloned();
    let mut engine = Engine::of(connection, application, &arguments.git, global)?;
    let prepared = engine.prepare(Some(&saved.revision)).await?;
    if !prepared.problems.is_empty() {
        return Err(Failure::plugins(prepared.problems.clone()));
    }
    if prepared.is_empty_by_mistake() {
        return Err(Failure::of(PipelineError::Empty));
    }
    if prepared.plan.digest() != saved.digest() {
        return Err(Failure::of(ApplyError::MovedOn {
            objects: outrun(saved, &prepared.plan),
        }));
    }
    let approved = approval.as_ref() == Some(&saved.digest());
    let pipeline = &engine.pipeline;
    let parent = Parent {
        reference: engine.connection.reference(&saved.application.name),
        id: engine.job.applyset(),
        recorded: engine.job.recorded.clone(),
        afterwards: pipeline.members_after(&engine.job, &prepared, saved, approved),
        finalizers: None,
    };
    let manifests = prepared.manifests();
    let request = Request {
        plan: saved,
        manifests: &manifests,
        approval: approval.as_deref(),
        parent: Some(&parent),
        options: Options {
            rehearse: if arguments.dry_run {
                Rehearse::Only
            } else {
                Rehearse::First
            },
            ..Options::default()
        },
    };
    let waiting = Waiting {
        cluster: prepared.cluster.clone(),
        plugins: engine.pipeline.plugins.clone(),
        policies: engine.job.spec.policies.health.clone().into(),
        expectations: Arc::new(Expectation::all(saved)),
        ended: Ended::watch(&prepared.cluster, saved, engine.job.applyset()).await,
    };
    let wait = move |objects: Vec<ObjectRef>, timeout: Duration| {
        waiting.clone().until_healthy(objects, timeout).boxed()
    };
    let mut progress = Progress::new();
    let name = saved.application.to_string();
    let mut tell = |event: Event| progress.tell(&name, &line(&event));
    let finished = sluice_apply::apply(&prepared.cluster, request, &wait, &mut tell).await;
    let held = if finished.held_done { 0 } else { saved.held.len() };
    Ok((finished, held))
}

/// `: why`, where that was said.
fn because(reason: &str) -> String {
    match reason.is_empty() {
        true => String::new(),
        false => format!(": {reason}"),
    }
}

/// In what the plan made now is another one.
fn outrun(saved: &Plan, now: &Plan) -> Vec<String> {
    let steps = |plan: &Plan| -> BTreeSet<String> {
        let held = plan.held.iter().map(|held| &held.step);
        let all = plan.steps.iter().chain(held);
        all.map(|step| {
            format!(
                "{} {}",
                step.object,
                serde_json::to_string(step).unwrap_or_default()
            )
        })
        .collect()
    };
    let (before, after) = (steps(saved), steps(now));
    let object = |text: &String| text.split(" {").next().unwrap_or_default().to_owned();
    let changed: BTreeSet<String> = before.symmetric_difference(&after).map(object).collect();
    let mut reasons: Vec<String> = changed
        .into_iter()
        .map(|object| format!("{object} would be treated otherwise now"))
        .collect();
    if saved.policies != now.policies {
        reasons.push("the policies are other ones now".to_owned());
    }
    if reasons.is_empty() {
        reasons.push(format!("what is planned now has the digest {}", now.digest()));
    }
    reasons
}

/// What a wave's health is asked of.
#[derive(Clone)]
struct Waiting {
    cluster: Target,
    plugins: PluginHost,
    policies: Arc<[PolicyRef]>,
    /// What is expected of the objects that the plan applies.
    expectations: Arc<BTreeMap<ObjectKey, Expectation>>,
    ended: Ended,
}

/// Jobs of a plan that the cluster removes as soon as they have ended, which may be between two looks.
#[derive(Clone)]
struct Ended {
    observer: Arc<Observer>,
    kinds: Arc<[Kind]>,
    applyset: String,
}

impl Ended {
    async fn watch(cluster: &Target, plan: &Plan, applyset: String) -> Self {
        let has_time_to_live = |step: &&Step| match &step.action {
            Action::Apply { manifest, .. } => manifest.pointer("/spec/ttlSecondsAfterFinished").is_some(),
            Action::Delete { .. } => false,
        };
        let is_job = |step: &&Step| step.object.group == "batch" && step.object.kind == "Job";
        let mut namespaces = BTreeSet::new();
        let mut kinds = Vec::new();
        let all = plan.steps.iter().chain(plan.held.iter().map(|held| &held.step));
        for step in all.filter(is_job).filter(has_time_to_live) {
            namespaces.extend(step.object.namespace.clone());
            if kinds.is_empty() {
                kinds.extend(cluster.kind_of(&step.object).await.ok());
            }
        }
        let observer = Observer::new(cluster.clone(), Some(namespaces), Arc::new(|_| {}));
        if let Err(error) = observer.ensure(&kinds, FIRST_LIST).await {
            // A user who may not watch waits for what is there to be looked at.
            tracing::warn!(%error, "Jobs that are removed at their end may be waited for in vain");
        }
        Self {
            observer: Arc::new(observer),
            kinds: kinds.into(),
            applyset,
        }
    }

    fn has(&self, object: &ObjectRef) -> bool {
        let ended = self.observer.finished(&self.kinds, &self.applyset);
        ended.iter().any(|ended| ended.key() == object.key())
    }
}

/// So long the first list of a watch may take.
const FIRST_LIST: Duration = Duration::from_secs(10);

/// How often a wave is looked at while it is waited for.
const LOOK: Duration = Duration::from_secs(1);

impl Waiting {
    async fn until_healthy(self, objects: Vec<ObjectRef>, timeout: Duration) -> Result<(), NotHealthy> {
        let began = tokio::time::Instant::now();
        let mut rule = Wait::default();
        loop {
            let mut awaited = Vec::new();
            for object in &objects {
                let verdict = self.look(object).await;
                let health = ObjectHealth {
                    object: object.clone(),
                    verdict,
                };
                let expectation = self.expectations.get(&object.key()).copied();
                awaited.push(Awaited {
                    health,
                    expectation: expectation.unwrap_or(Expectation::PART),
                });
            }
            let answer;
            (rule, answer) = rule.judge(&awaited, began.elapsed(), timeout);
            match answer {
                Answer::Over => return Ok(()),
                Answer::Waiting { next, .. } => tokio::time::sleep(next.min(LOOK)).await,
                Answer::Failed { on, why } => {
                    return Err(NotHealthy::Object {
                        object: Box::new(on.object),
                        verdict: Box::new(on.verdict),
                        late: why == sluice_health::Failure::Late,
                    });
                }
            }
        }
    }

    async fn look(&self, object: &ObjectRef) -> HealthVerdict {
        let unknown = |message: String| HealthVerdict {
            status: HealthStatus::Unknown,
            message,
            plugin: None,
        };
        let found = async {
            let kind = self.cluster.kind_of(object).await?;
            self.cluster.get(&kind, object).await
        };
        let live = match found.await {
            Ok(Some(live)) => mask(&live),
            Ok(None) => {
                return HealthVerdict {
                    status: match self.ended.has(object) {
                        true => HealthStatus::Healthy,
                        false => HealthStatus::Missing,
                    },
                    message: String::new(),
                    plugin: None,
                };
            }
            Err(error) => return unknown(error.to_string()),
        };
        let (plugins, policies) = (self.plugins.clone(), Arc::clone(&self.policies));
        let now = jiff::Timestamp::now();
        let answer = tokio::task::spawn_blocking(move || plugins.health(&policies, &[live], now)).await;
        let verdict = answer.map(|answer| answer.value.into_iter().next());
        let mut verdict = verdict
            .ok()
            .flatten()
            .unwrap_or_else(|| unknown("the health plugins did not answer".to_owned()));
        self.cluster.redact(&mut verdict.message);
        verdict
    }
}

fn line(event: &Event) -> String {
    match event {
        Event::Rehearsing { steps } => format!("trying {steps} steps without storing them"),
        Event::Later { object, why } => format!("{object} is {why}"),
        Event::Wave { name, steps } => format!("{name}: {steps} steps"),
        Event::Waiting { name, objects } => {
            format!("{name}: waiting for {} objects to become healthy", objects.len())
        }
        Event::Done(outcome) => format!("{} {:?}", outcome.object, outcome.result),
        Event::Stored(object) => format!("{} is stored", object.reference()),
        Event::Gone(object) => format!("{object} is gone"),
    }
}

fn table(outcomes: &[Outcome]) -> Table {
    let mut table = Table::new();
    for outcome in outcomes {
        let (word, style) = match outcome.result {
            StepResult::Created => ("created", GOOD),
            StepResult::Configured => ("configured", GOOD),
            StepResult::Unchanged => ("unchanged", FAINT),
            StepResult::Deleted => ("deleted", WAITING),
            StepResult::Failed => ("failed", BAD),
            StepResult::NotTried => ("not tried", WAITING),
        };
        table.row(vec![
            Cell::new(word, style),
            outcome.object.to_string().into(),
            (&outcome.message).into(),
        ]);
    }
    table
}
