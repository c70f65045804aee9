//! Order, waves, hooks, and what a run that was ended leaves to the next.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use sluice_apply::{Event, NotHealthy, Options, Rehearse, Request, apply};
use sluice_model::decision::{HookCleanup, Phase};
use sluice_model::health::{HealthStatus, HealthVerdict};
use sluice_model::outcome::StepResult;
use sluice_model::plan::{Action, HeldDeletion, Plan, Step};
use sluice_model::{Coded as _, ObjectRef};

use crate::world::{World, deletion, plan, precondition, results, step, with};

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
    assert_eq!(*waited.lock().unwrap(), ["first", "second", "failed"]);
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

fn hook(world: &World, name: &str, phase: Phase, when: HookCleanup) -> Step {
    let mut hook = step(world.config_map(name, "1"));
    hook.phase = phase;
    if let Action::Apply { cleanup, .. } = &mut hook.action {
        cleanup.push(when);
    }
    hook
}

fn degraded(object: &ObjectRef) -> Result<(), NotHealthy> {
    Err(NotHealthy::Object {
        object: Box::new(object.clone()),
        verdict: Box::new(HealthVerdict {
            status: HealthStatus::Degraded,
            message: "broken".to_owned(),
            plugin: None,
        }),
        late: false,
    })
}

/// Reported: of a phase that failed, the hook that failed first was deleted alone.
#[tokio::test]
async fn all_failed_hooks_of_the_failed_phase_go() {
    let world = World::new("apply-hooks-failed").await;
    let hook = |name: &str, wave, when| Step {
        wave,
        ..hook(&world, name, Phase::PreSync, when)
    };
    let steps = [
        hook("earlier", -1, HookCleanup::HookFailed),
        hook("bad-1", 0, HookCleanup::HookFailed),
        hook("bad-2", 0, HookCleanup::HookFailed),
        hook("good", 0, HookCleanup::HookFailed),
        hook("kept", 0, HookCleanup::HookSucceeded),
        step(world.config_map("part", "1")),
    ];
    let finished = world
        .run(&plan(&steps), None, Options::default(), |objects| {
            let bad = |object: &&ObjectRef| ["bad-1", "bad-2", "kept"].contains(&object.name.as_str());
            objects.iter().find(bad).map_or(Ok(()), degraded)
        })
        .await;
    assert!(finished.failure.is_some(), "{finished:?}");
    for (name, there) in [
        ("earlier", true),
        ("bad-1", false),
        ("bad-2", false),
        ("good", true),
        ("kept", true),
        ("part", false),
    ] {
        let found = world.get(&world.config_map(name, "1")).await;
        assert_eq!(found.is_some_and(|object| !object.is_deleting()), there, "{name}");
    }
}

/// Reported: a sync ended while its SyncFail hooks were still to run, and one that the server refused was told in the log alone.
#[tokio::test]
async fn hooks_for_failed_syncs_run_to_their_end_and_are_told() {
    let world = World::new("apply-hooks-for-failures").await;
    let bad = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "NOT A NAME", "namespace": world.namespace}});
    let mut refused = step(bad);
    refused.phase = Phase::SyncFail;
    refused.wave = 1;
    let later = Step {
        wave: 2,
        ..hook(&world, "never", Phase::SyncFail, HookCleanup::HookFailed)
    };
    let steps = [
        step(world.config_map("part", "1")),
        hook(&world, "cleaned", Phase::SyncFail, HookCleanup::HookSucceeded),
        hook(&world, "stays", Phase::SyncFail, HookCleanup::HookFailed),
        refused,
        later,
    ];
    let mut steps = steps.to_vec();
    steps.push(Step {
        phase: Phase::PostSync,
        ..step(world.config_map("after", "1"))
    });
    let waited = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&waited);
    let finished = world
        .run(&plan(&steps), None, Options::default(), move |objects| {
            let mut seen = seen.lock().unwrap();
            seen.extend(objects.iter().map(|object| object.name.clone()));
            match objects[0].name.as_str() {
                "part" => degraded(&objects[0]),
                _ => Ok(()),
            }
        })
        .await;
    assert!(finished.failure.is_some());
    assert_eq!(*waited.lock().unwrap(), ["part", "cleaned", "stays"]);
    let told: Vec<_> = finished.sync_fail.iter().map(|told| told.result).collect();
    let (created, failed) = (StepResult::Created, StepResult::Failed);
    assert_eq!(told, [created, created, failed, StepResult::NotTried]);
    assert!(
        finished.sync_fail[2].message.contains("metadata.name"),
        "{finished:?}"
    );
    assert!(world.get(&world.config_map("cleaned", "1")).await.is_none());
    assert!(world.get(&world.config_map("stays", "1")).await.is_some());
}

/// Reported: what Argo CD leaves on its hooks made a sync fail after two minutes.
#[tokio::test]
async fn argo_cds_finalizer_does_not_keep_an_old_hook() {
    let world = World::new("apply-hooks-of-argo").await;
    let named = |finalizers: Value| {
        let mut map = world.config_map("migrate", "1");
        map["metadata"]["finalizers"] = finalizers;
        map
    };
    world
        .apply(&[step(named(json!(["argocd.argoproj.io/hook-finalizer"])))])
        .await;
    let map = world.config_map("migrate", "2");
    let old = world.get(&map).await.unwrap();
    let mut hook = with(map.clone(), None, |_, _, delete_first| *delete_first = true);
    hook.phase = Phase::PreSync;
    let options = Options {
        deletion_timeout: std::time::Duration::from_secs(10),
        ..Options::default()
    };
    let finished = world.run(&plan(&[hook.clone()]), None, options, |_| Ok(())).await;
    assert!(finished.failure.is_none(), "{finished:?}");
    let new = world.get(&map).await.unwrap();
    assert_ne!(new.metadata("uid"), old.metadata("uid"));

    // And where the hook is no longer in Git.
    world.apply(&[deletion(&new)]).await;
    world.until_gone(&map).await;
    world
        .apply(&[step(named(json!([
            "argocd.argoproj.io/hook-finalizer",
            "example.org/mine"
        ])))])
        .await;
    let live = world.get(&map).await.unwrap();
    world.apply(&[deletion(&live)]).await;
    // Another controller's finalizer is for that one to take off.
    let held = world.get(&map).await.unwrap();
    let finalizers = &held.value()["metadata"]["finalizers"];
    assert!(
        finalizers
            .as_array()
            .unwrap()
            .contains(&json!("example.org/mine")),
        "{finalizers}"
    );
    assert!(!finalizers.to_string().contains("argoproj"), "{finalizers}");
    world
        .somebody_patches(&map, &json!({"metadata": {"finalizers": null}}))
        .await;
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

/// An operator, its rights and an object with its finalizer go together (public reports: the object never goes).
#[tokio::test]
async fn what_finalizers_hold_is_gone_before_what_lets_it_go() {
    let world = World::new("apply-deletions").await;
    let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    let crd = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "realms.deletions.example.com"},
        "spec": {"group": "deletions.example.com", "scope": "Namespaced", "names": {"kind": "Realm", "plural": "realms"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": schema}]}});
    let realm = json!({"apiVersion": "deletions.example.com/v1", "kind": "Realm",
        "metadata": {"name": "main", "namespace": world.namespace, "finalizers": ["deletions.example.com/cleanup"]}});
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "operator", "namespace": world.namespace}});
    let made = world
        .apply(&[step(crd), step(account.clone()), step(realm.clone())])
        .await;
    assert!(made.failure.is_none(), "{made:?}");
    let live = world.get(&realm).await.unwrap();
    let going = [deletion(&live), deletion(&world.get(&account).await.unwrap())];
    let options = Options {
        deletion_timeout: std::time::Duration::from_millis(500),
        ..Options::default()
    };
    let finished = world.run(&plan(&going), None, options, |_| Ok(())).await;
    let error = finished.failure.as_ref().unwrap().to_string();
    assert!(
        error.contains("deletions.example.com/cleanup") && error.contains("main"),
        "{error}"
    );
    assert_eq!(results(&finished), [StepResult::Deleted, StepResult::NotTried]);
    assert!(
        world
            .get(&account)
            .await
            .is_some_and(|account| !account.is_deleting())
    );

    // The next plan only waits for what is on its way out.
    let live = world.get(&realm).await.unwrap();
    let mut waited = deletion(&live);
    waited.action = Action::Delete {
        propagation: sluice_model::decision::Propagation::Foreground,
        begun: true,
    };
    let going = [waited, deletion(&world.get(&account).await.unwrap())];
    let finished = world.run(&plan(&going), None, options, |_| Ok(())).await;
    assert_eq!(
        finished.failure.as_ref().map(|error| error.code().id),
        Some("A08"),
        "{finished:?}"
    );
    let (plan, both) = (plan(&going), async {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        world
            .somebody_patches(&realm, &json!({"metadata": {"finalizers": null}}))
            .await;
    });
    let (finished, ()) = tokio::join!(world.run(&plan, None, Options::default(), |_| Ok(())), both);
    assert!(finished.failure.is_none(), "{finished:?}");
    assert_eq!(world.get(&realm).await, None);
    world.until_gone(&account).await;
}
