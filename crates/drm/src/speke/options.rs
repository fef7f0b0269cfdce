//! How a key server is reached: what the operator says of it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use reelfarm_model::profile::DrmSystem;
use url::{Host, Url};

pub use super::retry::Patience;

/// How a key server is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpekeOptions {
    /// Where requests are sent: `https:`, or `http:` to this host itself. Without credentials. Any other host is asked
    /// through the proxy of the environment (`HTTPS_PROXY`) where there is one, which sees nothing of what is said.
    pub url: String,
    /// A file of one line, `name:password` or a bearer token, which only its owner may read. It is read anew for every
    /// title, so that changing it needs no restart.
    pub credentials_file: Option<PathBuf>,
    /// A certificate that the server wants to see.
    pub client_certificate: Option<ClientCertificate>,
    /// A PEM file of further authorities that may vouch for the server, beside those that the system trusts.
    pub authority_file: Option<PathBuf>,
    /// The systems that the server knows. What is said to any other follows from the key's id alone.
    pub systems: BTreeSet<DrmSystem>,
    /// How long and how often it is asked.
    pub patience: Patience,
}

/// A certificate of ours, in files of PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate with those that vouch for it, our own first.
    pub certificate_file: PathBuf,
    /// Its private key, in a file that only its owner may read.
    pub key_file: PathBuf,
}

impl SpekeOptions {
    /// A server that is asked about Widevine, PlayReady and FairPlay, without credentials.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            credentials_file: None,
            client_certificate: None,
            authority_file: None,
            systems: [DrmSystem::Widevine, DrmSystem::Playready, DrmSystem::Fairplay].into(),
            patience: Patience::default(),
        }
    }
}

/// A key server cannot be set up as the operator says. No message holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpekeSetupError {
    /// The URL is refused.
    #[error("the URL of the key server: {0}")]
    Url(String),
    /// A file that it names is refused.
    #[error("{0}")]
    File(String),
    /// There is no system that it could be asked about.
    #[error("the key server knows no DRM system: name those that it gives keys for")]
    Systems,
    /// TLS cannot be set up.
    #[error("TLS to the key server: {0}")]
    Tls(String),
}

/// The address of a key server that keys may be asked of.
#[derive(Clone)]
pub(super) struct Address {
    /// Where requests go.
    pub url: Url,
    /// The same for people and for names: without a query, which may hold a token.
    pub shown: String,
    /// It is this host itself, which no proxy stands before.
    pub loopback: bool,
}

impl Address {
    /// Reads the address; see [`SpekeOptions::url`].
    pub(super) fn parse(text: &str) -> Result<Self, SpekeSetupError> {
        let mut url = Url::parse(text).map_err(|error| SpekeSetupError::Url(error.to_string()))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(SpekeSetupError::Url(
                "it holds credentials; put them into the credentials file".to_owned(),
            ));
        }
        url.set_fragment(None);
        let loopback = match url.host() {
            None => false,
            Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
        };
        match url.scheme() {
            "https" => {}
            "http" if loopback => {}
            scheme => {
                let reason = format!("{scheme}: is refused; it must be https:, or http: to this host itself");
                return Err(SpekeSetupError::Url(reason));
            }
        }
        let mut shown = url.clone();
        shown.set_query(None);
        Ok(Self { url, shown: shown.to_string(), loopback })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tls_or_this_host_may_carry_keys() {
        for text in [
            "https://keys.example/speke",
            "https://10.0.0.1:8443/",
            "http://127.0.0.1:8080/speke",
            "http://127.9.9.9/",
            "http://[::1]:8080/",
            "http://localhost:1/",
        ] {
            assert!(Address::parse(text).is_ok(), "{text}");
        }
        for text in [
            "http://keys.example/",
            "http://10.0.0.1/",
            "http://localhost.example/",
            "http://0.0.0.0/",
            "http://[::]/",
            "ftp://127.0.0.1/",
            "file:///etc/passwd",
            "keys.example",
            "",
        ] {
            let error = Address::parse(text).err().unwrap_or_else(|| panic!("accepted: {text}")).to_string();
            assert!(error.starts_with("the URL of the key server: "), "{error}");
        }
    }

    #[test]
    fn what_may_be_a_secret_is_not_shown() {
        let error = Address::parse("https://farm:secret@keys.example/").err().unwrap().to_string();
        assert!(error.contains("credentials") && !error.contains("secret"), "{error}");
        let address = Address::parse("https://KEYS.example/speke?token=secret#part").unwrap();
        assert_eq!(address.shown, "https://keys.example/speke");
        assert_eq!(address.url.as_str(), "https://keys.example/speke?token=secret");
    }
}
