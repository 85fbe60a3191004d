//! TLS towards backends: how much is asked of them.

use std::path::PathBuf;
use std::sync::Arc;

use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
};

use super::TlsError;
use super::tls::{read_chain, read_key, read_roots};

/// How a backend is reached by TLS. On a unix socket there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackendTls {
    /// Whether, and what the backend has to prove.
    pub mode: TlsMode,
    /// The certificates that may vouch for it; needed where it has to prove something.
    pub ca: Option<PathBuf>,
    /// What this end shows: the certificate chain and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// The modes of MySQL's `--ssl-mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsMode {
    /// Never.
    #[default]
    Disabled,
    /// Where the backend offers it; nothing is proven.
    Preferred,
    /// Always; nothing is proven.
    Required,
    /// Always, with a certificate that the CA vouches for.
    VerifyCa,
    /// The same, and the certificate is for the address's host.
    VerifyIdentity,
}

/// What opens TLS connections; `None` where it is disabled.
///
/// # Errors
/// [`TlsError`] names the file, or what does not fit.
pub fn connector(tls: &BackendTls) -> Result<Option<TlsConnector>, TlsError> {
    if tls.mode == TlsMode::Disabled {
        return Ok(None);
    }
    let provider = Arc::new(ring::default_provider());
    let chain = match (&tls.ca, tls.mode) {
        (Some(ca), TlsMode::VerifyCa | TlsMode::VerifyIdentity) => {
            let roots = Arc::new(read_roots(ca)?);
            let verifier =
                WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider));
            let verifier = verifier.build();
            Some(verifier.map_err(|error| Error::General(error.to_string()))?)
        }
        (None, TlsMode::VerifyCa | TlsMode::VerifyIdentity) => {
            return Err(Error::General("tls_ca is missing".to_owned()).into());
        }
        _ => None,
    };
    let verifier = Asked {
        chain,
        name: tls.mode == TlsMode::VerifyIdentity,
        provider: Arc::clone(&provider),
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let config = match &tls.identity {
        Some((cert, key)) => config.with_client_auth_cert(read_chain(cert)?, read_key(key)?)?,
        None => config.with_no_client_auth(),
    };
    Ok(Some(TlsConnector::from(Arc::new(config))))
}

/// Verifies as much as is asked.
#[derive(Debug)]
struct Asked {
    /// Whether somebody trusted vouches for the certificate.
    chain: Option<Arc<WebPkiServerVerifier>>,
    /// Whether it is for this host.
    name: bool,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Asked {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(chain) = &self.chain else {
            return Ok(ServerCertVerified::assertion());
        };
        let verified =
            chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verified {
            // The name is looked at last, so all else is in order.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.name => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}
