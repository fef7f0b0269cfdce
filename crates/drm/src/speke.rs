//! Content keys from a key server: SPEKE v2.0, AWS's "Secure Packager and Encoder Key Exchange", which carries DASH-IF's
//! CPIX 2.3 over HTTPS.
//!
//! Promises: nothing is taken from an answer that is not, part by part, the answer to what was asked ([`SpekeServer`]
//! says what is checked); the server is who its certificate says; credentials and keys are in no message, and no word of
//! the server is shown before it was scrubbed; no answer, however large, deep or slow, does harm.
//!
//! Two things of CPIX are left out, and refused where they come. *Signatures* (XML-DSig): SPEKE v2 has none, for requests
//! or answers, so what vouches for an answer is TLS, on both sides where a client certificate is set up. *Encrypted keys*
//! (`DeliveryDataList`): they are never asked for; to decrypt them takes RSA, which ring leaves out, and so a second
//! library of cryptography beside it.

mod answer;
mod credentials;
mod exchange;
mod hls;
mod key_id;
mod options;
mod playready_header;
mod pssh;
mod request;
mod retry;
mod scrub;
mod system;
mod tls;
mod xml;

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use async_trait::async_trait;
use reelfarm_model::profile::{DrmSystem, Scheme};

use self::answer::Answer;
use self::credentials::Credentials;
use self::exchange::{Exchange, NoAnswer};
use self::options::Address;
pub use self::options::{ClientCertificate, Patience, SpekeOptions, SpekeSetupError};
use self::request::Asked;
use self::scrub::Scrubber;
use self::system::SystemAsked;
use crate::keys::TitleKeys;
use crate::provider::{KeyError, KeyProvider, KeyRequest};
use crate::signal::{signal, title_keys};
use crate::uris::KeyUris;

/// Whether only a server can say where a key of its own is: where there is none, anybody may fetch it from a file beside
/// the playlists.
fn needs_server(system: DrmSystem, scheme: Scheme) -> bool {
    (system, scheme) == (DrmSystem::Clearkey, Scheme::Aes128)
}

/// A key server.
///
/// The ids of keys are ours: they follow from the server's URL, the title and the use, so that the same is asked for each
/// time; whole segments (AES-128) have ids and so keys of their own. A server that knows no system of a scheme is asked
/// in another one, and players are told what follows from the key's id; of AES-128 the key then follows from the server's
/// and tells nothing of it, as its file is open to all. Keys that FairPlay gives out have one initialisation vector each:
/// the one that the server is told of, or the one that it answers. An answer is refused unless it is for the title, in the version and scheme asked for, with exactly the keys
/// asked for, each of 16 bytes, no two alike and none all zero; with the rules for tracks as they were sent; and with
/// every system asked about, for each key, all that was asked for filled, and that naming the key: `pssh` boxes, the
/// PlayReady header with its checksum of the key, and the `EXT-X-KEY` of HLS.
pub struct SpekeServer {
    exchange: Exchange,
    credentials_file: Option<PathBuf>,
    systems: BTreeSet<DrmSystem>,
    uris: KeyUris,
}

impl fmt::Debug for SpekeServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpekeServer").field("url", &self.url()).finish_non_exhaustive()
    }
}

/// Reads a server's answer to a request, and keeps nothing of it but whether it was taken.
#[cfg(feature = "fuzzing")]
pub(crate) fn takes_answer(body: &[u8], request: &KeyRequest, systems: &BTreeSet<DrmSystem>) -> bool {
    let asked = Asked::new(request, "https://keys.example/", systems);
    answer::read(body, &asked).is_ok()
}

impl SpekeServer {
    /// Sets up the way to a server, without asking it. Systems that it is not asked about are told what follows from
    /// the key's id and these URIs. Reads files, so it does not belong on the async runtime.
    ///
    /// # Errors
    /// A file cannot be used, the URL is none that keys may be asked of, or TLS cannot be set up.
    pub fn new(options: &SpekeOptions, uris: KeyUris) -> Result<Self, SpekeSetupError> {
        let address = Address::parse(&options.url)?;
        if options.systems.is_empty() {
            return Err(SpekeSetupError::Systems);
        }
        if let Some(file) = &options.credentials_file {
            Credentials::read(file).map_err(SpekeSetupError::File)?;
        }
        let tls = tls::configuration(options, address.url.scheme() == "https")?;
        let shows_certificate = options.client_certificate.is_some();
        Ok(Self {
            exchange: Exchange::new(address, tls, options.patience.clone(), shows_certificate)?,
            credentials_file: options.credentials_file.clone(),
            systems: options.systems.clone(),
            uris,
        })
    }

    /// Whether players of a system learn in this scheme where the key is, when it is asked for `systems` together: from
    /// the server, or because that follows from the key's id. They do not where the server gives the key of AES-128
    /// itself and does not know ClearKey: a key of its own must not lie in a file for all.
    pub fn can_tell(&self, system: DrmSystem, scheme: Scheme, systems: &BTreeSet<DrmSystem>) -> bool {
        let gives_key = || !SystemAsked::all(systems.intersection(&self.systems).copied(), scheme).is_empty();
        !needs_server(system, scheme) || self.systems.contains(&system) || !gives_key()
    }

    /// The server's URL without query: what tells its keys from another server's.
    pub fn url(&self) -> &str {
        self.exchange.shown()
    }

    async fn credentials(&self) -> Result<Option<Credentials>, String> {
        let Some(file) = self.credentials_file.clone() else { return Ok(None) };
        let read = tokio::task::spawn_blocking(move || Credentials::read(&file)).await;
        read.map_err(|error| error.to_string())?.map(Some)
    }

    async fn ask(&self, asked: &Asked) -> Result<Answer, NoAnswer> {
        let credentials = self.credentials().await.map_err(NoAnswer::Login)?;
        let secrets = credentials.as_ref().map(|credentials| credentials.secrets().to_vec());
        let scrubber = Scrubber::new(asked.ids(), secrets.unwrap_or_default());
        let body = self.exchange.post(&asked.document(), credentials.as_ref(), &scrubber).await?;
        answer::read(&body, asked).map_err(|reason| NoAnswer::Refused(scrubber.scrub(&reason)))
    }
}

#[async_trait]
impl KeyProvider for SpekeServer {
    async fn keys(&self, request: &KeyRequest) -> Result<TitleKeys, KeyError> {
        let asked = Asked::new(request, self.url(), &self.systems);
        let Answer { keys, mut signals, vectors } = self.ask(&asked).await.map_err(|error| match error {
            NoAnswer::Unreachable(reason) => KeyError::Unreachable { url: self.url().to_owned(), reason },
            NoAnswer::Login(reason) => KeyError::Login { url: self.url().to_owned(), reason },
            NoAnswer::Refused(reason) => {
                KeyError::Answer { url: self.url().to_owned(), title: request.title.clone(), reason }
            }
        })?;
        if asked.scheme != request.scheme {
            let keys = keys.into_iter().map(|(wanted, key)| (wanted, key.in_scheme(request.scheme)));
            return Ok(title_keys(keys.collect(), request, &self.uris));
        }
        for system in &request.systems {
            if needs_server(*system, request.scheme) {
                continue;
            }
            for key in keys.values() {
                let told = || signal(*system, request.scheme, key, &request.title, &self.uris);
                signals.entry((*system, key.id)).or_insert_with(told);
            }
        }
        Ok(TitleKeys::new(keys, signals).with_vectors(vectors))
    }
}
