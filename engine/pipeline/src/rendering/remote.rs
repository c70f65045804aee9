//! Addresses of files and folders in other repositories, as kustomizations and `valueFiles` write them.
//!
//! Kustomize has no rule that tells where in `https://example.org/a/b/c/d` the repository ends: it guesses by the host. Here nothing is
//! fetched that an Application does not declare, so the address is compared with the declared repositories instead.

use std::fmt;

/// An address, taken apart as far as that can be done without knowing the repository.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// Host and path, without what varies between the ways to reach the same.
    place: String,
    /// The revision that it names with `?ref=` or `?version=`.
    revision: Option<String>,
}

/// GitHub's host for single files: `/OWNER/NAME/REVISION/PATH`.
const RAW: &str = "raw.githubusercontent.com/";

impl Address {
    /// None for what is no address.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (text, query) = text.split_once('?').unwrap_or((text, ""));
        let revision = query
            .split('&')
            .filter_map(|part| part.split_once('='))
            .find(|(name, value)| matches!(*name, "ref" | "version") && !value.is_empty())
            .map(|(_, value)| value.to_owned());
        let place = normal(text);
        (!place.is_empty()).then_some(Self { place, revision })
    }

    /// The path from the root of a repository, if the address is of that one. `is_at` says whether the repository is at a revision.
    ///
    /// # Errors
    /// The revision that is asked for, if it is another one.
    pub(super) fn within(
        &self,
        repository: &str,
        is_at: &dyn Fn(&str) -> bool,
    ) -> Option<Result<String, String>> {
        let repository = normal(repository);
        let repository = without_ending(&repository);
        if let Some(rest) = self.place.strip_prefix(RAW) {
            let owned = repository.strip_prefix("github.com/")?;
            return Some(raw(rest.strip_prefix(owned)?.strip_prefix('/')?, is_at));
        }
        // Where Kustomize is told where the repository ends, it ends there.
        if let Some((place, _)) = self.place.split_once("//")
            && without_ending(place) != repository
        {
            return None;
        }
        let rest = self.place.strip_prefix(repository)?;
        let rest = match rest.strip_prefix(".git") {
            Some(after) if after.is_empty() || after.starts_with('/') => after,
            _ => rest,
        };
        if !rest.is_empty() && !rest.starts_with('/') {
            return None;
        }
        let path = rest.trim_matches('/');
        if let Some(path) = path.strip_prefix("raw/").filter(|_| self.revision.is_none()) {
            return Some(raw(path, is_at));
        }
        match &self.revision {
            Some(revision) if !is_at(revision) => Some(Err(revision.clone())),
            _ => clean(path),
        }
    }
}

impl fmt::Display for Address {
    /// Without the user, whose name may be a password.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.place)?;
        match &self.revision {
            Some(revision) => write!(formatter, "?ref={revision}"),
            None => Ok(()),
        }
    }
}

/// What follows the repository in the address of a single file: a revision and a path.
fn raw(rest: &str, is_at: &dyn Fn(&str) -> bool) -> Result<String, String> {
    let rest = ["refs/heads/", "refs/tags/"]
        .into_iter()
        .find_map(|kind| rest.strip_prefix(kind))
        .unwrap_or(rest);
    // Names of branches may have a `/` in them.
    let ends = rest.match_indices('/').map(|(at, _)| at);
    let mut split = ends.filter_map(|at| Some((rest.get(..at)?, rest.get(at + 1..)?)));
    let asked = || rest.split('/').next().unwrap_or_default().to_owned();
    let (_, path) = split.find(|(revision, _)| is_at(revision)).ok_or_else(asked)?;
    clean(path).unwrap_or_else(|| Err(asked()))
}

/// A path without empty parts; none if it leads out of the repository.
fn clean(path: &str) -> Option<Result<String, String>> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(Ok(parts.join("/")))
}

/// Host and path of an address: without scheme and user, the host in lower-case letters.
fn normal(text: &str) -> String {
    let text = text.trim();
    let text = match text.get(..5) {
        Some(prefix) if prefix.eq_ignore_ascii_case("git::") => &text[5..],
        _ => text,
    };
    let text = match text.strip_prefix("gh:") {
        Some(rest) => format!("github.com/{rest}"),
        None => text.to_owned(),
    };
    let (has_scheme, rest) = match text.split_once("://") {
        Some((_, rest)) => (true, rest),
        None => (false, text.as_str()),
    };
    let (host, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    // `git@host:path`: what follows the colon is no port.
    let (host, between) = match host.split_once(':') {
        Some((host, first)) if !has_scheme => (host, format!("/{first}")),
        _ => (host, String::new()),
    };
    format!("{}{between}{path}", host.to_ascii_lowercase())
}

fn without_ending(repository: &str) -> &str {
    let trimmed = repository.trim_end_matches('/');
    trimmed.strip_suffix(".git").unwrap_or(trimmed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_of_the_repository_that_it_begins_with() {
        const REPOSITORY: &str = "https://github.com/org/repo.git";
        let there = |path: &str| Some(Ok(path.to_owned()));
        let other = |revision: &str| Some(Err(revision.to_owned()));
        let cases = [
            ("https://github.com/org/repo", there("")),
            (
                "https://github.com/org/repo//deploy/base?ref=v1",
                there("deploy/base"),
            ),
            (
                "https://github.com/org/repo/deploy/base/?ref=v1&timeout=90s",
                there("deploy/base"),
            ),
            (
                "https://user@GitHub.com/org/repo.git/deploy?version=v1",
                there("deploy"),
            ),
            ("git::ssh://git@github.com/org/repo.git//deploy", there("deploy")),
            ("git@github.com:org/repo.git//deploy?ref=v1", there("deploy")),
            ("github.com/org/repo/deploy?ref=v1", there("deploy")),
            ("github.com:org/repo/deploy", there("deploy")),
            ("gh:org/repo//deploy", there("deploy")),
            ("https://github.com/org/repo//a/./b//c/../d", there("a/b/d")),
            ("https://github.com/org/repo//deploy?ref=main", other("main")),
            ("https://github.com/org/repo//../other", None),
            ("https://github.com/org/repo/deploy//base", None),
            ("https://github.com/org/repository//deploy", None),
            ("https://github.com/org/repo.github/deploy", None),
            ("https://github.com/ORG/repo", None),
            ("https://github.com:8443/org/repo", None),
            ("https://example.org/org/repo", None),
            (
                "https://raw.githubusercontent.com/org/repo/v1/a/b.yaml",
                there("a/b.yaml"),
            ),
            (
                "https://raw.githubusercontent.com/org/repo/refs/tags/v1/b.yaml",
                there("b.yaml"),
            ),
            (
                "https://raw.githubusercontent.com/org/repo/feature/x/b.yaml",
                there("b.yaml"),
            ),
            (
                "https://raw.githubusercontent.com/org/repo/main/b.yaml",
                other("main"),
            ),
            (
                "https://raw.githubusercontent.com/org/repo/v1/../../b.yaml",
                other("v1"),
            ),
            ("https://github.com/org/repo/raw/v1/b.yaml", there("b.yaml")),
        ];
        for (text, expected) in cases {
            let address = Address::read(text).expect(text);
            let is_at = |revision: &str| ["v1", "feature/x"].contains(&revision);
            assert_eq!(address.within(REPOSITORY, &is_at), expected, "{text}");
        }
        assert_eq!(Address::read("?ref=v1"), None);
        let shown = Address::read("https://ada:hunter2@GitHub.com/org/repo//a?ref=v1")
            .map(|address| address.to_string());
        assert_eq!(shown.as_deref(), Some("github.com/org/repo//a?ref=v1"));
    }

    #[test]
    fn a_repository_on_this_machine_has_an_address_too() {
        let address = Address::read("file:///srv/git/base.git//app").expect("an address");
        let found = address.within("file:///srv/git/base.git", &|_| true);
        assert_eq!(found, Some(Ok("app".to_owned())));
    }

    #[test]
    fn whatever_is_written_is_an_address_or_none() {
        let text = "git::https://ü@gh:raw.githubusercontent.com/a/b//../raw/ü?ref=&version=v1?x@://:.git//";
        let ends: Vec<usize> = text
            .char_indices()
            .map(|(at, _)| at)
            .chain([text.len()])
            .collect();
        for from in &ends {
            for part in ends.iter().filter_map(|to| text.get(*from..*to)) {
                let Some(address) = Address::read(part) else {
                    continue;
                };
                for repository in ["", "/", "https://github.com/a/b", "ü@gh:a/b", ".git", part] {
                    let found = address.within(repository, &|revision| revision == "v1");
                    if let Some(Ok(path)) = found {
                        let is_clean = |part: &str| !["", ".", ".."].contains(&part);
                        assert!(
                            path.is_empty() || path.split('/').all(is_clean),
                            "{part} {repository}"
                        );
                    }
                }
            }
        }
    }
}
