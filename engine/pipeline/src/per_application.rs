//! What was found out about an application and stays true until its grounds change.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use sluice_model::plan::ApplicationKey;

/// One finding for each application. Cheap to clone; clones share it.
#[derive(Debug)]
pub(crate) struct PerApplication<T>(Arc<Mutex<BTreeMap<ApplicationKey, T>>>);

impl<T> Clone for PerApplication<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for PerApplication<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> PerApplication<T> {
    /// Takes out what is known.
    pub(crate) fn take(&self, key: &ApplicationKey) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key)
    }

    /// Remembers a finding about an application, in place of the one before.
    pub(crate) fn put(&self, key: &ApplicationKey, finding: T) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(key.clone(), finding);
    }
}

impl<T: Clone> PerApplication<T> {
    /// What is known.
    pub(crate) fn get(&self, key: &ApplicationKey) -> Option<T> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(key)
            .cloned()
    }
}

impl<T: PartialEq> PerApplication<T> {
    /// True where exactly this is known.
    pub(crate) fn has(&self, key: &ApplicationKey, finding: &T) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(key) == Some(finding)
    }
}
