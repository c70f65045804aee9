//! What was done to an Application.

use sluice_model::application::HistoryEntry;
use sluice_model::plan::ApplicationKey;

use crate::applications::Operations;
use crate::error::OperationError;

impl Operations {
    /// Returns the last operations of an Application, newest first: at most ten, of which at least five are successful syncs if there
    /// were that many. What [`Operations::rollback`] can go back to is among them.
    ///
    /// # Errors
    /// Those of [`Operations::get`].
    pub async fn history(&self, key: &ApplicationKey) -> Result<Vec<HistoryEntry>, OperationError> {
        let application = self.get(key).await?;
        Ok(application.status.unwrap_or_default().history)
    }
}
