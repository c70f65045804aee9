//! The destination namespace: whether it is there, and whether its labels and annotations are as the Application says.

use serde_json::{Map, Value, json};
use sluice_model::application::NamespaceMetadata;
use sluice_model::difference::Difference;
use sluice_model::object::{NotAnObject, Object};
use sluice_plan::DestinationNamespace;

/// The namespace as it is to be.
///
/// # Errors
/// Never: a Namespace is an object, whatever its name.
pub fn namespace_manifest(name: &str, metadata: Option<&NamespaceMetadata>) -> Result<Object, NotAnObject> {
    let mut about = Map::new();
    about.insert("name".to_owned(), name.into());
    if let Some(metadata) = metadata {
        for (field, values) in [
            ("labels", &metadata.labels),
            ("annotations", &metadata.annotations),
        ] {
            if !values.is_empty() {
                about.insert(field.to_owned(), json!(values));
            }
        }
    }
    Object::new(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": Value::Object(about)}))
}

/// The namespace beside what there is of it. Where the Application says nothing of its metadata, it only has to be there.
pub fn destination_namespace(
    desired: Object,
    live: Option<Object>,
    metadata: Option<&NamespaceMetadata>,
) -> DestinationNamespace {
    let difference = match metadata {
        Some(_) => sluice_compare::compare(&desired, live.as_ref(), &[]),
        None if live.is_some() => Difference::Same,
        None => Difference::Missing,
    };
    DestinationNamespace {
        desired,
        live,
        difference,
    }
}
