//! One module a command: its options, its help, and `run`.

pub(crate) mod apply;
pub(crate) mod approve;
pub(crate) mod completion;
pub(crate) mod controller;
pub(crate) mod crds;
pub(crate) mod diff;
pub(crate) mod explain;
pub(crate) mod get;
pub(crate) mod health;
pub(crate) mod history;
pub(crate) mod install;
pub(crate) mod key;
pub(crate) mod orphans;
pub(crate) mod pause;
pub(crate) mod plan;
pub(crate) mod plugin;
pub(crate) mod refresh;
pub(crate) mod render;
pub(crate) mod rollback;
pub(crate) mod source;
pub(crate) mod status;
pub(crate) mod sync;
pub(crate) mod terminate;
pub(crate) mod verify;
pub(crate) mod wait;

use std::io::Write;

use crate::args::{Arguments, Command};
use crate::failure::Failure;

/// Runs the command that was typed.
pub(crate) fn run(arguments: Arguments, out: &mut impl Write) -> Result<(), Failure> {
    let global = arguments.global;
    match arguments.command {
        Command::Controller(arguments) => controller::run(arguments, &global),
        Command::Sync(arguments) => sync::run(arguments, &global, out),
        Command::Diff(arguments) => diff::run(arguments, &global, out),
        Command::Plan(arguments) => plan::run(arguments, &global, out),
        Command::Apply(arguments) => apply::run(arguments, &global, out),
        Command::Approve(arguments) => approve::run(arguments, &global, out),
        Command::Rollback(arguments) => rollback::run(arguments, &global, out),
        Command::Terminate(arguments) => terminate::run(arguments, &global, out),
        Command::Pause(arguments) => pause::run(arguments, &global, out),
        Command::Resume(arguments) => pause::resume(arguments, &global, out),
        Command::Orphans(arguments) => orphans::run(arguments, &global, out),
        Command::Refresh(arguments) => refresh::run(arguments, &global, out),
        Command::Status(arguments) => status::run(arguments, &global, out),
        Command::History(arguments) => history::run(arguments, &global, out),
        Command::Get(arguments) => get::run(arguments, &global, out),
        Command::Wait(arguments) => wait::run(arguments, &global, out),
        Command::Health(arguments) => health::run(arguments, &global, out),
        Command::Verify(arguments) => verify::run(arguments, &global, out),
        Command::Key(arguments) => key::run(arguments, &global, out),
        Command::Explain(arguments) => explain::run(arguments, &global, out),
        Command::Render(arguments) => render::run(arguments, &global, out),
        Command::Source(arguments) => source::run(arguments, &global, out),
        Command::Plugin(arguments) => plugin::run(arguments, &global, out),
        Command::Crds(arguments) => crds::run(arguments, out),
        Command::Install(arguments) => install::run(arguments, &global, out),
        Command::Completion(arguments) => completion::run(arguments, out),
    }
}
