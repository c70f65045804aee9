//! [`PluginHost`]: the plugins there are, and the three questions.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use sluice_model::Object;
use sluice_model::application::{Policies, PolicyRef};
use sluice_model::decision::{Propagation, PruneDecision, PruneVerdict, SyncDecision};
use sluice_model::health::{HealthStatus, HealthVerdict};
use sluice_plugin_aot::Compiler;

use crate::answer::{Answer, PluginProblem, Problems};
use crate::codes::PluginError;
use crate::directory::{Content, Directory};
use crate::files;
use crate::info::{Change, PluginInfo, PluginKind, PluginOrigin, RejectedFile};
use crate::load::Plugin;
use crate::prune::{PruneCandidate, PruneContext};
use crate::run::Runtime;
use crate::session::{Asked, Session};
use crate::standard::{self, Standard};
use crate::sync::{SyncContext, SyncObject};
use crate::world::{HealthCheck, PrunePolicy, SyncPolicy};

/// Asks plugins. Cheap to clone; usable from any thread; calls block.
///
/// Plugins are loaded when they are needed first: a host that is asked for health alone loads no other policy.
#[derive(Clone)]
pub struct PluginHost(Arc<Inner>);

struct Inner {
    compiler: Compiler,
    runtime: OnceLock<Result<Runtime, PluginError>>,
    /// Beside [`standard::ALL`].
    standard: Vec<OnceLock<Result<Arc<Plugin>, PluginError>>>,
    directory: Directory,
}

impl PluginHost {
    /// The standard plugins, and those of a folder beside or instead of them. Files that are refused are in
    /// [`PluginHost::rejected`]; [`PluginHost::rescan`] takes up changes.
    pub fn new(folder: Option<PathBuf>, compiler: Compiler) -> Self {
        let host = Self(Arc::new(Inner {
            compiler,
            runtime: OnceLock::new(),
            standard: standard::ALL.iter().map(|_| OnceLock::new()).collect(),
            directory: Directory::new(folder),
        }));
        host.rescan();
        host
    }

    /// The standard plugins alone.
    pub fn standard() -> Self {
        Self::new(None, Compiler::Here)
    }

    /// The standard plugins and those of a folder, which are compiled in this process ([`Compiler::Here`]).
    pub fn with_directory(folder: impl Into<PathBuf>) -> Self {
        Self::new(Some(folder.into()), Compiler::Here)
    }

    /// Looks at the plugin directory again; costs a `stat` for each file that was not touched. A new version serves as soon as it
    /// has passed every check; where it does not pass, the old one goes on.
    pub fn rescan(&self) -> Vec<Change> {
        self.0.directory.rescan(|| self.runtime())
    }

    /// Every plugin that serves, by question, in the order in which they are asked by default.
    pub fn list(&self) -> Answer<Vec<PluginInfo>> {
        let mut problems = Problems::default();
        let mut infos = Vec::new();
        let files = self.0.directory.content();
        for kind in PluginKind::ALL {
            for asked in self.ask(kind, &[]) {
                match &asked.plugin {
                    Ok(plugin) => {
                        let origin = match files.serving.get(&asked.name) {
                            Some(_) => PluginOrigin::File(files.path(&asked.name)),
                            None => PluginOrigin::Standard,
                        };
                        infos.push(plugin.info(origin, files.rejected.get(&asked.name).cloned()));
                    }
                    Err(error) => drop(problems.add(&asked, error)),
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
        self.0.directory.content().all_rejected().cloned().collect()
    }

    /// Makes every check on a file, without taking it into service.
    pub fn inspect(&self, path: &Path) -> Result<PluginInfo, PluginError> {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let wasm = files::read(path)?;
        let plugin = Plugin::from_wasm(self.runtime()?, &name, &wasm)?;
        Ok(plugin.info(PluginOrigin::File(path.to_owned()), None))
    }

    /// Hands every plugin of an Application its settings; what is refused comes back. For when a spec changes.
    pub fn check(&self, policies: &Policies) -> Vec<PluginProblem> {
        let mut problems = Problems::default();
        for (kind, policies) in [
            (PluginKind::Health, &policies.health),
            (PluginKind::Prune, &policies.prune),
            (PluginKind::Sync, &policies.sync),
        ] {
            for asked in self.ask(kind, policies) {
                let checked = self.runtime().and_then(|runtime| match kind {
                    PluginKind::Health => Session::<HealthCheck>::start(runtime, &asked).map(drop),
                    PluginKind::Prune => Session::<PrunePolicy>::start(runtime, &asked).map(drop),
                    PluginKind::Sync => Session::<SyncPolicy>::start(runtime, &asked).map(drop),
                });
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
        self.uses_time(PluginKind::Health, policies)
    }

    /// As [`Self::health_uses_time`], for what the sync and prune policies decide.
    pub fn decisions_use_time(&self, policies: &Policies) -> bool {
        self.uses_time(PluginKind::Sync, &policies.sync) || self.uses_time(PluginKind::Prune, &policies.prune)
    }

    fn uses_time(&self, kind: PluginKind, policies: &[PolicyRef]) -> bool {
        self.ask(kind, policies).iter().any(|asked| match &asked.plugin {
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
            let decision = PruneDecision {
                verdict: PruneVerdict::Keep {
                    reason: problem.one_line(),
                },
                propagation: Propagation::default(),
                decided_by: None,
            };
            Answer {
                value: vec![decision; candidates.len()],
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
        let runtime = self
            .runtime()
            .map_err(|error| PluginProblem::new("", "", &error))?;
        let asked = self.ask(kind, policies);
        let mut problems = Problems::default();
        let value = question(runtime, &asked, &mut problems);
        Ok(Answer {
            value,
            problems: problems.0,
        })
    }

    fn runtime(&self) -> Result<&Runtime, PluginError> {
        let runtime = self.0.runtime.get_or_init(|| Runtime::new(self.0.compiler));
        runtime.as_ref().map_err(PluginError::again)
    }

    /// The plugins to ask: those that are named, or the standard ones and then those of the directory.
    fn ask(&self, kind: PluginKind, policies: &[PolicyRef]) -> Vec<Asked> {
        let files = self.0.directory.content();
        if policies.is_empty() {
            let ask = |name: String| Asked {
                plugin: self.find(kind, &files, &name),
                settings: serde_json::Map::new(),
                name,
            };
            return default_names(kind, &files).map(ask).collect();
        }
        policies
            .iter()
            .map(|policy| {
                let (name, pinned) = name_and_pin(policy);
                let plugin = self.find(kind, &files, name).and_then(|plugin| match pinned {
                    Some(pinned) if pinned != plugin.digest => Err(PluginError::Digest {
                        pinned: pinned.to_owned(),
                        found: plugin.digest.clone(),
                    }),
                    Some(_) | None => Ok(plugin),
                });
                Asked {
                    name: name.to_owned(),
                    settings: policy.settings.clone(),
                    plugin,
                }
            })
            .collect()
    }

    fn find(&self, kind: PluginKind, files: &Content, name: &str) -> Result<Arc<Plugin>, PluginError> {
        let missing = || PluginError::NotFound { kind: kind.world() };
        if let Some(plugin) = files.serving.get(name) {
            return match plugin.kind() == kind {
                true => Ok(Arc::clone(plugin)),
                false => Err(missing()),
            };
        }
        match Standard::named(name) {
            Some((index, standard)) if standard.kind == kind => {
                let cell = self.0.standard.get(index).ok_or_else(missing)?;
                let loaded = cell.get_or_init(|| standard.load(self.runtime()?).map(Arc::new));
                loaded.as_ref().map(Arc::clone).map_err(PluginError::again)
            }
            Some(_) | None => match files.rejected.get(name) {
                // Named, and its file was refused: that is the reason.
                Some(rejected) => Err(PluginError::Repeated {
                    code: rejected.problem.code,
                    message: rejected.problem.message.clone(),
                }),
                None => Err(missing()),
            },
        }
    }

    fn ask_digests(&self, kind: PluginKind, policies: &[PolicyRef]) -> Vec<String> {
        let files = self.0.directory.content();
        let named = policies.iter().map(|policy| name_and_pin(policy).0.to_owned());
        let names: Vec<String> = match policies.is_empty() {
            true => default_names(kind, &files).collect(),
            false => named.collect(),
        };
        let digest = |name: &str| match (files.serving.get(name), Standard::named(name)) {
            (Some(plugin), _) => plugin.digest.clone(),
            (None, Some((_, standard))) => standard.digest.to_owned(),
            (None, None) => "missing".to_owned(),
        };
        names
            .iter()
            .map(|name| format!("{name}@{}", digest(name)))
            .collect()
    }
}

/// The plugins that are asked where none are named: the standard ones, in their order, and then those of the directory, by name.
fn default_names(kind: PluginKind, files: &Content) -> impl Iterator<Item = String> {
    let standard = standard::ALL
        .iter()
        .filter(move |standard| standard.kind == kind)
        .map(|standard| standard.name.to_owned());
    let added = files
        .serving
        .iter()
        .filter(move |(name, plugin)| plugin.kind() == kind && Standard::named(name).is_none())
        .map(|(name, _)| name.clone());
    standard.chain(added)
}

/// `name` or `name@sha256:…`.
fn name_and_pin(policy: &PolicyRef) -> (&str, Option<&str>) {
    match policy.plugin.split_once('@') {
        Some((name, pinned)) => (name, Some(pinned)),
        None => (&policy.plugin, None),
    }
}
