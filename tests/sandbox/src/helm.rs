//! Helm's command line: makes the charts, indexes and provenance files of tests as people make them.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::process::output;
use crate::{Folder, GnuPg, Key, renderer_program};

/// Returns Helm's command line in a folder, with nothing of the user's configuration; building it first if it was not built before.
pub fn helm(folder: &Path) -> Result<Command> {
    let program = renderer_program("helm", |build| output(build).map(drop))?;
    let mut command = Command::new(program);
    command.current_dir(folder);
    for place in ["HELM_CONFIG_HOME", "HELM_CACHE_HOME", "HELM_DATA_HOME"] {
        command.env(place, folder.join(".helm"));
    }
    Ok(command)
}

/// Packages the chart of a folder into another one: `NAME-VERSION.tgz`, and beside it the provenance file if somebody signs it.
pub fn package_chart(chart: &Path, into: &Path, signer: Option<(&GnuPg, &Key)>) -> Result<()> {
    let work = Folder::new("helm")?;
    let mut command = helm(work.path())?;
    command.arg("package").arg(chart).arg("-d").arg(into);
    if let Some((gpg, key)) = signer {
        let keys = work.path().join("secret.gpg");
        let export = ["--export-secret-keys", &key.fingerprint];
        output(gpg.gpg().args(["--yes", "--output"]).arg(&keys).args(export))?;
        command
            .args(["--sign", "--key", &key.user_id, "--keyring"])
            .arg(&keys);
    }
    output(&mut command).map(drop)
}

/// Makes the `index.yaml` of a folder of packaged charts anew.
pub fn index_charts(folder: &Path) -> Result<()> {
    let work = Folder::new("helm")?;
    output(helm(work.path())?.args(["repo", "index"]).arg(folder)).map(drop)
}
