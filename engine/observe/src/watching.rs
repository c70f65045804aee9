//! The life of one watch: list, then follow; go on where it broke; list again where it missed something.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use sluice_cluster::{Change, ClusterError, Kind, Target};
use sluice_model::{Coded as _, Object};
use tokio::sync::watch;

use crate::OnChange;
use crate::error::ObserveError;

/// After how long the server ends a watch. Below five minutes, at which many load balancers do it less politely.
const WATCH_SECONDS: u32 = 290;
/// By how much a watch may outlive that before its connection counts as dead.
const GRACE: Duration = Duration::from_secs(15);
/// The first and the longest wait after a failure.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));

/// The wait until it is seen whether what the engine gets along without may be watched now.
const FORBIDDEN: Duration = Duration::from_secs(60);

/// How a watch is doing.
#[derive(Debug, Clone)]
pub(crate) enum State {
    /// The first list is on its way.
    Starting,
    /// What is held is what the cluster has.
    Current,
    /// What is held may be old.
    Broken {
        /// The reason, for people.
        reason: String,
        /// True where RBAC forbids it.
        forbidden: bool,
    },
}

/// What a watch keeps current. Changes return whom they concern.
pub(crate) trait Held: Send + Sync + 'static {
    /// As much of an object as is kept.
    fn slim(object: Object) -> Object;

    /// Takes in a state.
    fn apply(&self, object: Object) -> Vec<Arc<str>>;

    /// Takes in that an object is gone, in its last state.
    fn delete(&self, object: &Object) -> Vec<Arc<str>>;

    /// Takes in a whole list.
    fn replace(&self, objects: Vec<Object>) -> Vec<Arc<str>>;
}

/// What is watched.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) kind: Kind,
    /// Everywhere if missing.
    pub(crate) namespace: Option<String>,
    /// Which labels objects must have; any if empty.
    pub(crate) selector: &'static str,
    /// Whether the engine gets along without it. Then it is no warning that it may not look there.
    pub(crate) is_optional: bool,
}

/// One running watch. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Watching<H> {
    kind: Kind,
    held: Arc<H>,
    state: watch::Receiver<State>,
    task: tokio::task::JoinHandle<()>,
}

impl<H> Drop for Watching<H> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<H: Held> Watching<H> {
    pub(crate) fn start(cluster: Target, place: Place, held: H, on_change: OnChange) -> Self {
        let held = Arc::new(held);
        let (sender, state) = watch::channel(State::Starting);
        let kind = place.kind.clone();
        let follower = Follower {
            cluster,
            place,
            held: Arc::clone(&held),
            on_change,
            state: sender,
        };
        Self {
            kind,
            held,
            state,
            task: tokio::spawn(follower.run()),
        }
    }

    pub(crate) fn kind(&self) -> &Kind {
        &self.kind
    }

    pub(crate) fn held(&self) -> Arc<H> {
        Arc::clone(&self.held)
    }

    pub(crate) fn state(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    /// True if the kind is no longer served.
    pub(crate) fn has_ended(&self) -> bool {
        self.task.is_finished()
    }
}

/// Waits until the first list is there.
pub(crate) async fn current(kind: &Kind, state: &mut watch::Receiver<State>) -> Result<(), ObserveError> {
    let settled = state.wait_for(|state| !matches!(state, State::Starting)).await;
    match settled.as_deref() {
        Ok(State::Broken { reason, forbidden }) => Err(ObserveError::Watch {
            kind: kind.group_kind().to_string(),
            reason: reason.clone(),
            forbidden: *forbidden,
        }),
        // Ended: the kind is gone, and all of its objects with it.
        Ok(State::Starting | State::Current) | Err(_) => Ok(()),
    }
}

/// Why a watch is left.
enum End {
    /// The server ended it in time; go on from the last version.
    Expired,
    /// The last version is too old; list again.
    Missed,
    /// The kind is gone.
    Gone,
    /// It broke.
    Failed(ClusterError),
}

struct Follower<H> {
    cluster: Target,
    place: Place,
    held: Arc<H>,
    on_change: OnChange,
    state: watch::Sender<State>,
}

impl<H: Held> Follower<H> {
    async fn run(self) {
        let mut backoff = BACKOFF.0;
        let mut version: Option<String> = None;
        loop {
            let end = match &mut version {
                Some(version) => self.follow(version).await,
                None => match self.list().await {
                    Ok(listed) => {
                        version = Some(listed);
                        backoff = BACKOFF.0;
                        continue;
                    }
                    Err(error) => self.end_of(error),
                },
            };
            match end {
                End::Expired => backoff = BACKOFF.0,
                End::Missed => version = None,
                End::Gone => {
                    self.tell(self.held.replace(Vec::new()));
                    return;
                }
                End::Failed(error) => {
                    let kind = self.place.kind.group_kind();
                    let broken = ObserveError::of(kind.to_string(), &error);
                    let forbidden = matches!(broken, ObserveError::Watch { forbidden: true, .. });
                    let wait = if forbidden && self.place.is_optional {
                        tracing::debug!(%kind, %error, "not watched");
                        FORBIDDEN
                    } else {
                        tracing::warn!(%kind, code = broken.code().id, %error, "watch broken");
                        error.retry_after().unwrap_or(backoff)
                    };
                    let reason = sluice_model::error::one_line(&error);
                    self.state.send_replace(State::Broken { reason, forbidden });
                    tokio::time::sleep(wait).await;
                    backoff = (backoff * 2).min(BACKOFF.1);
                }
            }
        }
    }

    async fn list(&self) -> Result<String, ClusterError> {
        let mut objects = Vec::new();
        let mut token = None;
        let version = loop {
            let page = self
                .cluster
                .page(
                    &self.place.kind,
                    self.place.namespace.as_deref(),
                    self.place.selector,
                    token.as_deref(),
                )
                .await?;
            objects.extend(page.objects.into_iter().map(H::slim));
            match page.continue_token {
                Some(next) => token = Some(next),
                None => break page.resource_version,
            }
        };
        let changed = self.held.replace(objects);
        self.state.send_replace(State::Current);
        self.tell(changed);
        Ok(version)
    }

    async fn follow(&self, version: &mut String) -> End {
        let dead = tokio::time::Instant::now() + Duration::from_secs(WATCH_SECONDS.into()) + GRACE;
        let opened = self.cluster.watch(
            &self.place.kind,
            self.place.namespace.as_deref(),
            self.place.selector,
            version,
            WATCH_SECONDS,
        );
        let events = match tokio::time::timeout(Duration::from_secs(65), opened).await {
            Ok(Ok(events)) => events,
            Ok(Err(error)) => return self.end_of(error),
            Err(_) => return End::Missed,
        };
        tokio::pin!(events);
        // It is open again: what was missed comes as events now.
        self.state.send_if_modified(|state| {
            let broken = matches!(state, State::Broken { .. });
            if broken {
                *state = State::Current;
            }
            broken
        });
        let mut seen = 0_usize;
        let started = tokio::time::Instant::now();
        loop {
            let change = match tokio::time::timeout_at(dead, events.next()).await {
                Ok(Some(Ok(change))) => change,
                Ok(Some(Err(error))) => return self.end_of(error),
                // Ended at once and without a word: not what a healthy server does.
                Ok(None) if seen == 0 && started.elapsed() < Duration::from_secs(1) => {
                    let server = self.cluster.server().to_owned();
                    return End::Failed(ClusterError::Unreachable {
                        server,
                        detail: "the watch was closed".to_owned(),
                    });
                }
                Ok(None) | Err(_) => return End::Expired,
            };
            seen += 1;
            match change {
                Change::Applied(object) => {
                    remember(version, &object);
                    self.tell(self.held.apply(H::slim(object)));
                }
                Change::Deleted(object) => {
                    remember(version, &object);
                    self.tell(self.held.delete(&object));
                }
                Change::Bookmark(at) => *version = at,
            }
        }
    }

    fn end_of(&self, error: ClusterError) -> End {
        match error {
            ClusterError::NotFound { .. } => End::Gone,
            ClusterError::Refused { status: 410, .. } => End::Missed,
            other => End::Failed(other),
        }
    }

    fn tell(&self, changed: Vec<Arc<str>>) {
        for whose in changed {
            (self.on_change)(&whose);
        }
    }
}

fn remember(version: &mut String, object: &sluice_model::Object) {
    if let Some(at) = object.metadata("resourceVersion") {
        at.clone_into(version);
    }
}
