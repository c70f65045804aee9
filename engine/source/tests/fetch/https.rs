//! HTTP and HTTPS: who we are, who they are, and what lies in between.

use std::sync::Arc;

use sluice_model::{Coded as _, ErrorCode};
use sluice_sandbox::{Authority, Certificate, Door, GitServer, ProxyServer, Tls};
use sluice_source::{Access, Credentials, Secret, codes};

use crate::fixture::{Fixture, basic, check_error};
use crate::impostor::answering;

fn trusting(pem: &str) -> Access {
    Access {
        certificate_authorities: Some(Arc::from(pem.as_bytes())),
        ..Access::default()
    }
}

fn bearer(token: &str) -> Access {
    Access::from(Credentials::Bearer(Secret::new(token)))
}

fn secure(door: Door, certificate: &Certificate) -> GitServer {
    let tls = Tls {
        certificate,
        clients: None,
    };
    GitServer::start_with(door, Some(&tls)).unwrap()
}

#[test]
fn a_password_is_asked_for() {
    let fixture = Fixture::new();
    let server = GitServer::start_protected("ada", "s3cr3t").unwrap();
    let url = server.push(&fixture.work, "app").unwrap();
    let refused = |access: &Access| check_error(fixture.fetch(&url, access), &codes::AUTHENTICATION);
    let nothing_given = refused(&Access::default());
    assert!(
        nothing_given
            .to_string()
            .ends_with("wants credentials, and none were given"),
        "{nothing_given}"
    );
    assert!(
        nothing_given.hint().starts_with("name a Secret"),
        "{}",
        nothing_given.hint()
    );
    let wrong = refused(&basic("ada", "wr0ng"));
    assert!(wrong.to_string().ends_with("refuses the credentials"), "{wrong}");
    assert!(wrong.hint().starts_with("check the Secret"), "{}", wrong.hint());
    let said = fixture.refused(&url, &basic("ada", "wr0ng"), &codes::AUTHENTICATION);
    assert!(!said.contains("wr0ng"), "{said}");
    fixture.refused(&url, &bearer("x"), &codes::AUTHENTICATION);
    let fetched = fixture.fetch(&url, &basic("ada", "s3cr3t")).unwrap();
    assert_eq!(fetched.resolve("main").unwrap().commit, fixture.first);
    // What was fetched with good credentials is no way in for bad ones.
    fixture.refused(&url, &basic("ada", "wr0ng"), &codes::AUTHENTICATION);
}

#[test]
fn a_token_is_asked_for() {
    let fixture = Fixture::new();
    let server = GitServer::start_with(Door::Bearer("t0ken".into()), None).unwrap();
    let url = server.push(&fixture.work, "app").unwrap();
    fixture.refused(&url, &Access::default(), &codes::AUTHENTICATION);
    fixture.refused(&url, &basic("t0ken", "t0ken"), &codes::AUTHENTICATION);
    let said = fixture.refused(&url, &bearer("wr0ng"), &codes::AUTHENTICATION);
    assert!(!said.contains("wr0ng"), "{said}");
    fixture.fetch(&url, &bearer("t0ken")).unwrap();
}

#[test]
fn credentials_are_not_sent_in_the_clear() {
    let fixture = Fixture::new();
    fixture.refused("http://git.invalid/app.git", &basic("ada", "x"), &codes::URL);
    // Nor through a proxy, which may be anywhere.
    let server = GitServer::start_protected("ada", "s3cr3t").unwrap();
    let url = server.push(&fixture.work, "app").unwrap();
    let proxy = ProxyServer::start().unwrap();
    let access = Access {
        proxy: Some(Secret::new(format!("http://{}", proxy.address()))),
        ..basic("ada", "s3cr3t")
    };
    fixture.fetch(&url, &access).unwrap();
    assert_eq!(proxy.heads(), Vec::<String>::new());
}

#[test]
fn who_we_are_does_not_follow_a_redirect() {
    let fixture = Fixture::new();
    let elsewhere = "HTTP/1.1 302 Found\r\nlocation: http://localhost:1/r.git/info/refs?service=git-upload-pack\r\n\
                     content-length: 0\r\nconnection: close\r\n\r\n";
    let client = Authority::new("clients").unwrap().client("ada").unwrap();
    let known = Access {
        client_identity: Some(Secret::new(format!("{}{}", client.certificate, client.key))),
        ..Access::default()
    };
    for access in [basic("ada", "x"), bearer("x"), known] {
        let said = fixture.refused(&answering(elsewhere), &access, &codes::FETCH);
        assert!(said.contains("redirects to http://localhost:1/r.git"), "{said}");
    }
    // Somebody whom nobody knows may follow.
    fixture.refused(&answering(elsewhere), &Access::default(), &codes::UNREACHABLE);
}

#[test]
fn a_server_is_known_by_its_authority() {
    let fixture = Fixture::new();
    let authority = Authority::new("ours").unwrap();
    let certificate = authority.server("127.0.0.1").unwrap();
    let server = secure(Door::Basic("ada".into(), "s3cr3t".into()), &certificate);
    let url = server.push(&fixture.work, "app").unwrap();
    let mut access = trusting(authority.pem());
    access.credentials = basic("ada", "s3cr3t").credentials;
    let fetched = fixture.fetch(&url, &access).unwrap();
    assert_eq!(fetched.resolve("main").unwrap().commit, fixture.first);

    // The system does not know it.
    let said = fixture.refused(&url, &Access::default(), &codes::CERTIFICATE);
    assert!(said.contains(&certificate.fingerprint), "{said}");
    assert!(said.contains("one of the system's authorities"), "{said}");
    // Another authority of the same name.
    let other = Authority::new("ours").unwrap();
    let said = fixture.refused(&url, &trusting(other.pem()), &codes::CERTIFICATE);
    assert!(said.contains(&certificate.fingerprint), "{said}");
    assert!(said.contains("wanted is SHA256 "), "{said}");
    // One of many will do.
    let both = format!("{}{}", other.pem(), authority.pem());
    fixture
        .fetch(
            &url,
            &Access {
                certificate_authorities: Some(Arc::from(both.as_bytes())),
                ..access
            },
        )
        .unwrap();
}

#[test]
fn a_certificate_is_for_a_name() {
    let fixture = Fixture::new();
    let authority = Authority::new("ours").unwrap();
    let certificate = authority.server("git.example.org").unwrap();
    let server = secure(Door::Open, &certificate);
    let url = server.push(&fixture.work, "app").unwrap();
    let said = fixture.refused(&url, &trusting(authority.pem()), &codes::CERTIFICATE);
    assert!(said.contains(&certificate.fingerprint), "{said}");
    // Also where it is known by itself.
    fixture.refused(&url, &trusting(&certificate.certificate), &codes::CERTIFICATE);
}

#[test]
fn a_server_is_known_by_its_own_certificate() {
    let fixture = Fixture::new();
    let certificate = Certificate::self_signed("127.0.0.1").unwrap();
    let server = secure(Door::Open, &certificate);
    let url = server.push(&fixture.work, "app").unwrap();
    fixture.fetch(&url, &trusting(&certificate.certificate)).unwrap();
    let other = Certificate::self_signed("127.0.0.1").unwrap();
    let said = fixture.refused(&url, &trusting(&other.certificate), &codes::CERTIFICATE);
    assert!(said.contains(&certificate.fingerprint), "seen: {said}");
    assert!(said.contains(&other.fingerprint), "wanted: {said}");
}

#[test]
fn a_client_is_known_by_its_certificate() {
    let fixture = Fixture::new();
    let (servers, clients) = (
        Authority::new("servers").unwrap(),
        Authority::new("clients").unwrap(),
    );
    let certificate = servers.server("127.0.0.1").unwrap();
    let tls = Tls {
        certificate: &certificate,
        clients: Some(&clients),
    };
    let server = GitServer::start_with(Door::Open, Some(&tls)).unwrap();
    let url = server.push(&fixture.work, "app").unwrap();
    let known_as = |client: &Certificate| Access {
        client_identity: Some(Secret::new(format!("{}{}", client.certificate, client.key))),
        ..trusting(servers.pem())
    };
    let ada = clients.client("ada").unwrap();
    let fetched = fixture.fetch(&url, &known_as(&ada)).unwrap();
    assert_eq!(fetched.resolve("main").unwrap().commit, fixture.first);
    assert!(!fixture.fetch(&url, &known_as(&ada)).unwrap().changed);

    fixture.refused(&url, &trusting(servers.pem()), &codes::AUTHENTICATION);
    let stranger = servers.client("eve").unwrap();
    let said = fixture.refused(&url, &known_as(&stranger), &codes::AUTHENTICATION);
    assert!(said.contains("client certificate"), "{said}");
    let key = stranger.key.lines().nth(1).unwrap();
    assert!(!said.contains(key) && !format!("{:?}", known_as(&stranger)).contains(key));
}

#[test]
fn settings_that_cannot_be_used() {
    let fixture = Fixture::new();
    let client = Authority::new("clients").unwrap().client("ada").unwrap();
    let other = Authority::new("clients").unwrap().client("ada").unwrap();
    let identity = |pem: String| Access {
        client_identity: Some(Secret::new(pem)),
        ..Access::default()
    };
    let proxy = |url: &str| Access {
        proxy: Some(Secret::new(url)),
        ..Access::default()
    };
    let cases = [
        (trusting("nonsense"), "there is no certificate"),
        (trusting(&client.key), "there is no certificate"),
        (identity(client.certificate.clone()), "no private key"),
        (identity(client.key.clone()), "there is no certificate"),
        (
            identity(format!("{}{}", client.certificate, other.key)),
            "client certificate",
        ),
        (proxy("ftp://s3cr3t@proxy:1"), "the proxy"),
        (proxy("s3cr3t"), "the proxy"),
        (Access::from(Credentials::SshKey(Secret::new("x"))), "SSH key"),
        (bearer("x\ny"), "control characters"),
    ];
    for (access, word) in cases {
        let said = fixture.refused("https://127.0.0.1:1/r.git", &access, &codes::SETTING);
        assert!(said.contains(word) && !said.contains("s3cr3t"), "{said}");
    }
}

#[test]
fn a_proxy_is_gone_through() {
    let fixture = Fixture::new();
    let authority = Authority::new("ours").unwrap();
    let certificate = authority.server("127.0.0.1").unwrap();
    let server = secure(Door::Bearer("t0ken".into()), &certificate);
    let url = server.push(&fixture.work, "app").unwrap();
    let proxy = ProxyServer::start_protected("p", "pr0xy-s3cr3t").unwrap();
    let through = |proxy: String| Access {
        proxy: Some(Secret::new(proxy)),
        credentials: bearer("t0ken").credentials,
        ..trusting(authority.pem())
    };
    let good = through(format!("http://p:pr0xy-s3cr3t@{}", proxy.address()));
    let fetched = fixture.fetch(&url, &good).unwrap();
    assert_eq!(fetched.resolve("main").unwrap().commit, fixture.first);
    let heads = proxy.heads();
    assert!(
        !heads.is_empty() && heads.iter().all(|head| head.starts_with("CONNECT 127.0.0.1:")),
        "{heads:?}"
    );
    assert!(heads.iter().all(|head| !head.contains("t0ken")), "{heads:?}");
    assert!(!format!("{good:?}").contains("pr0xy-s3cr3t"));

    let check = |access: &Access, code: &ErrorCode| {
        let said = fixture.refused(&url, access, code);
        assert!(!said.contains("wr0ng") && !said.contains("t0ken"), "{said}");
        said
    };
    let wrong = through(format!("http://p:wr0ng@{}", proxy.address()));
    let said = check(&wrong, &codes::AUTHENTICATION);
    assert!(said.contains("proxy"), "{said}");
    let nowhere = sluice_sandbox::free_port().unwrap();
    check(
        &through(format!("http://p:wr0ng@127.0.0.1:{nowhere}")),
        &codes::UNREACHABLE,
    );
}

#[test]
fn a_proxy_reads_what_is_public() {
    let fixture = Fixture::new();
    let server = GitServer::start().unwrap();
    let url = server.push(&fixture.work, "app").unwrap();
    let proxy = ProxyServer::start().unwrap();
    let access = Access {
        proxy: Some(Secret::new(format!("http://{}", proxy.address()))),
        ..Access::default()
    };
    fixture.fetch(&url, &access).unwrap();
    let heads = proxy.heads();
    assert!(
        heads
            .iter()
            .any(|head| head.starts_with(&format!("GET {url}/info/refs"))),
        "{heads:?}"
    );
}
