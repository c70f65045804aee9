//! What the server would make of a change: tried on a copy of it.

use serde_json::Value;
use sluice_decide::{Answers, Compared, Doubts, DryRun, Refusal};
use sluice_model::application::FIELD_MANAGER;
use sluice_model::object::{Object, ObjectKey};

use crate::server::{Refused, Server};

/// Has the server answer what comparing is not sure of.
pub(crate) fn settle(server: &Server, set: &str, synced: bool, objects: &mut [Compared]) {
    let mut doubts = Doubts::of(objects, synced, &Answers::new());
    for doubt in doubts.open().to_vec() {
        let Some(object) = objects.get(doubt.index) else {
            continue;
        };
        let trial = Trial {
            server,
            key: object.desired.key(),
        };
        if let Some(answer) = futures::executor::block_on(sluice_decide::ask(&trial, object, set)) {
            doubts.answer(doubt, answer);
        }
    }
    drop(doubts.settle(objects));
}

struct Trial<'a> {
    server: &'a Server,
    key: ObjectKey,
}

impl Trial<'_> {
    fn applied(&self, object: &Object) -> Result<Object, Refusal> {
        let mut server = self.server.clone();
        match server.apply(object, FIELD_MANAGER, true) {
            Ok(()) => Ok(server.get(&object.key()).expect("it was stored")),
            Err(refused) => Err(Refusal {
                immutable: matches!(refused, Refused::Immutable(_)),
                ..Refusal::default()
            }),
        }
    }
}

impl DryRun for Trial<'_> {
    async fn apply(&self, desired: &Object, _: bool) -> Result<Object, Refusal> {
        self.applied(desired)
    }

    async fn create(&self, object: &Object, _: bool) -> Result<Object, Refusal> {
        self.applied(object)
    }

    async fn patch(&self, patch: &Value, _: bool) -> Result<Object, Refusal> {
        let mut server = self.server.clone();
        let mut value = server.get(&self.key).expect("it is there").into_value();
        merge(&mut value, patch);
        server.write(&Object::new(value).expect("still an object"), FIELD_MANAGER);
        Ok(server.get(&self.key).expect("it was stored"))
    }
}

/// RFC 7396.
fn merge(value: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *value = patch.clone();
        return;
    };
    if !value.is_object() {
        *value = Value::Object(serde_json::Map::new());
    }
    if let Value::Object(fields) = value {
        for (name, new) in patch {
            match new.is_null() {
                true => drop(fields.remove(name)),
                false => merge(fields.entry(name.clone()).or_insert(Value::Null), new),
            }
        }
    }
}
