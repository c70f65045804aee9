//! A certificate authority of its own: certificates for servers on loopback and for clients.

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use sha2::{Digest as _, Sha256};

/// An authority that nobody knows.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its private key.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The certificate, PEM.
    pub certificate: String,
    /// Its private key, PEM.
    pub key: String,
    /// As `openssl x509 -fingerprint -sha256` shows it.
    pub fingerprint: String,
}

impl Authority {
    /// Makes one.
    pub fn new(name: &str) -> Result<Self> {
        let key = KeyPair::generate()?;
        let mut parameters = CertificateParams::new(Vec::new())?;
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let pem = parameters.self_signed(&key)?.pem();
        Ok(Self {
            issuer: Issuer::new(parameters, key),
            pem,
        })
    }

    /// Returns its own certificate, PEM.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Makes a certificate for a server of this name or address.
    pub fn server(&self, name: &str) -> Result<Certificate> {
        self.issue(name, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// Makes a certificate for a client.
    pub fn client(&self, name: &str) -> Result<Certificate> {
        self.issue(name, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn issue(&self, name: &str, purpose: ExtendedKeyUsagePurpose) -> Result<Certificate> {
        let key = KeyPair::generate()?;
        let certificate = leaf(name, purpose)?.signed_by(&key, &self.issuer)?;
        Ok(Certificate::of(&certificate, &key))
    }
}

impl Certificate {
    /// Makes a server's certificate that nobody but itself vouches for.
    pub fn self_signed(name: &str) -> Result<Self> {
        let key = KeyPair::generate()?;
        let certificate = leaf(name, ExtendedKeyUsagePurpose::ServerAuth)?.self_signed(&key)?;
        Ok(Self::of(&certificate, &key))
    }

    fn of(certificate: &rcgen::Certificate, key: &KeyPair) -> Self {
        let digest = Sha256::digest(certificate.der());
        let bytes: Vec<String> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
        Self {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
            fingerprint: bytes.join(":"),
        }
    }
}

fn leaf(name: &str, purpose: ExtendedKeyUsagePurpose) -> Result<CertificateParams> {
    let mut parameters = CertificateParams::new(vec![name.to_owned()])?;
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.extended_key_usages = vec![purpose];
    Ok(parameters)
}
