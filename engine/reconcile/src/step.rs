//! One step: what it works on, and the ways in which it ends: with a question, or with rest.

use std::time::Duration;

use sluice_model::application::{OperationResult, REFRESH_ANNOTATION, rfc3339};
use sluice_report::conditions::{self, Finding};
use sluice_report::events::Happening;

use crate::effect::{Effect, Next, Why};
use crate::operation;
use crate::state::{Context, State, Turn};
use crate::time::Now;

/// How soon to go on if a turn had no more room for it.
const SOON: Duration = Duration::from_secs(1);
/// So often at most a single reason leads to a sync and another assessment.
const ROUNDS: u32 = 4;

/// One step: the state, what time it is, and what is to be done.
pub(crate) struct Step<'s> {
    pub(crate) state: &'s mut State,
    pub(crate) now: Now,
    pub(crate) effects: Vec<Effect>,
}

impl Step<'_> {
    /// Sets a condition.
    pub(crate) fn find(&mut self, r#type: &str, finding: Finding) {
        let (generation, now) = (self.state.generation, rfc3339(self.now.wall));
        conditions::set(
            &mut self.state.status.conditions,
            r#type,
            finding,
            generation,
            &now,
        );
    }

    /// Tells people.
    pub(crate) fn tell(&mut self, happening: Happening, note: impl Into<String>) {
        self.effects.push(Effect::Tell(happening, note.into()));
    }

    /// Ends the operation that is under way.
    pub(crate) fn finish(&mut self, result: OperationResult) {
        operation::finish(&mut self.state.status, result, self.now.wall);
    }

    /// Asks something; the answer is the next observation.
    pub(crate) fn ask(&mut self, question: Effect, turn: Turn) -> Next {
        self.effects.push(question);
        self.state.turn = turn;
        Next::Answer
    }
}

/// The turn waits for what it waited for.
pub(crate) fn unchanged(step: &mut Step<'_>, turn: Turn) -> Next {
    let next = match turn {
        Turn::Resting => step.state.next(step.now),
        _ => Next::Answer,
    };
    step.state.turn = turn;
    next
}

/// Asks what Git wants and how the cluster stands.
pub(crate) fn assess(step: &mut Step<'_>, context: Context) -> Next {
    let since = step.state.fetched_since;
    step.ask(Effect::Assess { since }, Turn::Assessing(context))
}

/// Another assessment is to follow at once.
pub(crate) fn again(step: &mut Step<'_>, mut context: Context) -> Next {
    context.round += 1;
    if context.round < ROUNDS {
        return assess(step, context);
    }
    let soon = step.now.moment.after(SOON);
    step.state.due(soon, Why::Busy);
    rest(step, &context)
}

/// The turn ends: what it came to is written.
pub(crate) fn rest(step: &mut Step<'_>, context: &Context) -> Next {
    let quiet = step.state.gate.quiet(&step.state.status, step.now.wall);
    match quiet.filter(|_| context.refresh.is_none()) {
        Some(rest) => {
            let when = step.now.moment.after(rest);
            step.state.due(when, Why::Quiet);
        }
        None => step.effects.push(Effect::Write),
    }
    step.effects.push(Effect::PutFinalizer);
    if let Some(refresh) = &context.refresh {
        step.effects.push(Effect::Remove(&[REFRESH_ANNOTATION]));
        step.tell(Happening::Refreshed, format!("{refresh} refresh"));
    }
    step.state.turn = Turn::Resting;
    step.state.next(step.now)
}
