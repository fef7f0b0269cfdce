use super::*;

fn open(folder: &Path, limit: u64, floor: u64) -> Cache {
    Cache::open(&CacheSettings { folder: folder.to_owned(), limit, floor }).unwrap()
}

/// Takes in a copy of this many bytes.
async fn admit(cache: &Cache, name: &str, size: usize) -> Hold {
    let room = cache.reserve(size as u64).await.unwrap();
    let staging = cache.staging(name).unwrap();
    fs_err::write(staging.path().join("f"), vec![7; size]).unwrap();
    cache.admit(name, staging.path(), size as u64, Some(room)).await.unwrap()
}

async fn has(cache: &Cache, name: &str) -> bool {
    cache.hold(name).await.unwrap().is_some()
}

fn folders(root: &Path) -> usize {
    fs_err::read_dir(root.join("kept")).unwrap().count()
        + fs_err::read_dir(root.join("staging")).unwrap().count()
}

#[tokio::test]
async fn the_limit_takes_the_longest_unused_and_nothing_that_is_held() {
    let root = tempfile::tempdir().unwrap();
    let cache = open(root.path(), 100, 0);
    let first = admit(&cache, "first", 40).await;
    drop(admit(&cache, "second", 40).await);
    drop(admit(&cache, "third", 40).await);
    assert!(has(&cache, "first").await && !has(&cache, "second").await && has(&cache, "third").await);
    let large = admit(&cache, "large", 90).await;
    assert_eq!(fs_err::read(first.folder().join("f")).unwrap().len(), 40, "in use, though over the limit");
    assert_eq!(folders(root.path()), 2);
    drop((first, large));
    drop(admit(&cache, "small", 10).await);
    assert!(!has(&cache, "first").await);
    assert!(has(&cache, "large").await && has(&cache, "small").await);
}

#[tokio::test]
async fn what_cannot_leave_the_floor_free_is_refused_with_all_removed_that_may_be() {
    let root = tempfile::tempdir().unwrap();
    let cache = open(root.path(), u64::MAX, u64::MAX / 2);
    let staging = cache.staging("kept").unwrap();
    fs_err::write(staging.path().join("f"), b"x").unwrap();
    let held = cache.admit("kept", staging.path(), 1, None).await.unwrap();
    let idle = cache.staging("idle").unwrap();
    fs_err::write(idle.path().join("f"), b"x").unwrap();
    drop(cache.admit("idle", idle.path(), 1, None).await.unwrap());
    let refused = cache.reserve(1).await.unwrap_err();
    assert!(matches!(&refused, ArtifactError::DiskFull(_)), "{refused}");
    assert!(refused.to_string().contains("are to stay free"), "{refused}");
    assert!(held.folder().join("f").exists());
    assert!(!has(&cache, "idle").await);
    assert_eq!(cache.inner.reserved.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_new_process_finds_what_was_kept_and_what_was_used_last() {
    let root = tempfile::tempdir().unwrap();
    let cache = open(root.path(), u64::MAX, 0);
    for name in ["a", "b", "c"] {
        drop(admit(&cache, name, 10).await);
        let place = root
            .path()
            .join("kept")
            .read_dir()
            .unwrap()
            .find(|entry| entry.as_ref().unwrap().file_name().to_str().unwrap().starts_with(name));
        let folder = fs_err::File::open(place.unwrap().unwrap().path()).unwrap();
        folder.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    }
    assert!(has(&cache, "b").await);
    let refused = Cache::open(&CacheSettings { folder: root.path().to_owned(), limit: 1, floor: 0 });
    assert!(matches!(refused, Err(ArtifactError::CacheBusy { .. })));
    drop(cache);
    fs_err::create_dir(root.path().join("kept/stray")).unwrap();

    let cache = open(root.path(), 25, 0);
    assert_eq!(folders(root.path()), 3, "what has no number is none of ours");
    drop(admit(&cache, "d", 10).await);
    assert!(has(&cache, "b").await && has(&cache, "d").await);
    assert_eq!(folders(root.path()), 2);
}

#[tokio::test]
async fn a_second_copy_of_a_name_replaces_the_first_and_who_holds_the_first_keeps_it() {
    let root = tempfile::tempdir().unwrap();
    let cache = open(root.path(), u64::MAX, 0);
    let first = admit(&cache, "a", 1).await;
    let second = admit(&cache, "a", 2).await;
    assert_ne!(first.folder(), second.folder());
    let found = cache.hold("a").await.unwrap().unwrap();
    assert_eq!(found.folder(), second.folder());
    assert_eq!(fs_err::read(first.folder().join("f")).unwrap().len(), 1);
    let folder = first.folder();
    drop(first);
    assert!(!folder.exists());
    cache.forget("a").await.unwrap();
    assert!(!has(&cache, "a").await);
    assert!(second.folder().exists());
    drop((second, found));
    assert_eq!(folders(root.path()), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_fetches_while_the_others_wait_for_their_turn() {
    let root = tempfile::tempdir().unwrap();
    let cache = open(root.path(), u64::MAX, 0);
    let fetched = Arc::new(AtomicU64::new(0));
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let (cache, fetched) = (cache.clone(), Arc::clone(&fetched));
            tokio::spawn(async move {
                let _turn = cache.turn("a").await;
                if let Some(hold) = cache.hold("a").await.unwrap() {
                    return hold;
                }
                fetched.fetch_add(1, Ordering::Relaxed);
                admit(&cache, "a", 10).await
            })
        })
        .collect();
    for task in tasks {
        assert!(task.await.unwrap().folder().join("f").exists());
    }
    assert_eq!(fetched.load(Ordering::Relaxed), 1);
}
