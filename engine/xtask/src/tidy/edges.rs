//! Which crate may use which. Stages do not know each other; only the pipeline, the controller and the command line compose them.

use std::{collections::BTreeSet, path::Path};

use anyhow::Result;

/// A crate below `engine/` and the crates of ours that its code may use. Tests may use more.
const ALLOWED: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("source", &["model"]),
    // One stage in two crates: charts are reached as repositories are.
    ("charts", &["model", "source"]),
    ("verify", &["model"]),
    ("sops", &["model"]),
    ("render", &["model"]),
    ("compare", &["model"]),
    ("plan", &["model"]),
    ("decide", &["model", "compare", "plan"]),
    ("health", &["model"]),
    ("report", &["model"]),
    ("reconcile", &["model", "plan", "health", "report"]),
    ("cluster", &["model"]),
    ("apply", &["model", "cluster"]),
    ("observe", &["model", "cluster"]),
    ("plugin-aot", &["model"]),
    ("plugin-host", &["model", "plugin-aot"]),
    ("render-aot", &["plugin-aot"]),
    (
        "pipeline",
        &[
            "model",
            "source",
            "charts",
            "verify",
            "sops",
            "render",
            "compare",
            "plan",
            "decide",
            "health",
            "cluster",
            "apply",
            "observe",
            "plugin-host",
        ],
    ),
    (
        "controller",
        &[
            "model",
            "source",
            "verify",
            "plan",
            "decide",
            "health",
            "report",
            "cluster",
            "apply",
            "observe",
            "plugin-host",
            "pipeline",
            "reconcile",
        ],
    ),
    (
        "operations",
        &[
            "model",
            "health",
            "cluster",
            "apply",
            "observe",
            "plugin-host",
            "pipeline",
        ],
    ),
    (
        "cli",
        &[
            "model",
            "source",
            "verify",
            "render",
            "compare",
            "cluster",
            "apply",
            "plugin-host",
            "pipeline",
            "operations",
            "controller",
        ],
    ),
    ("xtask", &["sandbox", "model", "plugin-aot"]),
];

/// Returns the edges that are not allowed, and the crates that the table does not know.
pub(super) fn check(root: &Path) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for entry in fs_err::read_dir(root.join("engine"))? {
        let folder = entry?.path();
        let manifest = folder.join("Cargo.toml");
        if !manifest.exists() {
            continue;
        }
        let name = folder
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let used = uses(&fs_err::read_to_string(&manifest)?);
        findings.extend(judge(&name, &used));
    }
    findings.sort();
    Ok(findings)
}

fn judge(name: &str, used: &BTreeSet<String>) -> Vec<String> {
    let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| *known == name) else {
        return vec![format!(
            "engine/{name}: not in the table of crate edges (xtask, tidy/edges.rs)"
        )];
    };
    let forbidden = used.iter().filter(|used| !allowed.contains(&used.as_str()));
    forbidden
        .map(|used| format!("engine/{name} must not depend on {used}"))
        .collect()
}

/// Returns the crates of ours that a manifest names as dependencies of the code, not of tests.
fn uses(manifest: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    let mut in_dependencies = false;
    for line in manifest.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            in_dependencies = ["dependencies", "build-dependencies"].iter().any(|kind| {
                section == *kind
                    || section.starts_with(&format!("{kind}."))
                    || section.ends_with(&format!(".{kind}"))
            });
            // `[dependencies.sluice-x]`
            if let Some((_, name)) = section
                .split_once("dependencies.sluice-")
                .filter(|_| in_dependencies)
            {
                used.insert(name.to_owned());
            }
        } else if let Some(name) = line.strip_prefix("sluice-").filter(|_| in_dependencies) {
            used.insert(
                name.chars()
                    .take_while(|c| c.is_ascii_alphanumeric() || *c == '-')
                    .collect(),
            );
        }
    }
    used
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, manifest: &str, expected: &[&str]) {
        assert_eq!(judge(name, &uses(manifest)), expected);
    }

    #[test]
    fn a_stage_may_use_the_model_alone() {
        check(
            "plan",
            "[dependencies]\nsluice-model.workspace = true\nserde = \"1\"\n",
            &[],
        );
        check(
            "plan",
            "[dependencies]\nsluice-compare = { path = \"../compare\" }\n",
            &["engine/plan must not depend on compare"],
        );
        check(
            "plan",
            "[target.'cfg(unix)'.dependencies]\nsluice-apply.workspace = true\n",
            &["engine/plan must not depend on apply"],
        );
        check(
            "plan",
            "[dependencies.sluice-apply]\nworkspace = true\n",
            &["engine/plan must not depend on apply"],
        );
    }

    #[test]
    fn tests_may_use_more() {
        check(
            "plan",
            "[dev-dependencies]\nsluice-render.workspace = true\n",
            &[],
        );
    }

    #[test]
    fn an_unknown_crate_is_a_finding() {
        assert_eq!(judge("new", &BTreeSet::new()).len(), 1);
    }
}
