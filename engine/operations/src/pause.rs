//! Pausing an Application, so that nothing is written for it, and ending that.

use serde_json::{Value, json};
use sluice_model::application::ApplicationSpec;
use sluice_model::operation::RESUMED_ANNOTATION;
use sluice_model::plan::ApplicationKey;

use crate::applications::Operations;
use crate::error::OperationError;

/// What was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resumed {
    /// A pause.
    Pause,
    /// A pin: a revision that was kept.
    Pin,
    /// Both of them.
    PauseAndPin,
}

impl Operations {
    /// Pauses an Application: what goes on is ended between two writes, and nothing is written from then on.
    ///
    /// # Errors
    /// Those of [`Operations::get`], and the API server's if it refuses the change.
    pub async fn pause(&self, key: &ApplicationKey, reason: &str) -> Result<(), OperationError> {
        let pause = json!({"reason": reason, "by": self.requester().await});
        self.patch(key, json!({"spec": {"pause": pause}})).await
    }

    /// Ends a pause and a pin, whichever is there: the application follows its target revision again. Returns what was ended.
    ///
    /// # Errors
    /// [`OperationError::NothingToEnd`] if it is neither paused nor pinned; those of [`Operations::get`]; the API server's if it refuses
    /// the change.
    pub async fn resume(&self, key: &ApplicationKey) -> Result<Resumed, OperationError> {
        let ended = resumed(&self.get(key).await?.spec).ok_or_else(|| OperationError::NothingToEnd {
            application: key.clone(),
            what: "is neither paused nor pinned",
        })?;
        let patch = json!({
            "metadata": {"annotations": {RESUMED_ANNOTATION: self.requester().await}},
            "spec": {"pause": Value::Null, "pin": Value::Null},
        });
        self.patch(key, patch).await?;
        Ok(ended)
    }
}

/// What can be ended.
fn resumed(spec: &ApplicationSpec) -> Option<Resumed> {
    match (&spec.pause, &spec.pin) {
        (Some(_), Some(_)) => Some(Resumed::PauseAndPin),
        (Some(_), None) => Some(Resumed::Pause),
        (None, Some(_)) => Some(Resumed::Pin),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::guestbook;
    use sluice_model::application::{Pause, Pin};

    #[test]
    fn only_a_pause_or_a_pin_can_be_ended() {
        let spec = |pause: bool, pin: bool| ApplicationSpec {
            pause: pause.then(Pause::default),
            pin: pin.then(|| Pin {
                revision: "v1".to_owned(),
                reason: String::new(),
                by: String::new(),
            }),
            ..guestbook().spec
        };
        for (pause, pin, expected) in [
            (false, false, None),
            (true, false, Some(Resumed::Pause)),
            (false, true, Some(Resumed::Pin)),
            (true, true, Some(Resumed::PauseAndPin)),
        ] {
            assert_eq!(resumed(&spec(pause, pin)), expected);
        }
    }
}
