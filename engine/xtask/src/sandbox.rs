//! `cargo xtask sandbox`: a Kubernetes to play with.

use std::{path::PathBuf, thread, time::Duration};

use anyhow::Result;
use sluice_sandbox::{ControlPlane, control_plane_binary};

use crate::{command, prerequisites, steps::step, stop};

/// Builds the control plane where that was not done before, and returns its program.
pub(crate) fn build() -> Result<PathBuf> {
    step(
        "control plane",
        "etcd, kube-apiserver, controllers, scheduler, kubectl and kwok, from Go modules",
        || {
            control_plane_binary(|build| {
                println!("building it takes 4 to 9 minutes on two cores, this once");
                command::run(build)
            })
        },
    )
}

/// Starts a control plane and keeps it until Ctrl-C.
pub(crate) fn run_alone() -> Result<()> {
    prerequisites::programs()?;
    let program = build()?;
    let mut plane = step("start", "on free loopback ports, with throw-away data", || {
        ControlPlane::start_program(&program)
    })?;
    println!("\nexport KUBECONFIG={}", plane.kubeconfig().display());
    println!("alias kubectl={}", plane.kubectl_path().display());
    println!("\nCtrl-C stops it and removes everything.");
    keep(&mut plane)
}

/// Waits for Ctrl-C, which is how this is meant to end; fails if the control plane ends before.
pub(crate) fn keep(plane: &mut ControlPlane) -> Result<()> {
    while stop::check().is_ok() {
        plane.check()?;
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}
