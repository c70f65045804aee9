//! The interface `relatives`: what is around the object that is judged. What a check asks for is noted ([`Seen`]).

use sluice_model::GroupKind;
use sluice_model::related::{Need, Seen, Selection};
use wasmtime::component::{HasSelf, Linker, Resource};
use wasmtime::{Error, Result};

use super::Given;
use super::wit::sluice::policy::relatives;
use crate::state::{HostObject, State};

/// So often at most a check may ask about one object.
const QUESTIONS: usize = 100;

/// The handle of what is around an object: it has the number of the object's assessment.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub enum HostRelatives {}

/// The objects that a check is handed; none if nothing is known.
type Found = Option<Vec<Resource<HostObject>>>;

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    relatives::add_to_linker::<State, HasSelf<State>>(linker, |state| state)
}

impl relatives::Host for State {}

impl relatives::HostRelatives for State {
    fn owned(
        &mut self,
        handle: Resource<HostRelatives>,
        owner: Resource<HostObject>,
        group: String,
        kind: String,
    ) -> Result<Found> {
        let selection = uid(self, &owner)?.map(Selection::OwnedBy);
        find(self, &handle, GroupKind::new(group, kind), selection)
    }

    fn named(
        &mut self,
        handle: Resource<HostRelatives>,
        group: String,
        kind: String,
        name: String,
    ) -> Result<Found> {
        let selection = Selection::Named(name);
        find(self, &handle, GroupKind::new(group, kind), Some(selection))
    }

    fn labelled(
        &mut self,
        handle: Resource<HostRelatives>,
        group: String,
        kind: String,
        labels: Vec<(String, String)>,
    ) -> Result<Found> {
        let selection = Selection::Labelled(labels);
        find(self, &handle, GroupKind::new(group, kind), Some(selection))
    }

    fn events(&mut self, handle: Resource<HostRelatives>, about: Resource<HostObject>) -> Result<Found> {
        let selection = uid(self, &about)?.map(Selection::About);
        find(self, &handle, GroupKind::new("", "Event"), selection)
    }

    fn drop(&mut self, _: Resource<HostRelatives>) -> Result<()> {
        self.tick()
    }
}

/// The uid of an object; a manifest has none.
fn uid(state: &mut State, handle: &Resource<HostObject>) -> Result<Option<String>> {
    Ok(state.object(handle)?.metadata("uid").map(str::to_owned))
}

fn find(
    state: &mut State,
    handle: &Resource<HostRelatives>,
    kind: GroupKind,
    selection: Option<Selection>,
) -> Result<Found> {
    let given = state.own::<Given>()?;
    given.assessments.get(handle)?;
    let (Some(selection), Some(related)) = (selection, given.related.clone()) else {
        return Ok(None);
    };
    if given.seen.len() >= QUESTIONS {
        return Err(Error::msg(format!(
            "it asks for more than {QUESTIONS} things around one object"
        )));
    }
    let need = Need {
        namespace: given.namespace.clone(),
        kind,
        selection,
    };
    let found = related.find(&need);
    given.seen.push(Seen::new(need, found.as_deref()));
    let Some(found) = found else { return Ok(None) };
    let handles = found.iter().map(|object| state.give(object));
    handles.collect::<Result<Vec<_>>>().map(Some)
}
