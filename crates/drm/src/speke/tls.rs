//! TLS to a key server: rustls on ring. Who may vouch for the server is what the system trusts, and not a list built into
//! the program: operators then have one place where authorities are added and struck off, and a company's own counts too.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::options::{ClientCertificate, SpekeOptions, SpekeSetupError};
use crate::private_file;

/// The largest file with a private key.
const MAXIMUM_KEY_FILE: usize = 64 * 1024;

/// What TLS to the server needs; where it is not `needed`, nobody is trusted. Reads files.
pub(super) fn configuration(options: &SpekeOptions, needed: bool) -> Result<ClientConfig, SpekeSetupError> {
    let failed = |error: rustls::Error| SpekeSetupError::Tls(error.to_string());
    let authorities = if needed {
        // One that cannot be read vouches for nobody, which the server will show if it matters.
        trusted(rustls_native_certs::load_native_certs().certs, options.authority_file.as_deref())?
    } else {
        RootCertStore::empty()
    };
    // Named here and not left to the process, so that no other part of the program can change it.
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .with_root_certificates(authorities);
    match &options.client_certificate {
        None => Ok(builder.with_no_client_auth()),
        Some(ClientCertificate { certificate_file, key_file }) => {
            let content = private_file::read(key_file, MAXIMUM_KEY_FILE)
                .and_then(|content| content.ok_or_else(|| "there is no such file".to_owned()))
                .map_err(|reason| refused(key_file, &reason))?;
            // The reader's own words may repeat what it read.
            let key = PrivateKeyDer::from_pem_slice(&content)
                .map_err(|_| refused(key_file, "it holds no private key in PEM"))?;
            builder
                .with_client_auth_cert(certificates(certificate_file)?, key)
                .map_err(|error| refused(certificate_file, &error.to_string()))
        }
    }
}

/// Who may vouch for the server: those that the system trusts, and those in this file.
fn trusted(system: Vec<CertificateDer<'_>>, file: Option<&Path>) -> Result<RootCertStore, SpekeSetupError> {
    let mut authorities = RootCertStore::empty();
    authorities.add_parsable_certificates(system);
    if let Some(file) = file {
        for certificate in certificates(file)? {
            authorities.add(certificate).map_err(|error| refused(file, &error.to_string()))?;
        }
    }
    if authorities.is_empty() {
        let reason = "this system trusts no authority: install ca-certificates, or name an authority file";
        return Err(SpekeSetupError::Tls(reason.to_owned()));
    }
    Ok(authorities)
}

fn refused(file: &Path, reason: &str) -> SpekeSetupError {
    SpekeSetupError::File(format!("{}: {reason}", file.display()))
}

/// The certificates of a PEM file; at least one.
fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, SpekeSetupError> {
    let content = fs_err::read(file).map_err(|error| SpekeSetupError::File(error.to_string()))?;
    match CertificateDer::pem_slice_iter(&content).collect::<Result<Vec<_>, _>>() {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(refused(file, "it holds no certificate in PEM")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_must_be_trusted() {
        let error = trusted(Vec::new(), None).unwrap_err().to_string();
        assert!(error.contains("trusts no authority"), "{error}");
        let error = trusted(vec![CertificateDer::from_slice(b"none")], None).unwrap_err().to_string();
        assert!(error.contains("trusts no authority"), "{error}");
    }

    #[test]
    fn a_file_of_authorities_holds_authorities() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("authorities.pem");
        let key = rcgen::generate_simple_self_signed(["keys.example".to_owned()]).unwrap();
        for (content, accepted) in [
            (key.cert.pem(), true),
            (key.cert.pem().repeat(2), true),
            (String::new(), false),
            (key.signing_key.serialize_pem(), false),
            (key.cert.pem().replacen('\n', "\nAAAA", 1), false),
        ] {
            fs_err::write(&file, &content).unwrap();
            let found = trusted(Vec::new(), Some(&file));
            assert_eq!(found.is_ok(), accepted, "{content}");
            if let Err(error) = found {
                assert!(error.to_string().contains("authorities.pem"), "{error}");
            }
        }
        assert!(trusted(Vec::new(), Some(&folder.path().join("none"))).is_err());
    }
}
