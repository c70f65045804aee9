//! The secret keys that open files.

use std::fmt;
use std::io::Read as _;

use sequoia_openpgp::Cert;
use sequoia_openpgp::cert::prelude::CertParser;
use sequoia_openpgp::parse::Parse as _;
use zeroize::Zeroizing;

use crate::cipher::{DataKey, KEY_BYTES};
use crate::error::SopsError;
use crate::metadata::Metadata;
use crate::pgp;

/// What a line of age's secret keys begins with.
const AGE: &str = "AGE-SECRET-KEY-1";
/// A file of keys has no more bytes than this.
const FILE_BYTES: usize = 1 << 20;

/// Secret keys of age and OpenPGP. `Debug` shows how many.
#[derive(Clone, Default)]
pub struct Keys {
    age: Vec<age::x25519::Identity>,
    pgp: Vec<Cert>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "Keys({} age, {} OpenPGP)",
            self.age.len(),
            self.pgp.len()
        )
    }
}

impl Keys {
    /// Adds the keys of a file: lines of age's secret keys, or an OpenPGP key with its secret part. `name` is what errors call it.
    ///
    /// # Errors
    /// [`SopsError::Key`] if it holds no key, or one that cannot be used.
    pub fn add(&mut self, name: &str, bytes: &[u8]) -> Result<(), SopsError> {
        let wrong = |reason: &str| SopsError::Key {
            name: name.to_owned(),
            reason: reason.to_owned(),
        };
        if bytes.len() > FILE_BYTES {
            return Err(wrong("it is more than a mebibyte"));
        }
        match std::str::from_utf8(bytes) {
            Ok(text) if !text.contains("-----BEGIN PGP") => self.add_age(text).map_err(wrong),
            _ => self.add_pgp(bytes).map_err(wrong),
        }
    }

    /// True where there is none.
    pub fn is_empty(&self) -> bool {
        self.age.is_empty() && self.pgp.is_empty()
    }

    fn add_age(&mut self, text: &str) -> Result<(), &'static str> {
        let before = self.age.len();
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if !line.starts_with(AGE) {
                return Err("a line in it is no secret key of age (X25519)");
            }
            let identity = line
                .parse()
                .map_err(|_| "a line in it is a damaged secret key of age")?;
            self.age.push(identity);
        }
        match self.age.len() > before {
            true => Ok(()),
            false => Err("there is no key in it"),
        }
    }

    fn add_pgp(&mut self, bytes: &[u8]) -> Result<(), &'static str> {
        let before = self.pgp.len();
        let certs = CertParser::from_bytes(bytes).map_err(|_| "it is no OpenPGP key")?;
        for cert in certs {
            let cert = cert.map_err(|_| "a key in it is damaged")?;
            let has = |is: &dyn Fn(&Cert) -> bool| is(&cert);
            if !has(&|cert| cert.is_tsk()) {
                return Err("a key in it has no secret part");
            }
            if !has(&|cert| cert.keys().unencrypted_secret().next().is_some()) {
                return Err("a key in it is protected by a passphrase");
            }
            self.pgp.push(cert);
        }
        match self.pgp.len() > before {
            true => Ok(()),
            false => Err("there is no key in it"),
        }
    }

    /// Opens the data key of a file.
    pub(crate) fn open(&self, metadata: &Metadata) -> Result<DataKey, SopsError> {
        if metadata.age.is_empty() && metadata.pgp.is_empty() {
            return Err(SopsError::unsupported(match metadata.foreign.as_slice() {
                [] => "to no key at all".to_owned(),
                foreign => format!("to keys of {} alone", foreign.join(", ")),
            }));
        }
        let by_age = metadata
            .age
            .iter()
            .filter_map(|recipient| self.by_age(&recipient.encrypted));
        let by_pgp = metadata
            .pgp
            .iter()
            .filter_map(|recipient| pgp::open(&self.pgp, &recipient.encrypted));
        let opened = by_age.chain(by_pgp).find_map(|bytes| {
            let key: [u8; KEY_BYTES] = bytes.as_slice().try_into().ok()?;
            Some(Zeroizing::new(key))
        });
        opened.ok_or_else(|| SopsError::NoKey {
            wanted: metadata.wanted(),
        })
    }

    fn by_age(&self, encrypted: &str) -> Option<Zeroizing<Vec<u8>>> {
        let armour = age::armor::ArmoredReader::new(encrypted.as_bytes());
        let decryptor = age::Decryptor::new_buffered(armour).ok()?;
        let identities = self.age.iter().map(|identity| identity as &dyn age::Identity);
        let reader = decryptor.decrypt(identities).ok()?;
        let mut bytes = Zeroizing::new(Vec::new());
        reader.take(KEY_BYTES as u64 + 1).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }
}
