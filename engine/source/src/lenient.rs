//! Malformed commits and tags, for gix's negotiation.
//!
//! Git reads of a commit what it needs: the tree, the parents, and a time where there is one. gix (0.90) decodes its author
//! and committer too, and one that lacks an address or a time zone, which old importers and hostile people write, ends the
//! negotiation: every later fetch of the repository fails, whatever is wanted. So gix sees commits through [`Lenient`], which
//! gives it nothing but what Git reads, well written. Nothing else is read in this way: what is walked here is read by
//! `CommitLinks`, and verify judges the real bytes.
//!
//! Upstream would need: `gix_revwalk::graph::LazyCommit::to_owned` (and `committer_timestamp`) taking parents and time as
//! `parse_commit_buffer` of Git does, with time 0 where the line cannot be read; and `peel_to_id_packed` in `gix-ref` leaving a
//! tag alone whose first line names nothing. With both, this file can go.

use gix::objs::{Data, Exists, Find, FindHeader, Header, Kind};
use sluice_model::trust::CommitLinks;

/// The objects of a repository, of which commits and tags are well formed.
#[derive(Clone)]
pub(crate) struct Lenient(pub(crate) gix::OdbHandle);

impl Find for Lenient {
    fn try_find<'a>(&self, id: &gix::oid, buffer: &'a mut Vec<u8>) -> Result<Option<Data<'a>>, gix::Error> {
        let Some(found) = self.0.try_find(id, buffer)? else {
            return Ok(None);
        };
        let (mut kind, object_hash) = (found.kind, found.object_hash);
        match kind {
            Kind::Commit => {
                let commit = commit(found.data, object_hash);
                *buffer = commit;
            }
            // gix stops where what it peels is no tag.
            Kind::Tag if !names_an_object(found.data, object_hash) => kind = Kind::Blob,
            Kind::Tag | Kind::Tree | Kind::Blob => {}
        }
        Ok(Some(Data {
            kind,
            object_hash,
            data: buffer,
        }))
    }
}

impl FindHeader for Lenient {
    fn try_header(&self, id: &gix::oid) -> Result<Option<Header>, gix::Error> {
        FindHeader::try_header(&self.0, id)
    }
}

impl Exists for Lenient {
    fn exists(&self, id: &gix::oid) -> bool {
        Exists::exists(&self.0, id)
    }
}

/// A commit with the parents and the time of another. One that Git cannot follow has no parents.
fn commit(bytes: &[u8], format: gix::hash::Kind) -> Vec<u8> {
    let links = CommitLinks::as_git(bytes, format.len_in_hex());
    let (tree, parents) = match links {
        Some(CommitLinks { tree, parents }) => (tree, parents),
        None => (gix::ObjectId::null(format).to_string(), Vec::new()),
    };
    let mut commit = format!("tree {tree}\n");
    for parent in parents {
        commit.push_str(&format!("parent {parent}\n"));
    }
    let seconds = committed_at(bytes);
    commit.push_str(&format!(
        "author A <a> {seconds} +0000\ncommitter A <a> {seconds} +0000\n\n"
    ));
    commit.into_bytes()
}

fn names_an_object(tag: &[u8], format: gix::hash::Kind) -> bool {
    gix::objs::TagRefIter::from_bytes(tag, format).target_id().is_ok()
}

/// The committer's time, which only decides in which order commits are looked at.
pub(crate) fn committed_at(bytes: &[u8]) -> i64 {
    let line = bytes
        .split(|byte| *byte == b'\n')
        .take_while(|line| !line.is_empty())
        .find(|line| line.starts_with(b"committer "));
    let seconds = line.and_then(|line| line.rsplit(|byte| *byte == b' ').nth(1));
    seconds
        .and_then(|text| std::str::from_utf8(text).ok())
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_reads_is_what_gix_is_given() {
        let id = "a".repeat(40);
        let other = "b".repeat(40);
        let well = |parents: &str, seconds: i64| {
            format!("tree {id}\n{parents}author A <a> {seconds} +0000\ncommitter A <a> {seconds} +0000\n\n")
        };
        for (written, expected) in [
            (
                format!("tree {id}\nparent {other}\nauthor A 1 +0000\ncommitter A 7 +0000\n\nx\n"),
                well(&format!("parent {other}\n"), 7),
            ),
            (
                format!("tree {id}\nparent {other}\nparent {other}\n\n"),
                well(&format!("parent {other}\nparent {other}\n"), 0),
            ),
            (
                format!("tree {id}\nauthor A <a@b\n> 7 -0700\ncommitter A <a@b\n> 7 -0700\n\nx\n"),
                well("", 0),
            ),
            (
                format!("tree {id}\ncommitter A <a> 99999999999999999999 +0000\n"),
                well("", 0),
            ),
            (format!("tree {id}\ncommitter A <a> 7 +9999999\n"), well("", 7)),
            (format!("tree {id}"), well("", 0)),
            (
                format!("tree {id}\nauthor A <a> 1 +0000\nparent {other}\n\n"),
                well("", 0),
            ),
        ] {
            let given = commit(written.as_bytes(), gix::hash::Kind::Sha1);
            assert_eq!(String::from_utf8(given).unwrap(), expected, "{written:?}");
        }
        let zero = "0".repeat(40);
        for written in ["", "\0", "tree x\n", "author A <a> 1 +0000\n"] {
            let given = String::from_utf8(commit(written.as_bytes(), gix::hash::Kind::Sha1)).unwrap();
            assert!(given.starts_with(&format!("tree {zero}\nauthor ")), "{given:?}");
        }
    }

    #[test]
    fn a_tag_that_names_nothing_is_not_peeled() {
        let id = "a".repeat(40);
        for (tag, expected) in [
            (format!("object {id}\ntype commit\ntag x\n\n"), true),
            (format!("object {id}\n"), true),
            ("object x\ntype commit\n".to_owned(), false),
            ("tag x\n".to_owned(), false),
            (String::new(), false),
        ] {
            let names = names_an_object(tag.as_bytes(), gix::hash::Kind::Sha1);
            assert_eq!(names, expected, "{tag:?}");
        }
    }

    #[test]
    fn whatever_is_written_gix_can_read_it() {
        for line in [
            "",
            "committer \0 7",
            "committer A <a> -7 +0000",
            "committer A <a> 9223372036854775807 +0000",
            "committer >< 1 x",
        ] {
            let given = commit(
                format!("tree {}\n{line}\n", "a".repeat(40)).as_bytes(),
                gix::hash::Kind::Sha1,
            );
            let commit = gix::objs::CommitRefIter::from_bytes(&given, gix::hash::Kind::Sha1);
            assert!(commit.committer().is_ok(), "{line:?}");
        }
    }
}
