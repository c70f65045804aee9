//! The act about signatures: what is signed gets in, what is not stops everything behind it.

use anyhow::{Context as _, Result, ensure};
use sluice_sandbox::Commit;

use super::{
    acts::synced_and_healthy,
    narrator::{act, scene},
    stage::{DESTINATION, Stage, condition, expect, first_line, short, text},
};

const SETTINGS: &str = "manifests/settings.yaml";

pub(super) fn signatures(stage: &mut Stage) -> Result<()> {
    act("b. Only signed history gets in");
    let mut trusted = Commit::new();
    scene("commits another greeting, signed", "it is synced", || {
        greet(stage, "Welcome back!")?;
        trusted = stage.commit_signed("a friendlier greeting")?;
        stage.refresh()?;
        stage.wait_status(|status| synced_and_healthy(status, &trusted))?;
        see_greeting(stage, "Welcome back!")?;
        Ok(format!(
            "Synced at {}, and the ConfigMap says \"Welcome back!\"",
            short(&trusted)
        ))
    })?;

    let mut unsigned = Commit::new();
    scene(
        "commits yet another greeting, unsigned",
        "it is refused with the reason in the status; the cluster stays on the last trusted commit, and healthy",
        || {
            greet(stage, "Anybody could write this.")?;
            unsigned = stage.commit_unsigned("who was it?")?;
            stage.refresh()?;
            refused(stage, &trusted, |refused| {
                ensure!(refused == unsigned, "refused is {refused:?}");
                Ok(())
            })
        },
    )?;
    scene(
        "commits something harmless on top of the unsigned commit, signed",
        "it is refused as well: the history to it is not trusted",
        || {
            stage
                .repository
                .write("manifests/README.md", "Manifests of the guestbook.\n")?;
            let top = stage.commit_signed("explain the folder")?;
            stage.refresh()?;
            refused(stage, &trusted, |refused| {
                ensure!(refused == unsigned || refused == top, "refused is {refused:?}");
                Ok(())
            })
        },
    )?;
    scene(
        "takes both commits back and commits a greeting that is signed",
        "it is synced: an engine that refused something needs no help afterwards",
        || {
            stage.repository.git(&["reset", "--quiet", "--hard", &trusted])?;
            greet(stage, "Good to see you.")?;
            let repaired = stage.commit_signed("a greeting by somebody we know")?;
            stage.refresh()?;
            stage.wait_status(|status| synced_and_healthy(status, &repaired))?;
            see_greeting(stage, "Good to see you.")?;
            Ok(format!("Synced at {}", short(&repaired)))
        },
    )
}

/// Sees a refusal in the status, and the cluster untouched by what was refused.
fn refused(stage: &mut Stage, trusted: &str, which: impl Fn(&str) -> Result<()>) -> Result<String> {
    let status = stage.wait_status(|status| {
        expect(condition(status, "Verified")?, "/status", "False")?;
        expect(status, "/verification/trustedRevision", trusted)?;
        which(text(status, "/verification/refusedRevision"))?;
        expect(status, "/sync/revision", trusted)?;
        expect(status, "/health/status", "Healthy")
    })?;
    see_greeting(stage, "Welcome back!")?;
    let message = first_line(text(condition(&status, "Verified")?, "/message"));
    Ok(format!("{message}; still on {}", short(trusted)))
}

fn greet(stage: &Stage, greeting: &str) -> Result<()> {
    let file = stage.repository.path().join(SETTINGS);
    let settings = fs_err::read_to_string(file)?;
    let line = settings
        .lines()
        .find(|line| line.trim_start().starts_with("greeting:"))
        .context("no greeting")?;
    stage.repository.write(
        SETTINGS,
        settings.replace(line, &format!("  greeting: \"{greeting}\"")),
    )?;
    Ok(())
}

fn see_greeting(stage: &Stage, greeting: &str) -> Result<()> {
    let settings = stage.plane.get(&format!("-n {DESTINATION} configmap/settings"))?;
    expect(&settings, "/data/greeting", greeting)
}
