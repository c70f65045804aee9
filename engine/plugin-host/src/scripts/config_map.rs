//! Scripts in a ConfigMap, by Argo CD's own keys: `resource.customizations.health.GROUP_KIND` has one script, and the older single key
//! `resource.customizations` a map of `GROUP/KIND` to `health.lua: |`.
//!
//! A ConfigMap that is mounted has its entries as files; one that is a file is a manifest. Either way what else is in it, such as
//! `…useOpenLibs.…` and `…actions.…`, is passed over.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The older key, and what all keys begin with.
const ALL: &str = "resource.customizations";
/// What the keys of single scripts begin with.
const HEALTH: &str = "resource.customizations.health.";

/// One script: for what it is, and itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) group: String,
    pub(super) kind: String,
    pub(super) source: String,
}

/// What of a customization is about health.
#[derive(Deserialize)]
struct Customization {
    #[serde(rename = "health.lua", default)]
    health: Option<String>,
}

/// What counts of a manifest.
#[derive(Deserialize)]
struct Manifest {
    kind: String,
    #[serde(default)]
    data: BTreeMap<String, String>,
}

/// True for a file that may be an entry of such a ConfigMap, or one as a manifest.
pub(super) fn may_have_scripts(file: &str) -> bool {
    file == ALL
        || file.starts_with(HEALTH)
        || [".yaml", ".yml", ".json"]
            .iter()
            .any(|ending| file.ends_with(ending))
}

/// The scripts of a file; none of a file that has nothing to do with them.
///
/// # Errors
/// What is wrong with it.
pub(super) fn scripts(file: &str, text: &str) -> Result<Vec<Found>, String> {
    if file == ALL || file.starts_with(HEALTH) {
        return entry(file, text);
    }
    let manifest: Manifest = match serde_yaml::from_str(text) {
        Ok(manifest) => manifest,
        // Something else that lies there.
        Err(_) => return Ok(Vec::new()),
    };
    if manifest.kind != "ConfigMap" {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for (key, text) in &manifest.data {
        found.extend(entry(key, text)?);
    }
    Ok(found)
}

/// The scripts of one entry.
fn entry(key: &str, text: &str) -> Result<Vec<Found>, String> {
    if let Some(what) = key.strip_prefix(HEALTH) {
        let (group, kind) = what.rsplit_once('_').unwrap_or(("", what));
        return Ok(vec![found(group, kind, text)]);
    }
    if key != ALL {
        return Ok(Vec::new());
    }
    let all: BTreeMap<String, Customization> =
        serde_yaml::from_str(text).map_err(|error| format!("`{key}` cannot be read: {error}"))?;
    let of = |(what, customization): (String, Customization)| {
        let (group, kind) = what.split_once('/').unwrap_or(("", &what));
        Some(found(group, kind, &customization.health?))
    };
    Ok(all.into_iter().filter_map(of).collect())
}

fn found(group: &str, kind: &str, source: &str) -> Found {
    Found {
        group: group.to_owned(),
        kind: kind.to_owned(),
        source: source.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(file: &str, text: &str) -> Vec<String> {
        let scripts = scripts(file, text).expect("scripts");
        let line = |found: Found| format!("{}|{}|{}", found.group, found.kind, found.source);
        scripts.into_iter().map(line).collect()
    }

    #[test]
    fn keys_are_read_as_argo_cd_reads_them() {
        for (file, text, expected) in [
            (
                "resource.customizations.health.cert-manager.io_Certificate",
                "return 1",
                vec!["cert-manager.io|Certificate|return 1"],
            ),
            (
                "resource.customizations.health.PersistentVolumeClaim",
                "return 2",
                vec!["|PersistentVolumeClaim|return 2"],
            ),
            (
                "resource.customizations",
                "'*.aws.crossplane.io/*':\n  health.lua: return 3\napps/Deployment:\n  ignoreDifferences: ''\nPod:\n  health.lua: return 4\n",
                vec!["*.aws.crossplane.io|*|return 3", "|Pod|return 4"],
            ),
            (
                "argocd-cm.yaml",
                "kind: ConfigMap\nmetadata: {name: argocd-cm}\ndata:\n  url: https://example.org\n  resource.customizations.useOpenLibs.a_B: 'true'\n  \
                 resource.customizations.health.a.b_C: return 5\n",
                vec!["a.b|C|return 5"],
            ),
            (
                "other.yaml",
                "kind: Secret\ndata: {resource.customizations.health.a_B: x}\n",
                vec![],
            ),
            ("list.yaml", "- 1\n", vec![]),
        ] {
            assert_eq!(told(file, text), expected, "{file}");
        }
        assert!(scripts("resource.customizations", "a: [").is_err());
    }

    #[test]
    fn files_that_matter_are_known_by_their_names() {
        for (file, expected) in [
            ("resource.customizations", true),
            ("resource.customizations.health.a_B", true),
            ("resource.customizations.useOpenLibs.a_B", false),
            ("argocd-cm.yml", true),
            ("url", false),
        ] {
            assert_eq!(may_have_scripts(file), expected, "{file}");
        }
    }
}
