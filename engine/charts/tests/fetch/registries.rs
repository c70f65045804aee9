//! Registries: charts that `helm push` puts there, and artifacts of manifests as Flux and Argo CD have them.

use std::process::Command;

use sluice_charts::{Kind, codes};
use sluice_sandbox::{Folder, GnuPg, Registry, helm, output};
use sluice_source::{Access, Credentials, Secret};

use crate::fixture::{Asking, package};

/// Pushes an artifact of one layer, as the distribution specification has it.
fn push(registry: &Registry, name: &str, tag: &str, config: &str, layers: &[(&str, &[u8])]) {
    let base = format!("http://{}/v2/{name}", registry.host());
    let blob = |bytes: &[u8]| -> String {
        let folder = Folder::new("blob").unwrap();
        let file = folder.write("blob", bytes).unwrap();
        let digest = sluice_charts::archive::digest_of(bytes);
        let head =
            output(Command::new("curl").args(["-sS", "-i", "-X", "POST", &format!("{base}/blobs/uploads/")]))
                .unwrap();
        let location = head
            .lines()
            .find_map(|line| line.strip_prefix("Location: "))
            .unwrap()
            .trim()
            .to_owned();
        let url = format!("{location}&digest=sha256:{digest}");
        put("application/octet-stream", &format!("@{}", file.display()), &url);
        digest
    };
    let described = |kind: &str, bytes: &[u8]| serde_json::json!({"mediaType": kind, "digest": format!("sha256:{}", blob(bytes)), "size": bytes.len()});
    let layers: Vec<_> = layers
        .iter()
        .map(|(kind, bytes)| described(kind, bytes))
        .collect();
    let media = "application/vnd.oci.image.manifest.v1+json";
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": media, "config": described(config, b"{}"), "layers": layers,
    });
    put(media, &manifest.to_string(), &format!("{base}/manifests/{tag}"));
}

/// Uploads a text, or, after `@`, a file.
fn put(media: &str, content: &str, url: &str) {
    output(
        Command::new("curl")
            .args(["-sS", "-f", "-X", "PUT", "-H", &format!("Content-Type: {media}")])
            .args(["--data-binary", content, url]),
    )
    .unwrap();
}

/// A folder packed as `tar -cz` does it.
fn packed(files: &[(&str, &str)]) -> Vec<u8> {
    let folder = Folder::new("tree").unwrap();
    for (name, content) in files {
        folder.write(&format!("in/{name}"), content).unwrap();
    }
    let archive = folder.path().join("out.tgz");
    output(
        Command::new("tar")
            .arg("-czf")
            .arg(&archive)
            .arg("-C")
            .arg(folder.path().join("in"))
            .arg("."),
    )
    .unwrap();
    fs_err::read(archive).unwrap()
}

fn push_chart(registry: &Registry, archive: &std::path::Path) {
    let folder = archive.parent().unwrap();
    let to = format!("oci://{}/charts", registry.host());
    let mut helm = helm(folder).unwrap();
    output(helm.arg("push").arg(archive).args([&to, "--plain-http"])).unwrap();
}

#[test]
fn a_chart_that_helm_pushed() {
    let registry = Registry::start().unwrap();
    let folder = Folder::new("archives").unwrap();
    let gpg = GnuPg::new().unwrap();
    let key = gpg.generate("Ada <ada@example.org>").unwrap();
    for (version, signing) in [
        ("1.0.0", None),
        ("1.1.0+build.1", Some((&gpg, &key))),
        ("2.0.0-rc.1", None),
    ] {
        let archive = package(folder.path(), "shop", version, signing);
        push_chart(&registry, &archive);
    }
    let url = format!("oci://{}/charts/shop", registry.host());
    let asking = Asking::new();
    for (wanted, version) in [
        ("HEAD", "1.1.0+build.1"),
        ("~1.0", "1.0.0"),
        ("1.1.0+build.1", "1.1.0+build.1"),
        (">=2-0", "2.0.0-rc.1"),
    ] {
        let fetched = asking.fetch(&url, None, wanted);
        assert_eq!(fetched.version, version, "{wanted}");
        assert_eq!(fetched.archive.kind(), Kind::Chart);
        assert_eq!(
            fetched.archive.provenance().is_some(),
            version.contains("build"),
            "{wanted}"
        );
    }
    // As Argo CD writes it, and by the digest that a status has.
    let host = format!("{}/charts", registry.host());
    let first = asking.fetch(&host, Some("shop"), "1.0.0");
    assert_eq!(asking.fetch(&url, None, &first.revision.commit).version, "1.0.0");
    assert_eq!(
        Asking::new().fetch(&url, None, &first.revision.commit).version,
        "1.0.0"
    );
    let said = asking.check(&url, None, "^3", &codes::UNKNOWN_VERSION);
    assert!(said.contains("1.1.0+build.1"), "{said}");
    asking.check(&url, None, "9.9.9", &codes::UNKNOWN_VERSION);
    asking.check(
        &format!("{url}-not"),
        None,
        "HEAD",
        &sluice_source::codes::UNKNOWN_REPOSITORY,
    );
}

#[test]
fn artifacts_of_manifests() {
    let registry = Registry::start().unwrap();
    let archive = packed(&[
        ("base/a.yaml", "kind: A\n"),
        ("kustomization.yaml", "resources: [base/a.yaml]\n"),
    ]);
    let flux = "application/vnd.cncf.flux.config.v1+json";
    push(
        &registry,
        "flux",
        "latest",
        flux,
        &[("application/vnd.cncf.flux.content.v1.tar+gzip", &archive)],
    );
    push(
        &registry,
        "flux",
        "v1.0.0",
        flux,
        &[("application/vnd.cncf.flux.content.v1.tar+gzip", &archive)],
    );
    let argo = "application/vnd.oci.image.config.v1+json";
    push(
        &registry,
        "argo",
        "main",
        argo,
        &[("application/vnd.oci.image.layer.v1.tar+gzip", &archive)],
    );
    let image = [("application/vnd.oci.image.layer.v1.tar+gzip", &archive[..]); 2];
    push(&registry, "image", "latest", argo, &image);
    let asking = Asking::new();
    for (name, wanted) in [
        ("flux", "HEAD"),
        ("flux", "latest"),
        ("flux", "^1"),
        ("argo", "main"),
    ] {
        let fetched = asking.fetch(&format!("oci://{}/{name}", registry.host()), None, wanted);
        assert_eq!(fetched.archive.kind(), Kind::Files);
        assert_eq!(fetched.tree("").unwrap().files.len(), 2);
        assert_eq!(fetched.tree("base").unwrap().files.len(), 1);
        let error = fetched.tree("other").unwrap_err();
        assert_eq!(sluice_model::Coded::code(&error).id, codes::UNKNOWN_PATH.id);
    }
    let image = format!("oci://{}/image", registry.host());
    asking.check(&image, None, "latest", &codes::ARTIFACT);
    let argo = format!("oci://{}/argo", registry.host());
    asking.check(&argo, None, "HEAD", &codes::UNKNOWN_VERSION);

    let hostile = Folder::new("hostile").unwrap();
    output(
        Command::new("ln")
            .args(["-s", "/etc/passwd"])
            .arg(hostile.path().join("link")),
    )
    .unwrap();
    hostile.write("a.yaml", "kind: A\n").unwrap();
    let file = hostile.path().join("../hostile.tgz");
    output(
        Command::new("tar")
            .arg("-czf")
            .arg(&file)
            .arg("-C")
            .arg(hostile.path())
            .arg("."),
    )
    .unwrap();
    let bytes = fs_err::read(&file).unwrap();
    fs_err::remove_file(&file).unwrap();
    push(
        &registry,
        "hostile",
        "latest",
        flux,
        &[("application/vnd.cncf.flux.content.v1.tar+gzip", &bytes)],
    );
    asking.check(
        &format!("oci://{}/hostile", registry.host()),
        None,
        "latest",
        &codes::HOSTILE,
    );
}

#[test]
fn a_registry_that_knows_its_users() {
    let registry = Registry::start_protected().unwrap();
    let folder = Folder::new("archives").unwrap();
    let archive = package(folder.path(), "shop", "1.0.0", None);
    let to = format!("oci://{}/charts", registry.host());
    let mut helm = helm(folder.path()).unwrap();
    output(helm.arg("push").arg(&archive).args([
        &to,
        "--plain-http",
        "--username",
        "robot",
        "--password",
        "secret",
    ]))
    .unwrap();
    let url = format!("{to}/shop");
    let access = |password: &str| {
        Access::from(Credentials::Basic {
            username: "robot".to_owned(),
            password: Secret::new(password),
        })
    };
    assert_eq!(
        Asking::with(access("secret")).fetch(&url, None, "HEAD").version,
        "1.0.0"
    );
    for access in [Access::default(), access("wrong")] {
        Asking::with(access).check(&url, None, "HEAD", &sluice_source::codes::AUTHENTICATION);
    }
}

#[test]
fn a_registry_that_makes_no_sense() {
    let server = sluice_sandbox::FileServer::start().unwrap();
    let place = server.url().replace("http://", "oci://");
    server.write("v2/shop/tags/list", "<html>").unwrap();
    Asking::new().check(&format!("{place}/shop"), None, "*", &codes::REGISTRY);

    // A layer that is not what its digest says.
    let layer = "a".repeat(64);
    let manifest = format!(
        r#"{{"schemaVersion":2,"config":{{"mediaType":"application/vnd.cncf.helm.config.v1+json"}},"layers":[{{"mediaType":"application/vnd.cncf.helm.chart.content.v1.tar+gzip","digest":"sha256:{layer}","size":1}}]}}"#
    );
    server.write("v2/shop/manifests/1.0.0", &manifest).unwrap();
    server
        .write(&format!("v2/shop/blobs/sha256:{layer}"), "x")
        .unwrap();
    Asking::new().check(&format!("{place}/shop"), None, "1.0.0", &codes::DIGEST);
}
