//! What a store of artifacts promises, whatever its form. Each case runs on a folder, on a folder that several processes
//! share, and on a bucket of a real server.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use futures::TryStreamExt as _;
use object_store::{ObjectStore as _, ObjectStoreExt as _, PutPayload};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use reelfarm_artifacts::{Artifact, ArtifactError, ArtifactStore, Collection};
use reelfarm_model::{ArtifactKey, Code, Failure};
use reelfarm_test_servers::s3::{self, S3Server};

use crate::bucket::{raw, store};
use crate::support::{artifact, bytes, fence, key, write};

macro_rules! cases {
    ($($case:ident,)*) => {
        mod in_a_folder {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(&super::Bench::folder(false)).await;
            })*
        }

        mod in_a_shared_folder {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(&super::Bench::folder(true)).await;
            })*
        }

        mod in_a_bucket {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(&super::Bench::bucket().await).await;
            })*
        }
    };
}

cases![
    what_one_host_makes_another_finds_with_its_digests,
    the_first_of_two_equal_artifacts_stays,
    hosts_that_take_over_at_the_same_time_agree,
    folders_that_are_not_plain_are_refused,
    an_artifact_in_use_survives_its_removal_or_is_gone_whole,
    damaged_artifacts_are_not_given_out_and_can_be_made_again,
    a_collection_takes_what_is_old_and_not_referenced,
    a_collection_leaves_what_is_young,
    what_a_dead_attempt_left_in_staging_is_swept,
    any_history_agrees_with_a_map,
];

enum Place {
    Folder { shared: bool },
    Bucket(Box<S3Server>),
}

/// A place for artifacts, and hosts that use it.
struct Bench {
    place: Place,
    folder: tempfile::TempDir,
}

impl Bench {
    fn folder(shared: bool) -> Self {
        Self { place: Place::Folder { shared }, folder: tempfile::tempdir().unwrap() }
    }

    async fn bucket() -> Self {
        let server = S3Server::start().await.unwrap();
        Self { place: Place::Bucket(Box::new(server)), folder: tempfile::tempdir().unwrap() }
    }

    /// The store as a host sees it. Where only one process may use the place there is one host.
    fn host(&self, name: &str) -> ArtifactStore {
        match &self.place {
            Place::Folder { shared: false } => ArtifactStore::open(self.folder.path()).unwrap(),
            Place::Folder { shared: true } => ArtifactStore::open_shared(self.folder.path()).unwrap(),
            Place::Bucket(server) => store(&server.endpoint(), &self.folder.path().join(name)),
        }
    }

    fn staging(&self, host: &str) -> PathBuf {
        match &self.place {
            Place::Folder { .. } => self.folder.path().join("staging"),
            Place::Bucket(_) => self.folder.path().join(host).join("staging"),
        }
    }

    /// Changes what the place itself keeps of an artifact.
    async fn harm(&self, artifact: &Artifact, harm: Harm) {
        match &self.place {
            Place::Folder { .. } => {
                let kept = self.folder.path().join("artifacts").join(artifact.key.to_string());
                let (file, list) = (kept.join("d/f"), kept.join("artifact.json"));
                match harm {
                    Harm::ChangeBytes => {
                        let mut content = fs_err::read(&file).unwrap();
                        *content.last_mut().unwrap() ^= 1;
                        fs_err::write(file, content).unwrap();
                    }
                    Harm::CutBytes => fs_err::write(file, b"").unwrap(),
                    Harm::RemoveBytes => fs_err::remove_file(file).unwrap(),
                    Harm::CutList => fs_err::write(list, b"{\"schema\":").unwrap(),
                }
            }
            Place::Bucket(server) => {
                let raw = raw(&server.endpoint(), s3::BUCKET);
                let all: Vec<_> = raw.list(None).try_collect().await.unwrap();
                let part = match harm {
                    Harm::CutList => format!("artifacts/{}.json", artifact.key),
                    _ => format!("data/{}/", artifact.key),
                };
                let at = all
                    .into_iter()
                    .map(|object| object.location)
                    .find(|at| at.as_ref().contains(&part))
                    .unwrap();
                let mut content = raw.get(&at).await.unwrap().bytes().await.unwrap().to_vec();
                match harm {
                    Harm::ChangeBytes => *content.last_mut().unwrap() ^= 1,
                    Harm::CutBytes | Harm::CutList => content.truncate(content.len() / 2),
                    Harm::RemoveBytes => return raw.delete(&at).await.unwrap(),
                }
                raw.put(&at, PutPayload::from(content)).await.unwrap();
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Harm {
    ChangeBytes,
    CutBytes,
    RemoveBytes,
    CutList,
}

fn content(artifact: &Artifact) -> BTreeMap<String, Vec<u8>> {
    let read = |file| {
        (format!("{}", artifact.path_of(file).display()), fs_err::read(artifact.path_of(file)).unwrap())
    };
    let from_folder = |(path, bytes): (String, Vec<u8>)| {
        (path.strip_prefix(&format!("{}/", artifact.folder.display())).unwrap().to_owned(), bytes)
    };
    artifact.files.iter().map(read).map(from_folder).collect()
}

async fn what_one_host_makes_another_finds_with_its_digests(bench: &Bench) {
    let (one, two) = (bench.host("one"), bench.host("two"));
    let long = bytes(1, 9_000_000);
    let made =
        artifact(&one, "a", &[("b/c/d.bin", &long), ("a#1 b.txt", b"abc"), ("empty", b""), ("z", b"")]).await;
    let found = two.get(key("a")).await.unwrap().unwrap();
    assert_eq!((&found.record, &found.files), (&made.record, &made.files));
    assert_eq!(content(&found), content(&made));
    assert_eq!(content(&found)["b/c/d.bin"], long);
    // The digest of "abc" in FIPS 180-2 B.1.
    let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(found.files[0].sha256.to_string(), digest);
    assert_eq!(two.find(key("a")).await.unwrap(), Some(made.record.clone()));
    assert_eq!(two.get_intact(key("a")).await.unwrap().unwrap().record, made.record);
    let all =
        two.find_all((0..50).map(|number| key(&format!("none-{number}"))).chain([key("a")])).await.unwrap();
    assert_eq!(all.into_iter().collect::<Vec<_>>(), [(key("a"), made.record.clone())]);
    for store in [&one, &two] {
        assert_eq!(store.find(key("b")).await.unwrap(), None);
        assert_eq!(store.get(key("b")).await.unwrap(), None);
        assert_eq!(store.get_intact(key("b")).await.unwrap(), None);
    }
    let nothing = artifact(&two, "nothing", &[("empty", b"")]).await;
    assert_eq!(content(&one.get(key("nothing")).await.unwrap().unwrap()), content(&nothing));
}

async fn the_first_of_two_equal_artifacts_stays(bench: &Bench) {
    let (one, two) = (bench.host("one"), bench.host("two"));
    let first = artifact(&one, "a", &[("f", b"first")]).await;
    let staging = two.staging(&fence("a")).unwrap();
    write(&staging.path().join("out"), "f", b"second");
    let second = two.take_over(key("a"), &staging.path().join("out")).await.unwrap();
    assert_eq!((second.record.clone(), content(&second)["f"].as_slice()), (first.record, &b"first"[..]));
    assert!(!staging.path().join("out").exists());
}

async fn hosts_that_take_over_at_the_same_time_agree(bench: &Bench) {
    let hosts = [bench.host("one"), bench.host("two"), bench.host("three")];
    for (round, is_same) in [(0, false), (1, true), (2, false)] {
        let name = format!("round-{round}");
        let takers: Vec<_> = (0..9_u8)
            .map(|number| {
                let (store, name) = (hosts[usize::from(number) % 3].clone(), name.clone());
                let content = if is_same { 7 } else { number };
                tokio::spawn(async move { artifact(&store, &name, &[("f", &[content])]).await })
            })
            .collect();
        let mut answers = Vec::new();
        for taker in takers {
            answers.push(taker.await.unwrap());
        }
        for answer in &answers {
            assert_eq!(answer.record, answers[0].record);
            assert_eq!(content(answer), content(&answers[0]));
        }
        assert_eq!(hosts[0].find(key(&name)).await.unwrap().as_ref(), Some(&answers[0].record));
    }
    let all = (0..3).map(|round| key(&format!("round-{round}"))).collect();
    let left = hosts[0].collect(&all, Duration::ZERO, true).await.unwrap();
    assert_eq!(left, Collection::default(), "who came later left nothing");
}

async fn folders_that_are_not_plain_are_refused(bench: &Bench) {
    let store = bench.host("one");
    let staging = store.staging(&fence("t")).unwrap();
    let case = |name: &str| {
        let folder = staging.path().join(name);
        fs_err::create_dir_all(folder.join("inner")).unwrap();
        folder
    };
    let (empty, linked, taken) = (case("empty"), case("linked"), case("taken"));
    write(&linked, "f", b"x");
    std::os::unix::fs::symlink("/etc/passwd", linked.join("inner/passwd")).unwrap();
    write(&taken, "artifact.json", b"{}");
    let outside = tempfile::tempdir().unwrap();
    write(outside.path(), "f", b"x");
    for folder in [empty, linked, taken, outside.path().to_owned(), bench.staging("one")] {
        let refused = store.take_over(key("a"), &folder).await.unwrap_err();
        assert!(matches!(refused, ArtifactError::Unfit { .. }), "{refused}");
        assert_eq!(Failure::from(refused).code, Code::Internal);
    }
    assert_eq!(store.find(key("a")).await.unwrap(), None);
    assert!(outside.path().join("f").exists());
}

async fn an_artifact_in_use_survives_its_removal_or_is_gone_whole(bench: &Bench) {
    let (one, two) = (bench.host("one"), bench.host("two"));
    let made = artifact(&one, "a", &[("f", b"x"), ("g", b"y")]).await;
    let used = two.get(key("a")).await.unwrap().unwrap();
    for _ in 0..2 {
        one.remove(key("a")).await.unwrap();
        for store in [&one, &two] {
            assert_eq!(store.find(key("a")).await.unwrap(), None);
            assert_eq!(store.get(key("a")).await.unwrap(), None);
        }
    }
    for artifact in [&made, &used] {
        let there = artifact.files.iter().filter(|file| artifact.path_of(file).exists()).count();
        assert!([0, 2].contains(&there), "{there}");
    }
    let again = artifact(&two, "a", &[("f", b"z")]).await;
    assert_eq!(one.get(key("a")).await.unwrap().unwrap().record, again.record);
}

async fn damaged_artifacts_are_not_given_out_and_can_be_made_again(bench: &Bench) {
    let maker = bench.host("maker");
    for (number, harm) in
        [Harm::ChangeBytes, Harm::CutBytes, Harm::RemoveBytes, Harm::CutList].into_iter().enumerate()
    {
        let (name, long) = (format!("{harm:?}"), bytes(9, 8_500_000));
        let made = artifact(&maker, &name, &[("a", &long), ("d/f", b"1234")]).await;
        bench.harm(&made, harm).await;
        let other = bench.host(&format!("other-{number}"));
        assert_eq!(other.get_intact(key(&name)).await.unwrap(), None, "{harm:?}");
        assert_eq!(other.find(key(&name)).await.unwrap(), None, "{harm:?}: set aside");
        assert_eq!(maker.get(key(&name)).await.unwrap(), None, "{harm:?}");
        let again = artifact(&other, &name, &[("a", &long), ("d/f", b"1234")]).await;
        assert_eq!(again.record, made.record, "{harm:?}");
        assert_eq!(
            content(&maker.get_intact(key(&name)).await.unwrap().unwrap()),
            content(&again),
            "{harm:?}"
        );
    }
}

async fn a_collection_takes_what_is_old_and_not_referenced(bench: &Bench) {
    let store = bench.host("one");
    let wanted = artifact(&store, "wanted", &[("f", b"12345")]).await;
    artifact(&store, "one", &[("f", b"123"), ("g", b"45")]).await;
    artifact(&store, "two", &[("f", b"1")]).await;
    let referenced = BTreeSet::from([key("wanted"), key("unknown")]);
    let dry = store.collect(&referenced, Duration::ZERO, true).await.unwrap();
    assert_eq!(dry.artifacts, BTreeSet::from([key("one"), key("two")]));
    assert!(store.find(key("one")).await.unwrap().is_some(), "a dry run removes nothing");
    assert_eq!(store.collect(&referenced, Duration::ZERO, false).await.unwrap(), dry);
    for name in ["one", "two"] {
        assert_eq!(store.find(key(name)).await.unwrap(), None);
        assert_eq!(store.get(key(name)).await.unwrap(), None);
    }
    assert_eq!(store.get_intact(key("wanted")).await.unwrap().unwrap(), wanted);
    assert_eq!(store.collect(&referenced, Duration::ZERO, false).await.unwrap(), Collection::default());
}

async fn a_collection_leaves_what_is_young(bench: &Bench) {
    let store = bench.host("one");
    artifact(&store, "a", &[("f", b"x")]).await;
    let staging = store.staging(&fence("under way")).unwrap();
    write(staging.path(), "f", b"x");
    for age in [Duration::from_secs(3600), Duration::MAX] {
        let collected = store.collect(&BTreeSet::new(), age, false).await.unwrap();
        assert_eq!(collected, Collection::default());
    }
    assert!(store.find(key("a")).await.unwrap().is_some());
    assert!(staging.path().join("f").exists());
}

async fn what_a_dead_attempt_left_in_staging_is_swept(bench: &Bench) {
    let mut store = bench.host("one");
    artifact(&store, "a", &[("f", b"x")]).await;
    for name in ["left-1", "left-2"] {
        write(&bench.staging("one").join(name), "deep/er/f", b"x");
    }
    write(&bench.staging("one"), "stray", b"x");
    match bench.place {
        Place::Folder { shared: true } => {
            assert_eq!(store.sweep_staging().await.unwrap(), 0, "others may be at work");
            let collected = store.collect(&BTreeSet::from([key("a")]), Duration::ZERO, false).await.unwrap();
            assert_eq!((collected.unfinished, collected.bytes), (3, 3));
        }
        Place::Folder { shared: false } => {
            assert_eq!(store.sweep_staging().await.unwrap(), 3);
            assert_eq!(store.sweep_staging().await.unwrap(), 0);
        }
        Place::Bucket(_) => {
            drop(store);
            store = bench.host("one");
        }
    }
    assert_eq!(fs_err::read_dir(bench.staging("one")).unwrap().count(), 0);
    assert!(store.get_intact(key("a")).await.unwrap().is_some());
}

/// What a host does next, to one of four artifacts.
#[derive(Clone, Debug)]
enum Act {
    TakeOver(u8, u8),
    Get(u8),
    Remove(u8),
    CollectAllBut(u8),
}

fn histories() -> impl Strategy<Value = Vec<(usize, Act)>> {
    let act = prop_oneof![
        3 => (0..4_u8, 0..3_u8).prop_map(|(name, content)| Act::TakeOver(name, content)),
        3 => (0..4_u8).prop_map(Act::Get),
        1 => (0..4_u8).prop_map(Act::Remove),
        1 => (0..4_u8).prop_map(Act::CollectAllBut),
    ];
    prop::collection::vec((0..2_usize, act), 1..25)
}

async fn any_history_agrees_with_a_map(bench: &Bench) {
    let hosts = [bench.host("one"), bench.host("two")];
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for _ in 0..12 {
        let history = histories().new_tree(&mut runner).unwrap().current();
        let mut map: BTreeMap<u8, u8> = BTreeMap::new();
        for (host, act) in history {
            let store = &hosts[host];
            match act {
                Act::TakeOver(name, content) => {
                    let made = artifact(store, &name.to_string(), &[("f", &[content])]).await;
                    let expected = *map.entry(name).or_insert(content);
                    assert_eq!(fs_err::read(made.path_of(&made.files[0])).unwrap(), [expected]);
                }
                Act::Get(name) => {
                    let found = store.get_intact(key(&name.to_string())).await.unwrap();
                    let found = found.map(|found| fs_err::read(found.path_of(&found.files[0])).unwrap()[0]);
                    assert_eq!(found, map.get(&name).copied());
                }
                Act::Remove(name) => {
                    store.remove(key(&name.to_string())).await.unwrap();
                    map.remove(&name);
                }
                Act::CollectAllBut(name) => {
                    let kept = BTreeSet::from([key(&name.to_string())]);
                    let collected = store.collect(&kept, Duration::ZERO, false).await.unwrap();
                    let expected: BTreeSet<ArtifactKey> = map
                        .keys()
                        .filter(|other| **other != name)
                        .map(|name| key(&name.to_string()))
                        .collect();
                    assert_eq!(collected.artifacts, expected);
                    assert_eq!(collected.unfinished, 0);
                    map.retain(|other, _| *other == name);
                }
            }
        }
        for name in 0..4_u8 {
            hosts[0].remove(key(&name.to_string())).await.unwrap();
        }
    }
}
