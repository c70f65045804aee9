//! Which plugin is asked about a custom resource, and that the catalogue's rules hold in the sandbox as they do natively.

use serde_json::{Value, json};
use sluice_model::health::HealthStatus;
use sluice_plugin_host::{Answer, Compiler, PluginHost};

use crate::{now, object};

fn of_kind(api_version: &str, kind: &str, status: Value) -> sluice_model::Object {
    object(
        json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "x", "generation": 2}, "status": status}),
    )
}

fn judged(host: &PluginHost, object: sluice_model::Object) -> (HealthStatus, String, Option<String>) {
    let Answer { value, problems } = host.health(&[], &[object], now());
    assert_eq!(problems, []);
    let verdict = value.into_iter().next().unwrap();
    (verdict.status, verdict.message, verdict.plugin)
}

fn ready(status: &str, message: &str) -> Value {
    json!({"conditions": [{"type": "Ready", "status": status, "message": message}]})
}

#[test]
fn the_catalogue_is_asked_about_the_kinds_that_it_names() {
    let by_catalogue =
        |status, message: &str| (status, message.to_owned(), Some("health-catalogue".to_owned()));
    for (api_version, kind, status, want) in [
        (
            "cert-manager.io/v1",
            "Certificate",
            ready("False", "no such issuer"),
            by_catalogue(HealthStatus::Degraded, "no such issuer"),
        ),
        // By a pattern over groups, and a list that is looked into.
        (
            "s3.services.k8s.aws/v1alpha1",
            "Bucket",
            ready("True", "synced"),
            by_catalogue(HealthStatus::Healthy, "synced"),
        ),
        (
            "kafka.strimzi.io/v1beta2",
            "Kafka",
            json!({}),
            by_catalogue(HealthStatus::Progressing, "Strimzi has not looked at it yet"),
        ),
        (
            "route.openshift.io/v1",
            "Route",
            json!({"ingress": [{"routerName": "default", "conditions": [{"type": "Admitted", "status": "False", "reason": "HostAlreadyClaimed"}]}]}),
            by_catalogue(HealthStatus::Degraded, "default: HostAlreadyClaimed"),
        ),
        (
            "route.openshift.io/v1",
            "Route",
            json!({"ingress": "all"}),
            by_catalogue(
                HealthStatus::Unknown,
                "P13: plugin `health-catalogue`: `assess` says: `/status/ingress` is neither a list nor a map",
            ),
        ),
    ] {
        let answer = PluginHost::standard().health(&[], &[of_kind(api_version, kind, status)], now());
        let verdict = answer.value.into_iter().next().unwrap();
        assert_eq!((verdict.status, verdict.message, verdict.plugin), want, "{kind}");
    }
}

#[test]
fn kubernetes_own_rules_come_before_it_and_conditions_after_it() {
    let host = PluginHost::standard();
    let plugin = |api_version, kind, status| judged(&host, of_kind(api_version, kind, status)).2;
    let accepted = json!({"conditions": [{"type": "Accepted", "status": "True"}]});
    assert_eq!(
        plugin("gateway.networking.k8s.io/v1", "GatewayClass", accepted).as_deref(),
        Some("health-kubernetes")
    );
    assert_eq!(
        plugin("argoproj.io/v1alpha1", "Workflow", json!({"phase": "Running"})).as_deref(),
        Some("health-kubernetes")
    );
    // A group that the catalogue knows by its kinds, and another kind of it.
    assert_eq!(
        plugin("cert-manager.io/v1", "Thing", ready("True", "")).as_deref(),
        Some("health-kubernetes")
    );
    // A rule without an opinion leaves it to whoever is next.
    assert_eq!(
        plugin(
            "infrastructure.cluster.x-k8s.io/v1beta1",
            "AWSMachineTemplate",
            json!({})
        ),
        None
    );
}

#[test]
fn a_script_comes_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("cert-manager.io/Certificate/health.lua");
    fs_err::create_dir_all(script.parent().unwrap()).unwrap();
    fs_err::write(
        script,
        "return {status = 'Suspended', message = 'as the script says'}",
    )
    .unwrap();
    let host = PluginHost::with_lua_scripts(None, Some(folder.path().to_owned()), Compiler::Here);
    assert_eq!(
        judged(
            &host,
            of_kind("cert-manager.io/v1", "Certificate", ready("True", "issued"))
        ),
        (
            HealthStatus::Suspended,
            "as the script says".to_owned(),
            Some("health-lua".to_owned())
        )
    );
    assert_eq!(
        judged(
            &host,
            of_kind("cert-manager.io/v1", "Issuer", ready("True", "set up"))
        )
        .2,
        Some("health-catalogue".to_owned())
    );
}
