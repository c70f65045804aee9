//! From a manifest as written to the object that is sent.

mod keys;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use sluice_model::object::Object;
use sluice_model::secret::LAST_APPLIED;

use crate::defaults;
use crate::ownership::{self, Ours};
use crate::path::{self, Ignored};

/// What only the server writes; sending it is refused or has a meaning that no manifest intends.
const SERVER_ONLY: &[&str] = &[
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// What is sent for a manifest: without what only the server writes (`managedFields`, `resourceVersion`, a null
/// `creationTimestamp`, …) and `kubectl`'s copy of what it applied, without keys of entries that say nothing, a Secret's `stringData` moved into its `data`, and with the ignored fields as they should be
/// sent: where the object does not exist, as Git has them; where it does, not at all if another manager owns them, and with
/// their live value if we do, since leaving them out would delete them.
///
/// Hand the result to [`crate::compare`], to the plan and to apply alike.
pub fn prepare(desired: &Object, live: Option<&Object>, ignore: &[String]) -> Object {
    let ignored = Ignored::new(ignore);
    let bare = keys::may_be_bare(desired.value());
    let nothing_to_do = !bare
        && ignored.patterns().is_empty()
        && !desired.is_secret()
        && desired.value().get("aggregationRule").is_none()
        && !has_metadata_that_is_not_sent(desired);
    if nothing_to_do {
        return desired.clone();
    }
    desired.edit(|map| {
        if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
            SERVER_ONLY.iter().for_each(|field| drop(metadata.remove(*field)));
        }
        if let Some(Value::Object(annotations)) = map
            .get_mut("metadata")
            .and_then(|metadata| metadata.get_mut("annotations"))
        {
            // Client-side apply's own memory, which who exports an object exports too. It means nothing in Git.
            annotations.remove(LAST_APPLIED);
        }
        if bare {
            keys::leave_out(map, desired, live);
        }
        if desired.is_secret() {
            move_string_data(map);
        }
        if defaults::rules_are_aggregated(map) {
            map.remove("rules");
        }
        if let Some(live) = live {
            let ours = Ours::of(live).tree();
            for pattern in ignored.patterns() {
                settle(map, live.value().as_object(), ours, pattern);
            }
        }
    })
}

/// What only the server writes, or `kubectl`'s copy of what it applied. In one pass: every look at every object comes through here.
fn has_metadata_that_is_not_sent(desired: &Object) -> bool {
    let metadata = desired.value().get("metadata").and_then(Value::as_object);
    metadata
        .into_iter()
        .flatten()
        .any(|(field, value)| match field.as_str() {
            "annotations" => value.get(LAST_APPLIED).is_some(),
            field => SERVER_ONLY.contains(&field),
        })
}

/// `stringData` is written only, so what was applied could not be compared with what is there; `data` can.
fn move_string_data(secret: &mut Map<String, Value>) {
    let readable = matches!(secret.get("stringData"), Some(Value::Object(texts)) if texts.values().all(Value::is_string));
    let fits = matches!(secret.get("data"), None | Some(Value::Null | Value::Object(_)));
    if !readable || !fits {
        // Malformed: the server says so better.
        return;
    }
    let Some(Value::Object(texts)) = secret.remove("stringData") else {
        return;
    };
    if texts.is_empty() {
        return;
    }
    if !matches!(secret.get("data"), Some(Value::Object(_))) {
        secret.insert("data".to_owned(), Value::Object(Map::new()));
    }
    if let Some(Value::Object(data)) = secret.get_mut("data") {
        for (key, text) in texts {
            data.insert(key, STANDARD.encode(text.as_str().unwrap_or_default()).into());
        }
    }
}

/// Makes one ignored field what should be sent.
fn settle(
    desired: &mut Map<String, Value>,
    live: Option<&Map<String, Value>>,
    ours: Option<&ownership::Tree>,
    pattern: &[String],
) {
    let Some((first, rest)) = pattern.split_first() else {
        return;
    };
    let names: Vec<String> = match first.as_str() {
        "*" => desired.keys().cloned().collect(),
        name => vec![name.to_owned()],
    };
    for name in names {
        let live_value = live.and_then(|live| live.get(&name));
        let owned = ownership::field(ours, &name, &mut String::new());
        if rest.is_empty() {
            match (live_value, owned.is_some()) {
                (Some(value), true) => drop(desired.insert(name, value.clone())),
                (Some(_) | None, false) | (None, true) => drop(desired.remove(&name)),
            }
            continue;
        }
        match desired.get_mut(&name) {
            Some(Value::Object(map)) => settle(map, live_value.and_then(Value::as_object), owned, rest),
            Some(Value::Array(entries)) => {
                settle_list(
                    entries,
                    live_value.and_then(Value::as_array).map(Vec::as_slice),
                    owned,
                    rest,
                );
            }
            Some(_) | None => {}
        }
    }
}

fn settle_list(
    desired: &mut [Value],
    live: Option<&[Value]>,
    ours: Option<&ownership::Tree>,
    pattern: &[String],
) {
    let Some((first, rest)) = pattern.split_first() else {
        return;
    };
    let indexes: Vec<usize> = match first.as_str() {
        "*" => (0..desired.len()).collect(),
        wanted => path::entry_named(wanted, desired).into_iter().collect(),
    };
    for index in indexes {
        let Some(Value::Object(entry)) = desired.get_mut(index) else {
            continue;
        };
        // An entry of a keyed list is found again by the keys that the record has for it.
        let keyed = ours.into_iter().flat_map(ownership::keyed_entries);
        let found = keyed
            .into_iter()
            .find(|(keys, _)| keys.iter().all(|(key, value)| entry.get(key) == Some(value)));
        let live_entry = match &found {
            Some((keys, _)) => live
                .into_iter()
                .flatten()
                .filter_map(Value::as_object)
                .find(|candidate| keys.iter().all(|(key, value)| candidate.get(key) == Some(value))),
            None => live.and_then(|live| live.get(index)).and_then(Value::as_object),
        };
        settle(entry, live_entry, found.map(|(_, below)| below), rest);
    }
}
