//! Events on Applications (events.k8s.io/v1), repeated ones counted instead of repeated.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::{Event, EventSeries};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource as _};
use serde_json::json;
use sluice_model::Application;
use tokio::sync::{mpsc, oneshot};

/// Who reports, as `kubectl describe` shows it.
const CONTROLLER: &str = "sluice";
/// The API server's limit of a note.
const LONGEST_NOTE: usize = 1_000;

/// What happened. The names are the Events' reasons and are never renamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    /// A sync is under way, and takes longer than a moment.
    SyncStarted,
    /// It is done.
    SyncSucceeded,
    /// It is not.
    SyncFailed,
    /// A person ended it.
    SyncTerminated,
    /// Something newer took its place.
    SyncSuperseded,
    /// The API server would take what was asked for.
    DryRunSucceeded,
    /// Nothing is written from here on.
    Paused,
    /// A pause or a pin ended.
    Resumed,
    /// A revision is kept, whatever comes after it.
    Pinned,
    /// It was looked at because a person asked for that.
    Refreshed,
    /// Hooks of a deletion were run.
    DeletionHooks,
    /// A change made in the cluster was undone.
    Healed,
    /// Deletions wait for approval.
    DeletionsHeld,
    /// Held deletions were approved and done.
    DeletionsApproved,
    /// A revision was refused.
    RevisionRefused,
    /// The application's objects were deleted or set free.
    CleanedUp,
    /// A request that makes no sense was dropped.
    RequestRefused,
}

impl Happening {
    fn is_warning(self) -> bool {
        match self {
            Self::SyncFailed | Self::DeletionsHeld | Self::RevisionRefused | Self::RequestRefused => true,
            Self::SyncStarted
            | Self::SyncSucceeded
            | Self::SyncTerminated
            | Self::SyncSuperseded
            | Self::DryRunSucceeded
            | Self::Paused
            | Self::Resumed
            | Self::Pinned
            | Self::Refreshed
            | Self::DeletionHooks
            | Self::Healed
            | Self::DeletionsApproved
            | Self::CleanedUp => false,
        }
    }
}

/// As many Events may wait to be written. More at once only come from an API server that is away, and then a log has them.
const WAITING: usize = 1_000;

/// Writes Events, one after the other in the background: the controller does not wait for an Event.
pub struct Events(mpsc::Sender<Message>);

enum Message {
    Tell(Box<Telling>),
    Flush(oneshot::Sender<()>),
}

struct Telling {
    about: ObjectReference,
    happening: Happening,
    note: String,
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Events")
    }
}

impl Events {
    /// Writes through `client`, in the name of one instance of the controller. For a runtime, which it needs to write in.
    pub fn new(client: Client, instance: Option<String>) -> Self {
        let (sender, messages) = mpsc::channel(WAITING);
        let series = Series {
            client,
            instance: instance.unwrap_or_else(|| CONTROLLER.to_owned()),
            last: BTreeMap::new(),
        };
        tokio::spawn(write(series, messages));
        Self(sender)
    }

    /// Tells that something happened to an application. A failure is logged.
    pub fn tell(&self, application: &Application, happening: Happening, note: &str) {
        let telling = Telling {
            about: application.object_ref(&()),
            happening,
            note: note.chars().take(LONGEST_NOTE).collect(),
        };
        let message = Message::Tell(Box::new(telling));
        if self.0.try_send(message).is_err() {
            tracing::warn!(
                ?happening,
                note,
                "too many Events wait to be written; this one is not"
            );
        }
    }

    /// Waits until everything that was told is written.
    pub async fn flush(&self) {
        let (done, written) = oneshot::channel();
        if self.0.send(Message::Flush(done)).await.is_ok() {
            // An error: the writer is gone, and so is what it had.
            let _gone = written.await;
        }
    }
}

/// So many notes are remembered; more are counted anew.
const REMEMBERED: usize = 1_000;

/// What is told again within that time is one series, as it is for `client-go`.
const TOGETHER: Duration = Duration::from_secs(6 * 60);

/// Counts what is told again, instead of telling it again. kube's recorder takes whatever has the same reason for the same, so that
/// the sync of a second commit would only count as another one of the first.
struct Series {
    client: Client,
    instance: String,
    /// By what it is about and its reason: what was said last.
    last: BTreeMap<(Option<String>, String), Told>,
}

/// An Event that was written.
struct Told {
    note: String,
    name: String,
    times: i32,
    last: Instant,
}

impl Series {
    async fn tell(&mut self, telling: Telling) -> kube::Result<()> {
        let Telling {
            about,
            happening,
            note,
        } = telling;
        let namespace = about.namespace.clone().unwrap_or_else(|| "default".to_owned());
        let events: Api<Event> = Api::namespaced(self.client.clone(), &namespace);
        let (reason, now) = (format!("{happening:?}"), MicroTime(Timestamp::now()));
        let key = (about.uid.clone(), reason.clone());
        let known = self.last.get_mut(&key);
        if let Some(told) = known.filter(|told| told.note == note && told.last.elapsed() < TOGETHER) {
            (told.times, told.last) = (told.times + 1, Instant::now());
            let series =
                json!({"series": EventSeries { count: told.times, last_observed_time: now.clone() }});
            let (how, patch) = (PatchParams::default(), Patch::Merge(&series));
            match events.patch(&told.name, &how, &patch).await {
                // The API server forgets Events after an hour: then it is news again.
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                result => return result.map(drop),
            }
        }
        if self.last.len() >= REMEMBERED {
            self.last.clear();
        }
        let name = about.name.as_deref().unwrap_or_default();
        let event = Event {
            metadata: ObjectMeta {
                name: Some(format!("{name}.{:x}", now.0.as_nanosecond())),
                namespace: Some(namespace),
                ..ObjectMeta::default()
            },
            action: Some(reason.clone()),
            reason: Some(reason),
            note: Some(note.clone()),
            type_: Some(
                if happening.is_warning() {
                    "Warning"
                } else {
                    "Normal"
                }
                .to_owned(),
            ),
            regarding: Some(about),
            reporting_controller: Some(CONTROLLER.to_owned()),
            reporting_instance: Some(self.instance.clone()),
            event_time: Some(now),
            ..Event::default()
        };
        let written = events.create(&PostParams::default(), &event).await?;
        let name = written.metadata.name.unwrap_or_default();
        let told = Told {
            note,
            name,
            times: 1,
            last: Instant::now(),
        };
        self.last.insert(key, told);
        Ok(())
    }
}

async fn write(mut series: Series, mut messages: mpsc::Receiver<Message>) {
    while let Some(message) = messages.recv().await {
        match message {
            Message::Tell(telling) => {
                let happening = telling.happening;
                if let Err(error) = series.tell(*telling).await {
                    tracing::warn!(%error, ?happening, "an Event could not be written");
                }
            }
            // Who waited has gone, and need not know.
            Message::Flush(done) => done.send(()).unwrap_or_default(),
        }
    }
}
