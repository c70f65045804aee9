//! `sluice plugin test`: what a plugin says of its golden cases, in the runtime that the engine asks it in.
//!
//! A case is a folder, laid out as the SDK's golden cases are (`plugins/sdk/src/golden.rs`).

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use jiff::Timestamp;
use serde::{Deserialize as _, Serialize};
use serde_json::{Map, Value};
use similar::{ChangeTag, TextDiff};
use sluice_model::{ExitKind, Object};
use sluice_plugin_host::{Case, Inspected, PluginHost, PluginKind, TrialError};

use crate::documents;
use crate::failure::{CliError, Failure};
use crate::global::Global;
use crate::output::{self, BAD, FAINT, Format, GOOD, Output, WAITING, plain, styled};

pub(super) const HELP: &str = "\
A case is a folder with these files:
  input.yaml      what is judged, one document or many. For a health check objects; for a prune
                  policy objects or {live, desired}; for a sync policy objects or {desired, live};
                  for both also {context: {options: [...]}}
  expected.json   what the plugin is to say, a list with an entry for each document
  settings.json   its settings (optional)
  related.yaml    what there is around the objects, for a health check (optional)
  now             the time, in seconds since 1970 (optional; 0)

Each case is judged twice, in a fresh instance each time: a plugin must say the same of the same.

Examples:
  sluice plugin test ./target/health_rollout.wasm
  sluice plugin test ./health-rollout.wasm --cases tests/cases --update
  sluice plugin test health-kubernetes --cases cases --junit report.xml

Exit codes: 0 if all cases pass; 1 if one does not; 3 if there is no case or one cannot be read;
8 if the plugin does not pass its checks.";

/// The options of `sluice plugin test`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A plugin's file, or the name of one that serves
    #[arg(value_name = "FILE|NAME")]
    plugin: PathBuf,
    /// Folder of the cases; `cases` or `tests/cases` by default
    #[arg(long, value_name = "DIR")]
    cases: Option<PathBuf>,
    /// Write what the plugin says now as what is expected
    #[arg(long)]
    update: bool,
    /// Write a report in JUnit's form as well
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

/// How a case went.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    case: String,
    result: Outcome,
    /// How long the first judgement took, instance and settings included.
    milliseconds: f64,
    /// For people: the difference, or what is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Outcome {
    Passed,
    Updated,
    Failed,
}

/// Judges every case.
pub(super) fn run(arguments: &Arguments, global: &Global, out: &mut impl Write) -> Result<(), Failure> {
    let subject = Subject::find(global, &arguments.plugin)?;
    let folders = folders(arguments.cases.as_deref())?;
    let mut reports = Vec::with_capacity(folders.len());
    for folder in &folders {
        reports.push(judge(&subject, folder, arguments.update)?);
    }
    if let Some(path) = &arguments.junit {
        write(path, &junit(&subject.name, &reports))?;
    }
    match arguments.output.format {
        Format::Text => print(out, &subject.name, &reports)?,
        format @ (Format::Json | Format::Yaml) => output::each(out, format, &reports)?,
    }
    match reports.iter().all(|report| report.result != Outcome::Failed) {
        true => Ok(()),
        false => Err(Failure::Answered(ExitKind::Negative)),
    }
}

/// The plugin that is tried, in a host that may have no other of its own.
struct Subject {
    host: PluginHost,
    name: String,
    kind: PluginKind,
    /// Where a file lies under its own name, alone.
    _alone: Option<tempfile::TempDir>,
}

impl Subject {
    fn find(global: &Global, plugin: &Path) -> Result<Self, Failure> {
        let Inspected::Policy(info) = super::find(global, plugin)? else {
            let name = plugin.display().to_string();
            return Err(CliError::BadCase {
                path: plugin.to_owned(),
                why: format!("`{name}` is a renderer; cases are judged by policies alone"),
            }
            .into());
        };
        let (host, alone) = match super::is_file(plugin) {
            true => {
                let alone = tempfile::tempdir().map_err(|source| failed(plugin, source))?;
                let place = alone.path().join(format!("{}.wasm", info.name));
                fs_err::copy(plugin, &place).map_err(|source| failed(plugin, source))?;
                (global.plugins_of(alone.path()), Some(alone))
            }
            false => (global.plugins(), None),
        };
        Ok(Self {
            host,
            name: info.name,
            kind: info.world,
            _alone: alone,
        })
    }
}

/// The folders of the cases, sorted. At least one.
fn folders(given: Option<&Path>) -> Result<Vec<PathBuf>, Failure> {
    let usual = ["cases", "tests/cases"].map(Path::new);
    let place = given
        .or_else(|| usual.into_iter().find(|folder| folder.is_dir()))
        .unwrap_or(Path::new("cases"));
    let entries = fs_err::read_dir(place).map_err(|source| failed(place, source))?;
    let mut folders = Vec::new();
    for entry in entries {
        let path = entry.map_err(|source| failed(place, source))?.path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    folders.sort();
    match folders.is_empty() {
        false => Ok(folders),
        true => Err(CliError::BadCase {
            path: place.to_owned(),
            why: "no folder is in it: a case is a folder with an `input.yaml`".to_owned(),
        }
        .into()),
    }
}

/// Judges one case, twice.
fn judge(subject: &Subject, folder: &Path, update: bool) -> Result<Report, Failure> {
    let case = case(folder)?;
    let started = Instant::now();
    let first = say(subject, folder, &case)?;
    let time = started.elapsed();
    let second = say(subject, folder, &case)?;
    let path = folder.join("expected.json");
    let said = pretty(&first);
    let expected = match fs_err::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(source) => return Err(failed(&path, source)),
    };
    let is_expected = match &expected {
        // Whatever its layout.
        Some(text) => json::<Value>(&path, text)? == first,
        None => false,
    };
    let (result, difference) = if first != second {
        let told = "it says something else the second time:";
        (
            Outcome::Failed,
            Some(format!("{told}\n{}", difference(&said, &pretty(&second)))),
        )
    } else if is_expected {
        (Outcome::Passed, None)
    } else if update {
        write(&path, &said)?;
        (Outcome::Updated, None)
    } else {
        let told = match &expected {
            Some(expected) => difference(expected, &said),
            None => format!("there is no {}: `--update` writes it", path.display()),
        };
        (Outcome::Failed, Some(told))
    };
    Ok(Report {
        case: folder
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        result,
        milliseconds: time.as_secs_f64() * 1e3,
        difference,
    })
}

/// What the plugin says of a case; a crash, a timeout and the like are an answer that no case expects.
fn say(subject: &Subject, folder: &Path, case: &Case) -> Result<Value, Failure> {
    match subject.host.try_case(subject.kind, &subject.name, case) {
        Ok(said) => Ok(said),
        Err(TrialError::Document { number, reason }) => Err(CliError::BadCase {
            path: folder.join("input.yaml"),
            why: format!("document {number}: {reason}"),
        }
        .into()),
        Err(TrialError::Plugin(error)) => {
            Ok(serde_json::json!({"failure": sluice_model::error::one_line(&error)}))
        }
    }
}

/// Reads a case.
fn case(folder: &Path) -> Result<Case, Failure> {
    let input = folder.join("input.yaml");
    let text = fs_err::read_to_string(&input).map_err(|source| failed(&input, source))?;
    let settings: Map<String, Value> = match optional(&folder.join("settings.json"))? {
        Some((path, text)) => json(&path, &text)?,
        None => Map::new(),
    };
    let now = match optional(&folder.join("now"))? {
        Some((path, text)) => seconds(&path, &text)?,
        None => Timestamp::UNIX_EPOCH,
    };
    let related = folder.join("related.yaml");
    let related = match related.exists() {
        true => Some(objects(&related)?),
        false => None,
    };
    Ok(Case {
        documents: documents_of(&input, &text)?,
        settings,
        now,
        related,
    })
}

fn objects(path: &Path) -> Result<Vec<Object>, Failure> {
    let manifests = documents::manifests(path)?.into_iter();
    Ok(manifests.map(|manifest| manifest.object).collect())
}

fn documents_of(path: &Path, text: &str) -> Result<Vec<Value>, Failure> {
    let read = serde_yaml::Deserializer::from_str(text).map(Value::deserialize);
    let documents: Result<Vec<Value>, _> = read.collect();
    let mut documents = documents.map_err(|error| wrong(path, &error))?;
    documents.retain(|document| !document.is_null());
    Ok(documents)
}

fn seconds(path: &Path, text: &str) -> Result<Timestamp, Failure> {
    let seconds = text.trim().parse::<i64>().map_err(|error| wrong(path, &error))?;
    Timestamp::from_second(seconds).map_err(|error| wrong(path, &error))
}

/// The text of a file that need not be there.
fn optional(path: &Path) -> Result<Option<(PathBuf, String)>, Failure> {
    match fs_err::read_to_string(path) {
        Ok(text) => Ok(Some((path.to_owned(), text))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(failed(path, source)),
    }
}

fn json<T: serde::de::DeserializeOwned>(path: &Path, text: &str) -> Result<T, Failure> {
    serde_json::from_str(text).map_err(|error| wrong(path, &error))
}

fn wrong(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    CliError::BadCase {
        path: path.to_owned(),
        why: error.to_string(),
    }
    .into()
}

fn failed(path: &Path, source: std::io::Error) -> Failure {
    CliError::Read {
        path: path.to_owned(),
        source,
    }
    .into()
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |source| CliError::Write {
        path: path.to_owned(),
        source,
    };
    Ok(fs_err::write(path, text).map_err(failed)?)
}

/// As a case has it: indented, with a line's end.
fn pretty(said: &Value) -> String {
    format!("{said:#}\n")
}

/// The lines that differ, with some around them.
fn difference(expected: &str, said: &str) -> String {
    let diff = TextDiff::from_lines(expected, said);
    let mut lines = String::new();
    for change in diff
        .grouped_ops(2)
        .iter()
        .flatten()
        .flat_map(|op| diff.iter_changes(op))
    {
        let sign = match change.tag() {
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
            ChangeTag::Equal => ' ',
        };
        lines.push(sign);
        lines.push(' ');
        lines.push_str(change.value().trim_end_matches('\n'));
        lines.push('\n');
    }
    lines
}

fn print(out: &mut impl Write, name: &str, reports: &[Report]) -> Result<(), Failure> {
    for report in reports {
        let (word, style) = match report.result {
            Outcome::Passed => ("ok", GOOD),
            Outcome::Updated => ("updated", WAITING),
            Outcome::Failed => ("FAILED", BAD),
        };
        let time = styled(FAINT, format!("{:.1} ms", report.milliseconds));
        writeln!(
            out,
            "{} {}  {time}",
            styled(style, format!("{word:<7}")),
            plain(&report.case)
        )?;
        for line in report.difference.iter().flat_map(|text| text.lines()) {
            let style = match line.chars().next() {
                Some('-') => BAD,
                Some('+') => GOOD,
                Some(_) | None => FAINT,
            };
            writeln!(out, "        {}", styled(style, plain(line)))?;
        }
    }
    let count = |outcome| reports.iter().filter(|report| report.result == outcome).count();
    let (passed, updated, failed) = (
        count(Outcome::Passed),
        count(Outcome::Updated),
        count(Outcome::Failed),
    );
    let mut line = format!("{name}: {passed} passed, {failed} failed");
    if updated > 0 {
        line.push_str(&format!(", {updated} updated: read them before you commit them"));
    }
    writeln!(out, "{line}")?;
    if failed > 0 {
        writeln!(
            out,
            "- is expected, + is what it says; `--update` writes what it says"
        )?;
    }
    Ok(())
}

/// A report as JUnit's readers take it.
fn junit(name: &str, reports: &[Report]) -> String {
    let failures = reports
        .iter()
        .filter(|report| report.result == Outcome::Failed)
        .count();
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"{}\" tests=\"{}\" failures=\"{failures}\">\n",
        escaped(name),
        reports.len()
    );
    for report in reports {
        let seconds = Duration::from_secs_f64(report.milliseconds / 1e3).as_secs_f64();
        let case = format!(
            "  <testcase classname=\"{}\" name=\"{}\" time=\"{seconds:.6}\"",
            escaped(name),
            escaped(&report.case)
        );
        match &report.difference {
            Some(difference) if report.result == Outcome::Failed => text.push_str(&format!(
                "{case}>\n    <failure message=\"it says something else\">{}</failure>\n  </testcase>\n",
                escaped(difference)
            )),
            Some(_) | None => text.push_str(&format!("{case}/>\n")),
        }
    }
    text.push_str("</testsuite>\n");
    text
}

/// Text within XML; control characters have no place there.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(character),
            character if character.is_control() => {}
            character => escaped.push(character),
        }
    }
    escaped
}
