//! How much memory the engine needs for what it manages, beyond what it needs for nothing.

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::json;
use sluice_cluster_tests::{Engine, World};

use crate::SIZE;

/// MiB beyond idle for 10,000 objects.
const PROMISED: f64 = 150.0;
const PROMISED_FOR: usize = 10_000;
/// The allocator and the watches come to rest.
const REST: Duration = Duration::from_secs(10);

pub(crate) fn measure(count: usize) -> Result<()> {
    let engine = Engine::without_controller()?;
    engine.start_controller(&[])?;
    std::thread::sleep(REST);
    let idle = resident(&engine)?;
    let world = World::new(&engine, "many")?;
    let mut text = String::new();
    for index in 0..count {
        let value = "x".repeat(SIZE);
        text.push_str(&format!(
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: map-{index:05}}}\ndata: {{value: {value}}}\n"
        ));
        // Files of a size that people have.
        if index % 500 == 499 || index + 1 == count {
            world.write(&format!("maps-{index:05}.yaml"), &text)?;
            text.clear();
        }
    }
    let commit = world.commit("many objects")?;
    world.apply(&world.application())?;
    world.wait_synced(&commit)?;
    let after_sync = resident(&engine)?;
    std::thread::sleep(REST);
    let rest = resident(&engine)?;
    #[expect(clippy::cast_precision_loss, reason = "some thousands")]
    let promised = PROMISED * count as f64 / PROMISED_FOR as f64;
    println!(
        "{}",
        json!({"measured": "memory of the controller, MiB", "objects": count, "idle": idle, "after the sync": after_sync,
            "at rest": rest, "beyond idle": rest - idle, "promised": promised, "met": rest - idle <= promised})
    );
    Ok(())
}

/// Resident memory of the controller in MiB.
fn resident(engine: &Engine) -> Result<f64> {
    let id = engine.controller_id().context("the controller runs")?;
    let status = fs_err::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib: f64 = line
        .and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
        .context("no VmRSS")?;
    Ok(kib / 1024.0)
}
