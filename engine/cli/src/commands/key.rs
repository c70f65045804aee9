//! `sluice key`: what is in a keyring, and how a key gets into one.

pub(crate) mod place;
mod text;

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use sluice_model::ExitKind;
use sluice_verify::{AdditionState, KeyInfo, Keyring, KeyringProblem, Policy};

use crate::connection::block_on;
use crate::failure::{CliError, Failure};
use crate::global::Global;
use crate::output::{self, Format, Output, Table, plain};
use place::{Keys, Place};

pub(crate) const HELP: &str = "\
Examples:
  sluice key list keys/
  sluice key list --configmap release-keys -n shop
  sluice key inspect team.asc allowed_signers
  gpg --armor --export ada@example.org | sluice key import - --to team.asc
  sluice key import id_ed25519.pub --principal ada@example.org --to-configmap release-keys

A keyring is a file of OpenPGP keys (armoured or binary), an SSH allowed_signers file, a folder of
those, or a ConfigMap or Secret whose every value is one.

Exit codes: 0; 1 if `inspect` finds a key whose signatures would be refused; 3 if a keyring cannot
be read or a key in it is damaged; 7 if the cluster fails.";

/// The options of `sluice key`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the keys of keyrings: who, until when, and what would be said of their signatures
    #[command(
        after_help = "Examples:\n  sluice key list keys/\n  sluice key list --configmap release-keys -o json\n\nExit codes: 0; 3 if a keyring cannot be read or a key in it is damaged; 7 if the cluster fails."
    )]
    List {
        #[command(flatten)]
        keys: Keys,
        #[command(flatten)]
        output: Output,
    },
    /// Tell everything about keys: fingerprints, names, subkeys, algorithms, validity, and what would be refused and why
    #[command(
        after_help = "Examples:\n  sluice key inspect team.asc\n  sluice key inspect keys/ -o json\n\nExit codes: 0; 1 if a key's signatures would be refused; 3 if a keyring cannot be read or a key in it is\ndamaged; 7 if the cluster fails."
    )]
    Inspect {
        #[command(flatten)]
        keys: Keys,
        #[command(flatten)]
        output: Output,
    },
    /// Add keys to a keyring: those that it does not have yet, and newer versions of those that it has
    #[command(
        after_help = "Examples:\n  sluice key import ada.asc bob.asc --to keys/\n  sluice key import id_ed25519.pub --principal ada@example.org --to allowed_signers\n  gpg --export ada | sluice key import - --to-configmap release-keys -n shop\n\nDone twice, it is as if done once. Nothing is written where a key that is to be added is damaged.\n\nExit codes: 0; 3 if a file cannot be read or written, or a key in it is damaged; 7 if the cluster fails."
    )]
    Import {
        /// Files of keys, `-` for stdin
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
        /// Who the keys of `.pub` files belong to, as allowed_signers names them
        #[arg(long, value_name = "PRINCIPAL")]
        principal: Option<String>,
        #[command(flatten)]
        to: Place,
        #[command(flatten)]
        output: Output,
    },
}

/// Lists, looks into, or adds.
pub(crate) fn run(arguments: Arguments, global: &Global, out: &mut impl Write) -> Result<(), Failure> {
    match arguments.command {
        Command::List { keys, output } => list(&keys, output.format, global, out),
        Command::Inspect { keys, output } => inspect(&keys, output.format, global, out),
        Command::Import {
            files,
            principal,
            to,
            output,
        } => {
            let found = found(&files, principal.as_deref())?;
            let states = block_on(to.add(&found, global))?;
            match output.format {
                Format::Text => {
                    for addition in &states {
                        let word = match addition.state {
                            AdditionState::New => "added",
                            AdditionState::Newer => "brought up to date",
                            AdditionState::Known => "there already",
                        };
                        writeln!(out, "{} {word}", addition.fingerprint)?;
                    }
                    Ok(())
                }
                format @ (Format::Json | Format::Yaml) => output::each(out, format, &states),
            }
        }
    }
}

fn list(keys: &Keys, format: Format, global: &Global, out: &mut impl Write) -> Result<(), Failure> {
    let (entries, problems) = read(keys, global)?;
    match format {
        Format::Text => {
            let mut table = Table::new();
            table.head(&["FINGERPRINT", "KIND", "NAME", "UNTIL", "VERDICT"]);
            for entry in &entries {
                table.row(text::row(entry));
            }
            table.write(out, "")?;
        }
        format @ (Format::Json | Format::Yaml) => output::each(out, format, &entries)?,
    }
    named(&problems)
}

fn inspect(keys: &Keys, format: Format, global: &Global, out: &mut impl Write) -> Result<(), Failure> {
    let (entries, problems) = read(keys, global)?;
    match format {
        Format::Text => {
            for (number, entry) in entries.iter().enumerate() {
                if number > 0 {
                    writeln!(out)?;
                }
                text::describe(out, entry)?;
            }
        }
        format @ (Format::Json | Format::Yaml) => output::each(out, format, &entries)?,
    }
    named(&problems)?;
    match entries.iter().all(KeyInfo::can_sign) {
        true => Ok(()),
        false => Err(Failure::Answered(ExitKind::Negative)),
    }
}

fn read(keys: &Keys, global: &Global) -> Result<(Vec<KeyInfo>, Vec<KeyringProblem>), Failure> {
    let keyring = keys.read(global)?;
    let entries = keyring.entries(&Policy::default(), Timestamp::now());
    Ok((entries, keyring.problems().to_vec()))
}

/// What is wrong, once what is right was shown.
fn named(problems: &[KeyringProblem]) -> Result<(), Failure> {
    match problems.is_empty() {
        true => Ok(()),
        false => Err(damaged(problems)),
    }
}

fn damaged(problems: &[KeyringProblem]) -> Failure {
    let of = |problem: &KeyringProblem| {
        let error = CliError::DamagedKey {
            place: problem.place.clone(),
            message: problem.message.clone(),
        };
        Box::new(error) as Box<dyn sluice_model::Coded>
    };
    Failure::Coded(problems.iter().map(of).collect())
}

/// The keys that are to be added; all of them can be used.
fn found(files: &[PathBuf], principal: Option<&str>) -> Result<Keyring, Failure> {
    let mut found = Keyring::default();
    for file in files {
        let bytes = crate::documents::read(file)?;
        let bytes = match (principal, std::str::from_utf8(&bytes)) {
            (Some(principal), Ok(text)) => with_principal(text, principal).into_bytes(),
            (Some(_), Err(_)) | (None, _) => bytes,
        };
        let name = if file.as_os_str() == "-" {
            "stdin".into()
        } else {
            file.display().to_string()
        };
        found.extend(Keyring::from_bytes(&plain(&name), &bytes));
    }
    match found.problems() {
        [] => Ok(found),
        problems => Err(damaged(problems)),
    }
}

/// Lines of a `.pub` file as lines of `allowed_signers`.
fn with_principal(text: &str, principal: &str) -> String {
    let is_bare = |line: &str| {
        ["ssh-", "ecdsa-sha2-", "sk-"]
            .iter()
            .any(|start| line.starts_with(start))
    };
    let lines = text.lines().map(|line| match is_bare(line) {
        true => format!("{principal} namespaces=\"git\" {line}\n"),
        false => format!("{line}\n"),
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_key_gets_the_principal_that_is_named() {
        let text = "ssh-ed25519 AAAA comment\n# more\nada@example.org ssh-ed25519 BBBB\n";
        assert_eq!(
            with_principal(text, "bob@example.org"),
            "bob@example.org namespaces=\"git\" ssh-ed25519 AAAA comment\n# more\nada@example.org ssh-ed25519 BBBB\n"
        );
    }
}
