//! TLS for servers and clients: rustls on ring.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or holds no certificate or key in PEM.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Certificate and key do not fit, or neither can be used.
    #[error("the certificate cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

/// What a server shows: its certificate with those between it and an authority, and its key. Blocks, shortly.
///
/// # Errors
/// A file cannot be used, or they do not fit.
pub fn server_settings(certificate_file: &Path, key_file: &Path) -> Result<ServerConfig, TlsError> {
    let certificates = certificates(certificate_file)?;
    let key = PrivateKeyDer::from_pem_slice(&read(key_file)?).map_err(|error| bad(key_file, &error))?;
    let mut settings = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(certificates, key)?;
    settings.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(settings)
}

/// Whom a client trusts: the authorities in a file alone, where one is given, or those that the system trusts. Blocks,
/// shortly.
///
/// # Errors
/// The file cannot be used.
pub fn client_settings(authority_file: Option<&Path>) -> Result<ClientConfig, TlsError> {
    let mut authorities = RootCertStore::empty();
    match authority_file {
        Some(file) => {
            for certificate in certificates(file)? {
                authorities.add(certificate).map_err(|error| bad(file, &error))?;
            }
        }
        None => {
            // One that cannot be read vouches for nobody, which a server will show if it matters.
            authorities.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let settings = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(authorities)
        .with_no_client_auth();
    Ok(settings)
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(file)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.map_err(|error| bad(file, &error))?;
    if found.is_empty() {
        return Err(bad(file, &io::Error::other("it holds no certificate in PEM")));
    }
    Ok(found)
}

fn read(file: &Path) -> Result<Vec<u8>, TlsError> {
    fs_err::read(file).map_err(|error| bad(file, &error))
}

fn bad(file: &Path, error: &dyn std::error::Error) -> TlsError {
    TlsError::File { path: file.display().to_string(), reason: error.to_string() }
}
