//! Definitions and classes that come with what needs them.

use serde_json::{Value, json};
use sluice_model::outcome::StepResult;

use super::{changed, code, impatient, is_done, pod};
use crate::world::{World, results, step};

pub(super) fn definition(world: &World, properties: Value) -> Value {
    let group = format!("{}.example.com", world.namespace);
    let schema = json!({"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object", "properties": properties}}}});
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": format!("widgets.{group}")},
        "spec": {"group": group, "scope": "Namespaced", "names": {"kind": "Widget", "plural": "widgets"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": schema}]}})
}

pub(super) fn widget(world: &World, name: &str, spec: Value) -> Value {
    json!({"apiVersion": format!("{}.example.com/v1", world.namespace), "kind": "Widget",
        "metadata": {"name": name, "namespace": world.namespace}, "spec": spec})
}

#[tokio::test]
async fn a_definition_gets_a_field_with_an_object_that_uses_it() {
    let world = World::new("later-definition").await;
    let (integer, text) = (json!({"type": "integer"}), json!({"type": "string"}));
    is_done(
        &world
            .apply(&[step(definition(&world, json!({"size": integer})))])
            .await,
    );
    let map = world.config_map("beside", "1");
    let coloured = || step(widget(&world, "coloured", json!({"size": 1, "colour": "red"})));
    let finished = impatient(&world, &[step(map.clone()), coloured()]).await;
    assert_eq!(code(&finished), Some("A04"), "{finished:?}");
    // The new schema does not take it either: the definition is written, and nothing else.
    let new = definition(&world, json!({"size": integer, "weight": integer}));
    let wrong = changed(&world, new).await;
    let finished = impatient(&world, &[wrong, step(map.clone()), coloured()]).await;
    assert_eq!(code(&finished), Some("A05"), "{finished:?}");
    assert_eq!(
        results(&finished),
        [StepResult::Configured, StepResult::NotTried, StepResult::Failed]
    );
    assert_eq!(world.get(&map).await, None);
    let new = definition(&world, json!({"size": integer, "colour": text}));
    let right = changed(&world, new).await;
    is_done(&world.apply(&[right, step(map), coloured()]).await);
}

/// Objects of a kind that comes with the plan were written without having been looked at.
#[tokio::test]
async fn a_bad_object_of_a_new_kind_is_found_before_anything_else_is_written() {
    let world = World::new("later-kind").await;
    let map = world.config_map("beside", "1");
    let new = definition(&world, json!({"size": {"type": "integer"}}));
    let bad = step(widget(&world, "bad", json!({"size": "large"})));
    let finished = impatient(&world, &[step(new.clone()), step(map.clone()), bad]).await;
    assert_eq!(code(&finished), Some("A05"), "{finished:?}");
    assert_eq!(world.get(&map).await, None);
    assert!(world.get(&new).await.is_some());
}

#[tokio::test]
async fn a_class_comes_with_the_pod_that_names_it() {
    let world = World::new("later-classes").await;
    let urgent = json!({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "later-urgent"}, "value": 1000});
    let boxed = json!({"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "later-boxed"}, "handler": "boxed"});
    let robot = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot", "namespace": world.namespace}});
    let first = || {
        pod(
            &world,
            "first",
            json!({"priorityClassName": "later-urgent", "serviceAccountName": "robot"}),
        )
    };
    let second = || pod(&world, "second", json!({"runtimeClassName": "later-boxed"}));
    // One of them only: the other is missed before anything is written.
    let finished = impatient(
        &world,
        &[
            step(urgent.clone()),
            step(robot.clone()),
            step(first()),
            step(second()),
        ],
    )
    .await;
    assert_eq!(code(&finished), Some("A04"), "{finished:?}");
    assert_eq!(world.get(&urgent).await, None);
    let all = [urgent, boxed, robot, first(), second()].map(step);
    is_done(&world.apply(&all).await);
}
