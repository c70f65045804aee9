//! The act about plugins: a health check of one's own, taken up, protected and given up while the engine runs.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{
    acts::synced_and_healthy,
    narrator::{act, quote, scene},
    stage::{Stage, condition, expect, first_line, text},
};
use crate::command::root;

/// Its name is that of the file.
const NAME: &str = "health-plugin";

/// How `sluice` ends where a plugin is at fault.
const PLUGIN_FAILED: i32 = 8;

pub(super) fn own_health_check(stage: &mut Stage) -> Result<()> {
    act("e. A health check of one's own, without a restart");
    let revision = text(&stage.application()?, "/status/sync/revision").to_owned();
    let process = stage.controller_id()?;
    scene(
        "copies examples/health-plugin, built to WebAssembly, into the plugin folder. To it, a Deployment that wants \
         one replica is degraded, and the store wants one",
        "the Application becomes Degraded and names that plugin; the same controller process goes on",
        || {
            let built = root()
                .join("target/plugins/examples")
                .join(NAME)
                .with_extension("wasm");
            stage.put_plugin(NAME, &fs_err::read(&built)?)?;
            let status = stage.wait_status(degraded_by_the_plugin)?;
            ensure!(
                stage.controller_id()? == process,
                "the controller was started again"
            );
            Ok(text(&status, "/health/message").to_owned())
        },
    )?;
    scene(
        "overwrites it with a file that is no WebAssembly",
        "it is rejected with a code; the version before it goes on serving, so the verdict stays",
        || {
            let file = stage.put_plugin(NAME, b"this was never compiled")?;
            let status = stage.wait_status(|status| {
                let plugins = condition(status, "PluginsReady")?;
                expect(plugins, "/status", "False")?;
                ensure!(
                    text(plugins, "/reason").starts_with('P'),
                    "the reason is {}",
                    plugins["reason"]
                );
                degraded_by_the_plugin(status)
            })?;
            let file = file.display().to_string();
            let said = stage.sluice_ends(PLUGIN_FAILED, &["plugin", "inspect", &file])?;
            quote(
                &format!("sluice plugin inspect {NAME}.wasm    # exit code {PLUGIN_FAILED}"),
                &said,
            );
            let plugins = condition(&status, "PluginsReady")?;
            Ok(format!(
                "{}; still Degraded",
                first_line(text(plugins, "/message"))
            ))
        },
    )?;
    scene(
        "removes the plugin",
        "Sluice's own health check decides again: Healthy",
        || {
            stage.remove_plugin(NAME)?;
            let status = stage.wait_status(|status| {
                expect(condition(status, "PluginsReady")?, "/status", "True")?;
                synced_and_healthy(status, &revision)
            })?;
            ensure!(
                stage.controller_id()? == process,
                "the controller was started again"
            );
            Ok(format!(
                "{}, by the controller that was started first (process {process})",
                text(&status, "/health/status")
            ))
        },
    )
}

fn degraded_by_the_plugin(status: &Value) -> Result<()> {
    expect(status, "/health/status", "Degraded")?;
    let message = text(status, "/health/message");
    ensure!(
        message.contains("store") && message.contains(NAME),
        "the message is {message:?}"
    );
    Ok(())
}

impl Stage {
    /// Puts a plugin into the folder, whole: a half-written file is not for the engine to see.
    fn put_plugin(&self, name: &str, content: &[u8]) -> Result<std::path::PathBuf> {
        let place = self.plugins().join(name).with_extension("wasm");
        let beside = self.plugins().join(format!(".{name}.new"));
        fs_err::write(&beside, content)?;
        fs_err::rename(&beside, &place).context("the plugin cannot be put in place")?;
        Ok(place)
    }

    fn remove_plugin(&self, name: &str) -> Result<()> {
        Ok(fs_err::remove_file(
            self.plugins().join(name).with_extension("wasm"),
        )?)
    }
}
