//! Everything but the control plane is started, used and seen to be gone. The cluster tests use the control plane.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use sluice_sandbox::{
    Folder, GitDaemon, GitServer, GnuPg, Process, Repository, Service, Signature, SshServer, wait_for,
};

fn ls_remote(url: &str, more: &[(&str, &str)]) -> Result<String, String> {
    let done = Command::new("git")
        .args(["ls-remote", url, "refs/heads/main"])
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .envs(more.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("git runs");
    if done.status.success() {
        Ok(String::from_utf8_lossy(&done.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&done.stderr).into_owned())
    }
}

#[test]
fn a_signed_commit_is_served_over_http_and_outages_are_seen() {
    let gpg = GnuPg::new().unwrap();
    let key = gpg.generate("Ada <ada@example.org>").unwrap();
    assert_eq!(key.fingerprint.len(), 40);
    assert!(
        gpg.export(&key)
            .unwrap()
            .starts_with("-----BEGIN PGP PUBLIC KEY BLOCK-----")
    );

    let repository = Repository::new().unwrap();
    repository.write("a/b.yaml", "x: 1\n").unwrap();
    let signed = repository
        .commit("first", Signature::OpenPgp(&gpg, &key))
        .unwrap();
    let verified = repository
        .git_command()
        .env("GNUPGHOME", gpg.path())
        .args(["verify-commit", &signed])
        .status();
    assert!(verified.unwrap().success());
    let unsigned = repository.commit("second", Signature::None).unwrap();
    let verified = repository
        .git_command()
        .env("GNUPGHOME", gpg.path())
        .args(["verify-commit", &unsigned])
        .output();
    assert!(!verified.unwrap().status.success());

    let server = GitServer::start().unwrap();
    let url = server.push(&repository, "app").unwrap();
    assert!(ls_remote(&url, &[]).unwrap().starts_with(&unsigned));
    let copy = Folder::new("clone").unwrap();
    let cloned = Command::new("git")
        .args(["clone", "--quiet", &url])
        .arg(copy.path().join("c"))
        .status()
        .unwrap();
    assert!(cloned.success());
    assert!(copy.path().join("c/a/b.yaml").exists());
    assert!(ls_remote(&server.url("other"), &[]).is_err());

    server.set_service(Service::Unavailable);
    assert!(ls_remote(&url, &[]).unwrap_err().contains("503"));
    server.set_service(Service::Unreachable);
    assert!(ls_remote(&url, &[]).is_err());
    server.set_service(Service::Serving);
    assert!(ls_remote(&url, &[]).is_ok());
}

#[test]
fn a_protected_server_asks_for_a_password() {
    let repository = Repository::new().unwrap();
    repository.commit("first", Signature::None).unwrap();
    let server = GitServer::start_protected("robot", "open sesame").unwrap();
    let url = server.push(&repository, "app").unwrap();
    assert!(ls_remote(&url, &[]).is_err());
    let with_password = url.replace("http://", "http://robot:open%20sesame@");
    assert!(ls_remote(&with_password, &[]).is_ok());
    assert!(ls_remote(&with_password.replace("sesame", "barley"), &[]).is_err());
}

#[test]
fn a_revoked_key_is_exported_as_revoked() {
    let gpg = GnuPg::new().unwrap();
    let key = gpg.generate("Eve <eve@example.org>").unwrap();
    let before = gpg.export(&key).unwrap();
    gpg.revoke(&key).unwrap();
    assert_ne!(before, gpg.export(&key).unwrap());
}

#[test]
fn ssh_and_the_git_protocol() {
    let repository = Repository::new().unwrap();
    let commit = repository.commit("first", Signature::None).unwrap();
    let server = GitServer::start().unwrap();
    server.push(&repository, "app").unwrap();

    let daemon = GitDaemon::start(server.path("app").parent().unwrap()).unwrap();
    assert!(
        ls_remote(&daemon.url("app.git"), &[])
            .unwrap()
            .starts_with(&commit)
    );

    let ssh = SshServer::start().unwrap();
    let hosts = Folder::new("hosts").unwrap();
    let hosts = hosts
        .write("known", ssh.known_host().unwrap())
        .map(|path| (hosts, path))
        .unwrap();
    let client = format!(
        "ssh -F /dev/null -i {} -o IdentitiesOnly=yes -o UserKnownHostsFile={} -o StrictHostKeyChecking=yes",
        ssh.private_key().display(),
        hosts.1.display()
    );
    let heads = ls_remote(&ssh.url(&server.path("app")), &[("GIT_SSH_COMMAND", &client)]).unwrap();
    assert!(heads.starts_with(&commit));
}

/// Started by the test below as a process of its own, which then kills itself.
#[test]
#[ignore = "only as a child of the test below"]
fn leaves_everything_behind() {
    let folder = Folder::new("left").unwrap();
    let log = folder.path().join("log");
    let process = Process::start("sleep", Command::new("sleep").arg("600"), &log).unwrap();
    let note = PathBuf::from(std::env::var_os("SLUICE_TEST_NOTE").unwrap());
    fs_err::write(&note, format!("{}\n{}", process.id(), folder.path().display())).unwrap();
    Command::new("/bin/sh")
        .args(["-c", "kill -KILL $PPID"])
        .status()
        .unwrap();
}

#[test]
fn nothing_outlives_a_killed_process() {
    let folder = Folder::new("note").unwrap();
    let note = folder.path().join("note");
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "leaves_everything_behind", "--ignored"])
        .env("SLUICE_TEST_NOTE", &note)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(!status.success());
    let note = fs_err::read_to_string(note).unwrap();
    let (id, left) = note.split_once('\n').unwrap();
    wait_for("the janitor", Duration::from_secs(10), || {
        anyhow::ensure!(!PathBuf::from(left).exists(), "{left} is still there");
        // Without a parent left, its remains may wait for a moment to be collected.
        let state = fs_err::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        anyhow::ensure!(
            state.is_empty() || state.contains(") Z "),
            "process {id} still runs: {state}"
        );
        Ok(())
    })
    .unwrap();
}
