//! The rule, case by case: every status in every role, alone, after a while, and beside others.

use std::time::Duration;

use sluice_health::{
    Answer, Awaited, Expectation, Failure, ObjectHealth, PATIENCE_WITH_DEGRADED, Role, Wait, is_over, worst,
};
use sluice_model::ObjectRef;
use sluice_model::health::HealthStatus::{self, Degraded, Healthy, Missing, Progressing, Suspended, Unknown};
use sluice_model::health::HealthVerdict;

const ALL: [HealthStatus; 6] = [Healthy, Suspended, Progressing, Missing, Degraded, Unknown];
/// After so many seconds, the statuses of `a`, `b`, ….
type Looks = [(u64, &'static [HealthStatus])];

const PATIENCE: Duration = Duration::from_secs(600);

fn health(name: &str, status: HealthStatus) -> ObjectHealth {
    ObjectHealth {
        object: ObjectRef {
            group: "apps".to_owned(),
            version: "v1".to_owned(),
            kind: "Deployment".to_owned(),
            namespace: Some("shop".to_owned()),
            name: name.to_owned(),
        },
        verdict: HealthVerdict {
            status,
            message: String::new(),
            plugin: None,
        },
    }
}

fn awaited(name: &str, status: HealthStatus, role: Role, timeout: Option<u64>) -> Awaited {
    Awaited {
        health: health(name, status),
        expectation: Expectation {
            role,
            timeout: timeout.map(Duration::from_secs),
        },
    }
}

/// `over`, `a waits 595`, `a is degraded`, `a is late`: after looks at these seconds, each with these statuses of `a`, `b`, ….
fn after(looks: &[(u64, &[HealthStatus])], roles: &[(Role, Option<u64>)]) -> String {
    let (mut wait, mut said) = (Wait::default(), String::new());
    for (seconds, statuses) in looks {
        let awaited: Vec<Awaited> = statuses
            .iter()
            .zip(roles)
            .zip(["a", "b", "c"])
            .map(|((status, (role, timeout)), name)| awaited(name, *status, *role, *timeout))
            .collect();
        let answer;
        (wait, answer) = wait.judge(&awaited, Duration::from_secs(*seconds), PATIENCE);
        said = match answer {
            Answer::Over => "over".to_owned(),
            Answer::Waiting { on, next } => format!("{} waits {}", on.object.name, next.as_secs()),
            Answer::Failed {
                on,
                why: Failure::Degraded,
            } => format!("{} is degraded", on.object.name),
            Answer::Failed {
                on,
                why: Failure::Late,
            } => format!("{} is late", on.object.name),
        };
    }
    said
}

#[test]
fn every_status_in_every_role_at_every_age() {
    // Status, role; then what is said at once, after 5 s of it, just before the end of the time, at its end.
    let waits = ["a waits 600", "a waits 595", "a waits 1", "a is late"];
    let fails = ["a waits 5", "a is degraded", "a is degraded", "a is degraded"];
    let over = ["over"; 4];
    #[rustfmt::skip]
    let table = [
        (Healthy, Role::Part, over), (Healthy, Role::Hook, over),
        (Suspended, Role::Part, over), (Suspended, Role::Hook, waits),
        (Progressing, Role::Part, waits), (Progressing, Role::Hook, waits),
        (Missing, Role::Part, waits), (Missing, Role::Hook, waits),
        (Degraded, Role::Part, fails), (Degraded, Role::Hook, fails),
        (Unknown, Role::Part, waits), (Unknown, Role::Hook, waits),
    ];
    for (status, role, expected) in table {
        for (seconds, expected) in [0, 5, 599, 600].into_iter().zip(expected) {
            let looks: [(u64, &[HealthStatus]); 2] = [(0, &[status]), (seconds, &[status])];
            let said = after(&looks, &[(role, None)]);
            assert_eq!(said, expected, "{status:?} {role:?} after {seconds} s");
        }
    }
}

#[test]
fn an_objects_own_time_counts_whoever_waits() {
    for role in [Role::Part, Role::Hook] {
        for (own, seconds, expected) in [
            (60, 0, "a waits 60"),
            (60, 59, "a waits 1"),
            (60, 60, "a is late"),
            (6_000, 600, "a waits 5400"),
            (6_000, 6_000, "a is late"),
            (0, 0, "a is late"),
        ] {
            let said = after(&[(seconds, &[Progressing])], &[(role, Some(own))]);
            assert_eq!(said, expected, "{role:?} with {own} s after {seconds} s");
        }
    }
    // One that is over in time may take no time at all.
    assert_eq!(after(&[(0, &[Healthy])], &[(Role::Part, Some(0))]), "over");
}

#[test]
fn degraded_has_to_last() {
    let part = [(Role::Part, None)];
    #[rustfmt::skip]
    let table: [(&'static Looks, &str); 6] = [
        (&[(0, &[Degraded])], "a waits 5"),
        (&[(0, &[Degraded]), (4, &[Degraded])], "a waits 1"),
        (&[(0, &[Degraded]), (5, &[Degraded])], "a is degraded"),
        (&[(0, &[Degraded]), (3, &[Progressing]), (6, &[Degraded])], "a waits 5"),
        (&[(0, &[Degraded]), (3, &[Healthy])], "over"),
        (&[(0, &[Progressing]), (4, &[Degraded]), (8, &[Degraded])], "a waits 1"),
    ];
    for (looks, expected) in table {
        assert_eq!(after(looks, &part), expected, "{looks:?}");
    }
    assert_eq!(PATIENCE_WITH_DEGRADED, Duration::from_secs(5));
}

#[test]
fn each_object_has_patience_of_its_own() {
    let parts = [(Role::Part, None), (Role::Part, None)];
    // One recovers while the other one fails: the second has its own five seconds.
    let looks: [(u64, &[HealthStatus]); 3] = [
        (0, &[Degraded, Progressing]),
        (4, &[Progressing, Degraded]),
        (6, &[Progressing, Degraded]),
    ];
    assert_eq!(after(&looks, &parts), "b waits 3");
}

#[test]
fn the_first_of_the_worst_speaks() {
    let parts = [(Role::Part, None), (Role::Part, None), (Role::Part, None)];
    for (statuses, expected) in [
        ([Progressing, Progressing, Healthy], "a waits 600"),
        ([Healthy, Progressing, Missing], "c waits 600"),
        ([Unknown, Unknown, Missing], "a waits 600"),
        ([Suspended, Healthy, Suspended], "over"),
    ] {
        assert_eq!(after(&[(0, &statuses)], &parts), expected, "{statuses:?}");
    }
    let objects = [health("a", Healthy), health("b", Degraded), health("c", Degraded)];
    assert_eq!(worst(&objects).map(|worst| worst.object.name.as_str()), Some("b"));
    assert!(worst(&[]).is_none());
}

#[test]
fn a_suspended_hook_holds_what_comes_after_it() {
    let both = [(Role::Part, None), (Role::Hook, Some(30))];
    assert_eq!(after(&[(0, &[Suspended, Suspended])], &both), "b waits 30");
    assert_eq!(after(&[(30, &[Suspended, Suspended])], &both), "b is late");
    assert_eq!(after(&[(30, &[Suspended, Healthy])], &both), "over");
}

#[test]
fn nothing_to_wait_for_is_over() {
    let (wait, answer) = Wait::default().judge(&[], Duration::MAX, Duration::ZERO);
    assert_eq!((wait, answer), (Wait::default(), Answer::Over));
}

#[test]
fn only_healthy_and_what_was_paused_on_purpose_is_over() {
    let over: Vec<(HealthStatus, Role)> = ALL
        .into_iter()
        .flat_map(|status| [(status, Role::Part), (status, Role::Hook)])
        .filter(|(status, role)| is_over(*role, *status))
        .collect();
    assert_eq!(
        over,
        [
            (Healthy, Role::Part),
            (Healthy, Role::Hook),
            (Suspended, Role::Part)
        ]
    );
}

#[test]
fn what_a_step_is_to_the_wait() {
    use sluice_model::decision::{ApplyOptions, HookCleanup, Phase, Propagation, Strategy};
    use sluice_model::plan::{Action, ApplicationKey, PLAN_VERSION, Plan, Rerecord, Step};

    let step = |name: &str, action: Action| Step {
        phase: Phase::Sync,
        wave: 0,
        object: health(name, Healthy).object,
        action,
        origin: None,
        changes: Vec::new(),
        precondition: None,
        rests_on: Vec::new(),
    };
    let applied = |cleanup: Vec<HookCleanup>, timeout: Option<u32>| Action::Apply {
        manifest: std::sync::Arc::default(),
        strategy: Strategy::ServerSideApply,
        force: false,
        validate: true,
        delete_first: false,
        take_over: Vec::new(),
        record: Rerecord::default(),
        cleanup,
        options: ApplyOptions {
            timeout,
            ..ApplyOptions::default()
        },
    };
    let deleted = Action::Delete {
        propagation: Propagation::Background,
        begun: false,
    };
    let steps = vec![
        step("part", applied(Vec::new(), None)),
        step("slow", applied(Vec::new(), Some(900))),
        step("hook", applied(vec![HookCleanup::HookSucceeded], Some(5))),
        step("gone", deleted),
    ];
    let expected = [
        Some((Role::Part, None)),
        Some((Role::Part, Some(900))),
        Some((Role::Hook, Some(5))),
        None,
    ];
    let plan = Plan {
        version: PLAN_VERSION.to_owned(),
        application: ApplicationKey {
            namespace: "shop".to_owned(),
            name: "web".to_owned(),
        },
        revision: "1".to_owned(),
        destination_namespace: "shop".to_owned(),
        policies: Vec::new(),
        steps,
        held: Vec::new(),
        kept: Vec::new(),
        blocked: Vec::new(),
        unchanged: 0,
    };
    let all = Expectation::all(&plan);
    for (step, expected) in plan.steps.iter().zip(expected) {
        let expected = expected.map(|(role, seconds)| Expectation {
            role,
            timeout: seconds.map(Duration::from_secs),
        });
        assert_eq!(Expectation::of(step), expected, "{}", step.object);
        assert_eq!(all.get(&step.object.key()), expected.as_ref(), "{}", step.object);
    }
}
