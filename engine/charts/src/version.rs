//! Versions of charts, as Helm reads them: semantic versions, with the parts that are left out filled with zeros.

use std::cmp::Ordering;

use semver::{BuildMetadata, Prerelease};

use crate::Constraint;

/// Longer versions are none.
const LONGEST: usize = 256;

/// A version. Build metadata takes no part in comparisons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(pub(crate) semver::Version);

impl Version {
    /// Reads a version, `1.2.3-rc.1+build`; a `v` before it, and a minor and patch that are left out, are put up with. None if it is
    /// none.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let text = text.strip_prefix('v').unwrap_or(text);
        let (text, build) = split(text, '+');
        let (core, prerelease) = split(text, '-');
        let numbers: Vec<u64> = core.split('.').map(number).collect::<Option<_>>()?;
        let (major, rest) = numbers.split_first().filter(|(_, rest)| rest.len() <= 2)?;
        let part = |index: usize| rest.get(index).copied().unwrap_or_default();
        let mut version = semver::Version::new(*major, part(0), part(1));
        if let Some(prerelease) = prerelease {
            version.pre = Prerelease::new(prerelease).ok().filter(|pre| !pre.is_empty())?;
        }
        if let Some(build) = build {
            version.build = BuildMetadata::new(build).ok().filter(|build| !build.is_empty())?;
        }
        Some(Self(version))
    }

    /// Compares as semantic versions are: a prerelease is before its release.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Ordering {
        self.0.cmp_precedence(&other.0)
    }

    /// True for the same version with the same build metadata, however it is written.
    #[must_use]
    pub fn is(&self, text: &str) -> bool {
        Self::read(text).is_some_and(|other| other == *self)
    }
}

fn split(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at)
        .map_or((text, None), |(before, after)| (before, Some(after)))
}

fn number(text: &str) -> Option<u64> {
    // Zeros before a number are put up with, as Helm does.
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

/// Returns which of some versions is meant, as Helm finds it: the one that is written the same, else the newest that a range allows. None
/// if there is no such one. Of equal ones, the first.
#[must_use]
pub fn newest<'v>(
    wanted: &str,
    constraint: &Constraint,
    there: impl Iterator<Item = &'v str> + Clone,
) -> Option<usize> {
    if !wanted.is_empty()
        && let Some(exact) = there.clone().position(|text| text == wanted)
    {
        return Some(exact);
    }
    let mut best: Option<(usize, Version)> = None;
    for (index, version) in there.enumerate() {
        let Some(version) = Version::read(version).filter(|version| constraint.allows(version)) else {
            continue;
        };
        if best
            .as_ref()
            .is_none_or(|(_, best)| version.compare(best) == Ordering::Greater)
        {
            best = Some((index, version));
        }
    }
    best.map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_are_written() {
        for (text, same) in [
            ("1.2.3", "1.2.3"),
            ("v1.2.3", "1.2.3"),
            ("1.2", "1.2.0"),
            ("1", "1.0.0"),
            ("1.2.3-rc.1+b.2", "1.2.3-rc.1+b.2"),
            ("1-rc", "1.0.0-rc"),
            ("01.2.3", "1.2.3"),
        ] {
            assert_eq!(Version::read(text).unwrap().0.to_string(), same, "{text}");
        }
        for text in [
            "",
            "v",
            "x",
            "1.",
            "1.2.3.4",
            "1.2.3-",
            "1.2.3+",
            "1.2.3-01",
            "-1",
            "1.2.3 ",
            "99999999999999999999",
        ] {
            assert!(Version::read(text).is_none(), "{text}");
        }
    }

    #[test]
    fn the_newest_that_a_range_allows() {
        let there = [
            "0.9.0",
            "1.0.0",
            "2.0.0-rc.1",
            "nonsense",
            "1.10.0",
            "1.9.0",
            "v1.11.0-alpha",
        ];
        for (wanted, expected) in [
            ("*", Some("1.10.0")),
            ("", Some("1.10.0")),
            ("1.9.0", Some("1.9.0")),
            ("^0.9", Some("0.9.0")),
            (">=1.0.0-0", Some("2.0.0-rc.1")),
            ("2.0.0-rc.1", Some("2.0.0-rc.1")),
            ("1.11.0-alpha", Some("v1.11.0-alpha")),
            ("nonsense", Some("nonsense")),
            ("^3", None),
        ] {
            let constraint = Constraint::read(wanted).unwrap_or_default();
            let found = newest(wanted, &constraint, there.iter().copied());
            assert_eq!(found.map(|index| there[index]), expected, "{wanted}");
        }
    }
}
