//! From what is written to what can be applied: namespaces by scope, kinds that exist, one manifest an object.

use std::collections::BTreeMap;

use serde_json::Value;
use sluice_model::manifest::{Manifest, Origin};
use sluice_model::object::{GroupKind, Object, ObjectKey, unusable};

use crate::error::{Problem, RenderError, RenderErrors};

/// Whether objects of a kind live in namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// In a namespace.
    Namespaced,
    /// In the cluster as a whole.
    Cluster,
}

/// Knows the kinds of a cluster. Any `Fn(&Object) -> Option<Scope>` is one.
pub trait Scopes {
    /// The scope of an object's kind; none if the cluster does not serve it, and no policy says that it will.
    fn scope(&self, object: &Object) -> Option<Scope>;
}

impl<F: Fn(&Object) -> Option<Scope>> Scopes for F {
    fn scope(&self, object: &Object) -> Option<Scope> {
        self(object)
    }
}

/// Gives namespaced objects that name no namespace the destination's, takes it from cluster-scoped ones as the API server does,
/// and refuses what cannot be applied: two manifests of one object (after namespaces are settled), a name that cannot be part of
/// a path, and a kind that neither the cluster nor a CRD among `manifests` knows.
///
/// An object with `generateName` alone passes; whether it may have none is for the plan to say, which knows the hooks.
///
/// # Errors
/// Everything that is wrong, not only the first thing.
pub fn settle(
    manifests: Vec<Manifest>,
    scopes: &impl Scopes,
    destination_namespace: &str,
) -> Result<Vec<Manifest>, RenderErrors> {
    settle_with(manifests, scopes, destination_namespace, &|_, _, _| false)
}

/// As [`settle`], where an object may be given twice: `allowed` is handed the object, and where it stands first and again. The later one
/// counts, in the place of the first.
///
/// # Errors
/// Those of [`settle`].
pub fn settle_with(
    manifests: Vec<Manifest>,
    scopes: &impl Scopes,
    destination_namespace: &str,
    allowed: &dyn Fn(&Object, &Origin, &Origin) -> bool,
) -> Result<Vec<Manifest>, RenderErrors> {
    let defined = Defined::by(&manifests);
    let mut errors = RenderErrors::default();
    let mut seen: BTreeMap<ObjectKey, usize> = BTreeMap::new();
    let mut settled: Vec<Manifest> = Vec::with_capacity(manifests.len());
    for manifest in manifests {
        let Manifest { object, origin } = manifest;
        let scope = defined.scope(&object).or_else(|| scopes.scope(&object));
        let object = match (scope, object.namespace()) {
            (None, _) => {
                let (kind, version) = (object.group_kind(), object.version().to_owned());
                errors.push(RenderError::about(
                    &origin,
                    object.reference(),
                    Problem::UnknownKind { kind, version },
                ));
                continue;
            }
            (Some(Scope::Cluster), Some(_)) => without_namespace(&object),
            (Some(Scope::Namespaced), None) => with_namespace(&object, destination_namespace),
            (Some(Scope::Cluster), None) | (Some(Scope::Namespaced), Some(_)) => object,
        };
        if let Some(problem) = unusable_name(&object) {
            errors.push(RenderError::about(&origin, object.reference(), problem));
            continue;
        }
        if !object.name().is_empty() {
            if let Some(place) = seen.get(&object.key()).and_then(|index| settled.get_mut(*index)) {
                if allowed(&object, &place.origin, &origin) {
                    *place = Manifest { object, origin };
                } else {
                    let first = place.origin.clone();
                    let problem = Problem::Duplicate { first };
                    errors.push(RenderError::about(&origin, object.reference(), problem));
                }
                continue;
            }
            seen.insert(object.key(), settled.len());
        }
        settled.push(Manifest { object, origin });
    }
    errors.into_result(settled)
}

/// What makes the object one that no path leads to.
fn unusable_name(object: &Object) -> Option<Problem> {
    let parts = [
        ("name", object.name()),
        (
            "generated name",
            object.metadata("generateName").unwrap_or_default(),
        ),
        ("namespace", object.namespace().unwrap_or_default()),
    ];
    parts.into_iter().find_map(|(what, name)| {
        let reason = unusable(name)?;
        let name = name.to_owned();
        Some(Problem::Name { what, name, reason })
    })
}

fn with_namespace(object: &Object, namespace: &str) -> Object {
    object.edit(|map| {
        if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
            metadata.insert("namespace".to_owned(), namespace.into());
        }
    })
}

/// Many a bundle names a namespace on its ClusterRoles.
fn without_namespace(object: &Object) -> Object {
    object.edit(|map| {
        if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
            metadata.remove("namespace");
        }
    })
}

/// The kinds that CRDs among the manifests define.
struct Defined(BTreeMap<GroupKind, (Scope, Vec<String>)>);

impl Defined {
    fn by(manifests: &[Manifest]) -> Self {
        let mut kinds = BTreeMap::new();
        for Manifest { object, .. } in manifests {
            if object.group() != "apiextensions.k8s.io" || object.kind() != "CustomResourceDefinition" {
                continue;
            }
            let spec = &object.value()["spec"];
            let (Some(group), Some(kind)) = (spec["group"].as_str(), spec["names"]["kind"].as_str()) else {
                continue;
            };
            let scope = match spec["scope"].as_str() {
                Some("Cluster") => Scope::Cluster,
                Some(_) | None => Scope::Namespaced,
            };
            let versions = spec["versions"].as_array().into_iter().flatten();
            let served = versions
                .filter(|version| version["served"].as_bool() != Some(false))
                .filter_map(|version| version["name"].as_str().map(str::to_owned));
            kinds.insert(GroupKind::new(group, kind), (scope, served.collect()));
        }
        Self(kinds)
    }

    fn scope(&self, object: &Object) -> Option<Scope> {
        let (scope, versions) = self.0.get(&object.group_kind())?;
        versions
            .iter()
            .any(|version| version == object.version())
            .then_some(*scope)
    }
}

#[cfg(test)]
mod tests;
