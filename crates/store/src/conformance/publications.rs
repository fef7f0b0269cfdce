//! What a store knows of the titles that it put online.

use std::path::Path;

use reelfarm_model::recipe::ToolVersions;
use reelfarm_model::source::Fingerprint;
use reelfarm_model::task::{FingerprintSpec, PublishSpec, Task, TaskSpec};
use reelfarm_model::{Digest, SourceReference, TaskKey, TitleState};

use super::fixtures::{LONG, failure, reprofiled, source, submission, submit, title, to, worker};
use crate::changes::{PlannedTask, TitleChange};
use crate::report::RetryDecision;
use crate::store::Store;

const ORIGIN: &str = "/origin";
const FILM: &str = "/sources/\"the\" Ünder film.mov";

fn unconditional(spec: TaskSpec) -> PlannedTask {
    super::fixtures::unconditional(Task::new(spec, &ToolVersions::default()))
}

pub(super) fn publish(origin: &str, source: Digest) -> PlannedTask {
    let (origin, title) = (origin.to_owned(), title("film"));
    unconditional(TaskSpec::Publish(PublishSpec {
        origin,
        title,
        source,
        profiles: Vec::new(),
        more_follow: false,
        kept: Vec::new(),
        subtitles: Vec::new(),
        subtitles_left_out: Vec::new(),
        cue_points: Vec::new(),
    }))
}

fn fingerprint(path: &str) -> PlannedTask {
    let source = SourceReference { path: path.into(), ..source(0) };
    unconditional(TaskSpec::Fingerprint(FingerprintSpec::new(source)))
}

pub(super) async fn complete<S: Store>(store: &S, task: &TaskKey, result: &serde_json::Value) {
    let fence = store.dispatch(task, LONG).await.expect("asked").expect("ready").fence;
    assert!(store.started(&fence, &worker("w")).await.expect("asked"));
    store.complete(&fence, &[], Some(result)).await.expect("asked").expect("current");
}

/// Reads a source at a path.
async fn read<S: Store>(store: &S, generation: u64, path: &str, sha256: Digest) {
    let entry = fingerprint(path);
    let planned = store.plan(&title("film"), generation, std::slice::from_ref(&entry)).await;
    assert!(planned.expect("asked").is_some());
    let found = Fingerprint { sha256, md5: "0".repeat(32), sha1: None, size: 1 };
    complete(store, &entry.task.key, &serde_json::to_value(found).expect("JSON")).await;
}

async fn known<S: Store>(store: &S, origin: &str, path: &str) -> Vec<Digest> {
    let known = store.publications(&title("film"), origin, Path::new(path)).await.expect("asked");
    known.into_iter().collect()
}

/// It is the farm's own to replace, however the title fared since; another origin's, file's or title's is not.
pub async fn what_was_put_online_from_a_path_is_known_for_ever<S: Store>(store: &S) {
    let film = submit(store, "film").await;
    let digest = Digest::of(b"film");
    read(store, 1, FILM, digest).await;
    read(store, 1, "/sources/other.mov", Digest::of(b"other")).await;
    assert_eq!(known(store, ORIGIN, FILM).await, []);
    let entry = publish(ORIGIN, digest);
    assert!(store.plan(&film, 1, std::slice::from_ref(&entry)).await.expect("asked").is_some());
    complete(store, &entry.task.key, &serde_json::json!(Digest::of(b"index"))).await;
    assert_eq!(known(store, ORIGIN, FILM).await, [digest]);
    assert_eq!(known(store, "/elsewhere", FILM).await, []);
    assert_eq!(known(store, ORIGIN, "/sources/other.mov").await, []);
    let other = store.publications(&title("other"), ORIGIN, Path::new(FILM)).await.expect("asked");
    assert_eq!(other.len(), 0);

    // A new generation that is to publish it again, and is cancelled on the way.
    store.submit(&reprofiled(submission("film", 0), 1)).await.expect("submitted");
    let again = PlannedTask { redo: true, ..entry };
    assert!(store.plan(&film, 2, &[again]).await.expect("asked").is_some());
    store.advance(&film, 2, TitleState::Checking, to(TitleState::Cancelled)).await.expect("asked");
    assert_eq!(known(store, ORIGIN, FILM).await, [digest]);
}

/// What was only planned put nothing online; what was begun may have, however it ended.
pub async fn a_publication_that_never_began_is_none<S: Store>(store: &S) {
    let film = submit(store, "film").await;
    let digest = Digest::of(b"film");
    read(store, 1, FILM, digest).await;
    let entry = publish(ORIGIN, digest);
    assert!(store.plan(&film, 1, std::slice::from_ref(&entry)).await.expect("asked").is_some());
    assert_eq!(known(store, ORIGIN, FILM).await, []);
    let fence = store.dispatch(&entry.task.key, LONG).await.expect("asked").expect("ready").fence;
    store.fail(&fence, &failure("a"), RetryDecision::Never).await.expect("asked").expect("current");
    assert_eq!(known(store, ORIGIN, FILM).await, [digest]);
}

/// What a submission that was replaced may have left at the origin is remembered until somebody has seen to it.
pub async fn leftovers_of_an_earlier_submission_are_remembered<S: Store>(store: &S) {
    let (film, task) = (title("film"), publish(ORIGIN, Digest::of(b"film")));
    let submit_again = |profiles| async move {
        store.submit(&submission("film", profiles)).await.expect("submitted").title.leftovers
    };
    for (generation, is_sent) in [(1, false), (2, true)] {
        assert!(!submit_again(generation).await);
        let planned = store.plan(&film, generation.into(), std::slice::from_ref(&task)).await;
        assert!(planned.expect("asked").is_some());
        let preparing =
            store.advance(&film, generation.into(), TitleState::Checking, to(TitleState::Preparing)).await;
        assert!(preparing.expect("asked").is_some());
        if is_sent {
            assert!(store.dispatch(&task.task.key, LONG).await.expect("asked").is_some());
        }
    }
    assert!(submit_again(3).await);
    assert!(submit_again(4).await, "nobody has seen to it");
    for (from, next, leftovers) in [
        (TitleState::Checking, TitleState::Withdrawing, None),
        (TitleState::Withdrawing, TitleState::Cancelled, Some(false)),
    ] {
        let change = TitleChange { leftovers, ..to(next) };
        assert!(store.advance(&film, 4, from, change).await.expect("asked").is_some());
        let known = store.title(&film).await.expect("asked").expect("known");
        assert_eq!(known.leftovers, leftovers.unwrap_or(true));
    }
    assert!(!submit_again(5).await);
}
