//! What could not be rehearsed before the plan began: done first is what it rests on, then it is rehearsed again, and only then
//! anything else is written.

use std::collections::BTreeSet;
use std::time::Duration;

use sluice_model::ObjectRef;
use sluice_model::outcome::StepResult;
use tokio::time::Instant;

use super::Execution;
use crate::error::{ApplyError, Refusal};
use crate::rehearsal::{Found, Later, Rehearsal};
use crate::step::Ready;
use crate::{Event, NotHealthy, rests};

/// The first and the longest pause between two rehearsals of what does not pass yet.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// How far a plan is.
pub(super) struct Progress {
    /// By the index of the step.
    pub(super) found: Vec<Found>,
    pub(super) done: Vec<bool>,
}

impl Progress {
    pub(super) fn new(found: Vec<Found>) -> Self {
        Self {
            done: vec![false; found.len()],
            found,
        }
    }

    /// By the index of the step: what those rest on that were refused at first.
    pub(super) fn rested(&self, steps: &[Ready<'_>]) -> Vec<Vec<ObjectRef>> {
        let objects = |later: &Later| {
            let on = later.on.iter().filter_map(|index| steps.get(*index));
            on.map(|ready| ready.step.object.clone()).collect()
        };
        let found = self.found.iter().map(|found| match found {
            Found::Later(later) => objects(later),
            _ => Vec::new(),
        });
        found.collect()
    }

    pub(super) fn is_done(&self, index: usize) -> bool {
        self.done.get(index).copied().unwrap_or_default()
    }

    pub(super) fn mark(&mut self, indices: &[usize]) {
        for &index in indices {
            if let Some(done) = self.done.get_mut(index) {
                *done = true;
            }
        }
    }

    fn later(&self) -> impl Iterator<Item = (usize, &Later)> {
        self.found
            .iter()
            .enumerate()
            .filter_map(|(index, found)| match found {
                Found::Later(later) => Some((index, later)),
                _ => None,
            })
    }

    fn is_open(&self, index: usize) -> bool {
        matches!(self.found.get(index), Some(Found::Later(_)))
    }

    /// Those that rest on nothing that is still to be done.
    fn askable(&self, each_other: bool) -> Vec<usize> {
        self.later()
            .filter(|(_, later)| self.may_pass(later, each_other))
            .map(|(index, _)| index)
            .collect()
    }

    fn may_pass(&self, later: &Later, each_other: bool) -> bool {
        later
            .on
            .iter()
            .all(|on| self.is_done(*on) || each_other && self.is_open(*on))
    }

    /// What is to be done first, so that what is open can be rehearsed: what it rests on, and what that needs itself; of later
    /// waves than the one that ends before `end` only for what is open in this one.
    fn first(&self, rehearsal: &Rehearsal<'_>, end: usize) -> Vec<usize> {
        let mut first = BTreeSet::new();
        let mut next: Vec<usize> = self
            .later()
            .flat_map(|(index, later)| later.on.iter().filter(move |on| **on < end || index < end))
            .copied()
            .collect();
        while let Some(index) = next.pop() {
            // What is open itself comes when it can.
            if self.is_done(index) || self.is_open(index) || !first.insert(index) {
                continue;
            }
            let needs = rests::needs(rehearsal.steps, index, &rehearsal.gates);
            next.extend(needs.into_iter().filter(|need| *need < end));
        }
        first.into_iter().collect()
    }
}

impl Execution<'_> {
    /// What there is to say about a step that was refused at first: `rehearsed later: rests on ResourceQuota shop/limits`.
    pub(super) fn note(&self, index: usize) -> String {
        const SHOWN: usize = 3;
        let on = self.rested.get(index).map(Vec::as_slice).unwrap_or_default();
        if on.is_empty() {
            return String::new();
        }
        let names: Vec<String> = on.iter().take(SHOWN).map(ObjectRef::to_string).collect();
        let more = match on.len() > SHOWN {
            true => format!(" and {} more", on.len() - SHOWN),
            false => String::new(),
        };
        format!("rehearsed later: rests on {}{more}", names.join(", "))
    }

    /// Does what open steps rest on, as far as it may be done before the wave that ends before `end` is over, and rehearses
    /// them again. Afterwards no step of that wave is open.
    pub(super) async fn settle_open(
        &mut self,
        rehearsal: &mut Rehearsal<'_>,
        progress: &mut Progress,
        end: usize,
        wave: &str,
    ) -> Result<(), ApplyError> {
        while progress.later().next().is_some() {
            let first = progress.first(rehearsal, end);
            if first.is_empty() {
                let stuck: BTreeSet<usize> = progress
                    .later()
                    .map(|(index, _)| index)
                    .filter(|index| *index < end)
                    .collect();
                return self.give_up(progress, &stuck);
            }
            self.runs(rehearsal.steps, first.iter().copied(), progress, true)
                .await?;
            self.until_running(rehearsal.steps, &first, wave).await?;
            self.rehearse_again(rehearsal, progress).await?;
        }
        Ok(())
    }

    /// Waits for what has to run before it makes a difference. Whether it does is what the rehearsal tells.
    async fn until_running(
        &mut self,
        steps: &[Ready<'_>],
        done: &[usize],
        wave: &str,
    ) -> Result<(), ApplyError> {
        let ready = done.iter().filter_map(|index| steps.get(*index));
        let objects: Vec<ObjectRef> = ready
            .filter(|ready| rests::runs(ready.step))
            .map(|ready| ready.step.object.clone())
            .collect();
        if objects.is_empty() {
            return Ok(());
        }
        (self.events)(Event::Waiting {
            name: wave.to_owned(),
            objects: objects.clone(),
        });
        match (self.wait)(objects, self.request.options.wave_timeout).await {
            Ok(()) | Err(NotHealthy::Object { .. }) => Ok(()),
            Err(NotHealthy::Abandoned { reason }) => Err(ApplyError::Abandoned { reason }),
        }
    }

    /// Rehearses what is open and rests on nothing that is still to be done. Policies, quotas, webhooks and schemas take a moment
    /// to be in force, so that what still rests on them is asked again for a while.
    async fn rehearse_again(
        &mut self,
        rehearsal: &mut Rehearsal<'_>,
        progress: &mut Progress,
    ) -> Result<(), ApplyError> {
        let deadline = Instant::now() + self.request.options.taking_effect;
        let mut pause = PAUSES.0;
        let mut asked = progress.askable(false);
        // Those that wait for one another too: what was done may have been enough for all of them.
        let each_other = asked.is_empty();
        if each_other {
            asked = progress.askable(true);
        }
        while !asked.is_empty() {
            let answers = rehearsal.some(std::mem::take(&mut asked), false).await;
            if !answers.moved.is_empty() {
                return Err(ApplyError::MovedOn {
                    objects: answers.moved,
                });
            }
            for (index, found) in answers.found {
                if let Found::Later(later) = &found
                    && progress.may_pass(later, each_other)
                {
                    asked.push(index);
                }
                if let Some(place) = progress.found.get_mut(index) {
                    *place = found;
                }
            }
            if !answers.refusals.is_empty() {
                return self.refused(answers.refusals, rehearsal.steps);
            }
            if asked.is_empty() {
                break;
            }
            if Instant::now() >= deadline {
                return self.give_up(progress, &asked.into_iter().collect());
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
        Ok(())
    }

    /// Ends it for what is still refused although nothing is left to be done for it.
    fn give_up(&mut self, progress: &mut Progress, stuck: &BTreeSet<usize>) -> Result<(), ApplyError> {
        let mut refusals = Vec::new();
        for &index in stuck {
            let place = progress.found.get_mut(index);
            if let Some(Found::Later(later)) = place.map(|place| std::mem::replace(place, Found::Unknown)) {
                refusals.push(self.fail(index, *later.refusal));
            }
        }
        match refusals.is_empty() {
            true => Ok(()),
            false => Err(ApplyError::Steps { refusals }),
        }
    }

    fn refused(&mut self, refusals: Vec<Refusal>, steps: &[Ready<'_>]) -> Result<(), ApplyError> {
        let index_of = |refusal: &Refusal| steps.iter().position(|ready| ready.step.object == refusal.object);
        let refusals = refusals
            .into_iter()
            .map(|refusal| match index_of(&refusal) {
                Some(index) => self.fail(index, refusal),
                None => refusal,
            })
            .collect();
        Err(ApplyError::Steps { refusals })
    }

    fn fail(&mut self, index: usize, mut refusal: Refusal) -> Refusal {
        let note = self.note(index);
        if !note.is_empty() {
            refusal.message = format!("{} ({note}; the server refuses it still)", refusal.message);
        }
        self.done(
            index,
            StepResult::Failed,
            refusal.message.clone(),
            &refusal.object,
        );
        refusal
    }
}
