//! Buckets for the tests of this crate: a real server, the store's way to it, and a way around it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path as ObjectPath;
use object_store::signer::{SignedUrlOptions, Signer as _};
use reelfarm_artifacts::{
    ArtifactStore, BucketLocation, CacheSettings, Patience, S3Access, S3Credentials, Secret,
};
use reelfarm_test_servers::s3;
use reqwest::Method;

/// Where the farm's things lie in the server's bucket.
pub(crate) const PLACE: &str = "s3://farm/some/where";

pub(crate) fn place() -> BucketLocation {
    BucketLocation::parse(PLACE).unwrap()
}

/// The way to a server, or to a proxy before it.
pub(crate) fn access(endpoint: &str) -> S3Access {
    S3Access {
        endpoint: Some(endpoint.to_owned()),
        region: s3::REGION.to_owned(),
        path_style: true,
        credentials: Some(S3Credentials {
            access_key_id: s3::ACCESS_KEY_ID.to_owned(),
            secret_access_key: Secret::new(s3::SECRET_ACCESS_KEY),
            session_token: None,
        }),
        patience: Patience::default(),
    }
}

/// The same with little patience, for servers that do not answer.
pub(crate) fn impatient(endpoint: &str) -> S3Access {
    let patience = Patience {
        connect: Duration::from_secs(2),
        request: Duration::from_secs(3),
        retries: 3,
        give_up: Duration::from_secs(20),
    };
    S3Access { patience, ..access(endpoint) }
}

/// A cache without bounds.
pub(crate) fn cache(folder: &Path) -> CacheSettings {
    CacheSettings { folder: folder.to_owned(), limit: u64::MAX, floor: 0 }
}

/// The artifacts behind an endpoint, as a process on a host of its own sees them.
pub(crate) fn store(endpoint: &str, host: &Path) -> ArtifactStore {
    ArtifactStore::open_bucket(&place(), &access(endpoint), &cache(host)).unwrap()
}

/// Uploads in the server's bucket that are not finished.
pub(crate) async fn unfinished_uploads(endpoint: &str) -> usize {
    let options = SignedUrlOptions::new().with_query([("uploads", "")]);
    let hour = Duration::from_secs(3600);
    let raw = raw(endpoint, s3::BUCKET);
    let url = raw.signed_url_opts(Method::GET, &ObjectPath::default(), hour, &options).await.unwrap();
    let answer = reqwest::get(url).await.unwrap().error_for_status().unwrap().text().await.unwrap();
    answer.matches("<UploadId>").count()
}

/// A client for the whole bucket that is none of ours.
pub(crate) fn raw(endpoint: &str, bucket: &str) -> Arc<AmazonS3> {
    // Fails where another test of this process has done it.
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = AmazonS3Builder::new()
        .with_endpoint(endpoint)
        .with_allow_http(true)
        .with_region(s3::REGION)
        .with_bucket_name(bucket)
        .with_access_key_id(s3::ACCESS_KEY_ID)
        .with_secret_access_key(s3::SECRET_ACCESS_KEY)
        .build();
    Arc::new(client.unwrap())
}
