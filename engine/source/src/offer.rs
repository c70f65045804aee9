//! What a remote offers, and the two files in which a mirror keeps it.

use std::collections::BTreeMap;

use gix::bstr::{BString, ByteSlice as _};
use gix::protocol::handshake::Ref;

/// The first line of a `packed-refs` file whose entries are in order and not peeled.
const PACKED_REFS_HEADER: &str = "# pack-refs with: sorted \n";
const NO_HEAD: &[u8] = b"ref: refs/heads/main\n";

/// Where each branch and tag of a remote points, and what its `HEAD` is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    references: BTreeMap<BString, gix::ObjectId>,
    head: Vec<u8>,
}

impl Offer {
    /// `also` names what is kept beside branches and tags.
    pub(crate) fn read(references: &[Ref], also: &[String]) -> Self {
        let mut offer = Self {
            references: BTreeMap::new(),
            head: NO_HEAD.to_vec(),
        };
        for reference in references {
            let (name, id) = match reference {
                Ref::Peeled {
                    full_ref_name, tag, ..
                } => (full_ref_name, Some(*tag)),
                Ref::Direct {
                    full_ref_name,
                    object,
                } => (full_ref_name, Some(*object)),
                Ref::Symbolic {
                    full_ref_name,
                    tag,
                    object,
                    ..
                } => (full_ref_name, Some(tag.unwrap_or(*object))),
                Ref::Unborn { full_ref_name, .. } => (full_ref_name, None),
            };
            if name == "HEAD" {
                offer.head = head_file(reference);
            } else if let Some(id) = id
                && (name.starts_with(b"refs/heads/")
                    || name.starts_with(b"refs/tags/")
                    || also.iter().any(|also| name == also.as_str()))
                && is_valid(name)
            {
                offer.references.insert(name.clone(), id);
            }
        }
        offer
    }

    /// The content of the file `packed-refs`.
    pub(crate) fn packed_references(&self) -> Vec<u8> {
        let mut packed = Vec::from(PACKED_REFS_HEADER);
        for (name, id) in &self.references {
            packed.extend_from_slice(format!("{id} ").as_bytes());
            packed.extend_from_slice(name);
            packed.push(b'\n');
        }
        packed
    }

    /// The content of the file `HEAD`.
    pub(crate) fn head(&self) -> &[u8] {
        &self.head
    }
}

fn head_file(reference: &Ref) -> Vec<u8> {
    match reference {
        Ref::Symbolic { target, .. } | Ref::Unborn { target, .. }
            if target.starts_with(b"refs/heads/") && is_valid(target) =>
        {
            [b"ref: ", target.as_slice(), b"\n"].concat()
        }
        Ref::Direct { object, .. } | Ref::Peeled { object, .. } | Ref::Symbolic { object, .. } => {
            format!("{object}\n").into_bytes()
        }
        Ref::Unborn { .. } => NO_HEAD.to_vec(),
    }
}

fn is_valid(name: &BString) -> bool {
    gix::validate::reference::name(name.as_bstr()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_break_the_file_are_left_out() {
        let object = gix::ObjectId::null(gix::hash::Kind::Sha1);
        let direct = |name: &str| Ref::Direct {
            full_ref_name: name.into(),
            object,
        };
        let offer = Offer::read(
            &[
                direct("refs/heads/b"),
                direct("refs/heads/a"),
                direct("refs/heads/x\n0 refs/heads/y"),
                direct("refs/heads/../../config"),
                direct("refs/replace/x"),
                direct("refs/pull/7/head"),
                direct("refs/pull/8/head"),
                direct("config"),
                Ref::Unborn {
                    full_ref_name: "HEAD".into(),
                    target: "refs/heads/x\ny".into(),
                },
            ],
            &["refs/pull/7/head".to_owned()],
        );
        let zero = "0".repeat(40);
        let expected = format!(
            "{PACKED_REFS_HEADER}{zero} refs/heads/a\n{zero} refs/heads/b\n{zero} refs/pull/7/head\n"
        );
        assert_eq!(String::from_utf8(offer.packed_references()).unwrap(), expected);
        assert_eq!(offer.head(), NO_HEAD);
    }
}
