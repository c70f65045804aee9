//! `sluice plugin`: what plugins there are, what one of them is, and what it says of its cases.

mod test;

use std::error::Error as _;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use sluice_model::Coded as _;
use sluice_plugin_host::{
    Claim, Inspected, PluginInfo, PluginOrigin, PluginProblem, RejectedFile, RendererInfo,
};

use crate::failure::{CliError, Failure};
use crate::global::Global;
use crate::output::{self, BAD, Cell, FAINT, Format, Output, STRONG, Table, plain, styled};

pub(crate) const HELP: &str = "\
Examples:
  sluice plugin list --plugin-dir ./my-plugins
  sluice plugin inspect ./my-plugins/health-rollout.wasm
  sluice plugin inspect prune-standard -o json
  sluice plugin test ./my-plugins/health-rollout.wasm --cases tests/cases

A file of the plugin directory that does not pass its checks is named with its code; what served
before goes on.

Exit codes: 0; 3 if no plugin has that name; 8 if a file cannot be read or does not pass its
checks.";

/// The options of `sluice plugin`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the plugins that serve, by question, in the order they are asked, and the renderers
    #[command(
        after_help = "Examples:\n  sluice plugin list\n  sluice plugin list -o json | jq -r .digest\n\nExit codes: 0; 8 if a plugin does not pass its checks."
    )]
    List {
        #[command(flatten)]
        output: Output,
    },
    /// Make every check on a plugin and tell what it is: world, claims, imports, settings, digest
    #[command(
        after_help = "Examples:\n  sluice plugin inspect health-kubernetes\n  sluice plugin inspect ./health-rollout.wasm\n\nExit codes: 0; 3 if no plugin has that name; 8 if a file cannot be read or does not pass its checks."
    )]
    Inspect {
        /// A plugin's file, or the name of one that serves
        #[arg(value_name = "FILE|NAME")]
        plugin: PathBuf,
        #[command(flatten)]
        output: Output,
    },
    /// Judge a plugin's golden cases, and compare with what is expected
    #[command(after_help = test::HELP)]
    Test(test::Arguments),
}

/// Lists, looks into one, or tries it.
pub(crate) fn run(arguments: Arguments, global: &Global, out: &mut impl Write) -> Result<(), Failure> {
    match arguments.command {
        Command::List { output } => list(global, output.format, out),
        Command::Test(arguments) => test::run(&arguments, global, out),
        Command::Inspect { plugin, output } => {
            let info = find(global, &plugin)?;
            match (output.format, &info) {
                (Format::Text, Inspected::Policy(info)) => describe(out, info),
                (Format::Text, Inspected::Renderer(info)) => describe_renderer(out, info),
                (format @ (Format::Json | Format::Yaml), info) => output::one(out, format, info),
            }
        }
    }
}

fn list(global: &Global, format: Format, out: &mut impl Write) -> Result<(), Failure> {
    let plugins = global.plugins();
    let answer = plugins.list();
    let mut renderers = global.renderers().list();
    renderers.extend(plugins.renderers());
    match format {
        Format::Text => {
            let mut table = Table::new();
            table.head(&["NAME", "WORLD", "FROM", "ASKED", "DIGEST", "SUMMARY"]);
            for info in &answer.value {
                table.row(vec![
                    (&info.name).into(),
                    info.world.world().into(),
                    origin(&info.origin).into(),
                    asked(info).into(),
                    short_digest(&info.digest).into(),
                    (&info.summary).into(),
                ]);
            }
            for renderer in &renderers {
                let from = match renderer.is_there {
                    true => origin(&renderer.origin),
                    false => "missing".to_owned(),
                };
                let asked = match renderer.origin {
                    PluginOrigin::Standard => "where needed",
                    PluginOrigin::File(_) => "by name",
                };
                table.row(vec![
                    (&renderer.name).into(),
                    renderer.world.into(),
                    from.into(),
                    asked.into(),
                    short_digest(&renderer.digest).into(),
                    (&renderer.summary).into(),
                ]);
            }
            table.write(out, "")?;
        }
        Format::Json | Format::Yaml => {
            output::each(out, format, &answer.value)?;
            output::each(out, format, &renderers)?;
        }
    }
    match answer.problems.is_empty() {
        true => Ok(()),
        false => Err(Failure::plugins(answer.problems)),
    }
}

/// A file where there is one of that name, else a plugin that serves.
fn find(global: &Global, plugin: &Path) -> Result<Inspected, Failure> {
    let host = global.plugins();
    if is_file(plugin) {
        return host.inspect(plugin).map_err(|error| {
            let mut message = error.to_string();
            let mut source = error.source();
            while let Some(cause) = source {
                message.push_str(&format!(": {cause}"));
                source = cause.source();
            }
            let plugin = plugin.display().to_string();
            Failure::plugins(vec![PluginProblem {
                code: error.code(),
                plugin,
                digest: String::new(),
                message,
            }])
        });
    }
    let name = plugin.to_string_lossy();
    let policies = host.list().value.into_iter();
    let policies = policies.map(|info| Inspected::Policy(Box::new(info)));
    let renderers = global.renderers().list().into_iter().chain(host.renderers());
    let renderers = renderers.map(|info| Inspected::Renderer(Box::new(info)));
    let is_meant = |info: &Inspected| match info {
        Inspected::Policy(info) => info.name == name,
        Inspected::Renderer(info) => info.name == name,
    };
    let serving = policies.chain(renderers).find(is_meant);
    Ok(serving.ok_or_else(|| CliError::NoPlugin {
        name: name.into_owned(),
    })?)
}

/// Whether a file is meant, and no name.
fn is_file(plugin: &Path) -> bool {
    plugin.exists() || plugin.components().count() > 1 || plugin.extension().is_some()
}

fn heading(out: &mut impl Write, name: &str, summary: &str) -> Result<(), Failure> {
    writeln!(out, "{}  {}", styled(STRONG, plain(name)), plain(summary))?;
    Ok(())
}

fn describe_renderer(out: &mut impl Write, info: &RendererInfo) -> Result<(), Failure> {
    heading(out, &info.name, &info.summary)?;
    let mut table = Table::new();
    let mut say = |name: &str, value: String| table.row(vec![name.into(), value.into()]);
    say("world", format!("sluice:render/{}", info.world));
    say("from", origin(&info.origin));
    say("digest", info.digest.clone());
    say("imports", "nothing".to_owned());
    if let Some(description) = &info.description {
        say("says", description.to_string());
    }
    if !info.is_there {
        say("missing", "its file is not there".to_owned());
    }
    refused(out, table, info.rejected.as_ref())
}

fn describe(out: &mut impl Write, info: &PluginInfo) -> Result<(), Failure> {
    heading(out, &info.name, &info.summary)?;
    let mut table = Table::new();
    let mut say = |name: &str, value: String| table.row(vec![name.into(), value.into()]);
    say("world", format!("sluice:policy/{}", info.world.world()));
    say("from", origin(&info.origin));
    say("asked", asked(info).to_owned());
    say("digest", info.digest.clone());
    say("size", format!("{} bytes", info.bytes));
    say(
        "speaks about",
        info.claims
            .iter()
            .map(Claim::to_string)
            .collect::<Vec<_>>()
            .join(", "),
    );
    say(
        "imports",
        if info.imports.is_empty() {
            "nothing".to_owned()
        } else {
            info.imports.join(", ")
        },
    );
    say(
        "looks at the clock",
        if info.uses_time { "yes" } else { "no" }.to_owned(),
    );
    if let Some(schema) = &info.settings_schema {
        say("settings", schema.to_string());
    }
    refused(out, table, info.rejected.as_ref())
}

/// Prints what is known, and which newer file was refused.
fn refused(out: &mut impl Write, mut table: Table, rejected: Option<&RejectedFile>) -> Result<(), Failure> {
    if let Some(rejected) = rejected {
        let problem = rejected.problem.one_line();
        table.row(vec![
            "rejected".into(),
            Cell::new(format!("{}: {problem}", rejected.path.display()), BAD),
        ]);
    }
    table.write(out, "  ")?;
    if rejected.is_some() {
        writeln!(out, "  {}", styled(FAINT, "the version above goes on serving"))?;
    }
    Ok(())
}

fn origin(origin: &PluginOrigin) -> String {
    match origin {
        PluginOrigin::Standard => "standard".to_owned(),
        PluginOrigin::File(path) => path.display().to_string(),
    }
}

/// When it is asked.
fn asked(info: &PluginInfo) -> &'static str {
    match info.asked_by_default {
        true => "by default",
        false => "if named",
    }
}

/// Enough of a digest to tell versions apart.
fn short_digest(digest: &str) -> &str {
    digest.get(.."sha256:".len() + 12).unwrap_or(digest)
}
