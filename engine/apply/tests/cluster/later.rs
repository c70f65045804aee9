//! What the server refuses before the plan, and takes once the plan has changed what the refusal rests on: that goes first, the
//! object is rehearsed again, and only then anything else is written. What no step of the plan changes stops everything.

mod definitions;
mod policies;
mod quotas;
mod surroundings;
mod webhooks;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sluice_apply::{ApplyError, Finished, Options, Rehearse};
use sluice_model::Coded as _;
use sluice_model::plan::Step;

use crate::world::{World, deletion, pinned_to_uid, plan, step, with};

/// A sync that does not wait long for what does not come.
async fn impatient(world: &World, steps: &[Step]) -> Finished {
    let options = Options {
        taking_effect: Duration::from_secs(1),
        ..Options::default()
    };
    world.run(&plan(steps), None, options, |_| Ok(())).await
}

fn code(finished: &Finished) -> Option<&'static str> {
    finished.failure.as_ref().map(|error| error.code().id)
}

fn is_done(finished: &Finished) {
    assert!(finished.failure.is_none(), "{finished:?}");
}

/// The step that changes an object that is there.
async fn changed(world: &World, manifest: Value) -> Step {
    let live = world.get(&manifest).await.unwrap();
    with(manifest, Some(&pinned_to_uid(&live)), |_, _, force| {
        *force = false
    })
}

async fn removed(world: &World, manifest: &Value) -> Step {
    deletion(&world.get(manifest).await.unwrap())
}

/// Waits until a dry-run of an object ends with this code, or passes: what was set up is in force.
async fn until(world: &World, manifest: &Value, expected: Option<&str>) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let options = Options {
            rehearse: Rehearse::Only,
            ..Options::default()
        };
        let finished = world
            .run(&plan(&[step(manifest.clone())]), None, options, |_| Ok(()))
            .await;
        let refusal = match &finished.failure {
            Some(ApplyError::Refused { refusals }) => Some(refusals[0].code.id),
            _ => None,
        };
        if refusal == expected {
            return;
        }
        assert!(Instant::now() < deadline, "not {expected:?}: {finished:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn service(world: &World, name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": world.namespace}, "spec": {"ports": [{"port": 80}]}})
}

fn pod(world: &World, name: &str, spec: Value) -> Value {
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": world.namespace},
        "spec": {"containers": [{"name": "c", "image": "example.org/c:1"}]}});
    for (key, value) in spec.as_object().unwrap() {
        pod["spec"][key] = value.clone();
    }
    pod
}
