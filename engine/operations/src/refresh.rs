//! Asking the controller to look at Git and at the cluster now.

use kube::ResourceExt as _;
use serde_json::json;
use sluice_model::application::REFRESH_ANNOTATION;
use sluice_model::plan::ApplicationKey;

use crate::applications::Operations;
use crate::error::OperationError;
use crate::follow::{Follow, there};

/// How much is looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// What may have changed.
    Normal,
    /// Everything: what was made of Git, every verdict, and the kinds of the API server are forgotten first.
    Hard,
}

impl Operations {
    /// Asks the controller to look at an Application now.
    ///
    /// # Errors
    /// Those of [`Operations::get`], and the API server's if it refuses the change.
    pub async fn refresh(&self, key: &ApplicationKey, depth: Depth) -> Result<(), OperationError> {
        let value = match depth {
            Depth::Normal => "normal",
            Depth::Hard => "hard",
        };
        self.annotate(key, json!({REFRESH_ANNOTATION: value})).await
    }

    /// Waits until the controller has looked, as [`Operations::refresh`] asked it to.
    ///
    /// # Errors
    /// [`OperationError::Gone`] if the Application was deleted meanwhile; [`OperationError::Timeout`] if the time is over.
    pub async fn follow_refresh(&self, key: &ApplicationKey, how: Follow<'_>) -> Result<(), OperationError> {
        self.follow(key, "refreshed", how, |application| {
            let annotations = there(key, application)?.annotations();
            Ok((!annotations.contains_key(REFRESH_ANNOTATION)).then_some(()))
        })
        .await
    }
}
