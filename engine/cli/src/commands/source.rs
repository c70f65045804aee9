//! `sluice source`: what the source of an Application is, and what its manifests are made of.

use std::io::Write;

use clap::{Args, Subcommand};
use serde::Serialize;
use sluice_model::rendering::{Complaint, Part};
use sluice_pipeline::RenderedSource;
use sluice_render::{Chart, Dependency, SourceKind};

use crate::connection::block_on;
use crate::engine::{Engine, Git, Which};
use crate::failure::Failure;
use crate::global::Global;
use crate::output::{self, Format, Output, Table, plain};

pub(crate) const HELP: &str = "\
Examples:
  sluice source inspect guestbook
  sluice source inspect -f application.yaml -o json | jq -r '.read[]'

Exit codes: 0; 3 if it cannot be rendered; 4 if the revision is not trusted; 6 if the repository
fails.";

/// The options of `sluice source`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tell by what a source is rendered, on which charts it depends, which files that read, and what is made up in it
    #[command(
        after_help = "Examples:\n  sluice source inspect guestbook\n  sluice source inspect -f application.yaml -o json | jq -r '.read[]'\n\nExit codes: 0; 3 if it cannot be rendered; 4 if the revision is not trusted; 6 if the repository fails."
    )]
    Inspect {
        #[command(flatten)]
        which: Which,
        /// Branch, tag or commit instead of the target revision
        #[arg(long, value_name = "REVISION")]
        revision: Option<String>,
        #[command(flatten)]
        output: Output,
        #[command(flatten)]
        git: Git,
    },
}

/// What is told of a source.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    /// Which source; nothing for one that is alone.
    #[serde(skip_serializing_if = "str::is_empty")]
    source: &'a str,
    kind: SourceKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    chart: Option<&'a Chart>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dependencies: Vec<Dependency>,
    /// The renderer and its digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    renderer: Option<&'a str>,
    objects: usize,
    hooks: usize,
    tests: usize,
    definitions: usize,
    read: &'a [String],
    random: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    notes: Option<&'a str>,
    warnings: &'a [Complaint],
}

/// Tells of a source.
pub(crate) fn run(arguments: Arguments, global: &Global, out: &mut impl Write) -> Result<(), Failure> {
    let Command::Inspect {
        which,
        revision,
        output,
        git,
    } = arguments.command;
    let rendered = block_on(async {
        let engine = match which.is_file() {
            true => Engine::without_cluster(&which, &git, global)?,
            false => Engine::open(&which, &git, global).await?,
        };
        engine.rendered(revision.as_deref()).await
    })?;
    let told: Vec<Told<'_>> = rendered.iter().map(Told::of).collect();
    match (output.format, told.as_slice()) {
        (Format::Text, told) => {
            for (index, told) in told.iter().enumerate() {
                if index > 0 {
                    writeln!(out)?;
                }
                text(out, told)?;
            }
            Ok(())
        }
        (format, [alone]) => output::one(out, format, alone),
        (format, told) => output::each(out, format, told),
    }
}

impl<'a> Told<'a> {
    fn of(source: &'a RenderedSource) -> Self {
        let rendered = &source.rendered;
        let count = |part: Part| {
            let documents = rendered.documents.iter();
            documents.filter(|document| document.part == part).count()
        };
        Self {
            source: &source.name,
            kind: rendered.kind,
            chart: rendered.chart.as_ref(),
            dependencies: rendered.dependencies.iter().map(without_password).collect(),
            renderer: source.renderer.as_deref(),
            objects: rendered.manifests.len(),
            hooks: count(Part::Hook),
            tests: count(Part::Test),
            definitions: count(Part::Crd),
            read: &rendered.read,
            random: &rendered.random,
            notes: rendered.notes.as_deref(),
            warnings: &rendered.warnings,
        }
    }
}

/// The same, without the password that some write into a URL.
fn without_password(dependency: &Dependency) -> Dependency {
    Dependency {
        from: output::without_password(&dependency.from),
        ..dependency.clone()
    }
}

/// A dependency: `store ^2: 2.1.0 of https://charts.example.org (3f2a91c05b77)`.
fn depended_on(dependency: &Dependency) -> String {
    let Dependency {
        name,
        wanted,
        version,
        from,
        digest,
    } = dependency;
    let wanted = match wanted.is_empty() {
        true => String::new(),
        false => format!(" {wanted}"),
    };
    let version = version
        .as_deref()
        .map(|version| format!("{version} "))
        .unwrap_or_default();
    let digest = digest
        .as_deref()
        .map(|digest| format!(" ({})", output::short(digest)))
        .unwrap_or_default();
    format!("{name}{wanted}: {version}of {from}{digest}")
}

fn text(out: &mut impl Write, told: &Told<'_>) -> Result<(), Failure> {
    let mut table = Table::new();
    let mut say = |name: &str, value: String| table.row(vec![name.into(), value.into()]);
    if !told.source.is_empty() {
        say("source", told.source.to_owned());
    }
    say("kind", told.kind.to_string());
    if let Some(chart) = told.chart {
        say("chart", format!("{} {}", chart.name, chart.version));
    }
    for (number, dependency) in told.dependencies.iter().enumerate() {
        say(
            if number == 0 { "depends on" } else { "" },
            depended_on(dependency),
        );
    }
    if let Some(renderer) = told.renderer {
        say("renderer", renderer.to_owned());
    }
    say("objects", told.objects.to_string());
    if told.kind == SourceKind::Helm {
        say("hooks", told.hooks.to_string());
        say("tests", told.tests.to_string());
        say("definitions", told.definitions.to_string());
    }
    if !told.random.is_empty() {
        say("makes up", told.random.join(", "));
    }
    for (number, path) in told.read.iter().enumerate() {
        say(if number == 0 { "reads" } else { "" }, path.clone());
    }
    for warning in told.warnings {
        let place = warning
            .file
            .as_ref()
            .map(|file| format!("{file}: "))
            .unwrap_or_default();
        say("warning", format!("{place}{}", warning.message));
    }
    table.write(out, "")?;
    if let Some(notes) = told.notes {
        writeln!(out, "\n{}", plain(notes))?;
    }
    Ok(())
}
