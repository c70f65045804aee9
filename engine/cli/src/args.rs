//! What can be typed. Every command has a summary, examples and its exit codes; `tests/cli` keeps all of it as a snapshot.

use clap::{Parser, Subcommand};

use crate::commands::{
    apply, approve, completion, controller, crds, diff, explain, get, health, history, install, key, orphans,
    pause, plan, plugin, refresh, render, rollback, source, status, sync, terminate, verify, wait,
};
use crate::global::Global;

/// Moves what a Git repository says into a Kubernetes cluster, as sandboxed policies decide
///
/// An Application names a folder of a repository and a place in a cluster. `sluice controller` keeps the two equal; every
/// step of it can be looked at from here: `verify` who signed, `render` what Git says, `diff` how the cluster differs, `plan`
/// what would be done, `explain` and `health` what the policies decide.
#[derive(Debug, Parser)]
#[command(name = "sluice", version, max_term_width = 110, after_help = EXIT_CODES, propagate_version = true)]
pub(crate) struct Arguments {
    /// What holds for every command.
    #[command(flatten)]
    pub(crate) global: Global,
    /// The command.
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0   done; the answer is yes
  1   the answer is no: something differs, is not healthy
  2   the command line is wrong
  3   what was read is wrong: a manifest, an Application, a keyring, a plugin's file
  4   trust was not established
  5   something waits for a person's approval
  6   the Git repository failed or cannot be reached
  7   the cluster failed, refused, or cannot be reached
  8   a plugin failed
  9   time ran out
  70  a bug in Sluice

Every failure has a code such as S01 and a hint; engine/ERRORS.md lists them.

Examples:
  sluice get -A                          every Application, with what the engine knows of it
  sluice plan guestbook                  what a sync would do, before anything is written
  sluice sync guestbook                  sync now and wait until it works
  sluice health guestbook                whether it works, down to its Pods, and why not
  kubectl get deploy -o yaml | sluice health -f -";

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the loop that keeps every Application as Git wants it
    #[command(after_help = controller::HELP)]
    Controller(controller::Arguments),
    /// Ask the controller to sync an Application now, and follow it
    #[command(after_help = sync::HELP)]
    Sync(sync::Arguments),
    /// Show how the cluster differs from what Git says
    #[command(after_help = diff::HELP)]
    Diff(diff::Arguments),
    /// Show what a sync would do, and the digest to approve it by
    #[command(after_help = plan::HELP)]
    Plan(plan::Arguments),
    /// Execute a plan that was saved before, exactly as it is
    #[command(after_help = apply::HELP)]
    Apply(apply::Arguments),
    /// Approve the deletions that a plan holds, by the plan's digest
    #[command(after_help = approve::HELP)]
    Approve(approve::Arguments),
    /// Go back to an earlier revision, and stay there
    #[command(after_help = rollback::HELP)]
    Rollback(rollback::Arguments),
    /// End the operation that is going on, and its retries
    #[command(after_help = terminate::HELP)]
    Terminate(terminate::Arguments),
    /// Write nothing for an Application until it is resumed
    #[command(after_help = pause::HELP)]
    Pause(pause::Arguments),
    /// End a pause, and follow Git again after a rollback
    #[command(after_help = pause::RESUME_HELP)]
    Resume(pause::Resume),
    /// Ask the controller to look at Git and at the cluster now
    #[command(after_help = refresh::HELP)]
    Refresh(refresh::Arguments),
    /// Tell everything that the engine knows of one Application
    #[command(after_help = status::HELP)]
    Status(status::Arguments),
    /// List the last operations of an Application
    #[command(after_help = history::HELP)]
    History(history::Arguments),
    /// List Applications
    #[command(after_help = get::HELP)]
    Get(get::Arguments),
    /// List objects whose Application is gone
    #[command(after_help = orphans::HELP)]
    Orphans(orphans::Arguments),
    /// Wait until an Application is synced, healthy, idle or gone
    #[command(after_help = wait::HELP)]
    Wait(wait::Arguments),
    /// Judge the health of an Application, of objects, or of a file, as the health plugins do
    #[command(after_help = health::HELP)]
    Health(health::Arguments),
    /// Judge the signatures of commits and tags; needs no cluster
    #[command(after_help = verify::HELP)]
    Verify(verify::Arguments),
    /// List the keys of keyrings, look into them, or add some
    #[command(after_help = key::HELP)]
    Key(key::Arguments),
    /// Tell what the policies decide about manifests, or what an Application's variables are
    #[command(after_help = explain::HELP)]
    Explain(explain::Arguments),
    /// Print the manifests that Git says, through verification
    #[command(after_help = render::HELP)]
    Render(render::Arguments),
    /// Tell what a source is rendered by, and which files that reads
    #[command(after_help = source::HELP)]
    Source(source::Arguments),
    /// List plugins, or look into one
    #[command(after_help = plugin::HELP)]
    Plugin(plugin::Arguments),
    /// Print the CustomResourceDefinition of Application
    #[command(after_help = crds::HELP)]
    Crds(crds::Arguments),
    /// Print the manifests that run Sluice in a cluster
    #[command(after_help = install::HELP)]
    Install(install::Arguments),
    /// Print a completion script for a shell
    #[command(after_help = completion::HELP)]
    Completion(completion::Arguments),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_definition_holds_together() {
        Arguments::command().debug_assert();
    }

    /// A command's own option under the name of a global one would be read as the other's type.
    #[test]
    fn no_command_has_an_option_of_a_global_ones_name() {
        let whole = Arguments::command();
        let globals: Vec<_> = whole
            .get_arguments()
            .filter(|argument| argument.is_global_set())
            .collect();
        assert!(globals.len() > 5);
        for command in whole.get_subcommands() {
            for argument in command.get_arguments() {
                assert!(
                    globals.iter().all(|global| global.get_id() != argument.get_id()),
                    "{} {argument}",
                    command.get_name()
                );
            }
        }
    }
}
