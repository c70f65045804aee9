//! Where an engine may have objects: everywhere, or in some namespaces and nowhere else.
//!
//! RBAC says what the engine's account may write; this says what it is meant to. An engine that is bound to namespaces refuses a
//! manifest outside of them before anything is written, watches nothing outside of them, and so prunes nothing there.

use std::collections::BTreeSet;

use sluice_cluster::Kind;
use sluice_model::manifest::Manifest;
use sluice_model::object::Object;

use crate::error::PipelineError;

/// Where an engine may have objects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bounds(Option<BTreeSet<String>>);

impl Bounds {
    /// Returns bounds of these namespaces: an object in another one, or in none, is outside. Without any namespace everything is inside.
    pub fn of(namespaces: impl IntoIterator<Item = String>) -> Self {
        let namespaces: BTreeSet<String> = namespaces.into_iter().collect();
        Self(Some(namespaces).filter(|namespaces| !namespaces.is_empty()))
    }

    /// Returns the namespaces; none if there are no bounds.
    pub fn namespaces(&self) -> Option<&BTreeSet<String>> {
        self.0.as_ref()
    }

    /// Where the objects of a kind are looked for: in each namespace, or everywhere at once.
    pub(crate) fn places<'k>(&'k self, kind: &'k Kind) -> Vec<(&'k Kind, Option<&'k str>)> {
        match &self.0 {
            None => vec![(kind, None)],
            Some(namespaces) if kind.namespaced => {
                let each = namespaces.iter();
                each.map(|namespace| (kind, Some(namespace.as_str()))).collect()
            }
            Some(_) => Vec::new(),
        }
    }

    /// # Errors
    /// [`PipelineError::OutOfBounds`] where a manifest is of an object outside of them.
    pub(crate) fn check(&self, manifests: &[Manifest]) -> Result<(), PipelineError> {
        let Some(namespaces) = &self.0 else { return Ok(()) };
        let is_outside = |object: &Object| {
            object
                .namespace()
                .is_none_or(|namespace| !namespaces.contains(namespace))
        };
        let outside: Vec<String> = manifests
            .iter()
            .filter(|manifest| is_outside(&manifest.object))
            .map(|manifest| format!("{} ({})", manifest.object.reference(), manifest.origin))
            .collect();
        match outside.is_empty() {
            true => Ok(()),
            false => Err(PipelineError::OutOfBounds { objects: outside }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use sluice_model::manifest::Origin;

    fn manifest(kind: &str, namespace: Option<&str>) -> Manifest {
        let value =
            json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "a", "namespace": namespace}});
        Manifest {
            object: Object::new(value).unwrap(),
            origin: Origin {
                file: "a.yaml".into(),
                line: 1,
            },
        }
    }

    #[test]
    fn what_is_outside_is_refused_with_its_place() {
        let inside = manifest("ConfigMap", Some("shop"));
        let outside = [manifest("ConfigMap", Some("bank")), manifest("Namespace", None)];
        let bounds = Bounds::of(["shop".to_owned()]);
        assert!(bounds.check(std::slice::from_ref(&inside)).is_ok());
        let all: Vec<Manifest> = [inside].into_iter().chain(outside.clone()).collect();
        let Err(PipelineError::OutOfBounds { objects }) = bounds.check(&all) else {
            panic!("both were let through")
        };
        assert_eq!(objects, ["ConfigMap bank/a (a.yaml:1)", "Namespace a (a.yaml:1)"]);
        assert!(Bounds::of([]).check(&outside).is_ok());
    }
}
