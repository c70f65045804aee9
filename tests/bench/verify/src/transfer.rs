//! Cloning a history, and fetching one new commit of it: ours beside git's, from the same server, each a process.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};
use sluice_sandbox::{Folder, GitServer, output};
use sluice_source::{Access, Repositories};

use crate::histories::{Signed, git};
use crate::{Report, Took, process};

/// How often each is measured.
const ROUNDS: usize = 9;

/// What a process of this program does to be measured.
pub(crate) fn fetch(cache: &Path, url: &str) -> Result<()> {
    Repositories::open(cache)?.fetch(url, &Access::default())?;
    Ok(())
}

/// Measures both sides in turn.
pub(crate) fn measure(report: &mut Report, signed: &Signed) -> Result<()> {
    let server = GitServer::start()?;
    let url = server.create("history")?;
    let folder = Folder::new("bench-transfer")?;
    let served = server.path("history");
    push(signed, &served, "main")?;
    let ours = |cache: &str| {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("fetch").arg(folder.path().join(cache)).arg(&url);
        Ok::<Took, anyhow::Error>(process(&mut command)?.0)
    };
    let theirs = |arguments: &[&str], name: &str| {
        let mut command = git();
        command.args(arguments);
        if arguments.contains(&"clone") {
            command.arg(&url).arg(folder.path().join(name));
        }
        Ok::<Took, anyhow::Error>(process(&mut command)?.0)
    };
    let mut clones = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        clones.0.push(theirs(
            &["clone", "--quiet", "--mirror"],
            &format!("git-{round}"),
        )?);
        clones.1.push(ours(&format!("ours-{round}"))?);
    }
    let mirror = folder.path().join("git-0").display().to_string();
    let mut fetches = (Vec::new(), Vec::new());
    for number in 0..ROUNDS {
        grow(signed, &served, number)?;
        fetches
            .0
            .push(theirs(&["-C", &mirror, "fetch", "--quiet", "--prune"], "")?);
        fetches.1.push(ours("ours-0")?);
    }
    for (what, (theirs, ours)) in [
        ("a clone of the history over HTTP", clones),
        ("a fetch of one new commit over HTTP", fetches),
    ] {
        let theirs = report.figures(&format!("{what}: git, a process"), &theirs);
        let ours = report.figures(&format!("{what}: sluice's source stage, a process"), &ours);
        let got = ours.wall / theirs.wall;
        report.promise(&format!("{what}: of git's time at most"), got, 1.0, got <= 1.0);
    }
    Ok(())
}

/// One new commit on the server.
fn grow(signed: &Signed, served: &Path, number: usize) -> Result<()> {
    let run = |arguments: &[&str]| {
        let mut command = git();
        command.arg("-C").arg(&signed.repository).args(arguments);
        output(&mut command).map(|said| said.trim().to_owned())
    };
    let parent = match number {
        0 => "main".to_owned(),
        _ => "grown".to_owned(),
    };
    let message = format!("one more: {number}");
    let commit = run(&["commit-tree", "-m", &message, "-p", &parent, "main^{tree}"])?;
    run(&["update-ref", "refs/heads/grown", &commit])?;
    ensure!(!commit.is_empty(), "a commit");
    push(signed, served, "grown")
}

/// Into the folder that is served.
fn push(signed: &Signed, served: &Path, branch: &str) -> Result<()> {
    let mut command = git();
    command.arg("-C").arg(&signed.repository);
    command.args(["push", "--quiet", "--force"]).arg(served);
    output(command.arg(format!("{branch}:refs/heads/main")))?;
    Ok(())
}
