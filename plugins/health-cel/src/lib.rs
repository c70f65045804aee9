//! Health by expressions of CEL: Flux's `healthCheckExprs` as they are, and rules that a team writes itself. It is asked only if
//! `spec.policies.health` names it, with the expressions as its settings.
//!
//! | setting | |
//! |---|---|
//! | `healthCheckExprs` | list of `{apiVersion, kind, current, inProgress, failed}`, as in Flux's Kustomization: of `apiVersion` only the group counts; `current` has to be there |
//! | `rules` | list of `{group, kind, checks, otherwise}`: `*` stands for any part of a group or kind, no group is the core one. A check is `{when, status, message}`, or has `messageExpression` for `message` |
//! | `staleGeneration` | of an entry of either list: `progressing` (the default) or `ignore` |
//!
//! **The order is Flux's.** An object whose `status.observedGeneration` is another one than its `metadata.generation`, both whole
//! numbers, is progressing before any expression is asked: what its status says is about an older spec. Some controllers never write the
//! new generation there, or write their own count; their objects would be progressing for ever, and `staleGeneration: ignore` leaves it
//! to the expressions. Then `inProgress`, `failed` and `current` are asked, in this order: the first that is true says that the object is
//! progressing, degraded or healthy. If none is, it is progressing.
//!
//! The checks of a rule are asked in their own order, and the first whose `when` is true gives its status (`Healthy`, `Progressing`,
//! `Degraded`, `Suspended`, `Missing`, `Unknown`); if none is, `otherwise` is the status, `Progressing` by default. The first entry that is
//! for an object's kind judges it, those of `healthCheckExprs` before those of `rules`; about objects without one there is no opinion.
//!
//! An expression that fails, or is not true or false, makes the object unknown, and so does one that takes more than it may: 250,000
//! steps and 16 MiB for all expressions of one check. An object that is being deleted is progressing, whatever the expressions say.
//! An expression that does not parse is a mistake of the settings, with its place.
//!
//! Names are the fields of the object at its top (`metadata` without `managedFields`, unless an expression names them). The language is
//! the crate `sluice-cel`, which says why it is one of our own; `rules` asks the expressions, `settings` reads them, `fields` fetches
//! what they read.

mod fields;
mod rules;
mod settings;

use sluice_plugin::{Claim, Descriptor, HealthCheck, HealthContext, Object, Problem, Settings, Verdict};

use rules::Rule;

/// The plugin.
pub struct HealthCel(Vec<Rule>);

impl HealthCheck for HealthCel {
    fn describe() -> Descriptor {
        Descriptor::new(
            "health by expressions of CEL: Flux's `healthCheckExprs`, and rules of one's own",
            [Claim::all()],
        )
        .with_settings(settings::SCHEMA)
    }

    fn configure(settings: &Settings) -> Result<Self, Vec<Problem>> {
        settings::read(settings).map(Self)
    }

    fn assess(&self, object: &Object<'_>, context: &HealthContext) -> Result<Verdict, String> {
        let reference = object.reference();
        let mut rules = self.0.iter().enumerate();
        let Some((index, rule)) = rules.find(|(_, rule)| rule.is_for(&reference)) else {
            return Ok(Verdict::NoOpinion);
        };
        context.set_rule(format!("/rules/{index}"));
        Ok(rule.judge(object))
    }
}

sluice_plugin::health_check!(HealthCel);
