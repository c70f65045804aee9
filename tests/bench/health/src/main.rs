//! How long health checks take, through the interface that the engine uses, beside those of Argo CD and Flux on the same objects.
//!
//! `cargo run --release -p sluice-bench-health` builds `peers/` with Go (minutes, the first time), measures one after the other and prints a
//! JSON line a figure: what, of which kind, every raw figure, and what was promised beside it; it fails where a median is above its
//! promise, or where two judge the same object differently. The first line has the load of the machine. Argo CD's scripts are taken from
//! its module, for the run; `deployment.lua` is our own. Figures that were measured are kept in `runs/`.
//!
//! A call of the host is a batch and has an instance of its own, so a batch of one object is what a fresh instance costs.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

mod objects;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use sluice_model::Object;
use sluice_model::application::PolicyRef;
use sluice_plugin_host::{Answer, Compiler, PluginHost};

/// Objects of one batch.
const BATCH: usize = 1_000;
/// How often each is measured.
const ROUNDS: usize = 30;
/// What Flux is asked for each kind; `health-cel` is asked the same.
const CURRENT: [(&str, &str, &str); 3] = [
    ("cert-manager.io/v1", "Certificate", READY),
    ("argoproj.io/v1alpha1", "Rollout", "status.phase == 'Healthy'"),
    (
        "apps/v1",
        "Deployment",
        "status.updatedReplicas == spec.replicas && status.availableReplicas == spec.replicas",
    ),
];
const READY: &str = "status.conditions.filter(e, e.type == 'Ready').all(e, e.status == 'True')";

fn main() -> Result<ExitCode> {
    let load = fs_err::read_to_string("/proc/loadavg").unwrap_or_default();
    println!(
        "{}",
        json!({"load": load.trim(), "processors": std::thread::available_parallelism().map_or(0, usize::from)})
    );
    let folder = tempfile::tempdir()?;
    let setting = Setting::lay(folder.path())?;
    let mut report = Report { is_kept: true };
    let argocd = setting.peer("argocd", "--deployment-script", &here().join("deployment.lua"))?;
    let flux = setting.peer("flux", "--expressions", &setting.expressions)?;
    for peer in argocd.iter().chain(&flux) {
        report.print(&peer.what, &peer.kind, "µs", None, &peer.figures);
    }
    let median_of = |peers: &[Peer], what: &str, kind: &str| {
        let peer = peers.iter().find(|peer| peer.what == what && peer.kind == kind);
        peer.map(|peer| (median(&peer.figures), peer.status.clone()))
            .with_context(|| format!("no figure of {what}, {kind}"))
    };

    let now = jiff::Timestamp::UNIX_EPOCH;
    let lua = PluginHost::with_lua_scripts(None, Some(setting.scripts.clone()), Compiler::Here);
    ensure!(lua.rejected_scripts().is_empty(), "{:?}", lua.rejected_scripts());
    let standard = PluginHost::standard();
    let by_cel: Vec<PolicyRef> = serde_json::from_value(
        json!([{"plugin": "health-cel", "settings": {"healthCheckExprs": expressions()}}]),
    )?;
    let judge = |host: &PluginHost, policies: &[PolicyRef], objects: &[Object]| -> Result<String> {
        let Answer { value, problems } = host.health(policies, objects, now);
        ensure!(problems.is_empty(), "{problems:?}");
        let verdict = value.first().context("nothing was judged")?;
        Ok(format!(
            "{:?} {}",
            verdict.status,
            verdict.plugin.as_deref().unwrap_or_default()
        ))
    };
    for value in setting.objects {
        let kind = value["kind"].as_str().unwrap_or_default().to_owned();
        let batch = vec![objects::object(value); BATCH];
        let one = batch.get(..1).unwrap_or_default();

        let (kept, status) = median_of(&argocd, "Argo CD's calls, compiled scripts kept", &kind)?;
        ensure!(
            judge(&lua, &[], one)? == format!("{status} health-lua"),
            "{kind} is {status} for Argo CD"
        );
        let figures = per_object(BATCH, || judge(&lua, &[], &batch))?;
        report.print(
            "health-lua, in a batch of 1,000",
            &kind,
            "µs",
            Some(kept / 3.0),
            &figures,
        );
        let (anew, _) = median_of(&argocd, "Argo CD's util/lua", &kind)?;
        let figures = per_object(100, || (0..100).try_for_each(|_| judge(&lua, &[], one).map(drop)))?;
        report.print(
            "health-lua, in a fresh instance",
            &kind,
            "µs",
            Some(anew / 2.0),
            &figures,
        );

        let (decoded, status) = median_of(&flux, "Flux's evaluator, with decoding", &kind)?;
        ensure!(
            status == "Current" && judge(&standard, &by_cel, one)? == "Healthy health-cel",
            "{kind} is {status} for Flux"
        );
        let figures = per_object(BATCH, || judge(&standard, &by_cel, &batch))?;
        report.print(
            "health-cel, in a batch of 1,000",
            &kind,
            "µs",
            Some(decoded),
            &figures,
        );

        if kind != "Deployment" {
            ensure!(
                judge(&standard, &[], one)? == "Healthy health-catalogue",
                "{kind} is not of the catalogue"
            );
            let figures = per_object(BATCH, || judge(&standard, &[], &batch))?;
            report.print(
                "health-catalogue, in a batch of 1,000",
                &kind,
                "µs",
                Some(8.0),
                &figures,
            );
        }
    }

    let many = objects::of_fifty_kinds(10_000);
    let mut figures = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        judge(&PluginHost::standard(), &[], &many)?;
        figures.push(start.elapsed().as_secs_f64() * 1e3);
    }
    report.print(
        "a new engine, 10,000 objects of 50 kinds judged",
        "",
        "ms",
        Some(300.0),
        &figures,
    );
    Ok(if report.is_kept {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files that all of them are handed.
struct Setting {
    folder: PathBuf,
    objects: [Value; 3],
    files: Vec<PathBuf>,
    /// In Argo CD's layout.
    scripts: PathBuf,
    expressions: PathBuf,
}

impl Setting {
    fn lay(folder: &Path) -> Result<Self> {
        let objects = [objects::certificate(), objects::rollout(), objects::deployment()];
        let mut files = Vec::new();
        for (number, object) in objects.iter().enumerate() {
            let file = folder.join(format!("{number}.json"));
            fs_err::write(&file, object.to_string())?;
            files.push(file);
        }
        let expressions_file = folder.join("expressions.json");
        fs_err::write(&expressions_file, expressions().to_string())?;
        let mut list = Command::new("go");
        list.args(["list", "-m", "-f", "{{.Dir}}", "github.com/argoproj/argo-cd/v3"])
            .current_dir(here().join("peers/argocd"));
        let module = PathBuf::from(output(&mut list)?.trim()).join("resource_customizations");
        let scripts = folder.join("scripts");
        for (kind, source) in [
            (
                "cert-manager.io/Certificate",
                module.join("cert-manager.io/Certificate/health.lua"),
            ),
            (
                "argoproj.io/Rollout",
                module.join("argoproj.io/Rollout/health.lua"),
            ),
            ("apps/Deployment", here().join("deployment.lua")),
        ] {
            fs_err::create_dir_all(scripts.join(kind))?;
            fs_err::write(scripts.join(kind).join("health.lua"), fs_err::read(source)?)?;
        }
        Ok(Self {
            folder: folder.to_owned(),
            objects,
            files,
            scripts,
            expressions: expressions_file,
        })
    }

    /// Builds and runs one of the others.
    fn peer(&self, name: &str, flag: &str, file: &Path) -> Result<Vec<Peer>> {
        let program = self.folder.join(name);
        let mut build = Command::new("go");
        build
            .args(["build", "-o"])
            .arg(&program)
            .arg(".")
            .current_dir(here().join("peers").join(name));
        output(&mut build)?;
        let printed = output(
            Command::new(program)
                .arg(flag)
                .arg(file)
                .args(["--rounds", &ROUNDS.to_string()])
                .args(&self.files),
        )?;
        printed.lines().map(Peer::of).collect()
    }
}

fn expressions() -> Value {
    let list = CURRENT
        .iter()
        .map(|(version, kind, current)| json!({"apiVersion": version, "kind": kind, "current": current}));
    list.collect()
}

/// A figure of another one.
struct Peer {
    what: String,
    kind: String,
    status: String,
    figures: Vec<f64>,
}

impl Peer {
    fn of(line: &str) -> Result<Self> {
        let line: Value = serde_json::from_str(line)?;
        let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        let figures = line["figures"].as_array().into_iter().flatten();
        Ok(Self {
            what: text("what"),
            kind: text("kind"),
            status: text("status"),
            figures: figures.filter_map(Value::as_f64).collect(),
        })
    }
}

/// What a program prints, if it ends well.
fn output(command: &mut Command) -> Result<String> {
    let done = command
        .output()
        .with_context(|| format!("cannot run {command:?}"))?;
    if !done.status.success() {
        bail!("{command:?} failed: {}", String::from_utf8_lossy(&done.stderr));
    }
    Ok(String::from_utf8(done.stdout)?)
}

/// Microseconds an object of each round, after one to warm up.
fn per_object<T>(objects: usize, mut work: impl FnMut() -> Result<T>) -> Result<Vec<f64>> {
    work()?;
    (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            work()?;
            Ok(start.elapsed().as_secs_f64() * 1e6 / objects as f64)
        })
        .collect()
}

fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Prints what was measured.
struct Report {
    /// True as long as every promise was kept.
    is_kept: bool,
}

impl Report {
    fn print(&mut self, what: &str, kind: &str, unit: &str, promised: Option<f64>, figures: &[f64]) {
        let round = |figure: f64| (figure * 100.0).round() / 100.0;
        let (median, promised) = (round(median(figures)), promised.map(round));
        let is_met = promised.is_none_or(|promised| median <= promised);
        self.is_kept &= is_met;
        let least = figures.iter().copied().fold(f64::INFINITY, f64::min);
        let figures: Vec<f64> = figures.iter().map(|figure| round(*figure)).collect();
        println!(
            "{}",
            json!({"measured": what, "kind": kind, "unit": unit, "median": median, "min": round(least), "promised": promised, "met": is_met, "figures": figures})
        );
    }
}
