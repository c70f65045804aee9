//! Charts of chart repositories and registries on a real cluster: a range is followed, and never back where signatures are asked for.

use std::path::Path;

use anyhow::ensure;
use serde_json::{Value, json};
use sluice_cluster_tests::{Engine, World, condition, text};
use sluice_sandbox::{FileServer, Folder, GnuPg, Key, Registry, helm, index_charts, output, package_chart};

use crate::signed::said;

/// A chart `shop` of one ConfigMap, which has the chart's version. With a URL it depends on `store` of that repository.
fn shop(version: &str, repository: Option<&str>) -> Folder {
    let folder = Folder::new("chart").unwrap();
    let dependencies = repository.map_or(String::new(), |url| {
        format!("dependencies:\n- {{name: store, version: ^2, repository: '{url}'}}\n")
    });
    chart(&folder, "shop", version, &dependencies);
    folder
}

fn chart(folder: &Folder, name: &str, version: &str, dependencies: &str) {
    let file = |name: &str, content: String| drop(folder.write(name, content).unwrap());
    file(
        "chart/Chart.yaml",
        format!("apiVersion: v2\nname: {name}\nversion: {version}\n{dependencies}"),
    );
    file(
        "chart/templates/map.yaml",
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{version: {{{{ .Chart.Version | quote }}}}}}\n"
        ),
    );
}

/// As [`publish`], a chart whose dependency is elsewhere: `helm package` takes none that `helm dependency build` was not run for.
fn publish_without_dependencies(server: &FileServer, chart: &Folder, version: &str) {
    let archive = server.path().join(format!("shop-{version}.tgz"));
    let mut tar = std::process::Command::new("tar");
    tar.arg("-czf")
        .arg(archive)
        .args(["--transform", "s/^chart/shop/", "-C"])
        .arg(chart.path())
        .arg("chart");
    output(&mut tar).unwrap();
    index_charts(server.path()).unwrap();
}

/// Packages a chart into a chart repository, and makes its index anew.
fn publish(server: &FileServer, chart: &Folder, signer: Option<(&GnuPg, &Key)>) {
    package_chart(&chart.path().join("chart"), server.path(), signer).unwrap();
    index_charts(server.path()).unwrap();
}

fn application(world: &World<'_>, url: &str, range: &str) -> Value {
    let mut application = world.application();
    application["spec"]["source"] = json!({"repoURL": url, "chart": "shop", "targetRevision": range});
    application
}

/// Waits until the cluster is at a version of the chart, and returns the status.
fn at(world: &World<'_>, version: &str) -> Value {
    let status = world
        .wait_status(|status| {
            ensure!(text(status, "/sync/version") == version, "not at {version}");
            ensure!(text(status, "/sync/status") == "Synced", "not Synced");
            Ok(())
        })
        .unwrap();
    let map = world.object("configmap/shop").unwrap();
    assert_eq!(text(&map, "/data/version"), version);
    status
}

fn digest(archive: &Path) -> String {
    let sum = output(std::process::Command::new("sha256sum").arg(archive)).unwrap();
    sum.split_whitespace().next().unwrap().to_owned()
}

#[test]
fn a_range_moves_the_application_by_itself() {
    let engine = Engine::without_controller().unwrap();
    engine.start_controller(&["--poll", "2s"]).unwrap();
    let world = World::new(&engine, "chart-range").unwrap();
    let server = FileServer::start().unwrap();
    let url = server.url();
    let store = Folder::new("chart").unwrap();
    chart(&store, "store", "2.3.0", "");
    publish(&server, &store, None);
    publish_without_dependencies(&server, &shop("1.0.0", Some(&url)), "1.0.0");
    world.apply(&application(&world, &url, "^1")).unwrap();
    let status = at(&world, "1.0.0");
    let first = digest(&server.path().join("shop-1.0.0.tgz"));
    assert_eq!(text(&status, "/sync/revision"), first);
    assert_eq!(
        text(&world.object("configmap/store").unwrap(), "/data/version"),
        "2.3.0"
    );

    // Nobody tells the controller.
    publish_without_dependencies(&server, &shop("1.1.0", Some(&url)), "1.1.0");
    let status = at(&world, "1.1.0");
    let second = digest(&server.path().join("shop-1.1.0.tgz"));
    assert_eq!(text(&status, "/sync/revision"), second);
    let fetched = said(&status, "SourceReady");
    assert_eq!(fetched, format!("^1 is 1.1.0 (sha256:{second})"));
    // A version that the range does not allow changes nothing.
    publish_without_dependencies(&server, &shop("2.0.0", Some(&url)), "2.0.0");
    world.refresh().unwrap();
    at(&world, "1.1.0");

    let short = second.get(..12).unwrap();
    let told = world.done(&["get", "app"]);
    assert!(told.contains(&format!(" 1.1.0 ({short})")), "{told}");
    let told = world.done(&["status", "app"]);
    assert!(told.contains(&format!("at 1.1.0 ({short})")), "{told}");
    assert!(told.contains(&format!("chart shop ^1 of {url}")), "{told}");
    let wide = world
        .kubectl(&["get", "applications.sluice.dev", "app", "-o", "wide"])
        .unwrap();
    assert!(wide.contains("VERSION") && wide.contains(" 1.1.0 "), "{wide}");

    let told = world.done(&["source", "inspect", "app"]);
    let store = digest(&server.path().join("store-2.3.0.tgz"));
    let depends = format!("store ^2: 2.3.0 of {url} ({})", store.get(..12).unwrap());
    assert!(told.contains("shop 1.1.0") && told.contains(&depends), "{told}");
    let told: Value = serde_json::from_str(&world.done(&["source", "inspect", "app", "-o", "json"])).unwrap();
    assert_eq!(told["chart"], json!({"name": "shop", "version": "1.1.0"}));
    assert_eq!(
        told["dependencies"],
        json!([{"name": "store", "wanted": "^2", "version": "2.3.0", "from": url, "digest": store}])
    );
}

#[test]
fn an_old_index_holds_a_signed_chart_where_it_is() {
    let world = World::shared("chart-signed").unwrap();
    let server = FileServer::start().unwrap();
    let gpg = GnuPg::new().unwrap();
    let key = gpg.generate("Ada <ada@example.org>").unwrap();
    let keys = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "keys", "namespace": world.namespace},
        "data": {"team.asc": gpg.export(&key).unwrap()},
    });
    world.apply(&keys).unwrap();
    publish(&server, &shop("1.0.0", None), Some((&gpg, &key)));
    let old_index = fs_err::read(server.path().join("index.yaml")).unwrap();
    publish(&server, &shop("1.1.0", None), Some((&gpg, &key)));
    let mut application = application(&world, &server.url(), "^1");
    application["spec"]["verification"] =
        json!({"mode": "chain", "keyrings": [{"configMap": {"name": "keys"}}]});
    world.apply(&application).unwrap();
    let status = at(&world, "1.1.0");
    assert_eq!(text(&status, "/verification/trustedVersion"), "1.1.0");
    assert_eq!(text(&status, "/verification/signer"), key.fingerprint);

    // Every version in it is well signed.
    server.write("index.yaml", &old_index).unwrap();
    world.refresh().unwrap();
    let refused = |code: &str| {
        let judge = |status: &Value| {
            let verified = condition(status, "Verified")?;
            ensure!(verified["status"] == "False", "not refused");
            ensure!(text(verified, "/reason").starts_with(code), "not {code}");
            Ok(())
        };
        let status = world.wait_status(judge).unwrap();
        assert_eq!(text(&status, "/sync/version"), "1.1.0");
        let map = world.object("configmap/shop").unwrap();
        assert_eq!(text(&map, "/data/version"), "1.1.0");
        status
    };
    let status = refused("V15");
    let old = digest(&server.path().join("shop-1.0.0.tgz"));
    assert_eq!(text(&status, "/verification/refusedRevision"), old);
    let told = world.done(&["status", "app"]);
    assert!(
        told.contains("1.1.0 (") && told.contains(&format!("--history {old}")),
        "{told}"
    );

    // One that is newer, and signed by nobody.
    publish(&server, &shop("1.2.0", None), None);
    world.refresh().unwrap();
    refused("V03");

    // A person who knows why may go back.
    server.write("index.yaml", &old_index).unwrap();
    world.refresh().unwrap();
    refused("V15");
    world.done(&["approve", "app", "--history", &old]);
    at(&world, "1.0.0");
}

#[test]
fn a_registrys_tags_are_followed_too() {
    let world = World::shared("chart-registry").unwrap();
    let registry = Registry::start().unwrap();
    let archives = Folder::new("archives").unwrap();
    let to = format!("oci://{}/charts", registry.host());
    let push = |version: &str| {
        package_chart(&shop(version, None).path().join("chart"), archives.path(), None).unwrap();
        let archive = archives.path().join(format!("shop-{version}.tgz"));
        let mut push = helm(archives.path()).unwrap();
        output(push.arg("push").arg(&archive).args([&to, "--plain-http"])).unwrap();
        digest(&archive)
    };
    push("1.0.0");
    world.apply(&application(&world, &to, "1.x")).unwrap();
    at(&world, "1.0.0");
    let second = push("1.1.0");
    world.refresh().unwrap();
    let status = at(&world, "1.1.0");
    assert_eq!(text(&status, "/sync/revision"), second);
}
