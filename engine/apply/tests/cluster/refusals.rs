//! What is refused, with which code, and that nothing was written then.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use sluice_apply::{ApplyError, Members, NotHealthy, Options, Parent, Request, apply};
use sluice_model::health::HealthVerdict;
use sluice_model::outcome::StepResult;
use sluice_model::plan::{Action, Plan, Step};
use sluice_model::{Coded as _, GroupKind, ObjectRef};

use crate::world::{World, deletion, pinned_to_uid, plan, results, step, with};

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
async fn the_cluster_moved_on() {
    let world = World::new("apply-moved-on").await;
    let (map, other) = (world.config_map("a", "1"), world.config_map("other", "1"));
    // It exists by now.
    assert_eq!(
        results(&world.apply(&[step(map.clone())]).await),
        [StepResult::Created]
    );
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
    world.until_gone(&map).await;
    assert_eq!(
        results(&world.apply(&[step(map.clone())]).await),
        [StepResult::Created]
    );
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
async fn a_wave_that_takes_too_long_is_told_from_one_that_fails() {
    let world = World::new("apply-late").await;
    let later = Step {
        wave: 1,
        ..step(world.config_map("b", "1"))
    };
    let plan = plan(&[step(world.config_map("a", "1")), later]);
    let late = |objects: &[ObjectRef]| {
        Err(NotHealthy::Object {
            object: Box::new(objects[0].clone()),
            verdict: Box::new(HealthVerdict::no_opinion()),
            late: true,
        })
    };
    let finished = world.run(&plan, None, Options::default(), late).await;
    assert_eq!(finished.failure.map(|error| error.code().id), Some("A07"));
}

#[tokio::test]
async fn nothing_is_written_that_could_not_be_found_again() {
    let world = World::new("apply-parent").await;
    let map = world.config_map("a", "1");
    let reference = ObjectRef {
        group: "sluice.dev".to_owned(),
        version: "v1alpha1".to_owned(),
        kind: "Application".to_owned(),
        namespace: Some(world.namespace.clone()),
        name: "not-there".to_owned(),
    };
    let parent = Parent {
        reference,
        id: "applyset-x-v1".to_owned(),
        recorded: Members::default(),
        afterwards: Members {
            kinds: [GroupKind::new("", "ConfigMap")].into(),
            ..Members::default()
        },
        finalizers: None,
    };
    let (plan, none) = (plan(&[step(map.clone())]), BTreeMap::new());
    let request = Request {
        plan: &plan,
        manifests: &none,
        approval: None,
        parent: Some(&parent),
        options: Options::default(),
    };
    let waiter = |_, _| -> futures::future::BoxFuture<'static, _> { Box::pin(std::future::ready(Ok(()))) };
    let finished = apply(&world.cluster, request, &waiter, &mut |_| {}).await;
    assert_eq!(finished.failure.map(|error| error.code().id), Some("A11"));
    assert_eq!(world.get(&map).await, None);
}

#[tokio::test]
async fn a_definition_that_is_not_served_ends_the_sync() {
    let world = World::new("apply-not-established").await;
    let definition = |plural: &str| {
        let schema =
            json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.clash.example.com")},
            "spec": {"group": "clash.example.com", "scope": "Namespaced", "names": {"kind": "Clash", "plural": plural},
                "versions": [{"name": "v1", "served": true, "storage": true, "schema": schema}]}})
    };
    let first = world.apply(&[step(definition("clashes"))]).await;
    assert!(first.failure.is_none(), "{first:?}");
    // The kind has its name already.
    let options = Options {
        establishing: Duration::from_millis(300),
        ..Options::default()
    };
    let finished = world
        .run(&plan(&[step(definition("others"))]), None, options, |_| Ok(()))
        .await;
    let Some(ApplyError::Steps { refusals }) = &finished.failure else {
        panic!("{finished:?}")
    };
    assert_eq!(refusals[0].code.id, "A12", "{refusals:?}");
}

#[tokio::test]
async fn a_kind_that_nobody_serves_is_refused() {
    let world = World::new("apply-unknown-kind").await;
    let odd = json!({"apiVersion": "nobody.example.com/v1", "kind": "Odd", "metadata": {"name": "a", "namespace": world.namespace}});
    let finished = world.apply(&[step(world.config_map("a", "1")), step(odd)]).await;
    let Some(ApplyError::Refused { refusals }) = &finished.failure else {
        panic!("{finished:?}")
    };
    assert_eq!(refusals[0].code.id, "K22", "{refusals:?}");
    assert_eq!(world.get(&world.config_map("a", "1")).await, None);
}

#[tokio::test]
async fn a_namespace_that_is_going_away_takes_nothing() {
    let world = World::new("apply-terminating").await;
    let mut holder = world.config_map("holder", "1");
    holder["metadata"]["finalizers"] = json!(["example.com/never"]);
    world.apply(&[step(holder.clone())]).await;
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": world.namespace}});
    let live = world.get(&namespace).await.unwrap();
    let gone = world.apply(&[deletion(&pinned_to_uid(&live))]).await;
    assert!(gone.failure.is_none(), "{gone:?}");
    let finished = world.apply(&[step(world.config_map("late", "1"))]).await;
    let Some(ApplyError::Refused { refusals }) = &finished.failure else {
        panic!("{finished:?}")
    };
    assert_eq!(refusals[0].code.id, "K14", "{refusals:?}");
    assert!(refusals[0].message.contains("being terminated"), "{refusals:?}");
    world
        .somebody_patches(&holder, &json!({"metadata": {"finalizers": null}}))
        .await;
}
