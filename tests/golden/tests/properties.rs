//! What holds for every plan, whatever the application, the cluster and the policies.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use sluice_golden::history::{Settings, World, owned};
use sluice_golden::policies::Policies;
use sluice_model::decision::Occasion;
use sluice_model::plan::Action;
use sluice_plan::{lint, plan};

/// One manifest: which of a few objects, its content, its annotations.
#[derive(Debug, Clone)]
struct Written {
    kind: usize,
    name: usize,
    content: u8,
    wave: i8,
    annotation: usize,
}

const ANNOTATIONS: &[&str] = &[
    "sluice.dev/none: \"\"",
    "sluice.dev/prune: keep",
    "sluice.dev/prune: hold",
    "sluice.dev/prune-last: \"true\"",
    "sluice.dev/hook: PreSync",
    "sluice.dev/hook: \"Sync,PostSync\"",
    "sluice.dev/sync-strategy: create-only",
    "sluice.dev/sync-strategy: replace",
    "helm.sh/hook: test",
    "sluice.dev/ignore-fields: /data/key",
];

impl Written {
    fn text(&self) -> String {
        let Self {
            kind,
            name,
            content,
            wave,
            annotation,
        } = self;
        let annotations = format!(
            "{{sluice.dev/force-conflicts: \"true\", sluice.dev/sync-wave: \"{wave}\", {}}}",
            ANNOTATIONS[*annotation]
        );
        let metadata = format!("metadata: {{name: o{name}, annotations: {annotations}}}");
        match kind {
            0 => format!(
                "apiVersion: v1\nkind: ConfigMap\n{metadata}\ndata: {{key: \"{content}\", k{content}: x, empty: \"\"}}\n"
            ),
            1 => format!("apiVersion: v1\nkind: Secret\n{metadata}\nstringData: {{key: \"{content}\"}}\n"),
            2 => format!(
                "apiVersion: v1\nkind: PersistentVolumeClaim\n{metadata}\nspec: {{storageClassName: s{content}}}\n"
            ),
            3 => format!("apiVersion: v1\nkind: Namespace\n{metadata}\n"),
            _ => format!(
                "apiVersion: apps/v1\nkind: Deployment\n{metadata}\nspec: {{selector: {{matchLabels: {{a: b}}}}, strategy: {{}}, template: {{spec: {{containers: [{{name: c, image: i{content}, ports: [{{containerPort: 8{content}}}], env: [{{name: E{content}, value: \"\"}}]}}]}}}}}}\n"
            ),
        }
    }

    fn file(&self) -> String {
        format!("{}-{}.yaml", self.kind, self.name)
    }
}

fn written() -> impl Strategy<Value = Written> {
    (0..5usize, 0..4usize, 0..3u8, -1..3i8, 0..ANNOTATIONS.len()).prop_map(
        |(kind, name, content, wave, annotation)| Written {
            kind,
            name,
            content,
            wave,
            annotation,
        },
    )
}

/// The files of a revision; one file an object, so that no object is given twice.
fn revision() -> impl Strategy<Value = BTreeMap<String, String>> {
    proptest::collection::vec(written(), 0..8)
        .prop_map(|all| all.into_iter().map(|one| (one.file(), one.text())).collect())
}

fn change(world: &mut World, from: &BTreeMap<String, String>, to: &BTreeMap<String, String>) {
    let gone = from
        .keys()
        .filter(|file| !to.contains_key(*file))
        .map(|file| (file.clone(), None));
    let there = to.iter().map(|(file, text)| (file.clone(), Some(text.clone())));
    world.commit(&gone.chain(there).collect());
}

fn synced(world: &mut World, settings: &Settings) {
    let decided = world.decide(Occasion::Sync, settings).expect("it renders");
    world.note(&decided);
    let made = &decided.plan;
    assert_eq!(lint::check_against(made, &decided.input()), Vec::<String>::new());
    if made.blocked.is_empty() {
        assert_eq!(
            world.execute(made, &decided.manifests(), false),
            Vec::<String>::new()
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_second_sync_is_empty(first in revision(), second in revision()) {
        let (mut world, settings) = (World::default(), Settings::default());
        for (from, to) in [(&BTreeMap::new(), &first), (&first, &second)] {
            change(&mut world, from, to);
            synced(&mut world, &settings);
            let again = world.decide(Occasion::Sync, &settings).expect("it renders").plan;
            prop_assert!(again.steps.is_empty(), "{}", sluice_golden::shown::shown(&again));
        }
    }

    #[test]
    fn the_order_of_the_input_does_not_show(first in revision(), second in revision(), seed in any::<u64>()) {
        let (mut world, settings) = (World::default(), Settings::default());
        change(&mut world, &BTreeMap::new(), &first);
        synced(&mut world, &settings);
        change(&mut world, &first, &second);
        let input = world.decide(Occasion::Sync, &settings).expect("it renders").input();
        let mut other = input.clone();
        let turn = |length: usize| if length == 0 { 0 } else { usize::try_from(seed % length as u64).unwrap_or(0) };
        let (desired, candidates) = (turn(other.desired.len()), turn(other.candidates.len()));
        other.desired.rotate_left(desired);
        other.candidates.rotate_left(candidates);
        other.policies.reverse();
        prop_assert_eq!(plan(input).to_json(), plan(other).to_json());
    }

    #[test]
    fn prune_deletes_exactly_what_was_removed(first in revision(), second in revision()) {
        let (mut world, careless) = (World::default(), Settings { policies: Policies::Careless, ..Settings::default() });
        change(&mut world, &BTreeMap::new(), &first);
        synced(&mut world, &careless);
        let before = owned(&world.server);
        change(&mut world, &first, &second);
        let decided = world.decide(Occasion::Sync, &careless).expect("it renders");
        let input = decided.input();
        let in_git: BTreeSet<String> =
            input.desired.iter().map(|desired| desired.manifest.object.reference().to_string()).collect();
        let has_parts = input.desired.iter().any(|desired| !desired.decision.hook && !desired.decision.ignored);
        let made = decided.plan;
        let deleted: BTreeSet<String> = made
            .steps
            .iter()
            .filter(|step| matches!(step.action, Action::Delete { .. }))
            .map(|step| step.object.to_string())
            .collect();
        let removed: BTreeSet<String> = before.difference(&in_git).cloned().collect();
        prop_assert_eq!(deleted, if has_parts { removed } else { BTreeSet::new() });
    }

    #[test]
    fn no_failure_of_a_plugin_adds_a_deletion(first in revision(), second in revision()) {
        let (mut world, settings) = (World::default(), Settings::default());
        change(&mut world, &BTreeMap::new(), &first);
        synced(&mut world, &settings);
        change(&mut world, &first, &second);
        let failing = Settings { policies: Policies::Failing, ..Settings::default() };
        let made = world.decide(Occasion::Sync, &failing).expect("it renders").plan;
        prop_assert!(made.held.is_empty());
        let deletions = made.steps.iter().filter(|step| matches!(step.action, Action::Delete { .. })).count();
        prop_assert_eq!(deletions, 0);
    }

    #[test]
    fn no_secret_is_in_a_plan(first in revision(), second in revision()) {
        let (mut world, settings) = (World::default(), Settings::default());
        change(&mut world, &BTreeMap::new(), &first);
        synced(&mut world, &settings);
        change(&mut world, &first, &second);
        let made = world.decide(Occasion::Sync, &settings).expect("it renders").plan;
        for step in made.steps.iter().filter(|step| step.object.kind == "Secret") {
            if let Action::Apply { manifest, .. } = &step.action {
                prop_assert_eq!(&manifest["data"]["key"], "••••••••");
            }
            for change in step.changes.iter().filter(|change| change.pointer.starts_with("/data")) {
                let values = format!("{:?}{:?}", change.live, change.desired);
                prop_assert!(values.contains('•'), "{}", values);
            }
        }
    }
}
