//! A bucket: the one client for it, with our own TLS, time-outs and retries, and the requests that `object_store` has not.
//!
//! Promises: TLS is rustls on ring, trusting whom the system trusts; redirects are not followed; every request has a
//! time-out and is tried again a limited number of times; requests are signed with their bodies, so that a store that
//! checks signatures refuses a body that was damaged on its way; no error shows a credential.

mod access;
mod uploads;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::{HttpClient, HttpConnector};
use object_store::path::Path;
use object_store::{BackoffConfig, ClientOptions, ObjectStoreExt as _, PutPayload, RetryConfig};

pub use access::{InvalidAccess, Patience, S3Access, S3Credentials};
pub(crate) use uploads::{Part, Upload};

use crate::location::BucketLocation;

/// Where objects lie that are written to learn the bucket's time.
pub(crate) const CLOCK: &str = "clock";
/// What players want to be told of files, by the ends of their names. (An origin in a bucket is read by players directly.)
const CONTENT_TYPES: [(&str, &str); 14] = [
    ("json", "application/json"),
    ("key", "application/octet-stream"),
    ("m3u8", "application/vnd.apple.mpegurl"),
    ("m4a", "audio/mp4"),
    ("m4s", "video/iso.segment"),
    ("m4v", "video/mp4"),
    ("mp4", "video/mp4"),
    ("mpd", "application/dash+xml"),
    ("ts", "video/mp2t"),
    ("aac", "audio/aac"),
    ("vtt", "text/vtt"),
    ("ism", "application/vnd.ms-sstr+xml"),
    ("ismc", "application/vnd.ms-sstr+xml"),
    ("xml", "application/xml"),
];

/// The part of a bucket below a prefix. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    pub(crate) location: BucketLocation,
    pub(crate) s3: Arc<AmazonS3>,
    http: reqwest::Client,
    patience: Patience,
}

/// Why a bucket cannot be used: what a client needs is not there.
pub(crate) type ConnectError = Box<dyn std::error::Error + Send + Sync>;

impl Bucket {
    /// A client for this bucket. Sends nothing yet.
    pub(crate) fn new(location: BucketLocation, access: &S3Access) -> Result<Self, ConnectError> {
        let http = client(&access.patience)?;
        // Without a key of ours: what the platform gives to the host, as its variables say.
        let builder = match &access.credentials {
            None => AmazonS3Builder::from_env(),
            Some(key) => {
                let builder = AmazonS3Builder::new()
                    .with_access_key_id(&key.access_key_id)
                    .with_secret_access_key(key.secret_access_key.reveal());
                key.session_token.iter().fold(builder, |builder, token| builder.with_token(token.reveal()))
            }
        };
        let mut options = ClientOptions::new().with_default_content_type("application/octet-stream");
        for (end, content_type) in CONTENT_TYPES {
            options = options.with_content_type_for_suffix(end, content_type);
        }
        let builder = builder
            .with_bucket_name(&location.bucket)
            .with_region(&access.region)
            .with_virtual_hosted_style_request(!access.path_style)
            .with_client_options(options)
            .with_http_connector(Connector(http.clone()))
            .with_retry(RetryConfig {
                backoff: BackoffConfig::default(),
                max_retries: access.patience.retries,
                retry_timeout: access.patience.give_up,
            });
        let builder = match &access.endpoint {
            None => builder,
            Some(endpoint) => {
                builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"))
            }
        };
        Ok(Self { location, s3: Arc::new(builder.build()?), http, patience: access.patience })
    }

    /// The place of what is called `name` below the prefix.
    pub(crate) fn at(&self, name: &str) -> Path {
        // As it is, where a path can be: other ways to make one replace some of its characters.
        let name = Path::parse(name).unwrap_or_else(|_| Path::from(name));
        self.location.prefix.parts().chain(name.parts()).collect()
    }

    /// The size of an object; `None` where it is not there.
    pub(crate) async fn size_of(&self, at: &Path) -> object_store::Result<Option<u64>> {
        match self.s3.head(at).await {
            Ok(object) => Ok(Some(object.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The bucket's own time: that of an object which is written for it.
    pub(crate) async fn now(&self) -> object_store::Result<DateTime<Utc>> {
        let at = self.at(&format!("{CLOCK}/{:032x}", rand::random::<u128>()));
        self.s3.put(&at, PutPayload::default()).await?;
        let now = self.s3.head(&at).await.map(|object| object.last_modified);
        self.remove(&at).await?;
        now
    }

    /// Removes an object; nothing there is fine.
    pub(crate) async fn remove(&self, at: &Path) -> object_store::Result<()> {
        match self.s3.delete(at).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Gives `object_store` our own client.
#[derive(Debug)]
struct Connector(reqwest::Client);

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.0.clone()))
    }
}

fn client(patience: &Patience) -> Result<reqwest::Client, ConnectError> {
    let mut authorities = rustls::RootCertStore::empty();
    // One that cannot be read vouches for nobody, which the server will show if it matters.
    authorities.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(authorities)
        .with_no_client_auth();
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(concat!("reelfarm/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .http1_only()
        .connect_timeout(patience.connect)
        .timeout(patience.request)
        .build()?;
    Ok(client)
}
