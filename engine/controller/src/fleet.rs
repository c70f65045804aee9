//! The controller: one actor for each Application, and what they share.
//!
//! An actor sleeps until something gives it a reason to look (`wake`): its Application changed, something it owns changed,
//! its repository has something new, a plugin or a keyring changed, or it is time to poll. At rest it asks the API server
//! nothing: the Application, its objects, keyrings and credentials all come from watches.

mod claims;
mod leader;
mod rendering_key;
mod wake;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use kube::api::{Api, DynamicObject};
use kube::core::ApiResource;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher;
use sluice_cluster::{Home, Kind, Target};
use sluice_model::plan::ApplicationKey;
use sluice_model::{Application, applyset};
use sluice_observe::{Observer, OnChange, Relatives};
use sluice_pipeline::mirrors::Mirrors;
use sluice_pipeline::{Bounds, HealthMemory, Pipeline, PipelineError, Reaching};
use sluice_plugin_host::{Compiler, PluginHost, Renderers, Workplace};
use sluice_report::events::Events;
use sluice_source::Repositories;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::task::Task;
use claims::ClaimRegistry;
pub(crate) use claims::{Meanings, Versions};
pub(crate) use wake::Wake;

/// How the controller runs.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where repositories are mirrored.
    pub cache: PathBuf,
    /// Only Applications of this namespace; all where missing.
    pub namespace: Option<String>,
    /// How often repositories are asked at least; every application adds up to half of it at random.
    pub poll: Duration,
    /// Where objects may be.
    pub bounds: Bounds,
    /// The ServiceAccount, of its own namespace, of an Application that names none. If missing, such an Application acts with the engine's own rights.
    pub default_account: Option<String>,
    /// How many applications are looked at at once.
    pub concurrency: usize,
    /// How a plan is executed.
    pub apply: sluice_apply::Options,
    /// How repositories are reached where an Application says nothing else.
    pub reaching: Reaching,
    /// Where the renderers of charts and kustomizations are; beside the program if missing.
    pub renderer_dir: Option<PathBuf>,
    /// The name of this instance in Events and in the lease: the Pod's.
    pub instance: Option<String>,
    /// The namespace of the lease by which instances agree who works; alone where missing.
    pub lease_namespace: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cache: std::env::temp_dir().join("sluice"),
            namespace: None,
            poll: Duration::from_secs(120),
            bounds: Bounds::default(),
            default_account: None,
            // Looking is half computing, half waiting for the disk.
            concurrency: std::thread::available_parallelism().map_or(4, usize::from) * 2,
            apply: sluice_apply::Options::default(),
            reaching: Reaching::default(),
            renderer_dir: None,
            instance: None,
            lease_namespace: None,
        }
    }
}

/// How often the plugin directory is looked at: soon enough for a person who has just copied a file.
const RESCAN: Duration = Duration::from_secs(1);
/// How long the last Events may take.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How long actors may take to come to an end.
const FAREWELL: Duration = Duration::from_secs(10);

/// What all actors share.
pub(crate) struct Shared {
    pub(crate) pipeline: Pipeline,
    pub(crate) observer: Observer,
    pub(crate) events: Events,
    pub(crate) options: Options,
    pub(crate) looking: Semaphore,
    pub(crate) ending: CancellationToken,
    pub(crate) claims: ClaimRegistry,
    /// What each application has watched, so that a kind that no Application needs any more is let go.
    kinds: Mutex<BTreeMap<ApplicationKey, Vec<Kind>>>,
    registry: Arc<Registry>,
}

impl Shared {
    /// Has applications look again because of what another one said.
    pub(crate) fn ring(&self, applications: &[ApplicationKey]) {
        if applications.is_empty() {
            return;
        }
        let actors = self
            .registry
            .actors
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for handle in applications.iter().filter_map(|key| actors.get(key)) {
            handle.wake.ring(|reasons| reasons.surroundings = true);
        }
    }

    /// Says what an application's health rests on beside its own objects, and has it look again if that has changed meanwhile.
    pub(crate) fn rests_on(&self, applyset: &str, health: &HealthMemory) {
        let relatives = &self.pipeline.relatives;
        relatives.rest_on(applyset, health.needs());
        if health.is_old(&**relatives) {
            self.registry.objects_changed(applyset);
        }
    }

    /// Says which kinds an application needs watched from now on; none any more where it is gone.
    pub(crate) fn needs(&self, key: &ApplicationKey, kinds: Vec<Kind>) {
        let mut all = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match kinds.is_empty() {
            true => all.remove(key),
            false => all.insert(key.clone(), kinds.clone()),
        };
        if before.is_some_and(|before| before.iter().any(|kind| !kinds.contains(kind))) {
            self.observer
                .retain(|kind| all.values().flatten().any(|needed| needed == kind));
        }
    }
}

/// The actors.
#[derive(Default)]
struct Registry {
    actors: Mutex<BTreeMap<ApplicationKey, Handle>>,
    /// By ApplySet id.
    by_applyset: Mutex<BTreeMap<String, Arc<Wake>>>,
}

struct Handle {
    wake: Arc<Wake>,
    application: watch::Sender<Option<Arc<Application>>>,
    task: JoinHandle<()>,
}

impl Registry {
    fn each(&self, mut ring: impl FnMut(&ApplicationKey, &Application, &Wake)) {
        for (key, handle) in self.actors.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            if let Some(application) = handle.application.borrow().as_deref() {
                ring(key, application, &handle.wake);
            }
        }
    }

    fn applications(&self) -> Vec<Arc<Application>> {
        let actors = self.actors.lock().unwrap_or_else(PoisonError::into_inner);
        let applications = actors.values().map(|handle| handle.application.borrow().clone());
        applications.flatten().collect()
    }

    fn objects_changed(&self, id: &str) {
        if let Some(wake) = self
            .by_applyset
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(id)
        {
            wake.objects();
        }
    }
}

/// Keeps every Application of `home` as Git wants it, with its objects in `target`, until `ending`. Waits for the lease first if there is
/// one.
pub async fn run(
    home: Home,
    target: Target,
    plugins: PluginHost,
    options: Options,
    ending: CancellationToken,
) -> Result<(), PipelineError> {
    match options.lease_namespace.clone() {
        None => work(home, target, plugins, options, ending).await,
        Some(namespace) => {
            let identity = options
                .instance
                .clone()
                .unwrap_or_else(|| format!("sluice-{}", std::process::id()));
            let lease = leader::Lease::new(&home, &namespace, identity);
            let Some((lost, renewal)) = lease.hold(&ending).await else {
                return Ok(());
            };
            let result = work(home, target, plugins, options, lost.clone()).await;
            lost.cancel();
            // The next one can begin as soon as the lease is given back.
            if tokio::time::timeout(FAREWELL, renewal).await.is_err() {
                tracing::warn!("the lease was not given back in time");
            }
            result
        }
    }
}

async fn work(
    home: Home,
    target: Target,
    plugins: PluginHost,
    options: Options,
    ending: CancellationToken,
) -> Result<(), PipelineError> {
    if let Some(namespace) = &options.reaching.shared {
        rendering_key::ensure(&home, namespace).await;
    }
    let registry = Arc::new(Registry::default());
    let repositories = Repositories::open(options.cache.clone())?;
    let news = Arc::clone(&registry);
    let mirrors = Mirrors::telling(
        repositories,
        Arc::new(move |url, began| {
            news.each(|_, application, wake| {
                if application.spec.sources().any(|source| source.repo_url == url) {
                    wake.ring(|reasons| reasons.news = reasons.news.max(Some(began)));
                }
            });
        }),
    );
    let named = Arc::clone(&registry);
    let shared_namespace = options.reaching.shared.clone();
    let references_changed = Arc::new(move |namespace: &str| {
        named.each(|key, _, wake| {
            if key.namespace == namespace || shared_namespace.as_deref() == Some(namespace) {
                wake.ring(|reasons| reasons.surroundings = true);
            }
        });
    });
    let observed = Arc::clone(&registry);
    let objects_changed: OnChange = Arc::new(move |id| observed.objects_changed(id));
    let observer = Observer::new(
        target.clone(),
        options.bounds.namespaces().cloned(),
        Arc::clone(&objects_changed),
    );
    let relatives = Relatives::new(
        target.clone(),
        options.bounds.namespaces().cloned(),
        objects_changed,
    );
    let pipeline = Pipeline::new(mirrors, plugins.clone(), home.clone(), target);
    let mut pipeline = pipeline.watching_references(references_changed);
    pipeline.relatives = Arc::new(relatives);
    pipeline.bounds = options.bounds.clone();
    pipeline.reaching = options.reaching.clone();
    let compiler = Compiler::Child(Workplace {
        cache: Some(options.cache.join("compiled")),
        is_quick_first: false,
    });
    pipeline.renderers = Renderers::new(options.renderer_dir.clone(), compiler);
    pipeline.kept_renderings = Some(options.cache.as_path().into());
    pipeline.defaults.account.clone_from(&options.default_account);
    let shared = Arc::new(Shared {
        pipeline,
        observer,
        events: Events::new(home.client().clone(), options.instance.clone()),
        looking: Semaphore::new(options.concurrency.max(1)),
        ending: ending.clone(),
        claims: ClaimRegistry::default(),
        kinds: Mutex::default(),
        registry: Arc::clone(&registry),
        options,
    });
    tokio::select! {
        () = ending.cancelled() => {}
        () = follow_applications(&shared) => {}
        () = rescan(&plugins, &registry) => {}
    }
    ending.cancel();
    finish(&registry).await;
    if tokio::time::timeout(LAST_WORDS, shared.events.flush())
        .await
        .is_err()
    {
        tracing::warn!("not every Event was written in time");
    }
    Ok(())
}

/// Lets every actor come to the end of what it is writing.
async fn finish(registry: &Registry) {
    let actors = std::mem::take(&mut *registry.actors.lock().unwrap_or_else(PoisonError::into_inner));
    let deadline = Instant::now() + FAREWELL;
    for (key, handle) in actors {
        let abort = handle.task.abort_handle();
        if tokio::time::timeout_at(deadline, handle.task).await.is_err() {
            tracing::warn!(application = %key, "did not end in time");
            abort.abort();
        }
    }
}

/// Watches the plugin directory.
async fn rescan(plugins: &PluginHost, registry: &Registry) {
    loop {
        tokio::time::sleep(RESCAN).await;
        let host = plugins.clone();
        let changes = tokio::task::spawn_blocking(move || host.rescan())
            .await
            .unwrap_or_default();
        if !changes.is_empty() {
            registry.each(|_, _, wake| wake.ring(|reasons| reasons.surroundings = true));
        }
    }
}

/// Starts and ends actors as Applications come and go.
async fn follow_applications(shared: &Arc<Shared>) {
    let resource = ApiResource::erase::<Application>(&());
    let client = shared.pipeline.home.client().clone();
    let api: Api<DynamicObject> = match &shared.options.namespace {
        Some(namespace) => Api::namespaced_with(client, namespace, &resource),
        None => Api::all_with(client, &resource),
    };
    let mut events = watcher(api, watcher::Config::default()).default_backoff().boxed();
    let mut listed: Option<BTreeSet<ApplicationKey>> = None;
    while let Some(event) = events.next().await {
        match event {
            Ok(watcher::Event::Init) => listed = Some(BTreeSet::new()),
            Ok(watcher::Event::InitApply(object)) => {
                if let Some(listed) = &mut listed {
                    listed.insert(key_of(&object));
                }
                apply(shared, object);
            }
            Ok(watcher::Event::InitDone) => {
                if let Some(listed) = listed.take() {
                    let known: Vec<ApplicationKey> = shared
                        .registry
                        .actors
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .keys()
                        .cloned()
                        .collect();
                    for key in known.iter().filter(|key| !listed.contains(*key)) {
                        remove(shared, key);
                    }
                    tracing::info!(applications = listed.len(), "watching Applications");
                    shared.ring(&shared.claims.listed());
                }
            }
            Ok(watcher::Event::Apply(object)) => {
                if apply(shared, object) {
                    let_go(shared);
                }
            }
            Ok(watcher::Event::Delete(object)) => {
                remove(shared, &key_of(&object));
                let_go(shared);
            }
            Err(error) => tracing::warn!(%error, "the watch of Applications broke; it is tried again"),
        }
    }
}

fn key_of(object: &DynamicObject) -> ApplicationKey {
    ApplicationKey {
        namespace: object.metadata.namespace.clone().unwrap_or_default(),
        name: object.metadata.name.clone().unwrap_or_default(),
    }
}

/// Stops watching what no Application names any more.
fn let_go(shared: &Shared) {
    let applications = shared.registry.applications();
    let applications = applications.iter().map(Arc::as_ref);
    shared.pipeline.retain_references(applications);
}

/// True where an Application that was known already asks for something else now.
fn apply(shared: &Arc<Shared>, object: DynamicObject) -> bool {
    let key = key_of(&object);
    let application = match serde_json::to_value(&object).and_then(serde_json::from_value::<Application>) {
        Ok(application) => Arc::new(application),
        Err(error) => {
            // The CRD's schema keeps such objects out; one from an older CRD may still be there.
            tracing::error!(application = %key, %error, "an Application cannot be read and is left alone");
            return false;
        }
    };
    if application.metadata.deletion_timestamp.is_none() {
        shared.ring(&shared.claims.add(&key, &application));
    }
    let mut actors = shared
        .registry
        .actors
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = actors.get(&key) {
        let asks = handle
            .application
            .borrow()
            .as_deref()
            .is_none_or(|before| concerns(before, &application));
        handle.application.send_replace(Some(application));
        if asks {
            handle.wake.ring(|reasons| reasons.application = true);
        }
        return asks;
    }
    let wake = Arc::new(Wake::default());
    let id = applyset::id(&key.namespace, &key.name);
    shared
        .registry
        .by_applyset
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(id, Arc::clone(&wake));
    let (sender, receiver) = watch::channel(Some(application));
    wake.ring(|reasons| reasons.application = true);
    let task = Task::new(Arc::clone(shared), key.clone(), receiver, Arc::clone(&wake));
    let task = tokio::spawn(task.run());
    actors.insert(
        key,
        Handle {
            wake,
            application: sender,
            task,
        },
    );
    false
}

fn remove(shared: &Arc<Shared>, key: &ApplicationKey) {
    let id = applyset::id(&key.namespace, &key.name);
    let handle = shared
        .registry
        .actors
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .remove(key);
    shared
        .registry
        .by_applyset
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .remove(&id);
    shared.needs(key, Vec::new());
    shared.pipeline.relatives.rest_on(&id, BTreeSet::new());
    shared.pipeline.forget(key);
    shared.ring(&shared.claims.remove(key));
    if let Some(handle) = handle {
        handle.application.send_replace(None);
        handle.wake.ring(|reasons| reasons.application = true);
    }
}

/// True where a change of an Application is none that we made ourselves: its status, its record of members, a request that was
/// taken up.
fn concerns(before: &Application, after: &Application) -> bool {
    let ours = |application: &Application| {
        let annotations = application.metadata.annotations.clone().unwrap_or_default();
        annotations
            .into_iter()
            .filter(|(key, _)| key.starts_with("sluice.dev/"))
            .collect::<BTreeMap<_, _>>()
    };
    before.metadata.uid != after.metadata.uid
        || before.metadata.generation != after.metadata.generation
        || before.metadata.deletion_timestamp != after.metadata.deletion_timestamp
        || ours(after)
            .iter()
            .any(|(key, value)| ours(before).get(key) != Some(value))
}
