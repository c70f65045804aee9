//! The values of a file in their order: each is decrypted, and all of them give the MAC.

use sha2::{Digest as _, Sha512};

use crate::cipher::{self, DataKey, Fault, Plain};
use crate::error::SopsError;
use crate::metadata::Metadata;
use crate::placeholder::{Placeholder, Value, go_float};
use crate::tree::Node;

/// What SOPS begins the MAC with where it is over the encrypted values alone: the SHA-256 of `sops`.
const ONLY_ENCRYPTED: [u8; 32] = [
    0x8a, 0x3f, 0xd2, 0xad, 0x54, 0xce, 0x66, 0x52, 0x7b, 0x10, 0x34, 0xf3, 0xd1, 0x47, 0xbe, 0x0b, 0x0b,
    0x97, 0x5b, 0x3b, 0xf4, 0x4f, 0x72, 0xc6, 0xfd, 0xad, 0xec, 0x81, 0x76, 0xf2, 0x7d, 0x69,
];

/// An encrypted value that was found.
pub(crate) struct Found {
    /// As it is written in the file.
    pub(crate) encrypted: String,
    pub(crate) placeholder: Placeholder,
    pub(crate) value: Value,
}

/// What the walk through a file came to.
pub(crate) struct Walked {
    pub(crate) found: Vec<Found>,
    /// The documents, with placeholders.
    pub(crate) opaque: Vec<Node>,
}

/// Decrypts the values of all documents and checks the MAC.
pub(crate) fn walk(documents: &[Node], metadata: &Metadata, key: &DataKey) -> Result<Walked, SopsError> {
    let mut walk = Walk {
        metadata,
        key,
        mac: Sha512::new(),
        found: Vec::new(),
    };
    if metadata.mac_only_encrypted {
        walk.mac.update(ONLY_ENCRYPTED);
    }
    let mut opaque = Vec::new();
    for document in documents {
        opaque.push(walk.node(document, &mut Vec::new())?.unwrap_or(Node::Null));
    }
    let computed = hex::encode_upper(walk.mac.finalize());
    match cipher::decrypt(&metadata.mac, key, &metadata.last_modified) {
        Ok(Plain::Value(Value::Text(mac))) if mac == computed => Ok(Walked {
            found: walk.found,
            opaque,
        }),
        _ => Err(SopsError::Mac),
    }
}

struct Walk<'w> {
    metadata: &'w Metadata,
    key: &'w DataKey,
    mac: Sha512,
    found: Vec<Found>,
}

impl Walk<'_> {
    /// The node with placeholders; none for what turned out to be a comment.
    fn node<'n>(&mut self, node: &'n Node, path: &mut Vec<&'n str>) -> Result<Option<Node>, SopsError> {
        Ok(Some(match node {
            Node::Map(entries) => {
                let mut map = Vec::new();
                for (name, value) in entries {
                    path.push(name);
                    let value = self.node(value, path)?;
                    path.pop();
                    map.extend(value.map(|value| (name.clone(), value)));
                }
                Node::Map(map)
            }
            Node::List(entries) => {
                let mut list = Vec::new();
                for entry in entries {
                    list.extend(self.node(entry, path)?);
                }
                Node::List(list)
            }
            // Neither encrypted nor in the MAC.
            Node::Null => Node::Null,
            leaf if self.metadata.rule.is_encrypted(path) => return self.encrypted(leaf, path),
            leaf => {
                if !self.metadata.mac_only_encrypted {
                    self.mac.update(hashed(leaf));
                }
                leaf.clone()
            }
        }))
    }

    fn encrypted(&mut self, leaf: &Node, path: &[&str]) -> Result<Option<Node>, SopsError> {
        let Some(text) = leaf.text() else {
            return Err(SopsError::malformed(format!(
                "the value `{}` is not encrypted, and has to be by the file's own rules",
                shown(path)
            )));
        };
        if text.is_empty() {
            return Ok(Some(leaf.clone()));
        }
        let place = format!("{}:", path.join(":"));
        let value = match cipher::decrypt(text, self.key, &place) {
            Ok(Plain::Comment) => return Ok(None),
            Ok(Plain::Value(value)) => value,
            Err(Fault::Mismatch) => return Err(SopsError::Value { path: shown(path) }),
            Err(Fault::Form) => {
                return Err(SopsError::malformed(format!(
                    "the value `{}` is not written as an encrypted value, and has to be by the file's own rules",
                    shown(path)
                )));
            }
            Err(Fault::Type) => {
                return Err(SopsError::malformed(format!(
                    "the value `{}` is not of the type that it says",
                    shown(path)
                )));
            }
        };
        self.mac.update(value.hashed());
        let placeholder = Placeholder::of(self.key, &place, &value);
        let node = Node::Text(placeholder.as_str().to_owned());
        self.found.push(Found {
            encrypted: text.to_owned(),
            placeholder,
            value,
        });
        Ok(Some(node))
    }
}

/// The names that lead to a value, for people.
fn shown(path: &[&str]) -> String {
    let path = path.join(".");
    path.chars().filter(|c| !c.is_control()).take(200).collect()
}

fn hashed(leaf: &Node) -> Vec<u8> {
    match leaf {
        Node::Bool(true) => b"True".to_vec(),
        Node::Bool(false) => b"False".to_vec(),
        Node::Int(number) => number.to_string().into_bytes(),
        Node::Float(number) => go_float(*number).into_bytes(),
        Node::Text(text) => text.as_bytes().to_vec(),
        Node::Null | Node::List(_) | Node::Map(_) => Vec::new(),
    }
}
