//! Files of the plugin directory that come, change and go.

use sluice_hostile::build;
use sluice_model::Coded as _;
use sluice_model::health::HealthStatus;
use sluice_plugin_host::{Change, PluginHost};

use crate::{config, deployment, guest, host_with, now, verdicts};

#[test]
fn a_broken_file_leaves_the_old_version_serving() {
    let good = build(&guest("suspends"), "health-check");
    let (host, folder) = host_with("team", &good);
    let status = |host: &PluginHost| {
        host.health(&[], &[config("a")], now())
            .value
            .first()
            .map(|verdict| verdict.status)
    };
    assert_eq!(status(&host), Some(HealthStatus::Suspended));
    assert_eq!(host.rescan(), []);

    fs_err::write(folder.path().join("team.wasm"), b"broken").unwrap();
    let changes = host.rescan();
    let [Change::Rejected(rejected)] = changes.as_slice() else {
        panic!("{changes:?}")
    };
    assert_eq!((rejected.problem.code.id, rejected.still_serving), ("P04", true));
    assert_eq!(status(&host), Some(HealthStatus::Suspended));
    assert_eq!(host.rejected().len(), 1);

    // What is put right serves, and what is removed is gone.
    let better = guest("suspends").replace("assessment.suspended", "assessment.progressing");
    fs_err::write(folder.path().join("team.wasm"), build(&better, "health-check")).unwrap();
    assert!(matches!(host.rescan().as_slice(), [Change::Serving { .. }]));
    assert_eq!(status(&host), Some(HealthStatus::Progressing));
    assert_eq!(host.rejected(), []);
    fs_err::remove_file(folder.path().join("team.wasm")).unwrap();
    assert!(matches!(host.rescan().as_slice(), [Change::Removed { .. }]));
    assert_eq!(status(&host), Some(HealthStatus::Healthy));
}

#[test]
fn a_standard_plugin_is_replaced_by_a_file_of_its_name_and_kind() {
    let prune = build(&guest("prune-delete-all"), "prune-policy");
    let (host, _folder) = host_with("health-kubernetes", &prune);
    assert_eq!(
        host.rejected().first().map(|rejected| rejected.problem.code.id),
        Some("P06")
    );
    assert_eq!(
        host.health(&[], &[deployment()], now())
            .value
            .first()
            .map(|verdict| verdict.status),
        Some(HealthStatus::Suspended)
    );

    let (host, _folder) = host_with("prune-standard", &prune);
    assert_eq!(host.rejected(), []);
    // It claims ConfigMaps alone: on the Deployment nobody has an opinion, and that is held.
    assert_eq!(verdicts(&host).0, ["delete", "delete", "hold"]);
}

#[test]
fn a_folder_that_is_not_there_is_named_and_the_standard_plugins_serve() {
    let folder = tempfile::tempdir().unwrap();
    let host = PluginHost::with_directory(folder.path().join("none"));
    assert_eq!(
        host.rejected().first().map(|rejected| rejected.problem.code.id),
        Some("P01")
    );
    assert_eq!(
        host.health(&[], &[deployment()], now())
            .value
            .first()
            .map(|verdict| verdict.status),
        Some(HealthStatus::Suspended)
    );
}

/// What is called like a plugin and is none is named, and holds up nobody.
#[cfg(unix)]
#[test]
fn what_is_no_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let good = build(&guest("fickle-describe"), "health-check");
    fs_err::write(path("real"), &good).unwrap();
    fs_err::create_dir(path("folder.wasm")).unwrap();
    fs_err::os::unix::fs::symlink(path("nothing"), path("dangling.wasm")).unwrap();
    fs_err::os::unix::fs::symlink(path("circle.wasm"), path("circle.wasm")).unwrap();
    fs_err::os::unix::fs::symlink("/dev/zero", path("endless.wasm")).unwrap();
    fs_err::os::unix::fs::symlink(path("real"), path("linked.wasm")).unwrap();
    fs_err::write(path("prune-standard@x.wasm"), &good).unwrap();
    fs_err::write(path("new\nline.wasm"), &good).unwrap();
    let pipe = std::process::Command::new("mkfifo")
        .arg(path("pipe.wasm"))
        .status()
        .unwrap();
    assert!(pipe.success());

    let host = PluginHost::with_directory(folder.path());
    let mut refused: Vec<(String, &str)> = host
        .rejected()
        .into_iter()
        .map(|rejected| (rejected.problem.plugin, rejected.problem.code.id))
        .collect();
    refused.sort();
    let names = [
        "circle",
        "dangling",
        "endless",
        "folder",
        "new line",
        "pipe",
        "prune-standard@x",
    ];
    assert_eq!(refused, names.map(|name| (name.to_owned(), "P01")));
    assert_eq!(verdicts(&host), (vec!["delete", "hold", "delete"], vec![]));
    let list = host.list();
    assert!(list.value.iter().any(|info| info.name == "linked"));
    assert_eq!(host.rescan(), []);
    // Looked at by itself, it is refused as well.
    assert_eq!(host.inspect(&path("pipe.wasm")).unwrap_err().code().id, "P01");
}
