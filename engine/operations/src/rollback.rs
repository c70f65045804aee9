//! Going back to an earlier revision, and staying there.

use serde_json::json;
use sluice_model::Application;
use sluice_model::application::{HistoryEntry, OPERATION_ANNOTATION, OperationRequest, VerificationMode};
use sluice_model::plan::ApplicationKey;

use crate::applications::Operations;
use crate::error::OperationError;
use crate::sync::written;

/// A rollback that a person asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rollback {
    /// The number of an entry of the history, or a branch, tag or commit; the last other revision that was synced if missing.
    pub to: Option<String>,
    /// The reason, for people.
    pub reason: String,
    /// Whether objects that the revision does not have are deleted, also if the automation does not prune.
    pub prune: bool,
}

/// A rollback that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolledBack {
    /// The revision that is pinned now.
    pub revision: String,
    /// The id of the sync that was asked for with it.
    pub operation: String,
}

impl Operations {
    /// Pins an earlier revision, and asks the controller for a sync to it.
    ///
    /// # Errors
    /// [`OperationError::NothingEarlier`] if the history has no such revision; those of [`Operations::get`]; the API server's if it
    /// refuses the change.
    pub async fn rollback(
        &self,
        key: &ApplicationKey,
        rollback: &Rollback,
    ) -> Result<RolledBack, OperationError> {
        let application = self.get(key).await?;
        let revision = target(key, &application, rollback.to.as_deref())?;
        let automated = application.spec.sync_policy.automated;
        let by = self.requester().await;
        let request = OperationRequest {
            id: self.request_id(),
            prune: rollback.prune || automated.is_some_and(|automated| automated.prune),
            requested_by: by.clone(),
            ..OperationRequest::default()
        };
        let annotations = json!({OPERATION_ANNOTATION: written(&request)?});
        let pin = json!({"revision": revision, "reason": rollback.reason, "by": by});
        let patch = json!({"metadata": {"annotations": annotations}, "spec": {"pin": pin}});
        self.patch(key, patch).await?;
        Ok(RolledBack {
            revision,
            operation: request.id,
        })
    }
}

/// The revision that is meant: an entry's, or what was named; the last other one that was synced if nothing was.
fn target(
    key: &ApplicationKey,
    application: &Application,
    to: Option<&str>,
) -> Result<String, OperationError> {
    let status = application.status.clone().unwrap_or_default();
    let nothing = |what: String| OperationError::NothingEarlier {
        application: key.clone(),
        what,
    };
    // A commit means the same for ever; if tags are what is signed, it has to be the tag.
    let verification = application.spec.verification.as_ref();
    let by_tag = verification.is_some_and(|verification| verification.mode == VerificationMode::Tag);
    let named = |entry: &HistoryEntry| match by_tag && !entry.requested.is_empty() {
        true => entry.requested.clone(),
        false => entry.revision.clone(),
    };
    let Some(to) = to else {
        let mut earlier = status.history.iter().filter(|entry| entry.is_deployment());
        return earlier
            .find(|entry| entry.revision != status.sync.revision)
            .map(named)
            .ok_or_else(|| nothing("no other revision".to_owned()));
    };
    // A number is an entry; an abbreviated commit is longer than any number of entries.
    match to.parse::<u64>() {
        Ok(id) if to.len() < 7 => {
            let entry = status.history.iter().find(|entry| entry.id == id);
            let revision = entry
                .map(|entry| entry.revision.clone())
                .filter(|revision| !revision.is_empty());
            revision.ok_or_else(|| nothing(format!("no entry {id} with a revision")))
        }
        Ok(_) | Err(_) => Ok(to.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{guestbook, key};
    use sluice_model::Coded as _;

    fn code(target: Result<String, OperationError>) -> String {
        target.unwrap_or_else(|error| error.code().id.to_owned())
    }

    #[test]
    fn an_entry_a_revision_or_the_last_other_one() {
        let application = guestbook();
        let target = |to: Option<&str>| code(target(&key(), &application, to));
        let first = "11ff91c05b77d4f0c7de1a2b3c4d5e6f70819203";
        assert_eq!(target(None), first);
        assert_eq!(target(Some("1")), first);
        assert_eq!(target(Some("2")), "3f2a91c05b77d4f0c7de1a2b3c4d5e6f70819203");
        assert_eq!(target(Some("v1.4")), "v1.4");
        assert_eq!(target(Some("11112222")), "11112222");
        assert_eq!(target(Some("9")), "U25");
    }

    #[test]
    fn where_tags_are_signed_the_last_other_one_is_named_by_its_tag() {
        let mut application = guestbook();
        application.spec.verification = Some(serde_json::from_value(json!({"mode": "tag"})).unwrap());
        let status = application.status.as_mut().unwrap();
        let current = status.sync.revision.clone();
        let mut others = status.history.iter_mut();
        let other = others
            .find(|entry| entry.is_deployment() && entry.revision != current)
            .unwrap();
        other.requested = "v1.3".to_owned();
        assert_eq!(code(target(&key(), &application, None)), "v1.3");
    }

    #[test]
    fn without_a_history_there_is_nothing_to_go_back_to() {
        let fresh = Application {
            status: None,
            ..guestbook()
        };
        assert_eq!(code(target(&key(), &fresh, None)), "U25");
    }
}
