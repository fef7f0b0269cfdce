//! Origins that fail: full, unwritable, or keeping something else than they were sent.

use std::path::Path;
use std::sync::Arc;

use object_store::local::LocalFileSystem;
use reelfarm_artifacts::{ArtifactStore, Origin, OriginError};
use reelfarm_model::{Code, Failure};

use crate::faulty::{Fault, Faulty};
use crate::support::{artifact, bytes, files_below, index, index_file, running, title};

fn open(folder: &Path, fault: Fault) -> Origin {
    Origin::over("faulty", Faulty::new(Arc::new(LocalFileSystem::new_with_prefix(folder).unwrap()), fault))
}

struct Folders {
    origin: tempfile::TempDir,
    _state: tempfile::TempDir,
    store: ArtifactStore,
}

fn folders() -> Folders {
    let state = tempfile::tempdir().unwrap();
    let store = ArtifactStore::open(state.path()).unwrap();
    Folders { origin: tempfile::tempdir().unwrap(), _state: state, store }
}

/// Uploads ten files to an origin with a fault; answers the error, and what is left.
async fn failing_upload(fault: Fault) -> (OriginError, Vec<String>) {
    let folders = folders();
    let content: Vec<_> = (0..10).map(|seed| bytes(seed, 5_000)).collect();
    let names: Vec<_> = (0..10).map(|number| format!("v/{number}.m4s")).collect();
    let files: Vec<_> =
        names.iter().zip(&content).map(|(name, content)| (name.as_str(), &content[..])).collect();
    let made = artifact(&folders.store, "m", &files).await;
    let origin = open(folders.origin.path(), fault);
    let failed =
        origin.upload(&title("film"), "media", &made, |_| true, |_, _| {}, &running()).await.unwrap_err();
    (failed, files_below(folders.origin.path()))
}

#[tokio::test]
async fn a_changed_byte_is_found_and_everything_is_taken_back() {
    for (fault, length) in [(Fault::Changes("7.m4s"), "changed"), (Fault::Cuts("7.m4s"), "cut")] {
        let (failed, left) = failing_upload(fault).await;
        let OriginError::Mismatch { path, sent, found, .. } = &failed else { panic!("{length}: {failed}") };
        assert_eq!(path, "film/media/v/7.m4s", "{length}");
        assert_ne!(sent, found, "{length}");
        assert_eq!(left, [""; 0], "{length}");
        assert_eq!(Failure::from(failed).code, Code::OriginMismatch);
    }
}

#[tokio::test]
async fn a_full_origin_is_named_and_everything_is_taken_back() {
    for files in [0, 1, 5, 9] {
        let (failed, left) = failing_upload(Fault::FullAfter(files)).await;
        assert!(matches!(failed, OriginError::Full { .. }), "{failed}");
        assert!(failed.to_string().contains("No space left on device"), "{failed}");
        assert_eq!(left, [""; 0], "after {files}");
        assert_eq!(Failure::from(failed).code, Code::OriginFull);
    }
}

#[tokio::test]
async fn a_refused_write_is_unreachable() {
    let (failed, left) = failing_upload(Fault::Refuses("3.m4s")).await;
    assert!(
        matches!(&failed, OriginError::Unreachable { action: "write", path, .. } if path == "film/media/v/3.m4s")
    );
    assert_eq!(left, [""; 0]);
    assert_eq!(Failure::from(failed).code, Code::OriginUnreachable);
}

#[tokio::test]
async fn what_was_there_before_a_failed_upload_stays() {
    let folders = folders();
    let whole = Origin::open(folders.origin.path().to_str().unwrap()).unwrap();
    let first = artifact(&folders.store, "first", &[("1", b"1"), ("2", b"2")]).await;
    whole.upload(&title("film"), "media", &first, |_| true, |_, _| {}, &running()).await.unwrap();
    let second = artifact(&folders.store, "second", &[("1", b"1"), ("2", b"2"), ("3", b"3")]).await;
    let faulty = open(folders.origin.path(), Fault::Changes("3"));
    faulty.upload(&title("film"), "media", &second, |_| true, |_, _| {}, &running()).await.unwrap_err();
    assert_eq!(files_below(folders.origin.path()), ["film/media/1", "film/media/2"]);
}

#[tokio::test]
async fn a_publication_that_fails_leaves_the_old_one_in_force() {
    let folders = folders();
    let film = title("film");
    let whole = Origin::open(folders.origin.path().to_str().unwrap()).unwrap();
    let old = index(&film, vec![index_file("a.mpd", b"a"), index_file("b.mpd", b"b")]);
    let manifests =
        |a: &[u8], b: &[u8]| vec![("a.mpd".to_owned(), a.to_vec()), ("b.mpd".to_owned(), b.to_vec())];
    whole.publish(&film, manifests(b"a", b"b"), &old).await.unwrap();
    let before = whole.index(&film).await.unwrap();
    let new = index(&film, vec![index_file("a.mpd", b"a"), index_file("b.mpd", b"B")]);
    for (fault, code) in [
        (Fault::FullAfter(0), Code::OriginFull),
        (Fault::FullAfter(1), Code::OriginFull),
        (Fault::FullAfter(2), Code::OriginFull),
        (Fault::Refuses("b.mpd"), Code::OriginUnreachable),
        (Fault::Changes("b.mpd"), Code::OriginMismatch),
        (Fault::Refuses("index.json"), Code::OriginUnreachable),
    ] {
        let failed =
            open(folders.origin.path(), fault).publish(&film, manifests(b"a", b"B"), &new).await.unwrap_err();
        assert_eq!(Failure::from(failed).code, code);
        assert_eq!(whole.index(&film).await.unwrap(), before);
    }
    whole.publish(&film, manifests(b"a", b"B"), &new).await.unwrap();
    assert_eq!(whole.index(&film).await.unwrap().map(|(index, _)| index), Some(new));
}
