//! What a rendering is given besides the files: keys, values and variables from ConfigMaps and Secrets. Flux's names.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::LocalName;

/// What opens encrypted files: Flux's `spec.decryption`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Decryption {
    /// What encrypted them.
    #[serde(default)]
    pub provider: DecryptionProvider,
    /// Secret in the Application's namespace with the secret keys: entries that end in `.agekey` for age, in `.asc` for OpenPGP without a
    /// passphrase. Other entries are passed over.
    pub secret_ref: LocalName,
}

/// What encrypted files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DecryptionProvider {
    /// SOPS, by age or OpenPGP keys.
    #[default]
    Sops,
}

/// Variables that are expanded in rendered objects, as a shell does: `${name}`, `${name:-default}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PostBuild {
    /// Variables by name. They win over those of `substituteFrom`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub substitute: BTreeMap<String, String>,
    /// ConfigMaps and Secrets whose entries are variables. Later ones win.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub substitute_from: Vec<SubstituteReference>,
    /// Refuse a variable that is not set and has no default. Otherwise it is empty.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub strict: bool,
}

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum GivenKind {
    /// A ConfigMap.
    ConfigMap,
    /// A Secret. Its values are shown nowhere.
    Secret,
}

/// A ConfigMap or Secret of variables, in the Application's namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SubstituteReference {
    /// Which of the two.
    pub kind: GivenKind,
    /// Its name.
    pub name: String,
    /// Pass it over if there is none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

/// A ConfigMap or Secret of values for a chart, in the Application's namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ValuesReference {
    /// Which of the two.
    pub kind: GivenKind,
    /// Its name.
    pub name: String,
    /// The entry with the values.
    #[serde(default = "values_key")]
    pub values_key: String,
    /// Where the entry belongs as a single value, as of `helm --set`; quotes around the entry make it text. Without this, it is values as
    /// YAML.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub target_path: String,
    /// Pass it over if there is none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

fn values_key() -> String {
    "values.yaml".to_owned()
}
