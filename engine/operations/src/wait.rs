//! Waiting until an Application is as one wants it.

use std::collections::BTreeSet;

use kube::ResourceExt as _;
use sluice_health::Role;
use sluice_model::Application;
use sluice_model::application::{OPERATION_ANNOTATION, REFRESH_ANNOTATION, SyncStatus, TERMINATE_ANNOTATION};
use sluice_model::plan::ApplicationKey;

use crate::applications::Operations;
use crate::error::OperationError;
use crate::follow::{Follow, there};

/// What can be waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Condition {
    /// The cluster is as Git wants it.
    Synced,
    /// Every object does its work, or is paused on purpose.
    Healthy,
    /// No operation goes on.
    Idle,
    /// The Application is gone.
    Deleted,
}

impl Condition {
    /// Returns it as an adjective: `synced`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Synced => "synced",
            Self::Healthy => "healthy",
            Self::Idle => "idle",
            Self::Deleted => "deleted",
        }
    }
}

impl Operations {
    /// Waits until all of the conditions hold. What is open (a refresh, a requested sync, a spec that the controller has not seen) is
    /// waited for first, so that the answer is never about the past.
    ///
    /// # Errors
    /// [`OperationError::Timeout`] if the time is over; [`OperationError::Gone`] if the Application was deleted while it was waited for
    /// anything else; those of [`Operations::get`], at once.
    pub async fn wait(
        &self,
        key: &ApplicationKey,
        conditions: &BTreeSet<Condition>,
        how: Follow<'_>,
    ) -> Result<(), OperationError> {
        let awaits_deletion = conditions.contains(&Condition::Deleted);
        if !awaits_deletion {
            // Says at once what is wrong with the name or the cluster, rather than after all the time.
            self.get(key).await?;
        }
        let words: Vec<&str> = conditions.iter().map(|condition| condition.word()).collect();
        self.follow(key, &words.join(" and "), how, |application| {
            if application.is_none() && awaits_deletion {
                return Ok(Some(()));
            }
            let application = there(key, application)?;
            let all = conditions.iter().all(|condition| holds(*condition, application));
            Ok(all.then_some(()))
        })
        .await
    }
}

/// True if a condition holds for good: nothing is open that might change it.
fn holds(condition: Condition, application: &Application) -> bool {
    let Some(status) = &application.status else {
        return false;
    };
    is_settled(application)
        && match condition {
            Condition::Synced => status.sync.status == SyncStatus::Synced,
            Condition::Healthy => sluice_health::is_over(Role::Part, status.health.status),
            Condition::Idle => status
                .operation
                .as_ref()
                .is_none_or(|operation| !operation.is_running()),
            Condition::Deleted => false,
        }
}

/// True if the controller has seen the spec as it is and nothing that was asked of it is open.
fn is_settled(application: &Application) -> bool {
    let status = application.status.as_ref();
    let observed = status.and_then(|status| status.observed_generation);
    let open = |annotation: &str| application.annotations().contains_key(annotation);
    let requests = [OPERATION_ANNOTATION, REFRESH_ANNOTATION, TERMINATE_ANNOTATION];
    observed == application.metadata.generation && !requests.into_iter().any(open)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::guestbook;

    #[test]
    fn what_is_open_is_no_answer() {
        let mut application = guestbook();
        application.status.as_mut().unwrap().sync.status = SyncStatus::Synced;
        assert!(holds(Condition::Synced, &application) && !holds(Condition::Healthy, &application));
        for request in [OPERATION_ANNOTATION, REFRESH_ANNOTATION, TERMINATE_ANNOTATION] {
            application.metadata.annotations = Some([(request.to_owned(), "normal".to_owned())].into());
            assert!(!holds(Condition::Synced, &application), "{request}");
        }
        application.metadata.annotations = None;
        application.metadata.generation = Some(8);
        assert!(!holds(Condition::Synced, &application));
    }

    #[test]
    fn an_application_that_is_there_is_not_deleted() {
        assert!(!holds(Condition::Deleted, &guestbook()));
    }
}
