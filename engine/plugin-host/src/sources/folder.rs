//! The plugin directory: what it holds, and taking up what changes in it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::files::{self, Seen};
use super::{Content, Source};
use crate::answer::PluginProblem;
use crate::change::{Change, RejectedFile};
use crate::codes::PluginError;
use crate::digest::digest;
use crate::info::PluginOrigin;
use crate::load::Plugin;
use crate::run::LazyRuntime;
use crate::state::one_line;
use crate::worlds::PluginKind;

/// A folder of plugins.
pub(super) struct Folder {
    path: PathBuf,
    runtime: Arc<LazyRuntime>,
    shelf: RwLock<Arc<Shelf>>,
    /// Held by the one rescan that runs.
    rescanning: Mutex<()>,
}

/// What the folder holds. Replaced as a whole, so that every call sees one state of it.
#[derive(Clone, Default)]
struct Shelf {
    /// Those that passed all checks, in the version that passed last.
    serving: BTreeMap<String, Arc<Plugin>>,
    /// Files that are refused as they are now.
    rejected: BTreeMap<String, RejectedFile>,
    seen: BTreeMap<String, Seen>,
    unreadable: Option<RejectedFile>,
}

impl Content for Shelf {
    fn names(&self, kind: PluginKind) -> Vec<String> {
        let of_kind = self.serving.iter().filter(|(_, plugin)| plugin.kind == kind);
        of_kind.map(|(name, _)| name.clone()).collect()
    }

    fn kind_of(&self, name: &str) -> Option<PluginKind> {
        self.serving.get(name).map(|plugin| plugin.kind)
    }

    fn plugin(&self, name: &str) -> Option<Result<Arc<Plugin>, PluginError>> {
        self.serving.get(name).map(|plugin| Ok(Arc::clone(plugin)))
    }

    fn digest(&self, name: &str) -> Option<String> {
        self.serving.get(name).map(|plugin| plugin.digest.clone())
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
type Loaded = Result<Arc<Plugin>, PluginProblem>;

impl Folder {
    pub(super) fn new(path: PathBuf, runtime: Arc<LazyRuntime>) -> Self {
        Self {
            path,
            runtime,
            shelf: RwLock::default(),
            rescanning: Mutex::default(),
        }
    }

    /// What it holds, as of the last rescan.
    fn shelf(&self) -> Arc<Shelf> {
        Arc::clone(&self.shelf.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Every check on a file. An unchanged digest gives the plugin that serves already.
    fn load(
        &self,
        name: &str,
        seen: &Seen,
        serving: Option<&Arc<Plugin>>,
        replaced: Option<PluginKind>,
    ) -> Loaded {
        let refused = |digest: &str, error: &PluginError| PluginProblem::new(&one_line(name), digest, error);
        if !files::is_name(name) {
            return Err(refused("", &PluginError::Name));
        }
        let wasm = files::read(&seen.path).map_err(|error| refused("", &error))?;
        let digest = digest(&wasm);
        if let Some(serving) = serving.filter(|serving| serving.digest == digest) {
            return Ok(Arc::clone(serving));
        }
        let plugin = self
            .runtime
            .get()
            .and_then(|runtime| Plugin::from_wasm(runtime, name, &wasm));
        let checked = plugin.and_then(|plugin| match replaced {
            Some(replaced) if replaced != plugin.kind => Err(PluginError::WorldMismatch {
                reason: format!(
                    "it is of the world `{}`, and the standard plugin of its name of `{}`",
                    plugin.kind.world(),
                    replaced.world()
                ),
            }),
            Some(_) | None => Ok(Arc::new(plugin)),
        });
        checked.map_err(|error| refused(&digest, &error))
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
            Ok(listed) if listed == before.seen && before.unreadable.is_none() => return Vec::new(),
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

impl Shelf {
    /// The state after this one, where the folder has these files now.
    fn updated(
        &self,
        listed: BTreeMap<String, Seen>,
        replaced: &dyn Fn(&str) -> Option<PluginKind>,
        load: impl Fn(&str, &Seen, Option<&Arc<Plugin>>) -> Loaded,
    ) -> (Self, Vec<Change>) {
        let mut after = Self::default();
        let mut changes = Vec::new();
        for (name, seen) in &listed {
            let (serving, rejected) = (self.serving.get(name), self.rejected.get(name));
            let (serving, rejected) = if self.seen.get(name) == Some(seen) {
                (serving.cloned(), rejected.cloned())
            } else {
                match load(name, seen, serving) {
                    Ok(plugin) => {
                        if serving.is_none_or(|before| before.digest != plugin.digest) {
                            changes.push(Change::Serving {
                                plugin: name.clone(),
                                digest: plugin.digest.clone(),
                            });
                        }
                        (Some(plugin), None)
                    }
                    Err(problem) => {
                        let rejected = RejectedFile {
                            path: seen.path.clone(),
                            problem,
                            still_serving: serving.is_some() || replaced(name).is_some(),
                        };
                        changes.push(Change::Rejected(rejected.clone()));
                        (serving.cloned(), Some(rejected))
                    }
                }
            };
            after.serving.extend(serving.map(|plugin| (name.clone(), plugin)));
            after
                .rejected
                .extend(rejected.map(|rejected| (name.clone(), rejected)));
        }
        let gone = self.serving.keys().filter(|name| !listed.contains_key(*name));
        changes.extend(gone.map(|name| Change::Removed { plugin: name.clone() }));
        after.seen = listed;
        (after, changes)
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
