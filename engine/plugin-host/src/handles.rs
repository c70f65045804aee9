//! What the handles in a plugin's hands stand for.

use std::vec::Drain;

use wasmtime::component::Resource;
use wasmtime::{Error, Result};

/// The things of one type that the current call has handed over, by the numbers of their handles.
///
/// The numbers go on counting from call to call, so that a handle which a plugin keeps beyond its call is never taken for one of the
/// next call: it leads nowhere. Nothing of a call lives longer than the call, whatever the plugin drops or keeps.
pub(crate) struct Handles<T> {
    first: u32,
    things: Vec<T>,
}

impl<T> Default for Handles<T> {
    fn default() -> Self {
        Self {
            first: 0,
            things: Vec::new(),
        }
    }
}

impl<T> Handles<T> {
    /// Keeps a thing until the call ends. Its number may be handed over as often as the plugin asks for it.
    pub(crate) fn keep(&mut self, thing: T) -> Result<u32> {
        let count = u32::try_from(self.things.len()).ok();
        let number = count.and_then(|count| self.first.checked_add(count));
        self.things.push(thing);
        number.ok_or_else(|| Error::msg("there are no more numbers for handles"))
    }

    /// What a handle stands for.
    pub(crate) fn get<H: 'static>(&self, handle: &Resource<H>) -> Result<&T> {
        let thing = self.index(handle).and_then(|index| self.things.get(index));
        thing.ok_or_else(late)
    }

    /// [`Handles::get`], to change it.
    pub(crate) fn get_mut<H: 'static>(&mut self, handle: &Resource<H>) -> Result<&mut T> {
        let thing = self.index(handle).and_then(|index| self.things.get_mut(index));
        thing.ok_or_else(late)
    }

    /// Ends the call. What it handed over comes back in its order; their place serves the next call.
    pub(crate) fn end(&mut self) -> Drain<'_, T> {
        let count = u32::try_from(self.things.len()).unwrap_or(u32::MAX);
        self.first = self.first.saturating_add(count);
        self.things.drain(..)
    }

    fn index<H: 'static>(&self, handle: &Resource<H>) -> Option<usize> {
        let index = handle.rep().checked_sub(self.first)?;
        usize::try_from(index).ok()
    }
}

fn late() -> Error {
    Error::msg("it uses a handle after the call that the handle was for")
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Host;

    #[test]
    fn a_handle_leads_nowhere_after_its_call() {
        let mut handles = Handles::default();
        let old = Resource::<Host>::new_own(handles.keep('a').unwrap());
        assert_eq!(handles.get(&old).unwrap(), &'a');
        assert_eq!(handles.end().as_slice(), ['a']);
        assert!(handles.get(&old).is_err());
        let new = Resource::<Host>::new_own(handles.keep('b').unwrap());
        assert!(handles.get(&old).is_err());
        *handles.get_mut(&new).unwrap() = 'c';
        assert_eq!(handles.get(&new).unwrap(), &'c');
        assert_eq!(handles.end().as_slice(), ['c']);
    }
}
