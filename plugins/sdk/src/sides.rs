//! Objects as they come in pairs: what Git has beside what the cluster has.

use std::cell::OnceCell;

use crate::Object;
use crate::bindings::prune::sluice::policy::candidates::Candidate as HostCandidate;
use crate::bindings::sync::sluice::policy::changes::Change as HostChange;

/// An object that would be deleted. Its sides are fetched when they are wanted first.
pub struct Candidate {
    live: OnceCell<Object<'static>>,
    desired: OnceCell<Option<Object<'static>>>,
    /// None in native tests.
    host: Option<HostCandidate>,
}

impl Candidate {
    /// As the cluster has it.
    pub fn live(&self) -> &Object<'_> {
        self.live.get_or_init(|| match &self.host {
            Some(host) => Object::host(host.live()),
            None => unreachable!("a native candidate has its sides from the start"),
        })
    }

    /// As Git has it, where it still does.
    pub fn desired(&self) -> Option<&Object<'_>> {
        let asked = || self.host.as_ref()?.desired().map(Object::host);
        self.desired.get_or_init(asked).as_ref()
    }

    /// The live object, and the one in Git where there is one: protection counts wherever it is written.
    pub fn sides(&self) -> impl Iterator<Item = &Object<'_>> {
        std::iter::once(self.live()).chain(self.desired())
    }

    /// A candidate of native tests.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn native(live: serde_json::Value, desired: Option<serde_json::Value>) -> Self {
        Self {
            live: OnceCell::from(Object::json(live)),
            desired: OnceCell::from(desired.map(Object::json)),
            host: None,
        }
    }

    pub(crate) fn host(host: HostCandidate) -> Self {
        Self {
            live: OnceCell::new(),
            desired: OnceCell::new(),
            host: Some(host),
        }
    }

    pub(crate) fn answers(&self) -> Option<&HostCandidate> {
        self.host.as_ref()
    }
}

/// An object as Git wants it beside the same object as the cluster has it; at least one of the two is there. Its sides are fetched
/// when they are wanted first.
pub struct Change {
    desired: OnceCell<Option<Object<'static>>>,
    live: OnceCell<Option<Object<'static>>>,
    /// None in native tests.
    host: Option<HostChange>,
}

impl Change {
    /// As Git wants it.
    pub fn desired(&self) -> Option<&Object<'_>> {
        let asked = || self.host.as_ref()?.desired().map(Object::host);
        self.desired.get_or_init(asked).as_ref()
    }

    /// As the cluster has it.
    pub fn live(&self) -> Option<&Object<'_>> {
        let asked = || self.host.as_ref()?.live().map(Object::host);
        self.live.get_or_init(asked).as_ref()
    }

    /// As Git wants it, or as the cluster has it where Git no longer does.
    pub fn object(&self) -> Option<&Object<'_>> {
        self.desired().or_else(|| self.live())
    }

    /// A change of native tests.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn native(desired: Option<serde_json::Value>, live: Option<serde_json::Value>) -> Self {
        Self {
            desired: OnceCell::from(desired.map(Object::json)),
            live: OnceCell::from(live.map(Object::json)),
            host: None,
        }
    }

    pub(crate) fn host(host: HostChange) -> Self {
        Self {
            desired: OnceCell::new(),
            live: OnceCell::new(),
            host: Some(host),
        }
    }

    pub(crate) fn answers(&self) -> Option<&HostChange> {
        self.host.as_ref()
    }
}
