//! Renderers of the plugin directory that mean harm, and what becomes of those that come, change and go.

use std::path::Path;
use std::time::{Duration, Instant};

use sluice_hostile::{build, renderer};
use sluice_model::Coded as _;
use sluice_model::rendering::{Input, Outcome};
use sluice_plugin_host::{AddedRenderer, Change, Compiler, Inspected, PluginError, PluginHost};

use crate::{config, guest, host_with, now};

fn input() -> Input {
    Input {
        path: "app".to_owned(),
        ..Input::default()
    }
}

/// Asks again until it is compiled, as the engine does.
fn rendered(renderer: &AddedRenderer) -> Result<Outcome, PluginError> {
    let started = Instant::now();
    loop {
        match renderer.render(&input()) {
            Err(PluginError::Compiling) => {
                assert!(started.elapsed() < Duration::from_secs(60), "it is not compiled");
                std::thread::sleep(Duration::from_millis(5));
            }
            answer => return answer,
        }
    }
}

fn code(result: Result<Outcome, PluginError>) -> Result<usize, &'static str> {
    match result {
        Ok(Outcome::Rendered(rendering)) => Ok(rendering.documents.len()),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error.code().id),
    }
}

fn write(folder: &Path, name: &str, wasm: &[u8]) {
    fs_err::write(folder.join(format!("{name}.wasm")), wasm).unwrap();
}

/// Looks at the folder until there is something new.
fn changes(host: &PluginHost) -> Vec<Change> {
    let started = Instant::now();
    loop {
        let changes = host.rescan();
        if !changes.is_empty() {
            return changes;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "nothing changes");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn every_way_to_fail_has_its_code_and_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let cases = [
        ("trap", "P09"),
        ("recursion", "P09"),
        ("loop", "P10"),
        ("memory", "P11"),
        ("huge-text", "P12"),
        ("huge-list", "P12"),
        ("invalid-text", "P12"),
        ("describe-trap", "P08"),
    ];
    for (name, _) in cases {
        write(
            folder.path(),
            name,
            &renderer(&guest(&format!("renderer-{name}"))),
        );
    }
    write(folder.path(), "sound", &renderer(&guest("renderer-sound")));
    let host = PluginHost::with_directory(folder.path());
    assert_eq!(host.rejected(), []);
    let sound = host.renderer("sound").unwrap();
    assert_eq!(code(rendered(&sound)), Ok(1));
    std::thread::scope(|scope| {
        // It takes 30 seconds, and one of the turns; the others are asked meanwhile.
        for (name, expected) in cases {
            let (host, sound) = (&host, &sound);
            scope.spawn(move || {
                let hostile = host.renderer(name).unwrap();
                assert_eq!(code(rendered(&hostile)), Err(expected), "{name}");
                assert_eq!(code(rendered(sound)), Ok(1), "after {name}");
            });
        }
    });
}

#[test]
fn a_file_is_refused_without_running_it() {
    let sound = renderer(&guest("renderer-sound"));
    let wasi = guest("renderer-sound").replace(
        ";; renderer prelude",
        "(import \"wasi_snapshot_preview1\" \"random_get\" (func (param i32 i32) (result i32)))\n;; renderer prelude",
    );
    let newer = r#"(component (instance) (export "sluice:render/renderer@0.2.0" (instance 0)))"#;
    for (name, wasm, expected, words) in [
        ("wasi", sluice_hostile::module(&wasi), "P05", "random_get"),
        ("newer", wat::parse_str(newer).unwrap(), "P06", "renderer@0.2.0"),
        ("helm", sound.clone(), "P01", "standard renderer"),
        ("prune-standard", sound.clone(), "P06", "`prune-policy`"),
        ("a@b", sound, "P01", "letters"),
    ] {
        let (host, _folder) = host_with(name, &wasm);
        let problem = host.rejected().remove(0).problem;
        assert_eq!(problem.code.id, expected, "{name}");
        assert!(problem.message.contains(words), "{}", problem.message);
        // Who asks for it is told why.
        let asked = host.renderer(name).err().map(|error| error.code().id);
        assert_eq!(
            asked,
            Some(if name == "a@b" { "P01" } else { expected }),
            "{name}"
        );
    }
}

#[test]
fn a_renderer_is_asked_by_its_name_and_by_its_digest() {
    let (host, _folder) = host_with("sound", &renderer(&guest("renderer-sound")));
    let digest = host.renderer("sound").unwrap().digest().to_owned();
    assert!(host.renderer(&format!("sound@{digest}")).is_ok());
    let refused = |name: &str| host.renderer(name).err().map(|error| error.code().id);
    assert_eq!(refused(&format!("sound@sha256:{}", "0".repeat(64))), Some("P02"));
    assert_eq!(refused("helm"), Some("P01"));
    assert_eq!(refused("gone"), Some("P01"));
    assert_eq!(host.renderers().len(), 1);
    // A policy is no renderer, and a renderer no policy.
    let (host, _folder) = host_with("loop", &build(&guest("suspends"), "health-check"));
    assert_eq!(
        host.renderer("loop").err().map(|error| error.code().id),
        Some("P01")
    );
    assert_eq!(host.renderers(), []);
}

#[test]
fn a_new_version_serves_once_it_is_compiled_and_a_broken_one_never() {
    let sound = guest("renderer-sound");
    let (host, folder) = host_with("team", &renderer(&sound));
    let first = host.renderer("team").unwrap();
    assert_eq!(code(rendered(&first)), Ok(1));
    // Whoever asked too early is told that it is time now.
    let [Change::Serving { digest, .. }] = &changes(&host)[..] else {
        panic!("it serves");
    };
    assert_eq!(digest, first.digest());
    assert_eq!(host.rescan(), []);

    for (broken, expected) in [
        (b"\0asm".to_vec(), "P04"),
        (renderer(&guest("renderer-describe-trap")), "P08"),
    ] {
        write(folder.path(), "team", &broken);
        let changed = changes(&host);
        let [Change::Rejected(rejected)] = &changed[..] else {
            panic!("{changed:?}");
        };
        assert_eq!(
            (rejected.problem.code.id, rejected.still_serving),
            (expected, true)
        );
        assert_eq!(code(rendered(&host.renderer("team").unwrap())), Ok(1));
        assert_eq!(host.renderers()[0].rejected.as_ref(), Some(rejected));
        assert_eq!(host.rescan(), []);
    }

    // None at all: the list of documents is empty.
    let newer = sound.replace(
        "(i32.const 256)",
        "(i32.store (i32.const 264) (i32.const 0)) (i32.const 256)",
    );
    write(folder.path(), "team", &renderer(&newer));
    assert!(matches!(&changes(&host)[..], [Change::Serving { .. }]));
    assert_eq!(host.rejected(), []);
    let second = host.renderer("team").unwrap();
    assert_ne!(second.digest(), first.digest());
    assert_eq!(code(rendered(&second)), Ok(0));
    // Who holds on to a version is answered by it.
    assert_eq!(code(rendered(&first)), Ok(1));

    fs_err::remove_file(folder.path().join("team.wasm")).unwrap();
    assert!(matches!(&host.rescan()[..], [Change::Removed { .. }]));
    assert_eq!(
        host.renderer("team").err().map(|error| error.code().id),
        Some("P01")
    );
}

#[test]
fn one_that_turns_out_to_be_of_no_use_is_refused_from_then_on() {
    let (host, _folder) = host_with("team", &renderer(&guest("renderer-describe-trap")));
    assert_eq!(host.rejected(), []);
    assert_eq!(code(rendered(&host.renderer("team").unwrap())), Err("P08"));
    let changed = changes(&host);
    assert!(matches!(&changed[..], [Change::Rejected(rejected)] if !rejected.still_serving));
    assert_eq!(
        host.renderer("team").err().map(|error| error.code().id),
        Some("P08")
    );
    assert_eq!(host.rescan(), []);
}

/// As many loops as locals that live through all of them keep the compiler busy for long.
fn slow_to_compile() -> Vec<u8> {
    let locals = 800;
    let mut body = format!("(local{})\n", " i32".repeat(locals));
    for local in 10..locals {
        body.push_str(&format!("(local.set {local} (i32.load (i32.const {local})))\n"));
    }
    body.push_str(&"(loop (br_if 0 (local.get 9)))\n".repeat(locals));
    for local in 10..locals {
        body.push_str(&format!("(i32.store (i32.const 1024) (local.get {local}))\n"));
    }
    renderer(&guest("renderer-sound").replace("    (i32.const 256)", &format!("{body} (i32.const 256)")))
}

#[test]
fn nobody_waits_for_a_renderer_that_is_being_compiled() {
    let folder = tempfile::tempdir().unwrap();
    let slow = slow_to_compile();
    write(folder.path(), "slow", &slow);
    write(
        folder.path(),
        "policy",
        &build(&guest("suspends"), "health-check"),
    );
    let host = PluginHost::new(Some(folder.path().to_owned()), Compiler::Here);
    let renderer = host.renderer("slow").unwrap();
    let started = Instant::now();
    assert_eq!(code(renderer.render(&input())), Err("P16"));
    let asked = started.elapsed();
    assert!(renderer.is_compiling());
    // Policies answer, and so do looks at the folder.
    assert_eq!(host.health(&[], &[config("a")], now()).problems, []);
    assert_eq!(host.rescan(), []);
    let others = started.elapsed();
    assert_eq!(code(rendered(&renderer)), Ok(1));
    let compiled = started.elapsed();
    assert!(matches!(&changes(&host)[..], [Change::Serving { .. }]));
    assert!(
        asked < compiled / 4 && others < compiled / 2,
        "asked {asked:?}, others {others:?}, compiled {compiled:?}"
    );
}

#[test]
fn a_file_that_is_looked_at_says_what_it_is() {
    let (host, folder) = host_with("sound", &renderer(&guest("renderer-sound")));
    let Ok(Inspected::Renderer(info)) = host.inspect(&folder.path().join("sound.wasm")) else {
        panic!("it is a renderer");
    };
    assert_eq!(info.world, "render-files");
    assert_eq!(info.description, Some(serde_json::json!({"name": "hostile"})));
    let wasm = renderer(&guest("renderer-describe-trap"));
    write(folder.path(), "broken", &wasm);
    let refused = host.inspect(&folder.path().join("broken.wasm")).unwrap_err();
    assert_eq!(refused.code().id, "P08");
}
