//! An object, and the fields of it that a policy asks for.

use std::marker::PhantomData;

use crate::bindings::health::sluice::policy::objects;
use crate::{ObjectRef, Value};

/// A Kubernetes object in the host's hands, for one call. Nothing of it is here until it is asked for.
pub struct Object<'call>(Source, PhantomData<&'call ()>);

/// What Argo CD holds a finished hook with.
const HOOK_FINALIZER: &str = "argocd.argoproj.io/hook-finalizer";

enum Source {
    Host(objects::Object),
    /// In native tests.
    #[cfg(not(target_arch = "wasm32"))]
    Json(serde_json::Value),
}

/// What was found at one pointer.
pub struct Field {
    pointer: &'static str,
    value: Option<Value>,
}

impl Object<'_> {
    #[doc(hidden)]
    pub fn host(object: objects::Object) -> Self {
        Self(Source::Host(object), PhantomData)
    }

    /// An object of JSON, for native tests.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn json(json: serde_json::Value) -> Self {
        Self(Source::Json(json), PhantomData)
    }

    /// The host's handle; none in native tests.
    pub(crate) fn in_host(&self) -> Option<&objects::Object> {
        match &self.0 {
            Source::Host(object) => Some(object),
            #[cfg(not(target_arch = "wasm32"))]
            Source::Json(_) => None,
        }
    }

    /// The JSON of native tests.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn in_test(&self) -> Option<&serde_json::Value> {
        match &self.0 {
            Source::Host(_) => None,
            Source::Json(json) => Some(json),
        }
    }

    fn ask<T>(
        &self,
        host: impl FnOnce(&objects::Object) -> T,
        #[cfg(not(target_arch = "wasm32"))] native: impl FnOnce(&serde_json::Value) -> T,
    ) -> T {
        match &self.0 {
            Source::Host(object) => host(object),
            #[cfg(not(target_arch = "wasm32"))]
            Source::Json(json) => native(json),
        }
    }

    /// Which object this is.
    pub fn reference(&self) -> ObjectRef {
        self.ask(
            |object| object.ref_(),
            #[cfg(not(target_arch = "wasm32"))]
            crate::json::reference,
        )
    }

    /// The value at a pointer such as `/spec/replicas` or `/status/conditions/[type=Ready]/status`.
    pub fn get(&self, pointer: &str) -> Option<Value> {
        self.ask(
            |object| object.get(pointer),
            #[cfg(not(target_arch = "wasm32"))]
            |json| crate::json::find(json, pointer).map(crate::json::value),
        )
    }

    /// The values at several pointers, in one crossing: the way to read what a judgement needs.
    pub fn fields<const N: usize>(&self, pointers: [&'static str; N]) -> [Field; N] {
        let mut values = self.values(&pointers).into_iter();
        pointers.map(|pointer| Field {
            pointer,
            value: values.next().flatten(),
        })
    }

    /// The values at pointers that are known only when the plugin runs, in one crossing; in the order of the pointers.
    pub fn values(&self, pointers: &[&str]) -> Vec<Option<Value>> {
        self.ask(
            |object| object.get_many(pointers),
            #[cfg(not(target_arch = "wasm32"))]
            |json| {
                pointers
                    .iter()
                    .map(|pointer| crate::json::find(json, pointer).map(crate::json::value))
                    .collect()
            },
        )
    }

    /// The text at a pointer; none where there is nothing or no text.
    pub fn text(&self, pointer: &str) -> Option<String> {
        match self.get(pointer) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The integer at a pointer; none where there is nothing or no integer.
    pub fn integer(&self, pointer: &str) -> Option<i64> {
        match self.get(pointer) {
            Some(Value::Integer(integer)) => Some(integer),
            _ => None,
        }
    }

    /// True where the pointer leads to `true`.
    pub fn flag(&self, pointer: &str) -> bool {
        matches!(self.get(pointer), Some(Value::Boolean(true)))
    }

    /// The map or list at a pointer, parsed; none where there is neither.
    pub fn tree(&self, pointer: &str) -> Option<serde_json::Value> {
        match self.get(pointer) {
            Some(Value::Json(text)) => serde_json::from_str(&text).ok(),
            _ => None,
        }
    }

    /// One annotation; none where it is missing or no text.
    pub fn annotation(&self, key: &str) -> Option<String> {
        self.ask(
            |object| object.annotation(key),
            #[cfg(not(target_arch = "wasm32"))]
            |json| {
                json.get("metadata")?
                    .get("annotations")?
                    .get(key)?
                    .as_str()
                    .map(str::to_owned)
            },
        )
    }

    /// One label; none where it is missing or no text.
    pub fn label(&self, key: &str) -> Option<String> {
        self.ask(
            |object| object.label(key),
            #[cfg(not(target_arch = "wasm32"))]
            |json| {
                json.get("metadata")?
                    .get("labels")?
                    .get(key)?
                    .as_str()
                    .map(str::to_owned)
            },
        )
    }

    /// True for a hook that Argo CD holds with a finalizer until the sync is over: what is said of it still counts, although it is being
    /// deleted.
    pub fn is_held_hook(&self) -> bool {
        let finalizers = self.tree("/metadata/finalizers");
        let list = finalizers.as_ref().and_then(|list| list.as_array());
        list.is_some_and(|list| list.iter().any(|name| name == HOOK_FINALIZER))
    }

    /// How many entries the list or map at a pointer has; none where there is neither.
    pub fn length(&self, pointer: &str) -> Option<u32> {
        self.ask(
            |object| object.length(pointer),
            #[cfg(not(target_arch = "wasm32"))]
            |json| crate::json::length(json, pointer),
        )
    }
}

/// A missing field and an explicit `null` read the same. The wrong type is an error that says so: judging by half of an object
/// would be a guess.
impl Field {
    /// The text, if any.
    pub fn text(self) -> Result<Option<String>, String> {
        match self.value {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong("a text")),
        }
    }

    /// The integer, if any.
    pub fn integer(self) -> Result<Option<i64>, String> {
        match self.value {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Integer(integer)) => Ok(Some(integer)),
            // 3.0 is 3, as for the API server.
            Some(Value::Number(number)) if number.fract() == 0.0 && number.abs() < 9e15 => {
                Ok(Some(number as i64))
            }
            Some(_) => Err(self.wrong("an integer")),
        }
    }

    /// The integer; 0 where there is none, as Kubernetes leaves out what is 0.
    pub fn count(self) -> Result<i64, String> {
        Ok(self.integer()?.unwrap_or(0))
    }

    /// The flag; false where there is none.
    pub fn flag(self) -> Result<bool, String> {
        match self.value {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Boolean(flag)) => Ok(flag),
            Some(_) => Err(self.wrong("true or false")),
        }
    }

    /// The map or list, parsed; null where there is none.
    pub fn tree(self) -> Result<serde_json::Value, String> {
        match &self.value {
            None | Some(Value::Null) => Ok(serde_json::Value::Null),
            Some(Value::Json(text)) => {
                serde_json::from_str(text).map_err(|error| format!("`{}`: {error}", self.pointer))
            }
            Some(_) => Err(self.wrong("a map or a list")),
        }
    }

    /// True where there is anything but `null`.
    pub fn is_set(&self) -> bool {
        !matches!(self.value, None | Some(Value::Null))
    }

    fn wrong(&self, wanted: &str) -> String {
        format!("`{}` is not {wanted}", self.pointer)
    }
}
