//! Where plugins come from: a list of sources, of which an earlier one takes the place of a later one, name by name.
//!
//! A new kind of source (a registry, custom resources) is a file beside the others with a type that implements [`Source`], and an
//! entry in [`Sources::new`].

pub(crate) mod files;
mod folder;
mod standard;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::change::{Change, RejectedFile};
use crate::codes::PluginError;
use crate::info::{PluginInfo, PluginOrigin, RendererInfo};
use crate::load::Plugin;
use crate::renderers::{AddedRenderer, WORLD, Workshop};
use crate::run::LazyRuntime;
use crate::worlds::PluginKind;

use self::folder::Folder;
use self::standard::Standard;

/// One place that plugins come from.
trait Source: Send + Sync {
    /// What it holds now. A question takes it once, and so sees one state of it however it changes meanwhile.
    fn content(&self) -> Arc<dyn Content>;

    /// Looks at it again and takes up what changed. `replaced` tells the kind of the plugin that serves under a name where this
    /// source has none: only one of the same kind may take its place.
    fn refresh(&self, replaced: &dyn Fn(&str) -> Option<PluginKind>) -> Vec<Change>;
}

/// What a source holds.
trait Content: Send + Sync {
    /// Its plugins of a kind, in the order in which they are asked.
    fn names(&self, kind: PluginKind) -> Vec<String>;

    /// The kind of one that serves; none where there is no such plugin.
    fn kind_of(&self, name: &str) -> Option<PluginKind>;

    /// Whether one is asked only by name, also where another source's plugin of this name takes its place.
    fn is_by_name_only(&self, _name: &str) -> bool {
        false
    }

    /// One that serves, loaded where it is not yet; none where there is no such plugin.
    fn plugin(&self, name: &str) -> Option<Result<Arc<Plugin>, PluginError>>;

    /// A renderer of others that serves; costs no loading. None where there is no such renderer.
    fn renderer(&self, _name: &str) -> Option<AddedRenderer> {
        None
    }

    /// Its renderers of others, by name; costs no loading.
    fn renderers(&self) -> Vec<RendererInfo> {
        Vec::new()
    }

    /// `sha256:…` of one that serves; costs no loading.
    fn digest(&self, name: &str) -> Option<String>;

    /// Where one of its plugins is.
    fn origin(&self, name: &str) -> PluginOrigin;

    /// What is refused as it is now, by name.
    fn rejected(&self) -> Vec<(String, RejectedFile)>;
}

/// All sources; the first one wins.
pub(crate) struct Sources(Vec<Box<dyn Source>>);

/// What all sources hold at one moment.
pub(crate) struct Snapshot(Vec<Arc<dyn Content>>);

impl Sources {
    /// A folder, if there is one, and what is part of the binary.
    pub(crate) fn new(folder: Option<PathBuf>, runtime: &Arc<LazyRuntime>, workshop: &Arc<Workshop>) -> Self {
        let standard: Box<dyn Source> = Box::new(Standard::new(Arc::clone(runtime)));
        let folder = folder.map(|folder| -> Box<dyn Source> {
            Box::new(Folder::new(folder, Arc::clone(runtime), Arc::clone(workshop)))
        });
        Self(folder.into_iter().chain([standard]).collect())
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot(self.0.iter().map(|source| source.content()).collect())
    }

    /// Looks at every source again.
    pub(crate) fn refresh(&self) -> Vec<Change> {
        let mut changes = Vec::new();
        for (index, source) in self.0.iter().enumerate() {
            let later = self.0.get(index + 1..).unwrap_or_default();
            let replaced = |name: &str| later.iter().find_map(|source| source.content().kind_of(name));
            changes.extend(source.refresh(&replaced));
        }
        changes
    }
}

impl Snapshot {
    /// A plugin that answers a question; an error says why there is none.
    pub(crate) fn find(&self, kind: PluginKind, name: &str) -> Result<Arc<Plugin>, PluginError> {
        let serving = self
            .0
            .iter()
            .filter(|content| content.kind_of(name) == Some(kind))
            .find_map(|content| content.plugin(name));
        serving.unwrap_or_else(|| Err(self.missing(kind.world(), name)))
    }

    /// A renderer of others; an error says why there is none.
    pub(crate) fn renderer(&self, name: &str) -> Result<AddedRenderer, PluginError> {
        let serving = self.0.iter().find_map(|content| content.renderer(name));
        serving.ok_or_else(|| self.missing(WORLD, name))
    }

    /// All renderers of others.
    pub(crate) fn renderers(&self) -> Vec<RendererInfo> {
        self.0.iter().flat_map(|content| content.renderers()).collect()
    }

    /// Why nothing of a world serves under a name.
    fn missing(&self, world: &'static str, name: &str) -> PluginError {
        // Named, and its file was refused: that is the reason.
        let rejected = self.0.iter().find_map(|content| rejection(&**content, name));
        match rejected {
            Some(rejected) => PluginError::Repeated {
                code: rejected.problem.code,
                message: rejected.problem.message,
            },
            None => PluginError::NotFound { kind: world },
        }
    }

    /// The plugins that are asked where none are named, in their order.
    pub(crate) fn default_names(&self, kind: PluginKind) -> Vec<String> {
        let mut names = self.names(kind);
        names.retain(|name| !self.is_by_name_only(name));
        names
    }

    /// Whether a plugin is asked only where it is named.
    pub(crate) fn is_by_name_only(&self, name: &str) -> bool {
        self.0.iter().any(|content| content.is_by_name_only(name))
    }

    /// Every plugin of a kind: those of the last source first, and so on.
    pub(crate) fn names(&self, kind: PluginKind) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for name in self.0.iter().rev().flat_map(|content| content.names(kind)) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// `sha256:…` of the plugin that serves under a name.
    pub(crate) fn digest(&self, name: &str) -> Option<String> {
        self.0.iter().find_map(|content| content.digest(name))
    }

    /// What is known of a plugin that serves.
    pub(crate) fn info(&self, name: &str, plugin: &Plugin, asked_by_default: bool) -> PluginInfo {
        let serving = self.0.iter().find(|content| content.kind_of(name).is_some());
        let origin = serving.map_or(PluginOrigin::Standard, |content| content.origin(name));
        let rejected = self.0.iter().find_map(|content| rejection(&**content, name));
        plugin.info(origin, asked_by_default, rejected)
    }

    /// Everything that is refused as it is now.
    pub(crate) fn rejected(&self) -> impl Iterator<Item = RejectedFile> {
        let rejected = self.0.iter().flat_map(|content| content.rejected());
        rejected.map(|(_, rejected)| rejected)
    }
}

fn rejection(content: &dyn Content, name: &str) -> Option<RejectedFile> {
    let mut rejected = content.rejected().into_iter();
    rejected.find_map(|(rejected, file)| (rejected == name).then_some(file))
}

/// The bytes of a file that may be a plugin.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, PluginError> {
    files::read(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::PluginProblem;

    /// A source with plugins that are never loaded.
    #[derive(Default)]
    struct Fake {
        serving: Vec<(&'static str, PluginKind)>,
        rejected: Vec<&'static str>,
        by_name_only: Vec<&'static str>,
    }

    impl Content for Fake {
        fn names(&self, kind: PluginKind) -> Vec<String> {
            let of_kind = self.serving.iter().filter(|(_, found)| *found == kind);
            of_kind.map(|(name, _)| (*name).to_owned()).collect()
        }

        fn kind_of(&self, name: &str) -> Option<PluginKind> {
            let mut serving = self.serving.iter();
            serving.find_map(|(found, kind)| (*found == name).then_some(*kind))
        }

        fn is_by_name_only(&self, name: &str) -> bool {
            self.by_name_only.contains(&name)
        }

        fn plugin(&self, name: &str) -> Option<Result<Arc<Plugin>, PluginError>> {
            self.kind_of(name).map(|_| Err(PluginError::Name))
        }

        fn digest(&self, name: &str) -> Option<String> {
            self.kind_of(name)
                .map(|_| format!("{} of {}", name, self.serving.len()))
        }

        fn origin(&self, _: &str) -> PluginOrigin {
            PluginOrigin::Standard
        }

        fn rejected(&self) -> Vec<(String, RejectedFile)> {
            let rejected = |name: &&str| {
                let file = RejectedFile {
                    path: PathBuf::from(name),
                    problem: PluginProblem::new(name, "", &PluginError::Name),
                    still_serving: false,
                };
                ((*name).to_owned(), file)
            };
            self.rejected.iter().map(rejected).collect()
        }
    }

    #[test]
    fn an_earlier_source_takes_the_place_of_a_later_one_and_is_asked_after_it() {
        let added = Fake {
            serving: vec![("b", PluginKind::Prune), ("c", PluginKind::Prune)],
            rejected: vec!["a", "d"],
            by_name_only: vec![],
        };
        let standard = Fake {
            serving: vec![
                ("a", PluginKind::Prune),
                ("b", PluginKind::Prune),
                ("e", PluginKind::Health),
            ],
            rejected: vec![],
            by_name_only: vec![],
        };
        let snapshot = Snapshot(vec![Arc::new(added), Arc::new(standard)]);
        assert_eq!(snapshot.default_names(PluginKind::Prune), ["a", "b", "c"]);
        assert_eq!(snapshot.digest("b").as_deref(), Some("b of 2"));
        assert_eq!(snapshot.digest("e").as_deref(), Some("e of 3"));
        assert_eq!(snapshot.digest("f"), None);
        assert_eq!(snapshot.rejected().count(), 2);
        let found = |name: &str| snapshot.find(PluginKind::Prune, name).err();
        // Served by the later source although the earlier one refuses a file of its name.
        assert!(matches!(found("a"), Some(PluginError::Name)));
        // Served by none: the refusal is the reason.
        assert!(matches!(found("d"), Some(PluginError::Repeated { .. })));
        // Of another kind, or nowhere.
        assert!(matches!(found("e"), Some(PluginError::NotFound { .. })));
        assert!(matches!(found("f"), Some(PluginError::NotFound { .. })));
    }
    #[test]
    fn what_is_asked_by_name_stays_so_if_an_earlier_source_replaces_it() {
        let replaced = Fake {
            serving: vec![("b", PluginKind::Health), ("c", PluginKind::Health)],
            ..Fake::default()
        };
        let standard = Fake {
            serving: vec![("a", PluginKind::Health), ("b", PluginKind::Health)],
            by_name_only: vec!["b"],
            ..Fake::default()
        };
        let snapshot = Snapshot(vec![Arc::new(replaced), Arc::new(standard)]);
        assert_eq!(snapshot.names(PluginKind::Health), ["a", "b", "c"]);
        assert_eq!(snapshot.default_names(PluginKind::Health), ["a", "c"]);
        assert_eq!(snapshot.digest("b").as_deref(), Some("b of 2"));
    }
}
