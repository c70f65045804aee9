//! What the prune policies let go, together.

use serde_json::{Value, json};
use sluice_model::Object;
use sluice_model::application::PolicyRef;
use sluice_model::census::Census;
use sluice_model::decision::{Occasion, Propagation, PruneVerdict};
use sluice_model::plan::ApplicationKey;
use sluice_plugin_host::{PluginHost, PruneContext, PruneObject};

use crate::{now, object};

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
    let candidate = PruneObject {
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

#[test]
fn a_propagation_survives_whoever_holds_the_deletion() {
    let decide = |live: Value, options: &[&str]| {
        let candidate = PruneObject::from(object(live));
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
        let candidates: Vec<PruneObject> = objects.iter().take(deleted).cloned().map(Into::into).collect();
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
