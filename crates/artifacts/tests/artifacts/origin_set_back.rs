//! A publication that fails or dies half-way: the version that is online plays on, and keeps its media.

use std::path::Path;
use std::sync::Arc;

use object_store::local::LocalFileSystem;
use reelfarm_artifacts::{ArtifactStore, Origin, OriginError};
use reelfarm_model::index::Index;
use reelfarm_model::{Code, Failure};

use crate::faulty::{Fault, Faulty};
use crate::support::{artifact, files_below, index, index_file, running, title, write};

/// The files of generation 1 when it is online.
const FIRST: [&str; 5] = [
    "film/dash/manifest.mpd",
    "film/hls/master.m3u8",
    "film/hls/video.m3u8",
    "film/index.json",
    "film/media/set/111111111111/1.m4s",
];

fn open(folder: &Path) -> Origin {
    Origin::open(folder.to_str().unwrap()).unwrap()
}

fn faulty(folder: &Path, fault: Fault) -> Origin {
    Origin::over("faulty", Faulty::new(Arc::new(LocalFileSystem::new_with_prefix(folder).unwrap()), fault))
}

/// Uploads the media of a generation and makes its manifests and index.
async fn generation(origin: &Origin, number: u8, names: &[&str]) -> (Vec<(String, Vec<u8>)>, Index) {
    let state = tempfile::tempdir().unwrap();
    let store = ArtifactStore::open(state.path()).unwrap();
    let film = title("film");
    let media = artifact(&store, "media", &[("1.m4s", &[number])]).await;
    let media_path = format!("media/set/{}", number.to_string().repeat(12));
    let uploaded = origin.upload(&film, &media_path, &media, |_| true, |_, _| {}, &running()).await.unwrap();
    let manifests: Vec<_> = names
        .iter()
        .map(|name| ((*name).to_owned(), format!("{name} plays {media_path}").into_bytes()))
        .collect();
    let named = manifests.iter().map(|(path, content)| index_file(path, content));
    let files = uploaded.receipt.files.into_iter().chain(named).collect();
    (manifests, index(&film, files))
}

/// A folder with generation 1 online; answers its index.
async fn published(folder: &Path) -> Index {
    let origin = open(folder);
    let (manifests, index) =
        generation(&origin, 1, &["dash/manifest.mpd", "hls/master.m3u8", "hls/video.m3u8"]).await;
    origin.publish(&title("film"), manifests, &index).await.unwrap();
    index
}

const SECOND: [&str; 3] = ["dash/manifest.mpd", "hls/master.m3u8", "hls/new.m3u8"];

#[tokio::test]
async fn an_index_that_cannot_be_written_leaves_the_old_version_whole() {
    for end in ["index.json", "new.m3u8", "dash/manifest.mpd"] {
        let folder = tempfile::tempdir().unwrap();
        let first = published(folder.path()).await;
        let origin = open(folder.path());
        let (manifests, second) = generation(&origin, 2, &SECOND).await;
        let failed = faulty(folder.path(), Fault::Refuses(end))
            .publish(&title("film"), manifests, &second)
            .await
            .unwrap_err();
        assert!(matches!(failed, OriginError::Unreachable { action: "write", .. }), "{end}: {failed}");
        assert_eq!(Failure::from(failed).code, Code::OriginUnreachable);
        // An audit compares the MD5 of every manifest.
        assert!(origin.audit(&title("film")).await.unwrap().is_whole(), "{end}");
        assert_eq!(origin.withdraw(&title("film"), &[]).await.unwrap(), 1, "{end}: the new media");
        assert_eq!(files_below(folder.path()), FIRST, "{end}");
        assert_eq!(origin.index(&title("film")).await.unwrap().map(|(index, _)| index), Some(first));
        let dash = fs_err::read_to_string(folder.path().join(FIRST[0])).unwrap();
        assert_eq!(dash, "dash/manifest.mpd plays media/set/111111111111");
    }
}

#[tokio::test]
async fn media_that_are_not_there_leave_the_old_version_whole() {
    let folder = tempfile::tempdir().unwrap();
    published(folder.path()).await;
    let origin = open(folder.path());
    let (manifests, second) = generation(&origin, 2, &SECOND).await;
    fs_err::remove_file(folder.path().join("film/media/set/222222222222/1.m4s")).unwrap();
    let failed = origin.publish(&title("film"), manifests, &second).await.unwrap_err();
    assert!(matches!(failed, OriginError::Missing { .. }), "{failed}");
    assert!(origin.audit(&title("film")).await.unwrap().is_whole());
    assert_eq!(files_below(folder.path()), FIRST);
}

#[tokio::test]
async fn an_index_that_is_written_wrong_is_taken_back_with_its_manifests() {
    let folder = tempfile::tempdir().unwrap();
    let origin = open(folder.path());
    let (manifests, index) = generation(&origin, 1, &SECOND).await;
    let failed = faulty(folder.path(), Fault::Changes("index.json"))
        .publish(&title("film"), manifests, &index)
        .await
        .unwrap_err();
    assert!(matches!(failed, OriginError::Mismatch { .. }), "{failed}");
    assert_eq!(files_below(folder.path()), ["film/media/set/111111111111/1.m4s"], "as nothing was online");
}

#[tokio::test]
async fn what_cannot_be_set_back_is_said_and_its_media_stay() {
    let folder = tempfile::tempdir().unwrap();
    published(folder.path()).await;
    let origin = open(folder.path());
    let (manifests, second) = generation(&origin, 2, &SECOND).await;
    // Full after two manifests, so that setting them back fails as well.
    let failed = faulty(folder.path(), Fault::FullAfter(2))
        .publish(&title("film"), manifests.clone(), &second)
        .await
        .unwrap_err();
    let OriginError::NotSetBack { paths, source, .. } = &failed else { panic!("{failed}") };
    assert_eq!(paths, &["dash/manifest.mpd", "hls/master.m3u8"]);
    assert!(matches!(**source, OriginError::Full { .. }), "{source}");
    assert!(failed.to_string().contains("dash/manifest.mpd, hls/master.m3u8"), "{failed}");
    assert_eq!(Failure::from(failed).code, Code::OriginFull);

    let audit = origin.audit(&title("film")).await.unwrap();
    assert_eq!(audit.changed, ["dash/manifest.mpd", "hls/master.m3u8"]);
    assert_eq!(origin.withdraw(&title("film"), &[]).await.unwrap(), 0);
    let mut both = FIRST.map(str::to_owned).to_vec();
    both.push("film/media/set/222222222222/1.m4s".to_owned());
    assert_eq!(files_below(folder.path()), both);

    origin.publish(&title("film"), manifests, &second).await.unwrap();
    assert!(origin.audit(&title("film")).await.unwrap().is_whole(), "the next publication mends it");
}

#[tokio::test]
async fn a_withdrawal_after_a_kill_between_manifests_and_index_leaves_all_media() {
    // Other bytes of the same length, bytes of another length, or gone: none is what the index says.
    for content in [Some("dash/manifest.mpd plays media/set/222222222222"), Some("short"), None] {
        let folder = tempfile::tempdir().unwrap();
        published(folder.path()).await;
        let origin = open(folder.path());
        generation(&origin, 2, &SECOND).await;
        let manifest = folder.path().join("film/dash/manifest.mpd");
        match content {
            Some(content) => fs_err::write(manifest, content).unwrap(),
            None => fs_err::remove_file(manifest).unwrap(),
        }
        write(folder.path(), "film/hls/stray.m3u8", b"not named");
        assert_eq!(origin.withdraw(&title("film"), &["hls".to_owned()]).await.unwrap(), 1, "only the stray");
        for media in ["film/media/set/111111111111/1.m4s", "film/media/set/222222222222/1.m4s"] {
            assert!(folder.path().join(media).exists(), "{media}");
        }
    }
}
