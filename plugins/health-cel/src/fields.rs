//! As much of an object as its expressions read, fetched in one crossing.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use sluice_cel::{Failure, Key, Map, Meter, Program, Read, Value};
use sluice_plugin::{Object, Value as Field};

/// What is fetched before what the expressions read.
const FIRST: [&str; 3] = [
    "/metadata/deletionTimestamp",
    "/metadata/generation",
    "/status/observedGeneration",
];
/// The name of which single fields are fetched: every object has it, and much of it nobody reads.
const METADATA: &str = "metadata";
const MANAGED_FIELDS: &str = "managedFields";

/// What the expressions of a rule read.
#[derive(Default)]
pub(crate) struct Reads {
    reads: Vec<Read>,
    /// [`FIRST`], then one for each of the others.
    pointers: Vec<String>,
}

/// What was found of one object.
pub(crate) struct Fields {
    is_deleting: bool,
    generation: Option<i64>,
    observed: Option<i64>,
    values: Vec<(String, Value)>,
}

impl Reads {
    /// What some programs read.
    pub(crate) fn of<'a>(programs: impl Iterator<Item = &'a Program>) -> Self {
        let whole = |read: Read| match read {
            // Whether there is a `status` at all is a question of its own.
            Read::Field(name, _) if name != METADATA => Read::Whole(name),
            read => read,
        };
        let mut reads: Vec<Read> = programs.flat_map(Program::reads).map(whole).collect();
        reads.sort();
        reads.dedup();
        let has_all_metadata = reads.contains(&Read::Whole(METADATA.to_owned()));
        reads.retain(|read| match read {
            Read::Whole(_) => true,
            // These are left out of the whole.
            Read::Field(_, field) => !has_all_metadata || field == MANAGED_FIELDS,
        });
        let pointer = |read: &Read| match read {
            Read::Whole(name) => format!("/{}", escaped(name)),
            Read::Field(name, field) => format!("/{}/{}", escaped(name), escaped(field)),
        };
        let first = FIRST.into_iter().map(str::to_owned);
        let pointers = first.chain(reads.iter().map(pointer)).collect();
        Self { reads, pointers }
    }
}

/// A name as a part of a pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

impl Fields {
    /// Fetches what is read of an object.
    pub(crate) fn fetch(reads: &Reads, object: &Object<'_>, meter: &Meter) -> Result<Self, Failure> {
        let pointers: Vec<&str> = reads.pointers.iter().map(String::as_str).collect();
        let mut found = object.values(&pointers).into_iter();
        let [deletion, generation, observed] = FIRST.map(|_| found.next().flatten());
        let whole = |field| match field {
            Some(Field::Integer(integer)) => Some(integer),
            _ => None,
        };
        let mut values: Vec<(String, Value)> = Vec::new();
        let mut metadata = Map::new();
        for (read, field) in reads.reads.iter().zip(found) {
            let Some(field) = field else {
                continue;
            };
            match read {
                Read::Whole(name) => values.push((name.clone(), converted(field, name == METADATA, meter)?)),
                Read::Field(_, field_name) => {
                    metadata.insert(Key::text(field_name), converted(field, false, meter)?);
                }
            }
        }
        let whole_metadata = values.iter_mut().find(|(name, _)| name == METADATA);
        match whole_metadata {
            Some((_, Value::Map(map))) => std::rc::Rc::make_mut(map).extend(metadata),
            Some(_) => {}
            None => values.push((METADATA.to_owned(), Value::map(metadata))),
        }
        Ok(Self {
            is_deleting: !matches!(deletion, None | Some(Field::Null)),
            generation: whole(generation),
            observed: whole(observed),
            values,
        })
    }

    /// Whether the object is on its way out.
    pub(crate) fn is_deleting(&self, object: &Object<'_>) -> bool {
        self.is_deleting && !object.is_held_hook()
    }

    /// The object's generation and the one that its controller has seen, if both are known and differ.
    pub(crate) fn stale_generation(&self) -> Option<(i64, i64)> {
        self.generation
            .zip(self.observed)
            .filter(|(newest, seen)| newest != seen)
    }

    /// The value at a name at the top of the object; none if it has none.
    pub(crate) fn value(&self, name: &str) -> Option<Value> {
        let mut values = self.values.iter();
        values.find_map(|(found, value)| (found == name).then(|| value.clone()))
    }
}

fn converted(field: Field, is_metadata: bool, meter: &Meter) -> Result<Value, Failure> {
    Ok(match field {
        Field::Null => Value::Null,
        Field::Boolean(flag) => Value::Bool(flag),
        Field::Integer(integer) => Value::Int(integer),
        Field::Number(number) => Value::Double(number),
        Field::Text(text) => {
            meter.bytes(text.len())?;
            Value::text(text)
        }
        Field::Json(text) => {
            let mut json = serde_json::Deserializer::from_str(&text);
            let read = Json { meter, is_metadata }.deserialize(&mut json);
            read.map_err(|error| Failure::Error(format!("it cannot be read: {error}")))?
        }
    })
}

/// Reads JSON into a value, without a tree between.
struct Json<'a> {
    meter: &'a Meter,
    /// The entries of field managers are left out of it.
    is_metadata: bool,
}

/// Bytes that an entry takes beside its text.
const LIST_ENTRY: usize = size_of::<Value>() + 16;
const MAP_ENTRY: usize = 4 * size_of::<Value>();

impl<'de> DeserializeSeed<'de> for Json<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Json<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Int(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        // As Kubernetes decodes: a whole number that does not fit is a double.
        Ok(i64::try_from(number).map_or(Value::Double(number as f64), Value::Int))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Double(number))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        self.meter.bytes(text.len()).map_err(E::custom)?;
        Ok(Value::text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        let entry = || Json {
            meter: self.meter,
            is_metadata: false,
        };
        while let Some(value) = list.next_element_seed(entry())? {
            self.meter.bytes(LIST_ENTRY).map_err(A::Error::custom)?;
            values.push(value);
        }
        Ok(Value::list(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut values = Map::new();
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            if self.is_metadata && key == MANAGED_FIELDS {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            self.meter
                .bytes(MAP_ENTRY + key.len())
                .map_err(A::Error::custom)?;
            let value = map.next_value_seed(Json {
                meter: self.meter,
                is_metadata: false,
            })?;
            values.insert(Key::text(key), value);
        }
        Ok(Value::map(values))
    }
}
