//! A pause and a pin: what is said when they begin and end.

use sluice_model::Application;
use sluice_model::application::{Initiator, Operation, OperationKind, OperationResult, OperationState};
use sluice_model::operation::RESUMED_ANNOTATION;
use sluice_report::conditions::{self, Finding};
use sluice_report::events::Happening;

use crate::step::Step;
use crate::{annotation, operation};

/// Returns who did something, in words, also if that was not recorded.
pub fn who(by: &str) -> String {
    match by.is_empty() {
        true => "an unnamed person".to_owned(),
        false => by.to_owned(),
    }
}

/// Says what is paused or pinned, and what no longer is.
pub(crate) fn note(step: &mut Step<'_>, application: &Application) {
    let resumed_by = who(annotation(application, RESUMED_ANNOTATION).unwrap_or_default());
    match &application.spec.pause {
        Some(pause) => {
            let by = who(&pause.by);
            let because = because(&pause.reason);
            let message = format!("paused by {by}{because}; nothing is written until `sluice resume`");
            let said = conditions::get(&step.state.status.conditions, conditions::PAUSED);
            if said.is_none_or(|said| said.message != message) {
                record(step, OperationKind::Pause, by, message.clone());
                step.tell(Happening::Paused, message.clone());
            }
            step.find(conditions::PAUSED, Finding::yes("Paused", message));
        }
        None if conditions::remove(&mut step.state.status.conditions, conditions::PAUSED) => {
            let message = format!("the pause was ended by {resumed_by}");
            record(step, OperationKind::Resume, resumed_by.clone(), message.clone());
            step.tell(Happening::Resumed, message);
        }
        None => {}
    }
    match &application.spec.pin {
        Some(pin) => {
            let (revision, by, because) = (&pin.revision, who(&pin.by), because(&pin.reason));
            let message = format!(
                "{revision} was pinned by {by}{because}; the automation keeps it until `sluice resume`"
            );
            let said = conditions::get(&step.state.status.conditions, conditions::PINNED);
            if said.is_none_or(|said| said.message != message) {
                step.tell(Happening::Pinned, message.clone());
            }
            step.find(conditions::PINNED, Finding::yes("Pinned", message));
        }
        None if conditions::remove(&mut step.state.status.conditions, conditions::PINNED) => {
            let targets = application
                .spec
                .sources()
                .map(|source| source.target_revision.as_str());
            let targets = targets.collect::<Vec<_>>().join(", ");
            let message = format!("the pin was ended by {resumed_by}; {targets} counts again");
            record(step, OperationKind::Resume, resumed_by, message.clone());
            step.tell(Happening::Resumed, message);
        }
        None => {}
    }
}

fn because(reason: &str) -> String {
    match reason.is_empty() {
        true => String::new(),
        false => format!(": {reason}"),
    }
}

/// Remembers it in the history, without taking the place of the last sync in the status.
fn record(step: &mut Step<'_>, kind: OperationKind, by: String, message: String) {
    let now = step.now.wall;
    let person = Initiator::Person {
        id: String::new(),
        name: by,
    };
    let operation = Operation {
        revision: step.state.status.sync.revision.clone(),
        state: OperationState::Ended {
            at: now,
            result: OperationResult::Succeeded { message },
        },
        ..operation::begun(person, kind, now)
    };
    operation::remember(&mut step.state.status, &operation);
}
