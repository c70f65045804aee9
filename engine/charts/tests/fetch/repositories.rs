//! Chart repositories.

use std::sync::Arc;

use sluice_charts::codes;
use sluice_sandbox::{Authority, Door, FileServer, Tls};
use sluice_source::{Access, Credentials, Secret};

use crate::fixture::{Asking, index, package};

fn served(versions: &[&str]) -> FileServer {
    let server = FileServer::start().unwrap();
    for version in versions {
        package(server.path(), "shop", version, None);
    }
    index(server.path());
    server
}

fn basic(user: &str, password: &str) -> Access {
    Access::from(Credentials::Basic {
        username: user.to_owned(),
        password: Secret::new(password),
    })
}

#[test]
fn a_range_is_followed_and_nothing_is_fetched_twice() {
    let server = served(&["1.0.0", "1.1.0", "2.0.0-rc.1"]);
    let asking = Asking::new();
    let first = asking.fetch(&server.url(), Some("shop"), "^1");
    assert_eq!(first.version, "1.1.0");
    assert_eq!(first.revision.commit, first.archive.digest());
    let tree = first.tree("").unwrap();
    assert_eq!(tree.path, "shop");
    assert!(tree.files.contains_key("shop/templates/map.yaml"));
    assert_eq!(asking.fetch(&server.url(), Some("shop"), "HEAD").version, "1.1.0");
    assert_eq!(
        asking.fetch(&server.url(), Some("shop"), ">=1.0.0-0").version,
        "2.0.0-rc.1"
    );

    drop(server.take_requests());
    let again = asking.fetch(&server.url(), Some("shop"), "^1");
    assert_eq!(again.revision.commit, first.revision.commit);
    let requests = server.take_requests();
    let asked: Vec<_> = requests
        .iter()
        .map(|one| (one.path.as_str(), one.status))
        .collect();
    // Whether it has a provenance file by now is asked again: it had none.
    assert_eq!(asked[0], ("/index.yaml", 304), "{asked:?}");

    package(server.path(), "shop", "1.2.0", None);
    index(server.path());
    assert_eq!(asking.fetch(&server.url(), Some("shop"), "^1").version, "1.2.0");
    // What was there before is found by its digest.
    let back = asking.fetch(&server.url(), Some("shop"), &first.revision.commit);
    assert_eq!(back.version, "1.1.0");
}

#[test]
fn what_is_not_there_is_named() {
    let server = served(&["1.0.0"]);
    let (asking, url) = (Asking::new(), server.url());
    let said = asking.check(&url, Some("shop"), "^2", &codes::UNKNOWN_VERSION);
    assert!(said.contains("1.0.0"), "{said}");
    asking.check(&url, Some("other"), "*", &codes::UNKNOWN_CHART);
    asking.check(&url, Some("shop"), "^^1", &codes::RANGE);
    asking.check(&url, None, "*", &codes::PLACE);
    asking.check(
        &format!("{url}/below"),
        Some("shop"),
        "*",
        &sluice_source::codes::UNKNOWN_REPOSITORY,
    );
    server.write("index.yaml", "<html>").unwrap();
    asking.check(&url, Some("shop"), "*", &codes::INDEX);
}

#[test]
fn what_was_changed_is_refused() {
    let server = served(&["1.0.0"]);
    let other = package(server.path(), "shop", "1.0.1", None);
    let (asking, url) = (Asking::new(), server.url());
    let bytes = fs_err::read(&other).unwrap();
    server.write("shop-1.0.0.tgz", &bytes).unwrap();
    asking.check(&url, Some("shop"), "*", &codes::DIGEST);

    // An index that gives one version out as another.
    let digest = sluice_charts::archive::digest_of(&bytes);
    let entry = format!(
        "apiVersion: v1\nentries:\n  shop:\n  - {{name: shop, version: 3.0.0, digest: {digest}, urls: [shop-1.0.1.tgz]}}\n"
    );
    server.write("index.yaml", &entry).unwrap();
    let said = asking.check(&url, Some("shop"), "*", &codes::ANOTHER);
    assert!(said.contains("shop 1.0.1") && said.contains("3.0.0"), "{said}");

    server.write("shop-1.0.1.tgz", "no archive").unwrap();
    let digest = sluice_charts::archive::digest_of(b"no archive");
    let entry = format!(
        "apiVersion: v1\nentries:\n  shop:\n  - {{name: shop, version: 4.0.0, digest: {digest}, urls: [shop-1.0.1.tgz]}}\n"
    );
    server.write("index.yaml", entry).unwrap();
    asking.check(&url, Some("shop"), "*", &codes::ARCHIVE);
}

#[test]
fn a_cache_that_was_changed_is_not_believed() {
    let server = served(&["1.0.0"]);
    let asking = Asking::new();
    let first = asking.fetch(&server.url(), Some("shop"), "*");
    let folder = asking.folder.path().join("charts");
    let kept = folder.join(format!("{}.chart", first.revision.commit));
    fs_err::write(&kept, "other").unwrap();
    let again = asking.fetch(&server.url(), Some("shop"), "*");
    assert_eq!(again.archive.bytes(), first.archive.bytes());

    let file = asking.folder.write("file", "x").unwrap();
    let nowhere = Asking {
        charts: sluice_charts::Charts::new(file.join("below")),
        ..Asking::new()
    };
    nowhere.check(&server.url(), Some("shop"), "*", &codes::CACHE);
}

#[test]
fn credentials_stay_with_their_host() {
    let server = FileServer::start_with(Door::Basic("ada".to_owned(), "p".to_owned()), None).unwrap();
    let elsewhere = FileServer::start().unwrap();
    let archive = package(elsewhere.path(), "shop", "1.0.0", None);
    let digest = sluice_charts::archive::digest_of(&fs_err::read(archive).unwrap());
    let entry = |url: &str| {
        format!(
            "apiVersion: v1\nentries:\n  shop:\n  - {{name: shop, version: 1.0.0, digest: {digest}, urls: ['{url}']}}\n"
        )
    };
    // By the index, and by a redirect.
    server.redirect("/moved.tgz", &format!("{}/shop-1.0.0.tgz", elsewhere.url()));
    for url in [
        format!("{}/shop-1.0.0.tgz", elsewhere.url()),
        "moved.tgz".to_owned(),
    ] {
        server.write("index.yaml", entry(&url)).unwrap();
        let asking = Asking::with(basic("ada", "p"));
        assert_eq!(asking.fetch(&server.url(), Some("shop"), "*").version, "1.0.0");
        let seen = elsewhere.take_requests();
        assert!(
            !seen.is_empty() && seen.iter().all(|request| !request.has_authorization),
            "{seen:?}"
        );
        assert!(
            server
                .take_requests()
                .iter()
                .any(|request| request.has_authorization)
        );
    }
    for access in [Access::default(), basic("ada", "wrong")] {
        let said = Asking::with(access).check(
            &server.url(),
            Some("shop"),
            "*",
            &sluice_source::codes::AUTHENTICATION,
        );
        assert!(!said.contains("wrong"), "{said}");
    }
}

#[test]
fn servers_are_judged_by_their_certificates() {
    let authority = Authority::new("charts").unwrap();
    let certificate = authority.server("127.0.0.1").unwrap();
    let tls = Tls {
        certificate: &certificate,
        clients: Some(&authority),
    };
    let server = FileServer::start_with(Door::Open, Some(&tls)).unwrap();
    package(server.path(), "shop", "1.0.0", None);
    index(server.path());
    let client = authority.client("ada").unwrap();
    let known = Access {
        certificate_authorities: Some(Arc::from(authority.pem().as_bytes())),
        client_identity: Some(Secret::new(format!("{}\n{}", client.certificate, client.key))),
        ..Access::default()
    };
    assert_eq!(
        Asking::with(known)
            .fetch(&server.url(), Some("shop"), "*")
            .version,
        "1.0.0"
    );
    Asking::new().check(
        &server.url(),
        Some("shop"),
        "*",
        &sluice_source::codes::CERTIFICATE,
    );
}

#[test]
fn more_than_is_allowed_is_not_read() {
    let server = FileServer::start().unwrap();
    let digest = "0".repeat(64);
    let entry = format!(
        "apiVersion: v1\nentries:\n  shop:\n  - {{name: shop, version: 1.0.0, digest: {digest}, urls: [large.tgz]}}\n"
    );
    server.write("index.yaml", entry).unwrap();
    server.write("large.tgz", vec![0; 51 << 20]).unwrap();
    Asking::new().check(&server.url(), Some("shop"), "*", &sluice_source::codes::TOO_LARGE);
    server.write("index.yaml", vec![b' '; 65 << 20]).unwrap();
    Asking::new().check(&server.url(), Some("shop"), "*", &sluice_source::codes::TOO_LARGE);
}
