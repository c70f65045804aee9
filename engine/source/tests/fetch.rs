//! Fetching from real Git servers over every transport, and what happens when they misbehave.
#![expect(clippy::unwrap_used, reason = "the shared parts of tests are tests too")]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use sluice_model::error::{Coded as _, ErrorCode, one_line};
use sluice_sandbox::{Folder, GitServer, Repository, Service, Signature, SshServer};
use sluice_source::{Access, Cancel, Credentials, Repositories, Secret, SourceError, TreeLimits, codes};

struct Fixture {
    _folder: Folder,
    repositories: Repositories,
    work: Repository,
    first: String,
}

fn fixture() -> Fixture {
    let folder = Folder::new("mirrors").unwrap();
    let repositories = Repositories::open(folder.path().join("cache")).unwrap();
    let work = Repository::new().unwrap();
    work.write("app/deployment.yaml", "kind: Deployment\n").unwrap();
    let first = work.commit("first", Signature::None).unwrap();
    Fixture {
        _folder: folder,
        repositories,
        work,
        first,
    }
}

fn file_url(path: &Path) -> String {
    format!("file://{}", path.display())
}

#[track_caller]
fn check_error<T: std::fmt::Debug>(result: Result<T, SourceError>, code: &ErrorCode) -> SourceError {
    let error = result.expect_err("this must fail");
    assert_eq!(error.code(), code, "{}", one_line(&error));
    error
}

#[test]
fn a_branch_is_followed_over_http() {
    let Fixture {
        _folder,
        repositories,
        work,
        first,
    } = fixture();
    let server = GitServer::start().unwrap();
    let url = server.push(&work, "app").unwrap();
    let access = Access::default();

    let fetched = repositories.fetch(&url, &access).unwrap();
    assert!(fetched.changed);
    let revision = fetched.resolve("main").unwrap();
    assert_eq!(revision.commit, first);
    assert_eq!(fetched.resolve("HEAD").unwrap().commit, first);
    let tree = fetched.tree(&revision, "app", &TreeLimits::default()).unwrap();
    assert_eq!(tree.files.keys().collect::<Vec<_>>(), ["app/deployment.yaml"]);

    work.write("app/service.yaml", "kind: Service\n").unwrap();
    let second = work.commit("second", Signature::None).unwrap();
    server.push(&work, "app").unwrap();
    let fetched = repositories.fetch(&url, &access).unwrap();
    assert!(fetched.changed);
    assert_eq!(fetched.resolve("main").unwrap().commit, second);
    let history = fetched
        .history(&fetched.resolve("main").unwrap(), Some(&first), 100)
        .unwrap();
    assert_eq!(
        history
            .commits
            .iter()
            .map(|commit| commit.id.as_str())
            .collect::<Vec<_>>(),
        [&second]
    );
}

#[test]
fn nothing_new_is_one_question() {
    let Fixture {
        _folder,
        repositories,
        work,
        ..
    } = fixture();
    let server = GitServer::start().unwrap();
    let url = server.push(&work, "app").unwrap();
    repositories.fetch(&url, &Access::default()).unwrap();
    let before = server.requests();
    let fetched = repositories.fetch(&url, &Access::default()).unwrap();
    assert!(!fetched.changed);
    // The greeting and the list of references: protocol version 2 has them in two requests.
    assert_eq!(server.requests() - before, 2);
}

#[test]
fn what_is_gone_is_pruned_and_what_moved_is_forced() {
    let Fixture {
        _folder,
        repositories,
        work,
        first,
    } = fixture();
    let bare = Folder::new("bare").unwrap();
    let path = bare.path().join("r.git");
    work.git(&["clone", "--quiet", "--bare", ".", path.to_str().unwrap()])
        .unwrap();
    let url = file_url(&path);
    work.git(&["branch", "feature"]).unwrap();
    work.git(&["tag", "v1"]).unwrap();
    work.push(path.to_str().unwrap()).unwrap();
    let fetched = repositories.fetch(&url, &Access::default()).unwrap();
    assert_eq!(fetched.resolve("feature").unwrap().commit, first);
    assert_eq!(fetched.resolve("v1").unwrap().commit, first);

    // A branch becomes a folder of branches, main is rewritten, the tag is moved.
    for arguments in [
        ["branch", "-D", "feature", "--quiet"].as_slice(),
        &["branch", "feature/one"],
        &["commit", "--quiet", "--amend", "--no-gpg-sign", "-m", "rewritten"],
        &["tag", "--force", "v1"],
    ] {
        work.git(arguments).unwrap();
    }
    work.git(&["push", "--quiet", path.to_str().unwrap(), "--delete", "feature"])
        .unwrap();
    work.push(path.to_str().unwrap()).unwrap();
    let rewritten = work.head().unwrap();
    let fetched = repositories.fetch(&url, &Access::default()).unwrap();
    assert!(fetched.changed);
    check_error(fetched.resolve("feature"), &codes::UNKNOWN_REVISION);
    assert_eq!(fetched.resolve("feature/one").unwrap().commit, first);
    assert_eq!(fetched.resolve("main").unwrap().commit, rewritten);
    assert_eq!(fetched.resolve("v1").unwrap().commit, rewritten);
    let history = fetched
        .history(&fetched.resolve("main").unwrap(), Some(&first), 100)
        .unwrap();
    assert!(!history.last_trusted_is_ancestor);
}

#[test]
fn sha256_repositories_are_mirrored_as_such() {
    let Fixture {
        _folder,
        repositories,
        ..
    } = fixture();
    let folder = Folder::new("sha256").unwrap();
    let work = Repository::new().unwrap();
    let path = folder.path().join("r");
    work.git(&[
        "init",
        "--quiet",
        "--object-format=sha256",
        "--initial-branch=main",
        path.to_str().unwrap(),
    ])
    .unwrap();
    work.git(&[
        "-C",
        path.to_str().unwrap(),
        "commit",
        "--quiet",
        "--allow-empty",
        "--no-gpg-sign",
        "-m",
        "x",
    ])
    .unwrap();
    let fetched = repositories.fetch(&file_url(&path), &Access::default()).unwrap();
    let revision = fetched.resolve("main").unwrap();
    assert_eq!(revision.commit.len(), 64);
    assert!(
        fetched
            .tree(&revision, "", &TreeLimits::default())
            .unwrap()
            .files
            .is_empty()
    );
    assert!(
        !repositories
            .fetch(&file_url(&path), &Access::default())
            .unwrap()
            .changed
    );
}

#[test]
fn an_empty_repository_has_no_revision() {
    let Fixture {
        _folder,
        repositories,
        ..
    } = fixture();
    let server = GitServer::start().unwrap();
    let url = server.create("empty").unwrap();
    let fetched = repositories.fetch(&url, &Access::default()).unwrap();
    check_error(fetched.resolve("HEAD"), &codes::UNKNOWN_REVISION);
    check_error(fetched.resolve("main"), &codes::UNKNOWN_REVISION);
}

#[test]
fn credentials_are_asked_for() {
    let Fixture {
        _folder,
        repositories,
        work,
        first,
    } = fixture();
    let server = GitServer::start_protected("ada", "s3cr3t").unwrap();
    let url = server.push(&work, "app").unwrap();
    check_error(
        repositories.fetch(&url, &Access::default()),
        &codes::AUTHENTICATION,
    );
    let basic = |password: &str| {
        Access::from(Credentials::Basic {
            username: "ada".into(),
            password: Secret::new(password),
        })
    };
    let error = check_error(repositories.fetch(&url, &basic("wr0ng")), &codes::AUTHENTICATION);
    assert!(!one_line(&error).contains("wr0ng") && !format!("{error:?}").contains("wr0ng"));
    check_error(
        repositories.fetch(&url, &Access::from(Credentials::Bearer(Secret::new("x")))),
        &codes::AUTHENTICATION,
    );
    let fetched = repositories.fetch(&url, &basic("s3cr3t")).unwrap();
    assert_eq!(fetched.resolve("main").unwrap().commit, first);
    // What was fetched with good credentials is no way in for bad ones.
    check_error(repositories.fetch(&url, &basic("wr0ng")), &codes::AUTHENTICATION);
}

#[test]
fn credentials_are_not_sent_in_the_clear() {
    let Fixture {
        _folder,
        repositories,
        ..
    } = fixture();
    let access = Access::from(Credentials::Basic {
        username: "ada".into(),
        password: Secret::new("x"),
    });
    check_error(
        repositories.fetch("http://git.invalid/app.git", &access),
        &codes::URL,
    );
}

#[test]
fn ssh_with_a_key_and_a_known_host() {
    let Fixture {
        _folder,
        repositories,
        work,
        first,
    } = fixture();
    let server = SshServer::start().unwrap();
    let url = server.url(work.path());
    let folder = Folder::new("known").unwrap();
    let known = folder.write("known hosts", server.known_host().unwrap()).unwrap();
    // A Secret that went through a text editor has often lost its last line end.
    let key = fs_err::read_to_string(server.private_key()).unwrap();
    let access = Access {
        known_hosts: Some(known),
        ..Access::from(Credentials::SshKey(Secret::new(key.trim_end())))
    };
    let fetched = repositories.fetch(&url, &access).unwrap();
    assert_eq!(fetched.resolve("main").unwrap().commit, first);
    assert!(!repositories.fetch(&url, &access).unwrap().changed);

    let unknown = folder.write("empty", "").unwrap();
    let strange = Access {
        known_hosts: Some(unknown),
        ..access.clone()
    };
    check_error(repositories.fetch(&url, &strange), &codes::HOST_KEY);
    let other = SshServer::start().unwrap();
    let line = server.known_host().unwrap();
    let (place, _) = line.split_once(' ').unwrap();
    let other_line = other.known_host().unwrap();
    let (_, other_key) = other_line.split_once(' ').unwrap();
    let forged = folder.write("forged", format!("{place} {other_key}")).unwrap();
    let forged = Access {
        known_hosts: Some(forged),
        ..access.clone()
    };
    let error = check_error(repositories.fetch(&url, &forged), &codes::HOST_KEY);
    assert!(
        one_line(&error).contains("SHA256:"),
        "the fingerprint that was seen is named: {}",
        one_line(&error)
    );

    let wrong_key = fs_err::read(other.private_key()).unwrap();
    let wrong = Access {
        credentials: Credentials::SshKey(Secret::new(wrong_key)),
        ..access.clone()
    };
    check_error(repositories.fetch(&url, &wrong), &codes::AUTHENTICATION);
    let nowhere = server.url(Path::new("/nowhere/it's-here"));
    check_error(repositories.fetch(&nowhere, &access), &codes::UNKNOWN_REPOSITORY);
}

#[test]
fn what_is_not_there_is_told_apart() {
    let Fixture {
        _folder,
        repositories,
        work,
        ..
    } = fixture();
    let server = GitServer::start().unwrap();
    let url = server.push(&work, "app").unwrap();
    check_error(
        repositories.fetch(&server.url("other"), &Access::default()),
        &codes::UNKNOWN_REPOSITORY,
    );
    check_error(
        repositories.fetch("file:///nowhere/at/all", &Access::default()),
        &codes::UNKNOWN_REPOSITORY,
    );
    let port = sluice_sandbox::free_port().unwrap();
    check_error(
        repositories.fetch(&format!("http://127.0.0.1:{port}/x"), &Access::default()),
        &codes::UNREACHABLE,
    );
    for service in [Service::Unavailable, Service::Unreachable] {
        server.set_service(service);
        check_error(repositories.fetch(&url, &Access::default()), &codes::UNREACHABLE);
    }
    server.set_service(Service::Serving);
    repositories.fetch(&url, &Access::default()).unwrap();
}

#[test]
fn an_outage_leaves_the_mirror_as_it_was() {
    let Fixture {
        _folder,
        repositories,
        work,
        first,
    } = fixture();
    let server = GitServer::start().unwrap();
    let url = server.push(&work, "app").unwrap();
    assert!(repositories.cached(&url).unwrap().is_none());
    repositories.fetch(&url, &Access::default()).unwrap();
    server.set_service(Service::Unavailable);
    check_error(repositories.fetch(&url, &Access::default()), &codes::UNREACHABLE);
    let cached = repositories.cached(&url).unwrap().unwrap();
    assert_eq!(cached.resolve("main").unwrap().commit, first);
    repositories.forget(&url).unwrap();
    assert!(repositories.cached(&url).unwrap().is_none());
}

/// Takes a connection, reads the request, and says nothing more.
fn silent_server() -> (String, std::thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/r.git", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // Until the client goes.
        let mut all = Vec::new();
        drop(stream.read_to_end(&mut all));
        drop(stream.flush());
    });
    (url, thread)
}

/// Answers every request in the same way.
fn answering(response: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/r.git", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if stream.read(&mut byte).unwrap_or(0) == 0 {
                    break;
                }
                request.push(byte[0]);
            }
            drop(stream.write_all(response.as_bytes()));
        }
    });
    url
}

#[test]
fn a_server_that_is_none_of_gits() {
    let Fixture {
        _folder,
        repositories,
        ..
    } = fixture();
    for response in [
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi",
        "HTTP/1.1 418 I'm a teapot\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        // Round and round, then away, then to something that is no repository.
        "HTTP/1.1 302 Found\r\nlocation: ?service=git-upload-pack\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        "HTTP/1.1 302 Found\r\nlocation: file:///etc/passwd\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        "HTTP/1.1 302 Found\r\nlocation: /login\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
    ] {
        check_error(
            repositories.fetch(&answering(response), &Access::default()),
            &codes::FETCH,
        );
    }
}

#[test]
fn credentials_do_not_follow_a_redirect() {
    let Fixture {
        _folder,
        repositories,
        ..
    } = fixture();
    let elsewhere = "HTTP/1.1 302 Found\r\nlocation: http://localhost:1/r.git/info/refs?service=git-upload-pack\r\n\
                     content-length: 0\r\nconnection: close\r\n\r\n";
    let access = Access::from(Credentials::Basic {
        username: "ada".into(),
        password: Secret::new("x"),
    });
    let error = check_error(repositories.fetch(&answering(elsewhere), &access), &codes::FETCH);
    assert!(
        one_line(&error).contains("redirects to http://localhost"),
        "{}",
        one_line(&error)
    );
}

#[test]
fn a_silent_server_costs_no_more_than_the_timeout() {
    let Fixture {
        _folder,
        repositories,
        ..
    } = fixture();
    let (url, _server) = silent_server();
    let access = Access {
        timeout: Duration::from_millis(400),
        ..Access::default()
    };
    let start = Instant::now();
    check_error(repositories.fetch(&url, &access), &codes::TIMEOUT);
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[test]
fn a_fetch_is_cancelled_from_another_thread() {
    let Fixture {
        _folder,
        repositories,
        ..
    } = fixture();
    let (url, _server) = silent_server();
    let cancel = Cancel::default();
    let access = Access {
        cancel: cancel.clone(),
        ..Access::default()
    };
    let fetch = std::thread::spawn(move || repositories.fetch(&url, &access));
    cancel.cancel();
    check_error(fetch.join().unwrap(), &codes::CANCELLED);
}

#[test]
fn too_much_is_refused() {
    let Fixture {
        _folder,
        repositories,
        work,
        ..
    } = fixture();
    let noise: Vec<u8> = (0..200_000u32)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    work.write("noise", noise).unwrap();
    work.commit("noise", Signature::None).unwrap();
    let server = GitServer::start().unwrap();
    let access = Access {
        receive_limit: 100_000,
        ..Access::default()
    };
    for url in [server.push(&work, "app").unwrap(), file_url(work.path())] {
        check_error(repositories.fetch(&url, &access), &codes::TOO_LARGE);
    }
}

#[test]
fn a_shallow_remote_is_refused() {
    let Fixture {
        _folder,
        repositories,
        work,
        ..
    } = fixture();
    work.commit("second", Signature::None).unwrap();
    let folder = Folder::new("shallow").unwrap();
    let path = folder.path().join("r");
    let (from, to) = (file_url(work.path()), path.display().to_string());
    work.git(&["clone", "--quiet", "--depth=1", &from, &to]).unwrap();
    check_error(
        repositories.fetch(&file_url(&path), &Access::default()),
        &codes::SHALLOW,
    );
}

#[test]
fn many_fetches_at_once_agree() {
    let Fixture {
        _folder,
        repositories,
        work,
        first,
    } = fixture();
    let server = GitServer::start().unwrap();
    let url = server.push(&work, "app").unwrap();
    std::thread::scope(|scope| {
        let fetches: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    repositories
                        .fetch(&url, &Access::default())
                        .unwrap()
                        .resolve("main")
                        .unwrap()
                })
            })
            .collect();
        for fetch in fetches {
            assert_eq!(fetch.join().unwrap().commit, first);
        }
    });
}

#[test]
fn what_a_killed_fetch_leaves_is_swept() {
    let Fixture {
        _folder,
        repositories,
        work,
        ..
    } = fixture();
    let url = file_url(work.path());
    repositories.fetch(&url, &Access::default()).unwrap();
    let mirror = fs_err::read_dir(repositories.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.is_dir())
        .unwrap();
    let packs = mirror.join("objects/pack");
    for name in [".tmp123", "pack-0000.pack", "pack-0000.keep"] {
        fs_err::write(packs.join(name), "half").unwrap();
    }
    let second = work.commit("second", Signature::None).unwrap();
    let fetched = repositories.fetch(&url, &Access::default()).unwrap();
    assert_eq!(fetched.resolve("main").unwrap().commit, second);
    assert!(!packs.join(".tmp123").exists() && !packs.join("pack-0000.pack").exists());

    // A mirror that is no repository any more is made anew.
    std::fs::remove_file(mirror.join("HEAD")).unwrap();
    assert!(repositories.fetch(&url, &Access::default()).unwrap().changed);
    assert_eq!(
        repositories
            .cached(&url)
            .unwrap()
            .unwrap()
            .resolve("HEAD")
            .unwrap()
            .commit,
        second
    );
}

#[test]
fn a_cache_that_cannot_be_used() {
    let folder = Folder::new("cache").unwrap();
    let file = folder.write("file", "").unwrap();
    check_error(Repositories::open(file.join("below")), &codes::CACHE);
}
