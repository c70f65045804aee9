//! Whether objects of the cluster do their work, found out without the controller: by themselves, or as an Application's tree.
//!
//! An Application is as healthy as the worst of its own objects, by the rule of the controller (`sluice_health::worst`). What they own is
//! judged by the same policies, for people: it tells why.

mod owned;
mod tree;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use sluice_cluster::{Kind, Kinds};
use sluice_model::Application;
use sluice_model::application::{ObjectState, Policies};
use sluice_model::decision::SyncDecision;
use sluice_model::health::{HealthStatus, HealthVerdict};
use sluice_model::object::{GroupKind, Object, ObjectKey, ObjectRef};
use sluice_model::plan::ApplicationKey;
use sluice_model::related::{Need, Related as _, Selection};
use sluice_model::secret::{Redactor, has_secrets, mask};
use sluice_observe::Relatives;
use sluice_pipeline::{Bounds, Defaults, Job, Pipeline, PipelineError};
use sluice_plugin_host::{Answer, Examined, PluginProblem, SyncContext, SyncObject};
use tokio::sync::Notify;

use crate::applications::{Operations, reference};
use crate::error::OperationError;

pub use tree::{Health, Part, health};

/// So many steps down are looked for what is owned.
const LEVELS: usize = 6;
/// How long is waited at most for the first look at objects that are owned.
const FIRST_LOOK: Duration = Duration::from_secs(10);
/// Changes that come together are looked at together.
const TOGETHER: Duration = Duration::from_millis(500);
/// After how long everything is looked at again, whatever was told: a verdict may depend on the time.
const AGAIN: Duration = Duration::from_secs(30);
/// Whose needs the watches serve.
const WHOSE: &str = "checkup";

/// Looks at objects of the cluster, with the rights of the person who asks.
pub struct Checkup {
    operations: Operations,
    /// The stages.
    pub pipeline: Pipeline,
    changed: Arc<Notify>,
    attended: BTreeSet<Need>,
}

/// An Application's objects, and what they own.
#[derive(Debug)]
pub struct Family {
    /// Which Application.
    pub key: ApplicationKey,
    /// The namespace of objects that name none.
    pub destination: String,
    /// What it wants its objects to be judged by.
    pub policies: Policies,
    /// Its objects, each with what it owns after it.
    pub parts: Vec<Part>,
    /// Kinds, each with a namespace, that could not be looked at: what is owned of them is not in the list.
    pub unseen: BTreeSet<(String, GroupKind)>,
    /// Policies that did not answer.
    pub problems: Vec<PluginProblem>,
    /// What all of this rests on.
    pub needs: BTreeSet<Need>,
}

/// What objects own.
#[derive(Debug, Default)]
struct Owned {
    objects: Vec<Object>,
    unseen: BTreeSet<(String, GroupKind)>,
    needs: BTreeSet<Need>,
}

impl Checkup {
    /// Watches nothing yet.
    pub fn new(operations: Operations, mut pipeline: Pipeline) -> Self {
        let changed = Arc::new(Notify::new());
        let tell = Arc::clone(&changed);
        let on_change = Arc::new(move |_: &str| tell.notify_one());
        pipeline.relatives = Arc::new(Relatives::new(pipeline.target.clone(), None, on_change));
        Self {
            operations,
            pipeline,
            changed,
            attended: BTreeSet::new(),
        }
    }

    /// Returns an object, by what people call its kind (`deployment`, `deployments.apps`, `deploy`). It has no namespace if its kind has
    /// none.
    ///
    /// # Errors
    /// [`OperationError::NoKind`] if the cluster has no such kind; [`OperationError::Cluster`] if it cannot be asked.
    pub async fn object(&self, kind: &str, namespace: &str, name: &str) -> Result<Part, OperationError> {
        let kind = self.kind(kind).await?;
        let reference = ObjectRef {
            group: kind.group.clone(),
            version: kind.version.clone(),
            kind: kind.kind.clone(),
            namespace: kind.namespaced.then(|| namespace.to_owned()),
            name: name.to_owned(),
        };
        Ok(Part {
            live: self.pipeline.target.get(&kind, &reference).await?,
            reference,
            owner: None,
            counts: true,
        })
    }

    async fn kind(&self, name: &str) -> Result<Kind, OperationError> {
        let called = |kinds: &Kinds| kinds.called(name).cloned();
        let target = &self.pipeline.target;
        if let Some(kind) = called(&*target.kinds().await?) {
            return Ok(kind);
        }
        called(&*target.refresh_kinds().await?).ok_or_else(|| OperationError::NoKind {
            name: name.to_owned(),
        })
    }

    /// Returns an Application's objects: those of its ApplySet, those that its status says are missing, and what they own.
    ///
    /// # Errors
    /// Those of [`Operations::get`]; [`OperationError::Pipeline`] if the cluster cannot be asked for its objects.
    pub async fn application(&self, key: &ApplicationKey) -> Result<Family, OperationError> {
        let application = self.operations.get(key).await?;
        // A mistake elsewhere in the spec does not matter here.
        let job = Job::to_let_go(&application, &Defaults::default()).map_err(PipelineError::from)?;
        let job = Job { account: None, ..job };
        let kinds = self.pipeline.target.kinds().await?;
        let mut pipeline = self.pipeline.clone();
        pipeline.bounds = bounds(&job, &kinds);
        let live = Box::pin(pipeline.ask_live(&job, &[])).await?;
        let members: Vec<Object> = live.members.values().cloned().collect();
        let decisions = self.decisions(&job, &members).await?;
        let owned = self.owned(&members).await?;
        let mut needs = owned.needs;
        needs.insert(by_name(&reference(key)));
        let missing = missing(&application, &members, &kinds);
        let members = members.into_iter().zip(&decisions.value);
        let mut members: Vec<Part> = members
            .map(|(member, decision)| Part::of(member, decision.counts()))
            .collect();
        members.extend(missing);
        members.sort_by(|left, right| left.reference.cmp(&right.reference));
        Ok(Family {
            key: key.clone(),
            destination: job.destination().to_owned(),
            policies: job.spec.policies,
            parts: tree::arranged(members, owned.objects),
            unseen: owned.unseen,
            problems: decisions.problems,
            needs,
        })
    }

    /// What the sync policies say of the members: which of them are hooks, say.
    async fn decisions(
        &self,
        job: &Job,
        members: &[Object],
    ) -> Result<Answer<Vec<SyncDecision>>, OperationError> {
        let plugins = self.pipeline.plugins.clone();
        let policies = job.spec.policies.sync.clone();
        let objects: Vec<SyncObject> = members.iter().map(|member| mask(member).into()).collect();
        let context = SyncContext {
            now: jiff::Timestamp::now(),
            application: Some(job.key.clone()),
            options: job.spec.sync_policy.sync_options.clone(),
        };
        let asked = tokio::task::spawn_blocking(move || plugins.sync(&policies, &objects, &context));
        Ok(asked.await.map_err(PipelineError::internal)?)
    }

    /// What objects own, what that owns, and so on.
    async fn owned(&self, members: &[Object]) -> Result<Owned, OperationError> {
        let kinds = self.pipeline.target.kinds().await?;
        let relatives = &self.pipeline.relatives;
        let uid = |object: &Object| object.metadata("uid").map(str::to_owned);
        let mut known: BTreeSet<String> = members.iter().filter_map(uid).collect();
        let mut owned = Owned::default();
        let mut owners: Vec<Object> = members.to_vec();
        for _ in 0..LEVELS {
            let needs: Vec<Need> = owners
                .iter()
                .flat_map(|owner| owned::needs(owner, &kinds))
                .collect();
            if needs.is_empty() {
                break;
            }
            relatives.learn(&needs, FIRST_LOOK).await;
            owners.clear();
            for need in needs {
                owned.needs.insert(need.clone());
                let Some(found) = relatives.find(&need) else {
                    owned
                        .unseen
                        .insert((need.namespace.unwrap_or_default(), need.kind));
                    continue;
                };
                let is_new = |object: &Object| uid(object).is_some_and(|uid| known.insert(uid));
                owners.extend(found.into_iter().filter(is_new));
            }
            owned.objects.extend(owners.iter().cloned());
        }
        Ok(owned)
    }

    /// Returns what the health policies say of each of these, and the plugins that did not answer. What is not in the cluster is missing.
    /// `is_traced` has [`Examined::read`] filled in.
    ///
    /// # Errors
    /// [`OperationError::Pipeline`] if no thread could answer.
    pub async fn examine(
        &self,
        policies: &Policies,
        parts: &[Part],
        is_traced: bool,
    ) -> Result<Answer<Vec<Examined>>, OperationError> {
        let live: Vec<&Object> = parts.iter().filter_map(|part| part.live.as_ref()).collect();
        let answer = self
            .pipeline
            .examine(policies, &live, jiff::Timestamp::now(), is_traced)
            .await?;
        let redactor = Redactor::of(live.into_iter().filter(|object| has_secrets(object)));
        let mut answers = answer.value.into_iter();
        let mut examined = |part: &Part| {
            let answer = part.live.as_ref().and_then(|_| answers.next());
            let mut examined = answer.unwrap_or_else(missing_now);
            redactor.redact(&mut examined.verdict.message);
            if let Some(rule) = &mut examined.rule {
                redactor.redact(rule);
            }
            examined
        };
        Ok(Answer {
            value: parts.iter().map(&mut examined).collect(),
            problems: answer.problems,
        })
    }

    /// Returns what a verdict on an object rests on: the object, and what its checks saw beside it.
    pub fn needs(part: &Part, examined: &Examined) -> impl Iterator<Item = Need> {
        let seen = examined.seen.iter().map(|seen| seen.need.clone());
        std::iter::once(by_name(&part.reference)).chain(seen)
    }

    /// Waits until something of `needs` may have changed. If they are others than before it is over at once: what they are about may have
    /// changed before it was watched.
    pub async fn changed(&mut self, needs: BTreeSet<Need>) {
        self.pipeline.relatives.learn(&needs, FIRST_LOOK).await;
        if self.attended != needs {
            self.pipeline.relatives.rest_on(WHOSE, needs.clone());
            self.attended = needs;
            return;
        }
        let _once_in_a_while = tokio::time::timeout(AGAIN, self.changed.notified()).await;
        tokio::time::sleep(TOGETHER).await;
    }
}

/// Where an application's objects are, if all are in namespaces: many users may look into their own alone.
fn bounds(job: &Job, kinds: &Kinds) -> Bounds {
    let is_namespaced = |kind: &GroupKind| kinds.preferred(kind).is_some_and(|kind| kind.namespaced);
    if !job.recorded.kinds.iter().all(is_namespaced) {
        return Bounds::default();
    }
    let own = [job.key.namespace.clone(), job.destination().to_owned()];
    Bounds::of(job.recorded.namespaces.iter().cloned().chain(own))
}

fn by_name(object: &ObjectRef) -> Need {
    Need {
        namespace: object.namespace.clone(),
        kind: object.group_kind(),
        selection: Selection::Named(object.name.clone()),
    }
}

/// The verdict on what is not in the cluster.
fn missing_now() -> Examined {
    Examined {
        verdict: HealthVerdict {
            status: HealthStatus::Missing,
            message: "it is not in the cluster".to_owned(),
            plugin: None,
        },
        seen: Vec::new(),
        rule: None,
        read: Vec::new(),
    }
}

/// The objects that an Application's status says are missing, and that are not there now.
fn missing(application: &Application, members: &[Object], kinds: &Kinds) -> Vec<Part> {
    let there: BTreeSet<ObjectKey> = members.iter().map(Object::key).collect();
    let missing = HealthStatus::Missing;
    let attention = application.status.iter().flat_map(|status| &status.attention);
    attention
        .filter(|entry| entry.state == format!("{missing:?}"))
        .map(|entry| named(entry, kinds))
        .filter(|reference| !there.contains(&reference.key()))
        .map(|reference| Part {
            reference,
            live: None,
            owner: None,
            counts: true,
        })
        .collect()
}

/// The object that an entry of a status is about, at the version that the server prefers.
fn named(entry: &ObjectState, kinds: &Kinds) -> ObjectRef {
    let (kind, group) = entry.kind.split_once('.').unwrap_or((&entry.kind, ""));
    let served = kinds.preferred(&GroupKind::new(group, kind));
    ObjectRef {
        group: group.to_owned(),
        version: served.map(|kind| kind.version.clone()).unwrap_or_default(),
        kind: kind.to_owned(),
        namespace: entry.namespace.clone(),
        name: entry.name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::guestbook;
    use serde_json::json;

    #[test]
    fn what_is_missing_is_known_from_the_status_until_it_is_there() {
        let mut application = guestbook();
        let entry = |kind: &str, name: &str, state: &str| ObjectState {
            kind: kind.to_owned(),
            namespace: Some("shop".to_owned()),
            name: name.to_owned(),
            state: state.to_owned(),
            message: String::new(),
        };
        application.status.as_mut().unwrap().attention = vec![
            entry("Deployment.apps", "web", "Missing"),
            entry("Service", "web", "Missing"),
            entry("Deployment.apps", "api", "Degraded"),
        ];
        let there =
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "shop"}});
        let there = Object::new(there).unwrap();
        let found = missing(&application, &[there], &Kinds::default());
        let found: Vec<String> = found.iter().map(|part| part.reference.to_string()).collect();
        assert_eq!(found, ["Deployment.apps shop/web"]);
    }

    #[test]
    fn hooks_and_what_a_policy_leaves_out_do_not_count() {
        let of = |change: fn(&mut SyncDecision)| {
            let mut decision = SyncDecision::default();
            change(&mut decision);
            decision.counts()
        };
        assert!(of(|_| ()));
        assert!(!of(|decision| decision.hook = true));
        assert!(!of(|decision| decision.skip = true));
        assert!(!of(|decision| decision.ignored = true));
        assert!(!of(|decision| decision.options.ignore_health = true));
    }
}
