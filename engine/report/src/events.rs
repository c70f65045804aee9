//! Events on Applications (events.k8s.io/v1), repeated ones counted instead of repeated.

use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource as _};
use sluice_model::Application;

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

/// Writes Events. Cheap to clone.
#[derive(Clone)]
pub struct Events(Recorder);

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Events")
    }
}

impl Events {
    /// Writes through `client`, in the name of one instance of the controller.
    pub fn new(client: Client, instance: Option<String>) -> Self {
        Self(Recorder::new(
            client,
            Reporter {
                controller: CONTROLLER.to_owned(),
                instance,
            },
        ))
    }

    /// Tells that something happened to an application. A failure is logged: nobody waits for an Event.
    pub async fn tell(&self, application: &Application, happening: Happening, note: &str) {
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
        if let Err(error) = self.0.publish(&event, &application.object_ref(&())).await {
            tracing::warn!(%error, ?happening, "an Event could not be written");
        }
    }
}
