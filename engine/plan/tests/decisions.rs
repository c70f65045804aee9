//! What the policies decide about how an object is applied or deleted stands in the plan, for whoever does it.

use serde_json::json;
use sluice_model::applyset::{self, PART_OF_LABEL};
use sluice_model::decision::{
    ApplyOptions, Occasion, Propagation, PruneDecision, PruneVerdict, Strategy, SyncDecision,
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
            propagation: Propagation::Orphan
        }
    );
}
