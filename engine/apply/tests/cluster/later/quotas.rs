//! Quotas and limits that the plan itself widens.

use serde_json::{Value, json};
use sluice_apply::{Options, Rehearse};
use sluice_model::outcome::StepResult;
use sluice_model::plan::Step;
use std::time::{Duration, Instant};

use super::{changed, code, impatient, is_done, pod, service, until};
use crate::world::{World, plan, results, step};

/// Waits until the controller of quotas has counted so many Services.
async fn until_counted(world: &World, quota: &Value, expected: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let live = world.get(quota).await.unwrap();
        let used = live.value().pointer("/status/used/count~1services").cloned();
        if used == Some(expected.into()) {
            return;
        }
        assert!(Instant::now() < deadline, "not counted: {live:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_quota_is_raised_and_used() {
    let world = World::new("later-quota").await;
    let quota = |count: &str| {
        json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "limits", "namespace": world.namespace},
            "spec": {"hard": {"count/services": count}}})
    };
    // The Service first: what comes at the same moment as a quota is not counted until minutes later.
    is_done(&world.apply(&[step(service(&world, "a"))]).await);
    is_done(&world.apply(&[step(quota("1"))]).await);
    until_counted(&world, &quota("1"), "1").await;
    until(&world, &service(&world, "b"), Some("K16")).await;

    let map = world.config_map("beside", "1");
    let steps = |quota: Step| {
        [
            step(map.clone()),
            quota,
            step(service(&world, "b")),
            step(service(&world, "c")),
        ]
    };
    // Not enough, and said before anything is written.
    let less = impatient(&world, &steps(changed(&world, quota("0")).await)).await;
    assert_eq!(code(&less), Some("A04"), "{less:?}");
    let elsewhere = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "another", "namespace": world.namespace},
        "spec": {"hard": {"count/services": "9"}}});
    assert_eq!(
        code(&impatient(&world, &steps(step(elsewhere))).await),
        Some("A04")
    );
    assert_eq!(world.get(&map).await, None);

    // A dry-run says what will be rehearsed later, and on what it rests.
    let enough = steps(changed(&world, quota("3")).await);
    let options = Options {
        rehearse: Rehearse::Only,
        ..Options::default()
    };
    let tried = world.run(&plan(&enough), None, options, |_| Ok(())).await;
    is_done(&tried);
    assert_eq!(
        tried.outcomes[2].message,
        "rehearsed later: rests on ResourceQuota later-quota/limits"
    );
    let rests_on = |index: usize| {
        let on = &tried.outcomes[index].rests_on;
        on.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(rests_on(2), ["ResourceQuota later-quota/limits"]);
    assert!(rests_on(0).is_empty() && rests_on(1).is_empty());
    let done = world.apply(&enough).await;
    is_done(&done);
    assert!(
        done.outcomes[2].message.contains("rests on ResourceQuota"),
        "{done:?}"
    );
    assert!(world.get(&service(&world, "c")).await.is_some());

    // More is wanted than the new one gives: it ends there, and nothing but the quota was written.
    until(&world, &service(&world, "d"), Some("K16")).await;
    let wanted: Vec<Step> = [
        changed(&world, quota("4")).await,
        step(world.config_map("after", "1")),
    ]
    .into_iter()
    .chain(["d", "e"].map(|name| step(service(&world, name))))
    .collect();
    // Each alone passes; together they do not, which only the write tells.
    let finished = impatient(&world, &wanted).await;
    assert_eq!(code(&finished), Some("A05"), "{finished:?}");
}

#[tokio::test]
async fn limits_are_widened_for_what_needs_more() {
    let world = World::new("later-limits").await;
    let range = |memory: &str| {
        json!({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "l", "namespace": world.namespace},
            "spec": {"limits": [{"type": "Container", "max": {"memory": memory}}]}})
    };
    let big = pod(
        &world,
        "big",
        json!({"containers": [{"name": "c", "image": "i", "resources": {"limits": {"memory": "2Gi"}}}]}),
    );
    is_done(&world.apply(&[step(range("1Gi"))]).await);
    until(&world, &big, Some("K14")).await;
    let map = world.config_map("beside", "1");
    let finished = impatient(&world, &[step(map.clone()), step(big.clone())]).await;
    assert_eq!(code(&finished), Some("A04"), "{finished:?}");
    // Widened too little: the limits are written, and nothing else.
    let little = changed(&world, range("1536Mi")).await;
    let finished = impatient(&world, &[step(map.clone()), little, step(big.clone())]).await;
    assert_eq!(code(&finished), Some("A05"), "{finished:?}");
    assert_eq!(
        results(&finished),
        [StepResult::NotTried, StepResult::Configured, StepResult::Failed]
    );
    assert_eq!(world.get(&map).await, None);
    let enough = changed(&world, range("2Gi")).await;
    is_done(&world.apply(&[step(map), enough, step(big)]).await);
}
