//! The standard plugins, as they are embedded: the real Wasm, asked through the public interface.
#![expect(clippy::unwrap_used, reason = "the shared parts of tests are tests too")]

use serde_json::{Value, json};
use sluice_model::Object;
use sluice_model::application::{Policies, PolicyRef};
use sluice_model::decision::{
    HookCleanup, Occasion, Phase, Propagation, PruneVerdict, Strategy, SyncDecision,
};
use sluice_model::health::HealthStatus;
use sluice_model::plan::ApplicationKey;
use sluice_plugin_host::{Census, PluginHost, PruneCandidate, PruneContext, SyncContext, SyncObject};

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
        owned: Census::default(),
        desired: Census::default(),
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
        PruneVerdict::Delete => "delete",
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
fn waves_clean_up_and_what_nobody_understands() {
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
    let misspelt = [
        ("hook", "PostSink"),
        ("sync-wave", "one"),
        ("prune-last", "yes"),
        ("prune-propagation", "slowly"),
        ("sync-strategy", "x"),
        ("take-over", ""),
        ("hook-timeout", "0s"),
        ("hook-timeout", "99999999h"),
        ("wait", "no"),
        ("ignore-fields", "spec"),
        ("hold", "not now"),
    ];
    for (key, value) in misspelt {
        assert!(ours(key, value).hold.is_some(), "{key}");
    }
}

fn ours(key: &str, value: &str) -> SyncDecision {
    sync_of(json!({format!("sluice.dev/{key}"): value}), &[])
}

#[test]
fn options_of_argo_cd_at_both_levels() {
    let resource = |text: &str| sync_of(json!({"argocd.argoproj.io/sync-options": text}), &[]);
    let application = |text: &str| sync_of(json!({}), &[text]);
    let both =
        |text: &str, option: &str| sync_of(json!({"argocd.argoproj.io/sync-options": text}), &[option]);
    assert_eq!(resource("Replace=true").strategy, Strategy::Replace);
    assert_eq!(application("Replace=true").strategy, Strategy::Replace);
    assert_eq!(resource("Force=true").strategy, Strategy::Recreate);
    assert_eq!(application("Force=true").strategy, Strategy::ServerSideApply);
    assert_eq!(
        resource("Force=true,Replace=true").strategy,
        Strategy::RecreateAlways
    );
    assert_eq!(
        both("Force=true", "Replace=true").strategy,
        Strategy::RecreateAlways
    );
    let replaced = resource("Replace=true,ServerSideApply=true");
    assert_eq!((replaced.strategy, replaced.force), (Strategy::Replace, false));
    let forced = resource("Force=true,ServerSideApply=true");
    assert_eq!((forced.strategy, forced.force), (Strategy::ServerSideApply, true));
    assert!(resource("ServerSideApply=true").force);
    assert!(application("ServerSideApply=true").force);
    assert!(!both("ServerSideApply=false", "ServerSideApply=true").force);
    assert!(!resource("Validate=false").validate && !application("Validate=false").validate);
    let missing_kind = "SkipDryRunOnMissingResource=true";
    assert!(resource(missing_kind).options.skip_dry_run_on_missing_kind);
    assert!(application(missing_kind).options.skip_dry_run_on_missing_kind);
    assert!(resource("PruneLast=true").prune_last && application("PruneLast=true").prune_last);
    let propagation = |text: &str| application(text).options.propagation;
    assert_eq!(
        propagation("PrunePropagationPolicy=orphan"),
        Some(Propagation::Orphan)
    );
    assert_eq!(propagation("PrunePropagationPolicy=x"), None);
    assert_eq!(
        application("ClientSideApplyMigration=false").take_over,
        Some(Vec::new())
    );
    // What the engine does in any case, or by itself, is no plugin's business.
    for option in [
        "ApplyOutOfSyncOnly=true",
        "RespectIgnoreDifferences=true",
        "CreateNamespace=true",
        "Replace=false",
    ] {
        assert_eq!(application(option), SyncDecision::default(), "{option}");
    }
    // Namespaces and CRDs are never deleted to be made anew.
    let context = SyncContext {
        now: now(),
        application: None,
        options: Vec::new(),
    };
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n", "annotations": {
        "argocd.argoproj.io/sync-options": "Force=true,Replace=true"}}});
    let answer = PluginHost::standard().sync(&[], &[object(namespace).into()], &context);
    assert_eq!(answer.value.first().unwrap().strategy, Strategy::Replace);
}

#[test]
fn an_object_of_another_argo_cd_application_is_not_shared() {
    let holds = |id: &str, option: &str| {
        let config = |annotations: Value| {
            object(json!({"apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": "c", "namespace": "n", "annotations": annotations}}))
        };
        let change = SyncObject {
            desired: Some(config(json!({}))),
            live: Some(config(json!({"argocd.argoproj.io/tracking-id": id}))),
        };
        let context = SyncContext {
            now: now(),
            application: Some(ApplicationKey {
                namespace: "shop".into(),
                name: "web".into(),
            }),
            options: vec![option.to_owned()],
        };
        let answer = PluginHost::standard().sync(&[], &[change], &context);
        answer.value.into_iter().next().unwrap().hold
    };
    let fail = "FailOnSharedResource=true";
    assert!(holds("other:/ConfigMap:n/c", fail).unwrap().contains("`other`"));
    assert_eq!(holds("other:/ConfigMap:n/c", "x=true"), None);
    assert_eq!(holds("web:/ConfigMap:n/c", fail), None);
    assert_eq!(holds("shop_web:/ConfigMap:n/c", fail), None);
    // Copied from another object.
    assert_eq!(holds("other:/ConfigMap:n/d", fail), None);
}

#[test]
fn words_of_flux() {
    let flux =
        |key: &str, value: &str| sync_of(json!({format!("kustomize.toolkit.fluxcd.io/{key}"): value}), &[]);
    assert_eq!(flux("ssa", "IfNotPresent").strategy, Strategy::CreateOnly);
    assert_eq!(flux("ssa", "Ignore").strategy, Strategy::LeaveAlone);
    assert_eq!(flux("reconcile", "disabled").strategy, Strategy::LeaveAlone);
    assert_eq!(flux("force", "Enabled").strategy, Strategy::Recreate);
    let (merge, whole) = (flux("ssa", "merge"), flux("ssa", "Override"));
    assert_eq!((merge.strategy, merge.force), (Strategy::ServerSideApply, true));
    assert_eq!((whole.strategy, whole.force), (Strategy::ServerSideApply, true));
    assert_eq!((merge.take_over, whole.take_over), (Some(Vec::new()), None));
}

#[test]
fn words_of_ours() {
    let strategies = [
        ("server-side-apply", Strategy::ServerSideApply),
        ("merge", Strategy::Merge),
        ("create-only", Strategy::CreateOnly),
        ("replace", Strategy::Replace),
        ("recreate", Strategy::Recreate),
        ("recreate-always", Strategy::RecreateAlways),
        ("leave-alone", Strategy::LeaveAlone),
    ];
    for (word, strategy) in strategies {
        assert_eq!(ours("sync-strategy", word).strategy, strategy);
    }
    let fields = r#"/spec/replicas, .spec.rules[] | select(.host == "a, b")"#;
    assert_eq!(
        ours("ignore-fields", fields).ignore_fields,
        [r#".spec.rules[] | select(.host == "a, b")"#, "/spec/replicas"]
    );
    assert_eq!(
        ours("ignore-managers", "hpa, vpa").ignore_managers,
        ["hpa", "vpa"]
    );
    assert_eq!(ours("hook", "PostSync").phases, [Phase::PostSync]);
    assert!(ours("force-conflicts", "true").force);
    assert!(ours("wait", "false").options.no_wait && !ours("wait", "true").options.no_wait);
    assert_eq!(ours("hook-timeout", "5m").options.timeout, Some(300));
    assert_eq!(ours("take-over", "none").take_over, Some(Vec::new()));
    assert_eq!(
        ours("take-over", "my-tool").take_over,
        Some(vec!["my-tool".to_owned()])
    );
    assert_eq!(
        ours("prune-propagation", "orphan").options.propagation,
        Some(Propagation::Orphan)
    );
}

/// Argo CD's words first, then Flux's, then ours: the later one's counts, and what it overruled is told.
#[test]
fn mixed_annotations_have_an_order() {
    let mixed = sync_of(
        json!({
            "argocd.argoproj.io/sync-options": "Replace=true,Validate=false",
            "argocd.argoproj.io/sync-wave": "1",
            "argocd.argoproj.io/hook": "PreSync",
            "kustomize.toolkit.fluxcd.io/ssa": "Merge",
            "sluice.dev/sync-wave": "2",
            "sluice.dev/hook": "Sync",
            "sluice.dev/ignore-fields": "/data/a",
        }),
        &[],
    );
    let by = |field: &str| mixed.decided_by.get(field).map(String::as_str);
    assert_eq!((mixed.wave, by("wave")), (2, Some("sync-standard")));
    assert_eq!(
        (&mixed.phases[..], by("phases")),
        (&[Phase::Sync][..], Some("sync-standard"))
    );
    assert_eq!(
        (mixed.strategy, by("strategy")),
        (Strategy::ServerSideApply, Some("sync-flux"))
    );
    assert_eq!((mixed.validate, by("validate")), (false, Some("sync-argocd")));
    assert_eq!(by("ignoreFields"), Some("sync-standard"));
    let overruled: Vec<(&str, &str, String)> = mixed
        .overruled
        .iter()
        .map(|word| (word.field.as_str(), word.plugin.as_str(), word.value.to_string()))
        .collect();
    let text = |field, plugin, value: &str| (field, plugin, value.to_owned());
    assert_eq!(
        overruled,
        [
            text("strategy", "sync-argocd", r#""replace""#),
            text("hookTypes", "sync-argocd", r#"["PreSync"]"#),
            text("phases", "sync-argocd", r#"["PreSync"]"#),
            text("wave", "sync-argocd", "1"),
        ]
    );
}

#[test]
fn a_propagation_survives_whoever_holds_the_deletion() {
    let decide = |live: Value, options: &[&str]| {
        let candidate = PruneCandidate::from(object(live));
        let answer = PluginHost::standard().prune(&[], &[candidate], &prune_context(Occasion::Sync, options));
        let decision = answer.value.into_iter().next().unwrap();
        (decision.verdict, decision.propagation)
    };
    let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "x"}});
    let (verdict, propagation) = decide(claim, &["PrunePropagationPolicy=orphan"]);
    assert!(matches!(verdict, PruneVerdict::Hold { .. }));
    assert_eq!(propagation, Propagation::Orphan);
    let annotated = |propagation: &str| {
        json!({"apiVersion": "v1", "kind": "ConfigMap",
               "metadata": {"name": "x", "annotations": {"sluice.dev/prune-propagation": propagation}}})
    };
    let background = &["PrunePropagationPolicy=background"];
    assert_eq!(
        decide(annotated("orphan"), background),
        (PruneVerdict::Delete, Propagation::Orphan)
    );
    assert_eq!(
        decide(annotated("foreground"), background),
        (PruneVerdict::Delete, Propagation::Background)
    );
    assert_eq!(
        decide(annotated("foreground"), &[]),
        (PruneVerdict::Delete, Propagation::Foreground)
    );
}

#[test]
fn a_plan_that_deletes_most_of_an_application_waits() {
    let objects: Vec<Object> = (0..10)
        .map(|number| {
            object(
                json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("c{number}")}}),
            )
        })
        .collect();
    let held = |deleted: usize, settings: Option<Value>| {
        let candidates: Vec<PruneCandidate> = objects.iter().take(deleted).cloned().map(Into::into).collect();
        let context = PruneContext {
            owned: objects.iter().collect(),
            ..prune_context(Occasion::Sync, &[])
        };
        let policies: Vec<PolicyRef> = settings
            .map(|settings| {
                let policies = json!([{"plugin": "prune-standard"}, {"plugin": "prune-blast-radius", "settings": settings}]);
                serde_json::from_value(policies).unwrap()
            })
            .unwrap_or_default();
        let answer = PluginHost::standard().prune(&policies, &candidates, &context);
        let codes: Vec<&str> = answer.problems.iter().map(|problem| problem.code.id).collect();
        assert_eq!(answer.value.len(), deleted);
        (answer.value.first().unwrap().verdict.clone(), codes)
    };
    let (verdict, codes) = held(9, None);
    let reason = "the plan deletes 9 of 10 objects the application owns (90 %); more than 50 % at once wait for approval";
    assert_eq!(
        verdict,
        PruneVerdict::Hold {
            reason: reason.into()
        }
    );
    assert_eq!(codes, [""; 0]);
    assert_eq!(held(5, None).0, PruneVerdict::Delete);
    assert!(matches!(held(6, None).0, PruneVerdict::Hold { .. }));
    assert!(matches!(
        held(2, Some(json!({"maxCount": 1}))).0,
        PruneVerdict::Hold { .. }
    ));
    assert_eq!(
        held(9, Some(json!({"maxSharePercent": 90}))).0,
        PruneVerdict::Delete
    );
    // The schema speaks before the plugin does; and nothing goes on settings that nobody understands.
    let (verdict, codes) = held(1, Some(json!({"maxCount": "many"})));
    let PruneVerdict::Keep { reason } = verdict else {
        panic!("{verdict:?}")
    };
    assert!(
        reason.contains("`/maxCount`: want integer, but got string"),
        "{reason}"
    );
    assert_eq!(codes, ["P07"]);
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
        "prune-blast-radius",
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
