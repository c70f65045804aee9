//! Where an Application's manifests come from, and how they are made of what is there. Argo CD's names, wherever the idea is the same.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{LocalName, StartOfTrust, ValuesReference, any_object};

/// A folder of a Git repository, a chart of a chart repository or a registry, or a folder of an artifact of a registry.
///
/// With `ref` and without `path` nothing is rendered of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Source {
    /// Of Git: `https://`, `http://`, `ssh://`, `user@host:path` or `file://`. Of charts, with `chart`: the `https://` that
    /// `index.yaml` is below. Of a registry: `oci://HOST/PATH`, of a chart or an artifact of manifests.
    #[serde(rename = "repoURL")]
    pub repo_url: String,
    /// The chart's name, in a chart repository or below the path of a registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chart: Option<String>,
    /// Branch, tag or commit; `HEAD` by default. Of a chart: a version, or a range as Helm takes it (`^1.2`, `1.x`); the newest
    /// release by default. Of a registry also a tag, or `sha256:…` of a manifest.
    #[serde(default = "head")]
    pub target_revision: String,
    /// Folder within the repository; its root by default. What it holds says how it is rendered: a `Chart.yaml` by Helm, a
    /// `kustomization.yaml` by Kustomize, anything else as a folder of plain manifests; `plugin` names another renderer.
    #[serde(default)]
    pub path: String,
    /// What tells it from the other `sources`: in statuses, in messages, and for `sluice rollback`. By default its `ref`, or the last
    /// part of the URL and the path. What was verified is remembered by it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The name by which other `sources` mean files of this repository: `$REF/path`, from its root, in their `valueFiles` and
    /// `fileParameters`. A source with a `ref`, without `path` and without `chart` is there for that alone.
    #[serde(default, rename = "ref", skip_serializing_if = "String::is_empty")]
    pub reference: String,
    /// Where trust starts in mode `chain`, for one of several `sources`; for a single one see `verification.startOfTrust`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_of_trust: Option<StartOfTrust>,
    /// How a folder of plain manifests is read.
    #[serde(default)]
    pub directory: Directory,
    /// How a chart is rendered. If it is given, the folder is rendered by Helm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub helm: Option<Helm>,
    /// How a kustomization is built. If it is given, the folder is rendered by Kustomize.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kustomize: Option<Kustomize>,
    /// By which renderer of the plugin directory the folder is rendered, whatever is in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<SourcePlugin>,
    /// Secret in the Application's namespace: `username` and `password`, `bearerToken`, `sshPrivateKey`, or `tls.crt` and
    /// `tls.key`; also `known_hosts`, `ca.crt` and `proxy`. Without it, the shared ones where some are for this URL and this
    /// namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<LocalName>,
    /// ConfigMap in the Application's namespace; every value is lines of OpenSSH's `known_hosts`, and no other hosts are
    /// known. Without it, the shared ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_hosts: Option<LocalName>,
    /// ConfigMap in the Application's namespace; every value is certificates, PEM, of authorities or of the server itself,
    /// and no others will do. Without it, the shared ones for the host, or the system's authorities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_certificates: Option<LocalName>,
}

impl Source {
    /// Returns true for a Git repository, false for a chart or an artifact.
    pub fn is_git(&self) -> bool {
        self.chart.is_none() && !self.repo_url.starts_with("oci://")
    }

    /// Returns false for one that is only there for values files of others.
    pub fn is_rendered(&self) -> bool {
        self.reference.is_empty() || self.chart.is_some() || !self.path.is_empty()
    }

    /// Returns what tells it from the other sources. It stays the same if the sources are put into another order, and where the
    /// repository moves to another host.
    pub fn given_name(&self) -> String {
        if !self.name.is_empty() {
            return self.name.clone();
        }
        if !self.reference.is_empty() {
            return self.reference.clone();
        }
        let url = self.repo_url.trim_end_matches('/');
        let last = url.rsplit(['/', ':']).next().unwrap_or_default();
        let last = last.strip_suffix(".git").unwrap_or(last);
        let last = self.chart.as_deref().unwrap_or(last);
        let path = self.path.split('/').filter(|part| !matches!(*part, "" | "."));
        let parts: Vec<&str> = std::iter::once(last).chain(path).collect();
        let letter = |letter: char| match letter.is_ascii_alphanumeric() || "-_.".contains(letter) {
            true => letter,
            false => '-',
        };
        parts.join(".").chars().map(letter).collect()
    }
}

fn head() -> String {
    "HEAD".to_owned()
}

/// Which files of a folder are manifests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Directory {
    /// Read the folders below it too.
    #[serde(default)]
    pub recurse: bool,
    /// Only files that match this glob, relative to the path, e.g. `*.yaml` or `{a,b}/**`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub include: String,
    /// No files that match this glob; stronger than `include`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub exclude: String,
    /// With what `*.jsonnet` files are evaluated.
    #[serde(default, skip_serializing_if = "Jsonnet::is_empty")]
    pub jsonnet: Jsonnet,
}

/// With what Jsonnet programs are evaluated: Argo CD's `source.directory.jsonnet`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Jsonnet {
    /// What `std.extVar` returns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ext_vars: Vec<JsonnetVariable>,
    /// Arguments of a program that is a function.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tlas: Vec<JsonnetVariable>,
    /// Folders that imports are looked for in, from the repository's root.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub libs: Vec<String>,
}

impl Jsonnet {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A variable of a Jsonnet program.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JsonnetVariable {
    /// Its name.
    pub name: String,
    /// Its value: text, or with `code` a program.
    #[serde(default)]
    pub value: String,
    /// Evaluate the value instead of taking it as text.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub code: bool,
}

/// How a chart is rendered: Argo CD's `source.helm`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Helm {
    /// The release's name; the Application's by default.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub release_name: String,
    /// Values files, relative to the chart or, with a leading `/`, to the repository's root; `$REF/…` is of the source
    /// with that `ref`; globs are expanded. Later ones win.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub value_files: Vec<String>,
    /// Pass over values files that are not there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ignore_missing_value_files: bool,
    /// Values from ConfigMaps and Secrets of the Application's namespace: Flux's `valuesFrom`. They win over values files, later ones over
    /// earlier ones; `values` and `valuesObject` win over them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values_from: Vec<ValuesReference>,
    /// Values as YAML text. They win over values files.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub values: String,
    /// Values as an object. If it is given, `values` is passed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values_object: Option<Map<String, Value>>,
    /// Single values, as of `helm --set` and `--set-string`. They win over all others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<HelmParameter>,
    /// Single values that are a file's content, as of `helm --set-file`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub file_parameters: Vec<HelmFileParameter>,
    /// Leave out the chart's folders `crds`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skip_crds: bool,
    /// Leave out hooks that are tests.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skip_tests: bool,
    /// Do not check values against the chart's `values.schema.json`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skip_schema_validation: bool,
    /// The namespace that the chart is told; the destination's by default.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// The Kubernetes version that the chart is told; the cluster's by default.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kube_version: String,
    /// The API versions that the chart is told, `[GROUP/]VERSION/KIND`; the cluster's by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub api_versions: Vec<String>,
    /// What Kustomize changes of what the chart gave, hooks included and the folder `crds` not, one after the other: Flux's
    /// `postRenderers`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub post_renderers: Vec<HelmPostRenderer>,
    /// Helm's major version. Taken and without effect: charts of v1 and v2 are rendered by one library.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// Taken and without effect: credentials are those of the repository.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pass_credentials: bool,
}

/// What changes the objects of a chart after it was rendered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HelmPostRenderer {
    /// By Kustomize.
    pub kustomize: PostKustomize,
}

/// What Kustomize changes of a chart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PostKustomize {
    /// Patches, as in a kustomization; inline.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patches: Vec<KustomizePatch>,
    /// Images, as in a kustomization.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<KustomizeImage>,
}

/// An image that is replaced, as in a kustomization.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KustomizeImage {
    /// The image, without tag and digest.
    pub name: String,
    /// What stands for its name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub new_name: String,
    /// What stands for its tag.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub new_tag: String,
    /// What stands for its tag and digest.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub digest: String,
}

/// A single value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HelmParameter {
    /// Where it belongs, as of `helm --set`: `image.tag`, `list[0].name`.
    pub name: String,
    /// The value.
    #[serde(default)]
    pub value: String,
    /// Take the value as text, whatever it looks like.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force_string: bool,
}

/// A single value that is a file's content.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HelmFileParameter {
    /// Where it belongs, as of `helm --set-file`.
    pub name: String,
    /// The file, relative to the chart.
    pub path: String,
}

/// A renderer of the plugin directory, and what it is told: Argo CD's `source.plugin`, and `settings` for what does not fit there.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SourcePlugin {
    /// The name of its file without `.wasm`, or `NAME@sha256:…` for one version of it alone.
    pub name: String,
    /// Variables, of which Argo CD makes the environment of a process.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<PluginVariable>,
    /// Parameters, each a text, a list or a map.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<PluginParameter>,
    /// Whatever else the renderer takes.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schemars(schema_with = "any_object")]
    pub settings: Map<String, Value>,
}

/// A variable for a renderer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PluginVariable {
    /// Its name.
    pub name: String,
    /// Its value.
    #[serde(default)]
    pub value: String,
}

/// A parameter for a renderer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PluginParameter {
    /// Its name.
    pub name: String,
    /// Its value if that is a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub string: Option<String>,
    /// Its value if that is a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub array: Option<Vec<String>>,
    /// Its value if that is a map.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map: Option<BTreeMap<String, String>>,
}

/// How a kustomization is built: Argo CD's `source.kustomize`. Everything is done as `kustomize edit` would.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Kustomize {
    /// Before every name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name_prefix: String,
    /// After every name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name_suffix: String,
    /// Images, `name=new/name:tag`, `name:tag` or `name@sha256:…`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<String>,
    /// How many replicas workloads have, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replicas: Vec<KustomizeReplica>,
    /// Labels for every object and selector.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub common_labels: BTreeMap<String, String>,
    /// Set labels that are set already.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force_common_labels: bool,
    /// Set no label in selectors.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub label_without_selector: bool,
    /// Set labels in pod templates, where selectors have none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub label_include_templates: bool,
    /// Annotations for every object.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub common_annotations: BTreeMap<String, String>,
    /// Set annotations that are set already.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force_common_annotations: bool,
    /// Replace `${ARGOCD_APP_NAME}` and the like in the values of `commonAnnotations`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub common_annotations_envsubst: bool,
    /// The namespace of every object.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Patches, as in a kustomization.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patches: Vec<KustomizePatch>,
    /// Components, by path relative to the kustomization.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<String>,
    /// Pass over components that are not there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ignore_missing_components: bool,
    /// The Kubernetes version that charts are told; the cluster's by default.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kube_version: String,
    /// The API versions that charts are told; the cluster's by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub api_versions: Vec<String>,
}

/// How many replicas the workloads of a name have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KustomizeReplica {
    /// The workload's name.
    pub name: String,
    /// How many, as a number or as text.
    #[schemars(schema_with = "int_or_text")]
    pub count: Value,
}

fn int_or_text(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"x-kubernetes-int-or-string": true})
}

/// A patch, as in a kustomization: a strategic merge or JSON 6902.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KustomizePatch {
    /// The patch, inline.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub patch: String,
    /// A file with the patch.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// Which objects are patched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<KustomizeTarget>,
    /// `allowNameChange` and `allowKindChange`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, bool>,
}

/// Which objects a patch is for; all texts but the selectors are regular expressions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KustomizeTarget {
    /// API group of the objects.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// API version of the objects.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// Kind of the objects.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Name of the objects.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Namespace of the objects.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Label selector.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label_selector: String,
    /// Annotation selector.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub annotation_selector: String,
}
