//! TLS towards clients: a certificate from files, or one made at start.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion, crypto};

use super::{ClientCertificates, TlsConfig, TlsRules, TlsVersion};

/// Why TLS can't be offered.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A PEM file can't be read or holds nothing usable.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A backend's host is none that a certificate can be for.
    #[error("{0:?} is no name that a certificate can be for")]
    Name(String),
    /// No certificate could be made at start.
    #[error("no certificate could be made: {0}")]
    SelfSigned(#[from] rcgen::Error),
    /// Certificate and key do not fit, or are too weak.
    #[error("certificate and key: {0}")]
    Rustls(#[from] tokio_rustls::rustls::Error),
}

/// What accepts TLS from clients; `None` where it is off.
///
/// # Errors
/// [`TlsError`] names the file, or what does not fit.
pub fn acceptor(config: &TlsConfig, rules: &TlsRules) -> Result<Option<TlsAcceptor>, TlsError> {
    let (chain, key) = match config {
        TlsConfig::Off => return Ok(None),
        TlsConfig::SelfSigned => self_signed()?,
        TlsConfig::Files { cert, key } => (read_chain(cert)?, read_key(key)?),
    };
    let provider = Arc::new(crypto::ring::default_provider());
    let versions: &[&SupportedProtocolVersion] = match rules.min_version {
        TlsVersion::Tls12 => &[&TLS12, &TLS13],
        TlsVersion::Tls13 => &[&TLS13],
    };
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)?;
    let builder = match &rules.client_certificates {
        None => builder.with_no_client_auth(),
        Some(ClientCertificates { ca, required }) => {
            let roots = Arc::new(read_roots(ca)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
            let verifier = match required {
                true => verifier,
                false => verifier.allow_unauthenticated(),
            };
            let verifier = verifier
                .build()
                .map_err(|error| tokio_rustls::rustls::Error::General(error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let config = builder.with_single_cert(chain, key)?;
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn self_signed() -> Result<Identity, TlsError> {
    let names = vec!["localhost".to_owned(), "tidegate".to_owned()];
    let made = rcgen::generate_simple_self_signed(names)?;
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    Ok((vec![made.cert.der().clone()], key.into()))
}

/// The certificates that may vouch for others.
pub(super) fn read_roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in read_chain(path)? {
        roots.add(certificate)?;
    }
    Ok(roots)
}

pub(super) fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let fault = |reason: String| TlsError::File {
        path: path.to_owned(),
        reason,
    };
    let chain: Vec<_> = CertificateDer::pem_file_iter(path)
        .map_err(|error| fault(error.to_string()))?
        .collect::<Result<_, _>>()
        .map_err(|error| fault(error.to_string()))?;
    match chain.is_empty() {
        true => Err(fault(
            "no certificate in it; expected PEM, leaf first".to_owned(),
        )),
        false => Ok(chain),
    }
}

pub(super) fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| TlsError::File {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_can_be_made_at_start() {
        assert!(matches!(
            acceptor(&TlsConfig::SelfSigned, &TlsRules::default()),
            Ok(Some(_))
        ));
    }

    #[test]
    fn a_missing_file_is_named() {
        let config = TlsConfig::Files {
            cert: "/nowhere/c.pem".into(),
            key: "/k.pem".into(),
        };
        let error = acceptor(&config, &TlsRules::default())
            .err()
            .map(|error| error.to_string());
        assert!(error.is_some_and(|text| text.starts_with("/nowhere/c.pem: ")));
    }
}
