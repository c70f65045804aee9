//! Each way in which an object gets into the cluster, and what becomes of the fields of others.

use serde_json::{Value, json};
use sluice_apply::{ApplyError, Options, Rehearse};
use sluice_model::decision::Strategy;
use sluice_model::manager::{Manager, Operation};
use sluice_model::object::Object;
use sluice_model::outcome::StepResult;
use sluice_model::plan::Action;

use crate::world::{World, pinned_to_uid, plan, results, step, with};

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

#[tokio::test]
async fn what_cannot_be_changed_is_said_before_it_is_made_anew() {
    let world = World::new("apply-anew").await;
    let job = world.job("j", "one");
    world.apply(&[step(job.clone())]).await;
    let first = world.get(&job).await.unwrap();
    let recreate = |manifest: Value| {
        with(manifest, Some(&pinned_to_uid(&first)), |strategy, _, _| {
            *strategy = Strategy::Recreate
        })
    };
    let only = Options {
        rehearse: Rehearse::Only,
        ..Options::default()
    };
    let tried = world
        .run(&plan(&[recreate(world.job("j", "two"))]), None, only, |_| Ok(()))
        .await;
    assert!(tried.failure.is_none(), "{tried:?}");
    assert_eq!(tried.outcomes[0].message, "would be deleted and created again");

    // What could not be created is not deleted for it.
    let mut unsound = world.job("j", "two");
    unsound["spec"]["template"]["spec"]["restartPolicy"] = "Sometimes".into();
    let refused = world.apply(&[recreate(unsound)]).await;
    assert!(
        matches!(refused.failure, Some(ApplyError::Refused { .. })),
        "{refused:?}"
    );
    // Nor is another object than the one that was planned for.
    let mut other = recreate(world.job("j", "two"));
    other.precondition.as_mut().unwrap().uid = "another".to_owned();
    let refused = world.apply(&[other]).await;
    assert!(refused.failure.is_some(), "{refused:?}");
    assert_eq!(
        world.get(&job).await.unwrap().metadata("uid"),
        first.metadata("uid")
    );
}

#[tokio::test]
async fn who_deployed_before_is_taken_over_and_others_are_not() {
    let world = World::new("apply-take-over").await;
    let map = world.config_map("a", "theirs");
    let reference = Object::new(map.clone()).unwrap().reference();
    let kind = world.cluster.kind_of(&reference).await.unwrap();
    // Created by us without our labels, then written to by two others.
    world.apply(&[step(world.config_map("a", "1"))]).await;
    for (manager, field) in [("helm", "helms"), ("operator", "operators")] {
        let patch = json!({"data": {field: "theirs"}});
        world
            .cluster
            .merge_patch(&kind, &reference, None, manager, &patch)
            .await
            .unwrap();
    }
    let helm = Manager {
        name: "helm".to_owned(),
        operation: Operation::Update,
        subresource: None,
    };
    let live = world.get(&map).await.unwrap();
    let mut wanted = world.config_map("a", "1");
    let adopting = |manifest: Value| {
        let mut step = with(manifest, Some(&live), |_, _, _| {});
        if let Action::Apply { take_over, .. } = &mut step.action {
            take_over.push(helm.clone());
        }
        step
    };
    wanted["data"]["operators"] = "ours".into();
    let refused = world.apply(&[adopting(wanted.clone())]).await;
    let Some(ApplyError::Refused { refusals }) = &refused.failure else {
        panic!("{refused:?}")
    };
    assert!(refusals[0].message.contains("`operator`"), "{refusals:?}");
    assert_eq!(world.get(&map).await.unwrap(), live, "nothing changed hands");

    wanted["data"].as_object_mut().unwrap().remove("operators");
    wanted["data"]["more"] = "x".into();
    let taken = world.apply(&[adopting(wanted)]).await;
    assert!(taken.failure.is_none(), "{taken:?}");
    // Helm's field is not in Git and goes; the operator's stays.
    assert_eq!(
        world.get(&map).await.unwrap().value()["data"],
        json!({"value": "1", "more": "x", "operators": "theirs"})
    );
}

/// Public reports: what a plain write takes and server-side apply does not (two entries with equal list keys, the other branch of a
/// union) was refused in the rehearsal, although it was to be replaced.
#[tokio::test]
async fn what_is_replaced_is_rehearsed_as_it_will_be_sent() {
    let world = World::new("apply-replace").await;
    let deployment = |ports: Value, strategy: Value| {
        let labels = json!({"app": "web"});
        let container = json!({"name": "web", "image": "example.org/web:1", "ports": ports});
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": world.namespace},
            "spec": {"selector": {"matchLabels": labels}, "strategy": strategy,
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}}}})
    };
    let (one, two) = (
        json!([{"name": "a", "containerPort": 4443}]),
        json!([{"name": "a", "containerPort": 4443, "hostPort": 443}, {"name": "b", "containerPort": 4443, "hostPort": 4443}]),
    );
    let rolling = deployment(two.clone(), json!({"type": "RollingUpdate"}));
    let refused = world.apply(&[step(rolling.clone())]).await;
    assert!(
        matches!(refused.failure, Some(ApplyError::Refused { .. })),
        "{refused:?}"
    );
    let replace = |manifest: Value, live: Option<&Object>| {
        with(manifest, live, |strategy, _, _| *strategy = Strategy::Replace)
    };
    let created = world.apply(&[replace(rolling.clone(), None)]).await;
    assert_eq!(results(&created), [StepResult::Created], "{created:?}");
    let live = world.get(&rolling).await.unwrap();
    let replaced = world
        .apply(&[replace(
            deployment(one, json!({"type": "Recreate"})),
            Some(&pinned_to_uid(&live)),
        )])
        .await;
    assert_eq!(results(&replaced), [StepResult::Configured], "{replaced:?}");
    let spec = world.get(&rolling).await.unwrap().value()["spec"].clone();
    assert_eq!(spec["strategy"], json!({"type": "Recreate"}));
    // What a plain write does not take either is refused before anything is written.
    let beside = world.config_map("beside", "1");
    let live = world.get(&rolling).await.unwrap();
    let mut wrong = deployment(two, json!({"type": "Recreate"}));
    wrong["spec"]["replicas"] = (-1).into();
    let refused = world
        .apply(&[step(beside.clone()), replace(wrong, Some(&pinned_to_uid(&live)))])
        .await;
    assert!(
        matches!(refused.failure, Some(ApplyError::Refused { .. })),
        "{refused:?}"
    );
    assert_eq!(world.get(&beside).await, None);
}

/// An admission policy says it as the API server does (public reports: a recreate that was asked for and never came).
#[tokio::test]
async fn what_a_policy_calls_immutable_is_made_anew_where_that_was_asked_for() {
    let world = World::new("apply-immutable").await;
    let mine =
        json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": world.namespace}}});
    let rules = json!([{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["configmaps"]}]);
    let api = "admissionregistration.k8s.io/v1";
    let policy = json!({"apiVersion": api, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": world.namespace},
        "spec": {"matchConstraints": {"resourceRules": rules},
            "validations": [{"expression": "object.data == oldObject.data", "message": "data: field is immutable"}]}});
    let binding = json!({"apiVersion": api, "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": world.namespace},
        "spec": {"policyName": world.namespace, "validationActions": ["Deny"], "matchResources": mine}});
    let map = world.config_map("a", "1");
    let set_up = world
        .apply(&[step(map.clone()), step(policy), step(binding)])
        .await;
    assert!(set_up.failure.is_none(), "{set_up:?}");
    let first = world.get(&map).await.unwrap();
    let change = |strategy: Strategy| {
        with(
            world.config_map("a", "2"),
            Some(&pinned_to_uid(&first)),
            |how, _, _| *how = strategy,
        )
    };
    let only = Options {
        rehearse: Rehearse::Only,
        ..Options::default()
    };
    // The policy takes a moment to be in force.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while world
        .run(
            &plan(&[change(Strategy::ServerSideApply)]),
            None,
            only,
            |_| Ok(()),
        )
        .await
        .failure
        .is_none()
    {
        assert!(std::time::Instant::now() < deadline, "the policy is not in force");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let refused = world.apply(&[change(Strategy::ServerSideApply)]).await;
    assert!(
        matches!(refused.failure, Some(ApplyError::Refused { .. })),
        "{refused:?}"
    );
    assert_eq!(world.get(&map).await.unwrap(), first, "it was not asked for");
    let recreated = world.apply(&[change(Strategy::Recreate)]).await;
    assert!(recreated.failure.is_none(), "{recreated:?}");
    let second = world.get(&map).await.unwrap();
    assert_ne!(second.metadata("uid"), first.metadata("uid"));
    assert_eq!(second.value()["data"]["value"], "2");
}
