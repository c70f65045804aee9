//! [`PluginHost`]: the plugins there are, and the three questions.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use serde::Serialize;
use serde_json::{Map, Value};
use sluice_model::application::{Policies, PolicyRef};
use sluice_model::decision::{PruneDecision, SyncDecision};
use sluice_model::health::HealthVerdict;
use sluice_model::{Coded as _, Object};

use crate::answer::{Answer, PluginProblem};
use crate::claims::Claim;
use crate::codes::PluginError;
use crate::files::{self, Seen};
use crate::load::{self, Plugin};
use crate::prune::{PruneCandidate, PruneContext};
use crate::run::Runtime;
use crate::standard::{self, Standard};
use crate::sync::{SyncContext, SyncObject};

/// Asks plugins. Cheap to clone; usable from any thread; calls block.
///
/// Plugins are loaded when they are needed first: a host that is asked for health alone loads no other policy.
#[derive(Clone)]
pub struct PluginHost(Arc<Inner>);

struct Inner {
    runtime: OnceLock<Result<Runtime, PluginError>>,
    /// Beside [`standard::ALL`].
    standard: Vec<OnceLock<Result<Arc<Plugin>, PluginError>>>,
    folder: Option<PathBuf>,
    files: RwLock<Arc<Files>>,
    /// Held by the one rescan that runs.
    rescanning: Mutex<()>,
}

/// What the plugin directory holds. Replaced as a whole, so that every call sees one state of it.
#[derive(Clone, Default)]
struct Files {
    serving: BTreeMap<String, Arc<Plugin>>,
    seen: BTreeMap<String, Seen>,
    rejected: BTreeMap<String, RejectedFile>,
    unreadable: Option<PluginProblem>,
}

/// Which question a plugin answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum PluginKind {
    /// World `health-check`.
    #[serde(rename = "health-check")]
    Health,
    /// World `prune-policy`.
    #[serde(rename = "prune-policy")]
    Prune,
    /// World `sync-policy`.
    #[serde(rename = "sync-policy")]
    Sync,
}

impl PluginKind {
    pub(crate) const ALL: [Self; 3] = [Self::Health, Self::Prune, Self::Sync];

    /// The name of its world.
    pub fn world(self) -> &'static str {
        match self {
            Self::Health => "health-check",
            Self::Prune => "prune-policy",
            Self::Sync => "sync-policy",
        }
    }

    pub(crate) fn interface(self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::Prune => "prune",
            Self::Sync => "sync",
        }
    }
}

/// Where a plugin comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum PluginOrigin {
    /// It is part of the binary.
    Standard,
    /// It is this file.
    File(PathBuf),
}

/// What is known of a plugin without asking it to judge anything.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginInfo {
    /// Its name: that of its file without `.wasm`.
    pub name: String,
    /// Its world.
    pub world: PluginKind,
    /// Where it comes from.
    pub origin: PluginOrigin,
    /// `sha256:…` of its file.
    pub digest: String,
    /// Size of its file.
    pub bytes: usize,
    /// One line: what it decides.
    pub summary: String,
    /// The objects that it speaks about.
    pub claims: Vec<Claim>,
    /// JSON Schema of its settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings_schema: Option<Value>,
    /// False where an answer about an unchanged object may be kept.
    pub uses_time: bool,
    /// The interfaces that it imports; the host grants these and no others.
    pub imports: Vec<String>,
    /// A newer file of the same name that was refused, while this one goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected: Option<RejectedFile>,
}

/// A file of the plugin directory that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RejectedFile {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub problem: PluginProblem,
    /// True where an earlier version goes on serving under its name.
    pub still_serving: bool,
}

/// What a rescan found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// This version serves from now on.
    Serving {
        /// Its name.
        plugin: String,
        /// `sha256:…`.
        digest: String,
    },
    /// The file is gone. A standard plugin of its name serves again.
    Removed {
        /// Its name.
        plugin: String,
    },
    /// A file was refused; what served before goes on.
    Rejected(RejectedFile),
}

impl PluginHost {
    /// The standard plugins alone.
    pub fn standard() -> Self {
        Self::new(None)
    }

    /// The standard plugins, and those of a folder beside or instead of them. Files that are refused are in
    /// [`PluginHost::rejected`]; [`PluginHost::rescan`] takes up changes.
    pub fn with_directory(folder: impl Into<PathBuf>) -> Self {
        let host = Self::new(Some(folder.into()));
        host.rescan();
        host
    }

    fn new(folder: Option<PathBuf>) -> Self {
        Self(Arc::new(Inner {
            runtime: OnceLock::new(),
            standard: standard::ALL.iter().map(|_| OnceLock::new()).collect(),
            folder,
            files: RwLock::default(),
            rescanning: Mutex::new(()),
        }))
    }

    /// Looks at the plugin directory again; costs a `stat` for each file that was not touched. A new version serves as soon as it
    /// has passed every check; where it does not pass, the old one goes on.
    pub fn rescan(&self) -> Vec<Change> {
        let Some(folder) = &self.0.folder else {
            return Vec::new();
        };
        let _one_at_a_time = self.0.rescanning.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.files();
        let listed = match files::list(folder) {
            Ok(listed) => listed,
            Err(error) => {
                // A folder that cannot be read says nothing about its plugins: they go on.
                let problem = problem(&folder.display().to_string(), "", &PluginError::Read(error));
                let news = before.unreadable.as_ref() != Some(&problem);
                if news {
                    tracing::warn!("{}", problem.one_line());
                }
                self.replace(Files {
                    unreadable: Some(problem.clone()),
                    ..Files::clone(&before)
                });
                let rejected = RejectedFile {
                    path: folder.clone(),
                    problem,
                    still_serving: true,
                };
                return if news {
                    vec![Change::Rejected(rejected)]
                } else {
                    Vec::new()
                };
            }
        };
        if listed == before.seen && before.unreadable.is_none() {
            return Vec::new();
        }
        let mut after = Files {
            seen: listed.clone(),
            ..Files::default()
        };
        let mut changes = Vec::new();
        for (name, seen) in &listed {
            let serving = before.serving.get(name);
            if before.seen.get(name) == Some(seen) {
                after
                    .serving
                    .extend(serving.map(|plugin| (name.clone(), Arc::clone(plugin))));
                after.rejected.extend(
                    before
                        .rejected
                        .get(name)
                        .map(|rejected| (name.clone(), rejected.clone())),
                );
                continue;
            }
            match self.load_file(name, &seen.path, serving) {
                Ok(plugin) => {
                    if serving.is_none_or(|before| before.digest != plugin.digest) {
                        tracing::info!(
                            plugin = name,
                            digest = plugin.digest,
                            "the plugin serves from now on"
                        );
                        changes.push(Change::Serving {
                            plugin: name.clone(),
                            digest: plugin.digest.clone(),
                        });
                    }
                    after.serving.insert(name.clone(), plugin);
                }
                Err((digest, error)) => {
                    let still_serving = serving.is_some() || Standard::index(name).is_some();
                    let problem = problem(name, &digest, &error);
                    tracing::warn!(still_serving, "{}", problem.one_line());
                    let rejected = RejectedFile {
                        path: seen.path.clone(),
                        problem,
                        still_serving,
                    };
                    changes.push(Change::Rejected(rejected.clone()));
                    after.rejected.insert(name.clone(), rejected);
                    after
                        .serving
                        .extend(serving.map(|plugin| (name.clone(), Arc::clone(plugin))));
                }
            }
        }
        for name in before.serving.keys().filter(|name| !listed.contains_key(*name)) {
            changes.push(Change::Removed { plugin: name.clone() });
        }
        self.replace(after);
        changes
    }

    /// Every plugin that serves, by question, in the order in which they are asked by default.
    pub fn list(&self) -> Answer<Vec<PluginInfo>> {
        let mut problems = Problems::default();
        let mut infos = Vec::new();
        let files = self.files();
        for kind in PluginKind::ALL {
            for asked in self.ask(kind, &[]) {
                match &asked.plugin {
                    Ok(plugin) => {
                        let origin = match files.serving.get(&asked.name) {
                            Some(_) => PluginOrigin::File(self.path(&files, &asked.name)),
                            None => PluginOrigin::Standard,
                        };
                        infos.push(info(plugin, origin, files.rejected.get(&asked.name).cloned()));
                    }
                    Err(error) => problems.add(&asked, error),
                }
            }
        }
        problems
            .0
            .extend(self.rejected().into_iter().map(|rejected| rejected.problem));
        Answer {
            value: infos,
            problems: problems.0,
        }
    }

    /// The files of the plugin directory that are refused as they are now.
    pub fn rejected(&self) -> Vec<RejectedFile> {
        let files = self.files();
        let unreadable = files.unreadable.clone().map(|problem| RejectedFile {
            path: self.0.folder.clone().unwrap_or_default(),
            problem,
            still_serving: true,
        });
        unreadable
            .into_iter()
            .chain(files.rejected.values().cloned())
            .collect()
    }

    /// Makes every check on a file, without taking it into service.
    pub fn inspect(&self, path: &Path) -> Result<PluginInfo, PluginError> {
        let name = path
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned())
            .unwrap_or_default();
        let wasm = fs_err::read(path).map_err(PluginError::Read)?;
        let plugin = Plugin::from_wasm(self.runtime()?, &name, &wasm)?;
        Ok(info(&plugin, PluginOrigin::File(path.to_owned()), None))
    }

    /// Hands every plugin of an Application its settings; what is refused comes back. For when a spec changes.
    pub fn check(&self, policies: &Policies) -> Vec<PluginProblem> {
        let mut problems = Problems::default();
        let asked = [
            (PluginKind::Health, &policies.health),
            (PluginKind::Prune, &policies.prune),
            (PluginKind::Sync, &policies.sync),
        ];
        for (kind, policies) in asked {
            for asked in self.ask(kind, policies) {
                let checked = match (&asked.plugin, self.runtime()) {
                    (Ok(plugin), Ok(runtime)) => plugin.check_settings(runtime, &asked),
                    (Err(error), _) => Err(error.again()),
                    (Ok(_), Err(error)) => Err(error),
                };
                if let Err(error) = checked {
                    problems.add(&asked, &error);
                }
            }
        }
        problems.0
    }

    /// `name@sha256:…` of every plugin that an Application asks, sorted: what a plan says it was decided by. A plugin that is
    /// not there is `name@missing`.
    pub fn digests(&self, policies: &Policies) -> Vec<String> {
        let health = self.ask_digests(PluginKind::Health, &policies.health);
        let prune = self.ask_digests(PluginKind::Prune, &policies.prune);
        let sync = self.ask_digests(PluginKind::Sync, &policies.sync);
        let mut digests: Vec<String> = health.into_iter().chain(prune).chain(sync).collect();
        digests.sort_unstable();
        digests.dedup();
        digests
    }

    /// True where an answer about an unchanged object may differ later, because one of the plugins looks at the clock.
    pub fn health_uses_time(&self, policies: &[PolicyRef]) -> bool {
        self.ask(PluginKind::Health, policies)
            .iter()
            .any(|asked| match &asked.plugin {
                Ok(plugin) => plugin.uses_time,
                Err(_) => true,
            })
    }

    /// Whether each object does its work, as the cluster has it. An empty list of policies asks the default ones.
    pub fn health(
        &self,
        policies: &[PolicyRef],
        objects: &[Object],
        now: jiff::Timestamp,
    ) -> Answer<Vec<HealthVerdict>> {
        self.answer(PluginKind::Health, policies, |runtime, asked, problems| {
            crate::health::health(runtime, asked, objects, now.as_second(), problems)
        })
        .unwrap_or_else(|problem| {
            use sluice_model::health::HealthStatus;
            let verdict = HealthVerdict {
                status: HealthStatus::Unknown,
                message: problem.one_line(),
                plugin: None,
            };
            Answer {
                value: vec![verdict; objects.len()],
                problems: vec![problem],
            }
        })
    }

    /// Whether each candidate may be deleted. All candidates of a plan belong into one call.
    pub fn prune(
        &self,
        policies: &[PolicyRef],
        candidates: &[PruneCandidate],
        context: &PruneContext,
    ) -> Answer<Vec<PruneDecision>> {
        self.answer(PluginKind::Prune, policies, |runtime, asked, problems| {
            crate::prune::prune(runtime, asked, candidates, context, problems)
        })
        .unwrap_or_else(|problem| {
            use sluice_model::decision::PruneVerdict;
            let verdict = PruneVerdict::Keep {
                reason: problem.one_line(),
            };
            Answer {
                value: vec![
                    PruneDecision {
                        verdict,
                        decided_by: None
                    };
                    candidates.len()
                ],
                problems: vec![problem],
            }
        })
    }

    /// How each object is applied.
    pub fn sync(
        &self,
        policies: &[PolicyRef],
        objects: &[SyncObject],
        context: &SyncContext,
    ) -> Answer<Vec<SyncDecision>> {
        self.answer(PluginKind::Sync, policies, |runtime, asked, problems| {
            crate::sync::sync(runtime, asked, objects, context, problems)
        })
        .unwrap_or_else(|problem| {
            let decision = SyncDecision {
                hold: Some(problem.one_line()),
                ..SyncDecision::default()
            };
            Answer {
                value: vec![decision; objects.len()],
                problems: vec![problem],
            }
        })
    }

    /// Runs one question. Fails only where there is no engine.
    fn answer<T>(
        &self,
        kind: PluginKind,
        policies: &[PolicyRef],
        question: impl FnOnce(&Runtime, &[Asked], &mut Problems) -> T,
    ) -> Result<Answer<T>, PluginProblem> {
        let runtime = self.runtime().map_err(|error| problem("", "", &error))?;
        let asked = self.ask(kind, policies);
        let mut problems = Problems::default();
        let value = question(runtime, &asked, &mut problems);
        Ok(Answer {
            value,
            problems: problems.0,
        })
    }

    fn runtime(&self) -> Result<&Runtime, PluginError> {
        self.0
            .runtime
            .get_or_init(Runtime::new)
            .as_ref()
            .map_err(PluginError::again)
    }

    fn files(&self) -> Arc<Files> {
        Arc::clone(&self.0.files.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn replace(&self, files: Files) {
        *self.0.files.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(files);
    }

    fn path(&self, files: &Files, name: &str) -> PathBuf {
        files
            .seen
            .get(name)
            .map(|seen| seen.path.clone())
            .unwrap_or_default()
    }

    /// Every check on a file of the directory. An unchanged digest gives the plugin that serves already.
    fn load_file(
        &self,
        name: &str,
        path: &Path,
        serving: Option<&Arc<Plugin>>,
    ) -> Result<Arc<Plugin>, (String, PluginError)> {
        let wasm = fs_err::read(path).map_err(|error| (String::new(), PluginError::Read(error)))?;
        let digest = load::digest(&wasm);
        if let Some(serving) = serving.filter(|serving| serving.digest == digest) {
            return Ok(Arc::clone(serving));
        }
        let checked = self
            .runtime()
            .and_then(|runtime| Plugin::from_wasm(runtime, name, &wasm))
            .and_then(
                |plugin| match Standard::index(name).and_then(|index| standard::ALL.get(index)) {
                    Some(standard) if standard.kind != plugin.kind() => Err(PluginError::WorldMismatch {
                        reason: format!(
                            "it is of the world `{}`, and the standard plugin of its name of `{}`",
                            plugin.kind().world(),
                            standard.kind.world()
                        ),
                    }),
                    Some(_) | None => Ok(plugin),
                },
            );
        checked.map(Arc::new).map_err(|error| (digest, error))
    }

    /// The plugins to ask: those that are named, or the standard ones and then those of the directory.
    fn ask(&self, kind: PluginKind, policies: &[PolicyRef]) -> Vec<Asked> {
        let files = self.files();
        if policies.is_empty() {
            return self
                .default_names(kind, &files)
                .into_iter()
                .map(|name| self.asked(kind, &files, name, "{}".to_owned()))
                .collect();
        }
        policies
            .iter()
            .map(|policy| {
                self.asked(
                    kind,
                    &files,
                    policy.plugin.clone(),
                    Value::Object(Map::clone(&policy.settings)).to_string(),
                )
            })
            .collect()
    }

    fn default_names(&self, kind: PluginKind, files: &Files) -> Vec<String> {
        let standard = standard::ALL
            .iter()
            .filter(|standard| standard.kind == kind)
            .map(|standard| standard.name.to_owned());
        let added = files
            .serving
            .iter()
            .filter(|(name, plugin)| plugin.kind() == kind && Standard::index(name).is_none())
            .map(|(name, _)| name.clone());
        standard.chain(added).collect()
    }

    /// Finds one plugin by `name` or `name@sha256:…`.
    fn asked(&self, kind: PluginKind, files: &Files, wanted: String, settings: String) -> Asked {
        let (name, pinned) = match wanted.split_once('@') {
            Some((name, pinned)) => (name.to_owned(), Some(pinned.to_owned())),
            None => (wanted, None),
        };
        let plugin = self.find(kind, files, &name).and_then(|plugin| match pinned {
            Some(pinned) if pinned != plugin.digest => Err(PluginError::Digest {
                pinned,
                found: plugin.digest.clone(),
            }),
            Some(_) | None => Ok(plugin),
        });
        Asked {
            name,
            settings,
            plugin,
        }
    }

    fn find(&self, kind: PluginKind, files: &Files, name: &str) -> Result<Arc<Plugin>, PluginError> {
        if let Some(plugin) = files.serving.get(name) {
            return match plugin.kind() == kind {
                true => Ok(Arc::clone(plugin)),
                false => Err(PluginError::NotFound { kind: kind.world() }),
            };
        }
        let standard = Standard::index(name)
            .and_then(|index| Some((standard::ALL.get(index)?, self.0.standard.get(index)?)));
        match standard {
            Some((standard, cell)) if standard.kind == kind => {
                let loaded = cell.get_or_init(|| standard.load(self.runtime()?).map(Arc::new));
                loaded.as_ref().map(Arc::clone).map_err(PluginError::again)
            }
            Some(_) | None => match files.rejected.get(name) {
                // Named, and its file was refused: that is the reason.
                Some(rejected) => Err(PluginError::Repeated {
                    code: rejected.problem.code,
                    message: rejected.problem.message.clone(),
                }),
                None => Err(PluginError::NotFound { kind: kind.world() }),
            },
        }
    }

    fn ask_digests(&self, kind: PluginKind, policies: &[PolicyRef]) -> Vec<String> {
        let files = self.files();
        let names: Vec<String> = match policies.is_empty() {
            true => self.default_names(kind, &files),
            false => policies
                .iter()
                .map(|policy| policy.plugin.split('@').next().unwrap_or_default().to_owned())
                .collect(),
        };
        let digest = |name: &str| match (
            files.serving.get(name),
            Standard::index(name).and_then(|index| standard::ALL.get(index)),
        ) {
            (Some(plugin), _) => plugin.digest.clone(),
            (None, Some(standard)) => standard.digest.to_owned(),
            (None, None) => "missing".to_owned(),
        };
        names
            .iter()
            .map(|name| format!("{name}@{}", digest(name)))
            .collect()
    }
}

/// One plugin of one question, or why it cannot be asked.
pub(crate) struct Asked {
    pub(crate) name: String,
    /// JSON.
    pub(crate) settings: String,
    pub(crate) plugin: Result<Arc<Plugin>, PluginError>,
}

impl Asked {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

/// Each failure once, however many objects it was about.
#[derive(Default)]
pub(crate) struct Problems(Vec<PluginProblem>);

impl Problems {
    pub(crate) fn add(&mut self, asked: &Asked, error: &PluginError) {
        let digest = asked.plugin.as_ref().map_or("", |plugin| plugin.digest.as_str());
        let new = problem(&asked.name, digest, error);
        if !self
            .0
            .iter()
            .any(|old| old.code == new.code && old.plugin == new.plugin)
        {
            self.0.push(new);
        }
    }
}

fn problem(plugin: &str, digest: &str, error: &PluginError) -> PluginProblem {
    PluginProblem {
        code: error.code(),
        plugin: plugin.to_owned(),
        digest: digest.to_owned(),
        message: error.message(),
    }
}

fn info(plugin: &Plugin, origin: PluginOrigin, rejected: Option<RejectedFile>) -> PluginInfo {
    PluginInfo {
        name: plugin.name.clone(),
        world: plugin.kind(),
        origin,
        digest: plugin.digest.clone(),
        bytes: plugin.bytes,
        summary: plugin.summary.clone(),
        claims: plugin.claims.clone(),
        settings_schema: plugin.settings_schema.clone(),
        uses_time: plugin.uses_time,
        imports: plugin.imports.clone(),
        rejected,
    }
}

/// A configured instance of a plugin of any world: `Result<(Slotted, world), PluginError>`. The worlds' types differ, their
/// shape does not.
macro_rules! started {
    ($runtime:expr, $asked:expr, $pre:expr) => {
        (|| {
            let mut slotted = $runtime.store(&$asked.name)?;
            let time = slotted.allow(0);
            let world = $pre
                .instantiate(&mut slotted.store)
                .map_err(|error| slotted.explain("start", time, &error))?;
            let configured = world
                .sluice_policy_plugin()
                .call_configure(&mut slotted.store, &$asked.settings);
            match configured.map_err(|error| slotted.explain("configure", time, &error))? {
                Ok(()) => Ok((slotted, world)),
                Err(problems) => {
                    let texts: Vec<String> = problems
                        .iter()
                        .map(|problem| format!("{}: {}", problem.pointer, problem.message))
                        .collect();
                    let reason = $crate::state::one_line(&texts.join("; "));
                    Err($crate::codes::PluginError::Settings { reason })
                }
            }
        })()
    };
}
pub(crate) use started;
