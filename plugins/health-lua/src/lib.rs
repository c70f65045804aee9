//! Health by scripts that are written for Argo CD: unmodified `health.lua` files.
//!
//! | setting | |
//! |---|---|
//! | `scripts` | list of `{group, kind, script}`: which objects (`*` stands for any part of a group or kind, no group for the core one), and the script; `name` stands in messages |
//! | `check` | true: every script is parsed at once, and what is wrong with one is a problem of the settings |
//!
//! The engine fills them in from the folder of `--lua-scripts`, with the scripts of the kinds that it asks about. A script for just
//! this group and kind comes first, then those with wildcards in the order of their patterns.
//!
//! A script sees what it sees in Argo CD: `obj`, the object (without `managedFields`, keys in order, an entry of a list that is null
//! left out), `actionParams`, and the library. It returns a table with `status` and `message`; nothing or an empty table is no
//! opinion. An error is Unknown, and says which script and which line. An object that is being deleted is progressing, whatever the
//! script says; only the words are the script's then, if it says the same.
//!
//! `settings` holds the scripts, `object` makes `obj`, `answer` reads what comes back; the interpreter is the crate `sluice-lua`,
//! which says why it is one of our own.

mod answer;
mod object;
mod settings;

use std::cell::RefCell;

use sluice_lua::{Engine, Limits};
use sluice_plugin::{Claim, Descriptor, HealthCheck, HealthContext, Object, Problem, Settings, Verdict};

use settings::Scripts;

/// The plugin.
pub struct HealthLua {
    scripts: Scripts,
    /// Every check begins with nothing in it.
    engine: RefCell<Engine>,
}

impl HealthCheck for HealthLua {
    fn describe() -> Descriptor {
        Descriptor::new(
            "health by `health.lua` scripts that are written for Argo CD",
            [Claim::all()],
        )
        .with_settings(settings::SCHEMA)
        .with_time()
    }

    fn configure(settings: &Settings) -> Result<Self, Vec<Problem>> {
        Ok(Self {
            scripts: Scripts::read(settings)?,
            engine: RefCell::new(Engine::new(Limits::default())),
        })
    }

    fn assess(&self, object: &Object<'_>, context: &HealthContext) -> Result<Verdict, String> {
        let Some(script) = self.scripts.of(&object.reference()) else {
            return Ok(Verdict::NoOpinion);
        };
        let script = match script.parsed() {
            Ok(script) => script,
            Err(error) => return Ok(Verdict::Unknown(error.clone())),
        };
        context.set_rule(script.script.name());
        let fields = script.fields(object);
        let is_deleting = fields.is_deleting(object);
        let now = if script.looks_at_clock { context.now() } else { 0 };
        let mut engine = self.engine.borrow_mut();
        let returned = engine.check(&script.script, now, |engine| {
            let object = fields.into_table(engine)?;
            let parameters = engine.map([])?;
            Ok(vec![("obj", object), ("actionParams", parameters)])
        });
        let verdict = match returned {
            Ok(returned) => answer::verdict(&engine, &returned, script.script.name()),
            Err(error) => Verdict::Unknown(error),
        };
        Ok(match verdict {
            // What the script says of an object on its way out is kept only if it is that it is on its way.
            verdict @ Verdict::Progressing(_) => verdict,
            _ if is_deleting => Verdict::Progressing("Pending deletion".to_owned()),
            verdict => verdict,
        })
    }
}

sluice_plugin::health_check!(HealthLua);
