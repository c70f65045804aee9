//! Members of unions: what stands beside the one that Git has gives way where no applier wants it, and is named where one does.

use anyhow::ensure;
use serde_json::{Value, json};
use sluice_cluster_tests::{World, condition, text};
use sluice_sandbox::{Admission, Webhook};

/// A definition of which Git says how it converts.
fn definition(world: &World<'_>, conversion: &Value) -> Value {
    let group = format!("{}.example.com", world.namespace);
    let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": format!("valves.{group}")},
        "spec": {"group": group, "scope": "Namespaced", "names": {"kind": "Valve", "plural": "valves"}, "conversion": conversion,
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": schema}]}})
}

fn by_webhook(world: &World<'_>, bundle: Option<&Value>) -> Value {
    let mut client = json!({"service": {"namespace": world.namespace, "name": "converter"}});
    if let Some(bundle) = bundle {
        client["caBundle"] = bundle.clone();
    }
    json!({"strategy": "Webhook", "webhook": {"conversionReviewVersions": ["v1"], "clientConfig": client}})
}

/// A certificate as an injector writes it.
fn bundle() -> Value {
    let webhook = Webhook::start(|_| Admission::Admit).unwrap();
    webhook.client_config()["caBundle"].clone()
}

/// A world in which a definition converts by a webhook that Git names, without its certificate.
fn converting(name: &str) -> World<'static> {
    let world = World::shared(name).unwrap();
    let manifest = definition(&world, &by_webhook(&world, None));
    world.write("valves.yaml", &manifest.to_string()).unwrap();
    let commit = world.commit("converts by a webhook").unwrap();
    world.apply(&world.application()).unwrap();
    world.wait_synced(&commit).unwrap();
    world
}

fn live(world: &World<'_>) -> Value {
    let name = format!("crd/valves.{}.example.com", world.namespace);
    world.engine.plane.get(&name).unwrap()
}

fn stops_converting(world: &World<'_>) -> String {
    let manifest = definition(world, &json!({"strategy": "None"}));
    world.write("valves.yaml", &manifest.to_string()).unwrap();
    let commit = world.commit("converts no longer").unwrap();
    world.refresh().unwrap();
    commit.to_string()
}

/// An injector writes with an update, which says nothing about what it wants to be there.
#[test]
fn what_an_injector_wrote_beside_it_goes() {
    let world = converting("union-injected");
    let patch = json!({"spec": {"conversion": {"webhook": {"clientConfig": {"caBundle": bundle()}}}}});
    let name = format!("crd/valves.{}.example.com", world.namespace);
    let manager = "--field-manager=cainjector";
    world
        .kubectl(&["patch", &name, "--type=merge", manager, "-p", &patch.to_string()])
        .unwrap();
    world.refresh().unwrap();
    assert!(live(&world)["spec"]["conversion"]["webhook"]["clientConfig"]["caBundle"].is_string());
    let commit = stops_converting(&world);
    world.wait_synced(&commit).unwrap();
    assert_eq!(live(&world)["spec"]["conversion"], json!({"strategy": "None"}));
}

/// Who applies a field wants it to be there: it stays, with a reason that names the field and its manager.
#[test]
fn what_another_applier_wants_beside_it_is_named() {
    let world = converting("union-applied");
    let full = definition(&world, &by_webhook(&world, Some(&bundle())));
    let mut only = full.clone();
    only["spec"] = json!({"conversion": full["spec"]["conversion"]});
    for field in ["group", "scope", "names", "versions"] {
        only["spec"][field] = full["spec"][field].clone();
    }
    let file = world
        .engine
        .write("union-applied.json", only.to_string())
        .unwrap();
    let manager = "--field-manager=certificates";
    world
        .kubectl(&[
            "apply",
            "--server-side",
            manager,
            "-f",
            &file.display().to_string(),
        ])
        .unwrap();
    stops_converting(&world);
    world
        .wait_status(|status| {
            let synced = condition(status, "Synced")?;
            let said = text(synced, "/message");
            ensure!(
                said.contains("certificates") && said.contains("conversion"),
                "{synced:#}"
            );
            ensure!(text(status, "/sync/status") == "OutOfSync", "{status:#}");
            Ok(())
        })
        .unwrap();
    let conversion = live(&world)["spec"]["conversion"].clone();
    assert!(
        conversion["webhook"]["clientConfig"]["caBundle"].is_string(),
        "nothing is taken from it: {conversion}"
    );
}

/// A text that a person put where Git refers to one: the server does not take both.
#[test]
fn a_text_by_hand_beside_a_reference_goes() {
    let world = World::shared("union-scalar").unwrap();
    let reference = json!({"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}});
    let container = json!({"name": "web", "image": "registry.example.com/web:1", "env": [{"name": "NAME", "valueFrom": reference}]});
    let template = json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}});
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "web"}}, "template": template}});
    world.write("web.yaml", &deployment.to_string()).unwrap();
    let commit = world.commit("a reference").unwrap();
    let mut application = world.application();
    application["spec"]["syncPolicy"]["automated"]["selfHeal"] = false.into();
    world.apply(&application).unwrap();
    world.wait_synced(&commit).unwrap();
    let place = "/spec/template/spec/containers/0/env/0";
    let patch = json!([{"op": "replace", "path": place, "value": {"name": "NAME", "value": "by hand"}}]);
    let manager = "--field-manager=kubectl-edit";
    world
        .kubectl(&[
            "patch",
            "deployment",
            "web",
            "--type=json",
            manager,
            "-p",
            &patch.to_string(),
        ])
        .unwrap();
    world
        .wait_status(|status| {
            ensure!(text(status, "/sync/status") == "OutOfSync", "{status:#}");
            Ok(())
        })
        .unwrap();
    world.done(&["sync", "app"]);
    let live = world.object("deployment/web").unwrap();
    assert_eq!(
        live.pointer(place).unwrap(),
        &json!({"name": "NAME", "valueFrom": reference})
    );
    world.wait_synced(&commit).unwrap();
}

/// Defaults without content: a map of zeros, an empty map.
#[test]
fn a_default_without_content_goes() {
    let world = World::shared("union-empty").unwrap();
    let template = |volume: Value| {
        json!({"metadata": {"labels": {"app": "web"}}, "spec": {"volumes": [volume],
        "containers": [{"name": "web", "image": "registry.example.com/web:1"}]}})
    };
    let set = |more: Value| {
        let mut spec =
            json!({"replicas": 0, "serviceName": "web", "selector": {"matchLabels": {"app": "web"}}});
        for (field, value) in more.as_object().unwrap() {
            spec[field] = value.clone();
        }
        json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "web"}, "spec": spec})
            .to_string()
    };
    let before = set(json!({"template": template(json!({"name": "v"}))}));
    world.write("web.yaml", &before).unwrap();
    let commit = world.commit("with defaults").unwrap();
    world.apply(&world.application()).unwrap();
    world.wait_synced(&commit).unwrap();
    let volume = json!({"name": "v", "configMap": {"name": "x", "defaultMode": 420}});
    let after = set(json!({"template": template(volume.clone()), "updateStrategy": {"type": "OnDelete"}}));
    world.write("web.yaml", &after).unwrap();
    let commit = world.commit("with other members").unwrap();
    world.refresh().unwrap();
    world.wait_synced(&commit).unwrap();
    let live = world.object("statefulset/web").unwrap();
    assert_eq!(live["spec"]["updateStrategy"], json!({"type": "OnDelete"}));
    assert_eq!(live["spec"]["template"]["spec"]["volumes"], json!([volume]));
}

/// The server fills in the other member by itself, and then does not take it beside what Git has later.
#[test]
fn a_default_below_a_scalar_that_changes_goes() {
    let world = World::shared("union-affinity").unwrap();
    let service = |affinity: &str| {
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
            "spec": {"selector": {"app": "web"}, "sessionAffinity": affinity, "ports": [{"port": 80}]}})
        .to_string()
    };
    world.write("web.yaml", &service("ClientIP")).unwrap();
    let commit = world.commit("sticky").unwrap();
    world.apply(&world.application()).unwrap();
    world.wait_synced(&commit).unwrap();
    assert!(world.object("service/web").unwrap()["spec"]["sessionAffinityConfig"].is_object());
    world.write("web.yaml", &service("None")).unwrap();
    let commit = world.commit("not sticky").unwrap();
    world.refresh().unwrap();
    world.wait_synced(&commit).unwrap();
    let live = world.object("service/web").unwrap();
    assert_eq!(live["spec"]["sessionAffinity"], "None");
    assert_eq!(live["spec"]["sessionAffinityConfig"], Value::Null);
}
