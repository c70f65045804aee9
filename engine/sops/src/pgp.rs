//! Data keys that are encrypted to OpenPGP keys.

use std::io::Read as _;

use sequoia_openpgp as openpgp;

use openpgp::Cert;
use openpgp::crypto::SessionKey;
use openpgp::packet::{PKESK, SKESK};
use openpgp::parse::Parse as _;
use openpgp::parse::stream::{DecryptionHelper, DecryptorBuilder, MessageStructure, VerificationHelper};
use openpgp::policy::StandardPolicy;
use openpgp::types::SymmetricAlgorithm;
use zeroize::Zeroizing;

use crate::cipher::KEY_BYTES;

/// A message with a data key has a few hundred bytes for each of its recipients.
const MESSAGE_BYTES: usize = 256 << 10;

/// Opens a message with the first of the keys that can; none if none can.
pub(crate) fn open(keys: &[Cert], message: &str) -> Option<Zeroizing<Vec<u8>>> {
    if keys.is_empty() || message.len() > MESSAGE_BYTES {
        return None;
    }
    let policy = StandardPolicy::new();
    let builder = DecryptorBuilder::from_bytes(message.as_bytes()).ok()?;
    let decryptor = builder.with_policy(&policy, None, Helper { keys }).ok()?;
    let mut bytes = Zeroizing::new(Vec::new());
    decryptor
        .take(KEY_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .ok()?;
    Some(bytes)
}

struct Helper<'k> {
    keys: &'k [Cert],
}

/// Who encrypted a data key proves nothing: the commit is what was verified.
impl VerificationHelper for Helper<'_> {
    fn get_certs(&mut self, _: &[openpgp::KeyHandle]) -> openpgp::Result<Vec<Cert>> {
        Ok(Vec::new())
    }

    fn check(&mut self, _: MessageStructure<'_>) -> openpgp::Result<()> {
        Ok(())
    }
}

impl DecryptionHelper for Helper<'_> {
    fn decrypt(
        &mut self,
        recipients: &[PKESK],
        _: &[SKESK],
        algorithm: Option<SymmetricAlgorithm>,
        decrypt: &mut dyn FnMut(Option<SymmetricAlgorithm>, &SessionKey) -> bool,
    ) -> openpgp::Result<Option<Cert>> {
        for cert in self.keys {
            for key in cert.keys().unencrypted_secret() {
                let key = key.key();
                for recipient in recipients {
                    let is_meant = recipient
                        .recipient()
                        .is_none_or(|handle| handle.aliases(key.key_handle()));
                    if !is_meant {
                        continue;
                    }
                    let Ok(mut pair) = key.clone().into_keypair() else {
                        continue;
                    };
                    let opened = recipient.decrypt(&mut pair, algorithm);
                    if opened.is_some_and(|(algorithm, session)| decrypt(algorithm, &session)) {
                        return Ok(None);
                    }
                }
            }
        }
        Ok(None)
    }
}
