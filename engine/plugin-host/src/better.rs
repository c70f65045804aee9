//! What was made quickly is made well while it serves: compiling a plugin takes long.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::codes::PluginError;

/// Held by the one compilation that runs: each takes a processor or two.
static COMPILING: Mutex<()> = Mutex::new(());

/// The same thing, compiled well, once it is.
pub(crate) struct Better<T>(Arc<OnceLock<Arc<T>>>);

impl<T> Default for Better<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T: Send + Sync + 'static> Better<T> {
    /// The thing, if it is compiled by now.
    pub(crate) fn get(&self) -> Option<&Arc<T>> {
        self.0.get()
    }

    /// Begins to compile it, on a thread of its own. If that fails, what was compiled quickly goes on.
    pub(crate) fn start(
        &self,
        name: &str,
        compile: impl FnOnce() -> Result<T, PluginError> + Send + 'static,
    ) {
        let (slot, plugin) = (Arc::downgrade(&self.0), name.to_owned());
        let work = move || {
            let _turn = COMPILING.lock().unwrap_or_else(PoisonError::into_inner);
            if slot.strong_count() == 0 {
                // It was replaced or removed meanwhile: nobody is left to take it.
                return;
            }
            match (compile(), slot.upgrade()) {
                (Ok(made), Some(slot)) => {
                    tracing::info!(plugin, "the plugin is compiled well now");
                    drop(slot.set(Arc::new(made)));
                }
                (Ok(_), None) => {}
                (Err(error), _) => tracing::warn!(
                    plugin,
                    "the plugin stays as it was compiled quickly, which is slower: {error}"
                ),
            }
        };
        let thread = std::thread::Builder::new().name("plugin-compiler".to_owned());
        if let Err(error) = thread.spawn(work) {
            tracing::warn!(plugin = name, "no thread to compile it well on: {error}");
        }
    }
}
