//! What the sync policies make of annotations and options, together.

use serde_json::{Value, json};
use sluice_model::decision::{HookCleanup, Phase, Propagation, Strategy, SyncDecision};
use sluice_model::plan::ApplicationKey;
use sluice_plugin_host::{PluginHost, SyncContext, SyncObject};

use crate::{now, object};

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
