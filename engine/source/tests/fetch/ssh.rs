//! SSH: keys, known hosts, and that nothing secret is on a command line.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use sluice_sandbox::{Folder, SshServer};
use sluice_source::{Access, Cancel, Credentials, KnownHosts, Secret, codes};

use crate::fixture::{Fixture, basic, check_error};

fn lines(text: &str) -> KnownHosts {
    KnownHosts::Lines(Arc::from(text.as_bytes()))
}

fn access(server: &SshServer, known_hosts: KnownHosts) -> Access {
    // A Secret that went through a text editor has often lost its last line end.
    let key = fs_err::read_to_string(server.private_key()).unwrap();
    Access {
        known_hosts,
        ..Access::from(Credentials::SshKey(Secret::new(key.trim_end())))
    }
}

#[test]
fn a_key_and_a_known_host() {
    let fixture = Fixture::new();
    let server = SshServer::start().unwrap();
    let url = server.url(fixture.work.path());
    let folder = Folder::new("known").unwrap();
    let known = server.known_host().unwrap();
    let file = folder.write("known hosts %h", &known).unwrap();
    for hosts in [KnownHosts::File(file), lines(&known), lines(known.trim_end())] {
        let fetched = fixture.fetch(&url, &access(&server, hosts.clone())).unwrap();
        assert_eq!(fetched.resolve("main").unwrap().commit, fixture.first);
        assert!(!fixture.fetch(&url, &access(&server, hosts)).unwrap().changed);
    }
    let other = SshServer::start().unwrap();
    let wrong = Access {
        credentials: access(&other, KnownHosts::User).credentials,
        ..access(&server, lines(&known))
    };
    fixture.refused(&url, &wrong, &codes::AUTHENTICATION);
    let nowhere = server.url(Path::new("/nowhere/it's-here"));
    let good = access(&server, lines(&known));
    let said = fixture.refused(&nowhere, &good, &codes::UNKNOWN_REPOSITORY);
    // `ssh` is asked to be talkative, and nobody wants to read that.
    for talk in ["debug1", "Transferred", "ytes per second", "Authenticated"] {
        assert!(!said.contains(talk), "{said}");
    }
    let missing = KnownHosts::File("/nowhere/known_hosts".into());
    let said = fixture.refused(&url, &access(&server, missing), &codes::SETTING);
    assert!(
        said.contains("/nowhere/known_hosts") && said.contains("known hosts"),
        "{said}"
    );
    let said = fixture.refused(&url, &basic("ada", "s3cr3t"), &codes::SETTING);
    assert!(!said.contains("s3cr3t"), "{said}");
    let proxy = Access {
        proxy: Some(Secret::new("http://p:s3cr3t@127.0.0.1:1")),
        ..good
    };
    let said = fixture.refused(&url, &proxy, &codes::SETTING);
    assert!(said.contains("proxy") && !said.contains("s3cr3t"), "{said}");
}

#[test]
fn another_host_key_than_the_known_one() {
    let fixture = Fixture::new();
    let (server, other) = (SshServer::start().unwrap(), SshServer::start().unwrap());
    let url = server.url(fixture.work.path());
    let (line, other_line) = (server.known_host().unwrap(), other.known_host().unwrap());
    let (place, _) = line.split_once(' ').unwrap();
    let (_, other_key) = other_line.split_once(' ').unwrap();
    let forged = format!("{place} {other_key}");
    let said = fixture.refused(&url, &access(&server, lines(&forged)), &codes::HOST_KEY);
    assert!(said.contains(&server.fingerprint().unwrap()), "seen: {said}");
    assert!(said.contains(&other.fingerprint().unwrap()), "wanted: {said}");

    // The same where the names of hosts are hashed.
    let folder = Folder::new("hashed").unwrap();
    let file = folder.write("hosts", &forged).unwrap();
    let hashed = Command::new("ssh-keygen").arg("-Hf").arg(&file).output().unwrap();
    assert!(hashed.status.success());
    let said = fixture.refused(&url, &access(&server, KnownHosts::File(file)), &codes::HOST_KEY);
    assert!(said.contains(&other.fingerprint().unwrap()), "wanted: {said}");

    // A host of which nothing is known.
    let said = fixture.refused(&url, &access(&server, lines(&other_line)), &codes::HOST_KEY);
    assert!(said.contains(&server.fingerprint().unwrap()), "seen: {said}");
    assert!(said.contains("and none is known"), "{said}");
    assert!(!said.contains("debug1"), "{said}");
    fixture.refused(&url, &access(&server, lines("")), &codes::HOST_KEY);
}

/// The command line of the `ssh` that speaks with a port, as everybody on the machine can read it.
fn command_line(port: u16) -> Option<Vec<String>> {
    let processes = fs_err::read_dir("/proc").unwrap();
    processes.flatten().find_map(|process| {
        let bytes = fs_err::read(process.path().join("cmdline")).ok()?;
        let words: Vec<String> = bytes
            .split(|byte| *byte == 0)
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .collect();
        (words[0].ends_with("ssh") && words.contains(&port.to_string())).then_some(words)
    })
}

#[test]
fn nothing_secret_is_on_a_command_line() {
    let fixture = Fixture::new();
    // Takes connections and says nothing.
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let cancel = Cancel::default();
    let access = Access {
        cancel: cancel.clone(),
        known_hosts: lines("a-known-host ssh-ed25519 AAAA"),
        ..Access::from(Credentials::SshKey(Secret::new("the-private-key")))
    };
    let fetch = std::thread::spawn(move || fixture.fetch(&format!("ssh://git@127.0.0.1:{port}/r"), &access));
    let words = sluice_sandbox::wait_for("ssh", Duration::from_secs(20), || {
        command_line(port).ok_or_else(|| std::io::Error::other("not yet").into())
    })
    .unwrap();
    assert!(!words.join(" ").contains("the-private-key"), "{words:?}");
    assert!(
        words.contains(&"StrictHostKeyChecking=yes".to_owned()),
        "{words:?}"
    );
    let place = words.iter().position(|word| word == "-i").unwrap();
    let key = PathBuf::from(&words[place + 1]);
    assert_eq!(fs_err::read_to_string(&key).unwrap(), "the-private-key\n");
    let mode = fs_err::metadata(&key).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    cancel.cancel();
    check_error(fetch.join().unwrap(), &codes::CANCELLED);
    assert!(!key.exists(), "it goes with the fetch");
}
