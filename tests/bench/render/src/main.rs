//! How long rendering takes: `sluice render` beside `helm template` and `kustomize build` as processes, and the engine itself with a
//! rendering that it has made before.
//!
//! `cargo run --release -p sluice-bench-render -- --sluice target/release/sluice` prints one JSON line a case, with every raw figure in
//! milliseconds. The two programs are built from the modules that the renderers are made of. A run of `sluice render` fetches the
//! repository, verifies and decodes as well; the others read a folder. Figures that were measured are kept in `runs/`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for a terminal"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use sluice_cluster::{Cluster, Home, Target};
use sluice_model::Application;
use sluice_pipeline::mirrors::Mirrors;
use sluice_pipeline::{Capabilities, Defaults, Job, Pipeline, Randomness, Trusted};
use sluice_plugin_host::PluginHost;
use sluice_sandbox::{Folder, Repository, Signature, output, renderer_program};
use sluice_source::Repositories;

/// How often each is measured.
const RUNS: usize = 21;
/// ConfigMaps of the large chart: with some 500 bytes each, one megabyte comes out.
const LARGE: usize = 2_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let sluice = match arguments.as_slice() {
        [flag, path] if flag == "--sluice" => path.clone(),
        _ => {
            eprintln!("usage: sluice-bench-render --sluice PATH");
            return ExitCode::from(2);
        }
    };
    match measure(Path::new(&sluice)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// What is rendered, and by which program beside ours.
struct Case {
    name: &'static str,
    repository: Repository,
    path: &'static str,
    program: &'static str,
    arguments: &'static [&'static str],
}

fn measure(sluice: &Path) -> Result<()> {
    let build = |name: &str| renderer_program(name, |command| output(command).map(drop));
    let (helm, kustomize) = (build("helm")?, build("kustomize")?);
    let folder = Folder::new("bench-render")?;
    for case in cases()? {
        let native: &PathBuf = if case.program == "helm" { &helm } else { &kustomize };
        let file = folder.write(
            &format!("{}.json", case.path.replace('/', "-")),
            application(&case).to_string(),
        )?;
        let cache = folder.path().join("cache");
        let mut ours = Command::new(sluice);
        ours.args(["render", "--offline", "-f"])
            .arg(&file)
            .arg("--cache-dir")
            .arg(&cache);
        let mut theirs = Command::new(native);
        theirs
            .args(case.arguments)
            .arg(case.repository.path().join(case.path));
        let engine = Engine::new(&case, &folder)?;
        // One at first for the mirror, the file cache and the renderer; then in turns, so that all see the same machine.
        let bytes = run(&mut ours)?.1;
        run(&mut theirs)?;
        engine.renders("first")?;
        let (mut mine, mut other, mut fresh) = (Vec::new(), Vec::new(), Vec::new());
        for turn in 0..RUNS {
            mine.push(run(&mut ours)?.0);
            other.push(run(&mut theirs)?.0);
            // Another Application: nothing of the last one serves.
            fresh.push(engine.renders(&format!("run-{turn}"))?);
        }
        let mut again = Vec::new();
        for _ in 0..RUNS {
            again.push(engine.renders("first")?);
        }
        let native = format!("{}, a process", case.program);
        for (what, times, more) in [
            ("sluice render, a process", &mine, json!({"bytes": bytes})),
            (native.as_str(), &other, json!({})),
            ("the engine, rendered", &fresh, json!({})),
            ("the engine, unchanged", &again, json!({})),
        ] {
            report(case.name, what, times, &more);
        }
    }
    Ok(())
}

/// The engine by itself, in this process.
struct Engine {
    runtime: tokio::runtime::Runtime,
    pipeline: Pipeline,
    job: Job,
    trusted: Trusted,
}

impl Engine {
    fn new(case: &Case, folder: &Folder) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let application: Application = serde_json::from_value(application(case))?;
        let job = Job::resolve(&application, &Defaults::default())
            .map_err(|problems| anyhow::anyhow!("{problems:?}"))?;
        let (pipeline, trusted) = runtime.block_on(async {
            let nowhere = kube::Config::new("http://127.0.0.1:1".parse()?);
            let cluster = Cluster::from_config(nowhere)?;
            let mirrors = Mirrors::new(Repositories::open(folder.path().join("engine"))?);
            let home = Home::new(cluster.clone());
            let mut pipeline = Pipeline::new(mirrors, PluginHost::standard(), home, Target::new(cluster));
            pipeline.randomness = Randomness::Public;
            let trusted = pipeline.trusted(&job, None).await?;
            anyhow::Ok((pipeline, trusted))
        })?;
        Ok(Self {
            runtime,
            pipeline,
            job,
            trusted,
        })
    }

    /// Renders for an Application of this name; milliseconds. What an earlier call rendered for that name serves again.
    fn renders(&self, application: &str) -> Result<f64> {
        let mut job = self.job.clone();
        application.clone_into(&mut job.key.name);
        self.runtime.block_on(async {
            let start = Instant::now();
            self.pipeline
                .render(&job, &self.trusted, &Capabilities::unknown())
                .await?;
            Ok(start.elapsed().as_secs_f64() * 1e3)
        })
    }
}

fn application(case: &Case) -> Value {
    json!({
        "apiVersion": "sluice.dev/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "app", "namespace": "default"},
        "spec": {"source": {
            "repoURL": format!("file://{}", case.repository.path().display()),
            "targetRevision": "main",
            "path": case.path,
        }},
    })
}

fn cases() -> Result<Vec<Case>> {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../examples");
    let of = |example: &str| -> Result<Repository> {
        let repository = Repository::new()?;
        repository.copy_from(&examples.join(example), "")?;
        repository.commit(example, Signature::None)?;
        Ok(repository)
    };
    let large = Repository::new()?;
    large.write(
        "chart/Chart.yaml",
        "apiVersion: v2\nname: large\nversion: 0.1.0\n",
    )?;
    large.write("chart/values.yaml", format!("count: {LARGE}\n"))?;
    let text = "x".repeat(340);
    large.write(
        "chart/templates/all.yaml",
        format!("{{{{- range $n := until (int .Values.count) }}}}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{{{ printf \"%s-%d\" $.Release.Name $n }}}}\n  labels:\n    app: {{{{ $.Chart.Name | quote }}}}\ndata:\n  text: {text}\n{{{{- end }}}}\n"),
    )?;
    large.commit("large", Signature::None)?;
    Ok(vec![
        Case {
            name: "a small chart",
            repository: of("helm")?,
            path: "chart",
            program: "helm",
            arguments: &["template", "app"],
        },
        Case {
            name: "a small overlay",
            repository: of("kustomize")?,
            path: "overlays/prod",
            program: "kustomize",
            arguments: &["build"],
        },
        Case {
            name: "a chart of 1 MB",
            repository: large,
            path: "chart",
            program: "helm",
            arguments: &["template", "app"],
        },
    ])
}

/// Runs a program; milliseconds and bytes of what it prints.
fn run(command: &mut Command) -> Result<(f64, usize)> {
    let start = Instant::now();
    let done = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{command:?}"))?;
    let time = start.elapsed().as_secs_f64() * 1e3;
    ensure!(
        done.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    Ok((time, done.stdout.len()))
}

fn report(case: &str, what: &str, times: &[f64], more: &Value) {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    let round = |time: &f64| (time * 1e3).round() / 1e3;
    let median = sorted.get(sorted.len() / 2).map(round);
    let mut line = json!({
        "case": case,
        "what": what,
        "unit": "ms",
        "median": median,
        "min": sorted.first().map(round),
        "runs": times.iter().map(round).collect::<Vec<_>>(),
    });
    if let (Some(line), Some(more)) = (line.as_object_mut(), more.as_object()) {
        line.extend(more.clone());
    }
    println!("{line}");
}
