//! `ignoreDifferences`: which fields of which objects something else decides.
//!
//! Whatever form a rule has, it comes down to pointers as [`crate::compare`] and [`crate::prepare`] take them: for one object,
//! as Git and the cluster have it now.

use std::sync::Arc;

use serde_json::Value;
use sluice_model::application::IgnoreDifference;
use sluice_model::manager::{Tree, managers};
use sluice_model::object::Object;

use crate::jq::{Query, Step};

/// Rules that were read. Cheap to clone.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rules(Arc<[Rule]>);

#[derive(Debug, Clone, PartialEq)]
struct Rule {
    what: IgnoreDifference,
    queries: Vec<Query>,
}

/// A rule that means nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{expression}`: {reason}")]
pub struct BadRule {
    /// Where it stands in the rules: `[0].jqPathExpressions[1]`.
    pub place: String,
    /// As written.
    pub expression: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Rules {
    /// Reads rules as they are written.
    ///
    /// # Errors
    /// A [`BadRule`] for every pointer and path that means nothing, and for those that would ignore whole objects.
    pub fn read(rules: &[IgnoreDifference]) -> Result<Self, Vec<BadRule>> {
        let (mut read, mut bad) = (Vec::with_capacity(rules.len()), Vec::new());
        for (index, rule) in rules.iter().enumerate() {
            let wrong = |field: &str, number: usize, expression: &str, reason: String| BadRule {
                place: format!("[{index}].{field}[{number}]"),
                expression: expression.to_owned(),
                reason,
            };
            for (number, pointer) in rule.json_pointers.iter().enumerate() {
                if !pointer.starts_with('/') || pointer.trim_matches('/').is_empty() {
                    let reason = "a pointer starts with `/` and names a field, as in `/spec/replicas`";
                    bad.push(wrong("jsonPointers", number, pointer, reason.to_owned()));
                }
            }
            let mut queries = Vec::with_capacity(rule.jq_path_expressions.len());
            for (number, path) in rule.jq_path_expressions.iter().enumerate() {
                match Query::read(path) {
                    Ok(query) => queries.push(query),
                    Err(reason) => bad.push(wrong("jqPathExpressions", number, path, reason)),
                }
            }
            read.push(Rule {
                what: rule.clone(),
                queries,
            });
        }
        match bad.is_empty() {
            true => Ok(Self(read.into())),
            false => Err(bad),
        }
    }

    /// The fields of one object that they name.
    pub fn pointers(&self, desired: &Object, live: Option<&Object>) -> Vec<String> {
        let mut pointers = Vec::new();
        for rule in self.0.iter().filter(|rule| rule.is_about(desired)) {
            pointers.extend(rule.what.json_pointers.iter().cloned());
            for query in &rule.queries {
                pointers.extend(
                    query
                        .places(desired.value())
                        .iter()
                        .filter_map(|place| plain(place)),
                );
                if let Some(live) = live {
                    let places = query.places(live.value());
                    pointers.extend(places.iter().filter_map(|place| named(place, live.value())));
                }
            }
            for (manager, tree) in live.into_iter().flat_map(managers) {
                if rule.what.managed_fields_managers.contains(&manager.name) {
                    leaves(tree, &mut String::new(), &mut pointers);
                }
            }
        }
        pointers.sort_unstable();
        pointers.dedup();
        pointers
    }
}

impl Rule {
    fn is_about(&self, object: &Object) -> bool {
        let fits = |wanted: &str, found: &str| wanted == "*" || wanted == found;
        let given =
            |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        fits(&self.what.group, object.group())
            && fits(&self.what.kind, object.kind())
            && given(&self.what.name, object.name())
            && given(&self.what.namespace, object.namespace().unwrap_or_default())
    }
}

/// The fields that decide how many there are, where something other than a person or Git decides that by now. They are left
/// to it: undoing an autoscaler is an outage.
pub fn autoscaled(live: &Object) -> Vec<String> {
    let mut pointers = Vec::new();
    for (manager, tree) in managers(live) {
        if manager.is_autoscaler() {
            leaves(tree, &mut String::new(), &mut pointers);
        }
    }
    pointers
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// A place in the desired object, whose lists are counted as Git has them. None for the object itself.
fn plain(place: &[Step]) -> Option<String> {
    let part = |step: &Step| match step {
        Step::Field(name) => format!("/{}", escaped(name)),
        Step::Index(index) => format!("/{index}"),
    };
    (!place.is_empty()).then(|| place.iter().map(part).collect())
}

/// A place in the live object, whose entries may stand elsewhere than in Git: only where each has a name.
fn named(place: &[Step], live: &Value) -> Option<String> {
    let (mut pointer, mut value) = (String::new(), live);
    for step in place {
        match step {
            Step::Field(name) => {
                pointer.push_str(&format!("/{}", escaped(name)));
                value = value.get(name)?;
            }
            Step::Index(index) => {
                value = value.get(*index)?;
                let name = value.get("name")?.as_str()?;
                pointer.push_str(&format!("/[name={}]", escaped(name)));
            }
        }
    }
    (!pointer.is_empty()).then_some(pointer)
}

/// The leaves of a manager's tree.
fn leaves(tree: &Tree, pointer: &mut String, found: &mut Vec<String>) {
    if tree.keys().all(|key| key == ".") {
        if !pointer.is_empty() {
            found.push(pointer.clone());
        }
        return;
    }
    for (key, below) in tree {
        let Some(part) = part(key) else { continue };
        let length = pointer.len();
        pointer.push('/');
        pointer.push_str(&escaped(&part));
        match below.as_object() {
            Some(below) => leaves(below, pointer, found),
            None => found.push(pointer.clone()),
        }
        pointer.truncate(length);
    }
}

/// A key of the record as a part of a pointer.
fn part(key: &str) -> Option<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if let Some(name) = key.strip_prefix("f:") {
        return Some(name.to_owned());
    }
    if let Some(keys) = key.strip_prefix("k:") {
        let keys: Tree = serde_json::from_str(keys).ok()?;
        let pairs: Vec<String> = keys
            .iter()
            .map(|(key, value)| format!("{key}={}", text(value)))
            .collect();
        return Some(format!("[{}]", pairs.join(",")));
    }
    let member = serde_json::from_str(key.strip_prefix("v:")?).ok()?;
    Some(format!("[{}]", text(&member)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rule(fields: Value) -> IgnoreDifference {
        serde_json::from_value(fields).unwrap()
    }

    fn deployment(extra: Value) -> Object {
        let mut value = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"template": {"spec": {"containers": [{"name": "web", "image": "i"}, {"name": "proxy", "image": "j"}]}}}});
        if let (Value::Object(value), Value::Object(extra)) = (&mut value["metadata"], extra) {
            value.extend(extra);
        }
        Object::new(value).unwrap()
    }

    #[test]
    fn a_rule_is_about_its_objects_only() {
        let pointers = |fields: Value| {
            let mut fields = fields;
            fields["jsonPointers"] = json!(["/spec/replicas"]);
            Rules::read(&[rule(fields)])
                .unwrap()
                .pointers(&deployment(json!({})), None)
        };
        for about in [
            json!({"group": "apps", "kind": "Deployment"}),
            json!({"group": "*", "kind": "*"}),
            json!({"group": "apps", "kind": "Deployment", "name": "web", "namespace": "shop"}),
        ] {
            assert_eq!(pointers(about.clone()), ["/spec/replicas"], "{about}");
        }
        for other in [
            json!({"kind": "Deployment"}),
            json!({"group": "apps", "kind": "StatefulSet"}),
            json!({"group": "apps", "kind": "Deployment", "name": "other"}),
            json!({"group": "apps", "kind": "Deployment", "namespace": "other"}),
        ] {
            assert_eq!(pointers(other.clone()), Vec::<String>::new(), "{other}");
        }
    }

    #[test]
    fn paths_and_managers_become_pointers() {
        let image = ".spec.template.spec.containers[] | select(.name == \"proxy\") | .image";
        let rules = Rules::read(&[rule(json!({"group": "apps", "kind": "Deployment",
            "jqPathExpressions": [image], "managedFieldsManagers": ["tuner"]}))])
        .unwrap();
        let fields = json!({"f:metadata": {"f:labels": {".": {}, "f:a/b": {}}}, "f:spec": {"f:template": {"f:spec": {"f:containers": {
            "k:{\"name\":\"web\"}": {".": {}, "f:resources": {}, "f:args": {"v:\"x\"": {}}}}}}}});
        let live = deployment(
            json!({"managedFields": [{"manager": "tuner", "operation": "Update", "fieldsV1": fields}]}),
        );
        assert_eq!(
            rules.pointers(&deployment(json!({})), Some(&live)),
            [
                "/metadata/labels/a~1b",
                "/spec/template/spec/containers/1/image",
                "/spec/template/spec/containers/[name=proxy]/image",
                "/spec/template/spec/containers/[name=web]/args/[x]",
                "/spec/template/spec/containers/[name=web]/resources",
            ]
        );
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for fields in [
            json!({"kind": "Pod", "jsonPointers": ["spec.replicas"]}),
            json!({"kind": "Pod", "jsonPointers": ["/"]}),
            json!({"kind": "Pod", "jqPathExpressions": [".spec | length"]}),
        ] {
            assert!(Rules::read(&[rule(fields.clone())]).is_err(), "{fields}");
        }
    }

    #[test]
    fn every_mistake_is_named_with_its_place() {
        let good = rule(json!({"kind": "Pod", "jsonPointers": ["/spec"]}));
        let bad = rule(
            json!({"kind": "Pod", "jsonPointers": ["/spec", "spec", ""], "jqPathExpressions": [".spec", "length"]}),
        );
        let mistakes = Rules::read(&[good, bad]).unwrap_err();
        let places: Vec<_> = mistakes
            .iter()
            .map(|mistake| (mistake.place.as_str(), mistake.expression.as_str()))
            .collect();
        assert_eq!(
            places,
            [
                ("[1].jsonPointers[1]", "spec"),
                ("[1].jsonPointers[2]", ""),
                ("[1].jqPathExpressions[1]", "length"),
            ]
        );
    }

    #[test]
    fn only_an_autoscaler_keeps_its_replicas() {
        let scaled_by = |manager: &str| {
            let entry = json!({"manager": manager, "operation": "Update", "subresource": "scale",
                "fieldsV1": {"f:spec": {"f:replicas": {}}}});
            autoscaled(&deployment(json!({"managedFields": [entry]})))
        };
        assert_eq!(scaled_by("kube-controller-manager"), ["/spec/replicas"]);
        assert_eq!(scaled_by("kubectl"), Vec::<String>::new());
    }
}
