//! What expressions such as `<+env.name>` stand for in the settings of sources.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A service or an environment, as expressions know it: `<+env.name>`, `<+env.variables.region>`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VariableScope {
    /// What `<+env.name>` or `<+service.name>` stands for.
    pub name: String,
    /// What `<+env.variables.NAME>` or `<+service.variables.NAME>` stand for: texts, numbers, truth values, and maps of these, whose names are
    /// joined by dots. They win over those of files.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub variables: Map<String, Value>,
    /// Files in Git with more of them. Later ones win.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variables_from: Vec<VariablesFile>,
}

/// A YAML or JSON file of variables, of the verified revision of a source. It is not to be encrypted: `sluice explain` shows variables.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VariablesFile {
    /// The `name` or `ref` of the source that the file is of. It may be left out if there is one source.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// The file, from the root of the repository. Expressions of names may be in it: `environments/<+env.name>.yaml`.
    pub path: String,
    /// True if the file may be missing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

/// The ConfigMap in the namespace of what is shared that says what `<+cluster.…>` stands for: its entry `name` is `<+cluster.name>`, every other
/// entry NAME is `<+cluster.variables.NAME>`.
pub const CLUSTER_VARIABLES: &str = "sluice-cluster";

/// The variables of a scope by their dotted names, those that are no map.
pub fn flattened(variables: &Map<String, Value>) -> BTreeMap<String, Value> {
    let mut flat = BTreeMap::new();
    flatten("", variables, &mut flat);
    flat
}

fn flatten(prefix: &str, variables: &Map<String, Value>, flat: &mut BTreeMap<String, Value>) {
    for (name, value) in variables {
        let name = match prefix {
            "" => name.clone(),
            prefix => format!("{prefix}.{name}"),
        };
        match value {
            Value::Object(more) => flatten(&name, more, flat),
            value => drop(flat.insert(name, value.clone())),
        }
    }
}
