//! ConfigMaps and Secrets that Applications name or share: keyrings, credentials, hosts.
//!
//! A command asks for them when it needs them. The controller watches each one that is named, by its name, so that a refresh
//! sends no request and a change is seen at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use sluice_cluster::{Change, ClusterError, Home, Kind};
use sluice_model::{Application, Object, ObjectRef};
use tokio::sync::watch;

/// How often something is looked at that may not be watched.
const BETWEEN_LOOKS: Duration = Duration::from_secs(60);

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Named {
    ConfigMap,
    Secret,
}

impl std::fmt::Display for Named {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
        })
    }
}

impl Named {
    fn kind(self) -> Kind {
        match self {
            Self::ConfigMap => Kind::config_maps(),
            Self::Secret => Kind::secrets(),
        }
    }
}

/// What an Application names in its own namespace.
fn named_by(application: &Application) -> Vec<(Named, &str)> {
    let verification = application.spec.verification.iter();
    let keyrings = verification
        .clone()
        .flat_map(|verification| &verification.keyrings);
    let rules = verification.flat_map(|verification| &verification.rules_from);
    let sources = || application.spec.sources();
    let maps = sources()
        .flat_map(|source| [&source.known_hosts, &source.tls_certificates])
        .flatten()
        .chain(keyrings.clone().filter_map(|keyring| keyring.config_map.as_ref()))
        .chain(rules.map(|rules| &rules.config_map));
    let keys = keyrings.filter_map(|keyring| keyring.secret.as_ref());
    let secrets = sources().flat_map(|source| &source.credentials).chain(keys);
    let helm = sources().filter_map(|source| source.helm.as_ref());
    let values = helm.flat_map(|helm| &helm.values_from);
    let values = values.map(|from| (from.kind.into(), from.name.as_str()));
    let build = application.spec.post_build.iter();
    let variables = build.flat_map(|build| &build.substitute_from);
    let variables = variables.map(|from| (from.kind.into(), from.name.as_str()));
    let decryption = application.spec.decryption.iter();
    let opening = decryption.map(|decryption| (Named::Secret, decryption.secret_ref.name.as_str()));
    let maps = maps.map(|map| (Named::ConfigMap, map.name.as_str()));
    maps.chain(secrets.map(|secret| (Named::Secret, secret.name.as_str())))
        .chain(values)
        .chain(variables)
        .chain(opening)
        .collect()
}

type Key = (Named, String, String);
type Content = Result<Option<Object>, Arc<ClusterError>>;
/// Called with the namespace in which something changed. Must not block.
pub(crate) type OnChange = Arc<dyn Fn(&str) + Send + Sync>;

/// Reads what Applications name. Cheap to clone.
#[derive(Clone)]
pub(crate) struct References {
    home: Home,
    watched: Option<Arc<Watched>>,
}

struct Watched {
    on_change: OnChange,
    following: Mutex<BTreeMap<Key, Following>>,
}

struct Following {
    content: watch::Receiver<Option<Content>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Following {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl References {
    /// Asks every time.
    pub(crate) fn asking(home: Home) -> Self {
        Self { home, watched: None }
    }

    /// Asks once and watches.
    pub(crate) fn watching(home: Home, on_change: OnChange) -> Self {
        Self {
            home,
            watched: Some(Arc::new(Watched {
                on_change,
                following: Mutex::default(),
            })),
        }
    }

    /// Lets go of what none of these Applications names. What is in the namespace `shared` stays.
    pub(crate) fn retain<'a>(
        &self,
        applications: impl IntoIterator<Item = &'a Application>,
        shared: Option<&str>,
    ) {
        let Some(watched) = &self.watched else { return };
        let mut wanted = BTreeSet::new();
        for application in applications {
            let namespace = application.metadata.namespace.as_deref().unwrap_or_default();
            let named = named_by(application).into_iter();
            wanted.extend(named.map(|(named, name)| (named, namespace.to_owned(), name.to_owned())));
        }
        let mut following = watched.following.lock().unwrap_or_else(PoisonError::into_inner);
        following.retain(|key, _| shared == Some(&key.1) || wanted.contains(key));
    }

    /// The object, or none where there is none.
    pub(crate) async fn get(&self, named: Named, namespace: &str, name: &str) -> Content {
        let Some(watched) = &self.watched else {
            return self
                .home
                .get(&named.kind(), &reference(named, namespace, name))
                .await
                .map_err(Arc::new);
        };
        let mut content = {
            let mut following = watched.following.lock().unwrap_or_else(PoisonError::into_inner);
            let key = (named, namespace.to_owned(), name.to_owned());
            let entry = following.entry(key).or_insert_with(|| {
                let (sender, content) = watch::channel(None);
                let follower = Follower {
                    home: self.home.clone(),
                    named,
                    reference: reference(named, namespace, name),
                    sender,
                    on_change: Arc::clone(&watched.on_change),
                };
                Following {
                    content,
                    task: tokio::spawn(follower.run()),
                }
            });
            entry.content.clone()
        };
        match content.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(content)) => content.clone(),
            Ok(None) | Err(_) => Err(Arc::new(ClusterError::Unreachable {
                server: self.home.server().to_owned(),
                detail: "the controller is ending".to_owned(),
            })),
        }
    }
}

fn reference(named: Named, namespace: &str, name: &str) -> ObjectRef {
    let kind = named.kind();
    ObjectRef {
        group: String::new(),
        version: kind.version,
        kind: kind.kind,
        namespace: Some(namespace.to_owned()),
        name: name.to_owned(),
    }
}

struct Follower {
    home: Home,
    named: Named,
    reference: ObjectRef,
    sender: watch::Sender<Option<Content>>,
    on_change: OnChange,
}

impl Follower {
    async fn run(self) {
        let mut backoff = Duration::from_secs(1);
        loop {
            match self.follow().await {
                Ok(()) => backoff = Duration::from_secs(1),
                Err(error) => {
                    let asked = error.retry_after();
                    // What was read once stays true until something else is known.
                    let unknown = !matches!(&*self.sender.borrow(), Some(Ok(_)));
                    if unknown || !error.is_transient() {
                        self.set(Err(Arc::new(error)));
                    }
                    tokio::time::sleep(asked.unwrap_or(backoff)).await;
                    backoff = (backoff * 2).min(Duration::from_secs(30));
                }
            }
        }
    }

    /// One watch, from the list it begins with to its end.
    async fn follow(&self) -> Result<(), ClusterError> {
        let kind = self.named.kind();
        let (object, version) = match self.home.list_one(&kind, &self.reference).await {
            Err(ClusterError::Forbidden { .. }) => return self.look(&kind).await,
            listed => listed?,
        };
        self.set(Ok(object));
        let changes = match self.home.watch_one(&kind, &self.reference, &version, 290).await {
            Err(ClusterError::Forbidden { .. }) => {
                tokio::time::sleep(BETWEEN_LOOKS).await;
                return Ok(());
            }
            changes => changes?,
        };
        tokio::pin!(changes);
        let end = tokio::time::Instant::now() + Duration::from_secs(305);
        while let Ok(Some(change)) = tokio::time::timeout_at(end, changes.next()).await {
            match change? {
                Change::Applied(object) => self.set(Ok(Some(object))),
                Change::Deleted(_) => self.set(Ok(None)),
                Change::Bookmark(_) => {}
            }
        }
        Ok(())
    }

    /// Where only `get` is granted, as for Secrets it should be: a look now and then instead of a watch.
    async fn look(&self, kind: &Kind) -> Result<(), ClusterError> {
        self.set(Ok(self.home.get(kind, &self.reference).await?));
        tokio::time::sleep(BETWEEN_LOOKS).await;
        Ok(())
    }

    fn set(&self, content: Content) {
        let same = match (&*self.sender.borrow(), &content) {
            (Some(Ok(before)), Ok(now)) => version(before.as_ref()) == version(now.as_ref()),
            (Some(Err(_)), Err(_)) => true,
            _ => false,
        };
        let first = self.sender.borrow().is_none();
        if !same {
            self.sender.send_replace(Some(content));
            if !first {
                (self.on_change)(self.reference.namespace.as_deref().unwrap_or_default());
            }
        }
    }
}

fn version(object: Option<&Object>) -> Option<&str> {
    object.and_then(|object| object.metadata("resourceVersion"))
}
