//! Released WIT packages do not change: `wit/frozen.sha256` holds their hashes, in the form that `sha256sum` reads, comments included. A
//! file that joins a package changes it too. A package that is not listed is not released, and may change.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;
use sha2::{Digest as _, Sha256};

/// Returns the released files that are gone or were changed, and those that joined them. Without the list nothing was released yet.
pub(super) fn check(root: &Path) -> Result<Vec<String>> {
    let folder = root.join("wit");
    let list = folder.join("frozen.sha256");
    if !list.exists() {
        return Ok(Vec::new());
    }
    let (mut findings, mut listed) = (Vec::new(), BTreeSet::new());
    for line in fs_err::read_to_string(list)?
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
    {
        let Some((expected, name)) = line.split_once("  ") else {
            findings.push(format!("wit/frozen.sha256: not a line of sha256sum: {line}"));
            continue;
        };
        listed.insert(folder.join(name));
        match fs_err::read(folder.join(name)) {
            Ok(content) if hex::encode(Sha256::digest(&content)) == expected => {}
            Ok(_) => findings.push(format!(
                "wit/{name} was released and must not change; wit/README.md says how to go on"
            )),
            Err(_) => findings.push(format!("wit/{name} was released and must stay")),
        }
    }
    let packages: BTreeSet<_> = listed.iter().filter_map(|file| file.parent()).collect();
    for package in packages.into_iter().filter(|package| package.exists()) {
        let joined = super::files(package, ".wit")?;
        findings.extend(
            joined
                .iter()
                .filter(|file| !listed.contains(*file))
                .map(|file| format!("{} joined a package that was released", file.display())),
        );
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_or_missing_file_is_a_finding() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            fs_err::create_dir_all(folder.path().join("wit")).unwrap();
            fs_err::write(folder.path().join("wit").join(name), text).unwrap();
        };
        assert_eq!(check(folder.path()).unwrap(), Vec::<String>::new());
        write("a.wit", "package a;");
        // Not released yet.
        write("frozen.sha256", "# nothing\n");
        assert_eq!(check(folder.path()).unwrap(), Vec::<String>::new());
        write(
            "frozen.sha256",
            &format!(
                "# released\n{}  a.wit\n",
                hex::encode(Sha256::digest("package a;"))
            ),
        );
        assert_eq!(check(folder.path()).unwrap(), Vec::<String>::new());
        write("b.wit", "interface b {}");
        assert!(check(folder.path()).unwrap()[0].contains("joined"));
        fs_err::remove_file(folder.path().join("wit/b.wit")).unwrap();
        write("a.wit", "package b;");
        assert_eq!(check(folder.path()).unwrap().len(), 1);
        write("frozen.sha256", "00  gone.wit\n");
        assert!(check(folder.path()).unwrap()[0].contains("must stay"));
    }
}
