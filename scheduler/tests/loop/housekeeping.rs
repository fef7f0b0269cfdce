//! What the leader takes away, and what it leaves.

use std::collections::BTreeSet;
use std::time::Duration;

use reelfarm_model::{ArtifactKey, Digest, Fence, Pool, TitleState};
use reelfarm_scheduler::housekeeping::Retention;

use crate::farm::Farm;

/// An artifact with one small file.
async fn make(farm: &Farm, fence: &Fence, key: ArtifactKey) {
    let staging = farm.artifacts().staging(fence).unwrap();
    let folder = staging.path().join("made");
    fs_err::create_dir(&folder).unwrap();
    fs_err::write(folder.join("file"), b"made").unwrap();
    farm.artifacts().take_over(key, &folder).await.unwrap();
    staging.discard().await.unwrap();
}

#[tokio::test]
async fn artifacts_go_when_their_title_has_been_over_for_a_while() {
    let mut farm = Farm::start().await;
    farm.submit().await;
    let first = farm.receive(Pool::Light).await;
    let of_title = first.task.outputs[0].key;
    let of_nobody = ArtifactKey(Digest::of(b"of nobody"));
    for key in [of_title, of_nobody] {
        make(&farm, &first.fence, key).await;
    }
    // What an attempt left that died.
    let staging = farm.artifacts().staging(&first.fence).unwrap();
    fs_err::write(staging.path().join("half"), b"half").unwrap();
    std::mem::forget(staging);

    let (none, long) = (Duration::ZERO, Duration::from_secs(3600));
    let young = farm.housekeeping(Retention { ended: none, age: long }).collect().await.unwrap();
    assert_eq!((young.artifacts.len(), young.unfinished), (0, 0));
    let old = farm.housekeeping(Retention { ended: none, age: none }).collect().await.unwrap();
    assert_eq!((old.artifacts, old.unfinished), (BTreeSet::from([of_nobody]), 1));
    assert!(farm.artifacts().find(of_title).await.unwrap().is_some());

    farm.handle.cancel("film".parse().unwrap()).await.unwrap();
    farm.title_reaches(TitleState::Cancelled).await;
    let kept = farm.housekeeping(Retention { ended: long, age: none }).collect().await.unwrap();
    assert_eq!(kept.artifacts, BTreeSet::new());
    let over = farm.housekeeping(Retention { ended: none, age: none }).collect().await.unwrap();
    assert_eq!(over.artifacts, BTreeSet::from([of_title]));
}
