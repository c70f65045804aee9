//! The revisions of several sources as one text.
//!
//! An Application of one source is at a commit, and that is how its revision is written everywhere. One of several sources is at as many
//! at once; written as `shop=3f2a…,values=9bc1…`, by the names of the sources and in the order of these names, that is one text again: it
//! tells one state from all others, whatever the order of the sources, and is enough to go back there.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

/// Between two sources.
const BETWEEN: char = ',';
/// Between the name of a source and its revision.
const IS_AT: char = '=';

/// Writes the revisions of sources as one text. The revision of a source without a name, which is alone, is the text.
pub fn joined<'a>(sources: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let by_name: BTreeMap<&str, &str> = sources.into_iter().collect();
    let texts = by_name.into_iter().map(|(name, revision)| match name {
        "" => revision.to_owned(),
        name => format!("{name}{IS_AT}{revision}"),
    });
    texts.collect::<Vec<_>>().join(&BETWEEN.to_string())
}

/// Reads what [`joined`] wrote of sources with names: their revisions by name. None for anything else, such as the revision of a source
/// that is alone.
pub fn named(text: &str) -> Option<BTreeMap<&str, &str>> {
    let mut by_name = BTreeMap::new();
    for part in text.split(BETWEEN) {
        let (name, revision) = part.split_once(IS_AT)?;
        if !is_name(name) || revision.is_empty() || by_name.insert(name, revision).is_some() {
            return None;
        }
    }
    Some(by_name)
}

/// Returns the revision of one source in such a text; the text itself for a source without a name.
pub fn of<'a>(text: &'a str, source: &str) -> Option<&'a str> {
    match source {
        "" => Some(text),
        name => named(text)?.get(name).copied(),
    }
}

/// Returns the first twelve digits of a commit, as messages have it; of several sources, those of each.
pub fn short(revision: &str) -> String {
    let first = |id: &str| id.get(..12).unwrap_or(id).to_owned();
    match named(revision) {
        None => first(revision),
        Some(sources) => {
            let ids: Vec<(&str, String)> = sources.into_iter().map(|(name, id)| (name, first(id))).collect();
            joined(ids.iter().map(|(name, id)| (*name, id.as_str())))
        }
    }
}

/// Returns a revision as people are shown it: [`short`], and where the source is a chart or an artifact its version before it, such as
/// `1.2.0 (3f2a91c05b77)`. `version` is written as the revision is, with those sources alone that have one.
pub fn shown(revision: &str, version: Option<&str>) -> String {
    let both = |id: &str, version: Option<&str>| match version {
        Some(version) if version != id => format!("{version} ({})", short(id)),
        Some(_) | None => short(id),
    };
    match named(revision) {
        None => both(revision, version),
        Some(sources) => {
            let texts: Vec<(&str, String)> = sources
                .into_iter()
                .map(|(name, id)| (name, both(id, version.and_then(|version| of(version, name)))))
                .collect();
            joined(texts.iter().map(|(name, text)| (*name, text.as_str())))
        }
    }
}

/// Returns seven letters that tell a revision from most others and can be part of an object's name: a commit's first ones.
pub fn for_name(revision: &str) -> String {
    let digest = || hex::encode(Sha256::digest(revision));
    let id = match named(revision) {
        Some(_) => digest(),
        None => revision.to_owned(),
    };
    id.get(..7).unwrap_or(&id).to_owned()
}

/// Returns true for a text that can be the name of a source: letters, digits, `-`, `_` and `.`, at most 63 of them.
pub fn is_name(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_joined_is_read_again() {
        assert_eq!(joined([("", "3f2a")]), "3f2a");
        let text = joined([("values", "9bc1"), ("shop", "3f2a")]);
        assert_eq!(text, "shop=3f2a,values=9bc1");
        let read: Vec<_> = named(&text).unwrap().into_iter().collect();
        assert_eq!(read, [("shop", "3f2a"), ("values", "9bc1")]);
        assert_eq!((of(&text, "values"), of(&text, "other")), (Some("9bc1"), None));
        assert_eq!(of("3f2a", ""), Some("3f2a"));
        assert_eq!(for_name("3f2a91c05b77"), "3f2a91c");
        assert_eq!(short("3f2a91c05b77d4f0c7de"), "3f2a91c05b77");
        assert_eq!(
            short("shop=3f2a91c05b77d4f0c7de,values=9bc1"),
            "shop=3f2a91c05b77,values=9bc1"
        );
        assert!(for_name(&text).bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_ne!(for_name(&text), for_name("shop=3f2b,values=9bc1"));
    }

    #[test]
    fn versions_stand_before_what_they_are_of() {
        let id = "3f2a91c05b77d4f0c7de";
        let two = "chart=3f2a91c05b77d4f0c7de,values=9bc1";
        for (revision, version, text) in [
            (id, None, "3f2a91c05b77"),
            (id, Some("1.2.0"), "1.2.0 (3f2a91c05b77)"),
            // An artifact that was asked for by its digest has no other name.
            (id, Some(id), "3f2a91c05b77"),
            (two, None, "chart=3f2a91c05b77,values=9bc1"),
            (
                two,
                Some("chart=1.2.0+b"),
                "chart=1.2.0+b (3f2a91c05b77),values=9bc1",
            ),
            // What is of other sources says nothing.
            (two, Some("1.2.0"), "chart=3f2a91c05b77,values=9bc1"),
            ("", None, ""),
        ] {
            assert_eq!(shown(revision, version), text);
        }
    }

    #[test]
    fn anything_else_is_no_such_text() {
        for text in [
            "",
            "3f2a",
            "=3f2a",
            "shop=",
            "shop=a,shop=b",
            "a/b=c",
            "shop=a,",
            "shop=a,b",
        ] {
            assert_eq!(named(text), None, "{text}");
        }
        assert!(is_name("a.B-1_") && !is_name(&"a".repeat(64)) && !is_name("a/b"));
    }
}
