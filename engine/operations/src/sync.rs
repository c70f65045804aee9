//! Asking for a sync, and following it to its end.

use serde_json::json;
use sluice_model::Application;
use sluice_model::application::{ApplicationStatus, OPERATION_ANNOTATION, OperationPhase, OperationRequest};
use sluice_model::plan::ApplicationKey;
use sluice_model::selection::Selector;

use crate::applications::Operations;
use crate::error::{OperationError, Standing};
use crate::follow::{Follow, there};

/// A sync that a person asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SyncRequest {
    /// Branch, tag or commit; the target revision if missing.
    pub revision: Option<String>,
    /// Whether objects that Git no longer has are deleted, as far as the prune policies let them.
    pub prune: bool,
    /// Only these objects; all if empty.
    pub resources: Vec<Selector>,
    /// Whether hooks run although only some objects are synced.
    pub with_hooks: bool,
    /// Whether the API server only tries everything.
    pub dry_run: bool,
}

/// A sync that ended well.
#[derive(Debug, Clone)]
pub struct Synced {
    /// The Application as it was then.
    pub application: Application,
    /// What was done.
    pub message: String,
    /// The commit.
    pub revision: String,
}

impl Operations {
    /// Asks the controller for a sync. Returns the id of the request, to follow it by.
    ///
    /// # Errors
    /// Those of [`Operations::get`], and the API server's if it refuses the change.
    pub async fn sync(&self, key: &ApplicationKey, request: SyncRequest) -> Result<String, OperationError> {
        let request = OperationRequest {
            id: self.request_id(),
            revision: request.revision,
            prune: request.prune,
            resources: request.resources,
            with_hooks: request.with_hooks,
            dry_run: request.dry_run,
            requested_by: self.requester().await,
        };
        self.annotate(key, json!({OPERATION_ANNOTATION: written(&request)?}))
            .await?;
        Ok(request.id)
    }

    /// Follows a sync to its end, by the id of its request, also if a newer operation has taken its place in the status.
    ///
    /// # Errors
    /// [`OperationError::Failed`] if it failed, was terminated or superseded; [`OperationError::Gone`] if the Application was deleted
    /// meanwhile; [`OperationError::Timeout`] if the time is over, though the sync goes on.
    pub async fn follow_sync(
        &self,
        key: &ApplicationKey,
        id: &str,
        how: Follow<'_>,
    ) -> Result<Synced, OperationError> {
        self.follow(key, "synced", how, |application| {
            ended(key, there(key, application)?, id)
        })
        .await
    }
}

/// Returns why an Application is not in sync although nothing is left to do: the engine does not let some deletions go.
pub fn kept_deletions(status: &ApplicationStatus) -> Option<&str> {
    let mut conditions = status.conditions.iter();
    let synced = conditions.find(|condition| condition.r#type == "Synced")?;
    (synced.status == "False" && synced.reason == "DeletionsKept").then_some(synced.message.as_str())
}

/// Returns a request as its annotation has it.
pub(crate) fn written(request: &OperationRequest) -> Result<String, OperationError> {
    serde_json::to_string(request).map_err(OperationError::Encode)
}

/// What an operation came to: none while it goes on, or before the controller has taken it up. It is looked for in the history too,
/// where it stands after a newer one took its place.
fn ended(
    key: &ApplicationKey,
    application: &Application,
    id: &str,
) -> Result<Option<Synced>, OperationError> {
    let Some(status) = application.status.as_ref() else {
        return Ok(None);
    };
    let current = status.operation.as_ref();
    let current = current.filter(|operation| operation.initiator.id() == id);
    let current = current.map(|operation| {
        let revision = operation.revision.clone();
        (operation.phase(), operation.message(), revision)
    });
    let earlier = || {
        let entry = status.history.iter().find(|entry| entry.operation == id)?;
        Some((entry.result, entry.summary.clone(), entry.revision.clone()))
    };
    let Some((phase, message, revision)) = current.or_else(earlier) else {
        return Ok(None);
    };
    match phase {
        OperationPhase::Running => Ok(None),
        OperationPhase::Succeeded => Ok(Some(Synced {
            application: application.clone(),
            message,
            revision,
        })),
        OperationPhase::Failed | OperationPhase::Terminated | OperationPhase::Superseded => {
            Err(OperationError::Failed {
                application: key.clone(),
                status: Standing(message),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{guestbook, key};
    use sluice_model::Coded as _;
    use sluice_model::application::Condition;

    #[test]
    fn an_operation_is_found_in_the_history_and_not_before_it_is_taken_up() {
        let application = guestbook();
        let history = application.status.as_ref().unwrap().history.clone();
        let well = history
            .iter()
            .find(|entry| entry.result == OperationPhase::Succeeded)
            .unwrap();
        let synced = ended(&key(), &application, &well.operation).unwrap().unwrap();
        assert_eq!(
            (&synced.revision, &synced.message),
            (&well.revision, &well.summary)
        );
        assert!(ended(&key(), &application, "cli-0").unwrap().is_none());
        let fresh = Application {
            status: None,
            ..application
        };
        assert!(ended(&key(), &fresh, &well.operation).unwrap().is_none());
    }

    #[test]
    fn one_that_did_not_end_well_fails_with_its_words() {
        for phase in [
            OperationPhase::Failed,
            OperationPhase::Terminated,
            OperationPhase::Superseded,
        ] {
            let mut application = guestbook();
            let status = application.status.as_mut().unwrap();
            status.operation = None;
            let entry = status.history.first_mut().unwrap();
            (entry.result, entry.operation) = (phase, "cli-1".to_owned());
            entry.summary = "refused".to_owned();
            let error = ended(&key(), &application, "cli-1").unwrap_err();
            assert_eq!(error.code().id, "U12", "{phase:?}");
            let cause = std::error::Error::source(&error).unwrap().to_string();
            assert_eq!(cause, "refused");
        }
    }

    #[test]
    fn only_deletions_that_are_kept_are_told() {
        let mut status = ApplicationStatus::default();
        let synced = |status: &str, reason: &str| {
            serde_json::from_value::<Condition>(json!({
                "type": "Synced", "status": status, "reason": reason, "message": "it stays",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }))
            .unwrap()
        };
        assert_eq!(kept_deletions(&status), None);
        for (condition, expected) in [
            (synced("False", "DeletionsKept"), Some("it stays")),
            (synced("True", "DeletionsKept"), None),
            (synced("False", "OutOfSync"), None),
        ] {
            status.conditions = vec![condition];
            assert_eq!(kept_deletions(&status), expected);
        }
    }
}
