//! Help is part of the interface: all of it is a snapshot.

use crate::program::{run, text};

/// Every command and subcommand, as one types it.
const COMMANDS: &[&str] = &[
    "",
    "controller",
    "sync",
    "diff",
    "plan",
    "apply",
    "approve",
    "rollback",
    "terminate",
    "pause",
    "resume",
    "refresh",
    "status",
    "history",
    "get",
    "orphans",
    "wait",
    "health",
    "health diff",
    "verify",
    "key",
    "key list",
    "key inspect",
    "key import",
    "explain",
    "render",
    "source",
    "source inspect",
    "plugin",
    "plugin list",
    "plugin inspect",
    "plugin test",
    "crds",
    "install",
    "completion",
];

fn help(command: &str) -> String {
    let mut arguments: Vec<&str> = command.split_whitespace().collect();
    arguments.push("--help");
    let output = run(&arguments);
    assert!(output.status.success() && output.stderr.is_empty(), "{command}");
    text(&output.stdout)
}

#[test]
fn every_command_teaches() {
    for command in COMMANDS {
        let name = if command.is_empty() {
            "sluice".to_owned()
        } else {
            command.replace(' ', "-")
        };
        insta::assert_snapshot!(format!("help-{name}"), help(command));
    }
}

#[test]
fn every_command_has_examples_and_exit_codes() {
    for command in COMMANDS {
        let help = help(command);
        assert!(help.contains("Examples:"), "{command}");
        assert!(help.contains("Exit codes:"), "{command}");
    }
}

#[test]
fn no_command_is_missing_here() {
    let listed: Vec<String> = help("")
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .map(|line| line.split_whitespace().next().unwrap_or_default().to_owned())
        .filter(|name| name != "help")
        .collect();
    assert!(listed.len() > 15, "{listed:?}");
    for name in listed {
        assert!(COMMANDS.contains(&name.as_str()), "{name} has no snapshot");
    }
}

#[test]
fn help_is_not_for_the_cluster() {
    // Whoever has no cluster yet reads help first.
    let output = crate::program::sluice(&["get", "--help"])
        .env("KUBECONFIG", "/nonexistent")
        .output()
        .unwrap();
    assert!(output.status.success());
}
