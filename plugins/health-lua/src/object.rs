//! `obj`: as much of an object as a script may read, as a table.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use sluice_lua::{Engine, Paths, Script, Text, Value};
use sluice_plugin::{Object, Value as Field};

use crate::settings::Parsed;

/// What is asked for before everything else.
const DELETION: &str = "/metadata/deletionTimestamp";
const WHOLE: &str = "";

/// What a script may read of its object.
pub(crate) struct Reads {
    /// The keys at the top, sorted; of `metadata` those below it. None for the object as a whole.
    keys: Option<Vec<Key>>,
    /// Where they are, [`DELETION`] first.
    pointers: Vec<String>,
}

enum Key {
    Top(Text),
    Metadata(Text),
}

/// What was found of one object.
pub(crate) struct Fields<'a> {
    reads: &'a Reads,
    values: Vec<Option<Field>>,
}

impl Reads {
    /// Everything but `metadata` is taken by its first key: whether there is a `status` is a question of its own.
    pub(crate) fn of(script: &Script) -> Self {
        let mut pointers = vec![DELETION.to_owned()];
        let keys = match script.reads("obj") {
            Paths::All => {
                pointers.push(WHOLE.to_owned());
                None
            }
            Paths::Some(paths) => {
                let is_metadata = |key: &Text| **key == *b"metadata";
                if paths
                    .iter()
                    .any(|(first, second)| is_metadata(first) && second.is_none())
                {
                    pointers.push(WHOLE.to_owned());
                    return Self { keys: None, pointers };
                }
                let mut paths: Vec<_> = paths
                    .into_iter()
                    .map(|(first, second)| match is_metadata(&first) {
                        true => (first, second),
                        false => (first, None),
                    })
                    .collect();
                paths.sort();
                paths.dedup();
                let keys = paths.into_iter().map(|path| {
                    let (pointer, key) = match path {
                        (first, Some(second)) => (
                            format!("/{}/{}", escaped(&first), escaped(&second)),
                            Key::Metadata(second),
                        ),
                        (first, None) => (format!("/{}", escaped(&first)), Key::Top(first)),
                    };
                    pointers.push(pointer);
                    key
                });
                Some(keys.collect())
            }
        };
        Self { keys, pointers }
    }
}

/// A key as a part of a pointer.
fn escaped(key: &[u8]) -> String {
    String::from_utf8_lossy(key).replace('~', "~0").replace('/', "~1")
}

impl Parsed {
    /// Fetches what the script may read, in one crossing.
    pub(crate) fn fields(&self, object: &Object<'_>) -> Fields<'_> {
        let pointers: Vec<&str> = self.reads.pointers.iter().map(String::as_str).collect();
        Fields {
            reads: &self.reads,
            values: object.values(&pointers),
        }
    }
}

impl Fields<'_> {
    /// Whether the object is on its way out.
    pub(crate) fn is_deleting(&self, object: &Object<'_>) -> bool {
        let is_deleted = !matches!(self.values.first(), None | Some(None | Some(Field::Null)));
        is_deleted && !object.is_held_hook()
    }

    /// Makes the table.
    pub(crate) fn into_table(self, engine: &mut Engine) -> Result<Value, String> {
        let mut values = self.values.into_iter().skip(1);
        let Some(keys) = &self.reads.keys else {
            return converted(engine, values.next().flatten());
        };
        let (mut top, mut metadata) = (Vec::new(), Vec::new());
        let mut metadata_at = None;
        for (key, value) in keys.iter().zip(values) {
            let value = converted(engine, value)?;
            match key {
                Key::Top(key) => top.push((key.clone(), value)),
                Key::Metadata(key) => {
                    metadata_at.get_or_insert(top.len());
                    metadata.push((key.clone(), value));
                }
            }
        }
        if let Some(at) = metadata_at {
            let metadata = engine.map(metadata)?;
            top.insert(at, (b"metadata".as_slice().into(), metadata));
        }
        engine.map(top)
    }
}

fn converted(engine: &mut Engine, field: Option<Field>) -> Result<Value, String> {
    Ok(match field {
        None | Some(Field::Null) => Value::Nil,
        Some(Field::Boolean(flag)) => Value::Bool(flag),
        Some(Field::Integer(integer)) => Value::Number(integer as f64),
        Some(Field::Number(number)) => Value::Number(number),
        Some(Field::Text(text)) => Value::text(text),
        Some(Field::Json(text)) => {
            let engine = RefCell::new(engine);
            let mut json = serde_json::Deserializer::from_str(&text);
            let read = Json {
                engine: &engine,
                is_metadata: false,
            }
            .deserialize(&mut json);
            read.map_err(|error| format!("the object cannot be read: {error}"))?
        }
    })
}

/// Reads JSON into tables, without a tree between.
struct Json<'a, 'e> {
    engine: &'a RefCell<&'e mut Engine>,
    /// The entries of field managers are left out of it.
    is_metadata: bool,
}

impl<'de> DeserializeSeed<'de> for Json<'_, '_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Json<'_, '_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Nil)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Number(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        let entry = || Json {
            engine: self.engine,
            is_metadata: false,
        };
        while let Some(value) = list.next_element_seed(entry())? {
            // As in Argo CD, where nothing can be appended to a list.
            if !value.is_nil() {
                values.push(value);
            }
        }
        self.engine
            .borrow_mut()
            .list(values)
            .map_err(serde::de::Error::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries: Vec<(Text, Value)> = Vec::new();
        let mut is_sorted = true;
        while let Some(key) = map.next_key_seed(KeyText)? {
            if self.is_metadata && *key == *b"managedFields" {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let is_metadata = *key == *b"metadata";
            let value = map.next_value_seed(Json {
                engine: self.engine,
                is_metadata,
            })?;
            is_sorted &= entries.last().is_none_or(|(last, _)| *last < key);
            entries.push((key, value));
        }
        if !is_sorted {
            entries.sort_by(|left, right| left.0.cmp(&right.0));
            entries.dedup_by(|later, earlier| later.0 == earlier.0);
        }
        self.engine
            .borrow_mut()
            .map(entries)
            .map_err(serde::de::Error::custom)
    }
}

/// A key of a map.
struct KeyText;

impl<'de> DeserializeSeed<'de> for KeyText {
    type Value = Text;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Text, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyText {
    type Value = Text;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E>(self, text: &str) -> Result<Text, E> {
        Ok(text.as_bytes().into())
    }
}
