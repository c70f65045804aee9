//! Events on Applications (events.k8s.io/v1), repeated ones counted instead of repeated.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource as _};
use sluice_model::Application;
use tokio::sync::{mpsc, oneshot};

/// Who reports, as `kubectl describe` shows it.
const CONTROLLER: &str = "sluice";
/// The API server's limit of a note.
const LONGEST_NOTE: usize = 1_000;

/// What happened. The names are the Events' reasons and are never renamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    /// A sync begins.
    SyncStarted,
    /// It is done.
    SyncSucceeded,
    /// It is not.
    SyncFailed,
    /// Somebody ended it.
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
    /// It was looked at because somebody asked for that.
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

/// Writes Events, one after the other in the background: nobody waits for an Event.
pub struct Events(mpsc::Sender<Message>);

enum Message {
    Tell(Box<(ObjectReference, Event)>),
    Flush(oneshot::Sender<()>),
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Events")
    }
}

impl Events {
    /// Writes through `client`, in the name of one instance of the controller. For a runtime, which it needs to write in.
    pub fn new(client: Client, instance: Option<String>) -> Self {
        let reporter = Reporter {
            controller: CONTROLLER.to_owned(),
            instance,
        };
        let (sender, messages) = mpsc::channel(WAITING);
        let series = Series {
            client,
            reporter,
            last: BTreeMap::new(),
        };
        tokio::spawn(write(series, messages));
        Self(sender)
    }

    /// Tells that something happened to an application. A failure is logged.
    pub fn tell(&self, application: &Application, happening: Happening, note: &str) {
        let event = Event {
            type_: if happening.is_warning() {
                EventType::Warning
            } else {
                EventType::Normal
            },
            reason: format!("{happening:?}"),
            note: Some(note.chars().take(LONGEST_NOTE).collect()),
            action: format!("{happening:?}"),
            secondary: None,
        };
        let message = Message::Tell(Box::new((application.object_ref(&()), event)));
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

/// Counts what is told again. A recorder takes whatever has the same reason for the same, so that the sync of a second commit would
/// only count as another one of the first: each note has a recorder of its own.
struct Series {
    client: Client,
    reporter: Reporter,
    /// By what it is about and its reason: what was said last.
    last: BTreeMap<(Option<String>, String), (Option<String>, Recorder)>,
}

impl Series {
    fn recorder(&mut self, about: &ObjectReference, event: &Event) -> Recorder {
        let key = (about.uid.clone(), event.reason.clone());
        if let Some((note, recorder)) = self.last.get(&key)
            && *note == event.note
        {
            return recorder.clone();
        }
        if self.last.len() >= REMEMBERED {
            self.last.clear();
        }
        let recorder = Recorder::new(self.client.clone(), self.reporter.clone());
        self.last.insert(key, (event.note.clone(), recorder.clone()));
        recorder
    }
}

async fn write(mut series: Series, mut messages: mpsc::Receiver<Message>) {
    while let Some(message) = messages.recv().await {
        match message {
            Message::Tell(told) => {
                let (about, event) = *told;
                let recorder = series.recorder(&about, &event);
                if let Err(error) = recorder.publish(&event, &about).await {
                    tracing::warn!(%error, reason = event.reason, "an Event could not be written");
                }
            }
            // Nobody waits any more: then nobody needs to know.
            Message::Flush(done) => done.send(()).unwrap_or_default(),
        }
    }
}
