//! The act about charts and overlays: the real libraries, in the sandbox.

use anyhow::{Result, ensure};
use serde_json::Value;
use sluice_sandbox::{GitServer, Repository, Signature};

use super::{
    acts::with_repository,
    narrator::{act, scene, wait},
    stage::{NAMESPACE, Stage, example, expect, text},
};

pub(super) fn charts_and_overlays(stage: &Stage) -> Result<()> {
    act("f. A chart and an overlay, rendered where they can reach nothing");
    scene(
        "creates the Application of examples/helm, a chart",
        "it is Synced: the values are the Application's, and the password is one that the chart made up",
        || {
            let _server = created(stage, "helm", "greeter")?;
            let greeting = stage.plane.get("-n greeter configmap/greeter")?;
            expect(&greeting, "/data/greeting", "Hello from a chart")?;
            let deployment = stage.plane.get("-n greeter deployment/greeter")?;
            ensure!(
                deployment.pointer("/spec/replicas") == Some(&2.into()),
                "it has other replicas"
            );
            let password = || -> Result<String> {
                let secret = stage.plane.get("-n greeter secret/greeter")?;
                Ok(text(&secret, "/data/password").to_owned())
            };
            let first = password()?;
            ensure!(first.len() == 32, "there is no password");
            stage.sluice(&["refresh", "greeter", "--wait"])?;
            ensure!(
                password()? == first,
                "the password is another one after a refresh"
            );
            Ok("Synced; two replicas, and the same password after a refresh".to_owned())
        },
    )?;
    scene(
        "creates the Application of examples/kustomize, an overlay that looks beside its own folder",
        "it is Synced, with names and replicas as the overlay says, and a generated ConfigMap",
        || {
            let _server = created(stage, "kustomize", "counter")?;
            let deployment = stage.plane.get("-n counter deployment/prod-counter")?;
            ensure!(
                deployment.pointer("/spec/replicas") == Some(&3.into()),
                "it has other replicas"
            );
            let name = text(
                &deployment,
                "/spec/template/spec/containers/0/envFrom/0/configMapRef/name",
            );
            let settings = stage.plane.get(&format!("-n counter configmap/{name}"))?;
            expect(&settings, "/data/START", "100")?;
            Ok(format!("Synced; deployment prod-counter reads {name}"))
        },
    )
}

/// Serves an example, creates its Application, and waits until it is synced. The server has to stay as long as it is looked at.
fn created(stage: &Stage, name: &str, application: &str) -> Result<GitServer> {
    let (server, repository) = (GitServer::start()?, Repository::new()?);
    server.create(name)?;
    repository.copy_from(&example(name), "")?;
    repository.commit(name, Signature::None)?;
    server.push(&repository, name)?;
    let manifest = fs_err::read_to_string(example(name).join("application.yaml"))?;
    let manifest = manifest.replace("namespace: default", &format!("namespace: {NAMESPACE}"));
    stage
        .plane
        .apply(&with_repository(&manifest, &server.url(name))?)?;
    wait(|| {
        let found = stage
            .plane
            .get(&format!("-n {NAMESPACE} applications.sluice.dev/{application}"))?;
        let status: &Value = &found["status"];
        expect(status, "/sync/status", "Synced")?;
        expect(status, "/health/status", "Healthy")
    })?;
    Ok(server)
}
