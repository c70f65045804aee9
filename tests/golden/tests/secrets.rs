//! No value of a Secret is in anything that is shown, whatever the shape of the Secret.

use std::collections::BTreeMap;

use proptest::prelude::*;
use sluice_compare::diff::Pair;
use sluice_compare::{against, compare, prepare};
use sluice_golden::history::{Settings, World};
use sluice_golden::shown::shown;
use sluice_model::Object;
use sluice_model::decision::Occasion;
use sluice_model::difference::Difference;
use sluice_model::secret::{Redactor, mask, mistakes};
use sluice_sandbox::{any_secret, values_of};

fn secret() -> impl Strategy<Value = Object> {
    any_secret().prop_map(|secret| Object::new(secret).expect("it has a kind"))
}

fn changes(difference: &Difference) -> String {
    match difference {
        Difference::Unowned(changes) | Difference::Changed(changes) => {
            serde_json::to_string(changes).expect("it is JSON")
        }
        Difference::Same | Difference::Missing => String::new(),
    }
}

/// All that is shown of a Secret that Git has in one way and the cluster in another.
fn faces(desired: &Object, live: &Object) -> Vec<(&'static str, String)> {
    let sent = prepare(desired, Some(live), &[]);
    let told = match compare(&sent, Some(live), &[]) {
        Difference::Unowned(changes) | Difference::Changed(changes) => changes,
        Difference::Same | Difference::Missing => Vec::new(),
    };
    let pair = |live| Pair {
        desired,
        live,
        ignore: &[],
        predecessors: &[],
        changes: None,
    };
    let known = Pair {
        changes: Some(&told),
        ..pair(Some(live))
    };
    let lines = |pair: Pair<'_>| {
        pair.unified(3)
            .iter()
            .map(|line| format!("{line}\n"))
            .collect::<String>()
    };
    let mut faces = vec![
        ("render", mask(desired).into_value().to_string()),
        ("compare", changes(&compare(&sent, Some(live), &[]))),
        (
            "dry-run",
            serde_json::to_string(&against(live, desired)).expect("it is JSON"),
        ),
        ("diff of a change", lines(pair(Some(live)))),
        ("diff of a creation", lines(pair(None))),
        ("diff of what was found out already", lines(known)),
        (
            "diff in columns",
            format!("{:?}", pair(Some(live)).side_by_side(3)),
        ),
        ("mistakes", mistakes(desired).join("\n")),
        ("debug", format!("{desired:?}")),
    ];
    let mut world = World::default();
    for secret in [live, desired] {
        let file = BTreeMap::from([("s.yaml".to_owned(), Some(secret.value().to_string()))]);
        world.commit(&file);
        match world.decide(Occasion::Sync, &Settings::default()) {
            Ok(decided) => {
                let made = &decided.plan;
                faces.push(("plan", made.to_json()));
                faces.push(("text of a plan", shown(made)));
                faces.push(("what was decided", format!("{decided:?}")));
                faces.push((
                    "refusals",
                    world.execute(made, &decided.manifests(), false).join("\n"),
                ));
            }
            Err(error) => faces.push(("refusal by render", format!("{error:?}"))),
        }
    }
    faces
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_face_shows_a_value(desired in secret(), live in secret()) {
        let faces = faces(&desired, &live);
        for value in values_of(desired.value()).iter().chain(&values_of(live.value())) {
            for (face, text) in &faces {
                prop_assert!(!text.contains(value.as_str()), "{face} shows `{value}`: {text}");
            }
        }
    }

    /// Others may have a value from elsewhere: from a webhook, a log line of a Pod, another object.
    #[test]
    fn no_text_of_others_keeps_a_value(secret in secret(), words in "[ -~]{0,30}") {
        let redactor = Redactor::of([&secret]);
        for value in values_of(secret.value()) {
            let text = redactor.text(&format!("{words} {value:?} {words}")).into_owned();
            prop_assert!(!text.contains(&value), "`{value}`: {text}");
        }
    }
}
