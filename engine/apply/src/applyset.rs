//! The ApplySet's record on its parent (KEP-3659): a superset of the members' kinds and namespaces before anything is
//! written, exactly them once all is done. So a reader at any moment finds every member.

use serde_json::{Map, Value, json};
use sluice_cluster::{ClusterError, Target};
use sluice_model::applyset::{
    CONTAINS_ANNOTATION, ID_LABEL, NAMESPACES_ANNOTATION, TOOLING, TOOLING_ANNOTATION,
};
use sluice_model::object::{GroupKind, Object};

use crate::{Finalizers, Members, Parent};

/// Recorded as the owner of these labels and annotations. Not `sluice`: an Application may itself be a manifest in Git
/// that `sluice` applies, and that apply must not take the record away again.
const MANAGER: &str = "sluice-controller";

impl Members {
    /// What the Application says now.
    pub fn recorded(parent: &Object) -> Self {
        let list = |key| {
            parent
                .annotation(key)
                .unwrap_or_default()
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
        };
        let kind = |text: &str| match text.split_once('.') {
            Some((kind, group)) => GroupKind::new(group, kind),
            None => GroupKind::new("", text),
        };
        Self {
            kinds: list(CONTAINS_ANNOTATION).map(kind).collect(),
            namespaces: list(NAMESPACES_ANNOTATION).map(str::to_owned).collect(),
        }
    }

    /// What some objects of the application in `own_namespace` need.
    pub fn of<'a>(objects: impl Iterator<Item = &'a Object>, own_namespace: &str) -> Self {
        let mut members = Self::default();
        for object in objects {
            members.kinds.insert(object.group_kind());
            members.namespaces.extend(
                object
                    .namespace()
                    .filter(|namespace| *namespace != own_namespace)
                    .map(str::to_owned),
            );
        }
        members
    }

    /// Both together.
    pub fn union(&self, other: &Self) -> Self {
        Self {
            kinds: self.kinds.union(&other.kinds).cloned().collect(),
            namespaces: self.namespaces.union(&other.namespaces).cloned().collect(),
        }
    }

    fn annotations(&self) -> Map<String, Value> {
        let mut annotations = Map::new();
        let kinds = self
            .kinds
            .iter()
            .map(ToString::to_string)
            .collect::<std::collections::BTreeSet<_>>();
        let join = |items: Vec<&str>| items.join(",");
        annotations.insert(TOOLING_ANNOTATION.to_owned(), TOOLING.into());
        annotations.insert(
            CONTAINS_ANNOTATION.to_owned(),
            join(kinds.iter().map(String::as_str).collect()).into(),
        );
        let namespaces = join(self.namespaces.iter().map(String::as_str).collect());
        annotations.insert(
            NAMESPACES_ANNOTATION.to_owned(),
            if namespaces.is_empty() {
                Value::Null
            } else {
                namespaces.into()
            },
        );
        annotations
    }
}

/// Before the first write: what is recorded and what will be, and who has to be asked before the Application goes.
pub(crate) async fn grow(cluster: &Target, parent: &Parent) -> Result<(), ClusterError> {
    let wanted = parent.recorded.union(&parent.afterwards);
    let recorded = wanted == parent.recorded && !parent.recorded.kinds.is_empty();
    match recorded && parent.finalizers.is_none() {
        true => Ok(()),
        false => write(cluster, parent, &wanted, parent.finalizers.as_ref()).await,
    }
}

/// After the last one: what is.
pub(crate) async fn shrink(cluster: &Target, parent: &Parent) -> Result<(), ClusterError> {
    let recorded = parent.recorded.union(&parent.afterwards);
    match recorded == parent.afterwards {
        true => Ok(()),
        false => write(cluster, parent, &parent.afterwards, None).await,
    }
}

/// Exactly what is, whatever was recorded.
pub async fn record(cluster: &Target, parent: &Parent) -> Result<(), ClusterError> {
    match parent.recorded == parent.afterwards {
        true => Ok(()),
        false => write(cluster, parent, &parent.afterwards, None).await,
    }
}

async fn write(
    cluster: &Target,
    parent: &Parent,
    members: &Members,
    finalizers: Option<&Finalizers>,
) -> Result<(), ClusterError> {
    // The Application is the engine's to write, also if its objects are written as another account.
    let cluster = &cluster.as_itself();
    let kind = cluster.kind_of(&parent.reference).await?;
    let mut metadata = finalizers.map_or_else(|| json!({}), Finalizers::metadata);
    metadata["labels"] = json!({ID_LABEL: parent.id});
    metadata["annotations"] = members.annotations().into();
    let patch = json!({"metadata": metadata});
    crate::retry::safely(cluster, || {
        cluster.merge_patch(&kind, &parent.reference, None, MANAGER, &patch)
    })
    .await
    .map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(kinds: &[(&str, &str)], namespaces: &[&str]) -> Members {
        Members {
            kinds: kinds
                .iter()
                .map(|(group, kind)| GroupKind::new(*group, *kind))
                .collect(),
            namespaces: namespaces
                .iter()
                .map(|namespace| (*namespace).to_owned())
                .collect(),
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let wanted = members(
            &[
                ("apps", "Deployment"),
                ("", "Service"),
                ("networking.k8s.io", "Ingress"),
            ],
            &["b", "a"],
        );
        let annotations = wanted.annotations();
        assert_eq!(
            annotations[CONTAINS_ANNOTATION],
            "Deployment.apps,Ingress.networking.k8s.io,Service"
        );
        assert_eq!(annotations[NAMESPACES_ANNOTATION], "a,b");
        let parent = json!({"apiVersion": "sluice.dev/v1alpha1", "kind": "Application", "metadata": {"annotations": annotations}});
        assert_eq!(Members::recorded(&Object::new(parent).unwrap()), wanted);
    }

    #[test]
    fn the_own_namespace_is_no_additional_one() {
        let object = |namespace: &str| {
            Object::new(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "namespace": namespace}})).unwrap()
        };
        let objects = [object("own"), object("other")];
        assert_eq!(
            Members::of(objects.iter(), "own"),
            members(&[("", "Service")], &["other"])
        );
    }
}
