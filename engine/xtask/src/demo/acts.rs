//! The acts in their order, and those about what runs: the first sync, drift, and deletions.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use sluice_sandbox::Commit;

use super::{
    narrator::{act, quote, scene, wait},
    plugin_act, render_acts,
    stage::{APPLICATION, DESTINATION, NAMESPACE, Stage, condition, example, expect, short, text},
    trust_acts,
};

/// How `sluice` ends where something waits for a person's approval.
const WAITS: i32 = 5;

/// Shows all of it.
pub(crate) fn all(stage: &mut Stage) -> Result<()> {
    first_sync(stage)?;
    trust_acts::signatures(stage)?;
    drift(stage)?;
    removal(stage)?;
    plugin_act::own_health_check(stage)?;
    render_acts::charts_and_overlays(stage)
}

fn first_sync(stage: &mut Stage) -> Result<()> {
    act("a. A signed commit becomes running objects");
    let mut first = Commit::new();
    scene(
        "makes a key with gpg, commits examples/guestbook signed with it, and serves it with `git http-backend`",
        "gpg itself calls the signature good",
        || {
            stage
                .repository
                .copy_from(&example("guestbook/manifests"), "manifests")?;
            first = stage.commit_signed("the guestbook")?;
            stage.push()?;
            let said = stage.ask_gpg(&first)?;
            Ok(format!(
                "commit {}: {said}, key {}",
                short(&first),
                stage.key.fingerprint
            ))
        },
    )?;
    scene(
        "applies what `sluice crds` prints, starts `sluice controller`, and creates the Application with its keyring",
        "the Application becomes Synced at that commit, signed by that key, and Healthy",
        || {
            let definitions = stage.sluice(&["crds"])?;
            stage.plane.apply(&definitions)?;
            stage
                .plane
                .kubectl("wait --for=condition=Established crd/applications.sluice.dev --timeout=30s")?;
            stage.start_controller()?;
            stage.plane.kubectl(&format!("create namespace {NAMESPACE}"))?;
            let key = format!("--from-literal=ada.asc={}", stage.public_key()?);
            stage
                .plane
                .kubectl_with(&["-n", NAMESPACE, "create", "configmap", "guestbook-keys", &key])?;
            let application = fs_err::read_to_string(example("guestbook/application.yaml"))?;
            stage
                .plane
                .apply(&with_repository(&application, &stage.push()?)?)?;
            let fingerprint = stage.key.fingerprint.clone();
            let status = stage.wait_status(|status| {
                synced_and_healthy(status, &first)?;
                expect(status, "/verification/signer", &fingerprint)
            })?;
            let objects = &status["objects"];
            Ok(format!(
                "Synced at {} and Healthy, {objects} objects, signer {fingerprint}",
                short(&first)
            ))
        },
    )?;
    scene(
        "looks into the cluster with kubectl",
        "three frontends and a store are ready, the volumes are bound",
        || {
            let ready = stage.plane.kubectl(&format!("-n {DESTINATION} get deployments -o custom-columns=NAME:.metadata.name,READY:.status.readyReplicas --no-headers"))?;
            let ready: Vec<&str> = ready.split_whitespace().collect();
            ensure!(ready == ["frontend", "3", "store", "1"], "ready: {ready:?}");
            let volumes = stage.plane.kubectl(&format!(
                "-n {DESTINATION} get pvc -o jsonpath={{.items[*].status.phase}}"
            ))?;
            ensure!(volumes == "Bound Bound", "volumes: {volumes}");
            let table = stage
                .plane
                .kubectl(&format!("-n {NAMESPACE} get applications.sluice.dev"))?;
            quote(&format!("kubectl -n {NAMESPACE} get applications"), &table);
            Ok("frontend 3/3, store 1/1, both volumes Bound".to_owned())
        },
    )
}

/// Puts the address of the demo's repository into the example.
pub(super) fn with_repository(application: &str, url: &str) -> Result<String> {
    let line = application
        .lines()
        .find(|line| line.trim_start().starts_with("repoURL:"))
        .context("no repoURL")?;
    let (before, _) = line.split_once("repoURL:").context("no repoURL")?;
    Ok(application.replace(line, &format!("{before}repoURL: {url}")))
}

/// Whether a status says Synced at this commit, and Healthy.
pub(super) fn synced_and_healthy(status: &Value, commit: &str) -> Result<()> {
    expect(status, "/sync/revision", commit)?;
    expect(status, "/sync/status", "Synced")?;
    expect(status, "/health/status", "Healthy")
}

fn drift(stage: &mut Stage) -> Result<()> {
    act("c. Drift is seen and healed");
    let before = text(&stage.application()?, "/status/sync/revision").to_owned();
    scene(
        "scales the frontend by hand: kubectl scale deployment/frontend --replicas=1",
        "the engine sees it and sets it back to the three that Git says, at the same commit",
        || {
            let history = history_length(&stage.application()?["status"]);
            stage.plane.kubectl(&format!(
                "-n {DESTINATION} scale deployment/frontend --replicas=1"
            ))?;
            let status = stage.wait_status(|status| {
                ensure!(history_length(status) > history, "no further sync in the history");
                synced_and_healthy(status, &before)
            })?;
            let replicas = wait(|| {
                let frontend = stage
                    .plane
                    .get(&format!("-n {DESTINATION} deployment/frontend"))?;
                ensure!(
                    frontend["spec"]["replicas"] == 3,
                    "replicas: {}",
                    frontend["spec"]["replicas"]
                );
                ensure!(
                    frontend["status"]["readyReplicas"] == 3,
                    "ready: {}",
                    frontend["status"]["readyReplicas"]
                );
                Ok(frontend["spec"]["replicas"].clone())
            })?;
            Ok(format!(
                "replicas are {replicas} again; the history says: {}",
                text(&status, "/history/0/summary")
            ))
        },
    )
}

/// Counts the syncs so far; the list itself is cut, the number of its newest entry is not.
fn history_length(status: &Value) -> u64 {
    status
        .pointer("/history/0/id")
        .and_then(Value::as_u64)
        .unwrap_or(0)
}

fn removal(stage: &mut Stage) -> Result<()> {
    act("d. What Git no longer has is deleted, but data only with an approval");
    let mut digest = String::new();
    let mut commit = Commit::new();
    scene(
        "removes manifests/exports.yaml, a ConfigMap and a volume, in a signed commit",
        "the ConfigMap goes; the volume's deletion is held by the prune policy, under the digest of a plan",
        || {
            stage.repository.remove("manifests/exports.yaml")?;
            commit = stage.commit_signed("no exports any longer")?;
            stage.refresh()?;
            let status = stage.wait_status(|status| {
                ensure!(
                    status
                        .pointer("/pendingApproval/count")
                        .is_some_and(|count| *count == 1),
                    "nothing is held"
                );
                expect(status, "/pendingApproval/deletions/0/name", "exports")
            })?;
            digest = text(&status, "/pendingApproval/planDigest").to_owned();
            stage.plane.wait_gone(
                &format!("-n {DESTINATION} configmap/exports"),
                std::time::Duration::from_secs(30),
            )?;
            volume_is_there(stage)?;
            let held = text(&status, "/pendingApproval/deletions/0/message");
            Ok(format!("the ConfigMap is gone, the volume is held: {held}"))
        },
    )?;
    scene(
        "asks for the plan: sluice plan guestbook",
        "it names the deletion that is held and the digest",
        || {
            let plan = stage.sluice(&["plan", APPLICATION])?;
            quote(&format!("sluice plan {APPLICATION} -n {NAMESPACE}"), &plan);
            ensure!(
                plan.contains(&digest),
                "the plan has another digest than {digest}"
            );
            ensure!(plan.contains("exports"), "the plan does not name the volume");
            Ok(format!("digest {}", short(&digest)))
        },
    )?;
    let other = format!("sha256:{}", "0".repeat(64));
    scene(
        "approves another digest: with `sluice approve`, and past it with kubectl, by the annotation itself",
        "the command refuses, and the annotation does nothing: the volume stays",
        || {
            let said = stage.sluice_ends(WAITS, &["approve", APPLICATION, "--plan", &other])?;
            let annotation = format!("sluice.dev/approved-plan={other}");
            let application = format!("applications.sluice.dev/{APPLICATION}");
            stage.plane.kubectl_with(&[
                "-n",
                NAMESPACE,
                "annotate",
                "--overwrite",
                &application,
                &annotation,
            ])?;
            stage.refresh()?;
            volume_is_there(stage)?;
            let status =
                stage.wait_status(|status| expect(status, "/pendingApproval/planDigest", &digest))?;
            let said = said.lines().next().unwrap_or_default();
            Ok(format!(
                "{said}; still waiting for {}",
                short(text(&status, "/pendingApproval/planDigest"))
            ))
        },
    )?;
    scene(
        "approves the digest that was shown: sluice approve guestbook --plan sha256:…",
        "the volume is deleted, and the Application is Synced with nothing waiting",
        || {
            stage.sluice(&["approve", APPLICATION, "--plan", &digest])?;
            let status = stage.wait_status(|status| {
                ensure!(status.pointer("/pendingApproval").is_none(), "it still waits");
                synced_and_healthy(status, &commit)
            })?;
            stage.plane.wait_gone(
                &format!("-n {DESTINATION} pvc/exports"),
                std::time::Duration::from_secs(30),
            )?;
            let synced = condition(&status, "Synced")?;
            Ok(format!(
                "the volume is gone; Synced {}: {}",
                text(synced, "/status"),
                text(&status, "/history/0/summary")
            ))
        },
    )
}

/// Fails if the volume is gone or going.
fn volume_is_there(stage: &Stage) -> Result<()> {
    let volume = stage
        .plane
        .get(&format!("-n {DESTINATION} pvc/exports"))
        .context("the volume is gone")?;
    ensure!(
        volume.pointer("/metadata/deletionTimestamp").is_none(),
        "the volume is being deleted"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_gets_the_repository_of_the_demo() {
        let application = fs_err::read_to_string(example("guestbook/application.yaml")).unwrap();
        let changed = with_repository(&application, "http://127.0.0.1:1/x.git").unwrap();
        assert!(changed.contains("\n    repoURL: http://127.0.0.1:1/x.git\n"));
        assert!(!changed.contains("example.org/team"));
    }
}
