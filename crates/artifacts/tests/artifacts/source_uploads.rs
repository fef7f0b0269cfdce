//! Sources that people send into a bucket of a real server.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore as _, ObjectStoreExt as _, PutPayload};
use reelfarm_artifacts::{
    ArtifactStore, Location, S3Access, SourceSettings, SourceUpload, SourceUploadError, SourceUploads,
    StorageSettings,
};
use reelfarm_model::Digest;
use reelfarm_test_servers::s3::{self, S3Server};

use crate::bucket::{access, cache, place, raw, unfinished_uploads};
use crate::support::bytes;

const MIB: usize = 1024 * 1024;
/// The least that a bucket takes.
const PART: usize = 5 * MIB;
const LENGTH: usize = 12 * MIB + 7;

struct Bench {
    server: S3Server,
    folder: tempfile::TempDir,
}

impl Bench {
    async fn start() -> Self {
        Self { server: S3Server::start().await.unwrap(), folder: tempfile::tempdir().unwrap() }
    }

    /// The artifacts, as a process of the farm connects to them.
    fn artifacts(&self, host: &str) -> ArtifactStore {
        let settings = StorageSettings {
            artifacts: Location::Bucket(place()),
            shared: true,
            access: access(&self.server.endpoint()),
            origins: S3Access::new(),
            sources: SourceSettings { access: S3Access::new(), places: Vec::new() },
            cache: cache(&self.folder.path().join(host)),
        };
        ArtifactStore::connect(&settings).unwrap()
    }

    /// What a scheduler takes uploads with.
    fn uploads(&self, host: &str) -> SourceUploads {
        self.artifacts(host).source_uploads().unwrap().with_parts_of(PART as u64)
    }
}

fn body(content: &[u8]) -> BoxStream<'static, io::Result<Bytes>> {
    let pieces: Vec<_> = content.chunks(MIB - 1).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    futures::stream::iter(pieces).boxed()
}

fn cut(content: &[u8]) -> BoxStream<'static, io::Result<Bytes>> {
    body(content).chain(futures::stream::iter([Err(io::Error::other("gone"))])).boxed()
}

const fn status(received: usize, complete: bool) -> SourceUpload {
    SourceUpload { received: received as u64, size: LENGTH as u64, complete, part: PART as u64 }
}

async fn append(
    uploads: &SourceUploads,
    name: &Digest,
    offset: usize,
    body: BoxStream<'static, io::Result<Bytes>>,
) -> Result<SourceUpload, SourceUploadError> {
    uploads.append(name, LENGTH as u64, offset as u64, body).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_was_cut_off_is_carried_on_by_its_whole_parts_and_becomes_a_source() {
    let bench = Bench::start().await;
    let content = bytes(1, LENGTH);
    let name = Digest::of(&content);
    let uploads = bench.uploads("scheduler");
    assert_eq!(uploads.status(&name).await.unwrap(), None);
    let broken = append(&uploads, &name, 0, cut(&content[..7 * MIB])).await.unwrap_err();
    assert!(matches!(broken, SourceUploadError::Cut(_)), "{broken}");
    assert_eq!(uploads.status(&name).await.unwrap(), Some(status(PART, false)));
    assert_eq!(uploads.source(&name).await.unwrap(), None);
    for offset in [0, 7 * MIB] {
        let gap = append(&uploads, &name, offset, body(&content[offset..])).await.unwrap_err();
        assert!(matches!(gap, SourceUploadError::Gap { received, .. } if received == PART as u64), "{gap}");
    }
    let half = append(&uploads, &name, PART, body(&content[PART..2 * PART + 1])).await.unwrap();
    assert_eq!(half, status(2 * PART, false));
    let whole = append(&uploads, &name, 2 * PART, body(&content[2 * PART..])).await.unwrap();
    assert_eq!(whole, status(LENGTH, true));
    // Sent once more by somebody who does not know.
    assert_eq!(append(&uploads, &name, 0, body(&content)).await.unwrap(), status(LENGTH, true));
    assert_eq!(unfinished_uploads(&bench.server.endpoint()).await, 0);

    let source = uploads.source(&name).await.unwrap().unwrap();
    let worker = bench.artifacts("worker");
    assert_eq!(worker.look_at_source(source.path.to_str().unwrap()).await.unwrap(), source);
    let fetched = worker.fetch_source(&source, Some(name)).await.unwrap();
    assert!(fs_err::read(&fetched.path).unwrap() == content);
    // Asked for again, it is the same source.
    assert_eq!(uploads.source(&name).await.unwrap(), Some(source));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_process_took_in_is_read_back_before_it_is_a_source() {
    let bench = Bench::start().await;
    let content = bytes(2, LENGTH);
    let mut wrong = content.clone();
    wrong[3] ^= 1;
    let name = Digest::of(&content);
    let (first, second) = (bench.uploads("one"), bench.uploads("two"));
    for (begun_with, is_right) in [(&wrong, false), (&content, true)] {
        append(&first, &name, 0, body(&begun_with[..PART])).await.unwrap();
        let ended = append(&second, &name, PART, body(&content[PART..])).await;
        match ended {
            Ok(ended) => assert_eq!((ended, is_right), (status(LENGTH, true), true)),
            Err(error) => {
                let found = Digest::of(&wrong);
                assert!(
                    matches!(error, SourceUploadError::Digest { found: other } if other == found),
                    "{error}"
                );
                assert_eq!(first.status(&name).await.unwrap(), None);
                assert!(!is_right);
            }
        }
    }
    assert_eq!(first.status(&name).await.unwrap(), Some(status(LENGTH, true)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_are_wrong_or_too_many_are_not_kept() {
    let bench = Bench::start().await;
    let content = bytes(3, LENGTH);
    let name = Digest::of(b"something else");
    let uploads = bench.uploads("scheduler");
    let error = append(&uploads, &name, 0, body(&content)).await.unwrap_err();
    assert!(matches!(error, SourceUploadError::Digest { found } if found == Digest::of(&content)), "{error}");
    assert_eq!(uploads.status(&name).await.unwrap(), None);
    assert_eq!(unfinished_uploads(&bench.server.endpoint()).await, 0);

    let more = bytes(4, LENGTH + 1);
    let error = append(&uploads, &name, 0, body(&more)).await.unwrap_err();
    let SourceUploadError::Size { size, claimed } = error else { panic!("{error}") };
    assert_eq!((size, claimed), (LENGTH as u64, LENGTH as u64 + 1));
    assert_eq!(uploads.source(&name).await.unwrap(), None);
    let other_size = uploads.append(&name, 9, 0, body(b"x")).await.unwrap_err();
    assert!(matches!(other_size, SourceUploadError::Size { claimed: 9, .. }), "{other_size}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_nobody_compared_is_no_source_until_somebody_does() {
    let bench = Bench::start().await;
    let content = bytes(5, LENGTH);
    let uploads = bench.uploads("scheduler");
    for (name, is_right) in [(Digest::of(&content), true), (Digest::of(b"other"), false)] {
        // The process died between the two.
        let at = ObjectPath::from(format!("some/where/uploads/{name}/{LENGTH}"));
        let note = ObjectPath::from(format!("some/where/uploads/{name}/upload.json"));
        let bucket = raw(&bench.server.endpoint(), s3::BUCKET);
        bucket.put(&at, PutPayload::from(content.clone())).await.unwrap();
        let text = format!(r#"{{"size":{LENGTH},"id":"of the dead"}}"#);
        bucket.put(&note, PutPayload::from(text)).await.unwrap();
        assert_eq!(uploads.status(&name).await.unwrap(), Some(status(LENGTH, false)));
        assert_eq!(uploads.source(&name).await.unwrap(), None);
        let compared = append(&uploads, &name, LENGTH, body(&[])).await;
        assert_eq!(compared.is_ok(), is_right, "{compared:?}");
        assert_eq!(uploads.source(&name).await.unwrap().is_some(), is_right);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_senders_of_one_upload_do_not_mix_their_bytes() {
    let bench = Bench::start().await;
    let content = bytes(6, LENGTH);
    let name = Digest::of(&content);
    let uploads = bench.uploads("scheduler");
    let (sender, receiver) = tokio::sync::mpsc::channel::<io::Result<Bytes>>(1);
    let slow = futures::stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|piece| (piece, receiver))
    });
    let first = tokio::spawn({
        let uploads = uploads.clone();
        async move { append(&uploads, &name, 0, slow.boxed()).await }
    });
    sender.send(Ok(Bytes::copy_from_slice(&content[..MIB]))).await.unwrap();
    sender.send(Ok(Bytes::copy_from_slice(&content[MIB..PART]))).await.unwrap();
    // Taken, and so the first is at work.
    let second = append(&uploads, &name, 0, body(&content)).await.unwrap_err();
    assert!(matches!(second, SourceUploadError::Busy), "{second}");
    // Another process knows nothing of the first one.
    let other = append(&bench.uploads("other"), &name, 0, body(&bytes(7, LENGTH))).await;
    sender.send(Ok(Bytes::copy_from_slice(&content[PART..]))).await.unwrap();
    drop(sender);
    // It may have been ended by the other.
    drop(first.await.unwrap());
    assert!(other.is_err(), "{other:?}");
    // Whatever is left of either, who carries it on gets what was named: at once, or after wrong bytes were thrown away.
    for _ in 0..2 {
        let received = uploads.status(&name).await.unwrap().map_or(0, |status| status.received);
        let received = usize::try_from(received).unwrap();
        drop(append(&uploads, &name, received, body(&content[received..])).await);
    }
    let source = uploads.source(&name).await.unwrap().unwrap();
    let fetched = bench.artifacts("worker").fetch_source(&source, Some(name)).await.unwrap();
    assert!(fs_err::read(&fetched.path).unwrap() == content);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_go_once_nobody_carries_them_on_or_refers_to_them() {
    let bench = Bench::start().await;
    let (content, other) = (bytes(8, LENGTH), bytes(9, LENGTH));
    let uploads = bench.uploads("scheduler");
    let (name, part) = (Digest::of(&content), Digest::of(&other));
    append(&uploads, &name, 0, body(&content)).await.unwrap();
    append(&uploads, &part, 0, body(&other[..PART])).await.unwrap();
    let source = uploads.source(&name).await.unwrap().unwrap();
    let referenced = BTreeSet::from([source.path]);
    let collect = async |age, referenced: &BTreeSet<PathBuf>| uploads.collect(age, referenced).await.unwrap();
    assert_eq!(collect(Duration::from_secs(3600), &BTreeSet::new()).await, 0);
    assert_eq!(collect(Duration::ZERO, &referenced).await, 1);
    assert_eq!(uploads.status(&part).await.unwrap(), None);
    assert_eq!(uploads.status(&name).await.unwrap(), Some(status(LENGTH, true)));
    assert_eq!(collect(Duration::ZERO, &BTreeSet::new()).await, 1);
    assert_eq!(uploads.status(&name).await.unwrap(), None);
    assert_eq!(unfinished_uploads(&bench.server.endpoint()).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_is_carried_on_is_not_taken_for_abandoned() {
    let bench = Bench::start().await;
    let content = bytes(1, LENGTH);
    let name = Digest::of(&content);
    let uploads = bench.uploads("scheduler");
    append(&uploads, &name, 0, body(&content[..PART])).await.unwrap();
    let age = Duration::from_secs(3);
    tokio::time::sleep(age + Duration::from_secs(1)).await;
    // As soon as somebody comes back, before anything more of it is there.
    append(&uploads, &name, PART, body(&[])).await.unwrap();
    assert_eq!(uploads.collect(age, &BTreeSet::new()).await.unwrap(), 0);
    assert_eq!(uploads.status(&name).await.unwrap(), Some(status(PART, false)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_note_that_cannot_be_read_stands_in_nobodys_way() {
    let bench = Bench::start().await;
    let content = bytes(1, LENGTH);
    let name = Digest::of(&content);
    let uploads = bench.uploads("scheduler");
    append(&uploads, &name, 0, body(&content[..PART])).await.unwrap();
    let stored = raw(&bench.server.endpoint(), s3::BUCKET);
    let listed: Vec<_> = stored.list(None).map(|object| object.unwrap().location).collect().await;
    let note = listed.into_iter().find(|at| at.filename() == Some("upload.json")).unwrap();
    stored.put(&note, PutPayload::from_static(b"{")).await.unwrap();
    assert_eq!(append(&uploads, &name, 0, body(&content)).await.unwrap(), status(LENGTH, true));
    assert_eq!(
        uploads.collect(Duration::ZERO, &BTreeSet::new()).await.unwrap(),
        2,
        "it, and what was begun before"
    );
    assert_eq!(unfinished_uploads(&bench.server.endpoint()).await, 0);
}
