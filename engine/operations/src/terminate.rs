//! Ending the operation that goes on, and its retries.

use kube::ResourceExt as _;
use serde_json::json;
use sluice_model::Application;
use sluice_model::application::{OperationPhase, TERMINATE_ANNOTATION};
use sluice_model::plan::ApplicationKey;

use crate::applications::Operations;
use crate::error::OperationError;
use crate::follow::{Follow, there};

impl Operations {
    /// Asks the controller to end the operation that goes on between two writes, or the retries of one that failed.
    ///
    /// # Errors
    /// [`OperationError::NothingToEnd`] if none goes on and none is tried again; those of [`Operations::get`]; the API server's if it
    /// refuses the change.
    pub async fn terminate(&self, key: &ApplicationKey) -> Result<(), OperationError> {
        if !goes_on(&self.get(key).await?) {
            return Err(OperationError::NothingToEnd {
                application: key.clone(),
                what: "has no operation that goes on or is tried again",
            });
        }
        let by = self.requester().await;
        self.annotate(key, json!({TERMINATE_ANNOTATION: by})).await
    }

    /// Waits until the operation has ended, as [`Operations::terminate`] asked it to.
    ///
    /// # Errors
    /// [`OperationError::Gone`] if the Application was deleted meanwhile; [`OperationError::Timeout`] if the time is over.
    pub async fn follow_termination(
        &self,
        key: &ApplicationKey,
        how: Follow<'_>,
    ) -> Result<(), OperationError> {
        self.follow(key, "idle", how, |application| {
            let application = there(key, application)?;
            let is_open = application.annotations().contains_key(TERMINATE_ANNOTATION);
            let is_running = phase(application) == Some(OperationPhase::Running);
            Ok((!is_open && !is_running).then_some(()))
        })
        .await
    }
}

/// True if something is done, or will be done again by itself.
fn goes_on(application: &Application) -> bool {
    let retried = application.spec.sync_policy.automated.is_some();
    match phase(application) {
        Some(OperationPhase::Running) => true,
        Some(OperationPhase::Failed) => retried,
        Some(OperationPhase::Succeeded | OperationPhase::Terminated | OperationPhase::Superseded) | None => {
            false
        }
    }
}

fn phase(application: &Application) -> Option<OperationPhase> {
    let operation = application.status.as_ref()?.operation.as_ref()?;
    Some(operation.phase())
}
