//! Runs a history and writes down what was planned.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use sluice_decide::{Claimed, Decided, Intent, Live};
use sluice_model::application::FIELD_MANAGER;
use sluice_model::applyset;
use sluice_model::census::{Census, Tally};
use sluice_model::decision::{Occasion, Phase, Strategy};
use sluice_model::manifest::Manifest;
use sluice_model::object::{Object, ObjectKey};
use sluice_model::plan::{Action, ApplicationKey, Plan, Step as PlanStep};
use sluice_model::secret;
use sluice_model::selection::Selector;
use sluice_model::tree::{Revision, Tree};
use sluice_model::trust::{Evidence, Verified};
use sluice_pipeline::{Defaults, Job};
use sluice_plan::{DestinationNamespace, Hooks, lint, plan};
use sluice_render::{NoTools, Scope, render, settle};

use crate::policies::{Asked, Policies};
use crate::server::Server;
use crate::shown::{indented, noted, shown};
use crate::trial;

/// One story.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct History {
    /// What it shows.
    pub about: String,
    /// What happens, in order.
    #[serde(with = "serde_yaml::with::singleton_map_recursive")]
    pub steps: Vec<Step>,
}

/// Something that happens.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Step {
    /// Files are added, changed, or (null) removed in Git, and the application is synced.
    Commit(Commit),
    /// The application is synced again at the same revision.
    Sync(Settings),
    /// A plan is made and nothing done.
    Plan(Settings),
    /// Somebody changes an object in the cluster.
    Edit(Edit),
    /// Somebody creates an object in the cluster.
    Create {
        /// By this name.
        by: String,
        /// As JSON or YAML.
        manifest: Value,
    },
    /// Somebody applies an object in the cluster, taking its fields from whoever has them.
    Claim {
        /// By this name.
        by: String,
        /// As JSON or YAML.
        manifest: Value,
    },
    /// Somebody deletes an object in the cluster: `ConfigMap shop/a`.
    Delete(String),
    /// The Application is deleted.
    DeleteApplication(Settings),
}

/// A commit and the sync that follows.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Commit {
    /// Its message.
    pub message: String,
    /// Content by path.
    pub files: BTreeMap<String, Option<String>>,
    /// How it is synced.
    #[serde(default)]
    pub with: Settings,
}

/// How a sync is done.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Settings {
    /// Nothing is deleted.
    pub no_prune: bool,
    /// A revision without manifests is desired state.
    pub allow_empty: bool,
    /// Hooks run in any case.
    pub hooks_always: bool,
    /// Hooks do not run.
    pub hooks_never: bool,
    /// The destination namespace is made.
    pub create_namespace: bool,
    /// The plan that was shown last is approved.
    pub approve: bool,
    /// Selectors of the objects that it is about.
    pub only: Vec<Selector>,
    /// What another application wants: `ConfigMap shop/a`.
    pub claimed: Vec<String>,
    /// What the application that owns it no longer wants.
    pub released: Vec<String>,
    /// Which policies answer.
    pub policies: Policies,
    /// The Application's `spec.ignoreDifferences`.
    pub ignore_differences: Vec<Value>,
    /// The Application's `spec.syncPolicy.syncOptions`.
    pub sync_options: Vec<String>,
}

/// A change to a live object.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Edit {
    /// `Deployment.apps shop/web`.
    pub object: String,
    /// The field manager.
    pub by: String,
    /// The subresource that it writes through.
    #[serde(default)]
    pub subresource: Option<String>,
    /// Values by pointer; null removes.
    pub set: BTreeMap<String, Value>,
}

/// The application of every history: `shop/shop`, into the namespace `shop`.
pub fn application() -> ApplicationKey {
    ApplicationKey {
        namespace: "shop".to_owned(),
        name: "shop".to_owned(),
    }
}

/// A running history.
#[derive(Debug, Default)]
pub struct World {
    /// The cluster.
    pub server: Server,
    files: BTreeMap<String, Arc<[u8]>>,
    revision: u32,
    shown: Option<String>,
    /// The revision that the cluster was last moved to.
    synced: Option<String>,
    /// What the status remembers of Jobs that completed.
    completed: Vec<String>,
    /// What the status remembers of what was owned when deletions began to wait.
    owned_before: Vec<Tally>,
}

/// Runs a history and returns what happened as text.
pub fn run(history: &History) -> String {
    let mut world = World::default();
    let mut text = format!("{}\n", history.about);
    for step in &history.steps {
        text.push('\n');
        text.push_str(&world.step(step));
    }
    text
}

impl World {
    fn step(&mut self, step: &Step) -> String {
        match step {
            Step::Commit(Commit { message, files, with }) => {
                self.commit(files);
                format!("## commit: {message}\n{}", self.sync(Occasion::Sync, with, true))
            }
            Step::Sync(settings) => format!(
                "## sync{}\n{}",
                noted(settings),
                self.sync(Occasion::Sync, settings, true)
            ),
            Step::Plan(settings) => format!(
                "## plan{}\n{}",
                noted(settings),
                self.sync(Occasion::Sync, settings, false)
            ),
            Step::DeleteApplication(settings) => {
                format!(
                    "## the application is deleted{}\n{}",
                    noted(settings),
                    self.sync(Occasion::ApplicationDeleted, settings, true)
                )
            }
            Step::Edit(edit) => {
                let live = self.named(&edit.object);
                let mut value = live.into_value();
                edit.set
                    .iter()
                    .for_each(|(pointer, new)| set(&mut value, pointer, new));
                let object = Object::new(value).expect("still an object");
                self.server
                    .write_through(&object, &edit.by, edit.subresource.as_deref());
                let fields: Vec<&str> = edit.set.keys().map(String::as_str).collect();
                format!("## {} edits {}: {}\n", edit.by, edit.object, fields.join(", "))
            }
            Step::Create { by, manifest } => {
                let object = Object::new(manifest.clone()).expect("an object");
                // What carries our name was applied by another application of ours.
                match by == FIELD_MANAGER {
                    true => self.server.apply(&object, by, true).expect("it is forced"),
                    false => self.server.write(&object, by),
                }
                format!("## {by} creates {}\n", object.reference())
            }
            Step::Claim { by, manifest } => {
                let object = Object::new(manifest.clone()).expect("an object");
                self.server.apply(&object, by, true).expect("it is forced");
                format!("## {by} claims {}\n", object.reference())
            }
            Step::Delete(name) => {
                let key = self.named(name).key();
                self.server.delete(&key, None);
                format!("## somebody deletes {name}\n")
            }
        }
    }

    /// Changes files in Git; a new revision.
    pub fn commit(&mut self, files: &BTreeMap<String, Option<String>>) {
        for (path, content) in files {
            match content {
                Some(content) => drop(self.files.insert(path.clone(), content.as_bytes().into())),
                None => drop(self.files.remove(path)),
            }
        }
        self.revision += 1;
    }

    fn named(&self, name: &str) -> Object {
        self.server
            .objects()
            .find(|object| object.reference().to_string() == name)
            .unwrap_or_else(|| panic!("no {name}"))
    }

    fn revision(&self) -> String {
        format!("{:x}", self.revision % 16).repeat(40)
    }

    /// Writes down what a status keeps for the next decision.
    pub fn note(&mut self, decided: &Decided) {
        self.completed = sluice_decide::marks(&decided.objects);
        let owned_before = decided.owned_before.as_ref();
        self.owned_before = owned_before.map(Census::to_record).unwrap_or_default();
    }

    fn sync(&mut self, occasion: Occasion, settings: &Settings, execute: bool) -> String {
        let decided = match self.decide(occasion, settings) {
            Ok(decided) => decided,
            Err(errors) => return format!("refused:\n{}\n", indented(&errors)),
        };
        check(&decided);
        self.note(&decided);
        let made = &decided.plan;
        let mut text = shown(made);
        if !execute {
            self.shown = Some(made.digest());
            return text;
        }
        if !made.blocked.is_empty() {
            return text + "nothing is done\n";
        }
        let approved = settings.approve && self.shown.as_ref() == Some(&made.digest());
        if settings.approve {
            text.push_str(if approved {
                "approved\n"
            } else {
                "approved was another plan\n"
            });
        }
        let failures = self.execute(made, &decided.manifests(), approved);
        for failure in &failures {
            let _infallible = writeln!(text, "failed: {failure}");
        }
        if failures.is_empty() && occasion == Occasion::Sync && settings.only.is_empty() {
            self.synced = Some(made.revision.clone());
        }
        let again = self.decide(occasion, settings).expect("it rendered before").plan;
        self.shown = Some(again.digest());
        if failures.is_empty() && !settings.hooks_always {
            assert!(
                again.steps.is_empty() || occasion == Occasion::ApplicationDeleted,
                "the second sync does something:\n{text}\n{}",
                shown(&again)
            );
        }
        text
    }

    /// What is decided, as the controller decides it.
    ///
    /// # Errors
    /// What render refuses, as text.
    pub fn decide(&self, occasion: Occasion, settings: &Settings) -> Result<Decided, String> {
        let job = self.job(settings);
        let (subject, mut policies) = (job.subject(), Asked::of(&job, settings.policies));
        let written = self.manifests(&job)?;
        let hooks = match (settings.hooks_always, settings.hooks_never) {
            (true, _) => Hooks::Always,
            (_, true) => Hooks::Never,
            (false, false) => Hooks::WithChanges,
        };
        let (intent, manifests) = match occasion {
            Occasion::Sync => {
                let whole = Intent {
                    prune: !settings.no_prune,
                    hooks,
                    selection: settings.only.clone(),
                    ..Intent::whole(&self.revision())
                };
                (whole, written)
            }
            // What Git has beside the hooks for that goes too, and only protects.
            Occasion::ApplicationDeleted => {
                let farewell = Intent::farewell(&written);
                let judged =
                    sluice_decide::compare(&subject, &Live::default(), written.clone(), &mut policies);
                let ends = |phase: &Phase| matches!(phase, Phase::PreDelete | Phase::PostDelete);
                let hooks = written
                    .into_iter()
                    .zip(judged)
                    .filter(|(_, object)| object.decision.hook && object.decision.phases.iter().any(ends));
                (farewell, hooks.map(|(manifest, _)| manifest).collect())
            }
        };
        let live = self.live(&job, settings, &manifests);
        let mut objects = sluice_decide::compare(&subject, &live, manifests, &mut policies);
        let synced = job.synced.as_ref() == Some(&intent.revision);
        trial::settle(&self.server, &job.applyset(), synced, &mut objects);
        let namespace = self.namespace(&job);
        Ok(sluice_decide::decide(
            &subject,
            &intent,
            &live,
            objects,
            namespace,
            &mut policies,
        ))
    }

    /// The application, as its resource says it.
    fn job(&self, settings: &Settings) -> Job {
        let key = application();
        let mut options = settings.sync_options.clone();
        if settings.create_namespace {
            options.push("CreateNamespace=true".to_owned());
        }
        let named =
            |names: &[&str]| -> Vec<Value> { names.iter().map(|name| json!({"plugin": name})).collect() };
        let (sync, prune) = match settings.policies {
            Policies::Standard | Policies::Careless => (named(&[]), named(&[])),
            Policies::Unlimited => (
                named(&[]),
                named(&["prune-standard", "prune-argocd", "prune-flux"]),
            ),
            Policies::Failing => (named(&["no-such-plugin"]), named(&["no-such-plugin"])),
        };
        let application = json!({
            "apiVersion": "sluice.dev/v1alpha1",
            "kind": "Application",
            "metadata": {"name": key.name, "namespace": key.namespace},
            "spec": {
                "source": {"repoURL": "file:///shop", "targetRevision": "main", "directory": {"recurse": true}},
                "destination": {"namespace": "shop"},
                "syncPolicy": {"automated": {"allowEmpty": settings.allow_empty}, "syncOptions": options},
                "policies": {"sync": sync, "prune": prune},
                "ignoreDifferences": settings.ignore_differences,
            },
            "status": {
                "sync": {"revision": self.synced.as_deref().unwrap_or_default()},
                "completed": self.completed,
                "ownedBefore": self.owned_before,
            },
        });
        let application = serde_json::from_value(application).expect("an Application");
        Job::resolve(&application, &Defaults::default()).expect("its spec has no mistakes")
    }

    /// What the cluster has of it, and what other applications want of that.
    fn live(&self, job: &Job, settings: &Settings, manifests: &[Manifest]) -> Live {
        let set = job.applyset();
        let (members, others): (Vec<Object>, Vec<Object>) = self
            .server
            .objects()
            .partition(|live| applyset::owner(live) == Some(set.as_str()));
        let wanted: BTreeSet<ObjectKey> = manifests.iter().map(|manifest| manifest.object.key()).collect();
        let others = others.into_iter().map(|live| (live.key(), live));
        let mut live = Live::of_members(members, manifests);
        live.others = others.filter(|(key, _)| wanted.contains(key)).collect();
        live.without_aliases(manifests);
        let named = |names: &[String]| -> Vec<ObjectKey> {
            let all = live.members.values().chain(live.others.values());
            all.filter(|object| names.contains(&object.reference().to_string()))
                .map(Object::key)
                .collect()
        };
        let other = ApplicationKey {
            name: "other".to_owned(),
            ..application()
        };
        live.claims = Claimed {
            members: named(&settings.claimed)
                .into_iter()
                .map(|key| (key, sluice_decide::wanted_by(&other)))
                .collect(),
            released: named(&settings.released).into_iter().collect(),
            unsettled: None,
        };
        live
    }

    /// The destination namespace, where it is missing and the application sees to it.
    fn namespace(&self, job: &Job) -> Option<DestinationNamespace> {
        let metadata = job.spec.sync_policy.managed_namespace_metadata.as_ref();
        let desired =
            sluice_decide::namespace_manifest(job.destination(), metadata).expect("a Namespace is an object");
        let live = self.server.get(&desired.key());
        (job.creates_namespace && live.is_none())
            .then(|| sluice_decide::destination_namespace(desired, live, metadata))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a history stands in for the verify stage"
    )]
    fn manifests(&self, job: &Job) -> Result<Vec<Manifest>, String> {
        let revision = Revision {
            requested: "main".to_owned(),
            commit: self.revision(),
            tree: self.revision(),
            tag: None,
        };
        let tree = Tree {
            revision,
            path: String::new(),
            files: self.files.clone(),
            skipped: Vec::new(),
            submodules: Vec::new(),
            links: BTreeMap::new(),
        };
        let tree = Verified::attest(tree, Evidence::NotRequired);
        let rendered =
            render(&tree, &job.sources[0].spec, &mut NoTools).map_err(|errors| errors.to_string())?;
        settle(
            rendered.manifests,
            &|object: &Object| self.scope(object.group(), object.version(), object.kind()),
            job.destination(),
        )
        .map_err(|errors| errors.to_string())
    }

    /// Kubernetes' own kinds, and those of the CRDs in the cluster.
    fn scope(&self, group: &str, version: &str, kind: &str) -> Option<Scope> {
        let own =
            matches!(group, "" | "apps" | "batch" | "policy" | "autoscaling") || group.ends_with(".k8s.io");
        let cluster = [
            "Namespace",
            "CustomResourceDefinition",
            "ClusterRole",
            "ClusterRoleBinding",
            "PersistentVolume",
        ];
        if own {
            return Some(if cluster.contains(&kind) {
                Scope::Cluster
            } else {
                Scope::Namespaced
            });
        }
        let defined = self
            .server
            .objects()
            .filter(|object| object.kind() == "CustomResourceDefinition")
            .any(|crd| {
                let spec = &crd.value()["spec"];
                spec["group"] == group
                    && spec["names"]["kind"] == kind
                    && spec["versions"][0]["name"] == version
            });
        defined.then_some(Scope::Namespaced)
    }

    /// Does what a plan says, and what it holds where that was approved. Returns what failed.
    pub fn execute(
        &mut self,
        plan: &Plan,
        manifests: &BTreeMap<ObjectKey, Object>,
        approved: bool,
    ) -> Vec<String> {
        let mut failures = Vec::new();
        let held = plan.held.iter().map(|held| &held.step).filter(|_| approved);
        for step in plan
            .steps
            .iter()
            .filter(|step| step.phase != sluice_model::decision::Phase::SyncFail)
            .chain(held)
        {
            if let Err(reason) = self.execute_step(step, manifests) {
                failures.push(format!("{}: {reason}", step.object));
            }
        }
        failures
    }

    fn execute_step(
        &mut self,
        step: &PlanStep,
        manifests: &BTreeMap<ObjectKey, Object>,
    ) -> Result<(), String> {
        let key = step.object.key();
        match &step.action {
            Action::Delete { .. } => {
                let uid = step.precondition.as_ref().map(|live| live.uid.as_str());
                self.server
                    .delete(&key, uid)
                    .then_some(())
                    .ok_or_else(|| "another object by now".to_owned())
            }
            Action::Apply {
                manifest,
                strategy,
                force,
                delete_first,
                take_over,
                ..
            } => {
                self.server.take_over(&key, take_over);
                let mut manifest =
                    Object::shared(Arc::clone(manifest)).map_err(|reason| reason.to_string())?;
                // A Secret's values are not in the plan.
                if let Some(real) = manifests.get(&key).filter(|real| secret::has_secrets(real)) {
                    manifest = secret::restore(&manifest, real)
                        .ok_or("the plan hides more than the manifest has")?;
                }
                if *delete_first {
                    self.server.delete(&key, None);
                }
                match strategy {
                    Strategy::Replace => self.server.write(&manifest, FIELD_MANAGER),
                    Strategy::ServerSideApply
                    | Strategy::Recreate
                    | Strategy::RecreateAlways
                    | Strategy::Merge
                    | Strategy::CreateOnly
                    | Strategy::LeaveAlone => {
                        self.server
                            .apply(&manifest, FIELD_MANAGER, *force)
                            .map_err(|refused| refused.to_string())?;
                    }
                }
                Ok(())
            }
        }
    }
}

/// Every plan of every history is sound, and the same for its input in another order.
fn check(decided: &Decided) {
    let (made, input) = (&decided.plan, decided.input());
    let wrong = lint::check_against(made, &input);
    assert!(wrong.is_empty(), "{wrong:#?}\n{}", shown(made));
    let mut turned = input;
    turned.desired.reverse();
    turned.candidates.reverse();
    turned.policies.reverse();
    assert_eq!(
        plan(turned).to_json(),
        made.to_json(),
        "the order of the input shows"
    );
    let read: Plan = serde_json::from_str(&made.to_json()).expect("a plan can be read back");
    assert_eq!(read.digest(), made.digest());
}

fn set(value: &mut Value, pointer: &str, new: &Value) {
    let (parent, last) = pointer.rsplit_once('/').expect("a pointer");
    let last = last.replace("~1", "/").replace("~0", "~");
    if !parent.is_empty() && value.pointer(parent).is_none() {
        set(value, parent, &serde_json::json!({}));
    }
    match value.pointer_mut(parent).expect("its parent") {
        Value::Array(entries) if last == "-" => entries.push(new.clone()),
        Value::Array(entries) => {
            let index: usize = last.parse().expect("an index");
            if new.is_null() {
                drop(entries.remove(index))
            } else {
                entries[index] = new.clone()
            }
        }
        Value::Object(map) if new.is_null() => drop(map.remove(&last)),
        Value::Object(map) => drop(map.insert(last, new.clone())),
        other => panic!("{other} has no parts"),
    }
}

/// The keys of everything that the application owns.
pub fn owned(server: &Server) -> BTreeSet<String> {
    let set = applyset::id(&application().namespace, &application().name);
    let ours = server
        .objects()
        .filter(|object| applyset::owner(object) == Some(set.as_str()));
    ours.map(|object| object.reference().to_string()).collect()
}
