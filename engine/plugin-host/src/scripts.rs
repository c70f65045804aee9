//! The folder of Lua scripts: Argo CD's own layout, `GROUP/KIND/health.lua`, or `KIND/health.lua` for the core group; `_` stands for any
//! part of a name. A ConfigMap of Argo CD is taken too, mounted there or as a manifest ([`config_map`]).
//!
//! The scripts are settings of the plugin `health-lua`, which is handed those of the kinds that a batch is about. What cannot be
//! read or does not parse changes nothing as long as there is an earlier version. Where there is none, fail closed: without the
//! folder every object is `Unknown`, with a broken script those that it is for.

mod config_map;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde_json::{Map, Value, json};
use sluice_model::selection::fits;
use sluice_model::{GroupKind, Object};

use crate::answer::PluginProblem;
use crate::change::{Change, RejectedFile};
use crate::codes::PluginError;
use crate::digest::digest;
use crate::sources::files::{self, Seen};
use crate::state::one_line;

/// The plugin that runs them.
pub(crate) const HEALTH_LUA: &str = "health-lua";
/// The name of a script's file.
const FILE: &str = "health.lua";
/// The most scripts, folders and bytes.
const SCRIPTS: usize = 2_000;
const FOLDERS: usize = 10_000;
const SCRIPT_BYTES: usize = 256 << 10;
const CONFIG_MAP_BYTES: usize = 2 << 20;
const ALL_BYTES: usize = 8 << 20;
/// Bytes that are parsed in one call of the plugin, which has a fifth of a second.
const BATCH_BYTES: usize = 512 << 10;
/// By these words a script may come to the clock.
const CLOCKS: [&str; 5] = ["os", "_G", "require", "load", "loadstring"];

/// One script.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    /// `GROUP/KIND/health.lua`: what messages call it.
    name: String,
    /// Both may have `*` in them.
    group: String,
    kind: String,
    source: Arc<str>,
    /// Whether it names anything by which it may come to the clock.
    looks_at_clock: bool,
    seen: Seen,
}

/// What the folder holds: those for one kind first, then those with wildcards, by name.
#[derive(Debug, Default)]
pub(crate) struct Scripts {
    list: Vec<Script>,
    digest: String,
    rejected: Vec<RejectedFile>,
}

/// A folder of scripts.
pub(crate) struct ScriptFolder {
    path: PathBuf,
    /// None until it was read for the first time.
    shelf: RwLock<Option<Arc<Scripts>>>,
    /// Why it cannot be read as it is now.
    unreadable: RwLock<Option<String>>,
    /// Held by the one refresh that runs.
    refreshing: Mutex<()>,
}

impl ScriptFolder {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            shelf: RwLock::default(),
            unreadable: RwLock::default(),
            refreshing: Mutex::default(),
        }
    }

    /// What it holds; the reason if it could not be read yet.
    pub(crate) fn scripts(&self) -> Result<Arc<Scripts>, PluginError> {
        let shelf = self.shelf.read().unwrap_or_else(PoisonError::into_inner);
        shelf.clone().ok_or_else(|| PluginError::Script {
            reason: self.reason().unwrap_or_default(),
        })
    }

    fn reason(&self) -> Option<String> {
        self.unreadable
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// What is wrong with it, or with some of its scripts, as it is now.
    pub(crate) fn rejected(&self) -> Vec<RejectedFile> {
        let shelf = self.shelf.read().unwrap_or_else(PoisonError::into_inner).clone();
        let folder = self
            .reason()
            .map(|reason| rejected(&self.path, reason, shelf.is_some()));
        let scripts = shelf.map(|scripts| scripts.rejected.clone()).unwrap_or_default();
        folder.into_iter().chain(scripts).collect()
    }

    /// Takes up what changed; costs a `stat` for each file that was not touched. `parse` says what is wrong with some scripts.
    pub(crate) fn refresh(&self, parse: &dyn Fn(Map<String, Value>) -> Option<String>) -> Vec<Change> {
        let _one_at_a_time = self.refreshing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.shelf.read().unwrap_or_else(PoisonError::into_inner).clone();
        let known = before
            .as_deref()
            .map_or([].as_slice(), |scripts| scripts.list.as_slice());
        match read(&self.path, known) {
            Ok(list) => {
                *self.unreadable.write().unwrap_or_else(PoisonError::into_inner) = None;
                if before.as_deref().is_some_and(|before| before.is_same(&list)) {
                    return Vec::new();
                }
                let after = Scripts::checked(list, before.as_deref(), parse);
                let changes = after.changes(&self.path);
                *self.shelf.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(after));
                changes
            }
            Err(reason) => {
                // A folder that cannot be read says nothing about its scripts: they go on.
                let mut unreadable = self.unreadable.write().unwrap_or_else(PoisonError::into_inner);
                if unreadable.replace(reason.clone()).as_deref() == Some(&reason) {
                    return Vec::new();
                }
                vec![told(Change::Rejected(rejected(
                    &self.path,
                    reason,
                    before.is_some(),
                )))]
            }
        }
    }
}

fn rejected(path: &Path, reason: String, still_serving: bool) -> RejectedFile {
    RejectedFile {
        path: path.to_owned(),
        problem: PluginProblem::new(HEALTH_LUA, "", &PluginError::Script { reason }),
        still_serving,
    }
}

fn told(change: Change) -> Change {
    match &change {
        Change::Rejected(rejected) => tracing::warn!(
            still_serving = rejected.still_serving,
            "{}",
            rejected.problem.one_line()
        ),
        Change::Serving { digest, .. } => tracing::info!(digest, "the Lua scripts serve from now on"),
        Change::Removed { .. } => {}
    }
    change
}

/// The scripts of a folder. Those that were not touched are not read again.
fn read(folder: &Path, known: &[Script]) -> Result<Vec<Script>, String> {
    let unreadable = |error: std::io::Error| one_line(&error.to_string());
    if folder.is_file() {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let mut scripts = of_config_map(folder.to_owned(), &name, known)?;
        scripts.sort_by(|left, right| left.rank().cmp(&right.rank()));
        return Ok(scripts);
    }
    let mut scripts = Vec::new();
    let (mut folders, mut bytes) = (0, 0);
    let mut waiting = vec![(folder.to_owned(), Vec::<String>::new())];
    while let Some((path, names)) = waiting.pop() {
        folders += 1;
        if folders > FOLDERS {
            return Err(format!("{} has more than {FOLDERS} folders", folder.display()));
        }
        for entry in fs_err::read_dir(&path).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = entry.path();
            let found = if name == FILE && !names.is_empty() {
                vec![script(path, &names, known)?]
            } else if names.is_empty() && config_map::may_have_scripts(&name) && path.is_file() {
                of_config_map(path, &name, known)?
            } else {
                if names.len() < 2 && !name.starts_with('.') && path.is_dir() {
                    let names = names.iter().cloned().chain([name]).collect();
                    waiting.push((path, names));
                }
                continue;
            };
            for script in found {
                bytes += script.source.len();
                scripts.push(script);
                if scripts.len() > SCRIPTS || bytes > ALL_BYTES {
                    let mebibytes = ALL_BYTES >> 20;
                    return Err(format!(
                        "{} has more than {SCRIPTS} scripts, or more than {mebibytes} MiB of them",
                        folder.display()
                    ));
                }
            }
        }
    }
    scripts.sort_by(|left, right| left.rank().cmp(&right.rank()));
    Ok(scripts)
}

fn script(path: PathBuf, names: &[String], known: &[Script]) -> Result<Script, String> {
    let seen = Seen::of(path);
    if let Some(script) = known.iter().find(|script| script.seen == seen) {
        return Ok(script.clone());
    }
    let source = text(&seen.path, SCRIPT_BYTES)?;
    let (group, kind) = match names {
        [group, kind] => (group.as_str(), kind.as_str()),
        [kind] => ("", kind.as_str()),
        _ => return Err(format!("{} is not at GROUP/KIND/{FILE}", seen.path.display())),
    };
    Ok(Script {
        name: format!("{}/{FILE}", names.join("/")),
        group: group.replace('_', "*"),
        kind: kind.replace('_', "*"),
        looks_at_clock: looks_at_clock(&source),
        source: source.into(),
        seen,
    })
}

/// The scripts of an entry of a ConfigMap, or of a manifest of one. Kubernetes has none larger than a mebibyte.
fn of_config_map(path: PathBuf, name: &str, known: &[Script]) -> Result<Vec<Script>, String> {
    let seen = Seen::of(path);
    let before = known.iter().filter(|script| script.seen == seen);
    let before: Vec<Script> = before.cloned().collect();
    if !before.is_empty() {
        return Ok(before);
    }
    let text = text(&seen.path, CONFIG_MAP_BYTES)?;
    let found =
        config_map::scripts(name, &text).map_err(|reason| format!("{}: {reason}", seen.path.display()))?;
    let script = |found: config_map::Found| {
        if found.source.len() > SCRIPT_BYTES {
            return Err(format!(
                "{}: the script for {}/{} has more than {SCRIPT_BYTES} bytes",
                seen.path.display(),
                found.group,
                found.kind
            ));
        }
        Ok(Script {
            name: match found.group.as_str() {
                "" => format!("{name}: {}", found.kind),
                group => format!("{name}: {group}/{}", found.kind),
            },
            group: found.group,
            kind: found.kind,
            looks_at_clock: looks_at_clock(&found.source),
            source: found.source.into(),
            seen: seen.clone(),
        })
    };
    found.into_iter().map(script).collect()
}

fn text(path: &Path, most: usize) -> Result<String, String> {
    let bytes = files::read_some(path, most).map_err(|error| one_line(&error.message()))?;
    let path = path.display();
    if bytes.len() > most {
        return Err(format!("{path} has more than {most} bytes"));
    }
    String::from_utf8(bytes).map_err(|_| format!("{path} is no UTF-8"))
}

impl Script {
    fn rank(&self) -> (bool, &str, &str) {
        let is_pattern = self.group.contains('*') || self.kind.contains('*');
        (is_pattern, &self.group, &self.kind)
    }

    fn is_for(&self, object: &GroupKind) -> bool {
        fits(&self.group, &object.group) && fits(&self.kind, &object.kind)
    }

    fn setting(&self) -> Value {
        json!({"name": self.name, "group": self.group, "kind": self.kind, "script": &*self.source})
    }
}

fn looks_at_clock(source: &str) -> bool {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    source
        .split(|letter| !is_part(letter))
        .any(|word| CLOCKS.contains(&word))
}

impl Scripts {
    /// Whether an object's kind has a script.
    pub(crate) fn has(&self, object: &GroupKind) -> bool {
        self.list.iter().any(|script| script.is_for(object))
    }

    /// True if one of these objects has a script that may look at the clock.
    pub(crate) fn look_at_clock<'a>(&self, objects: impl IntoIterator<Item = &'a Object>) -> bool {
        let looks: Vec<&Script> = self.list.iter().filter(|script| script.looks_at_clock).collect();
        !looks.is_empty()
            && objects.into_iter().any(|object| {
                let kind = object.group_kind();
                looks.iter().any(|script| script.is_for(&kind))
            })
    }

    /// `sha256:…` of all of them.
    pub(crate) fn digest(&self) -> &str {
        &self.digest
    }

    /// The settings of the plugin for a batch of objects: the scripts of their kinds, which are matched here already.
    pub(crate) fn settings(&self, objects: &[Object]) -> Map<String, Value> {
        let mut kinds: Vec<GroupKind> = Vec::new();
        for object in objects {
            let is_known = |kind: &GroupKind| kind.kind == object.kind() && kind.group == object.group();
            if !kinds.iter().rev().any(is_known) {
                kinds.push(object.group_kind());
            }
        }
        let of_kinds = |script: &&Script| kinds.iter().any(|kind| script.is_for(kind));
        settings(self.list.iter().filter(of_kinds), false)
    }

    fn is_same(&self, list: &[Script]) -> bool {
        let files = |list: &[Script]| list.iter().map(|script| script.seen.clone()).collect::<Vec<_>>();
        files(&self.list) == files(list)
    }

    /// Parses what changed. What does not parse leaves the version before it in service.
    fn checked(
        mut list: Vec<Script>,
        before: Option<&Self>,
        parse: &dyn Fn(Map<String, Value>) -> Option<String>,
    ) -> Self {
        let earlier = |name: &str| before?.list.iter().find(|script| script.name == name);
        let is_new = |script: &&mut Script| {
            earlier(&script.name).is_none_or(|earlier| earlier.source != script.source)
        };
        let mut refused = Vec::new();
        let mut new: Vec<&mut Script> = list.iter_mut().filter(is_new).collect();
        for batch in batches(&mut new) {
            if parse(settings(batch.iter().map(|script| &**script), true)).is_none() {
                continue;
            }
            for script in batch {
                let Some(reason) = parse(settings([&**script], true)) else {
                    continue;
                };
                let earlier = earlier(&script.name);
                refused.push(rejected(&script.seen.path, reason, earlier.is_some()));
                if let Some(earlier) = earlier {
                    script.source = Arc::clone(&earlier.source);
                    script.looks_at_clock = earlier.looks_at_clock;
                }
            }
        }
        let mut all = String::new();
        for script in &list {
            let _infallible = writeln!(all, "{} {}", script.name, digest(script.source.as_bytes()));
        }
        // Those that are refused still, and were not touched.
        let untouched = before
            .map(|before| before.rejected.as_slice())
            .unwrap_or_default();
        let is_still = |old: &&RejectedFile| {
            let of_file = |script: &Script| script.seen.path == old.path;
            let was = before.and_then(|before| before.list.iter().find(|script| of_file(script)));
            let is = list.iter().find(|script| of_file(script));
            matches!((was, is), (Some(was), Some(is)) if was.seen == is.seen)
        };
        let still: Vec<RejectedFile> = untouched.iter().filter(is_still).cloned().collect();
        refused.extend(still);
        Self {
            digest: digest(all.as_bytes()),
            rejected: refused,
            list,
        }
    }

    fn changes(&self, folder: &Path) -> Vec<Change> {
        let serving = Change::Serving {
            plugin: folder.display().to_string(),
            digest: self.digest.clone(),
        };
        let refused = self.rejected.iter().cloned().map(Change::Rejected);
        [serving].into_iter().chain(refused).map(told).collect()
    }
}

fn settings<'a>(scripts: impl IntoIterator<Item = &'a Script>, check: bool) -> Map<String, Value> {
    let scripts: Vec<Value> = scripts.into_iter().map(Script::setting).collect();
    let mut settings = Map::from_iter([("scripts".to_owned(), Value::Array(scripts))]);
    if check {
        settings.insert("check".to_owned(), Value::Bool(true));
    }
    settings
}

/// Scripts in parts of at most [`BATCH_BYTES`], or of one script.
fn batches<'a, 'b>(scripts: &'a mut [&'b mut Script]) -> Vec<&'a mut [&'b mut Script]> {
    let mut batches = Vec::new();
    let mut rest = scripts;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = |script: &&&mut Script| {
            bytes += script.source.len();
            bytes <= BATCH_BYTES
        };
        let count = rest.iter().take_while(fits).count().max(1);
        let (batch, after) = rest.split_at_mut(count);
        batches.push(batch);
        rest = after;
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything parses but what says `broken`.
    fn parse(settings: Map<String, Value>) -> Option<String> {
        let text = Value::Object(settings).to_string();
        text.contains("broken").then(|| "it is broken".to_owned())
    }

    fn write(folder: &Path, name: &str, script: &str) {
        let path = folder.join(name);
        fs_err::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs_err::write(path, script).expect("a file");
    }

    #[test]
    fn a_config_map_is_taken_up_as_it_changes() {
        let folder = tempfile::tempdir().expect("a folder");
        let key = "resource.customizations.health.example.com_Thing";
        write(folder.path(), key, "return 1");
        write(
            folder.path(),
            "resource.customizations",
            "'*.example.com/*': {health.lua: return 2}\nPod: {health.lua: return 3}\n",
        );
        write(folder.path(), "url", "https://example.org");
        let scripts = ScriptFolder::new(folder.path().to_owned());
        assert_eq!(scripts.refresh(&parse).len(), 1);
        assert_eq!(scripts.refresh(&parse), []);
        let told = || {
            let list = &scripts.scripts().expect("scripts").list;
            let line = |script: &Script| {
                format!(
                    "{}|{}|{}|{}",
                    script.name, script.group, script.kind, script.source
                )
            };
            list.iter().map(line).collect::<Vec<_>>()
        };
        let single = format!("{key}: example.com/Thing|example.com|Thing|return 1");
        let others = [
            "resource.customizations: Pod||Pod|return 3",
            "resource.customizations: *.example.com/*|*.example.com|*|return 2",
        ];
        assert_eq!(told(), [others[0], &single, others[1]]);
        // An entry that cannot be read changes nothing, nor does a script that does not parse.
        write(folder.path(), "resource.customizations", "a: [");
        assert_eq!(scripts.refresh(&parse).len(), 1);
        assert!(scripts.rejected()[0].still_serving);
        write(
            folder.path(),
            "resource.customizations",
            "Pod: {health.lua: broken}\n",
        );
        assert_eq!(scripts.refresh(&parse).len(), 2);
        assert_eq!(told(), [others[0], &single]);

        // The whole of it as a manifest.
        let manifest = folder.path().join("argocd-cm.yaml");
        fs_err::write(&manifest, format!("kind: ConfigMap\ndata: {{{key}: return 4}}\n")).expect("a file");
        let scripts = ScriptFolder::new(manifest);
        assert_eq!(scripts.refresh(&parse).len(), 1);
        assert_eq!(&*scripts.scripts().expect("scripts").list[0].source, "return 4");
    }

    #[test]
    fn the_folder_is_taken_up_as_it_changes() {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), "example.com/Thing/health.lua", "return 1");
        write(folder.path(), "_.example.com/_/health.lua", "return 2");
        write(folder.path(), "Node/health.lua", "return os.time()");
        write(folder.path(), "example.com/Thing/testdata/health.lua", "return 3");
        let scripts = ScriptFolder::new(folder.path().to_owned());
        assert!(scripts.scripts().is_err());
        assert_eq!(scripts.refresh(&parse).len(), 1);
        assert_eq!(scripts.refresh(&parse), []);
        let first = scripts.scripts().expect("scripts");
        let names: Vec<&str> = first.list.iter().map(|script| script.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "Node/health.lua",
                "example.com/Thing/health.lua",
                "_.example.com/_/health.lua"
            ]
        );
        let object = |value| Object::new(value).expect("an object");
        let node = object(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}}));
        let thing =
            object(json!({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "t"}}));
        assert!(first.look_at_clock([&thing, &node]) && !first.look_at_clock([&thing]));
        assert!(first.has(&GroupKind::new("a.example.com", "Any")));
        assert!(!first.has(&GroupKind::new("example.com", "Any")));

        // A script that breaks goes on as it was; a new one that is broken is there, and is said.
        write(folder.path(), "example.com/Thing/health.lua", "broken");
        write(folder.path(), "example.com/Other/health.lua", "broken too");
        assert_eq!(scripts.refresh(&parse).len(), 3);
        let second = scripts.scripts().expect("scripts");
        let of = |kind: &str| {
            second
                .list
                .iter()
                .find(|script| script.kind == kind)
                .map(|script| script.source.to_string())
        };
        assert_eq!(of("Thing").as_deref(), Some("return 1"));
        assert_eq!(of("Other").as_deref(), Some("broken too"));
        let serving: Vec<bool> = scripts
            .rejected()
            .iter()
            .map(|rejected| rejected.still_serving)
            .collect();
        assert_eq!(serving.len(), 2);
        assert!(serving.contains(&true) && serving.contains(&false));
        assert_eq!(scripts.refresh(&parse), []);
        assert_eq!(scripts.rejected().len(), 2);

        // Without the folder all go on.
        drop(folder);
        assert_eq!(scripts.refresh(&parse).len(), 1);
        assert!(scripts.scripts().is_ok());
        assert!(scripts.rejected().iter().any(|rejected| rejected.still_serving));
    }
}
