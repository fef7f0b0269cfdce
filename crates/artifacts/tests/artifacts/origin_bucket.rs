//! An origin in a bucket while the server, the link or the process fails, or somebody else writes there.

use std::sync::atomic::{AtomicUsize, Ordering};

use object_store::path::Path;
use object_store::{ObjectStoreExt as _, PutPayload};
use reelfarm_artifacts::{Artifact, ArtifactStore, Origin, OriginError};
use reelfarm_model::{Code, Failure};
use reelfarm_test_servers::s3::{self, S3Server};

use crate::bucket::{access, impatient, raw, unfinished_uploads};
use crate::http_proxy::{Fault, HttpProxy, SLOW_DOWN};
use crate::support::{artifact, bytes, index, index_file, running, title};

const SET: &str = "media/set/0123456789ab";
/// Where the one file of a media set lies in the bucket.
const FILE: &str = "origin/film/media/set/0123456789ab/1.m4s";

fn open(endpoint: &str) -> Origin {
    Origin::connect("s3://farm/origin", &access(endpoint)).unwrap()
}

/// A media set of one file.
async fn media(state: &tempfile::TempDir, length: usize) -> Artifact {
    let store = ArtifactStore::open(state.path()).unwrap();
    artifact(&store, &format!("media-{length}"), &[("1.m4s", &bytes(1, length))]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_altered_behind_our_back_before_it_is_read_back_is_a_mismatch_and_goes() {
    let server = S3Server::start().await.unwrap();
    let state = tempfile::tempdir().unwrap();
    let raw = raw(&server.endpoint(), s3::BUCKET);
    for length in [5_000, 17_000_000] {
        let media = media(&state, length).await;
        let mut altered = bytes(1, length);
        altered[length / 2] ^= 1;
        let altered = PutPayload::from(altered);
        // A small file is there when its bytes are counted; a large one when the first of them is read back.
        let (steps, there) = (AtomicUsize::new(0), if length > 8 << 20 { 4 } else { 1 });
        let alter = |_, _| {
            if steps.fetch_add(1, Ordering::Relaxed) + 1 == there {
                tokio::task::block_in_place(|| {
                    let at = Path::from(FILE);
                    let put = raw.put(&at, altered.clone());
                    tokio::runtime::Handle::current().block_on(put).unwrap();
                });
            }
        };
        let origin = open(&server.endpoint());
        let failed =
            origin.upload(&title("film"), SET, &media, |_| true, alter, &running()).await.unwrap_err();
        let OriginError::Mismatch { path, sent, found, .. } = &failed else { panic!("{length}: {failed}") };
        assert_eq!(path, "film/media/set/0123456789ab/1.m4s");
        assert_ne!(sent, found);
        assert_eq!(Failure::from(failed).code, Code::OriginMismatch);
        assert!(
            matches!(raw.head(&Path::from(FILE)).await, Err(object_store::Error::NotFound { .. })),
            "{length}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_altered_after_it_was_sent_is_sent_again_though_its_size_is_right() {
    let server = S3Server::start().await.unwrap();
    let state = tempfile::tempdir().unwrap();
    let raw = raw(&server.endpoint(), s3::BUCKET);
    let (origin, media) = (open(&server.endpoint()), media(&state, 17_000_000).await);
    origin.upload(&title("film"), SET, &media, |_| true, |_, _| {}, &running()).await.unwrap();
    raw.put(&Path::from(FILE), PutPayload::from(bytes(2, 17_000_000))).await.unwrap();
    let again = origin.upload(&title("film"), SET, &media, |_| true, |_, _| {}, &running()).await.unwrap();
    assert_eq!(again.written, 17_000_000);
    assert!(raw.get(&Path::from(FILE)).await.unwrap().bytes().await.unwrap() == bytes(1, 17_000_000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overload_and_cut_links_are_waited_out() {
    let server = S3Server::start().await.unwrap();
    let state = tempfile::tempdir().unwrap();
    let media = media(&state, 17_000_000).await;
    for fault in [SLOW_DOWN, Fault::LoseAnswer, Fault::CutAfter(200)] {
        let requests = AtomicUsize::new(0);
        // Every third request fails.
        let proxy = HttpProxy::start(server.address(), move |_| {
            if requests.fetch_add(1, Ordering::Relaxed) % 3 == 2 { fault } else { Fault::Pass }
        })
        .await;
        let origin = open(&proxy.endpoint);
        let film = title("film");
        let uploaded = origin.upload(&film, SET, &media, |_| true, |_, _| {}, &running()).await.unwrap();
        let mut files = uploaded.receipt.files;
        files.push(index_file("dash/manifest.mpd", b"manifest"));
        let manifests = vec![("dash/manifest.mpd".to_owned(), b"manifest".to_vec())];
        origin.publish(&film, manifests, &index(&film, files)).await.unwrap();
        assert!(origin.audit(&film).await.unwrap().is_whole(), "{fault:?}");
        assert!(proxy.requests() > 3);
    }
    assert_eq!(unfinished_uploads(&server.endpoint()).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_origin_that_stays_away_is_unreachable_and_shows_no_secret() {
    let server = S3Server::start().await.unwrap();
    let proxy = HttpProxy::start(server.address(), |_| SLOW_DOWN).await;
    let failed = Origin::connect("s3://farm/origin", &impatient(&proxy.endpoint))
        .unwrap()
        .index(&title("film"))
        .await
        .unwrap_err();
    assert!(matches!(&failed, OriginError::Unreachable { action: "read", .. }), "{failed}");
    assert!(!format!("{failed} {failed:?}").contains(s3::SECRET_ACCESS_KEY));
    assert_eq!(Failure::from(failed).code, Code::OriginUnreachable);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_upload_left_that_was_dropped_goes_with_the_next_or_with_a_withdrawal() {
    let server = S3Server::start().await.unwrap();
    let state = tempfile::tempdir().unwrap();
    let media = media(&state, 17_000_000).await;
    let film = title("film");
    for is_withdrawn in [true, false] {
        let second_part = |request: &str| request.contains("partNumber=2");
        let proxy = HttpProxy::start(server.address(), move |request| {
            if second_part(request) { Fault::Swallow } else { Fault::Pass }
        })
        .await;
        let stuck = open(&proxy.endpoint);
        let mut answered = proxy.answered.clone();
        let first_part = |lines: &Vec<String>| lines.iter().any(|line| line.contains("partNumber=1"));
        let nobody_stops = running();
        tokio::select! {
            _ = stuck.upload(&film, SET, &media, |_| true, |_, _| {}, &nobody_stops) => panic!("it was stuck"),
            waited = answered.wait_for(first_part) => drop(waited.unwrap()),
        }
        assert_eq!(unfinished_uploads(&server.endpoint()).await, 1);
        let origin = open(&server.endpoint());
        if is_withdrawn {
            assert_eq!(origin.withdraw(&film, &[]).await.unwrap(), 0);
        } else {
            origin.upload(&film, SET, &media, |_| true, |_, _| {}, &running()).await.unwrap();
        }
        assert_eq!(unfinished_uploads(&server.endpoint()).await, 0);
    }
}

#[tokio::test]
async fn players_are_told_what_files_are() {
    let server = S3Server::start().await.unwrap();
    let origin = open(&server.endpoint());
    let film = title("film");
    let files = [("m.mpd", "application/dash+xml"), ("m.m3u8", "application/vnd.apple.mpegurl")];
    let manifests: Vec<_> = files.iter().map(|(path, _)| ((*path).to_owned(), b"x".to_vec())).collect();
    let listed = files.iter().map(|(path, _)| index_file(path, b"x")).collect();
    origin.publish(&film, manifests, &index(&film, listed)).await.unwrap();
    for (path, expected) in files.into_iter().chain([("index.json", "application/json")]) {
        let got = raw(&server.endpoint(), s3::BUCKET)
            .get(&Path::from(format!("origin/film/{path}")))
            .await
            .unwrap();
        let found = got.attributes.get(&object_store::Attribute::ContentType).unwrap();
        assert_eq!(found.as_ref(), expected, "{path}");
    }
}

#[test]
fn an_origin_is_a_folder_or_a_plain_place_in_a_bucket() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("origin");
    Origin::connect(place.to_str().unwrap(), &access("http://127.0.0.1:1")).unwrap();
    assert!(place.is_dir());
    for origin in
        ["relative/origin", "", "https://farm/a", "s3://", "s3://farm/a b", "s3://farm/%2e%2e", "s3://farm/ä"]
    {
        let refused = Origin::connect(origin, &access("http://127.0.0.1:1"));
        assert!(matches!(refused, Err(OriginError::Unsupported { .. })), "{origin}");
    }
}
