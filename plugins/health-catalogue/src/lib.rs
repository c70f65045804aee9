//! Health of the custom resources that people run, by rules that are data.
//!
//! A rule is an entry of a YAML file in `rules/`, and its cases are in the file beside it (`NAME.cases.yaml`). The build checks the rules
//! and turns them into constants of this plugin. No rule is code, and there is nothing to parse at run time.
//!
//! ```yaml
//! - kinds: [example.com/Database, example.com/Replica]       # group/Kind; `*` for any kind, `*.example.com` for groups below
//!   from: https://example.com/docs/status                    # where the resource's own authors say what its status means
//!   states:                                                  # the first whose `if` holds is the verdict
//!     - {if: {stale: true}, then: Progressing, why: the operator has not seen the newest spec}
//!     - {if: Ready, then: Healthy}                           # the condition Ready is True; without `why` its message or reason
//!     - {if: Ready=False, then: Degraded}
//!     - {if: {field: /status/phase, is: [Paused, Stopped]}, then: Suspended, why: "it is {/status/phase}"}
//!     - {then: Progressing, why: the operator has not looked at it yet}
//! ```
//!
//! `then` is `Healthy`, `Suspended`, `Progressing`, `Missing`, `Degraded`, `Unknown`, or `NoOpinion`, which leaves the object to whoever is
//! asked next. In `why`, `{/pointer}` is a field of the object, `{./pointer}` a field of the entry that `some` found, `{Type}` the
//! message, or else the reason, of a condition; `|` between two of them: the first that has something.
//!
//! | test | holds if |
//! |---|---|
//! | `Type`, `Type=Status` | the first condition of this type has this status |
//! | `condition: Type`, with `is`, `in: /pointer`, `reason`, `reason-has`, `message-has` | it has one of these statuses (`True`, if none is given) in that list (`/status/conditions`), and its reason or message is or contains one of these |
//! | `field: /pointer`, with `is` | it is one of these; `{/pointer}` in a text is a field |
//! | … `set: true`, `set: false` | there is something there, or nothing but null |
//! | … `has`, `starts` | its text contains, or begins with, one of these |
//! | … `below`, `above`, `equals` | it is less, more, the same as a number, a field, or `{field, or}`; with `or: N`, N stands for nothing |
//! | `count: /list`, with `where`; `sum: /list`, with `of` | the number of entries for which `where` holds, or the sum of a field of each, compared in the same way |
//! | `some: /list` or `every: /list`, with `where` | `where` holds for an entry, or for all there are, of a list or a map; there `./pointer` is a field of the entry |
//! | `stale: true`, `stale: Type`, `stale: /pointer` | what the controller says it has seen (`/status/observedGeneration`, that of a condition, or there) is older than the object |
//! | `any: […]`, `not: …`, a list | one of them holds; it does not; all of them hold |
//!
//! A pointer is one of RFC 6901, in which `[key=text]` picks the entry of a list. An object that is being deleted is progressing, whatever
//! its rule says, as everywhere. A list that is none makes the verdict unknown, and no other.

mod facts;
mod judge;
mod rule;
mod words;

use sluice_plugin::{Claim, Descriptor, HealthCheck, HealthContext, Object, Problem, Settings, Verdict};

use facts::{Facts, Seen};
use judge::Finding;
pub use rule::*;

include!(concat!(env!("OUT_DIR"), "/rules.rs"));

/// The plugin.
pub struct HealthCatalogue;

impl HealthCheck for HealthCatalogue {
    fn describe() -> Descriptor {
        let claims = CLAIMS.iter().map(|(group, kind, _)| Claim::new(group, kind));
        Descriptor::new(
            "custom resources of the operators that people run, by rules that are data",
            claims,
        )
    }

    fn configure(_: &Settings) -> Result<Self, Vec<Problem>> {
        Ok(Self)
    }

    fn assess(&self, object: &Object<'_>, context: &HealthContext) -> Result<Verdict, String> {
        match CLAIMS.get(context.claim() as usize) {
            Some((_, _, rule)) => {
                let (state, verdict) = assess(*rule, object)?;
                if let (Some(rule), Some(state)) = (RULES.get(usize::from(*rule)), state) {
                    context.set_rule(format!("{}, state {}", rule.name, state + 1));
                }
                Ok(verdict)
            }
            None => Ok(Verdict::NoOpinion),
        }
    }
}

sluice_plugin::health_check!(HealthCatalogue);

/// What a rule of [`RULES`] says of an object, and which of its states that was; none for an object on its way out.
pub fn assess(rule: u16, object: &Object<'_>) -> Result<(Option<usize>, Verdict), String> {
    let Some(rule) = RULES.get(usize::from(rule)) else {
        return Ok((None, Verdict::NoOpinion));
    };
    let mut facts = Facts::new(rule.fields);
    facts.read(object, rule.states.first().map_or(1, |state| state.reads));
    if facts.seen(0) != Seen::Nothing && !object.is_held_hook() {
        return Ok((None, Verdict::Progressing("Pending deletion".to_owned())));
    }
    for (number, state) in rule.states.iter().enumerate() {
        facts.read(object, state.reads);
        if let Finding::Yes(culprit) = judge::ask(state, &facts)? {
            let message = words::message(state.why, object, culprit);
            return Ok((Some(number), verdict(state.then, message)));
        }
    }
    Ok((None, Verdict::NoOpinion))
}

fn verdict(status: Status, message: String) -> Verdict {
    match status {
        Status::Healthy => Verdict::Healthy(message),
        Status::Suspended => Verdict::Suspended(message),
        Status::Progressing => Verdict::Progressing(message),
        Status::Missing => Verdict::Missing(message),
        Status::Degraded => Verdict::Degraded(message),
        Status::Unknown => Verdict::Unknown(message),
        Status::NoOpinion => Verdict::NoOpinion,
    }
}
