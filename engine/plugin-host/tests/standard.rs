//! The standard plugins, as they are embedded: the real Wasm, asked through the public interface.
#![expect(clippy::unwrap_used, reason = "the shared parts of tests are tests too")]

use serde_json::{Value, json};
use sluice_model::Object;
use sluice_model::application::Policies;
use sluice_model::decision::{HookCleanup, Occasion, Phase, PruneVerdict, Strategy, SyncDecision};
use sluice_model::health::HealthStatus;
use sluice_model::plan::ApplicationKey;
use sluice_plugin_host::{PluginHost, PruneCandidate, PruneContext, SyncContext};

fn object(value: Value) -> Object {
    Object::new(value).unwrap()
}

fn now() -> jiff::Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn health_of(value: Value) -> (HealthStatus, String, Option<String>) {
    let answer = PluginHost::standard().health(&[], &[object(value)], now());
    let verdict = answer.value.into_iter().next().unwrap();
    (verdict.status, verdict.message, verdict.plugin)
}

#[test]
fn health_of_a_deployment_follows_its_rollout() {
    let deployment = |generation: u32, spec: Value, status: Value| {
        let metadata = json!({"name": "web", "namespace": "shop", "generation": generation});
        let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec, "status": status});
        let (status, message, plugin) = health_of(object);
        assert_eq!(plugin.as_deref(), Some("health-kubernetes"));
        (status, message)
    };
    let done = json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3});
    assert_eq!(
        deployment(2, json!({"replicas": 3}), done.clone()),
        (HealthStatus::Healthy, String::new())
    );
    assert_eq!(
        deployment(3, json!({"replicas": 3}), done.clone()).0,
        HealthStatus::Progressing
    );
    assert_eq!(
        deployment(2, json!({"replicas": 4}), done.clone()).0,
        HealthStatus::Progressing
    );
    assert_eq!(
        deployment(2, json!({"replicas": 3, "paused": true}), done).0,
        HealthStatus::Suspended
    );
    let failed = json!({"observedGeneration": 2, "conditions": [{"type": "Progressing", "reason": "ProgressDeadlineExceeded"}]});
    let want = (
        HealthStatus::Degraded,
        "Deployment \"web\" exceeded its progress deadline".to_owned(),
    );
    assert_eq!(deployment(2, json!({}), failed), want);
    let (status, message) = deployment(2, json!({}), json!({"observedGeneration": "two"}));
    assert_eq!(status, HealthStatus::Unknown);
    assert!(
        message.contains("`/status/observedGeneration` is not an integer"),
        "{message}"
    );
}

#[test]
fn health_of_what_nobody_knows_is_no_opinion_without_a_status() {
    let odd = json!({"apiVersion": "serving.example.com/v1", "kind": "Service", "metadata": {"name": "x"}});
    assert_eq!(health_of(odd), (HealthStatus::Healthy, String::new(), None));
    let config =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": "b"}});
    assert_eq!(health_of(config), (HealthStatus::Healthy, String::new(), None));
}

#[test]
fn health_by_conditions() {
    let check = |status: Value, want: HealthStatus| {
        let metadata = json!({"name": "x", "generation": 2});
        let got = health_of(
            json!({"apiVersion": "x.example.com/v1", "kind": "X", "metadata": metadata, "status": status}),
        );
        assert_eq!(got.0, want, "{status}: {}", got.1);
    };
    let ready = |status: &str, reason: &str| json!({"conditions": [{"type": "Ready", "status": status, "reason": reason}]});
    check(ready("True", "Up"), HealthStatus::Healthy);
    check(ready("Unknown", "Waiting"), HealthStatus::Progressing);
    check(ready("False", "Starting"), HealthStatus::Progressing);
    check(ready("False", "InstallFailed"), HealthStatus::Degraded);
    check(
        json!({"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True"}]}),
        HealthStatus::Progressing,
    );
    let stalled = json!([{"type": "Stalled", "status": "True"}, {"type": "Ready", "status": "True"}]);
    check(json!({"conditions": stalled}), HealthStatus::Degraded);
    check(json!({"conditions": "none"}), HealthStatus::Healthy);
}

#[test]
fn an_object_that_is_being_deleted_is_progressing_whatever_its_kind() {
    for (api_version, kind) in [
        ("v1", "Pod"),
        ("apps/v1", "Deployment"),
        ("v1", "ConfigMap"),
        ("x.example.com/v1", "X"),
    ] {
        let metadata = json!({"name": "x", "deletionTimestamp": "2026-01-01T00:00:00Z"});
        let got = health_of(json!({"apiVersion": api_version, "kind": kind, "metadata": metadata}));
        assert_eq!(
            (got.0, got.1.as_str()),
            (HealthStatus::Progressing, "Pending deletion"),
            "{kind}"
        );
    }
}

fn prune_context(occasion: Occasion, options: &[&str]) -> PruneContext {
    PruneContext {
        now: now(),
        occasion,
        application: ApplicationKey {
            namespace: "shop".into(),
            name: "app".into(),
        },
        owned: 10,
        desired: 9,
        options: options.iter().map(|text| (*text).to_owned()).collect(),
    }
}

fn prune_of(live: &Value, desired: Option<Value>, context: &PruneContext) -> (&'static str, String) {
    let candidate = PruneCandidate {
        live: object(live.clone()),
        desired: desired.map(object),
    };
    let answer = PluginHost::standard().prune(&[], &[candidate], context);
    assert_eq!(answer.problems, []);
    let decision = answer.value.into_iter().next().unwrap();
    let word = match decision.verdict {
        PruneVerdict::Delete { .. } => "delete",
        PruneVerdict::Hold { .. } => "hold",
        PruneVerdict::Keep { .. } => "keep",
    };
    (word, decision.decided_by.unwrap())
}

#[test]
fn prune_by_kind_and_annotation() {
    let sync = prune_context(Occasion::Sync, &[]);
    let deleted = prune_context(Occasion::ApplicationDeleted, &[]);
    let never = prune_context(Occasion::Sync, &["Prune=false"]);
    let of = |api_version: &str, kind: &str, annotations: Value| json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "x", "annotations": annotations}});
    let check = |live: Value, context: &PruneContext, want: &str, by: &str| {
        let (word, plugin) = prune_of(&live, None, context);
        assert_eq!((word, plugin.as_str()), (want, by), "{live}");
    };
    let config = |annotations: Value| of("v1", "ConfigMap", annotations);
    check(config(json!({})), &sync, "delete", "prune-standard");
    check(of("v1", "Namespace", json!({})), &sync, "hold", "prune-standard");
    check(
        of("v1", "PersistentVolumeClaim", json!({})),
        &deleted,
        "hold",
        "prune-standard",
    );
    check(
        of("apiextensions.k8s.io/v1", "CustomResourceDefinition", json!({})),
        &sync,
        "hold",
        "prune-standard",
    );
    check(
        of("v1", "Namespace", json!({"sluice.dev/prune": "delete"})),
        &sync,
        "delete",
        "prune-standard",
    );
    check(
        config(json!({"sluice.dev/prune": "keep"})),
        &sync,
        "keep",
        "prune-standard",
    );
    check(
        config(json!({"sluice.dev/prune": "kep"})),
        &sync,
        "hold",
        "prune-standard",
    );
    check(
        config(json!({"sluice.dev/prune": 7})),
        &sync,
        "hold",
        "prune-standard",
    );
    let argocd = |options: &str| config(json!({"argocd.argoproj.io/sync-options": options}));
    check(argocd("Prune=false"), &sync, "keep", "prune-argocd");
    check(argocd("Prune=confirm"), &sync, "hold", "prune-argocd");
    check(argocd("Prune=false"), &deleted, "delete", "prune-standard");
    check(argocd("Delete=false"), &deleted, "keep", "prune-argocd");
    check(argocd("Prune=true"), &never, "delete", "prune-standard");
    check(config(json!({})), &never, "keep", "prune-argocd");
    check(
        config(json!({"helm.sh/resource-policy": "keep"})),
        &sync,
        "keep",
        "prune-argocd",
    );
    check(
        config(json!({"kustomize.toolkit.fluxcd.io/prune": "Disabled"})),
        &sync,
        "keep",
        "prune-flux",
    );
    // Protection that is written in Git only.
    let plain = config(json!({}));
    assert_eq!(
        prune_of(
            &plain,
            Some(config(json!({"sluice.dev/prune": "keep"}))),
            &deleted
        )
        .0,
        "keep"
    );
    assert_eq!(
        prune_of(&plain, Some(argocd("Delete=confirm")), &deleted).0,
        "hold"
    );
}

fn sync_of(annotations: Value, options: &[&str]) -> SyncDecision {
    let options = options.iter().map(|text| (*text).to_owned()).collect();
    let context = SyncContext {
        now: now(),
        application: None,
        options,
    };
    let desired = object(
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "annotations": annotations}}),
    );
    let answer = PluginHost::standard().sync(&[], &[desired.into()], &context);
    assert_eq!(answer.problems, []);
    answer.value.into_iter().next().unwrap()
}

#[test]
fn hooks_of_argo_cd() {
    let check =
        |annotations: Value, hook: bool, skip: bool, ignored: bool, types: &[&str], phases: &[Phase]| {
            let got = sync_of(annotations.clone(), &[]);
            let want = (
                hook,
                skip,
                ignored,
                types.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(),
                phases.to_vec(),
            );
            assert_eq!(
                (got.hook, got.skip, got.ignored, got.hook_types, got.phases),
                want,
                "{annotations}"
            );
        };
    let argocd = |text: &str| json!({"argocd.argoproj.io/hook": text});
    let helm = |text: &str| json!({"helm.sh/hook": text});
    check(json!({}), false, false, false, &[], &[Phase::Sync]);
    check(
        argocd("PreSync"),
        true,
        false,
        false,
        &["PreSync"],
        &[Phase::PreSync],
    );
    check(
        argocd("PostSync, PreSync"),
        true,
        false,
        false,
        &["PostSync", "PreSync"],
        &[Phase::PreSync, Phase::PostSync],
    );
    check(argocd("Skip"), false, true, false, &["Skip"], &[]);
    check(
        argocd("Skip,PreSync"),
        true,
        false,
        false,
        &["Skip", "PreSync"],
        &[Phase::PreSync],
    );
    check(argocd("Garbage"), true, false, true, &[], &[]);
    check(
        argocd("Sync,Garbage"),
        true,
        false,
        false,
        &["Sync"],
        &[Phase::Sync],
    );
    check(
        helm("pre-install,pre-upgrade"),
        true,
        false,
        false,
        &["PreSync"],
        &[Phase::PreSync],
    );
    check(helm("garbage"), true, false, true, &[], &[]);
    check(helm("crd-install"), false, false, false, &[], &[Phase::Sync]);
    let both = json!({"argocd.argoproj.io/hook": "Sync", "helm.sh/hook": "pre-install"});
    check(both, true, false, false, &["Sync"], &[Phase::Sync]);
    check(
        helm("post-delete"),
        true,
        false,
        false,
        &["PostDelete"],
        &[Phase::PostDelete],
    );
    let unreadable = sync_of(json!({"argocd.argoproj.io/hook": {"x": 1}}), &[]);
    assert!(unreadable.hook && unreadable.hold.is_some(), "{unreadable:?}");
}

#[test]
fn options_of_all_three_dialects() {
    assert_eq!(
        sync_of(json!({}), &[]).delete_policies,
        [HookCleanup::BeforeHookCreation]
    );
    let succeeded = sync_of(json!({"helm.sh/hook-delete-policy": "hook-succeeded"}), &[]);
    assert_eq!(succeeded.delete_policies, [HookCleanup::HookSucceeded]);
    assert_eq!(sync_of(json!({"helm.sh/hook-weight": "-3"}), &[]).wave, -3);
    assert_eq!(
        sync_of(
            json!({"helm.sh/hook-weight": "3", "argocd.argoproj.io/sync-wave": "1"}),
            &[]
        )
        .wave,
        1
    );
    // The later plugin's word counts.
    let both = sync_of(
        json!({"argocd.argoproj.io/sync-wave": "1", "sluice.dev/sync-wave": "2"}),
        &[],
    );
    assert_eq!(
        (both.wave, both.decided_by.get("wave").map(String::as_str)),
        (2, Some("sync-standard"))
    );

    let options = |text: &str| sync_of(json!({"argocd.argoproj.io/sync-options": text}), &[]);
    assert_eq!(options("Replace=true").strategy, Strategy::Replace);
    assert_eq!(
        options("Replace=true,ServerSideApply=true").strategy,
        Strategy::Replace
    );
    assert_eq!(options("Force=true").strategy, Strategy::Recreate);
    assert!(!options("Validate=false").validate);
    assert!(sync_of(json!({}), &["PruneLast=true"]).prune_last);
    assert!(sync_of(json!({}), &["ServerSideApply=true"]).force);

    let flux = |key: &str, value: &str| {
        sync_of(json!({format!("kustomize.toolkit.fluxcd.io/{key}"): value}), &[]).strategy
    };
    assert_eq!(flux("ssa", "IfNotPresent"), Strategy::CreateOnly);
    assert_eq!(flux("ssa", "merge"), Strategy::Merge);
    assert_eq!(flux("reconcile", "disabled"), Strategy::LeaveAlone);

    let ours = |key: &str, value: &str| sync_of(json!({format!("sluice.dev/{key}"): value}), &[]);
    assert_eq!(
        ours("sync-strategy", "create-only").strategy,
        Strategy::CreateOnly
    );
    assert_eq!(
        ours("ignore-fields", "/spec/replicas, /data/a").ignore_fields,
        ["/data/a", "/spec/replicas"]
    );
    assert_eq!(ours("hook", "PostSync").phases, [Phase::PostSync]);
    let misspelt = [
        ("hook", "PostSink"),
        ("sync-wave", "one"),
        ("prune-last", "yes"),
        ("sync-strategy", "x"),
        ("ignore-fields", "spec"),
        ("hold", "not now"),
    ];
    for (key, value) in misspelt {
        assert!(ours(key, value).hold.is_some(), "{key}");
    }
}

#[test]
fn every_standard_plugin_is_listed_with_its_digest() {
    let list = PluginHost::standard().list();
    assert_eq!(list.problems, []);
    let names: Vec<&str> = list.value.iter().map(|info| info.name.as_str()).collect();
    let want = [
        "health-kubernetes",
        "prune-argocd",
        "prune-flux",
        "prune-standard",
        "sync-argocd",
        "sync-flux",
        "sync-standard",
    ];
    assert_eq!(names, want);
    assert!(
        list.value
            .iter()
            .all(|info| info.digest.len() == "sha256:".len() + 64 && !info.summary.is_empty())
    );
    let digests = PluginHost::standard().digests(&Policies::default());
    assert_eq!(digests.len(), want.len());
    assert!(
        digests
            .first()
            .is_some_and(|digest| digest.starts_with("health-kubernetes@sha256:"))
    );
}
