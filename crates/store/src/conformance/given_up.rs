//! Operations that nobody waits for any more: a client that went away, a leader whose term is over.

use std::future::poll_fn;
use std::task::Poll;

use reelfarm_model::TitleId;

use super::fixtures::{submit, title};
use crate::store::Store;

/// How often an operation is looked at before it is given up, at most: most are done by then.
const MOMENTS: usize = 40;

/// Reads that come after see what was committed in between, on whatever connection.
pub async fn a_read_that_is_given_up_at_any_moment_keeps_no_later_one_in_the_past<S: Store>(store: &S) {
    for moments in 1..MOMENTS {
        let film = title(&format!("film-{moments}"));
        assert!(!is_known_to_all(store, &film).await);
        let mut reading = store.counts();
        for _ in 0..moments {
            if poll_fn(|context| Poll::Ready(reading.as_mut().poll(context).is_ready())).await {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(reading);
        assert!(!is_known_to_all(store, &film).await);
        submit(store, film.as_str()).await;
        assert!(is_known_to_all(store, &film).await, "given up after {moments} moments");
    }
}

/// Whether all of several who ask at the same moment, several times, are told of a title.
async fn is_known_to_all(store: &impl Store, film: &TitleId) -> bool {
    let look = async || store.title(film).await.expect("asked").is_some();
    let mut known = true;
    for _ in 0..4 {
        let looks =
            tokio::join!(look(), look(), look(), look(), look(), look(), look(), look(), look(), look());
        let (a, b, c, d, e, f, g, h, i, j) = looks;
        known &= a & b & c & d & e & f & g & h & i & j;
    }
    known
}
