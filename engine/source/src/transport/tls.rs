//! Which HTTPS servers are who they say, and who we are to them.
//!
//! Servers are judged by the system's authorities, or by the certificates that were given and by nothing else: those of
//! authorities, or the server's own, which then counts like a known SSH host key: by its bytes and its name. Whoever is
//! refused is told apart by fingerprint, and so is what would have done.

use std::sync::Arc;

use gix::hash::Kind;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::{Cause, Stranger, Trouble};
use crate::access::Access;

/// So many fingerprints are named; a bundle of authorities has hundreds.
const NAMED: usize = 4;

/// What TLS connections of a fetch are made with.
pub(crate) fn configuration(access: &Access, trouble: Trouble) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Verifier::new(access, Arc::clone(&provider), trouble)?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut configuration = match &access.client_identity {
        None => builder.with_no_client_auth(),
        Some(pem) => {
            let unusable = |error: &dyn std::fmt::Display| {
                format!("the client certificate or its key cannot be used: {error}")
            };
            let chain = certificates(pem.expose()).map_err(|error| unusable(&error))?;
            let key = PrivateKeyDer::from_pem_slice(pem.expose())
                .map_err(|_| unusable(&"there is no private key without a passphrase in it"))?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| unusable(&error))?
        }
    };
    configuration.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(configuration)
}

#[derive(Debug)]
struct Verifier {
    /// None where only servers' own certificates were given.
    authorities: Option<Arc<WebPkiServerVerifier>>,
    /// What was given; empty where the system's authorities judge.
    given: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
    trouble: Trouble,
}

impl Verifier {
    fn new(access: &Access, provider: Arc<CryptoProvider>, trouble: Trouble) -> Result<Self, String> {
        let given = match &access.certificate_authorities {
            None => Vec::new(),
            Some(pem) => {
                certificates(pem).map_err(|error| format!("the TLS certificates cannot be used: {error}"))?
            }
        };
        let mut roots = RootCertStore::empty();
        if access.certificate_authorities.is_some() {
            // What is no authority in form may still be a server's own.
            roots.add_parsable_certificates(given.iter().cloned());
        } else {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        let authorities = match roots.is_empty() {
            true => None,
            false => Some(
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                    .build()
                    .map_err(|error| format!("the TLS certificates cannot be used: {error}"))?,
            ),
        };
        Ok(Self {
            authorities,
            given,
            provider,
            trouble,
        })
    }

    fn wanted(&self) -> Vec<String> {
        let mut wanted: Vec<String> = self
            .given
            .iter()
            .take(NAMED)
            .map(|der| fingerprint(der))
            .collect();
        if self.given.len() > NAMED {
            wanted.push(format!("{} more", self.given.len() - NAMED));
        }
        wanted
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let judged = match &self.authorities {
            _ if self.given.iter().any(|given| given == end_entity) => {
                ParsedCertificate::try_from(end_entity)
                    .and_then(|certificate| verify_server_name(&certificate, server_name))
                    .map(|()| ServerCertVerified::assertion())
            }
            Some(authorities) => {
                authorities.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            }
            None => Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)),
        };
        judged.inspect_err(|error| {
            self.trouble.note(Cause::Certificate(Stranger {
                seen: Some(fingerprint(end_entity)),
                wanted: self.wanted(),
                detail: error.to_string(),
            }));
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(
            message,
            certificate,
            signed,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            certificate,
            signed,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match read {
        Err(error) => Err(format!("it is not PEM: {error}")),
        Ok(none) if none.is_empty() => Err("there is no certificate in it".to_owned()),
        Ok(certificates) => Ok(certificates),
    }
}

/// As `openssl x509 -fingerprint -sha256` shows it.
fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let mut hasher = gix::hash::hasher(Kind::Sha256);
    hasher.update(certificate);
    // The hasher only ever fails for SHA-1, where an attack is found in what is hashed.
    let digest = hasher.try_finalize().map(|digest| digest.as_bytes().to_vec());
    let bytes: Vec<String> = digest
        .unwrap_or_default()
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    format!("SHA256 {}", bytes.join(":"))
}
