//! What the policies decide about how an object is applied or deleted stands in the plan, for whoever does it.

use serde_json::json;
use sluice_model::applyset::{self, PART_OF_LABEL};
use sluice_model::decision::{
    ApplyOptions, HookCleanup, Occasion, Phase, Propagation, PruneDecision, PruneVerdict, Strategy,
    SyncDecision,
};
use sluice_model::difference::{Difference, FieldChange};
use sluice_model::manifest::{Manifest, Origin};
use sluice_model::object::Object;
use sluice_model::plan::{Action, ApplicationKey, Plan};
use sluice_plan::{DesiredObject, Options, PlanInput, PruneCandidate, lint, plan};

fn config(live: bool) -> Object {
    let mut value =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "shop"}});
    if live {
        value["metadata"]["uid"] = "u".into();
        value["metadata"]["labels"] = json!({PART_OF_LABEL: applyset::id("shop", "shop")});
        value["metadata"]["managedFields"] = json!([{"manager": "sluice", "operation": "Apply"}]);
    }
    Object::new(value).expect("an object")
}

fn made(desired: Vec<DesiredObject>, candidates: Vec<PruneCandidate>) -> Plan {
    made_as(desired, candidates, true)
}

fn made_as(desired: Vec<DesiredObject>, candidates: Vec<PruneCandidate>, prune: bool) -> Plan {
    let input = PlanInput {
        application: ApplicationKey {
            namespace: "shop".into(),
            name: "shop".into(),
        },
        revision: "1".repeat(40),
        destination_namespace: "shop".into(),
        policies: Vec::new(),
        occasion: Occasion::Sync,
        desired,
        candidates,
        namespace: None,
        selection: Vec::new(),
        options: Options {
            allow_empty: true,
            prune,
            ..Options::default()
        },
    };
    let made = plan(input.clone());
    assert_eq!(lint::check_against(&made, &input), Vec::<String>::new());
    made
}

fn applied(live: Option<Object>, decision: SyncDecision) -> (bool, Strategy, ApplyOptions) {
    let change = FieldChange {
        pointer: "/data/a".into(),
        live: Some("1".into()),
        desired: Some("2".into()),
        holder: None,
        stays: false,
    };
    let desired = DesiredObject {
        manifest: Manifest {
            object: config(false),
            origin: Origin {
                file: "a.yaml".into(),
                line: 1,
            },
        },
        difference: match live {
            Some(_) => Difference::Changed(vec![change]),
            None => Difference::Missing,
        },
        live,
        decision,
        predecessors: Vec::new(),
        record: Default::default(),
        released: false,
        recreate: false,
    };
    let plan = made(vec![desired], Vec::new());
    // A plan that was written and read is the same plan.
    assert_eq!(
        serde_json::from_str::<Plan>(&plan.to_json()).expect("a plan"),
        plan
    );
    match &plan.steps.first().expect("a step").action {
        Action::Apply {
            delete_first,
            strategy,
            options,
            ..
        } => (*delete_first, *strategy, options.clone()),
        Action::Delete { .. } => panic!("a deletion"),
    }
}

#[test]
fn recreating_always_is_a_deletion_first_where_there_is_something() {
    let decision = || SyncDecision {
        strategy: Strategy::RecreateAlways,
        ..SyncDecision::default()
    };
    let (delete_first, strategy, _) = applied(Some(config(true)), decision());
    assert_eq!((delete_first, strategy), (true, Strategy::RecreateAlways));
    assert!(!applied(None, decision()).0);
    assert!(!applied(Some(config(true)), SyncDecision::default()).0);
}

#[test]
fn what_else_was_decided_is_carried_along() {
    let options = ApplyOptions {
        skip_dry_run_on_missing_kind: true,
        propagation: Some(Propagation::Orphan),
        no_wait: true,
        ignore_health: true,
        timeout: Some(90),
    };
    let decision = SyncDecision {
        options: options.clone(),
        ..SyncDecision::default()
    };
    assert_eq!(applied(None, decision).2, options);
    // It survives being written and read, and costs nothing where there is nothing to say.
    let json = serde_json::to_value(&options).unwrap();
    assert_eq!(serde_json::from_value::<ApplyOptions>(json).unwrap(), options);
    assert_eq!(serde_json::to_string(&ApplyOptions::default()).unwrap(), "{}");
}

fn candidate(live: Object, hook: bool) -> PruneCandidate {
    PruneCandidate {
        claimed: None,
        live,
        prune: PruneDecision {
            verdict: PruneVerdict::Delete,
            propagation: Propagation::Background,
            decided_by: None,
        },
        sync: SyncDecision {
            hook,
            ..SyncDecision::default()
        },
    }
}

fn wanted(object: Object, live: Option<Object>, decision: SyncDecision) -> DesiredObject {
    DesiredObject {
        manifest: Manifest {
            object,
            origin: Origin {
                file: "a.yaml".into(),
                line: 1,
            },
        },
        difference: match live {
            Some(_) => Difference::Same,
            None => Difference::Missing,
        },
        live,
        decision,
        predecessors: Vec::new(),
        record: Default::default(),
        released: false,
        recreate: false,
    }
}

fn at(object: Object, api_version: &str, kind: &str, name: &str) -> Object {
    object.edit(|map| {
        map["apiVersion"] = api_version.into();
        map["kind"] = kind.into();
        map["metadata"]["name"] = name.into();
    })
}

/// Reported: an object that the server has in two API groups was deleted under the one when Git moved it to the other.
#[test]
fn one_identity_is_one_object_in_whichever_group() {
    let old = at(config(true), "v1", "Event", "note");
    let new = at(config(true), "events.k8s.io/v1", "Event", "note");
    let moved = wanted(
        at(config(false), "events.k8s.io/v1", "Event", "note"),
        Some(new.clone()),
        SyncDecision::default(),
    );
    let plan = made(vec![moved], vec![candidate(old.clone(), false)]);
    assert!(plan.is_empty() && plan.kept.is_empty(), "{}", plan.to_json());
    // Gone from Git, it is deleted once.
    let plan = made(Vec::new(), vec![candidate(old, false), candidate(new, false)]);
    assert_eq!(plan.steps.len(), 1, "{}", plan.to_json());
}

/// Reported: with its record of managers wiped an object stayed for ever, in silence.
#[test]
fn what_has_no_record_waits_for_an_approval() {
    for record in [
        json!([]),
        json!([{}]),
        json!([{"manager": "velero-server", "operation": "Update"}]),
    ] {
        let wiped = config(true).edit(|map| map["metadata"]["managedFields"] = record.clone());
        let plan = made(Vec::new(), vec![candidate(wiped, false)]);
        assert!(plan.steps.is_empty() && plan.held.len() == 1, "{record}");
        assert!(plan.held[0].reason.contains("record of managers"));
    }
    // A label that was copied by whoever wrote the object makes it nobody's.
    let copied = config(true)
        .edit(|map| map["metadata"]["managedFields"] = json!([{"manager": "robot", "operation": "Update"}]));
    let plan = made(Vec::new(), vec![candidate(copied, false)]);
    assert!(plan.is_empty() && plan.kept.is_empty());
}

/// Reported: from the second revision on a hook with `generateName` made the Application OutOfSync.
#[test]
fn earlier_runs_of_a_hook_are_no_difference() {
    let hook = |name: Option<&str>| {
        config(name.is_some()).edit(|map| {
            let metadata = map["metadata"].as_object_mut().unwrap();
            metadata.insert("generateName".into(), "lint-".into());
            match name {
                Some(name) => metadata.insert("name".into(), name.into()),
                None => metadata.remove("name"),
            };
        })
    };
    let decision = SyncDecision {
        hook: true,
        phases: vec![Phase::PostSync],
        ..SyncDecision::default()
    };
    let run = candidate(hook(Some("lint-0123456-postsync-11111111")), true);
    let part = candidate(at(config(true), "v1", "ConfigMap", "lint-rules"), false);
    let desired = || wanted(hook(None), None, decision.clone());
    let plan = made(vec![desired()], vec![run.clone()]);
    assert!(plan.is_empty() && plan.kept.is_empty(), "{}", plan.to_json());
    // Where the hook runs again, what is left of earlier runs goes, unless it is to stay.
    let left = |policies: &[HookCleanup], prune: bool| {
        let mut hook = desired();
        if !policies.is_empty() {
            hook.decision.delete_policies = policies.to_vec();
            hook.decision
                .decided_by
                .insert("deletePolicies".into(), "sync-standard".into());
        }
        let part = wanted(
            at(config(false), "v1", "ConfigMap", "new"),
            None,
            SyncDecision::default(),
        );
        let mut other = run.clone();
        other.live = at(other.live, "v1", "ConfigMap", "other-0123456-postsync-11111111");
        other.live = other
            .live
            .edit(|map| map["metadata"]["generateName"] = "other-".into());
        let mut kept = run.clone();
        kept.live = at(kept.live, "v1", "ConfigMap", "lint-9999999-postsync-11111111");
        kept.prune.verdict = PruneVerdict::Keep {
            reason: "asked for".into(),
        };
        let plan = made_as(vec![hook, part], vec![run.clone(), kept, other], prune);
        let deletions = plan
            .steps
            .iter()
            .filter(|step| matches!(step.action, Action::Delete { .. }));
        deletions.map(|step| step.object.name.clone()).collect::<Vec<_>>()
    };
    let all = [
        "other-0123456-postsync-11111111",
        "lint-0123456-postsync-11111111",
    ];
    assert_eq!(left(&[HookCleanup::BeforeHookCreation], true), all);
    assert_eq!(left(&[HookCleanup::HookSucceeded], true), all[..1]);
    assert_eq!(left(&[], true), all[..1], "nobody asked for it");
    assert_eq!(left(&[HookCleanup::BeforeHookCreation], false), all[..0]);
    // What only begins like one is no run of it; without the hook in Git the runs go.
    let plan = made(vec![desired()], vec![part]);
    assert_eq!(
        plan.steps
            .iter()
            .filter(|step| matches!(step.action, Action::Delete { .. }))
            .count(),
        1
    );
    let plan = made(Vec::new(), vec![run]);
    assert_eq!(plan.steps.len(), 1);
}

#[test]
fn a_held_deletion_is_done_as_the_policies_said() {
    let candidate = PruneCandidate {
        claimed: None,
        live: config(true),
        prune: PruneDecision {
            verdict: PruneVerdict::Hold { reason: "r".into() },
            propagation: Propagation::Orphan,
            decided_by: None,
        },
        sync: SyncDecision::default(),
    };
    let plan = made(Vec::new(), vec![candidate]);
    let action = &plan.held.first().unwrap().step.action;
    assert_eq!(
        *action,
        Action::Delete {
            propagation: Propagation::Orphan,
            begun: false,
        }
    );
}

fn going(api_version: &str, kind: &str, namespaced: bool, begun: bool, wave: i32) -> PruneCandidate {
    let mut value = json!({"apiVersion": api_version, "kind": kind, "metadata": {
        "name": "operator", "uid": format!("u-{kind}"), "resourceVersion": "7",
        "labels": {PART_OF_LABEL: applyset::id("shop", "shop")},
        "managedFields": [{"manager": "sluice", "operation": "Apply"}],
    }});
    if namespaced {
        value["metadata"]["namespace"] = "shop".into();
    }
    if begun {
        value["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
        value["metadata"]["finalizers"] = json!(["example.com/cleanup"]);
    }
    PruneCandidate {
        claimed: None,
        live: Object::new(value).expect("an object"),
        prune: PruneDecision {
            verdict: PruneVerdict::Delete,
            propagation: Propagation::Foreground,
            decided_by: None,
        },
        sync: SyncDecision {
            wave,
            ..SyncDecision::default()
        },
    }
}

fn deleted(candidates: Vec<PruneCandidate>) -> Vec<String> {
    let shown = |step: &sluice_model::plan::Step| match step.action {
        Action::Delete { begun: true, .. } => format!("await {} {}", step.wave, step.object.kind),
        Action::Delete { .. } => format!("delete {} {}", step.wave, step.object.kind),
        Action::Apply { .. } => panic!("an apply"),
    };
    made(Vec::new(), candidates).steps.iter().map(shown).collect()
}

/// An operator, its rights and its custom object leave Git together (public reports: the object never goes).
#[test]
fn what_makes_something_work_is_deleted_after_it() {
    let all = |begun: bool| {
        vec![
            going("v1", "Namespace", false, false, 0),
            going("v1", "ServiceAccount", true, false, 0),
            going("rbac.authorization.k8s.io/v1", "Role", true, false, 0),
            going("scheduling.k8s.io/v1", "PriorityClass", false, false, 0),
            going("apps/v1", "Deployment", true, false, 0),
            going(
                "admissionregistration.k8s.io/v1",
                "ValidatingWebhookConfiguration",
                false,
                false,
                0,
            ),
            going(
                "apiextensions.k8s.io/v1",
                "CustomResourceDefinition",
                false,
                false,
                0,
            ),
            going("example.com/v1", "Realm", true, begun, 0),
        ]
    };
    let rest = [
        "delete 0 ValidatingWebhookConfiguration",
        "delete 0 Deployment",
        "delete 0 Role",
        "delete 0 ServiceAccount",
        "delete 0 PriorityClass",
        "delete 0 CustomResourceDefinition",
        "delete 0 Namespace",
    ];
    assert_eq!(deleted(all(false)), [&["delete 0 Realm"], &rest[..]].concat());
    // The next plan, while the operator has not let it go.
    assert_eq!(deleted(all(true)), [&["await 0 Realm"], &rest[..]].concat());
}

#[test]
fn what_is_on_its_way_out_is_in_the_plan_only_where_something_waits_for_it() {
    let realm = |wave| going("example.com/v1", "Realm", true, true, wave);
    let account = |wave| going("v1", "ServiceAccount", true, false, wave);
    assert_eq!(deleted(vec![realm(0)]), Vec::<String>::new());
    // Higher waves go first.
    assert_eq!(deleted(vec![realm(0), account(1)]), ["delete 1 ServiceAccount"]);
    assert_eq!(
        deleted(vec![realm(1), account(0)]),
        ["await 0 Realm", "delete 1 ServiceAccount"]
    );
    // Nothing that holds it: it goes by itself.
    let mut free = realm(1);
    free.live = free.live.edit(|map| {
        map["metadata"].as_object_mut().unwrap().remove("finalizers");
    });
    assert_eq!(deleted(vec![free, account(0)]), ["delete 0 ServiceAccount"]);
    // It may change while it goes.
    let plan = made(Vec::new(), vec![realm(0), account(0)]);
    let first = plan.steps.first().unwrap();
    assert_eq!(first.precondition.as_ref().unwrap().resource_version, None);
}

/// A person decides about the custom object; until then nothing may go that it needs, or with which it would go.
#[test]
fn what_an_object_needs_whose_deletion_waits_waits_too() {
    let hold = |mut candidate: PruneCandidate| {
        candidate.prune.verdict = PruneVerdict::Hold {
            reason: "data".into(),
        };
        candidate.prune.decided_by = Some("prune-standard".into());
        candidate
    };
    let named = |candidate: PruneCandidate, name: &str| PruneCandidate {
        live: candidate.live.edit(|map| map["metadata"]["name"] = name.into()),
        ..candidate
    };
    let defines = |candidate: PruneCandidate, kind: &str| PruneCandidate {
        live: candidate.live.edit(|map| {
            drop(map.insert(
                "spec".into(),
                json!({"group": "example.com", "names": {"kind": kind}}),
            ))
        }),
        ..candidate
    };
    let rbac = "rbac.authorization.k8s.io/v1";
    let definitions = "apiextensions.k8s.io/v1";
    let plan = made(
        Vec::new(),
        vec![
            hold(going("example.com/v1", "Realm", true, false, 0)),
            going("apps/v1", "Deployment", true, false, 0),
            going("v1", "ServiceAccount", true, false, 0),
            going(rbac, "ClusterRoleBinding", false, false, 0),
            going("v1", "ConfigMap", true, false, 0),
            defines(
                named(
                    going(definitions, "CustomResourceDefinition", false, false, 0),
                    "realms.example.com",
                ),
                "Realm",
            ),
            named(going("v1", "Namespace", false, false, 0), "shop"),
        ],
    );
    let done: Vec<&str> = plan.steps.iter().map(|step| step.object.kind.as_str()).collect();
    assert_eq!(done, ["ConfigMap"]);
    assert_eq!(plan.held.len(), 6);
    for held in &plan.held {
        let (reason, by) = match held.step.object.kind.as_str() {
            "Realm" => ("data", Some("prune-standard")),
            _ => (
                "Realm.example.com shop/operator needs it, whose deletion waits",
                None,
            ),
        };
        assert_eq!(
            (held.reason.as_str(), held.decided_by.as_deref()),
            (reason, by),
            "{}",
            held.step.object
        );
    }

    // Another kind's definition, another namespace, and what no custom object is about go.
    let plan = made(
        Vec::new(),
        vec![
            hold(going("v1", "PersistentVolumeClaim", true, false, 0)),
            going("apps/v1", "Deployment", true, false, 0),
            defines(
                named(
                    going(definitions, "CustomResourceDefinition", false, false, 0),
                    "others.example.com",
                ),
                "Other",
            ),
            named(going("v1", "Namespace", false, false, 0), "elsewhere"),
        ],
    );
    assert_eq!((plan.steps.len(), plan.held.len()), (3, 1), "{}", plan.to_json());

    // What a policy keeps would be lost with its namespace.
    let mut kept = going("v1", "ConfigMap", true, false, 0);
    kept.prune.verdict = PruneVerdict::Keep {
        reason: "asked for".into(),
    };
    let plan = made(
        Vec::new(),
        vec![kept, named(going("v1", "Namespace", false, false, 0), "shop")],
    );
    assert!(
        plan.steps.is_empty() && plan.held[0].reason.ends_with("would go with it, and is kept"),
        "{}",
        plan.to_json()
    );
}
