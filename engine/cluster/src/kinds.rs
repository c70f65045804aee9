//! Which kinds a cluster serves. Asked once, and again when one is missing.
//!
//! Two requests where the server aggregates its discovery (every supported version does); one per group and version
//! where it does not. Of a group whose own API server is down it is known that something may be missing ([`Kinds::is_down`]).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use kube::core::discovery::v2::{APIGroupDiscoveryList, APIResourceDiscovery};
use serde_json::Value;
use sluice_model::object::GroupKind;
use sluice_model::{Object, ObjectRef};

use crate::connect::Cluster;
use crate::error::ClusterError;
use crate::segment::encoded;

/// One kind at one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    /// API group; empty for the core group.
    pub group: String,
    /// API version without the group.
    pub version: String,
    /// The object's kind, such as `Deployment`.
    pub kind: String,
    /// Its name in paths, e.g. `deployments`.
    pub plural: String,
    /// True where its objects live in namespaces.
    pub namespaced: bool,
    /// What can be done with it: `get`, `list`, `watch`, `create`, `patch`, `delete`, …
    pub verbs: Vec<String>,
}

impl Kind {
    /// Returns the kind of Applications, which is known without asking.
    pub fn applications() -> Self {
        Self::namespaced("sluice.dev", "v1alpha1", "Application", "applications")
    }

    /// Returns the kind of ConfigMaps, which is known without asking.
    pub fn config_maps() -> Self {
        Self::namespaced("", "v1", "ConfigMap", "configmaps")
    }

    /// Returns the kind of Secrets, which is known without asking.
    pub fn secrets() -> Self {
        Self::namespaced("", "v1", "Secret", "secrets")
    }

    fn namespaced(group: &str, version: &str, kind: &str, plural: &str) -> Self {
        Self {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
            namespaced: true,
            verbs: Vec::new(),
        }
    }

    /// `apps/v1` or `v1`.
    pub fn api_version(&self) -> String {
        match self.group.is_empty() {
            true => self.version.clone(),
            false => format!("{}/{}", self.group, self.version),
        }
    }

    /// Group and kind.
    pub fn group_kind(&self) -> GroupKind {
        GroupKind::new(&self.group, &self.kind)
    }

    /// True where `verb` is served.
    pub fn can(&self, verb: &str) -> bool {
        self.verbs.iter().any(|served| served == verb)
    }

    /// The path of its objects, in one namespace or everywhere, each part of it encoded.
    pub fn path(&self, namespace: Option<&str>) -> String {
        let (version, plural) = (encoded(&self.version), encoded(&self.plural));
        let root = match self.group.is_empty() {
            true => format!("/api/{version}"),
            false => format!("/apis/{}/{version}", encoded(&self.group)),
        };
        match namespace.filter(|_| self.namespaced) {
            Some(namespace) => format!("{root}/namespaces/{}/{plural}", encoded(namespace)),
            None => format!("{root}/{plural}"),
        }
    }
}

/// What was known at one moment.
#[derive(Debug, Default)]
pub struct Kinds {
    /// By group and kind; the versions in the server's order of preference.
    by_group_kind: BTreeMap<GroupKind, Vec<Kind>>,
    /// What people call kinds for short, such as `deploy`, lowercase.
    short_names: BTreeMap<String, BTreeSet<GroupKind>>,
    /// Groups of which the server could not find out everything.
    down: BTreeSet<String>,
    /// Counts up with every discovery.
    generation: u64,
    /// What the server calls its version, such as `v1.36.0`; empty if it does not say.
    server_version: String,
    /// See [`Kinds::api_versions`].
    api_versions: OnceLock<Arc<[String]>>,
}

impl Kinds {
    /// The kind at exactly this version.
    pub fn find(&self, group: &str, version: &str, kind: &str) -> Option<&Kind> {
        self.versions(&GroupKind::new(group, kind))
            .iter()
            .find(|candidate| candidate.version == version)
    }

    /// True where an object's kind is served at its version.
    pub fn has(&self, object: &Object) -> bool {
        self.find(object.group(), object.version(), object.kind())
            .is_some()
    }

    /// The kind at the version that the server prefers.
    pub fn preferred(&self, group_kind: &GroupKind) -> Option<&Kind> {
        self.versions(group_kind).first()
    }

    /// The kind that people call so, at the version that the server prefers: `deployment`, `deployments`, `Deployment` or `deploy`, in any
    /// case; with its group, `deployments.apps`, if several have one of that name. Without a group the core's comes first, then those of
    /// Kubernetes itself, then the others by name.
    pub fn called(&self, name: &str) -> Option<&Kind> {
        let name = name.to_lowercase();
        let (word, group) = match name.split_once('.') {
            Some((word, group)) => (word, Some(group)),
            None => (name.as_str(), None),
        };
        let short = self.short_names.get(word);
        let is_meant = |kind: &&Kind| {
            group.is_none_or(|group| kind.group == group)
                && (kind.plural == word
                    || kind.kind.to_lowercase() == word
                    || short.is_some_and(|kinds| kinds.contains(&kind.group_kind())))
        };
        let is_of_others = |kind: &&Kind| kind.group.contains('.') && !kind.group.ends_with(".k8s.io");
        // Of equals the first counts.
        self.all().filter(is_meant).min_by_key(is_of_others)
    }

    /// All versions of a kind, the preferred one first.
    pub fn versions(&self, group_kind: &GroupKind) -> &[Kind] {
        self.by_group_kind
            .get(group_kind)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    /// True where a group may have kinds that are not known: it is registered, and its server does not answer.
    pub fn is_down(&self, group: &str) -> bool {
        self.down.contains(group)
    }

    /// Every kind at its preferred version, in a fixed order.
    pub fn all(&self) -> impl Iterator<Item = &Kind> {
        self.by_group_kind
            .values()
            .filter_map(|versions| versions.first())
    }

    /// Returns the server's version without its `v`, such as `1.36.0`; none if it does not say, as a server that was built without one
    /// (`v0.0.0-master+$Format:%H$`).
    pub fn server_version(&self) -> Option<&str> {
        let version = self.server_version.trim_start_matches('v');
        let is_one = version.starts_with(|first: char| first.is_ascii_digit()) && !version.starts_with("0.");
        is_one.then_some(version)
    }

    /// Returns what the server serves as charts ask for it: `apps/v1` and `apps/v1/Deployment`, sorted, each once. Listed once for all
    /// who ask.
    pub fn api_versions(&self) -> Arc<[String]> {
        let listed = self.api_versions.get_or_init(|| {
            let kinds = self.by_group_kind.values().flatten();
            let both = kinds.flat_map(|kind| {
                let version = kind.api_version();
                [format!("{version}/{}", kind.kind), version]
            });
            both.collect::<BTreeSet<String>>().into_iter().collect()
        });
        Arc::clone(listed)
    }

    fn add(&mut self, kind: Kind, short_names: Vec<String>) {
        for name in short_names {
            let called = self.short_names.entry(name.to_lowercase()).or_default();
            called.insert(kind.group_kind());
        }
        let versions = self.by_group_kind.entry(kind.group_kind()).or_default();
        if !versions.iter().any(|known| known.version == kind.version) {
            versions.push(kind);
        }
    }

    fn add_aggregated(&mut self, list: APIGroupDiscoveryList) {
        for group in list.items {
            let name = group
                .metadata
                .and_then(|metadata| metadata.name)
                .unwrap_or_default();
            for version in group.versions {
                if version.freshness.as_deref() == Some("Stale") {
                    self.down.insert(name.clone());
                }
                let label = version.version.unwrap_or_default();
                for mut resource in version.resources {
                    let short_names = std::mem::take(&mut resource.short_names);
                    if let Some(kind) = aggregated_kind(&name, &label, resource) {
                        self.add(kind, short_names);
                    }
                }
            }
        }
    }
}

fn aggregated_kind(group: &str, version: &str, resource: APIResourceDiscovery) -> Option<Kind> {
    let response = resource.response_kind?;
    Some(Kind {
        group: response
            .group
            .filter(|text| !text.is_empty())
            .unwrap_or_else(|| group.to_owned()),
        version: response
            .version
            .filter(|text| !text.is_empty())
            .unwrap_or_else(|| version.to_owned()),
        kind: response.kind.filter(|text| !text.is_empty())?,
        plural: resource.resource?,
        namespaced: resource.scope.as_deref() == Some("Namespaced"),
        verbs: resource.verbs,
    })
}

/// The shared memory of a [`Cluster`]'s kinds.
#[derive(Default)]
pub(crate) struct KindCache {
    current: RwLock<Arc<Kinds>>,
    /// One discovery at a time; those who wait take the result of the one before them.
    asking: tokio::sync::Mutex<()>,
}

impl KindCache {
    fn current(&self) -> Arc<Kinds> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Cluster {
    /// What is known now; asks the server only where nothing is known yet.
    pub async fn kinds(&self) -> Result<Arc<Kinds>, ClusterError> {
        let known = self.kinds.current();
        match known.generation {
            0 => self.discover(0).await,
            _ => Ok(known),
        }
    }

    /// What is known now, without asking anybody.
    pub fn known_kinds(&self) -> Arc<Kinds> {
        self.kinds.current()
    }

    /// Asks the server again, for when a kind may have come or gone.
    pub async fn refresh_kinds(&self) -> Result<Arc<Kinds>, ClusterError> {
        self.discover(self.kinds.current().generation).await
    }

    /// The kind of a reference, asking the server again where it is not known.
    pub async fn kind_of(&self, reference: &ObjectRef) -> Result<Kind, ClusterError> {
        let find = |kinds: &Kinds| {
            kinds
                .find(&reference.group, &reference.version, &reference.kind)
                .cloned()
        };
        if let Some(kind) = find(&*self.kinds().await?) {
            return Ok(kind);
        }
        find(&*self.refresh_kinds().await?).ok_or_else(|| ClusterError::UnknownKind {
            api_version: reference.api_version(),
            kind: reference.kind.clone(),
        })
    }

    /// Discovers, unless another task did since generation `seen`.
    async fn discover(&self, seen: u64) -> Result<Arc<Kinds>, ClusterError> {
        let _one_at_a_time = self.kinds.asking.lock().await;
        let current = self.kinds.current();
        if current.generation > seen {
            return Ok(current);
        }
        let permit = self.pace.permit().await;
        let answer = self.discovered(current.generation + 1).await;
        permit.done(answer.as_ref().err());
        let kinds = Arc::new(answer?);
        *self.kinds.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&kinds);
        Ok(kinds)
    }

    async fn discovered(&self, generation: u64) -> Result<Kinds, ClusterError> {
        let mut kinds = Kinds {
            generation,
            ..Kinds::default()
        };
        let failed = |error| ClusterError::from_kube(&self.server, error);
        let deadline = crate::requests::REQUEST_TIMEOUT;
        let late = |_| ClusterError::Unreachable {
            server: self.server.to_string(),
            detail: "no answer in time".to_owned(),
        };
        let all = async {
            tokio::join!(
                async {
                    tokio::try_join!(
                        self.client.list_core_api_versions_aggregated(),
                        self.client.list_api_groups_aggregated()
                    )
                },
                self.client.apiserver_version()
            )
        };
        let (found, version) = tokio::time::timeout(deadline, all).await.map_err(late)?;
        // Who may not ask for the version may go on without it.
        kinds.server_version = version.map(|version| version.git_version).unwrap_or_default();
        match found {
            Ok((core, groups)) if core.items.iter().any(|group| !group.versions.is_empty()) => {
                kinds.add_aggregated(core);
                kinds.add_aggregated(groups);
            }
            // An old server answers with the lists that it has always had, which read as empty here.
            Ok(_) | Err(kube::Error::SerdeError(_)) => self.discover_one_by_one(&mut kinds).await?,
            Err(error) => return Err(failed(error)),
        }
        Ok(kinds)
    }

    async fn discover_one_by_one(&self, kinds: &mut Kinds) -> Result<(), ClusterError> {
        let failed = |error| ClusterError::from_kube(&self.server, error);
        let mut lists = Vec::new();
        for version in self
            .client
            .list_core_api_versions()
            .await
            .map_err(failed)?
            .versions
        {
            lists.push((
                String::new(),
                version.clone(),
                self.client.list_core_api_resources(&version).await,
            ));
        }
        for group in self.client.list_api_groups().await.map_err(failed)?.groups {
            for version in &group.versions {
                let list = self.client.list_api_group_resources(&version.group_version).await;
                lists.push((group.name.clone(), version.version.clone(), list));
            }
        }
        for (group, version, list) in lists {
            let Ok(list) = list else {
                kinds.down.insert(group);
                continue;
            };
            for resource in list
                .resources
                .into_iter()
                .filter(|resource| !resource.name.contains('/'))
            {
                let kind = Kind {
                    group: resource.group.unwrap_or_else(|| group.clone()),
                    version: resource.version.unwrap_or_else(|| version.clone()),
                    kind: resource.kind,
                    plural: resource.name,
                    namespaced: resource.namespaced,
                    verbs: resource.verbs,
                };
                kinds.add(kind, resource.short_names.unwrap_or_default());
            }
        }
        Ok(())
    }
}

/// The kind that a CustomResourceDefinition will serve at one of its versions.
impl Kind {
    /// Reads the kinds that a CRD manifest has served; empty for anything that is no CRD.
    pub fn defined_by(crd: &Object) -> Vec<Self> {
        if crd.group() != "apiextensions.k8s.io" || crd.kind() != "CustomResourceDefinition" {
            return Vec::new();
        }
        let text = |pointer: &str| {
            crd.value()
                .pointer(pointer)
                .and_then(|value| value.as_str())
                .map(str::to_owned)
        };
        let (Some(group), Some(kind), Some(plural)) = (
            text("/spec/group"),
            text("/spec/names/kind"),
            text("/spec/names/plural"),
        ) else {
            return Vec::new();
        };
        let namespaced = text("/spec/scope").as_deref() == Some("Namespaced");
        let versions = crd
            .value()
            .pointer("/spec/versions")
            .and_then(|value| value.as_array());
        versions
            .into_iter()
            .flatten()
            .filter(|version| version.get("served").and_then(Value::as_bool) != Some(false))
            .filter_map(|version| version.get("name")?.as_str())
            .map(|version| Self {
                group: group.clone(),
                version: version.to_owned(),
                kind: kind.clone(),
                plural: plural.clone(),
                namespaced,
                verbs: Vec::new(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_server_may_have_no_version() {
        for (said, version) in [
            ("v1.36.0", Some("1.36.0")),
            ("v1.30.4-gke.1348000", Some("1.30.4-gke.1348000")),
            ("v0.0.0-master+$Format:%H$", None),
            ("", None),
        ] {
            let kinds = Kinds {
                server_version: said.to_owned(),
                ..Kinds::default()
            };
            assert_eq!(kinds.server_version(), version, "{said}");
        }
    }

    use super::*;
    use serde_json::json;

    fn kind(namespaced: bool, group: &str) -> Kind {
        Kind {
            group: group.to_owned(),
            version: "v1".to_owned(),
            kind: "Thing".to_owned(),
            plural: "things".to_owned(),
            namespaced,
            verbs: vec!["get".to_owned()],
        }
    }

    #[test]
    fn paths_follow_scope_and_group() {
        assert_eq!(kind(true, "").path(Some("n")), "/api/v1/namespaces/n/things");
        assert_eq!(kind(true, "x.io").path(None), "/apis/x.io/v1/things");
        assert_eq!(kind(false, "x.io").path(Some("n")), "/apis/x.io/v1/things");
        assert_eq!(
            kind(true, "").path(Some("a b?")),
            "/api/v1/namespaces/a%20b%3F/things"
        );
    }

    #[test]
    fn aggregated_discovery_is_read() {
        let list: APIGroupDiscoveryList = serde_json::from_value(json!({
            "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {},
            "items": [{"metadata": {"name": "apps"}, "versions": [{"version": "v1", "resources": [
                {"resource": "deployments", "responseKind": {"group": "", "version": "", "kind": "Deployment"},
                 "scope": "Namespaced", "verbs": ["get", "patch"], "singularResource": "deployment", "shortNames": ["deploy"]}]}]},
                {"metadata": {"name": "down.example.com"}, "versions": [{"version": "v1", "freshness": "Stale"}]}],
        }))
        .unwrap();
        let mut kinds = Kinds::default();
        kinds.add_aggregated(list);
        let found = kinds.find("apps", "v1", "Deployment").unwrap();
        assert_eq!(found.path(Some("n")), "/apis/apps/v1/namespaces/n/deployments");
        assert!(found.can("patch") && !found.can("delete"));
        assert_eq!(kinds.called("deploy"), Some(found));
        assert_eq!(kinds.find("apps", "v2", "Deployment"), None);
        assert!(kinds.is_down("down.example.com") && !kinds.is_down("apps"));
    }

    #[test]
    fn kinds_are_found_by_what_people_call_them() {
        let mut kinds = Kinds::default();
        for (group, kind, plural, short) in [
            ("", "Service", "services", "svc"),
            ("apps", "Deployment", "deployments", "deploy"),
            ("argoproj.io", "Application", "applications", "app"),
            ("sluice.dev", "Application", "applications", ""),
            ("example.com", "Ingress", "ingresses", "ing"),
            ("networking.k8s.io", "Ingress", "ingresses", "ing"),
            ("serving.knative.dev", "Service", "services", "kservice"),
        ] {
            let kind = Kind {
                kind: kind.to_owned(),
                plural: plural.to_owned(),
                ..self::kind(true, group)
            };
            kinds.add(
                kind,
                Vec::from_iter((!short.is_empty()).then(|| short.to_owned())),
            );
        }
        for (name, found) in [
            ("deploy", Some("Deployment.apps")),
            ("Deployment", Some("Deployment.apps")),
            ("deployments.apps", Some("Deployment.apps")),
            ("deploy.apps", Some("Deployment.apps")),
            ("deployments.extensions", None),
            ("service", Some("Service")),
            (
                "services.serving.knative.dev",
                Some("Service.serving.knative.dev"),
            ),
            ("kservice", Some("Service.serving.knative.dev")),
            ("ing", Some("Ingress.networking.k8s.io")),
            ("application.sluice.dev", Some("Application.sluice.dev")),
            ("thing", None),
            ("", None),
        ] {
            let called = kinds.called(name).map(|kind| kind.group_kind().to_string());
            assert_eq!(called.as_deref(), found, "{name}");
        }
    }

    #[test]
    fn a_crd_says_what_it_will_serve() {
        let crd = Object::new(json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "spec": {"group": "x.io", "scope": "Namespaced", "names": {"kind": "Thing", "plural": "things"},
                     "versions": [{"name": "v1"}, {"name": "v2", "served": true}, {"name": "v0", "served": false}]},
        }))
        .unwrap();
        let kinds = Kind::defined_by(&crd);
        assert_eq!(
            kinds.iter().map(Kind::api_version).collect::<Vec<_>>(),
            ["x.io/v1", "x.io/v2"]
        );
        assert!(kinds.iter().all(|kind| kind.namespaced));
    }
}
