//! Why an operation that is being carried out must end.

use sluice_model::Application;
use sluice_model::application::{OPERATION_ANNOTATION, TERMINATE_ANNOTATION};

use crate::effect::Order;
use crate::{annotation, version, who};

/// Why an operation must write nothing more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// This person ended it.
    Terminated(String),
    /// This person paused the Application.
    Paused(String),
}

impl Stop {
    /// Returns the reason in words.
    pub fn reason(&self) -> String {
        match self {
            Self::Terminated(by) => format!("it was terminated by {by}"),
            Self::Paused(by) => format!("the Application was paused by {by}"),
        }
    }
}

/// Returns why an operation must write nothing more, if it must not. A dry run writes nothing anyway, so a pause does not end it.
pub fn stop(application: &Application, order: &Order) -> Option<Stop> {
    let is_new = version(application) >= order.taken_at;
    if let Some(by) = annotation(application, TERMINATE_ANNOTATION).filter(|_| is_new) {
        return Some(Stop::Terminated(by.to_owned()));
    }
    let pause = application.spec.pause.as_ref().filter(|_| !order.dry_run)?;
    Some(Stop::Paused(who(&pause.by)))
}

/// Returns why there is no point any more in waiting for the health of what was applied for the spec of `generation`, if there is
/// none. `deletes` is true while the Application is being deleted; `taken_at` is the version from which on an annotation asks for
/// something else.
pub fn superseded(
    application: Option<&Application>,
    generation: Option<i64>,
    deletes: bool,
    taken_at: u64,
) -> Option<&'static str> {
    let Some(application) = application else {
        return Some("the Application is gone");
    };
    if application.metadata.deletion_timestamp.is_some() != deletes {
        return Some("the Application is being deleted");
    }
    if application.metadata.generation != generation {
        return Some("the Application was changed");
    }
    if version(application) >= taken_at && annotation(application, OPERATION_ANNOTATION).is_some() {
        return Some("another operation was asked for");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::PlanFacts;
    use serde_json::{Value, json};

    fn application(metadata: Value, spec: Value) -> Application {
        let mut all = json!({"apiVersion": "sluice.dev/v1alpha1", "kind": "Application",
            "metadata": {"name": "web", "namespace": "shop", "generation": 3, "resourceVersion": "7"},
            "spec": {"source": {"repoURL": "https://git.example.com/r"}}});
        for (place, more) in [("metadata", metadata), ("spec", spec)] {
            let place = all[place].as_object_mut().unwrap();
            place.extend(more.as_object().unwrap().clone());
        }
        serde_json::from_value(all).unwrap()
    }

    #[test]
    fn what_ends_an_operation() {
        let order = |dry_run| Order {
            plan: PlanFacts::default(),
            dry_run,
            approved: false,
            follows: false,
            whole: true,
            generation: Some(3),
            taken_at: 7,
        };
        let nothing = application(json!({}), json!({}));
        let paused = application(json!({}), json!({"pause": {"by": "eve", "reason": "x"}}));
        let nameless = application(json!({}), json!({"pause": {}}));
        let ended = application(
            json!({"annotations": {TERMINATE_ANNOTATION: "bob"}}),
            json!({"pause": {"by": "eve"}}),
        );
        let stale = application(
            json!({"annotations": {TERMINATE_ANNOTATION: "bob"}, "resourceVersion": "6"}),
            json!({}),
        );
        let cases = [
            (&nothing, false, None),
            (&paused, false, Some("the Application was paused by eve")),
            (&paused, true, None),
            (
                &nameless,
                false,
                Some("the Application was paused by an unnamed person"),
            ),
            (&ended, false, Some("it was terminated by bob")),
            (&ended, true, Some("it was terminated by bob")),
            (&stale, false, None),
        ];
        for (application, dry_run, expected) in cases {
            let reason = stop(application, &order(dry_run)).map(|stop| stop.reason());
            assert_eq!(reason.as_deref(), expected);
        }
    }

    #[test]
    fn what_ends_a_wait() {
        let same = application(json!({}), json!({}));
        let newer = application(json!({"generation": 4}), json!({}));
        let asked = application(json!({"annotations": {OPERATION_ANNOTATION: "{}"}}), json!({}));
        let deleted = application(json!({"deletionTimestamp": "2026-01-01T00:00:00Z"}), json!({}));
        let stale = application(
            json!({"annotations": {OPERATION_ANNOTATION: "{}"}, "resourceVersion": "6"}),
            json!({}),
        );
        let cases = [
            (Some(&stale), false, None),
            (None, false, Some("the Application is gone")),
            (Some(&same), false, None),
            (Some(&newer), false, Some("the Application was changed")),
            (Some(&asked), false, Some("another operation was asked for")),
            (Some(&deleted), false, Some("the Application is being deleted")),
            (Some(&deleted), true, None),
        ];
        for (application, deletes, expected) in cases {
            assert_eq!(superseded(application, Some(3), deletes, 7), expected);
        }
    }
}
