//! The plugin directory: what it holds, and taking up what changes in it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use sluice_plugin_aot::Optimisation;

use super::files::{self, Seen};
use super::{Content, Source};
use crate::answer::PluginProblem;
use crate::change::{Change, RejectedFile};
use crate::codes::PluginError;
use crate::digest::digest;
use crate::info::{PluginOrigin, RendererInfo};
use crate::load::Plugin;
use crate::renderers::{AddedRenderer, News, Renderers, Version, WORLD, Workshop, is_renderer};
use crate::run::LazyRuntime;
use crate::state::one_line;
use crate::worlds::PluginKind;

/// A folder of plugins.
pub(super) struct Folder {
    path: PathBuf,
    runtime: Arc<LazyRuntime>,
    workshop: Arc<Workshop>,
    shelf: RwLock<Arc<Shelf>>,
    /// Held by the one rescan that runs.
    rescanning: Mutex<()>,
}

/// What the folder holds. Replaced as a whole, so that every call sees one state of it.
#[derive(Clone, Default)]
struct Shelf {
    /// Those that passed all checks, in the version that passed last.
    serving: BTreeMap<String, Served>,
    /// Newer versions of renderers that are being compiled, while the ones that serve go on.
    coming: BTreeMap<String, Arc<Version>>,
    /// Files that are refused as they are now.
    rejected: BTreeMap<String, RejectedFile>,
    seen: BTreeMap<String, Seen>,
    unreadable: Option<RejectedFile>,
}

/// What serves under a name.
#[derive(Clone)]
enum Served {
    Policy(Arc<Plugin>),
    Renderer(Arc<Version>),
}

impl Served {
    fn digest(&self) -> &str {
        match self {
            Self::Policy(plugin) => &plugin.digest,
            Self::Renderer(version) => &version.digest,
        }
    }
}

impl Content for Shelf {
    fn names(&self, kind: PluginKind) -> Vec<String> {
        let of_kind = self.policies().filter(|plugin| plugin.kind == kind);
        of_kind.map(|plugin| plugin.name.clone()).collect()
    }

    fn kind_of(&self, name: &str) -> Option<PluginKind> {
        self.policy(name).map(|plugin| plugin.kind)
    }

    fn plugin(&self, name: &str) -> Option<Result<Arc<Plugin>, PluginError>> {
        self.policy(name).map(|plugin| Ok(Arc::clone(plugin)))
    }

    fn renderer(&self, name: &str) -> Option<AddedRenderer> {
        match self.serving.get(name)? {
            Served::Renderer(version) => Some(AddedRenderer(Arc::clone(version))),
            Served::Policy(_) => None,
        }
    }

    fn renderers(&self) -> Vec<RendererInfo> {
        let renderers = self.serving.iter().filter_map(|(name, served)| match served {
            Served::Renderer(version) => Some(version.info(self.rejected.get(name).cloned())),
            Served::Policy(_) => None,
        });
        renderers.collect()
    }

    fn digest(&self, name: &str) -> Option<String> {
        self.serving.get(name).map(|served| served.digest().to_owned())
    }

    fn origin(&self, name: &str) -> PluginOrigin {
        let seen = self.seen.get(name);
        PluginOrigin::File(seen.map(|seen| seen.path.clone()).unwrap_or_default())
    }

    fn rejected(&self) -> Vec<(String, RejectedFile)> {
        let folder = self
            .unreadable
            .iter()
            .map(|folder| (String::new(), folder.clone()));
        let files = self
            .rejected
            .iter()
            .map(|(name, file)| (name.clone(), file.clone()));
        folder.chain(files).collect()
    }
}

/// What is made of one file.
type Loaded = Result<Served, PluginProblem>;

impl Folder {
    pub(super) fn new(path: PathBuf, runtime: Arc<LazyRuntime>, workshop: Arc<Workshop>) -> Self {
        Self {
            path,
            runtime,
            workshop,
            shelf: RwLock::default(),
            rescanning: Mutex::default(),
        }
    }

    /// What it holds, as of the last rescan.
    fn shelf(&self) -> Arc<Shelf> {
        Arc::clone(&self.shelf.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Every check on a file; of a renderer those that need no compiler. An unchanged digest gives what serves already.
    fn load(
        &self,
        name: &str,
        seen: &Seen,
        serving: Option<&Served>,
        replaced: Option<PluginKind>,
    ) -> Loaded {
        let refused = |digest: &str, error: &PluginError| PluginProblem::new(&one_line(name), digest, error);
        if !files::is_name(name) {
            return Err(refused("", &PluginError::Name));
        }
        let wasm = files::read(&seen.path).map_err(|error| refused("", &error))?;
        let digest = digest(&wasm);
        if let Some(serving) = serving.filter(|serving| serving.digest() == digest) {
            return Ok(serving.clone());
        }
        let is_renderer = is_renderer(&wasm);
        let loaded = match is_renderer {
            true if Renderers::digest(name).is_some() => Err(PluginError::StandardRenderer),
            true => Version::of(&self.workshop, name, seen.path.clone(), &wasm).map(Served::Renderer),
            false => self.policy(name, wasm).map(Served::Policy),
        };
        let checked = loaded.and_then(|served| {
            let world = match &served {
                Served::Policy(plugin) => plugin.kind.world(),
                Served::Renderer(_) => WORLD,
            };
            match replaced.map(PluginKind::world) {
                Some(replaced) if replaced != world => Err(PluginError::WorldMismatch {
                    reason: format!(
                        "it is of the world `{world}`, and the standard plugin of its name of `{replaced}`"
                    ),
                }),
                Some(_) | None => Ok(served),
            }
        });
        checked.map_err(|error| refused(&digest, &error))
    }
}

impl Folder {
    /// Compiles a policy, quickly if that is what the compiler is set to: then what takes its place is being compiled.
    fn policy(&self, name: &str, wasm: Vec<u8>) -> Result<Arc<Plugin>, PluginError> {
        let runtime = self.runtime.get()?;
        let plugin = Plugin::compiled(runtime, name, &wasm, Optimisation::Quick, Arc::default())?;
        let plugin = Arc::new(plugin);
        if let Some(better) = &plugin.better {
            let (runtime, name) = (Arc::clone(&self.runtime), name.to_owned());
            let breaker = Arc::clone(&plugin.breaker);
            better.start(&plugin.name, move || {
                Plugin::compiled(runtime.get()?, &name, &wasm, Optimisation::Full, breaker)
            });
        }
        Ok(plugin)
    }
}

impl Source for Folder {
    fn content(&self) -> Arc<dyn Content> {
        self.shelf()
    }

    /// Costs a `stat` for each file that was not touched. A new version serves as soon as it has passed every check; where it does
    /// not pass, the old one goes on.
    fn refresh(&self, replaced: &dyn Fn(&str) -> Option<PluginKind>) -> Vec<Change> {
        let _one_at_a_time = self.rescanning.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.shelf();
        let (after, changes) = match files::list(&self.path) {
            Ok(listed) if listed == before.seen && before.unreadable.is_none() && !before.has_news() => {
                return Vec::new();
            }
            Ok(listed) => before.updated(listed, replaced, |name, seen, serving| {
                self.load(name, seen, serving, replaced(name))
            }),
            Err(error) => {
                // A folder that cannot be read says nothing about its plugins: they go on.
                let name = self.path.display().to_string();
                let rejected = RejectedFile {
                    path: self.path.clone(),
                    problem: PluginProblem::new(&name, "", &PluginError::Read(error)),
                    still_serving: true,
                };
                let mut after = Shelf::clone(&before);
                if after.unreadable.replace(rejected.clone()).as_ref() == Some(&rejected) {
                    return Vec::new();
                }
                (after, vec![Change::Rejected(rejected)])
            }
        };
        *self.shelf.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(after);
        changes.iter().for_each(tell);
        changes
    }
}

/// What becomes of one name.
#[derive(Default)]
struct Entry {
    serving: Option<Served>,
    coming: Option<Arc<Version>>,
    rejected: Option<RejectedFile>,
    change: Option<Change>,
}

impl Shelf {
    fn policies(&self) -> impl Iterator<Item = &Arc<Plugin>> {
        self.serving.values().filter_map(|served| match served {
            Served::Policy(plugin) => Some(plugin),
            Served::Renderer(_) => None,
        })
    }

    fn policy(&self, name: &str) -> Option<&Arc<Plugin>> {
        match self.serving.get(name)? {
            Served::Policy(plugin) => Some(plugin),
            Served::Renderer(_) => None,
        }
    }

    /// True if a renderer is compiled now, or turned out to be of no use, and that is not known yet; or if a policy is compiled well now.
    fn has_news(&self) -> bool {
        if self.policies().any(|plugin| better(plugin).is_some()) {
            return true;
        }
        let serving = self.serving.values().filter_map(|served| match served {
            Served::Renderer(version) => Some(version),
            Served::Policy(_) => None,
        });
        serving
            .chain(self.coming.values())
            .any(|version| version.has_news())
    }

    /// The state after this one, where the folder has these files now.
    fn updated(
        &self,
        listed: BTreeMap<String, Seen>,
        replaced: &dyn Fn(&str) -> Option<PluginKind>,
        load: impl Fn(&str, &Seen, Option<&Served>) -> Loaded,
    ) -> (Self, Vec<Change>) {
        let mut after = Self::default();
        let mut changes = Vec::new();
        for (name, seen) in &listed {
            let entry = if self.seen.get(name) == Some(seen) {
                self.settled(name, seen)
            } else {
                let loaded = load(name, seen, self.serving.get(name));
                self.replaced(name, seen, loaded, replaced(name).is_some())
            };
            let keep = |name: &String| name.clone();
            after
                .serving
                .extend(entry.serving.map(|served| (keep(name), served)));
            after
                .coming
                .extend(entry.coming.map(|version| (keep(name), version)));
            after
                .rejected
                .extend(entry.rejected.map(|rejected| (keep(name), rejected)));
            changes.extend(entry.change);
        }
        let gone = self.serving.keys().filter(|name| !listed.contains_key(*name));
        changes.extend(gone.map(|name| Change::Removed { plugin: name.clone() }));
        after.seen = listed;
        (after, changes)
    }

    /// What becomes of a name whose file has changed.
    fn replaced(&self, name: &str, seen: &Seen, loaded: Loaded, has_standard: bool) -> Entry {
        let serving = self.serving.get(name);
        match (loaded, serving) {
            // A renderer that is in use goes on until the new one is compiled.
            (Ok(Served::Renderer(new)), Some(Served::Renderer(old)))
                if old.is_ready() && old.digest != new.digest =>
            {
                new.start_awaited();
                Entry {
                    serving: serving.cloned(),
                    coming: Some(new),
                    ..Entry::default()
                }
            }
            (Ok(served), serving) => {
                let is_new = serving.is_none_or(|before| before.digest() != served.digest());
                Entry {
                    change: is_new.then(|| serves(name, served.digest())),
                    serving: Some(served),
                    ..Entry::default()
                }
            }
            (Err(problem), serving) => {
                let rejected = RejectedFile {
                    path: seen.path.clone(),
                    problem,
                    still_serving: serving.is_some() || has_standard,
                };
                Entry {
                    serving: serving.cloned(),
                    change: Some(Change::Rejected(rejected.clone())),
                    rejected: Some(rejected),
                    ..Entry::default()
                }
            }
        }
    }

    /// What becomes of a name whose file is as it was: it may have been compiled meanwhile.
    fn settled(&self, name: &str, seen: &Seen) -> Entry {
        let serving = self.serving.get(name).map(|serving| match serving {
            Served::Policy(plugin) => Served::Policy(Arc::clone(better(plugin).unwrap_or(plugin))),
            Served::Renderer(_) => serving.clone(),
        });
        let unchanged = Entry {
            serving,
            coming: self.coming.get(name).cloned(),
            rejected: self.rejected.get(name).cloned(),
            change: None,
        };
        let (version, is_coming) = match (&unchanged.coming, &unchanged.serving) {
            (Some(version), _) => (Arc::clone(version), true),
            (None, Some(Served::Renderer(version))) => (Arc::clone(version), false),
            (None, _) => return unchanged,
        };
        match version.take_news() {
            None => unchanged,
            Some(News::Ready) => Entry {
                change: Some(serves(name, &version.digest)),
                serving: Some(Served::Renderer(version)),
                coming: None,
                rejected: unchanged.rejected,
            },
            Some(News::Failed(error)) => {
                let rejected = RejectedFile {
                    path: seen.path.clone(),
                    problem: PluginProblem::new(name, &version.digest, &error),
                    still_serving: is_coming,
                };
                Entry {
                    serving: unchanged.serving.filter(|_| is_coming),
                    coming: None,
                    change: Some(Change::Rejected(rejected.clone())),
                    rejected: Some(rejected),
                }
            }
        }
    }
}

/// What takes the place of a policy that was compiled quickly.
fn better(plugin: &Plugin) -> Option<&Arc<Plugin>> {
    plugin.better.as_ref()?.get()
}

fn serves(name: &str, digest: &str) -> Change {
    Change::Serving {
        plugin: name.to_owned(),
        digest: digest.to_owned(),
    }
}

fn tell(change: &Change) {
    match change {
        Change::Serving { plugin, digest } => {
            tracing::info!(plugin, digest, "the plugin serves from now on");
        }
        Change::Removed { plugin } => tracing::info!(plugin, "the plugin's file is gone"),
        Change::Rejected(rejected) => {
            let still_serving = rejected.still_serving;
            tracing::warn!(still_serving, "{}", rejected.problem.one_line());
        }
    }
}
