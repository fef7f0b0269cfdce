//! An origin in which others keep files, even under the title's name: theirs stay, the farm's go.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use object_store::local::LocalFileSystem;
use reelfarm_artifacts::{ArtifactStore, Origin};
use reelfarm_model::index::IndexProfile;
use reelfarm_model::profile::{Container, MediaSetId};
use reelfarm_model::{Digest, TitleId};

use crate::faulty::{Fault, Faulty};
use crate::support::{artifact, files_below, index, index_file, running, title, write};

const FOREIGN: [&str; 6] = [
    "alien/alien.mov",
    "alien/extras/making-of.mov",
    "alien/extras/poster.jpg#1",
    "alien/media/alien.mov",
    "alien/media/set/0123456789AB/1.m4s",
    "alien/media/set/notes.txt",
];
const PROFILE: &str = "dash-clr-2s";

/// A folder with other people's files, and origins in it: the folder itself, and an object store over it.
fn origins() -> Vec<(tempfile::TempDir, Origin)> {
    let with_files = || {
        let folder = tempfile::tempdir().unwrap();
        for path in FOREIGN {
            write(folder.path(), path, path.as_bytes());
        }
        folder
    };
    let (first, second) = (with_files(), with_files());
    let folder = Origin::open(first.path().to_str().unwrap()).unwrap();
    let raw = LocalFileSystem::new_with_prefix(second.path()).unwrap();
    vec![(first, folder), (second, Origin::over("object store", Arc::new(raw)))]
}

async fn upload(origin: &Origin, alien: &TitleId, set: &str) -> Vec<reelfarm_model::index::IndexFile> {
    let state = tempfile::tempdir().unwrap();
    let store = ArtifactStore::open(state.path()).unwrap();
    let media = artifact(&store, set, &[("v/1.m4s", set.as_bytes())]).await;
    let media_path = format!("media/set/{set}");
    origin.upload(alien, &media_path, &media, |_| true, |_, _| {}, &running()).await.unwrap().receipt.files
}

/// Publishes a title of one media set, one profile and these manifests of it.
async fn publish(origin: &Origin, alien: &TitleId, set: &str, profile: &str, manifests: &[&str]) {
    let mut files = upload(origin, alien, set).await;
    let manifests: Vec<_> = manifests
        .iter()
        .map(|name| (format!("{profile}/{name}"), format!("{name} of {set}").into_bytes()))
        .collect();
    files.extend(manifests.iter().map(|(path, content)| index_file(path, content)));
    let mut index = index(alien, files);
    index.profiles = vec![IndexProfile {
        id: profile.to_owned(),
        manifest: manifests[0].0.clone(),
        container: Container::Dash,
        drm: Vec::new(),
        scheme: None,
        segment_seconds: Some(2),
        media_set: MediaSetId("set".to_owned()),
        media_path: format!("media/set/{set}"),
        subtitles: Vec::new(),
        notes: Vec::new(),
        verification: Digest::of(b"report"),
    }];
    origin.publish(alien, manifests, &index).await.unwrap();
}

fn ours(folder: &Path) -> Vec<String> {
    let mut files = files_below(folder);
    for path in FOREIGN {
        assert_eq!(fs_err::read(folder.join(path)).unwrap(), path.as_bytes(), "{path} is untouched");
        files.retain(|file| file != path);
    }
    files
}

#[tokio::test]
async fn files_of_others_survive_publication_and_withdrawal() {
    for (folder, origin) in origins() {
        let alien = title("alien");
        publish(&origin, &alien, "111111111111", PROFILE, &["manifest.mpd", "old.mpd"]).await;
        assert_eq!(
            ours(folder.path()),
            [
                "alien/dash-clr-2s/manifest.mpd",
                "alien/dash-clr-2s/old.mpd",
                "alien/index.json",
                "alien/media/set/111111111111/v/1.m4s"
            ]
        );
        publish(&origin, &alien, "222222222222", PROFILE, &["manifest.mpd"]).await;
        let second =
            ["alien/dash-clr-2s/manifest.mpd", "alien/index.json", "alien/media/set/222222222222/v/1.m4s"];
        assert_eq!(ours(folder.path()), second);

        upload(&origin, &alien, "333333333333").await;
        write(folder.path(), "alien/hls-clr-6s/master.m3u8", b"half a generation");
        assert_eq!(origin.withdraw(&alien, &["hls-clr-6s".to_owned()]).await.unwrap(), 2);
        assert_eq!(ours(folder.path()), second, "what is published stays");

        fs_err::remove_file(folder.path().join("alien/index.json")).unwrap();
        assert_eq!(origin.withdraw(&alien, &[PROFILE.to_owned()]).await.unwrap(), 2);
        assert_eq!(ours(folder.path()), [""; 0]);
        assert_eq!(origin.withdraw(&alien, &[PROFILE.to_owned()]).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_profile_that_a_title_has_no_more_goes_with_the_next_publication() {
    for (folder, origin) in origins() {
        let alien = title("alien");
        publish(&origin, &alien, "111111111111", "hls-clr-6s", &["master.m3u8"]).await;
        write(folder.path(), "alien/hls-clr-6s/stray.m3u8", b"named by no index");
        publish(&origin, &alien, "111111111111", PROFILE, &["manifest.mpd"]).await;
        assert_eq!(
            ours(folder.path()),
            ["alien/dash-clr-2s/manifest.mpd", "alien/index.json", "alien/media/set/111111111111/v/1.m4s"]
        );
    }
}

#[tokio::test]
async fn a_profile_that_is_not_named_is_not_withdrawn() {
    for (folder, origin) in origins() {
        write(folder.path(), "alien/dash-clr-2s/manifest.mpd", b"whose?");
        assert_eq!(origin.withdraw(&title("alien"), &["hls-clr-6s".to_owned()]).await.unwrap(), 0);
        assert_eq!(ours(folder.path()), ["alien/dash-clr-2s/manifest.mpd"]);
    }
}

#[tokio::test]
async fn links_and_empty_folders_of_others_stay() {
    let (folder, origin) = origins().remove(0);
    let link = folder.path().join("alien/media/linked.mov");
    symlink(folder.path().join("alien/alien.mov"), &link).unwrap();
    let empty = folder.path().join("alien/subtitles");
    fs_err::create_dir(&empty).unwrap();
    let alien = title("alien");
    upload(&origin, &alien, "111111111111").await;
    assert_eq!(origin.withdraw(&alien, &[]).await.unwrap(), 1);
    assert!(link.is_symlink() && empty.is_dir());
    assert!(!folder.path().join("alien/media/set/111111111111").exists());
    assert_eq!(ours(folder.path()), ["alien/media/linked.mov"]);
}

/// The files of a title whose profile was replaced by another, where the removal of the old one was cut off.
async fn cut_off_after_the_index(folder: &Path, origin: &Origin) {
    let alien = title("alien");
    publish(origin, &alien, "111111111111", "hls-clr-6s", &["master.m3u8"]).await;
    let raw = Arc::new(LocalFileSystem::new_with_prefix(folder).unwrap());
    let keeps = Origin::over("faulty", Faulty::new(raw, Fault::Keeps));
    publish(&keeps, &alien, "222222222222", PROFILE, &["manifest.mpd"]).await;
    assert!(ours(folder).contains(&"alien/hls-clr-6s/master.m3u8".to_owned()));
}

#[tokio::test]
async fn what_a_publication_could_not_remove_goes_with_the_next_one_or_with_a_withdrawal() {
    let online =
        ["alien/dash-clr-2s/manifest.mpd", "alien/index.json", "alien/media/set/222222222222/v/1.m4s"];
    for (folder, origin) in origins() {
        cut_off_after_the_index(folder.path(), &origin).await;
        publish(&origin, &title("alien"), "222222222222", PROFILE, &["manifest.mpd"]).await;
        assert_eq!(ours(folder.path()), online);
    }
    for (folder, origin) in origins() {
        cut_off_after_the_index(folder.path(), &origin).await;
        assert_eq!(origin.withdraw(&title("alien"), &[PROFILE.to_owned()]).await.unwrap(), 2);
        assert_eq!(ours(folder.path()), online);
    }
}

#[tokio::test]
async fn a_note_of_somebody_elses_is_left_alone() {
    for (folder, origin) in origins() {
        let alien = title("alien");
        write(folder.path(), "alien/superseded.json", b"not the farm's");
        publish(&origin, &alien, "111111111111", "hls-clr-6s", &["master.m3u8"]).await;
        publish(&origin, &alien, "111111111111", PROFILE, &["manifest.mpd"]).await;
        assert_eq!(fs_err::read(folder.path().join("alien/superseded.json")).unwrap(), b"not the farm's");
        assert!(!folder.path().join("alien/hls-clr-6s/master.m3u8").exists());
    }
}
