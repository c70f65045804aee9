//! Plans executed against a real API server: what it refuses, what is written, and in which order.
#![expect(
    clippy::unwrap_used,
    reason = "what a test builds upon either works or ends it"
)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use sluice_apply::{ApplyError, Event, Finished, NotHealthy, Options, Rehearse, Request, apply};
use sluice_cluster::{Cluster, ConnectOptions};
use sluice_model::decision::{ApplyOptions, HookCleanup, Phase, Propagation, Strategy};
use sluice_model::health::{HealthStatus, HealthVerdict};
use sluice_model::object::{Object, ObjectKey};
use sluice_model::outcome::StepResult;
use sluice_model::plan::{Action, ApplicationKey, HeldDeletion, PLAN_VERSION, Plan, Precondition, Step};
use sluice_model::{Coded as _, ObjectRef};
use sluice_sandbox::ControlPlane;

/// A namespace of one test.
struct World {
    cluster: Cluster,
    namespace: String,
}

impl World {
    async fn new(namespace: &str) -> Self {
        let plane = tokio::task::spawn_blocking(ControlPlane::shared).await.unwrap();
        let options = ConnectOptions {
            kubeconfig: Some(plane.kubeconfig().to_owned()),
            context: None,
        };
        let cluster = Cluster::connect(&options).await.unwrap();
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

    fn config_map(&self, name: &str, value: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": self.namespace}, "data": {"value": value}})
    }

    fn job(&self, name: &str, command: &str) -> Value {
        let container = json!({"name": "c", "image": "i", "command": [command]});
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "namespace": self.namespace},
            "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [container]}}}})
    }

    async fn apply(&self, steps: &[Step]) -> Finished {
        self.run(&plan(steps), None, Options::default(), |_| Ok(())).await
    }

    async fn run(
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

    async fn get(&self, manifest: &Value) -> Option<Object> {
        let reference = Object::new(manifest.clone()).unwrap().reference();
        let kind = self.cluster.kind_of(&reference).await.unwrap();
        self.cluster.get(&kind, &reference).await.unwrap()
    }

    /// What somebody else does, with a field manager of their own.
    async fn somebody_patches(&self, manifest: &Value, patch: &Value) {
        let reference = Object::new(manifest.clone()).unwrap().reference();
        let kind = self.cluster.kind_of(&reference).await.unwrap();
        self.cluster
            .merge_patch(&kind, &reference, None, "somebody", patch)
            .await
            .unwrap();
    }
}

fn plan(steps: &[Step]) -> Plan {
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

fn step(manifest: Value) -> Step {
    Step {
        phase: Phase::Sync,
        wave: 0,
        object: Object::new(manifest.clone()).unwrap().reference(),
        action: Action::Apply {
            manifest,
            strategy: Strategy::ServerSideApply,
            force: false,
            validate: true,
            delete_first: false,
            take_over: Vec::new(),
            cleanup: Vec::new(),
            options: ApplyOptions::default(),
        },
        origin: None,
        changes: Vec::new(),
        precondition: None,
    }
}

fn with(
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

fn deletion(live: &Object) -> Step {
    Step {
        action: Action::Delete {
            propagation: Propagation::Foreground,
        },
        precondition: Some(precondition(live)),
        object: live.reference(),
        ..step(live.value().clone())
    }
}

fn precondition(live: &Object) -> Precondition {
    Precondition {
        uid: live.metadata("uid").unwrap().to_owned(),
        resource_version: live.metadata("resourceVersion").map(str::to_owned),
    }
}

fn results(finished: &Finished) -> Vec<StepResult> {
    finished.outcomes.iter().map(|outcome| outcome.result).collect()
}

#[tokio::test]
async fn all_refusals_are_known_before_anything_is_written() {
    let world = World::new("apply-refusals").await;
    let good = world.config_map("good", "1");
    let unknown_field = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "bad", "namespace": world.namespace}, "dataa": {}});
    let bad_port = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "bad", "namespace": world.namespace},
        "spec": {"ports": [{"port": 123_456}]}});
    let nowhere = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "lost", "namespace": "no-such-namespace"}});
    let steps = [
        step(good.clone()),
        step(unknown_field),
        step(bad_port),
        step(nowhere),
    ];
    let finished = world.apply(&steps).await;
    let Some(ApplyError::Refused { refusals }) = &finished.failure else {
        panic!("{finished:?}")
    };
    let codes: Vec<_> = refusals.iter().map(|refusal| refusal.code.id).collect();
    assert_eq!(codes, ["K17", "K17", "K18"], "{refusals:?}");
    assert!(refusals[0].message.contains("dataa"), "{refusals:?}");
    assert_eq!(results(&finished), [StepResult::NotTried; 4]);
    assert_eq!(world.get(&good).await, None);
}

#[tokio::test]
async fn unknown_fields_pass_where_validation_is_off() {
    let world = World::new("apply-validate").await;
    let mut odd = step(
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "odd", "namespace": world.namespace}, "dataa": {}}),
    );
    if let Action::Apply { validate, .. } = &mut odd.action {
        *validate = false;
    }
    let finished = world.apply(&[odd]).await;
    assert!(finished.failure.is_none(), "{finished:?}");
}

#[tokio::test]
async fn a_plan_may_bring_the_namespace_and_the_kind_that_it_needs() {
    let world = World::new("apply-brings").await;
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "apply-brought"}});
    let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    let crd = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.apply.example.com"},
        "spec": {"group": "apply.example.com", "scope": "Namespaced", "names": {"kind": "Widget", "plural": "widgets"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": schema}]}});
    let widget = json!({"apiVersion": "apply.example.com/v1", "kind": "Widget", "metadata": {"name": "w", "namespace": "apply-brought"}});
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m", "namespace": "apply-brought"}});
    let finished = world
        .apply(&[step(namespace), step(crd), step(map), step(widget.clone())])
        .await;
    assert!(finished.failure.is_none(), "{finished:?}");
    assert_eq!(results(&finished), [StepResult::Created; 4]);
    assert!(world.get(&widget).await.is_some());
}

#[tokio::test]
async fn what_is_there_already_is_unchanged() {
    let world = World::new("apply-unchanged").await;
    let map = world.config_map("a", "1");
    assert_eq!(
        results(&world.apply(&[step(map.clone())]).await),
        [StepResult::Created]
    );
    let live = world.get(&map).await.unwrap();
    let again = with(map.clone(), Some(&live), |_, _, _| {});
    assert_eq!(results(&world.apply(&[again]).await), [StepResult::Unchanged]);
    let changed = with(world.config_map("a", "2"), Some(&live), |_, _, _| {});
    assert_eq!(results(&world.apply(&[changed]).await), [StepResult::Configured]);
}

#[tokio::test]
async fn the_cluster_moved_on() {
    let world = World::new("apply-moved-on").await;
    let (map, other) = (world.config_map("a", "1"), world.config_map("other", "1"));
    // It exists by now.
    world.apply(&[step(map.clone())]).await;
    let finished = world
        .apply(&[step(other.clone()), step(world.config_map("a", "2"))])
        .await;
    assert_eq!(
        finished.failure.as_ref().map(|error| error.code().id),
        Some("A03"),
        "{finished:?}"
    );
    // It changed.
    let live = world.get(&map).await.unwrap();
    world
        .somebody_patches(&map, &json!({"data": {"more": "x"}}))
        .await;
    for stale in [
        with(world.config_map("a", "2"), Some(&live), |_, _, _| {}),
        deletion(&live),
    ] {
        let finished = world.apply(&[step(other.clone()), stale]).await;
        let Some(ApplyError::MovedOn { objects }) = &finished.failure else {
            panic!("{finished:?}")
        };
        assert!(objects[0].contains("apply-moved-on/a"), "{objects:?}");
    }
    // It is another one.
    let live = world.get(&map).await.unwrap();
    assert_eq!(
        results(&world.apply(&[deletion(&live)]).await),
        [StepResult::Deleted]
    );
    world.apply(&[step(map.clone())]).await;
    let finished = world.apply(&[step(other.clone()), deletion(&live)]).await;
    assert!(
        matches!(finished.failure, Some(ApplyError::MovedOn { .. })),
        "{finished:?}"
    );
    assert_eq!(
        world.get(&other).await,
        None,
        "nothing of a plan that is too old is done"
    );
}

#[tokio::test]
async fn fields_of_others_are_forced_merged_or_refused() {
    let world = World::new("apply-conflict").await;
    let map = world.config_map("a", "1");
    world.apply(&[step(map.clone())]).await;
    world
        .somebody_patches(&map, &json!({"data": {"value": "theirs"}}))
        .await;
    let live = world.get(&map).await.unwrap();
    let mut wanted = world.config_map("a", "ours");
    wanted["data"]["more.of.it"] = "x".into();

    let finished = world
        .apply(&[with(wanted.clone(), Some(&live), |_, _, _| {})])
        .await;
    let Some(ApplyError::Refused { refusals }) = &finished.failure else {
        panic!("{finished:?}")
    };
    assert_eq!(refusals[0].code.id, "K15");
    assert!(
        refusals[0]
            .message
            .contains("`.data.value` is owned by `somebody`"),
        "{refusals:?}"
    );

    let merged = world
        .apply(&[with(wanted.clone(), Some(&live), |strategy, _, _| {
            *strategy = Strategy::Merge
        })])
        .await;
    assert!(merged.failure.is_none(), "{merged:?}");
    let live = world.get(&map).await.unwrap();
    assert_eq!(
        live.value()["data"],
        json!({"value": "theirs", "more.of.it": "x"})
    );

    let forced = world
        .apply(&[with(wanted, Some(&live), |_, force, _| *force = true)])
        .await;
    assert!(forced.failure.is_none(), "{forced:?}");
    assert_eq!(world.get(&map).await.unwrap().value()["data"]["value"], "ours");
}

#[tokio::test]
async fn strategies() {
    let world = World::new("apply-strategies").await;
    let map = world.config_map("a", "1");
    world.apply(&[step(map.clone())]).await;
    world
        .somebody_patches(&map, &json!({"data": {"theirs": "x"}}))
        .await;

    let live = world.get(&map).await.unwrap();
    for idle in [Strategy::CreateOnly, Strategy::LeaveAlone] {
        let finished = world
            .apply(&[with(world.config_map("a", "2"), Some(&live), |strategy, _, _| {
                *strategy = idle
            })])
            .await;
        assert_eq!(results(&finished), [StepResult::Unchanged], "{idle:?}");
    }
    assert_eq!(world.get(&map).await.unwrap(), live);
    let created = world
        .apply(&[with(world.config_map("b", "1"), None, |strategy, _, _| {
            *strategy = Strategy::CreateOnly
        })])
        .await;
    assert_eq!(results(&created), [StepResult::Created]);

    let replaced = world
        .apply(&[with(world.config_map("a", "3"), Some(&live), |strategy, _, _| {
            *strategy = Strategy::Replace
        })])
        .await;
    assert_eq!(results(&replaced), [StepResult::Configured], "{replaced:?}");
    assert_eq!(
        world.get(&map).await.unwrap().value()["data"],
        json!({"value": "3"})
    );

    // A Job's template cannot be changed.
    let job = world.job("j", "one");
    world.apply(&[step(job.clone())]).await;
    let first = world.get(&job).await.unwrap();
    let refused = world
        .apply(&[with(
            world.job("j", "two"),
            Some(&pinned_to_uid(&first)),
            |_, _, _| {},
        )])
        .await;
    assert!(
        matches!(refused.failure, Some(ApplyError::Refused { .. })),
        "{refused:?}"
    );
    let recreate = with(
        world.job("j", "two"),
        Some(&pinned_to_uid(&first)),
        |strategy, _, _| *strategy = Strategy::Recreate,
    );
    let recreated = world.apply(&[recreate]).await;
    assert!(recreated.failure.is_none(), "{recreated:?}");
    let second = world.get(&job).await.unwrap();
    assert_ne!(second.metadata("uid"), first.metadata("uid"));
    assert_eq!(
        second
            .value()
            .pointer("/spec/template/spec/containers/0/command/0"),
        Some(&json!("two"))
    );
}

/// Controllers go on writing its status; only which one it is matters.
fn pinned_to_uid(live: &Object) -> Object {
    live.edit(|map| {
        map["metadata"].as_object_mut().unwrap().remove("resourceVersion");
    })
}

#[tokio::test]
async fn an_old_hook_makes_room_and_a_finished_one_goes() {
    let world = World::new("apply-hooks").await;
    let job = world.job("migrate", "one");
    world.apply(&[step(job.clone())]).await;
    let first = world.get(&job).await.unwrap();
    let mut hook = with(world.job("migrate", "two"), None, |_, _, delete_first| {
        *delete_first = true
    });
    hook.phase = Phase::PreSync;
    let finished = world
        .apply(&[hook.clone(), step(world.config_map("a", "1"))])
        .await;
    assert!(finished.failure.is_none(), "{finished:?}");
    assert_ne!(
        world.get(&job).await.unwrap().metadata("uid"),
        first.metadata("uid")
    );

    if let Action::Apply { cleanup, .. } = &mut hook.action {
        cleanup.push(HookCleanup::HookSucceeded);
    }
    let finished = world.apply(&[hook]).await;
    assert!(finished.failure.is_none(), "{finished:?}");
    let gone = world.get(&job).await;
    assert!(gone.is_none_or(|job| job.is_deleting()));
}

#[tokio::test]
async fn a_wave_waits_for_the_one_before_it_and_a_failure_ends_the_sync() {
    let world = World::new("apply-waves").await;
    let later = |name: &str, phase, wave| Step {
        phase,
        wave,
        ..step(world.config_map(name, "1"))
    };
    let steps = [
        later("first", Phase::Sync, -1),
        later("second", Phase::Sync, 0),
        later("third", Phase::PostSync, 0),
        later("failed", Phase::SyncFail, 0),
    ];
    let waited = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&waited);
    let finished = world
        .run(&plan(&steps), None, Options::default(), move |objects| {
            seen.lock()
                .unwrap()
                .extend(objects.iter().map(|object| object.name.clone()));
            match objects[0].name.as_str() {
                "second" => Err(NotHealthy::Object {
                    object: Box::new(objects[0].clone()),
                    verdict: Box::new(HealthVerdict {
                        status: HealthStatus::Degraded,
                        message: "broken".to_owned(),
                        plugin: Some("p".to_owned()),
                    }),
                    late: false,
                }),
                _ => Ok(()),
            }
        })
        .await;
    assert_eq!(*waited.lock().unwrap(), ["first", "second"]);
    assert_eq!(
        finished.failure.as_ref().map(|error| error.code().id),
        Some("A06")
    );
    let text = finished.failure.as_ref().unwrap().to_string();
    assert_eq!(
        text,
        "Sync wave 0 did not become healthy: ConfigMap apply-waves/second is Degraded: broken (says plugin p)"
    );
    assert_eq!(
        results(&finished),
        [StepResult::Created, StepResult::Created, StepResult::NotTried]
    );
    assert!(world.get(&world.config_map("third", "1")).await.is_none());
    assert!(
        world.get(&world.config_map("failed", "1")).await.is_some(),
        "the hook for failed syncs ran"
    );
}

#[tokio::test]
async fn held_deletions_need_the_digest_of_this_very_plan() {
    let world = World::new("apply-held").await;
    let map = world.config_map("a", "1");
    world.apply(&[step(map.clone())]).await;
    let live = world.get(&map).await.unwrap();
    let held = HeldDeletion {
        step: deletion(&live),
        reason: "dear".to_owned(),
        decided_by: None,
    };
    let plan = Plan {
        held: vec![held],
        ..plan(&[])
    };
    for approval in [None, Some("sha256:0"), Some("")] {
        let finished = world.run(&plan, approval, Options::default(), |_| Ok(())).await;
        assert!(
            !finished.held_done && finished.outcomes.is_empty(),
            "{finished:?}"
        );
        assert!(world.get(&map).await.is_some());
    }
    let finished = world
        .run(&plan, Some(&plan.digest()), Options::default(), |_| Ok(()))
        .await;
    assert!(finished.held_done && finished.failure.is_none(), "{finished:?}");
    // The garbage collector takes its time.
    assert!(world.get(&map).await.is_none_or(|map| map.is_deleting()));
}

#[tokio::test]
async fn a_rehearsal_alone_writes_nothing() {
    let world = World::new("apply-rehearse").await;
    let map = world.config_map("a", "1");
    let options = Options {
        rehearse: Rehearse::Only,
        ..Options::default()
    };
    let finished = world
        .run(&plan(&[step(map.clone())]), None, options, |_| Ok(()))
        .await;
    assert_eq!(results(&finished), [StepResult::Created]);
    assert_eq!(world.get(&map).await, None);
}

#[tokio::test]
async fn plans_that_must_not_be_done_are_not() {
    let world = World::new("apply-blocked").await;
    let map = world.config_map("a", "1");
    let other_form = Plan {
        version: "sluice.dev/plan/v9".to_owned(),
        ..plan(&[step(map.clone())])
    };
    let block = sluice_model::plan::Block {
        object: None,
        reason: "a freeze".to_owned(),
        decided_by: None,
    };
    let blocked = Plan {
        blocked: vec![block],
        ..plan(&[step(map.clone())])
    };
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": world.namespace}});
    let without_values = plan(&[step(secret), step(map.clone())]);
    for (plan, code) in [(other_form, "A01"), (blocked, "A02"), (without_values, "A09")] {
        let finished = world.run(&plan, None, Options::default(), |_| Ok(())).await;
        assert_eq!(finished.failure.map(|error| error.code().id), Some(code));
        assert_eq!(world.get(&map).await, None);
    }
    let wave = |name: &str, wave| Step {
        wave,
        ..step(world.config_map(name, "1"))
    };
    let waves = plan(&[wave("b", 0), wave("c", 1)]);
    let abandon = |_: &[ObjectRef]| {
        Err(NotHealthy::Abandoned {
            reason: "something newer".to_owned(),
        })
    };
    let finished = world.run(&waves, None, Options::default(), abandon).await;
    assert_eq!(finished.failure.map(|error| error.code().id), Some("A10"));
}

#[tokio::test]
async fn what_does_not_go_away_is_named_with_what_holds_it() {
    let world = World::new("apply-finalizer").await;
    let mut map = world.config_map("a", "1");
    map["metadata"]["finalizers"] = json!(["example.com/never"]);
    world.apply(&[step(map.clone())]).await;
    let live = world.get(&map).await.unwrap();
    let after = Step {
        wave: 1,
        ..step(world.config_map("b", "1"))
    };
    let options = Options {
        deletion_timeout: Duration::from_millis(300),
        ..Options::default()
    };
    let finished = world
        .run(&plan(&[deletion(&live), after]), None, options, |_| Ok(()))
        .await;
    let error = finished.failure.unwrap();
    assert_eq!(error.code().id, "A08");
    assert!(error.to_string().contains("example.com/never"), "{error}");
    world
        .somebody_patches(&map, &json!({"metadata": {"finalizers": null}}))
        .await;
}

#[tokio::test]
async fn a_killed_sync_is_finished_by_the_next() {
    let world = World::new("apply-killed").await;
    let manifests: Vec<Value> = (0..30)
        .map(|number| world.config_map(&format!("m{number}"), "1"))
        .collect();
    let steps: Vec<Step> = manifests.iter().cloned().map(step).collect();
    // Ended after every possible number of writes, one after another.
    for writes in [1, 7, 20] {
        let mut due = Vec::new();
        for (step, manifest) in steps.iter().zip(&manifests) {
            let live = world.get(manifest).await;
            due.push(Step {
                precondition: live.as_ref().map(precondition),
                ..step.clone()
            });
        }
        let plan = plan(&due);
        let none = BTreeMap::new();
        let options = Options {
            concurrency: 2,
            ..Options::default()
        };
        let request = Request {
            plan: &plan,
            manifests: &none,
            approval: None,
            parent: None,
            options,
        };
        let waiter =
            |_, _| -> futures::future::BoxFuture<'static, _> { Box::pin(std::future::ready(Ok(()))) };
        let (killed, mut dead) = tokio::sync::oneshot::channel::<()>();
        let mut killed = Some(killed);
        let mut stored = 0;
        let mut events = |event: Event| {
            if let Event::Stored(_) = event {
                stored += 1;
                if stored == writes {
                    drop(killed.take());
                }
            }
        };
        tokio::select! {
            biased;
            _ = &mut dead => {}
            finished = apply(&world.cluster, request, &waiter, &mut events) => panic!("not killed: {finished:?}"),
        }
    }
    let mut due = Vec::new();
    for (step, manifest) in steps.iter().zip(&manifests) {
        let live = world.get(manifest).await;
        due.push(Step {
            precondition: live.as_ref().map(precondition),
            ..step.clone()
        });
    }
    let finished = world.apply(&due).await;
    assert!(finished.failure.is_none(), "{finished:?}");
    assert!(results(&finished).contains(&StepResult::Unchanged));
    for manifest in &manifests {
        assert_eq!(world.get(manifest).await.unwrap().value()["data"]["value"], "1");
    }
}
