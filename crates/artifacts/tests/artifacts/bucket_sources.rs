//! Sources in a bucket of a real server.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use object_store::path::Path as ObjectPath;
use object_store::{ObjectStoreExt as _, PutPayload};
use reelfarm_artifacts::{
    ArtifactStore, BucketLocation, CacheSettings, Location, S3Access, SourceSettings, StorageSettings,
};
use reelfarm_model::{Code, Digest, SourceReference};
use reelfarm_test_servers::s3::{self, S3Server};

use crate::bucket::{access, cache, impatient, raw};
use crate::http_proxy::{Fault, HttpProxy, SLOW_DOWN};
use crate::support::bytes;

const FILM: &str = "s3://farm/in box/100% film.mxf";
const LENGTH: usize = 33 * 1024 * 1024 + 5;

/// A worker's store, which may read sources of the bucket's folder `in box`.
fn worker(endpoint: &str, host: &Path) -> ArtifactStore {
    with(access(endpoint), host, cache(&host.join("cache")))
}

fn with(access: S3Access, host: &Path, cache: CacheSettings) -> ArtifactStore {
    let settings = StorageSettings {
        artifacts: Location::Folder(host.join("artifacts")),
        shared: true,
        access: S3Access::new(),
        origins: S3Access::new(),
        sources: SourceSettings { access, places: vec![BucketLocation::parse("s3://farm/in box").unwrap()] },
        cache,
    };
    ArtifactStore::connect(&settings).unwrap()
}

async fn deliver(server: &S3Server, content: &[u8]) {
    deliver_as(server, "in box/100% film.mxf", content).await;
}

async fn deliver_as(server: &S3Server, name: &str, content: &[u8]) {
    let at = ObjectPath::parse(name).unwrap();
    raw(&server.endpoint(), s3::BUCKET).put(&at, PutPayload::from(content.to_vec())).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_is_looked_at_fetched_once_and_read_as_a_file() {
    let (server, host) = (S3Server::start().await.unwrap(), tempfile::tempdir().unwrap());
    let content = bytes(1, LENGTH);
    deliver(&server, &content).await;
    let ranges = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&ranges);
    let proxy = HttpProxy::start(server.address(), move |request| {
        counted.fetch_add(usize::from(request.starts_with("GET")), Ordering::Relaxed);
        Fault::Pass
    })
    .await;
    let store = worker(&proxy.endpoint, host.path());
    let source = store.look_at_source(FILM).await.unwrap();
    assert_eq!((source.path.to_str(), source.size), (Some(FILM), LENGTH as u64));
    assert!(source.etag.is_some() && source.modified_ns > 0);
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let (store, source) = (store.clone(), source.clone());
            tokio::spawn(async move { store.fetch_source(&source, None).await.unwrap() })
        })
        .collect();
    for task in tasks {
        let local = task.await.unwrap();
        assert_eq!(local.path.extension().unwrap(), "mxf");
        assert!(fs_err::read(&local.path).unwrap() == content);
    }
    assert_eq!(ranges.load(Ordering::Relaxed), 5);
    let local = store.fetch_source(&source, Some(Digest::of(&content))).await.unwrap();
    drop(store);
    assert!(local.path.exists(), "for as long as it is held");
    drop(local);
    let next = worker(&proxy.endpoint, host.path());
    next.fetch_source(&source, Some(Digest::of(&content))).await.unwrap();
    assert_eq!(ranges.load(Ordering::Relaxed), 5, "the next process has it still");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_source_or_not_allowed_is_named_and_not_read() {
    let (server, host) = (S3Server::start().await.unwrap(), tempfile::tempdir().unwrap());
    deliver_as(&server, "in box/empty.mxf", b"").await;
    deliver_as(&server, "secret/film.mxf", b"secret").await;
    server.create_bucket("other").await.unwrap();
    let proxy = HttpProxy::start(server.address(), |_| Fault::Pass).await;
    let store = worker(&proxy.endpoint, host.path());
    for (text, code, requests) in [
        ("s3://farm/in box/none.mxf", Code::SourceNotFound, 1),
        ("s3://farm/in box/empty.mxf", Code::SourceEmpty, 2),
        ("s3://farm/secret/film.mxf", Code::SettingsInvalid, 2),
        ("s3://farm/in boxes/film.mxf", Code::SettingsInvalid, 2),
        ("s3://farm/in box/../secret/film.mxf", Code::SourceNotAFile, 2),
        ("s3://other/in box/film.mxf", Code::SettingsInvalid, 2),
        ("s3://farm", Code::SourceNotAFile, 2),
        ("s3://farm/in box/", Code::SourceNotAFile, 2),
        ("http://farm/in box/film.mxf", Code::SourceNotAFile, 2),
    ] {
        let failure = store.look_at_source(text).await.unwrap_err();
        assert_eq!((failure.code, proxy.requests()), (code, requests), "{text}: {failure}");
        assert!(failure.message.contains(text), "{failure}");
    }
    let forged = SourceReference {
        path: "s3://farm/secret/film.mxf".into(),
        size: 6,
        modified_ns: 0,
        etag: Some("\"x\"".to_owned()),
    };
    assert_eq!(store.fetch_source(&forged, None).await.unwrap_err().code, Code::SettingsInvalid);
    assert_eq!(proxy.requests(), 2);
    let folder = ArtifactStore::open(host.path()).unwrap();
    assert_eq!(folder.look_at_source(FILM).await.unwrap_err().code, Code::SettingsInvalid);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_is_replaced_is_changed_and_never_mixed() {
    let (server, host) = (S3Server::start().await.unwrap(), tempfile::tempdir().unwrap());
    deliver(&server, &bytes(1, LENGTH)).await;
    let store = worker(&server.endpoint(), host.path());
    let source = store.look_at_source(FILM).await.unwrap();
    // The same size, in the middle of the fetch: the proxy lets three of five ranges through and then waits.
    let (endpoint, replaced) = (server.endpoint(), AtomicUsize::new(0));
    let proxy = HttpProxy::start(server.address(), move |request| {
        if request.starts_with("GET") && replaced.fetch_add(1, Ordering::Relaxed) == 3 {
            let raw = raw(&endpoint, s3::BUCKET);
            tokio::task::block_in_place(|| {
                let at = ObjectPath::parse("in box/100% film.mxf").unwrap();
                let put = raw.put(&at, PutPayload::from(bytes(2, LENGTH)));
                tokio::runtime::Handle::current().block_on(put).unwrap();
            });
        }
        Fault::Pass
    })
    .await;
    let other = tempfile::tempdir().unwrap();
    let failure = worker(&proxy.endpoint, other.path()).fetch_source(&source, None).await.unwrap_err();
    assert_eq!(failure.code, Code::SourceChanged, "{failure}");
    assert_ne!(store.look_at_source(FILM).await.unwrap(), source);
    assert_eq!(store.fetch_source(&source, None).await.unwrap_err().code, Code::SourceChanged);

    let source = store.look_at_source(FILM).await.unwrap();
    let wrong = store.fetch_source(&source, Some(Digest::of(b"what was planned"))).await.unwrap_err();
    assert_eq!(wrong.code, Code::SourceChanged, "{wrong}");
    let local = store.fetch_source(&source, Some(Digest::of(&bytes(2, LENGTH)))).await.unwrap();
    assert!(fs_err::read(local.path).unwrap() == bytes(2, LENGTH));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fetch_that_ended_early_goes_on_where_it_was() {
    let (server, host) = (S3Server::start().await.unwrap(), tempfile::tempdir().unwrap());
    let content = bytes(1, LENGTH);
    deliver(&server, &content).await;
    let breaks = HttpProxy::start(server.address(), |request| {
        let is_early = ["bytes=0-", "bytes=8388608-"].iter().any(|range| request.contains(range));
        if request.starts_with("GET") && !is_early { SLOW_DOWN } else { Fault::Pass }
    })
    .await;
    let store = with(impatient(&breaks.endpoint), host.path(), cache(&host.path().join("cache")));
    let source = store.look_at_source(FILM).await.unwrap();
    let failure = store.fetch_source(&source, None).await.unwrap_err();
    assert_eq!(failure.code, Code::SourceUnreachable, "{failure}");
    drop(store);
    let fetched = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&fetched);
    let proxy = HttpProxy::start(server.address(), move |request| {
        counted.fetch_add(usize::from(request.starts_with("GET")), Ordering::Relaxed);
        Fault::Pass
    })
    .await;
    let local =
        worker(&proxy.endpoint, host.path()).fetch_source(&source, Some(Digest::of(&content))).await.unwrap();
    assert!(fs_err::read(&local.path).unwrap() == content);
    assert_eq!(fetched.load(Ordering::Relaxed), 3, "two of five were there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_without_room_for_a_source_says_so_before_it_fetches() {
    let (server, host) = (S3Server::start().await.unwrap(), tempfile::tempdir().unwrap());
    deliver(&server, &bytes(1, LENGTH)).await;
    let proxy = HttpProxy::start(server.address(), |_| Fault::Pass).await;
    let full = CacheSettings { folder: host.path().join("cache"), limit: u64::MAX, floor: u64::MAX / 2 };
    let store = with(access(&proxy.endpoint), host.path(), full);
    let source = store.look_at_source(FILM).await.unwrap();
    let failure = store.fetch_source(&source, None).await.unwrap_err();
    assert_eq!(failure.code, Code::DiskFull, "{failure}");
    assert_eq!(proxy.requests(), 1, "the look alone");
}
