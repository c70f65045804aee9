//! What is too much, as the settings say.

use std::collections::BTreeMap;

use serde_json::Value;
use sluice_plugin::{Problem, Settings};

use crate::Place;

/// The settings.
pub(crate) const SCHEMA: &str = r##"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "maxCount": {
      "description": "How many objects one plan may delete; no limit by default.",
      "$ref": "#/$defs/count"
    },
    "maxSharePercent": {
      "description": "How much of what the application owns one plan may delete, in percent; 50 by default.",
      "$ref": "#/$defs/percent"
    },
    "minCount": {
      "description": "Plans that delete fewer objects are not judged by their share; 4 by default.",
      "$ref": "#/$defs/count"
    },
    "kinds": {
      "description": "Limits for single kinds, by Kind.group, or Kind for the core group.",
      "$ref": "#/$defs/limits"
    },
    "namespaces": {
      "description": "Limits for single namespaces, by name.",
      "$ref": "#/$defs/limits"
    },
    "protectedKinds": {
      "description": "Kinds of which nothing is deleted without approval, as Kind.group.",
      "$ref": "#/$defs/names"
    },
    "protectedNamespaces": {
      "description": "Namespaces in which nothing is deleted without approval.",
      "$ref": "#/$defs/names"
    },
    "applicationDeletion": {
      "description": "Whether the limits count where the Application itself is deleted; protection always does.",
      "enum": ["allow", "limit"]
    }
  },
  "$defs": {
    "count": {"type": "integer", "minimum": 0, "maximum": 4294967295},
    "percent": {"type": "integer", "minimum": 0, "maximum": 100},
    "names": {"type": "array", "items": {"type": "string", "minLength": 1}},
    "limits": {
      "type": "object",
      "additionalProperties": {
        "type": "object",
        "additionalProperties": false,
        "properties": {"maxCount": {"$ref": "#/$defs/count"}, "maxSharePercent": {"$ref": "#/$defs/percent"}}
      }
    }
  }
}"##;

/// How much may go of something.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Limit {
    pub(crate) count: Option<u32>,
    /// In percent.
    pub(crate) share: Option<u32>,
}

impl Limit {
    /// Says what is too much about deleting so many of so many, where it is.
    pub(crate) fn exceeded(&self, (deleted, owned): (u64, u64), which: &str) -> Option<String> {
        let objects = format!("the plan deletes {deleted} of {owned} objects {which}");
        if let Some(limit) = self.count.filter(|limit| deleted > u64::from(*limit)) {
            return Some(format!("{objects}; more than {limit} at once wait for approval"));
        }
        let limit = self
            .share
            .filter(|limit| deleted * 100 > u64::from(*limit) * owned)?;
        let percent = deleted * 100 / owned.max(1);
        Some(format!(
            "{objects} ({percent} %); more than {limit} % at once wait for approval"
        ))
    }
}

/// All limits.
pub(crate) struct Limits {
    pub(crate) all: Limit,
    pub(crate) min_count: u32,
    pub(crate) kinds: BTreeMap<String, Limit>,
    pub(crate) namespaces: BTreeMap<String, Limit>,
    protected_kinds: Vec<String>,
    protected_namespaces: Vec<String>,
    pub(crate) count_application_deletion: bool,
}

impl Limits {
    /// Reads the settings; the engine has held them against [`SCHEMA`], tests and other hosts may not have.
    pub(crate) fn read(settings: &Settings) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader {
            problems: settings.unknown(&[
                "maxCount",
                "maxSharePercent",
                "minCount",
                "kinds",
                "namespaces",
                "protectedKinds",
                "protectedNamespaces",
                "applicationDeletion",
            ]),
        };
        let limits = Self {
            all: Limit {
                count: reader.number("/maxCount", settings.get("maxCount")),
                share: Some(
                    reader
                        .number("/maxSharePercent", settings.get("maxSharePercent"))
                        .unwrap_or(50),
                ),
            },
            min_count: reader.number("/minCount", settings.get("minCount")).unwrap_or(4),
            kinds: reader.limits("/kinds", settings.get("kinds")),
            namespaces: reader.limits("/namespaces", settings.get("namespaces")),
            protected_kinds: reader.names("/protectedKinds", settings.get("protectedKinds")),
            protected_namespaces: reader.names("/protectedNamespaces", settings.get("protectedNamespaces")),
            count_application_deletion: match settings.get("applicationDeletion").map(Value::as_str) {
                None | Some(Some("allow")) => false,
                Some(Some("limit")) => true,
                Some(_) => reader.problem("/applicationDeletion", "must be `allow` or `limit`"),
            },
        };
        match reader.problems.is_empty() {
            true => Ok(limits),
            false => Err(reader.problems),
        }
    }

    /// Why an object is never deleted without a person.
    pub(crate) fn protection(&self, place: &Place) -> Option<String> {
        if self.protected_kinds.contains(&place.kind) {
            return Some(format!("the kind `{}` is protected", place.kind));
        }
        let namespace = place.namespace.as_ref()?;
        let is_protected = self.protected_namespaces.contains(namespace);
        is_protected.then(|| format!("the namespace `{namespace}` is protected"))
    }
}

/// Reads settings and notes what is wrong.
struct Reader {
    problems: Vec<Problem>,
}

impl Reader {
    fn problem<T: Default>(&mut self, pointer: &str, message: &str) -> T {
        self.problems.push(Problem::new(pointer, message));
        T::default()
    }

    fn number(&mut self, pointer: &str, value: Option<&Value>) -> Option<u32> {
        let number = value?.as_u64().and_then(|number| u32::try_from(number).ok());
        number.or_else(|| self.problem(pointer, "must be a whole number that is not negative"))
    }

    fn names(&mut self, pointer: &str, value: Option<&Value>) -> Vec<String> {
        let Some(value) = value else { return Vec::new() };
        let names = value.as_array().and_then(|list| {
            let names = list.iter().map(|name| name.as_str().map(str::to_owned));
            names.collect()
        });
        names.unwrap_or_else(|| self.problem(pointer, "must be a list of names"))
    }

    fn limits(&mut self, pointer: &str, value: Option<&Value>) -> BTreeMap<String, Limit> {
        let Some(value) = value else {
            return BTreeMap::new();
        };
        let Some(map) = value.as_object() else {
            return self.problem(pointer, "must be a map from names to limits");
        };
        let limit = |(name, limit): (&String, &Value)| {
            let at =
                |field: &str| format!("{pointer}/{}/{field}", name.replace('~', "~0").replace('/', "~1"));
            let limit = Limit {
                count: self.number(&at("maxCount"), limit.get("maxCount")),
                share: self.number(&at("maxSharePercent"), limit.get("maxSharePercent")),
            };
            (name.clone(), limit)
        };
        map.iter().map(limit).collect()
    }
}
