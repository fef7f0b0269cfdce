//! Artifacts: staging, take-over, damage and removal.

use std::os::unix::fs::symlink;

use crate::support::{artifact, bytes, fence, files_below, key, write};
use reelfarm_artifacts::{Artifact, ArtifactError, ArtifactStore};
use reelfarm_model::{Code, Failure};

fn open() -> (tempfile::TempDir, ArtifactStore) {
    let state = tempfile::tempdir().unwrap();
    let store = ArtifactStore::open(state.path()).unwrap();
    (state, store)
}

fn in_staging(state: &tempfile::TempDir) -> usize {
    fs_err::read_dir(state.path().join("staging")).unwrap().count()
}

#[tokio::test]
async fn what_is_taken_over_is_found_again_with_its_digests() {
    let (state, store) = open();
    let long = bytes(1, 700_000);
    let made = artifact(&store, "a", &[("b/c/d.bin", &long), ("a.txt", b"abc"), ("empty", b"")]).await;

    let listed: Vec<_> = made.files.iter().map(|file| (file.path.as_str(), file.size)).collect();
    assert_eq!(listed, [("a.txt", 3), ("b/c/d.bin", 700_000), ("empty", 0)]);
    // The digests of "abc" in FIPS 180-2 B.1 and RFC 1321 A.5.
    assert_eq!(
        made.files[0].sha256.to_string(),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    assert_eq!(made.files[0].md5, "900150983cd24fb0d6963f7d28e17f72");
    assert_eq!(made.record.size, 700_003);
    assert_eq!(fs_err::read(made.path_of(&made.files[1])).unwrap(), long);

    let reopened = ArtifactStore::open(state.path()).unwrap();
    assert_eq!(reopened.get(key("a")).await.unwrap(), Some(made));
    assert_eq!(reopened.get(key("b")).await.unwrap(), None);
    assert_eq!(in_staging(&state), 0);
}

#[tokio::test]
async fn the_record_depends_on_the_files_alone() {
    let (_state, store) = open();
    let one = artifact(&store, "one", &[("a", b"1"), ("b", b"2")]).await;
    let same = artifact(&store, "same", &[("b", b"2"), ("a", b"1")]).await;
    let swapped = artifact(&store, "swapped", &[("a", b"2"), ("b", b"1")]).await;
    assert_eq!(one.record.digest, same.record.digest);
    assert_ne!(one.record.digest, swapped.record.digest);
}

#[tokio::test]
async fn several_outputs_leave_one_staging_folder() {
    let (state, store) = open();
    let staging = store.staging(&fence("t")).unwrap();
    for name in ["v1080", "v720"] {
        write(&staging.path().join(name), "video.mp4", name.as_bytes());
        store.take_over(key(name), &staging.path().join(name)).await.unwrap();
    }
    write(staging.path(), "scratch/log", b"x");
    drop(staging);
    assert_eq!(in_staging(&state), 0);
    assert!(store.get(key("v1080")).await.unwrap().is_some());
    assert!(store.get(key("v720")).await.unwrap().is_some());
}

#[tokio::test]
async fn the_staging_folder_itself_may_become_the_artifact() {
    let (state, store) = open();
    let staging = store.staging(&fence("t")).unwrap();
    write(staging.path(), "f", b"x");
    store.take_over(key("a"), staging.path()).await.unwrap();
    drop(staging);
    assert_eq!(in_staging(&state), 0);
    assert!(store.get(key("a")).await.unwrap().is_some());
}

#[tokio::test]
async fn the_same_attempt_delivered_twice_gets_two_folders() {
    let (state, store) = open();
    let first = store.staging(&fence("t")).unwrap();
    let second = store.staging(&fence("t")).unwrap();
    assert_ne!(first.path(), second.path());
    write(first.path(), "f", b"x");
    first.discard().await.unwrap();
    assert!(second.path().is_dir());
    drop(second);
    assert_eq!(in_staging(&state), 0);
}

#[tokio::test]
async fn the_first_of_two_equal_artifacts_stays() {
    let (_state, store) = open();
    let first = artifact(&store, "a", &[("f", b"first")]).await;
    let staging = store.staging(&fence("a")).unwrap();
    let folder = staging.path().join("out");
    write(&folder, "f", b"second");
    assert_eq!(store.take_over(key("a"), &folder).await.unwrap(), first);
    assert!(!folder.exists());
    assert_eq!(fs_err::read(first.path_of(&first.files[0])).unwrap(), b"first");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn attempts_that_take_over_at_the_same_time_agree() {
    let (state, store) = open();
    for round in 0..10 {
        let name = format!("round-{round}");
        let takers: Vec<_> = (0..8_u8)
            .map(|number| {
                let (store, name) = (store.clone(), name.clone());
                tokio::spawn(async move { artifact(&store, &name, &[("f", &[number])]).await })
            })
            .collect();
        let mut answers: Vec<Artifact> = Vec::new();
        for taker in takers {
            answers.push(taker.await.unwrap());
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]));
        assert_eq!(store.get(key(&name)).await.unwrap().as_ref(), Some(&answers[0]));
    }
    assert_eq!(in_staging(&state), 0);
}

#[tokio::test]
async fn folders_that_are_not_plain_are_refused() {
    let (state, store) = open();
    let staging = store.staging(&fence("t")).unwrap();
    let case = |name: &str| {
        let folder = staging.path().join(name);
        fs_err::create_dir_all(folder.join("inner")).unwrap();
        folder
    };
    let empty = case("empty");
    let linked = case("linked");
    write(&linked, "f", b"x");
    symlink("/etc/passwd", linked.join("inner/passwd")).unwrap();
    let taken = case("taken");
    write(&taken, "artifact.json", b"{}");
    let outside = tempfile::tempdir().unwrap();
    write(outside.path(), "f", b"x");
    symlink(outside.path(), staging.path().join("way-out")).unwrap();

    for folder in [
        empty,
        linked,
        taken,
        outside.path().to_owned(),
        staging.path().join("way-out"),
        state.path().join("staging"),
    ] {
        let refused = store.take_over(key("a"), &folder).await.unwrap_err();
        assert!(matches!(refused, ArtifactError::Unfit { .. }), "{refused}");
        assert_eq!(Failure::from(refused).code, Code::Internal);
    }
    assert_eq!(store.get(key("a")).await.unwrap(), None);
    assert!(outside.path().join("f").exists());
}

#[tokio::test]
async fn a_damaged_artifact_is_set_aside_and_can_be_made_again() {
    type Damage = fn(&std::path::Path);
    let damages: [(&str, Damage); 6] = [
        ("a file is missing", |folder| fs_err::remove_file(folder.join("d/f")).unwrap()),
        ("a file is cut", |folder| fs_err::write(folder.join("d/f"), b"12").unwrap()),
        ("a folder is a file", |folder| {
            fs_err::remove_dir_all(folder.join("d")).unwrap();
            fs_err::write(folder.join("d"), b"").unwrap();
        }),
        ("the list is missing", |folder| fs_err::remove_file(folder.join("artifact.json")).unwrap()),
        ("the list is cut", |folder| fs_err::write(folder.join("artifact.json"), b"{\"schema\":").unwrap()),
        ("the list was edited", |folder| {
            let list = folder.join("artifact.json");
            let text = fs_err::read_to_string(&list).unwrap().replace("\"size\": 4", "\"size\": 5");
            fs_err::write(list, text).unwrap();
        }),
    ];
    for (damage, harm) in damages {
        let (state, store) = open();
        let made = artifact(&store, "a", &[("d/f", b"1234")]).await;
        harm(&made.folder);
        assert_eq!(store.get(key("a")).await.unwrap(), None, "{damage}");
        assert!(!made.folder.exists(), "{damage}");
        assert_eq!(in_staging(&state), 1, "{damage}: kept for who wants to look");
        assert_eq!(artifact(&store, "a", &[("d/f", b"1234")]).await, made, "{damage}");
        assert_eq!(store.sweep_staging().await.unwrap(), 1, "{damage}");
    }
}

#[tokio::test]
async fn changed_bytes_are_found_by_who_reads_them_and_the_artifact_can_be_made_again() {
    let content = bytes(3, 600_000);
    // A bit in the first block, in the last, and in a file that is not the first.
    for (file, place) in [("a", 0), ("a", 599_999), ("b/c", 300_000)] {
        let (state, store) = open();
        let made = artifact(&store, "m", &[("a", &content), ("b/c", &content), ("empty", b"")]).await;
        assert_eq!(store.get_intact(key("m")).await.unwrap().as_ref(), Some(&made));
        let mut changed = content.clone();
        changed[place] ^= 1;
        fs_err::write(made.folder.join(file), changed).unwrap();
        assert_eq!(store.get(key("m")).await.unwrap().as_ref(), Some(&made), "of the size that it had");
        assert_eq!(store.get_intact(key("m")).await.unwrap(), None, "{file} at {place}");
        assert_eq!(store.get(key("m")).await.unwrap(), None);
        assert_eq!(in_staging(&state), 1, "kept for who wants to look");
        let again = artifact(&store, "m", &[("a", &content), ("b/c", &content), ("empty", b"")]).await;
        assert_eq!(store.get_intact(key("m")).await.unwrap(), Some(again));
    }
    let (_state, store) = open();
    assert_eq!(store.get_intact(key("none")).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_made_anew_is_not_set_aside_by_who_saw_the_damage_before() {
    let (_state, store) = open();
    let content = bytes(4, 400_000);
    for round in 0..30 {
        let name = format!("round-{round}");
        let made = artifact(&store, &name, &[("f", &content)]).await;
        fs_err::write(made.folder.join("f"), bytes(5, 400_000)).unwrap();
        let makers: Vec<_> = (0..8)
            .map(|_| {
                let (store, name, content) = (store.clone(), name.clone(), content.clone());
                tokio::spawn(async move {
                    if store.get_intact(key(&name)).await.unwrap().is_none() {
                        artifact(&store, &name, &[("f", &content)]).await;
                    }
                    store.get_intact(key(&name)).await.unwrap()
                })
            })
            .collect();
        for maker in makers {
            assert_eq!(maker.await.unwrap().as_ref(), Some(&made), "made by one, it stays for all");
        }
    }
}

#[tokio::test]
async fn a_damaged_artifact_gives_way_to_a_take_over() {
    let (_state, store) = open();
    let made = artifact(&store, "a", &[("f", b"1234")]).await;
    fs_err::remove_file(made.folder.join("f")).unwrap();
    assert_eq!(artifact(&store, "a", &[("f", b"1234")]).await, made);
    assert_eq!(fs_err::read(made.folder.join("f")).unwrap(), b"1234");
}

#[tokio::test]
async fn what_is_removed_is_gone_and_may_be_removed_again() {
    let (state, store) = open();
    let made = artifact(&store, "a", &[("f", b"x")]).await;
    for _ in 0..2 {
        store.remove(key("a")).await.unwrap();
        assert!(!made.folder.exists());
        assert_eq!(store.get(key("a")).await.unwrap(), None);
        assert_eq!(in_staging(&state), 0);
    }
}

#[tokio::test]
async fn sweeping_takes_what_a_dead_process_left_and_no_artifact() {
    let (state, store) = open();
    artifact(&store, "a", &[("f", b"x")]).await;
    for name in ["left-1", "left-2"] {
        write(&state.path().join("staging").join(name), "deep/er/f", b"x");
    }
    write(&state.path().join("staging"), "stray", b"x");
    assert_eq!(store.sweep_staging().await.unwrap(), 3);
    assert_eq!(store.sweep_staging().await.unwrap(), 0);
    assert!(store.get(key("a")).await.unwrap().is_some());
    assert_eq!(files_below(&state.path().join("artifacts")).len(), 2);
}

#[test]
fn a_state_folder_that_cannot_be_made_is_an_error_of_the_state() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = ArtifactStore::open(&file.path().join("state")).unwrap_err();
    assert!(error.to_string().contains(file.path().to_str().unwrap()), "{error}");
    assert_eq!(Failure::from(error).code, Code::StateUnreachable);
}

#[test]
fn a_full_disk_is_told_from_other_errors() {
    use std::io::Write as _;
    // The one file on every Linux that is always full.
    let full = fs_err::OpenOptions::new().write(true).open("/dev/full").unwrap().write_all(b"x").unwrap_err();
    let failure = Failure::from(ArtifactError::from(full));
    assert_eq!(failure.code, Code::DiskFull);
    assert!(failure.message.contains("/dev/full"), "{failure}");
}

#[tokio::test]
async fn the_json_of_an_artifact_is_read_or_the_artifact_is_damaged() {
    let (_state, store) = open();
    let made = artifact(&store, "a", &[("good.json", b"[1, 2]"), ("bad.json", b"[1, 2")]).await;
    assert_eq!(made.read_json::<Vec<u32>>("good.json").await.unwrap(), [1, 2]);
    for file in ["bad.json", "missing.json"] {
        let failure = made.read_json::<Vec<u32>>(file).await.unwrap_err();
        assert_eq!(failure.code, Code::ArtifactMissing);
        assert!(failure.message.contains(file), "{failure}");
    }
}
