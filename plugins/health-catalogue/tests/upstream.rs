//! The catalogue beside Argo CD's scripts: on the inputs of their own tests it is to say the same status, without a script.
//!
//! ```sh
//! RESOURCE_CUSTOMIZATIONS=…/argo-cd/resource_customizations cargo test --release -p health-catalogue --test upstream -- --ignored --nocapture
//! ```
//!
//! What is compared is what Argo CD shows: an object on its way out is progressing there, whatever its script says. Kinds that the catalogue
//! leaves to `health-kubernetes` are judged by that plugin. `differences.yaml` has the inputs on which they differ, each with the reason; the
//! test fails if another one does, or if one of them does not any more.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "what fails names its case"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use health_catalogue::{CLAIMS, assess};
use health_kubernetes::HealthKubernetes;
use serde::Deserialize as _;
use serde_json::{Value as Json, json};
use sluice_plugin::golden::health_json;
use sluice_plugin::{Claim, HealthCheck as _, HealthContext, Object, Settings};

/// The share that is to be the same.
const SHARE: f64 = 0.95;

struct Input {
    /// `GROUP/KIND/FILE` below the folder of scripts.
    path: String,
    object: Json,
    want: String,
}

#[test]
#[ignore = "needs a copy of Argo CD's scripts and their tests"]
fn the_catalogue_says_what_argo_cds_scripts_say() {
    let folder = PathBuf::from(
        std::env::var_os("RESOURCE_CUSTOMIZATIONS").expect("RESOURCE_CUSTOMIZATIONS names the folder"),
    );
    let known: BTreeMap<String, String> =
        serde_yaml::from_str(&std::fs::read_to_string("differences.yaml").unwrap()).unwrap();
    let inputs = inputs(&folder);
    let mut differ = BTreeMap::new();
    for input in &inputs {
        let said = judged(&input.object);
        if said != input.want {
            println!("{}: {} there, {said} here", input.path, input.want);
            differ.insert(input.path.clone(), said);
        }
    }
    let same = inputs.len() - differ.len();
    println!("{same} of {} inputs: the same status", inputs.len());
    let unexplained: Vec<_> = differ.keys().filter(|path| !known.contains_key(*path)).collect();
    assert!(
        unexplained.is_empty(),
        "not in differences.yaml: {unexplained:#?}"
    );
    let gone: Vec<_> = known.keys().filter(|path| !differ.contains_key(*path)).collect();
    assert!(gone.is_empty(), "in differences.yaml, and the same: {gone:#?}");
    assert!(same as f64 >= inputs.len() as f64 * SHARE);
}

fn inputs(folder: &Path) -> Vec<Input> {
    let mut inputs = Vec::new();
    let mut tests = Vec::new();
    find(folder, &mut tests);
    tests.sort();
    for test in tests {
        let here = test.parent().unwrap();
        let list: Json = serde_yaml::from_str(&std::fs::read_to_string(&test).unwrap()).unwrap();
        for case in list["tests"].as_array().into_iter().flatten() {
            // Keys of that file are read without regard to case there.
            let name = case
                .get("inputPath")
                .or(case.get("inputpath"))
                .and_then(Json::as_str)
                .unwrap();
            let text = std::fs::read_to_string(here.join(name)).unwrap();
            let object = serde_yaml::Deserializer::from_str(&text)
                .map(|document| Json::deserialize(document).unwrap())
                .find(|document| !document.is_null())
                .unwrap();
            let is_going = !object["metadata"]["deletionTimestamp"].is_null();
            let want = match is_going {
                true => "Progressing",
                false => case["healthStatus"]["status"].as_str().unwrap(),
            };
            let path = here
                .join(name)
                .strip_prefix(folder)
                .unwrap()
                .to_string_lossy()
                .replace("testdata/", "");
            inputs.push(Input {
                path,
                object,
                want: want.to_owned(),
            });
        }
    }
    inputs
}

fn find(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => find(&path, found),
            false if path.ends_with("health_test.yaml") => found.push(path),
            false => {}
        }
    }
}

/// The status by the catalogue, or else by `health-kubernetes`.
fn judged(object: &Json) -> String {
    let handle = Object::json(object.clone());
    let reference = handle.reference();
    let (group, kind) = (reference.group.as_str(), reference.kind.as_str());
    let fits = |claim: &str, claimed: &str| match claim.strip_prefix('*') {
        Some(end) => group.ends_with(end) && ["*", kind].contains(&claimed),
        None => claim == group && ["*", kind].contains(&claimed),
    };
    // Exact ones first.
    let claim = CLAIMS
        .iter()
        .filter(|(claim, claimed, _)| fits(claim, claimed))
        .min_by_key(|(claim, claimed, _)| (*claimed == "*", claim.starts_with('*')));
    let said = match claim {
        Some((_, _, rule)) => assess(*rule, &handle).map(|(_, verdict)| health_json(&verdict)),
        None => Ok(Json::Null),
    };
    let said = match said {
        Ok(Json::Null) => by_kubernetes(&handle, group, kind),
        said => said,
    };
    let said = said.unwrap_or_else(|_| json!({"status": "Unknown"}));
    said["status"].as_str().unwrap_or("no opinion").to_owned()
}

fn by_kubernetes(object: &Object<'_>, group: &str, kind: &str) -> Result<Json, String> {
    let claims = HealthKubernetes::describe().claims;
    let claim = claims
        .iter()
        .position(|claim| *claim == Claim::new(group, kind))
        .unwrap_or(claims.len() - 1);
    let plugin = HealthKubernetes::configure(&Settings::parse("{}").unwrap()).unwrap();
    let context = HealthContext::native(0, u32::try_from(claim).unwrap());
    plugin
        .assess(object, &context)
        .map(|verdict| health_json(&verdict))
}
