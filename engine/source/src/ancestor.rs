//! What `main~3` and `v1^2` lead to: the ancestors of what a name means. Only in a local repository, where people type them.
//!
//! gix could say it too, but decodes every commit on the way as a whole, so that one malformed line of an author is in the way of
//! all that is older. Git reads the parents, and so does this. What else `git rev-parse` understands (`main@{1}`, `:/text`) is gix's.

use gix::ObjectId;
use gix::objs::Kind;

use crate::error::SourceError;
use crate::repository::{Reader, SIGNED_OBJECT_BYTES};

/// One step from a commit to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// `~3`: so many first parents on.
    First(usize),
    /// `^2`: to this parent, the first being 1; 0 is the commit itself.
    Parent(usize),
}

/// A name and the steps from it; none where it is another expression.
fn split(text: &str) -> Option<(&str, Vec<Step>)> {
    let (name, mut rest) = text.split_at(text.find(['~', '^'])?);
    let mut steps = Vec::new();
    while let Some(mark) = rest.chars().next() {
        rest = rest.strip_prefix(mark)?;
        let commits = ["{commit}", "{}"];
        if mark == '^'
            && let Some(after) = commits.iter().find_map(|what| rest.strip_prefix(what))
        {
            (rest, steps) = (after, [steps, vec![Step::Parent(0)]].concat());
            continue;
        }
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (digits, after) = rest.split_at(end);
        let count = if digits.is_empty() {
            1
        } else {
            digits.parse().ok()?
        };
        steps.push(match mark {
            '~' => Step::First(count),
            '^' => Step::Parent(count),
            _ => return None,
        });
        rest = after;
    }
    (!name.is_empty()).then_some((name, steps))
}

/// The commit that an expression leads to from what its name means. None where it is another expression; what it does not lead to is
/// unknown.
pub(crate) fn find(
    reader: &Reader,
    text: &str,
    start: impl FnOnce(&str) -> Result<ObjectId, SourceError>,
) -> Option<Result<ObjectId, SourceError>> {
    let (name, steps) = split(text)?;
    let unknown = || SourceError::UnknownRevision {
        name: text.to_owned(),
    };
    let walk = || {
        let name = if name == "@" { "HEAD" } else { name };
        let (_, mut commit) = reader.peel(text, start(name)?)?;
        for step in steps {
            let (times, which) = match step {
                Step::First(count) => (count, 1),
                Step::Parent(0) => (0, 0),
                Step::Parent(which) => (1, which),
            };
            for _ in 0..times {
                let bytes = reader.read(commit, Kind::Commit, SIGNED_OBJECT_BYTES)?;
                let links = reader.links(commit, &bytes)?;
                let parent = links.parents.get(which - 1).ok_or_else(unknown)?;
                commit = reader.id(parent)?;
            }
        }
        Ok(commit)
    };
    Some(walk())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_is_a_name_and_steps() {
        use Step::{First, Parent};
        type Expected = Option<(&'static str, &'static [Step])>;
        let cases: &[(&str, Expected)] = &[
            ("main~3", Some(("main", &[First(3)]))),
            ("main~", Some(("main", &[First(1)]))),
            ("v1^2~10^", Some(("v1", &[Parent(2), First(10), Parent(1)]))),
            ("v1^{}", Some(("v1", &[Parent(0)]))),
            ("v1^{commit}~1", Some(("v1", &[Parent(0), First(1)]))),
            ("@~0", Some(("@", &[First(0)]))),
            ("main", None),
            ("^main", None),
            ("main^{tree}", None),
            ("main^{/text}", None),
            ("main~x", None),
            ("main~99999999999999999999999", None),
            ("main~1:path", None),
        ];
        for (text, expected) in cases {
            let expected = expected.map(|(name, steps)| (name, steps.to_vec()));
            assert_eq!(split(text), expected, "{text}");
        }
    }
}
