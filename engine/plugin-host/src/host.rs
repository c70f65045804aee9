//! [`PluginHost`]: the plugins there are. Its questions are each in the file of their world.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sluice_model::Object;
use sluice_model::application::{Policies, PolicyRef};
use sluice_plugin_aot::Compiler;

use crate::answer::{Answer, PluginProblem, Problems};
use crate::change::{Change, RejectedFile};
use crate::codes::PluginError;
use crate::info::{Inspected, PluginInfo, PluginOrigin, RendererInfo};
use crate::load::Plugin;
use crate::renderers::{AddedRenderer, Version, Workshop, is_renderer};
use crate::run::{LazyRuntime, Runtime};
use crate::scripts::{HEALTH_LUA, ScriptFolder};
use crate::session::Asked;
use crate::sources::{self, Snapshot, Sources};
use crate::state::one_line;
use crate::worlds::{PluginKind, World};

/// Asks plugins. Cheap to clone; usable from any thread; calls block.
///
/// Plugins are loaded when they are needed first: a host that is asked for health alone loads no other policy.
#[derive(Clone)]
pub struct PluginHost(Arc<Inner>);

struct Inner {
    runtime: Arc<LazyRuntime>,
    workshop: Arc<Workshop>,
    sources: Sources,
    scripts: Option<ScriptFolder>,
}

impl PluginHost {
    /// The standard plugins, and those of a folder beside or instead of them. Files that are refused are in
    /// [`PluginHost::rejected`]; [`PluginHost::rescan`] takes up changes.
    pub fn new(folder: Option<PathBuf>, compiler: Compiler) -> Self {
        Self::with_lua_scripts(folder, None, compiler)
    }

    /// As [`PluginHost::new`], and health by the scripts of a folder: `GROUP/KIND/health.lua`, as Argo CD has them. What is wrong with
    /// them is in [`PluginHost::rejected_scripts`].
    pub fn with_lua_scripts(folder: Option<PathBuf>, scripts: Option<PathBuf>, compiler: Compiler) -> Self {
        let runtime = Arc::new(LazyRuntime::new(compiler.clone()));
        let workshop = Arc::new(Workshop::new(compiler));
        let sources = Sources::new(folder, &runtime, &workshop);
        let scripts = scripts.map(ScriptFolder::new);
        let host = Self(Arc::new(Inner {
            runtime,
            workshop,
            sources,
            scripts,
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

    /// Looks again at where plugins come from; costs a `stat` for each file that was not touched. A new version serves as soon as it
    /// has passed every check; where it does not pass, the old one goes on.
    pub fn rescan(&self) -> Vec<Change> {
        let mut changes = self.0.sources.refresh();
        if let Some(scripts) = &self.0.scripts {
            changes.extend(scripts.refresh(&|settings| self.unparsed(settings)));
        }
        changes
    }

    /// What is wrong with some scripts, in the words of the plugin that is to run them.
    fn unparsed(&self, settings: serde_json::Map<String, serde_json::Value>) -> Option<String> {
        let asked = Asked {
            name: HEALTH_LUA.to_owned(),
            settings,
            plugin: self.0.sources.snapshot().find(PluginKind::Health, HEALTH_LUA),
            scripts: None,
        };
        let runtime = self.0.runtime.get();
        match runtime.and_then(|runtime| PluginKind::Health.definition().check(runtime, &asked)) {
            Err(PluginError::Settings { problems }) => {
                let reason = one_line(&problems.join("; "));
                // Without the place within the settings: the message names the script.
                let message = reason.split_once("`: ").map(|(_, message)| message.to_owned());
                Some(message.unwrap_or(reason))
            }
            // Whatever else is wrong is wrong with the plugin, and said when it is asked.
            Ok(()) | Err(_) => None,
        }
    }

    /// What plugins run in.
    pub(crate) fn runtime(&self) -> Result<&Runtime, PluginError> {
        self.0.runtime.get()
    }

    /// The Lua scripts that do not parse, or their folder if it cannot be read.
    pub fn rejected_scripts(&self) -> Vec<RejectedFile> {
        let scripts = self.0.scripts.as_ref();
        scripts.map(ScriptFolder::rejected).unwrap_or_default()
    }

    /// Every plugin that serves, by question, in the order in which they are asked; also those that are asked only by name.
    pub fn list(&self) -> Answer<Vec<PluginInfo>> {
        let mut problems = Problems::default();
        let mut infos = Vec::new();
        let snapshot = self.0.sources.snapshot();
        for kind in PluginKind::ALL {
            let by_default = self.default_names(&snapshot, kind);
            for name in snapshot.names(kind) {
                match snapshot.find(kind, &name) {
                    Ok(plugin) => infos.push(snapshot.info(&name, &plugin, by_default.contains(&name))),
                    Err(error) => drop(problems.add(&name, "", &error)),
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
        let scripts = self.rejected_scripts();
        self.0.sources.snapshot().rejected().chain(scripts).collect()
    }

    /// Makes every check on a file, without taking it into service.
    pub fn inspect(&self, path: &Path) -> Result<Inspected, PluginError> {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let wasm = sources::read_file(path)?;
        if is_renderer(&wasm) {
            let version = Version::of(&self.0.workshop, &name, path.to_owned(), &wasm)?;
            return Ok(Inspected::Renderer(Box::new(version.inspect()?)));
        }
        let plugin = Plugin::from_wasm(self.0.runtime.get()?, &name, &wasm)?;
        let by_default = !self.0.sources.snapshot().is_by_name_only(&name);
        let info = plugin.info(PluginOrigin::File(path.to_owned()), by_default, None);
        Ok(Inspected::Policy(Box::new(info)))
    }

    /// Finds a renderer of the plugin directory: `name` or `name@sha256:…`. What is asked of what comes back is asked of one version,
    /// whatever becomes of the file. Compiles nothing.
    ///
    /// # Errors
    /// If there is none of that name, its file was refused, or it has another digest than the pinned one.
    pub fn renderer(&self, written: &str) -> Result<AddedRenderer, PluginError> {
        let (name, pinned) = split(written);
        let renderer = self.0.sources.snapshot().renderer(name)?;
        agrees(pinned, renderer.digest())?;
        Ok(renderer)
    }

    /// Every renderer of the plugin directory. Compiles nothing.
    pub fn renderers(&self) -> Vec<RendererInfo> {
        self.0.sources.snapshot().renderers()
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
                true => self.default_names(&snapshot, kind),
                false => policies
                    .iter()
                    .map(|policy| split(&policy.plugin).0.to_owned())
                    .collect(),
            };
            let digest = |name: String| {
                let digest = snapshot.digest(&name);
                format!("{name}@{}", digest.as_deref().unwrap_or("missing"))
            };
            digests.extend(names.into_iter().map(digest));
        }
        if let Some(scripts) = &self.0.scripts {
            let scripts = scripts.scripts();
            let digest = scripts.as_ref().map_or("missing", |scripts| scripts.digest());
            digests.push(format!("lua-scripts@{digest}"));
        }
        digests.sort_unstable();
        digests.dedup();
        digests
    }

    /// True if an answer about one of these objects may differ later though the object does not, because a plugin that may be asked
    /// looks at the clock. Of scripts only those count that are for the kind of one.
    pub fn health_uses_time<'a>(
        &self,
        policies: &[PolicyRef],
        objects: impl IntoIterator<Item = &'a Object>,
    ) -> bool {
        let asked = self.ask(PluginKind::Health, policies);
        let scripts = asked.iter().find_map(|asked| asked.scripts.as_deref());
        let plugins = asked.iter().filter(|asked| asked.scripts.is_none());
        plugins.into_iter().any(Asked::uses_time)
            || scripts.is_some_and(|scripts| scripts.look_at_clock(objects))
    }

    /// As [`Self::health_uses_time`], for what the sync and prune policies decide.
    pub fn decisions_use_time(&self, policies: &Policies) -> bool {
        let uses_time = |kind, policies| self.ask(kind, policies).iter().any(Asked::uses_time);
        uses_time(PluginKind::Sync, &policies.sync) || uses_time(PluginKind::Prune, &policies.prune)
    }

    /// Asks the plugins of a world. Where nothing can be run on this machine, `cautious` is the answer, for this reason.
    pub(crate) fn answer<W: World, T>(
        &self,
        policies: &[PolicyRef],
        question: impl FnOnce(&Runtime, Vec<Asked>, &mut Problems) -> T,
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
        let value = question(runtime, asked, &mut problems);
        Answer {
            value,
            problems: problems.0,
        }
    }

    /// The plugins to ask: those that are named, or the standard ones and then those that were added.
    pub(crate) fn ask(&self, kind: PluginKind, policies: &[PolicyRef]) -> Vec<Asked> {
        let snapshot = self.0.sources.snapshot();
        if policies.is_empty() {
            let ask = |name: String| {
                let plugin = snapshot.find(kind, &name);
                self.asked(name, serde_json::Map::new(), plugin)
            };
            return self.default_names(&snapshot, kind).into_iter().map(ask).collect();
        }
        policies
            .iter()
            .map(|policy| {
                let (name, pinned) = split(&policy.plugin);
                let plugin = snapshot.find(kind, name);
                let plugin = plugin.and_then(|plugin| agrees(pinned, &plugin.digest).map(|()| plugin));
                self.asked(name.to_owned(), policy.settings.clone(), plugin)
            })
            .collect()
    }

    /// The plugins that are asked if none are named. The one for scripts is, if there are any.
    fn default_names(&self, snapshot: &Snapshot, kind: PluginKind) -> Vec<String> {
        let mut names = snapshot.default_names(kind);
        if kind == PluginKind::Health && self.0.scripts.is_some() {
            names.push(HEALTH_LUA.to_owned());
        }
        names
    }

    /// A plugin with its settings. The one for scripts has those of the folder, unless the Application brings its own.
    fn asked(
        &self,
        name: String,
        settings: serde_json::Map<String, serde_json::Value>,
        plugin: Result<Arc<Plugin>, PluginError>,
    ) -> Asked {
        let folder = self.0.scripts.as_ref();
        let folder = folder.filter(|_| name == HEALTH_LUA && !settings.contains_key("scripts"));
        let (plugin, scripts) = match (plugin, folder.map(ScriptFolder::scripts)) {
            (Ok(plugin), Some(Ok(scripts))) => (Ok(plugin), Some(scripts)),
            // Which objects the scripts are for is not known: none is judged without them.
            (_, Some(Err(error))) => (Err(error), None),
            (plugin, _) => (plugin, None),
        };
        Asked {
            name,
            settings,
            plugin,
            scripts,
        }
    }
}

/// `name` or `name@sha256:…`.
fn split(written: &str) -> (&str, Option<&str>) {
    match written.split_once('@') {
        Some((name, pinned)) => (name, Some(pinned)),
        None => (written, None),
    }
}

/// That a digest is the pinned one, if one is pinned.
fn agrees(pinned: Option<&str>, found: &str) -> Result<(), PluginError> {
    match pinned {
        Some(pinned) if pinned != found => Err(PluginError::Digest {
            pinned: pinned.to_owned(),
            found: found.to_owned(),
        }),
        Some(_) | None => Ok(()),
    }
}
