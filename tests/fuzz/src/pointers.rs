//! Any pointers and selectors into any objects: those that a comparison leaves out, and those that a plugin asks for.
//! Three parts, with a NUL between: pointers, a line each; the desired object; the live one.

use serde_json::Value;
use sluice_compare::compare;
use sluice_compare::diff::Pair;
use sluice_model::object::Object;

#[path = "../../../engine/plugin-host/src/pointer.rs"]
#[allow(dead_code, reason = "a part of it is enough")]
mod pointer;

/// See the module.
pub fn run(bytes: &[u8]) {
    let mut parts = bytes.splitn(3, |byte| *byte == 0);
    let pointers = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let mut object = || {
        serde_json::from_slice::<Value>(parts.next().unwrap_or_default())
            .ok()
            .and_then(|value| Object::new(value).ok())
    };
    let (Some(desired), live) = (object(), object()) else {
        return;
    };
    for text in pointers.lines() {
        pointer::find(desired.value(), text);
    }
    let ignored: Vec<String> = pointers.lines().map(str::to_owned).collect();
    let _ = compare(&desired, live.as_ref(), &ignored);
    let pair = Pair {
        desired: &desired,
        live: live.as_ref(),
        ignore: &ignored,
        predecessors: &[],
        changes: None,
    };
    pair.unified(3);
    pair.side_by_side(3);
}
