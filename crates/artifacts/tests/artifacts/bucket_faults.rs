//! Artifacts in a bucket while servers, networks, disks and processes fail.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::TryStreamExt as _;
use object_store::ObjectStore as _;
use reelfarm_artifacts::{Artifact, ArtifactError, ArtifactStore, CacheSettings, Collection};
use reelfarm_model::{Code, Failure};
use reelfarm_test_servers::s3::{self, S3Server};

use crate::bucket::{access, cache, impatient, place, raw, store};
use crate::http_proxy::{Fault, HttpProxy, SLOW_DOWN};
use crate::support::{artifact, bytes, fence, key, write};

/// Bytes of five parts, the last one short.
const FIVE_PARTS: usize = 33 * 1024 * 1024;

fn part_of(request: &str) -> Option<&str> {
    request.strip_prefix("PUT ")?.split_once("partNumber=").map(|(_, rest)| rest)
}

fn is_list(request: &str) -> bool {
    request.contains("/artifacts/")
}

fn is_data(request: &str) -> bool {
    request.contains("/data/")
}

fn read(artifact: &Artifact) -> Vec<u8> {
    fs_err::read(artifact.path_of(&artifact.files[0])).unwrap()
}

/// A proxy that does this to the first `count` requests that `which` takes, and lets all others pass.
async fn faulty(
    server: &S3Server,
    fault: Fault,
    count: usize,
    which: impl Fn(&str) -> bool + Send + Sync + 'static,
) -> HttpProxy {
    let done = AtomicUsize::new(0);
    HttpProxy::start(server.address(), move |request| {
        if which(request) && done.fetch_add(1, Ordering::Relaxed) < count { fault } else { Fault::Pass }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_overloaded_server_is_waited_out_in_both_directions() {
    waited_out([SLOW_DOWN, Fault::Answer("500 Internal Server Error")]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_connections_are_waited_out_in_both_directions() {
    waited_out([Fault::LoseAnswer, Fault::CutAfter(150)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_answer_is_asked_again_in_both_directions() {
    waited_out([Fault::Swallow]).await;
}

fn impatient_store(endpoint: &str, host: &Path) -> ArtifactStore {
    ArtifactStore::open_bucket(&place(), &impatient(endpoint), &cache(host)).unwrap()
}

async fn waited_out<const FAULTS: usize>(faults: [Fault; FAULTS]) {
    let server = S3Server::start().await.unwrap();
    let hosts = tempfile::tempdir().unwrap();
    let content = bytes(3, FIVE_PARTS);
    for (number, fault) in faults.into_iter().enumerate() {
        let name = format!("artifact-{number}");
        let (writer, reader) = (format!("writer-{number}"), format!("reader-{number}"));
        let proxy = faulty(&server, fault, 2, |request| part_of(request).is_some() || is_list(request)).await;
        let made = artifact(
            &impatient_store(&proxy.endpoint, &hosts.path().join(writer)),
            &name,
            &[("f", &content)],
        )
        .await;
        let proxy = faulty(&server, fault, 2, |request| request.starts_with("GET") && is_data(request)).await;
        let reader = impatient_store(&proxy.endpoint, &hosts.path().join(reader));
        let found = reader.get(key(&name)).await.unwrap().unwrap();
        assert_eq!(found.record, made.record, "{fault:?}");
        assert!(read(&found) == content, "{fault:?}");
    }
    let all = (0..faults.len()).map(|number| key(&format!("artifact-{number}"))).collect();
    let reader = store(&server.endpoint(), &hosts.path().join("another"));
    assert_eq!(reader.collect(&all, Duration::ZERO, true).await.unwrap(), Collection::default());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_cut_in_the_middle_is_read_on() {
    let server = S3Server::start().await.unwrap();
    let hosts = tempfile::tempdir().unwrap();
    let content = bytes(4, FIVE_PARTS);
    artifact(&store(&server.endpoint(), &hosts.path().join("one")), "a", &[("f", &content)]).await;
    let is_bytes = |request: &str| request.starts_with("GET") && is_data(request);
    let proxy = faulty(&server, Fault::CutAfter(3_000_000), 4, is_bytes).await;
    let reader = store(&proxy.endpoint, &hosts.path().join("two"));
    assert!(read(&reader.get(key("a")).await.unwrap().unwrap()) == content);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stays_away_is_an_error_of_the_store_and_soon() {
    let server = S3Server::start().await.unwrap();
    let hosts = tempfile::tempdir().unwrap();
    for (number, fault) in [SLOW_DOWN, Fault::CutAfter(0), Fault::Swallow].into_iter().enumerate() {
        let proxy = faulty(&server, fault, usize::MAX, |_| true).await;
        let store = impatient_store(&proxy.endpoint, &hosts.path().join(number.to_string()));
        let failed = store.get(key("a")).await.unwrap_err();
        assert!(matches!(&failed, ArtifactError::Unreachable { action: "read", .. }), "{failed}");
        assert!(failed.to_string().contains("s3://farm/some/where"), "{failed}");
        assert!(!format!("{failed:?}").contains(s3::SECRET_ACCESS_KEY), "{failed:?}");
        assert_eq!(Failure::from(failed).code, Code::StateUnreachable);
        assert_eq!(proxy.requests(), 4, "{fault:?}: once, and three times again");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_credentials_are_refused_and_not_shown() {
    let server = S3Server::start().await.unwrap();
    let host = tempfile::tempdir().unwrap();
    let mut access = access(&server.endpoint());
    let key_pair = access.credentials.as_mut().unwrap();
    key_pair.secret_access_key = reelfarm_artifacts::Secret::new("no such secret");
    let store = ArtifactStore::open_bucket(&place(), &access, &cache(host.path())).unwrap();
    let failed = store.collect(&BTreeSet::new(), Duration::ZERO, true).await.unwrap_err();
    assert!(matches!(&failed, ArtifactError::Unreachable { .. }), "{failed}");
    assert!(!format!("{failed} {failed:?} {store:?}").contains("no such secret"), "{failed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_change_on_their_way_are_found_and_fetched_again() {
    let server = S3Server::start().await.unwrap();
    let hosts = tempfile::tempdir().unwrap();
    let content = bytes(5, 100_000);
    let maker = store(&server.endpoint(), &hosts.path().join("one"));
    let made = artifact(&maker, "a", &[("f", &content)]).await;
    let is_bytes = |request: &str| request.starts_with("GET") && is_data(request);
    let once = faulty(&server, Fault::Change, 1, is_bytes).await;
    let reader = store(&once.endpoint, &hosts.path().join("two"));
    assert!(read(&reader.get(key("a")).await.unwrap().unwrap()) == content);
    assert_eq!(maker.find(key("a")).await.unwrap(), Some(made.record), "not taken for damage of the store");

    let always = faulty(&server, Fault::Change, usize::MAX, is_bytes).await;
    let reader = store(&always.endpoint, &hosts.path().join("three"));
    assert_eq!(reader.get(key("a")).await.unwrap(), None, "it is never given out");
    assert_eq!(fs_err::read_dir(hosts.path().join("three/kept")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_change_on_their_way_there_are_refused_by_the_server() {
    // The proxy cannot sign: a body that it changed has another digest than the one that is signed. What the server then
    // says is passed on, and nothing is visible.
    let server = S3Server::start().await.unwrap();
    let raw = raw(&server.endpoint(), s3::BUCKET);
    let hosts = tempfile::tempdir().unwrap();
    let refuses = HttpProxy::start(server.address(), |request| {
        if part_of(request).is_some() { Fault::Answer("400 XAmzContentSHA256Mismatch") } else { Fault::Pass }
    })
    .await;
    let writer = store(&refuses.endpoint, &hosts.path().join("one"));
    let staging = writer.staging(&fence("a")).unwrap();
    write(&staging.path().join("out"), "f", &bytes(1, FIVE_PARTS));
    let failed = writer.take_over(key("a"), &staging.path().join("out")).await.unwrap_err();
    assert!(matches!(&failed, ArtifactError::Unreachable { action: "write", .. }), "{failed}");
    let objects: Vec<_> = raw.list(None).try_collect().await.unwrap();
    assert_eq!(objects, []);
    assert!(staging.path().join("out/f").exists(), "so that it can be tried again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_that_want_the_same_artifact_at_once_fetch_it_once() {
    let server = S3Server::start().await.unwrap();
    let hosts = tempfile::tempdir().unwrap();
    let content = bytes(6, FIVE_PARTS);
    artifact(&store(&server.endpoint(), &hosts.path().join("one")), "a", &[("f", &content)]).await;
    let fetched = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&fetched);
    let proxy = HttpProxy::start(server.address(), move |request| {
        if request.starts_with("GET") && is_data(request) {
            counted.fetch_add(1, Ordering::Relaxed);
        }
        Fault::Pass
    })
    .await;
    let reader = store(&proxy.endpoint, &hosts.path().join("two"));
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let reader = reader.clone();
            tokio::spawn(async move { reader.get_intact(key("a")).await.unwrap().unwrap() })
        })
        .collect();
    for task in tasks {
        assert!(read(&task.await.unwrap()) == content);
    }
    assert_eq!(fetched.load(Ordering::Relaxed), 5, "five ranges");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_without_room_refuses_and_leaves_nothing_behind() {
    let server = S3Server::start().await.unwrap();
    let hosts = tempfile::tempdir().unwrap();
    artifact(&store(&server.endpoint(), &hosts.path().join("one")), "a", &[("f", &bytes(1, 1000))]).await;
    let settings = CacheSettings { folder: hosts.path().join("two"), limit: u64::MAX, floor: u64::MAX / 2 };
    let full = ArtifactStore::open_bucket(&place(), &access(&server.endpoint()), &settings).unwrap();
    let refused = full.get(key("a")).await.unwrap_err();
    assert!(matches!(refused, ArtifactError::DiskFull(_)), "{refused}");
    assert_eq!(Failure::from(refused).code, Code::DiskFull);
    for folder in ["kept", "staging"] {
        assert_eq!(fs_err::read_dir(settings.folder.join(folder)).unwrap().count(), 0);
    }
    assert!(full.find(key("a")).await.unwrap().is_some(), "it is there for others");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_in_use_stay_and_others_go_when_the_limit_is_reached() {
    let server = S3Server::start().await.unwrap();
    let hosts = tempfile::tempdir().unwrap();
    let maker = store(&server.endpoint(), &hosts.path().join("maker"));
    for name in ["a", "b", "c"] {
        artifact(&maker, name, &[("f", &bytes(1, 6_000))]).await;
    }
    let settings = CacheSettings { folder: hosts.path().join("small"), limit: 13_000, floor: 0 };
    let small = ArtifactStore::open_bucket(&place(), &access(&server.endpoint()), &settings).unwrap();
    let get = async |name: &str| small.get(key(name)).await.unwrap().unwrap();
    let copies = || fs_err::read_dir(settings.folder.join("kept")).unwrap().count();
    let (a, b) = (get("a").await, get("b").await);
    let c = get("c").await;
    assert_eq!(copies(), 3, "over the limit, as all are in use");
    for used in [&a, &b, &c] {
        assert_eq!(read(used).len(), 6_000);
    }
    let another_a = a.clone();
    drop((a, b, c));
    drop(get("c").await);
    drop(another_a);
    artifact(&small, "d", &[("f", &bytes(1, 6_000))]).await;
    assert_eq!(copies(), 2, "what attempts make counts, too");
    let fetched_again = get("b").await;
    assert_eq!(read(&fetched_again).len(), 6_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_went_bad_is_fetched_again() {
    let server = S3Server::start().await.unwrap();
    let hosts = tempfile::tempdir().unwrap();
    let store = store(&server.endpoint(), hosts.path());
    let made = artifact(&store, "a", &[("f", b"good")]).await;
    fs_err::write(made.path_of(&made.files[0]), b"baad").unwrap();
    let found = store.get_intact(key("a")).await.unwrap().unwrap();
    assert_eq!(read(&found), b"good");
    assert_eq!(found.record, made.record);
}

/// Set for the process that is to be killed: the endpoint, and the folder of its host.
const VICTIM: &str = "REELFARM_TEST_VICTIM_ENDPOINT";
const HOST: &str = "REELFARM_TEST_VICTIM_HOST";

/// Not a test by itself: the process that the next tests kill while it uploads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_until_it_is_killed() {
    let Ok(endpoint) = std::env::var(VICTIM) else { return };
    let host = std::env::var(HOST).unwrap();
    artifact(&store(&endpoint, Path::new(&host)), "a", &[("f", &bytes(7, FIVE_PARTS))]).await;
}

/// Lets a process die when it has sent two parts of five.
async fn killed_upload(server: &S3Server, host: &Path) {
    let proxy = HttpProxy::start(server.address(), |request| match part_of(request) {
        Some(part) if !part.starts_with("1&") && !part.starts_with("2&") => Fault::Swallow,
        _ => Fault::Pass,
    })
    .await;
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "bucket_faults::uploads_until_it_is_killed", "--nocapture"])
        .env(VICTIM, &proxy.endpoint)
        .env(HOST, host)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let two_parts = |lines: &Vec<String>| lines.iter().filter(|line| part_of(line).is_some()).count() == 2;
    proxy.answered.clone().wait_for(two_parts).await.unwrap();
    victim.kill().unwrap();
    assert!(!victim.wait().unwrap().success());
    let output = BufReader::new(victim.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(!output.into_iter().any(|line| line.contains("test result: ok")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_whose_process_was_killed_is_carried_on_and_seen_by_nobody_before() {
    let server = S3Server::start().await.unwrap();
    let hosts = tempfile::tempdir().unwrap();
    killed_upload(&server, &hosts.path().join("killed")).await;
    let other = store(&server.endpoint(), &hosts.path().join("other"));
    assert_eq!(other.find(key("a")).await.unwrap(), None);
    let objects: Vec<_> = raw(&server.endpoint(), s3::BUCKET).list(None).try_collect().await.unwrap();
    assert_eq!(objects, [], "nothing that is half is an object");

    let parts = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&parts);
    let proxy = HttpProxy::start(server.address(), move |request| {
        counted.fetch_add(usize::from(part_of(request).is_some()), Ordering::Relaxed);
        Fault::Pass
    })
    .await;
    let next = store(&proxy.endpoint, &hosts.path().join("next"));
    let content = bytes(7, FIVE_PARTS);
    let made = artifact(&next, "a", &[("f", &content)]).await;
    assert_eq!(parts.load(Ordering::Relaxed), 3, "two of five were there");
    let found = other.get(key("a")).await.unwrap().unwrap();
    assert_eq!(found.record, made.record);
    assert!(read(&found) == content);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_whose_process_was_killed_does_not_hold_up_other_bytes_and_is_collected() {
    let server = S3Server::start().await.unwrap();
    let hosts = tempfile::tempdir().unwrap();
    killed_upload(&server, &hosts.path().join("killed")).await;
    let other = store(&server.endpoint(), &hosts.path().join("other"));
    let content = bytes(8, FIVE_PARTS);
    artifact(&other, "a", &[("f", &content)]).await;
    let referenced = BTreeSet::from([key("a")]);
    let young = other.collect(&referenced, Duration::from_secs(3600), false).await.unwrap();
    assert_eq!(young, Collection::default());
    let dry = other.collect(&referenced, Duration::ZERO, true).await.unwrap();
    assert_eq!((dry.unfinished, dry.artifacts.len()), (1, 0));
    assert_eq!(other.collect(&referenced, Duration::ZERO, false).await.unwrap(), dry);
    assert_eq!(other.collect(&referenced, Duration::ZERO, false).await.unwrap(), Collection::default());
    assert!(read(&other.get_intact(key("a")).await.unwrap().unwrap()) == content);

    // The one that was killed starts again: its staging is swept, and what came first stays.
    let staging = hosts.path().join("killed").join("staging");
    assert_eq!(fs_err::read_dir(&staging).unwrap().count(), 1);
    let killed = store(&server.endpoint(), &hosts.path().join("killed"));
    assert_eq!(fs_err::read_dir(&staging).unwrap().count(), 0);
    assert!(read(&killed.get(key("a")).await.unwrap().unwrap()) == content);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_was_completed_and_not_taken_over_is_used() {
    let server = S3Server::start().await.unwrap();
    let hosts = tempfile::tempdir().unwrap();
    // The process dies between the bytes and their list.
    let dies = HttpProxy::start(server.address(), |request| {
        if request.starts_with("PUT") && is_list(request) {
            Fault::Answer("403 Forbidden")
        } else {
            Fault::Pass
        }
    })
    .await;
    let content = bytes(2, FIVE_PARTS);
    let first = store(&dies.endpoint, &hosts.path().join("first"));
    let staging = first.staging(&fence("a")).unwrap();
    write(&staging.path().join("out"), "f", &content);
    first.take_over(key("a"), &staging.path().join("out")).await.unwrap_err();
    let writes = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&writes);
    let proxy = HttpProxy::start(server.address(), move |request| {
        counted.fetch_add(usize::from(request.starts_with("PUT")), Ordering::Relaxed);
        Fault::Pass
    })
    .await;
    let next = store(&proxy.endpoint, &hosts.path().join("next"));
    assert_eq!(next.find(key("a")).await.unwrap(), None);
    artifact(&next, "a", &[("f", &content)]).await;
    assert_eq!(writes.load(Ordering::Relaxed), 1, "the list alone");
    let all = BTreeSet::from([key("a")]);
    assert_eq!(next.collect(&all, Duration::ZERO, true).await.unwrap(), Collection::default());
}
