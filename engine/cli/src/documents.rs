//! Reading what `-f` names: a file, or stdin for `-`.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use sluice_model::application::Application;
use sluice_model::manifest::Manifest;
use sluice_render::RenderErrors;

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

/// Every object of the file, or of the manifests in a folder as `kubectl` takes them, decoded as manifests are. At least one.
pub(crate) fn manifests(path: &Path) -> Result<Vec<Manifest>, Failure> {
    let mut manifests = Vec::new();
    let mut wrong = Vec::new();
    for path in files(path)? {
        match sluice_render::decode(&name(&path), &read(&path)?) {
            Ok(found) => manifests.extend(found),
            Err(errors) => wrong.push(errors),
        }
    }
    if !wrong.is_empty() {
        return Err(Failure::each(RenderErrors::all(wrong)));
    }
    if manifests.is_empty() {
        return Err(CliError::NoObject {
            path: path.to_owned(),
        }
        .into());
    }
    Ok(manifests)
}

/// The file itself, or the manifests of a folder, not those of folders in it.
fn files(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let failed = |source| CliError::Read {
        path: path.to_owned(),
        source,
    };
    let entries = fs_err::read_dir(path).map_err(failed)?;
    let mut files = Vec::new();
    for entry in entries {
        let file = entry.map_err(failed)?.path();
        let is_manifest = file
            .extension()
            .is_some_and(|extension| ["yaml", "yml", "json"].iter().any(|known| extension == *known));
        if is_manifest && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

/// The one Application that the file holds.
pub(crate) fn application(path: &Path) -> Result<Application, Failure> {
    let wrong = |source: Box<dyn std::error::Error + Send + Sync>| CliError::NotAnApplication {
        path: path.to_owned(),
        source,
    };
    let bytes = read(path)?;
    let mut manifests = sluice_render::decode(&name(path), &bytes).map_err(Failure::each)?;
    if manifests.len() > 1 {
        return Err(wrong(format!("it holds {} objects", manifests.len()).into()).into());
    }
    let Some(object) = manifests.pop().map(|manifest| manifest.object) else {
        return Err(CliError::NoObject {
            path: path.to_owned(),
        }
        .into());
    };
    if object.group() == "argoproj.io" && object.kind() == "Application" {
        return Err(wrong(ARGO_CD.into()).into());
    }
    if object.group() != "sluice.dev" || object.kind() != "Application" {
        let kind = object.group_kind().to_string();
        return Err(wrong(format!("it holds {} {kind}", article(&kind)).into()).into());
    }
    Ok(serde_json::from_value(object.into_value()).map_err(|error| {
        let error = error.to_string();
        // Of what is misspelt, serde knows the name and not the place.
        let field = error
            .strip_prefix("unknown field `")
            .and_then(|rest| rest.split('`').next());
        let place = field.and_then(|field| sluice_render::place_of_key(&name(path), &bytes, field));
        CliError::BadApplication {
            path: place.map_or_else(|| name(path), |place| place.to_string()),
            source: error.into(),
        }
    })?)
}

const ARGO_CD: &str = "it holds an Application of Argo CD; write one of `apiVersion: sluice.dev/v1alpha1` with its `source` (`repoURL`, `targetRevision` and `path` are called the same), its `destination.namespace` and a `verification`";

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

/// The settings of a plugin in a file, as they stand in `spec.policies`.
pub(crate) fn settings(path: &Path) -> Result<Map<String, Value>, Failure> {
    let wrong = |why: String| CliError::BadSettings {
        path: path.to_owned(),
        why,
    };
    let text = String::from_utf8(read(path)?).map_err(|_| wrong("it is no UTF-8".to_owned()))?;
    let value = sluice_render::read_values(&text);
    match value.map_err(|line| wrong(format!("line {line} cannot be read")))? {
        Value::Object(map) => Ok(map),
        Value::Null => Ok(Map::new()),
        _ => Err(wrong("it is no map".to_owned()).into()),
    }
}
