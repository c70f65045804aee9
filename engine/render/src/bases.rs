//! The folders that a kustomization most likely is based on, handed over before it asks for them.
//!
//! Each need of a renderer costs a round with an instance of its own. What a kustomization names beside it (`../base`) can be seen in its
//! text without reading it as YAML. A guess that is wrong costs only the files that are handed over in vain: the renderer looks at what it
//! looks at, and asks for what it misses.

use std::collections::BTreeSet;

use sluice_model::rendering::{File, Need, Supply};
use sluice_model::tree::below;

use crate::links::followed;
use crate::select::KUSTOMIZATIONS;
use crate::tools::Tools;

/// So many folders are guessed, at most; a tree of bases seldom has more than ten.
const FOLDERS: usize = 64;

/// Returns the folders that the kustomization in `folder` names beside it, and those that these name.
pub(crate) fn guessed(folder: &str, files: &[File], tools: &mut dyn Tools) -> Vec<Supply> {
    let mut supplied: Vec<Supply> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut next = named(folder, files);
    while let Some(path) = next.pop() {
        if supplied.len() >= FOLDERS || !seen.insert(path.clone()) {
            continue;
        }
        let is_known = |place: &str| below(&path, place).is_some();
        if let Some(within) = supplied.iter().find(|supply| is_known(&supply.path)) {
            next.extend(named(&path, &within.files));
            continue;
        }
        if is_known(folder) {
            next.extend(named(&path, files));
            continue;
        }
        // What cannot be read now is told if the renderer asks for it.
        let Ok(Some(tree)) = tools.files(&path) else {
            continue;
        };
        let Ok(found) = followed(tree.get(), &path, tools) else {
            continue;
        };
        next.extend(named(&path, &found));
        supplied.push(Supply {
            need: Need::Path(path.clone()),
            path,
            files: found,
        });
    }
    supplied
}

/// The paths that lead out of a folder in the text of its kustomization, from the repository's root.
fn named(folder: &str, files: &[File]) -> Vec<String> {
    let is_kustomization =
        |file: &&File| below(&file.path, folder).is_some_and(|name| KUSTOMIZATIONS.contains(&name));
    let text = files
        .iter()
        .find(is_kustomization)
        .and_then(|file| std::str::from_utf8(&file.content).ok())
        .unwrap_or_default();
    let is_between = |character: char| character.is_whitespace() || "[]{},\"'".contains(character);
    let words = text.split(is_between).filter(|word| word.starts_with(".."));
    words.filter_map(|word| resolved(folder, word)).collect()
}

/// Where a path leads to; none out of the repository.
fn resolved(folder: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_lead_out_are_seen_in_the_text() {
        let text = "resources:\n- ../base\n- './x.yaml'\n- \"../../other/\" # ../seen too\ncomponents: [../a, ../b,../c]\n\
                    bases: ['../../../out', .., https://example.org/../d]\nnamePrefix: a..b\n";
        let files = [File {
            path: "apps/web/kustomization.yaml".to_owned(),
            content: text.as_bytes().into(),
        }];
        assert_eq!(
            named("apps/web", &files),
            [
                "apps/base",
                "other",
                "apps/seen",
                "apps/a",
                "apps/b",
                "apps/c",
                "apps"
            ]
        );
        assert!(named("apps", &files).is_empty() && named("", &files).is_empty());
    }
}
