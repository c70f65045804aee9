//! An Application's objects as a tree, for people and as the contract of `-o json`.

use std::collections::BTreeSet;
use std::io::Write;

use jiff::Timestamp;
use serde::Serialize;
use sluice_model::ObjectRef;
use sluice_model::health::{HealthStatus, HealthVerdict};
use sluice_model::object::GroupKind;
use sluice_model::plan::ApplicationKey;
use sluice_operations::{Family, Health, health};

use super::judged::{Judged, Row};
use super::why::Why;
use crate::commands::get::{age, health_cell};
use crate::failure::Failure;
use crate::output::{Cell, FAINT, STRONG, Table, plain, styled};

/// An Application with what was said of its objects.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) key: ApplicationKey,
    destination: String,
    pub(super) health: Health,
    message: String,
    leaves: Vec<Leaf>,
    unseen: BTreeSet<(String, GroupKind)>,
}

/// An object in its place.
#[derive(Debug)]
struct Leaf {
    judged: Judged,
    owner: Option<usize>,
    counts: bool,
}

/// The contract of `-o json`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document<'a> {
    api_version: &'static str,
    kind: &'static str,
    namespace: &'a str,
    name: &'a str,
    status: HealthStatus,
    message: &'a str,
    culprit: Vec<Named<'a>>,
    objects: Vec<Branch<'a>>,
    unseen: Vec<Unseen<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Named<'a> {
    api_version: String,
    kind: &'a str,
    namespace: Option<&'a str>,
    name: &'a str,
}

#[derive(Debug, Serialize)]
struct Branch<'a> {
    #[serde(flatten)]
    row: Row<'a>,
    counts: bool,
    children: Vec<Branch<'a>>,
}

#[derive(Debug, Serialize)]
struct Unseen<'a> {
    namespace: &'a str,
    kind: String,
}

impl Tree {
    /// `judged` are the objects of the family, in their order.
    pub(super) fn new(family: Family, judged: Vec<Judged>) -> Self {
        let verdicts: Vec<&HealthVerdict> = judged.iter().map(|judged| &judged.verdict).collect();
        let health = health(&family.parts, &verdicts);
        let parts = family.parts.into_iter().zip(judged);
        let leaves: Vec<Leaf> = parts
            .map(|(part, judged)| Leaf {
                judged,
                owner: part.owner,
                counts: part.counts,
            })
            .collect();
        let message = match health.culprit.is_empty() {
            true => healthy(&leaves),
            false => reason(&leaves, &health.culprit),
        };
        Self {
            key: family.key,
            destination: family.destination,
            health,
            message,
            leaves,
            unseen: family.unseen,
        }
    }

    /// For people.
    pub(super) fn text(&self, out: &mut impl Write, now: Timestamp) -> Result<(), Failure> {
        let because = match self.health.culprit.is_empty() {
            true => self.message.clone(),
            false => format!("because of {}", self.message),
        };
        let mut head = Table::new();
        head.row(vec![
            Cell::new(format!("Application {}", self.key), STRONG),
            health_cell(self.health.status),
            because.into(),
        ]);
        head.write(out, "")?;
        self.table(now).write(out, "")?;
        for (namespace, kind) in &self.unseen {
            let text =
                format!("what is owned of {kind} in {namespace} is not shown: it could not be looked at");
            writeln!(out, "{}", styled(FAINT, plain(&text)))?;
        }
        Ok(())
    }

    fn table(&self, now: Timestamp) -> Table {
        let owners: Vec<Option<usize>> = self.leaves.iter().map(|leaf| leaf.owner).collect();
        let mut table = Table::new();
        for (leaf, stem) in self.leaves.iter().zip(stems(&owners)) {
            let judged = &leaf.judged;
            let name = format!("{}{}", stem.line, self.name(&judged.object));
            let age = judged
                .created
                .map(|created| age(created, now))
                .unwrap_or_default();
            let (name, status) = match judged.is_without_opinion() {
                true => (Cell::new(name, FAINT), Cell::new("no opinion", FAINT)),
                false => (name.into(), health_cell(judged.verdict.status)),
            };
            table.row(vec![name, status, Cell::new(age, FAINT), told(leaf).into()]);
            for line in judged.why.iter().flat_map(|why| reasons(judged, why)) {
                table.row(vec![Cell::new(format!("{}  {line}", stem.below), FAINT)]);
            }
        }
        table
    }

    /// What an object is called here: its namespace is left out if it is the one that is meant anyway.
    fn name(&self, object: &ObjectRef) -> String {
        let name = short_name(object);
        match &object.namespace {
            Some(namespace) if *namespace != self.destination => format!("{name} in {namespace}"),
            Some(_) | None => name,
        }
    }

    /// For programs.
    pub(super) fn document(&self) -> Document<'_> {
        let culprit = self
            .health
            .culprit
            .iter()
            .filter_map(|index| self.leaves.get(*index));
        let unseen = self.unseen.iter();
        Document {
            api_version: "sluice.dev/v1alpha1",
            kind: "Application",
            namespace: &self.key.namespace,
            name: &self.key.name,
            status: self.health.status,
            message: &self.message,
            culprit: culprit.map(|leaf| named(&leaf.judged.object)).collect(),
            objects: branches(&self.leaves),
            unseen: unseen
                .map(|(namespace, kind)| Unseen {
                    namespace,
                    kind: kind.to_string(),
                })
                .collect(),
        }
    }
}

fn named(object: &ObjectRef) -> Named<'_> {
    Named {
        api_version: object.api_version(),
        kind: &object.kind,
        namespace: object.namespace.as_deref(),
        name: &object.name,
    }
}

fn short_name(object: &ObjectRef) -> String {
    format!("{}/{}", object.kind, object.name)
}

/// What is to be read beside an object.
fn told(leaf: &Leaf) -> String {
    let message = &leaf.judged.verdict.message;
    match (leaf.owner.is_none() && !leaf.counts, message.as_str()) {
        (false, message) => message.to_owned(),
        (true, "") => "it does not count".to_owned(),
        (true, message) => format!("it does not count: {message}"),
    }
}

/// By whom, and why.
fn reasons(judged: &Judged, why: &Why) -> Vec<String> {
    let by = judged.verdict.plugin.as_ref().map(|plugin| match &why.claim {
        Some(claim) => format!("by: {plugin} ({claim})"),
        None => format!("by: {plugin}"),
    });
    by.into_iter().chain(why.lines()).collect()
}

/// How many objects are healthy, as the controller has it: those of which no plugin has an opinion do not count.
fn healthy(leaves: &[Leaf]) -> String {
    let counted: Vec<&Leaf> = leaves.iter().filter(|leaf| leaf.counts).collect();
    let judged = counted
        .iter()
        .filter(|leaf| leaf.judged.verdict.plugin.is_some())
        .count();
    match counted.len() - judged {
        0 => format!("{judged} objects are healthy"),
        unjudged => format!("{judged} objects are healthy, {unjudged} have no check"),
    }
}

/// The way down to what it is for, and what is said of that; of what is above it if nothing is said of it.
fn reason(leaves: &[Leaf], culprit: &[usize]) -> String {
    let way: Vec<&Leaf> = culprit.iter().filter_map(|index| leaves.get(*index)).collect();
    let names: Vec<String> = way.iter().map(|leaf| short_name(&leaf.judged.object)).collect();
    let mut messages = way.iter().rev().map(|leaf| &leaf.judged.verdict.message);
    let message = messages.find(|message| !message.is_empty());
    let message = message.map(|message| format!(": {message}")).unwrap_or_default();
    format!("{}{message}", names.join(" → "))
}

/// What stands before an object in its line, and in the lines about it below.
#[derive(Debug, PartialEq, Eq)]
struct Stem {
    line: String,
    below: String,
}

/// The lines of a tree. Every object comes after its owner, and before the next one of the same owner.
fn stems(owners: &[Option<usize>]) -> Vec<Stem> {
    let mut stems: Vec<Stem> = Vec::with_capacity(owners.len());
    // What stands before what an object owns.
    let mut inner: Vec<String> = Vec::with_capacity(owners.len());
    for (index, owner) in owners.iter().enumerate() {
        let outer = owner
            .and_then(|owner| inner.get(owner))
            .cloned()
            .unwrap_or_default();
        let later = owners.get(index + 1..).unwrap_or_default();
        let (corner, bar) = match later.contains(owner) {
            true => ("├─ ", "│  "),
            false => ("└─ ", "   "),
        };
        let own = format!("{outer}{bar}");
        let below = match later.contains(&Some(index)) {
            true => format!("{own}│"),
            false => own.clone(),
        };
        stems.push(Stem {
            line: format!("{outer}{corner}"),
            below,
        });
        inner.push(own);
    }
    stems
}

/// Each with what it owns.
fn branches(leaves: &[Leaf]) -> Vec<Branch<'_>> {
    below(leaves, None)
}

fn below(leaves: &[Leaf], owner: Option<usize>) -> Vec<Branch<'_>> {
    let owned = leaves.iter().enumerate().filter(|(_, leaf)| leaf.owner == owner);
    owned
        .map(|(index, leaf)| Branch {
            row: leaf.judged.row(),
            counts: leaf.counts,
            children: below(leaves, Some(index)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use sluice_model::Object;
    use sluice_operations::Part;
    use sluice_plugin_host::Examined;

    #[test]
    fn lines_lead_from_each_to_what_it_owns() {
        for (owners, lines, below) in [
            (&[][..], &[][..], &[][..]),
            (&[None], &["└─ "], &["   "]),
            (
                &[None, Some(0), Some(1), Some(1), Some(0), None, Some(5)],
                &[
                    "├─ ",
                    "│  ├─ ",
                    "│  │  ├─ ",
                    "│  │  └─ ",
                    "│  └─ ",
                    "└─ ",
                    "   └─ ",
                ],
                &[
                    "│  │",
                    "│  │  │",
                    "│  │  │  ",
                    "│  │     ",
                    "│     ",
                    "   │",
                    "      ",
                ],
            ),
        ] {
            let stems = stems(owners);
            let drawn: Vec<&str> = stems.iter().map(|stem| stem.line.as_str()).collect();
            assert_eq!(drawn, lines);
            let drawn: Vec<&str> = stems.iter().map(|stem| stem.below.as_str()).collect();
            assert_eq!(drawn, below);
        }
    }

    fn part(api_version: &str, kind: &str, name: &str, owner: Option<usize>) -> Part {
        let metadata =
            json!({"name": name, "namespace": "shop", "creationTimestamp": "2026-11-21T04:00:00Z"});
        let object = json!({"apiVersion": api_version, "kind": kind, "metadata": metadata});
        let live = Object::new(object).unwrap();
        Part {
            reference: live.reference(),
            live: Some(live),
            owner,
            counts: owner.is_none(),
        }
    }

    fn examined(status: HealthStatus, message: &str, plugin: Option<&str>) -> Examined {
        Examined {
            verdict: HealthVerdict {
                status,
                message: message.to_owned(),
                plugin: plugin.map(str::to_owned),
            },
            seen: Vec::new(),
            rule: None,
            read: Vec::new(),
        }
    }

    /// A Deployment whose Pod has no image, a ConfigMap, a hook, and one object elsewhere that is missing.
    fn tree() -> Tree {
        use HealthStatus::{Degraded, Healthy, Missing, Progressing};
        let kubernetes = Some("health-kubernetes");
        let mut parts = vec![
            part("v1", "ConfigMap", "settings", None),
            part("apps/v1", "Deployment", "web", None),
            part("apps/v1", "ReplicaSet", "web-5d", Some(1)),
            part("v1", "Pod", "web-5d-x", Some(2)),
            part("batch/v1", "Job", "migrate", None),
            part("v1", "Service", "db", None),
        ];
        parts[4].counts = false;
        parts[5].live = None;
        parts[5].reference.namespace = Some("data".to_owned());
        let examined = vec![
            examined(Healthy, "", None),
            examined(Degraded, "", kubernetes),
            examined(Progressing, "1 of 3 are ready", kubernetes),
            examined(Degraded, "web: ImagePullBackOff", kubernetes),
            examined(Degraded, "it failed", kubernetes),
            examined(Missing, "it is not in the cluster", None),
        ];
        let judged = Judged::all(&parts, examined);
        let family = Family {
            key: ApplicationKey {
                namespace: "argo".to_owned(),
                name: "guestbook".to_owned(),
            },
            destination: "shop".to_owned(),
            policies: Default::default(),
            parts,
            unseen: BTreeSet::from([("shop".to_owned(), GroupKind::new("batch", "Job"))]),
            problems: Vec::new(),
            needs: BTreeSet::new(),
        };
        Tree::new(family, judged)
    }

    #[test]
    fn people_are_told_the_way_to_the_culprit() {
        let now: Timestamp = "2026-11-21T05:00:00Z".parse().unwrap();
        let mut out = anstream::StripStream::new(Vec::new());
        tree().text(&mut out, now).unwrap();
        let text = String::from_utf8(out.into_inner()).unwrap();
        insta::assert_snapshot!(text, @r"
        Application argo/guestbook  Degraded  because of Deployment/web → ReplicaSet/web-5d → Pod/web-5d-x: web: ImagePullBackOff
        ├─ ConfigMap/settings    no opinion   60m
        ├─ Deployment/web        Degraded     60m
        │  └─ ReplicaSet/web-5d  Progressing  60m  1 of 3 are ready
        │     └─ Pod/web-5d-x    Degraded     60m  web: ImagePullBackOff
        ├─ Job/migrate           Degraded     60m  it does not count: it failed
        └─ Service/db in data    Missing           it is not in the cluster
        what is owned of Job.batch in shop is not shown: it could not be looked at
        ");
    }

    #[test]
    fn programs_are_told_the_same() {
        let tree = tree();
        let document = serde_json::to_value(tree.document()).unwrap();
        assert_eq!(document["status"], "Degraded");
        let culprit = document["culprit"].as_array().unwrap();
        let names: Vec<&Value> = culprit.iter().map(|named| &named["name"]).collect();
        assert_eq!(names, ["web", "web-5d", "web-5d-x"]);
        assert_eq!(
            document.pointer("/objects/1/children/0/children/0").unwrap(),
            &json!({"apiVersion": "v1", "kind": "Pod", "namespace": "shop", "name": "web-5d-x", "status": "Degraded",
                "message": "web: ImagePullBackOff", "plugin": "health-kubernetes", "counts": false, "children": []})
        );
        assert_eq!(document["objects"].as_array().unwrap().len(), 4);
        assert_eq!(
            document["unseen"],
            json!([{"namespace": "shop", "kind": "Job.batch"}])
        );
    }
}
