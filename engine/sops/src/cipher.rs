//! One encrypted value: `ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]`.

use aes_gcm::AesGcm;
use aes_gcm::aead::consts::U32;
use aes_gcm::aead::generic_array::GenericArray;
use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::aes::Aes256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::placeholder::Value;

/// SOPS uses nonces of 32 bytes.
type Cipher = AesGcm<Aes256, U32>;

/// Bytes of a data key.
pub(crate) const KEY_BYTES: usize = 32;
/// The key that a file's values are encrypted with.
pub(crate) type DataKey = Zeroizing<[u8; KEY_BYTES]>;

/// Why a value was not decrypted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is not written as an encrypted value is.
    Form,
    /// It was not encrypted with this key for this place.
    Mismatch,
    /// It is not of the type that it says.
    Type,
}

/// What a value turned out to be.
#[derive(Debug, PartialEq)]
pub(crate) enum Plain {
    Value(Value),
    /// A comment, which is in no MAC.
    Comment,
}

/// Decrypts a value. `place` is what it was bound to.
pub(crate) fn decrypt(text: &str, key: &DataKey, place: &str) -> Result<Plain, Fault> {
    let parts = Parts::of(text).ok_or(Fault::Form)?;
    let bytes = parts.open(key, place)?;
    parts.typed(&bytes).ok_or(Fault::Type)
}

struct Parts<'t> {
    data: Vec<u8>,
    nonce: Vec<u8>,
    kind: &'t str,
}

impl<'t> Parts<'t> {
    fn of(text: &'t str) -> Option<Self> {
        let inner = text.strip_prefix("ENC[AES256_GCM,")?.strip_suffix(']')?;
        let mut fields = inner.split(',');
        let mut field = |name: &str| fields.next()?.strip_prefix(name)?.strip_prefix(':');
        let (data, nonce, tag, kind) = (field("data")?, field("iv")?, field("tag")?, field("type")?);
        let read = |field: &str| STANDARD.decode(field).ok();
        let (mut data, nonce, tag) = (read(data)?, read(nonce)?, read(tag)?);
        let is_whole = fields.next().is_none() && nonce.len() == 32 && tag.len() == 16;
        data.extend(tag);
        is_whole.then_some(Self { data, nonce, kind })
    }

    fn open(&self, key: &DataKey, place: &str) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let cipher = Cipher::new(GenericArray::from_slice(key.as_slice()));
        let payload = Payload {
            msg: &self.data,
            aad: place.as_bytes(),
        };
        let opened = cipher.decrypt(GenericArray::from_slice(&self.nonce), payload);
        opened.map(Zeroizing::new).map_err(|_| Fault::Mismatch)
    }

    fn typed(&self, bytes: &[u8]) -> Option<Plain> {
        let text = || std::str::from_utf8(bytes).ok();
        Some(Plain::Value(match self.kind {
            "comment" => return Some(Plain::Comment),
            // A binary file is called a text too.
            "str" | "bytes" | "time" => match text() {
                Some(text) => Value::Text(text.to_owned()),
                None => Value::Bytes(bytes.to_vec()),
            },
            "int" => Value::Int(text()?.parse().ok()?),
            "float" => Value::Float(text()?.parse().ok()?),
            "bool" => Value::Bool(match text()? {
                "True" | "true" | "TRUE" | "t" | "T" | "1" => true,
                "False" | "false" | "FALSE" | "f" | "F" | "0" => false,
                _ => return None,
            }),
            _ => return None,
        }))
    }
}
