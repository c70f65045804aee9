//! A namespace of one test, and plans for it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sluice_apply::{Finished, NotHealthy, Options, Request, apply};
use sluice_cluster::{Cluster, ConnectOptions, Target};
use sluice_model::ObjectRef;
use sluice_model::decision::{ApplyOptions, Phase, Propagation, Strategy};
use sluice_model::object::{Object, ObjectKey};
use sluice_model::outcome::StepResult;
use sluice_model::plan::{Action, ApplicationKey, PLAN_VERSION, Plan, Precondition, Step};
use sluice_sandbox::ControlPlane;

/// A namespace of one test.
pub(crate) struct World {
    pub(crate) cluster: Target,
    pub(crate) namespace: String,
}

impl World {
    pub(crate) async fn new(namespace: &str) -> Self {
        let plane = tokio::task::spawn_blocking(ControlPlane::shared).await.unwrap();
        let options = ConnectOptions {
            kubeconfig: Some(plane.kubeconfig().to_owned()),
            context: None,
        };
        let cluster = Target::new(Cluster::connect(&options).await.unwrap());
        let world = Self {
            cluster,
            namespace: namespace.to_owned(),
        };
        let created = world
            .apply(&[step(
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}),
            )])
            .await;
        assert!(created.failure.is_none(), "{created:?}");
        world
    }

    pub(crate) fn config_map(&self, name: &str, value: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": self.namespace}, "data": {"value": value}})
    }

    pub(crate) fn job(&self, name: &str, command: &str) -> Value {
        let container = json!({"name": "c", "image": "i", "command": [command]});
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "namespace": self.namespace},
            "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [container]}}}})
    }

    pub(crate) async fn apply(&self, steps: &[Step]) -> Finished {
        self.run(&plan(steps), None, Options::default(), |_| Ok(())).await
    }

    pub(crate) async fn run(
        &self,
        plan: &Plan,
        approval: Option<&str>,
        options: Options,
        wait: impl Fn(&[ObjectRef]) -> Result<(), NotHealthy> + Send + Sync + 'static,
    ) -> Finished {
        let manifests: BTreeMap<ObjectKey, Object> = BTreeMap::new();
        let request = Request {
            plan,
            manifests: &manifests,
            approval,
            parent: None,
            options,
        };
        let waiter = move |objects: Vec<ObjectRef>, _| -> futures::future::BoxFuture<'static, _> {
            Box::pin(std::future::ready(wait(&objects)))
        };
        apply(&self.cluster, request, &waiter, &mut |_| {}).await
    }

    pub(crate) async fn get(&self, manifest: &Value) -> Option<Object> {
        let reference = Object::new(manifest.clone()).unwrap().reference();
        let kind = self.cluster.kind_of(&reference).await.unwrap();
        self.cluster.get(&kind, &reference).await.unwrap()
    }

    /// Waits for the garbage collector: the end of a foreground deletion is its work.
    pub(crate) async fn until_gone(&self, manifest: &Value) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.get(manifest).await.is_some() {
            assert!(Instant::now() < deadline, "still there: {manifest}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What somebody else does, with a field manager of their own.
    pub(crate) async fn somebody_patches(&self, manifest: &Value, patch: &Value) {
        let reference = Object::new(manifest.clone()).unwrap().reference();
        let kind = self.cluster.kind_of(&reference).await.unwrap();
        self.cluster
            .merge_patch(&kind, &reference, None, "somebody", patch)
            .await
            .unwrap();
    }
}

pub(crate) fn plan(steps: &[Step]) -> Plan {
    Plan {
        version: PLAN_VERSION.to_owned(),
        application: ApplicationKey {
            namespace: "n".to_owned(),
            name: "a".to_owned(),
        },
        revision: "r".to_owned(),
        destination_namespace: "n".to_owned(),
        policies: Vec::new(),
        steps: steps.to_vec(),
        held: Vec::new(),
        kept: Vec::new(),
        blocked: Vec::new(),
        unchanged: 0,
    }
}

pub(crate) fn step(manifest: Value) -> Step {
    Step {
        phase: Phase::Sync,
        wave: 0,
        object: Object::new(manifest.clone()).unwrap().reference(),
        action: Action::Apply {
            manifest: manifest.into(),
            strategy: Strategy::ServerSideApply,
            force: false,
            validate: true,
            delete_first: false,
            take_over: Vec::new(),
            record: Default::default(),
            cleanup: Vec::new(),
            options: ApplyOptions::default(),
        },
        origin: None,
        changes: Vec::new(),
        precondition: None,
        rests_on: Vec::new(),
    }
}

pub(crate) fn with(
    manifest: Value,
    live: Option<&Object>,
    change: impl FnOnce(&mut Strategy, &mut bool, &mut bool),
) -> Step {
    let mut step = step(manifest);
    if let Action::Apply {
        strategy,
        force,
        delete_first,
        ..
    } = &mut step.action
    {
        change(strategy, force, delete_first);
    }
    step.precondition = live.map(precondition);
    step
}

pub(crate) fn deletion(live: &Object) -> Step {
    Step {
        action: Action::Delete {
            propagation: Propagation::Foreground,
            begun: false,
        },
        precondition: Some(precondition(live)),
        object: live.reference(),
        ..step(live.value().clone())
    }
}

pub(crate) fn precondition(live: &Object) -> Precondition {
    Precondition {
        uid: live.metadata("uid").unwrap().to_owned(),
        resource_version: live.metadata("resourceVersion").map(str::to_owned),
    }
}

pub(crate) fn results(finished: &Finished) -> Vec<StepResult> {
    finished.outcomes.iter().map(|outcome| outcome.result).collect()
}

/// Controllers go on writing its status; only which one it is matters.
pub(crate) fn pinned_to_uid(live: &Object) -> Object {
    live.edit(|map| {
        map["metadata"].as_object_mut().unwrap().remove("resourceVersion");
    })
}
