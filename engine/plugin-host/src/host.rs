//! [`PluginHost`]: the plugins there are. Its questions are each in the file of their world.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sluice_model::application::{Policies, PolicyRef};
use sluice_plugin_aot::Compiler;

use crate::answer::{Answer, PluginProblem, Problems};
use crate::codes::PluginError;
use crate::info::{Change, PluginInfo, PluginOrigin, RejectedFile};
use crate::load::Plugin;
use crate::run::{LazyRuntime, Runtime};
use crate::session::Asked;
use crate::sources::{self, Sources};
use crate::worlds::{PluginKind, World};

/// Asks plugins. Cheap to clone; usable from any thread; calls block.
///
/// Plugins are loaded when they are needed first: a host that is asked for health alone loads no other policy.
#[derive(Clone)]
pub struct PluginHost(Arc<Inner>);

struct Inner {
    runtime: Arc<LazyRuntime>,
    sources: Sources,
}

impl PluginHost {
    /// The standard plugins, and those of a folder beside or instead of them. Files that are refused are in
    /// [`PluginHost::rejected`]; [`PluginHost::rescan`] takes up changes.
    pub fn new(folder: Option<PathBuf>, compiler: Compiler) -> Self {
        let runtime = Arc::new(LazyRuntime::new(compiler));
        let sources = Sources::new(folder, &runtime);
        let host = Self(Arc::new(Inner { runtime, sources }));
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

    /// Looks again at where plugins come from; costs a `stat` for each file that was not touched. A new version serves as soon as it
    /// has passed every check; where it does not pass, the old one goes on.
    pub fn rescan(&self) -> Vec<Change> {
        self.0.sources.refresh()
    }

    /// Every plugin that serves, by question, in the order in which they are asked by default.
    pub fn list(&self) -> Answer<Vec<PluginInfo>> {
        let mut problems = Problems::default();
        let mut infos = Vec::new();
        let snapshot = self.0.sources.snapshot();
        for kind in PluginKind::ALL {
            for asked in self.ask(kind, &[]) {
                match &asked.plugin {
                    Ok(plugin) => infos.push(snapshot.info(&asked.name, plugin)),
                    Err(error) => drop(problems.add(&asked.name, asked.digest(), error)),
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
        self.0.sources.snapshot().rejected().collect()
    }

    /// Makes every check on a file, without taking it into service.
    pub fn inspect(&self, path: &Path) -> Result<PluginInfo, PluginError> {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let wasm = sources::read_file(path)?;
        let plugin = Plugin::from_wasm(self.0.runtime.get()?, &name, &wasm)?;
        Ok(plugin.info(PluginOrigin::File(path.to_owned()), None))
    }

    /// Hands every plugin of an Application its settings; what is refused comes back. For when a spec changes.
    pub fn check(&self, policies: &Policies) -> Vec<PluginProblem> {
        let mut problems = Problems::default();
        for kind in PluginKind::ALL {
            let world = kind.definition();
            for asked in self.ask(kind, world.policies(policies)) {
                let runtime = self.0.runtime.get();
                if let Err(error) = runtime.and_then(|runtime| world.check(runtime, &asked)) {
                    problems.add(&asked.name, asked.digest(), &error);
                }
            }
        }
        problems.0
    }

    /// `name@sha256:…` of every plugin that an Application asks, sorted: what a plan says it was decided by. A plugin that is
    /// not there is `name@missing`.
    pub fn digests(&self, policies: &Policies) -> Vec<String> {
        let snapshot = self.0.sources.snapshot();
        let mut digests = Vec::new();
        for kind in PluginKind::ALL {
            let policies = kind.definition().policies(policies);
            let names = match policies.is_empty() {
                true => snapshot.default_names(kind),
                false => policies
                    .iter()
                    .map(|policy| name_and_pin(policy).0.to_owned())
                    .collect(),
            };
            let digest = |name: String| {
                let digest = snapshot.digest(&name);
                format!("{name}@{}", digest.as_deref().unwrap_or("missing"))
            };
            digests.extend(names.into_iter().map(digest));
        }
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

    /// Asks the plugins of a world. Where nothing can be run on this machine, `cautious` is the answer, for this reason.
    pub(crate) fn answer<W: World, T>(
        &self,
        policies: &[PolicyRef],
        question: impl FnOnce(&Runtime, &[Asked], &mut Problems) -> T,
        cautious: impl FnOnce(String) -> T,
    ) -> Answer<T> {
        let runtime = match self.0.runtime.get() {
            Ok(runtime) => runtime,
            Err(error) => {
                let problem = PluginProblem::new("", "", &error);
                return Answer {
                    value: cautious(problem.one_line()),
                    problems: vec![problem],
                };
            }
        };
        let asked = self.ask(W::KIND, policies);
        let mut problems = Problems::default();
        let value = question(runtime, &asked, &mut problems);
        Answer {
            value,
            problems: problems.0,
        }
    }

    /// The plugins to ask: those that are named, or the standard ones and then those that were added.
    fn ask(&self, kind: PluginKind, policies: &[PolicyRef]) -> Vec<Asked> {
        let snapshot = self.0.sources.snapshot();
        if policies.is_empty() {
            let ask = |name: String| Asked {
                plugin: snapshot.find(kind, &name),
                settings: serde_json::Map::new(),
                name,
            };
            return snapshot.default_names(kind).into_iter().map(ask).collect();
        }
        policies
            .iter()
            .map(|policy| {
                let (name, pinned) = name_and_pin(policy);
                let plugin = snapshot.find(kind, name).and_then(|plugin| match pinned {
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
}

/// `name` or `name@sha256:…`.
fn name_and_pin(policy: &PolicyRef) -> (&str, Option<&str>) {
    match policy.plugin.split_once('@') {
        Some((name, pinned)) => (name, Some(pinned)),
        None => (&policy.plugin, None),
    }
}
