//! An upload that is stopped: it begins nothing more, and takes back what it wrote.

use reelfarm_artifacts::{Artifact, ArtifactStore, Origin, OriginError};
use reelfarm_model::{Code, Failure, FailureClass};
use tokio_util::sync::CancellationToken;

use crate::support::{artifact, bytes, files_below, running, title};

struct Bench {
    folder: tempfile::TempDir,
    _state: tempfile::TempDir,
    store: ArtifactStore,
    origin: Origin,
}

fn bench() -> Bench {
    let (folder, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = ArtifactStore::open(state.path()).unwrap();
    let origin = Origin::open(folder.path().to_str().unwrap()).unwrap();
    Bench { folder, _state: state, store, origin }
}

impl Bench {
    /// Uploads, and stops as soon as the first bytes were written.
    async fn stopped_upload(&self, made: &Artifact) -> OriginError {
        let stop = CancellationToken::new();
        let on_progress = |_, _| stop.cancel();
        let stopped = self.origin.upload(&title("film"), "media", made, |_| true, on_progress, &stop).await;
        stopped.unwrap_err()
    }
}

#[tokio::test]
async fn a_stopped_upload_begins_no_further_file_and_leaves_nothing() {
    let bench = bench();
    let content = bytes(1, 5_000);
    let names: Vec<_> = (0..10).map(|number| format!("{number}.m4s")).collect();
    let files: Vec<_> = names.iter().map(|name| (name.as_str(), &content[..])).collect();
    let made = artifact(&bench.store, "m", &files).await;
    // Four are under way at once: one more that was begun would be found damaged.
    for name in &names[4..] {
        fs_err::remove_file(made.folder.join(name)).unwrap();
    }
    let stopped = bench.stopped_upload(&made).await;
    assert!(matches!(stopped, OriginError::Stopped), "{stopped}");
    assert_eq!(files_below(bench.folder.path()), [""; 0]);
    let failure = Failure::from(stopped);
    assert_eq!((failure.code, failure.class), (Code::Internal, FailureClass::Transient));
}

#[tokio::test]
async fn an_upload_that_is_stopped_beforehand_writes_nothing() {
    let bench = bench();
    let made = artifact(&bench.store, "m", &[("1", b"1")]).await;
    fs_err::remove_file(made.folder.join("1")).unwrap();
    let stop = CancellationToken::new();
    stop.cancel();
    let stopped = bench.origin.upload(&title("film"), "media", &made, |_| true, |_, _| {}, &stop).await;
    assert!(matches!(stopped, Err(OriginError::Stopped)));
    assert!(!bench.folder.path().join("film").exists());
}

#[tokio::test]
async fn a_large_file_is_stopped_between_two_parts() {
    let bench = bench();
    let content = bytes(5, 17 * 1024 * 1024);
    let made = artifact(&bench.store, "m", &[("film.mp4", &content)]).await;
    let steps = std::sync::atomic::AtomicU64::new(0);
    let stop = CancellationToken::new();
    let on_progress = |_, _| {
        steps.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        stop.cancel();
    };
    let stopped = bench.origin.upload(&title("film"), "media", &made, |_| true, on_progress, &stop).await;
    assert!(matches!(stopped, Err(OriginError::Stopped)));
    assert_eq!(steps.into_inner(), 1, "one part of three");
    assert_eq!(files_below(bench.folder.path()), [""; 0], "not even an unfinished file");
}

#[tokio::test]
async fn what_was_there_before_a_stopped_upload_stays() {
    let bench = bench();
    let first = artifact(&bench.store, "first", &[("1", b"1")]).await;
    bench.origin.upload(&title("film"), "media", &first, |_| true, |_, _| {}, &running()).await.unwrap();
    let second = artifact(&bench.store, "second", &[("1", b"1"), ("2", b"2")]).await;
    let stopped = bench.stopped_upload(&second).await;
    assert!(matches!(stopped, OriginError::Stopped), "{stopped}");
    assert_eq!(files_below(bench.folder.path()), ["film/media/1"]);
}
