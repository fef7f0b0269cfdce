//! What is a folder's alone: leftovers that listings do not show, links, permissions, and where the files lie.

use std::os::unix::fs::symlink;

use reelfarm_artifacts::{ArtifactStore, Origin, OriginError};
use reelfarm_model::{Code, Failure};

use crate::support::{artifact, files_below, index, running, title, write};

struct Bench {
    folder: tempfile::TempDir,
    _state: tempfile::TempDir,
    store: ArtifactStore,
    origin: Origin,
}

fn bench() -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let state = tempfile::tempdir().unwrap();
    let store = ArtifactStore::open(state.path()).unwrap();
    let origin = Origin::open(folder.path().to_str().unwrap()).unwrap();
    Bench { folder, _state: state, store, origin }
}

#[tokio::test]
async fn files_lie_where_players_look_for_them() {
    let bench = bench();
    let made = artifact(&bench.store, "m", &[("v/1.m4s", b"1"), ("a+b=c@d,e~f", b"2")]).await;
    bench
        .origin
        .upload(&title("film"), "media/set/0123456789ab", &made, |_| true, |_, _| {}, &running())
        .await
        .unwrap();
    bench.origin.publish(&title("film"), Vec::new(), &index(&title("film"), vec![])).await.unwrap();
    assert_eq!(files_below(bench.folder.path()), ["film/index.json"], "what the index does not name goes");
    bench
        .origin
        .upload(&title("film"), "media/set/0123456789ab", &made, |_| true, |_, _| {}, &running())
        .await
        .unwrap();
    assert_eq!(
        files_below(bench.folder.path()),
        ["film/index.json", "film/media/set/0123456789ab/a+b=c@d,e~f", "film/media/set/0123456789ab/v/1.m4s"]
    );
    assert_eq!(fs_err::read(bench.folder.path().join("film/media/set/0123456789ab/v/1.m4s")).unwrap(), b"1");
}

#[tokio::test]
async fn a_withdrawal_leaves_no_folder_and_no_unfinished_file() {
    let bench = bench();
    let made = artifact(&bench.store, "m", &[("v/1.m4s", b"1")]).await;
    bench
        .origin
        .upload(&title("film"), "media/set/0123456789ab", &made, |_| true, |_, _| {}, &running())
        .await
        .unwrap();
    // What a process leaves that dies while it writes.
    write(bench.folder.path(), "film/media/set/0123456789ab/v/2.m4s#1", b"half");
    fs_err::create_dir_all(bench.folder.path().join("film/media/set/ba9876543210/empty")).unwrap();
    write(bench.folder.path(), "neighbour/media/1", b"1");
    assert_eq!(bench.origin.withdraw(&title("film"), &[]).await.unwrap(), 2);
    assert!(!bench.folder.path().join("film").exists());
    assert_eq!(files_below(bench.folder.path()), ["neighbour/media/1"]);
}

#[tokio::test]
async fn publishing_takes_unfinished_files_and_empty_folders_along() {
    let bench = bench();
    write(bench.folder.path(), "film/media/set/ba9876543210/1.m4s#12", b"half");
    bench.origin.publish(&title("film"), Vec::new(), &index(&title("film"), vec![])).await.unwrap();
    assert_eq!(files_below(bench.folder.path()), ["film/index.json"]);
    assert!(!bench.folder.path().join("film/media").exists());
}

#[tokio::test]
async fn no_link_leads_out_of_the_origin() {
    let bench = bench();
    let outside = tempfile::tempdir().unwrap();
    write(outside.path(), "media/1", b"precious");
    symlink(outside.path(), bench.folder.path().join("linked")).unwrap();
    write(bench.folder.path(), "film/media/set/ba9876543210/1", b"1");
    symlink(outside.path().join("media"), bench.folder.path().join("film/media/set/0123456789ab")).unwrap();
    let made = artifact(&bench.store, "m", &[("1", b"1"), ("2", b"2")]).await;

    let refused = |error: OriginError| {
        assert!(error.to_string().contains("is a symbolic link"), "{error}");
        assert_eq!(Failure::from(error).code, Code::OriginUnreachable);
    };
    for (name, media_path) in [("linked", "media"), ("film", "media/set/0123456789ab")] {
        let upload =
            bench.origin.upload(&title(name), media_path, &made, |_| true, |_, _| {}, &running()).await;
        refused(upload.unwrap_err());
    }
    refused(bench.origin.withdraw(&title("linked"), &[]).await.unwrap_err());
    refused(bench.origin.index(&title("linked")).await.unwrap_err());
    refused(bench.origin.audit(&title("linked")).await.unwrap_err());
    let empty = index(&title("linked"), vec![]);
    refused(bench.origin.publish(&title("linked"), Vec::new(), &empty).await.unwrap_err());

    // A link among the farm's files goes; what it leads to stays.
    let inside = bench.folder.path().join("film/media/set/ba9876543210/v");
    symlink(outside.path().join("media"), inside).unwrap();
    fs_err::remove_file(bench.folder.path().join("film/media/set/0123456789ab")).unwrap();
    assert_eq!(bench.origin.withdraw(&title("film"), &[]).await.unwrap(), 2);
    assert!(!bench.folder.path().join("film").exists());
    assert_eq!(fs_err::read(outside.path().join("media/1")).unwrap(), b"precious");
}

#[tokio::test]
async fn a_file_in_the_way_is_an_error_and_not_removed() {
    let bench = bench();
    write(bench.folder.path(), "film", b"a file called as the title");
    let made = artifact(&bench.store, "m", &[("1", b"1")]).await;
    let failed = bench
        .origin
        .upload(&title("film"), "media", &made, |_| true, |_, _| {}, &running())
        .await
        .unwrap_err();
    assert!(matches!(&failed, OriginError::Unreachable { .. }), "{failed}");
    assert_eq!(files_below(bench.folder.path()), ["film"]);
}

#[test]
fn an_origin_that_cannot_be_made_or_is_none_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    for (origin, expected) in [
        (format!("{path}/origin"), path),
        (path.to_owned(), path),
        ("/proc/origin".to_owned(), "/proc/origin"),
        (format!("file://{path}/origin"), path),
    ] {
        let refused = Origin::open(&origin).unwrap_err();
        assert!(matches!(&refused, OriginError::Unreachable { action: "open", .. }), "{origin}: {refused}");
        assert!(refused.to_string().contains(expected), "{refused}");
        assert_eq!(Failure::from(refused).code, Code::OriginUnreachable);
    }
    for origin in ["relative/origin", "s3://bucket", ""] {
        assert!(matches!(Origin::open(origin), Err(OriginError::Unsupported { .. })), "{origin}");
    }
}

#[tokio::test]
async fn an_origin_is_made_where_it_is_missing_and_knows_its_room() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("a b/origin");
    let url = format!("file://{}/a%20b/origin", folder.path().display());
    let origin = Origin::open(&url).unwrap();
    assert!(place.is_dir());
    assert!(origin.free_bytes().await.unwrap() > 0);
}
