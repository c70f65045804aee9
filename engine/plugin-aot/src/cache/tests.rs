//! What is kept, what is not used, and what goes first.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::engine::{Optimisation, compiling_engine};
use crate::{Allocation, engine, precompile};

const CLASS: RuntimeClass = RuntimeClass::Policy;

struct World {
    root: tempfile::TempDir,
    engine: Engine,
    wasm: Vec<u8>,
    image: Vec<u8>,
}

impl World {
    fn new() -> Self {
        let engine = engine(CLASS, Allocation::OnDemand).unwrap();
        let wasm = wat::parse_str("(component)").unwrap();
        let image = precompile(&engine, &wasm).unwrap();
        let root = tempfile::tempdir().unwrap();
        Self {
            root,
            engine,
            wasm,
            image,
        }
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// A folder with the plugin in it, and the path of what was compiled of it.
    fn kept(&self, name: &str) -> (Cache, PathBuf) {
        let cache = Cache::open(&self.folder(name)).unwrap();
        cache.keep(CLASS, &self.engine, &self.wasm, &self.image).unwrap();
        let path = cache.folder.join(super::name(CLASS, &self.engine, &self.wasm));
        (cache, path)
    }

    fn loads(&self, cache: &Cache) -> bool {
        cache.load(CLASS, &self.engine, &self.wasm).is_some()
    }
}

fn mode(path: &Path) -> u32 {
    fs_err::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn what_was_kept_is_loaded_by_the_next_program_and_by_nobody_else() {
    let world = World::new();
    let (cache, path) = world.kept("one");
    assert!(world.loads(&cache));
    assert!(world.loads(&Cache::open(&cache.folder).unwrap()));
    assert_eq!(
        (mode(&cache.folder), mode(&cache.folder.join("key")), mode(&path)),
        (0o700, 0o600, 0o600)
    );
    // Another plugin, class or engine.
    let other = wat::parse_str("(component (core module))").unwrap();
    assert!(cache.load(CLASS, &world.engine, &other).is_none());
    assert!(
        cache
            .load(RuntimeClass::Renderer, &world.engine, &world.wasm)
            .is_none()
    );
    let quick = compiling_engine(CLASS, Allocation::OnDemand, Optimisation::Quick).unwrap();
    assert_ne!(compatibility(&quick), compatibility(&world.engine));
    assert!(cache.load(CLASS, &quick, &world.wasm).is_none());
}

#[test]
fn what_was_changed_or_comes_from_elsewhere_is_removed() {
    let world = World::new();
    let (cache, path) = world.kept("one");
    let sound = fs_err::read(&path).unwrap();
    let refused = |bytes: &[u8]| {
        fs_err::write(&path, bytes).unwrap();
        fs_err::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        assert!(!world.loads(&cache));
        assert!(!path.exists());
    };
    for at in [0, MAC - 1, MAC, MAC + 8, MAC + 16, MAC + 48, sound.len() - 1] {
        let mut bytes = sound.clone();
        bytes[at] ^= 1;
        refused(&bytes);
    }
    refused(&sound[..sound.len() - 1]);
    refused(&sound[..MAC - 1]);
    refused(b"");
    // Made in another folder, with another key.
    let (_, elsewhere) = world.kept("two");
    refused(&fs_err::read(elsewhere).unwrap());
    // Of another plugin, under this one's name.
    let other = wat::parse_str("(component (core module))").unwrap();
    let image = precompile(&world.engine, &other).unwrap();
    cache.keep(CLASS, &world.engine, &other, &image).unwrap();
    refused(&fs_err::read(cache.folder.join(super::name(CLASS, &world.engine, &other))).unwrap());
    // Sound again.
    fs_err::write(&path, &sound).unwrap();
    fs_err::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    assert!(world.loads(&cache));
}

#[test]
fn what_others_could_have_written_is_not_used() {
    let world = World::new();
    let (cache, path) = world.kept("one");
    let set =
        |path: &Path, mode: u32| fs_err::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    set(&path, 0o660);
    assert!(!world.loads(&cache));
    set(&cache.folder, 0o755);
    let refused = Cache::open(&cache.folder).err().unwrap().to_string();
    assert!(refused.contains("0700"), "{refused}");
    set(&cache.folder, 0o700);
    set(&cache.folder.join("key"), 0o644);
    assert!(Cache::open(&cache.folder).is_err());
    set(&cache.folder.join("key"), 0o600);
    assert!(Cache::open(&cache.folder).is_ok());
    // A link, wherever it leads.
    let link = world.folder("link");
    fs_err::os::unix::fs::symlink(&cache.folder, &link).unwrap();
    assert!(Cache::open(&link).is_err());
    let (cache, path) = world.kept("two");
    let moved = world.folder("moved");
    fs_err::rename(&path, &moved).unwrap();
    fs_err::os::unix::fs::symlink(&moved, &path).unwrap();
    assert!(!world.loads(&cache));
    assert!(moved.exists());
}

#[test]
fn what_was_used_longest_ago_goes_first() {
    let world = World::new();
    let mut cache = Cache::open(&world.folder("one")).unwrap();
    let plugins: Vec<Vec<u8>> = (0..4)
        .map(|count| wat::parse_str(format!("(component {})", "(core module)".repeat(count))).unwrap())
        .collect();
    let keep = |cache: &Cache, index: usize| {
        let image = precompile(&world.engine, &plugins[index]).unwrap();
        cache.keep(CLASS, &world.engine, &plugins[index], &image).unwrap();
        (MAC + image.len()) as u64
    };
    let sizes: Vec<u64> = (0..3).map(|index| keep(&cache, index)).collect();
    for (index, seconds) in [(0, 30), (1, 20), (2, 10)] {
        let path = cache
            .folder
            .join(super::name(CLASS, &world.engine, &plugins[index]));
        let used = SystemTime::now() - std::time::Duration::from_secs(seconds);
        fs_err::File::options()
            .write(true)
            .open(path)
            .unwrap()
            .file()
            .set_modified(used)
            .unwrap();
    }
    // The first is used, so the second is the oldest.
    assert!(cache.load(CLASS, &world.engine, &plugins[0]).is_some());
    cache.limit = sizes.iter().sum::<u64>() + 1;
    keep(&cache, 3);
    let there: Vec<bool> = plugins
        .iter()
        .map(|wasm| cache.load(CLASS, &world.engine, wasm).is_some())
        .collect();
    assert!(!there[1] && there[3], "{there:?}");
    assert!(there[0], "{there:?}");
}
