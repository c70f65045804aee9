//! Reading what `-f` names: a file, or stdin for `-`.

use std::io::Read as _;
use std::path::Path;

use sluice_model::application::Application;
use sluice_model::manifest::Manifest;

use crate::failure::{CliError, Failure};

/// Every byte of the file, or of stdin for `-`.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |source| CliError::Read {
        path: path.to_owned(),
        source,
    };
    if path.as_os_str() != "-" {
        return Ok(fs_err::read(path).map_err(failed)?);
    }
    let mut bytes = Vec::new();
    std::io::stdin().lock().read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// Every object of the file, decoded as manifests are. At least one.
pub(crate) fn manifests(path: &Path) -> Result<Vec<Manifest>, Failure> {
    let bytes = read(path)?;
    let manifests = sluice_render::decode(&name(path), &bytes).map_err(Failure::each)?;
    if manifests.is_empty() {
        return Err(CliError::NoObject {
            path: path.to_owned(),
        }
        .into());
    }
    Ok(manifests)
}

/// The one Application that the file holds.
pub(crate) fn application(path: &Path) -> Result<Application, Failure> {
    let wrong = |source: Box<dyn std::error::Error + Send + Sync>| CliError::NotAnApplication {
        path: path.to_owned(),
        source,
    };
    let mut manifests = manifests(path)?;
    if manifests.len() > 1 {
        return Err(wrong(format!("it holds {} objects", manifests.len()).into()).into());
    }
    let object = manifests.remove(0).object;
    if object.group() != "sluice.dev" || object.kind() != "Application" {
        let kind = object.group_kind().to_string();
        return Err(wrong(format!("it holds {} {kind}", article(&kind)).into()).into());
    }
    Ok(serde_json::from_value(object.into_value()).map_err(|error| wrong(error.into()))?)
}

/// `a` or `an`, as a word is spoken.
fn article(word: &str) -> &'static str {
    match word.starts_with(['A', 'E', 'I', 'O', 'a', 'e', 'i', 'o']) {
        true => "an",
        false => "a",
    }
}

/// How the file is called in messages.
fn name(path: &Path) -> String {
    match path.as_os_str() == "-" {
        true => "stdin".to_owned(),
        false => path.display().to_string(),
    }
}
