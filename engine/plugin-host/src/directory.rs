//! The plugin directory: what it holds, and taking up what changes in it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::answer::PluginProblem;
use crate::codes::PluginError;
use crate::files::{self, Seen};
use crate::info::{Change, RejectedFile};
use crate::load::{self, Plugin};
use crate::run::Runtime;
use crate::standard::Standard;
use crate::state::one_line;

/// A folder of plugins. Without a folder it is empty for ever.
pub(crate) struct Directory {
    folder: Option<PathBuf>,
    content: RwLock<Arc<Content>>,
    /// Held by the one rescan that runs.
    rescanning: Mutex<()>,
}

/// What the folder holds. Replaced as a whole, so that every call sees one state of it.
#[derive(Clone, Default)]
pub(crate) struct Content {
    /// Those that passed all checks, in the version that passed last.
    pub(crate) serving: BTreeMap<String, Arc<Plugin>>,
    /// Files that are refused as they are now.
    pub(crate) rejected: BTreeMap<String, RejectedFile>,
    seen: BTreeMap<String, Seen>,
    unreadable: Option<RejectedFile>,
}

impl Content {
    /// Where a plugin's file is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        let seen = self.seen.get(name);
        seen.map(|seen| seen.path.clone()).unwrap_or_default()
    }

    /// Everything that is refused, the folder itself included.
    pub(crate) fn all_rejected(&self) -> impl Iterator<Item = &RejectedFile> {
        self.unreadable.iter().chain(self.rejected.values())
    }
}

/// What is made of one file.
type Loaded = Result<Arc<Plugin>, PluginProblem>;

impl Directory {
    pub(crate) fn new(folder: Option<PathBuf>) -> Self {
        Self {
            folder,
            content: RwLock::default(),
            rescanning: Mutex::default(),
        }
    }

    /// What it holds, as of the last rescan.
    pub(crate) fn content(&self) -> Arc<Content> {
        Arc::clone(&self.content.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks at the folder again. A new version serves as soon as it has passed every check; where it does not pass, the old one
    /// goes on.
    pub(crate) fn rescan<'r>(&self, runtime: impl Fn() -> Result<&'r Runtime, PluginError>) -> Vec<Change> {
        let Some(folder) = &self.folder else {
            return Vec::new();
        };
        let _one_at_a_time = self.rescanning.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.content();
        let (after, changes) = match files::list(folder) {
            Ok(listed) if listed == before.seen && before.unreadable.is_none() => return Vec::new(),
            Ok(listed) => before.updated(listed, |name, seen, serving| load(name, seen, serving, &runtime)),
            Err(error) => {
                // A folder that cannot be read says nothing about its plugins: they go on.
                let name = folder.display().to_string();
                let rejected = RejectedFile {
                    path: folder.clone(),
                    problem: PluginProblem::new(&name, "", &PluginError::Read(error)),
                    still_serving: true,
                };
                let mut after = Content::clone(&before);
                if after.unreadable.replace(rejected.clone()).as_ref() == Some(&rejected) {
                    return Vec::new();
                }
                (after, vec![Change::Rejected(rejected)])
            }
        };
        *self.content.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(after);
        changes.iter().for_each(tell);
        changes
    }
}

impl Content {
    /// The state after this one, where the folder has these files now.
    fn updated(
        &self,
        listed: BTreeMap<String, Seen>,
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
                            still_serving: serving.is_some() || Standard::named(name).is_some(),
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

/// Every check on a file. An unchanged digest gives the plugin that serves already.
fn load<'r>(
    name: &str,
    seen: &Seen,
    serving: Option<&Arc<Plugin>>,
    runtime: impl Fn() -> Result<&'r Runtime, PluginError>,
) -> Loaded {
    let refused = |digest: &str, error: &PluginError| PluginProblem::new(&one_line(name), digest, error);
    if !files::is_name(name) {
        return Err(refused("", &PluginError::Name));
    }
    let wasm = files::read(&seen.path).map_err(|error| refused("", &error))?;
    let digest = load::digest(&wasm);
    if let Some(serving) = serving.filter(|serving| serving.digest == digest) {
        return Ok(Arc::clone(serving));
    }
    let plugin = runtime().and_then(|runtime| Plugin::from_wasm(runtime, name, &wasm));
    let checked = plugin.and_then(|plugin| match Standard::named(name) {
        Some((_, standard)) if standard.kind != plugin.kind() => Err(PluginError::WorldMismatch {
            reason: format!(
                "it is of the world `{}`, and the standard plugin of its name of `{}`",
                plugin.kind().world(),
                standard.kind.world()
            ),
        }),
        Some(_) | None => Ok(Arc::new(plugin)),
    });
    checked.map_err(|error| refused(&digest, &error))
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
