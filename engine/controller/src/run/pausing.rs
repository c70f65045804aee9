//! A pause and a pin: what is said when they begin and end.

use sluice_model::Application;
use sluice_model::application::{ApplicationStatus, OperationKind, OperationPhase, OperationState};
use sluice_report::conditions::{self, Finding};
use sluice_report::events::Happening;

use super::actor::{Actor, annotation};
use super::operation;

/// Annotation: who ended a pause or a pin. Removed when told.
const RESUMED_ANNOTATION: &str = "sluice.dev/resumed-by";

/// Who did something, in words, where nobody may have said.
pub(crate) fn who(by: &str) -> String {
    match by.is_empty() {
        true => "somebody".to_owned(),
        false => by.to_owned(),
    }
}

impl Actor {
    /// Says what is paused or pinned, and what no longer is.
    pub(super) async fn note_pause(&mut self, application: &Application, status: &mut ApplicationStatus) {
        let resumed_by = annotation(application, RESUMED_ANNOTATION).map(str::to_owned);
        let by = who(resumed_by.as_deref().unwrap_or_default());
        match &application.spec.pause {
            Some(pause) => {
                let paused_by = who(&pause.by);
                let message = format!(
                    "paused by {paused_by}{}; nothing is written until `sluice resume`",
                    because(&pause.reason)
                );
                let finding = Finding::yes("Paused", message.clone());
                let said = conditions::get(&status.conditions, conditions::PAUSED);
                if said.is_none_or(|said| said.message != message) {
                    record(status, OperationKind::Pause, paused_by, message.clone());
                    self.tell(Happening::Paused, &message);
                }
                self.finding(status, conditions::PAUSED, finding);
            }
            None if conditions::remove(&mut status.conditions, conditions::PAUSED) => {
                let message = format!("the pause was ended by {by}");
                record(status, OperationKind::Resume, by.clone(), message.clone());
                self.tell(Happening::Resumed, &message);
            }
            None => {}
        }
        match &application.spec.pin {
            Some(pin) => {
                let message = format!(
                    "{} was pinned by {}{}; the automation keeps it until `sluice resume`",
                    pin.revision,
                    who(&pin.by),
                    because(&pin.reason)
                );
                let said = conditions::get(&status.conditions, conditions::PINNED);
                if said.is_none_or(|said| said.message != message) {
                    self.tell(Happening::Pinned, &message);
                }
                self.finding(status, conditions::PINNED, Finding::yes("Pinned", message));
            }
            None if conditions::remove(&mut status.conditions, conditions::PINNED) => {
                let target = &application.spec.source.target_revision;
                let message = format!("the pin was ended by {by}; {target} counts again");
                record(status, OperationKind::Resume, by.clone(), message.clone());
                self.tell(Happening::Resumed, &message);
            }
            None => {}
        }
        if resumed_by.is_some() && self.remove_annotations(&[RESUMED_ANNOTATION]).await.is_err() {
            self.failures += 1;
        }
    }
}

fn because(reason: &str) -> String {
    match reason.is_empty() {
        true => String::new(),
        false => format!(": {reason}"),
    }
}

/// Remembers it, without taking the place of the last sync in the status.
fn record(status: &mut ApplicationStatus, kind: OperationKind, by: String, message: String) {
    let operation = OperationState {
        kind,
        phase: OperationPhase::Succeeded,
        revision: status.sync.revision.clone(),
        initiated_by: by,
        message,
        ..OperationState::default()
    };
    operation::remember(status, &operation);
}
