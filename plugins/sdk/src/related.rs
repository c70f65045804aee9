//! Related objects: what a health check asks to see beside the object that it judges.
//!
//! None means that nothing is known: a check judges by what it has then. What every answer means is in `wit/policy/`, in the interface
//! `relatives`.

use crate::bindings::health::sluice::policy::objects;
use crate::bindings::health::sluice::policy::relatives::Relatives;
use crate::{HealthContext, Object};

impl HealthContext {
    /// The objects of a kind with an owner reference to `owner`: the object that is judged, or one that was found here.
    pub fn owned(&self, owner: &Object<'_>, group: &str, kind: &str) -> Option<Vec<Object<'_>>> {
        #[cfg(not(target_arch = "wasm32"))]
        if let Some(owner) = owner.in_test() {
            let uid = crate::json::uid(owner)?;
            return self.pick(group, kind, |other| crate::json::is_owned_by(other, uid));
        }
        self.ask(|relatives| relatives.owned(owner.in_host()?, group, kind))
    }

    /// The object of a kind with this name, or an empty list.
    pub fn named(&self, group: &str, kind: &str, name: &str) -> Option<Vec<Object<'_>>> {
        #[cfg(not(target_arch = "wasm32"))]
        if self.assessment().is_none() {
            return self.pick(group, kind, |other| crate::json::reference(other).name == name);
        }
        self.ask(|relatives| relatives.named(group, kind, name))
    }

    /// The objects of a kind with all of these labels.
    pub fn labelled(&self, group: &str, kind: &str, labels: &[(&str, &str)]) -> Option<Vec<Object<'_>>> {
        #[cfg(not(target_arch = "wasm32"))]
        if self.assessment().is_none() {
            return self.pick(group, kind, |other| crate::json::has_labels(other, labels));
        }
        self.ask(|relatives| relatives.labelled(group, kind, labels))
    }

    /// The Events about an object: the one that is judged, or one that was found here.
    pub fn events(&self, about: &Object<'_>) -> Option<Vec<Object<'_>>> {
        #[cfg(not(target_arch = "wasm32"))]
        if let Some(about) = about.in_test() {
            let uid = crate::json::uid(about)?;
            return self.pick("", "Event", |other| crate::json::is_about(other, uid));
        }
        self.ask(|relatives| relatives.events(about.in_host()?))
    }

    fn ask(
        &self,
        question: impl FnOnce(&Relatives) -> Option<Vec<objects::Object>>,
    ) -> Option<Vec<Object<'_>>> {
        let assessment = self.assessment()?;
        let relatives = self.relatives.get_or_init(|| assessment.relatives());
        Some(question(relatives)?.into_iter().map(Object::host).collect())
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn pick(
        &self,
        group: &str,
        kind: &str,
        picks: impl Fn(&serde_json::Value) -> bool,
    ) -> Option<Vec<Object<'_>>> {
        let picked = self.around.as_ref()?.iter().filter(|other| {
            let reference = crate::json::reference(other);
            reference.group == group && reference.kind == kind && picks(other)
        });
        Some(picked.cloned().map(Object::json).collect())
    }
}
