//! What stands for a title, whatever becomes of its submissions.

use reelfarm_model::profile::DrmSystem;
use reelfarm_model::title::Submission;
use reelfarm_model::{Digest, KeyDivision, KeySource, KeyUris, Protection, Rights, Standing, TitleState};

use super::fixtures::{submission, title, to};
use crate::changes::SubmitOutcome;
use crate::store::Store;

fn protection(key: &str) -> Protection {
    let uri = |name: &str| format!("skd://{name}/\"{{kid}}\"");
    Protection {
        source: KeySource::Given { key: Digest::of(key.as_bytes()) },
        division: KeyDivision::Quality,
        uris: KeyUris { fairplay: uri("a"), clearkey: uri("b"), verimatrix: uri("c") },
    }
}

fn no_clear() -> Rights {
    Rights { systems: Some([DrmSystem::Widevine, DrmSystem::Playready].into()), no_clear: true }
}

fn wanting(key: Option<&str>, rights: Rights) -> Submission {
    Submission { protection: key.map(protection), rights, ..submission("film", 0) }
}

/// Submits it anew and takes it to its end.
async fn end<S: Store>(store: &S, submission: &Submission, states: &[TitleState]) {
    let submitted = store.submit(submission).await.expect("submitted");
    assert_ne!(submitted.outcome, SubmitOutcome::Unchanged);
    let (mut from, generation) = (TitleState::Checking, submitted.title.generation);
    for state in states {
        let advanced = store.advance(&title("film"), generation, from, to(*state)).await;
        advanced.expect("asked").expect("changed");
        from = *state;
    }
}

async fn standing<S: Store>(store: &S) -> (Option<Protection>, Rights) {
    let standing = store.standing(&title("film")).await.expect("asked");
    (standing.protection().cloned(), standing.rights())
}

/// Nothing stands for what nobody submitted, or for another title.
pub async fn a_title_begins_without_promises<S: Store>(store: &S) {
    assert_eq!(store.standing(&title("film")).await.expect("asked"), Standing::default());
    end(store, &wanting(Some("a"), no_clear()), &[TitleState::Cancelled]).await;
    store.submit(&submission("other", 0)).await.expect("submitted");
    let other = store.standing(&title("other")).await.expect("asked");
    assert_eq!((other.protection(), other.rights()), (None, Rights::default()));
}

/// Keys of a title that is not online yet are not forgotten because a submission came to nothing.
pub async fn what_was_accepted_stands_however_it_ended<S: Store>(store: &S) {
    use TitleState::{Cancelled, Failed, Preparing, Rejected, Withdrawing};
    let first = wanting(Some("a"), no_clear());
    for states in [&[][..], &[Rejected], &[Failed], &[Cancelled], &[Preparing, Withdrawing, Failed]] {
        end(store, &first, states).await;
        assert_eq!(standing(store).await, (Some(protection("a")), no_clear()), "{states:?}");
        // The next is another submission, also where this one is under way.
        end(store, &wanting(None, no_clear()), &[Failed]).await;
    }
    let again = store.submit(&first).await.expect("submitted");
    let unchanged = store.submit(&first).await.expect("submitted");
    assert_eq!(unchanged.outcome, SubmitOutcome::Unchanged);
    assert_eq!(unchanged.title, again.title);
    assert_eq!(standing(store).await, (Some(protection("a")), no_clear()));
}

/// Other keys and wider rights that never came online leave those of what is online.
pub async fn what_was_published_stands_until_something_else_is<S: Store>(store: &S) {
    use TitleState::{Cancelled, Failed, Preparing, Published, Rejected, Withdrawing};
    end(store, &wanting(Some("a"), no_clear()), &[Preparing, Published]).await;
    let other = wanting(Some("b"), Rights::default());
    for states in [&[Rejected][..], &[Failed], &[Cancelled], &[Preparing, Withdrawing, Cancelled], &[]] {
        end(store, &other, states).await;
        assert_eq!(standing(store).await, (Some(protection("a")), no_clear()), "{states:?}");
    }
    // Clear profiles alone are published, by rights that allow them.
    end(store, &wanting(None, Rights::default()), &[Preparing, Published]).await;
    assert_eq!(standing(store).await, (Some(protection("a")), Rights::default()));
    end(store, &other, &[Preparing, Published]).await;
    assert_eq!(standing(store).await, (Some(protection("b")), Rights::default()));
    // What is narrower holds before it is published.
    end(store, &wanting(None, no_clear()), &[Failed]).await;
    assert_eq!(standing(store).await, (Some(protection("b")), no_clear()));
}

/// A report that comes late, for a generation that is over, publishes nothing.
pub async fn an_old_generation_changes_nothing_that_stands<S: Store>(store: &S) {
    use TitleState::{Preparing, Published};
    end(store, &wanting(Some("a"), no_clear()), &[Preparing]).await;
    end(store, &wanting(Some("b"), no_clear()), &[Preparing]).await;
    let late = store.advance(&title("film"), 1, Preparing, to(Published)).await.expect("asked");
    assert!(late.is_none());
    end(store, &wanting(Some("c"), no_clear()), &[]).await;
    assert_eq!(standing(store).await.0, Some(protection("c")), "nothing was published");
}
