//! Who leads, and that only the leader writes.

use std::sync::Arc;

use reelfarm_model::{Digest, Progress, TitleState};

use super::fixtures::{
    LONG, NONE, dispatch, failure, finish, key, picture, planned, start, submission, submit_and_plan, title,
    to, worker,
};
use crate::access::{Answer, ClaimToken, KeyedRequest, NewToken, Scope};
use crate::error::StoreError;
use crate::leadership::{Candidate, Election, Leadership, Term};
use crate::report::RetryDecision;
use crate::store::Store;

fn candidate(name: &str) -> Candidate {
    Candidate { holder: name.to_owned(), address: format!("http://{name}:8080") }
}

async fn win(store: &impl Leadership, name: &str) -> Term {
    match store.acquire(&candidate(name), true, LONG).await.expect("asked") {
        Election::Won(term) => term,
        other => panic!("{other:?}"),
    }
}

/// Terms count up, and whoever does not lead learns who does.
pub async fn one_leads_and_the_others_learn_who<S: Store + Leadership>(store: &S) {
    assert_eq!(store.leader().await.expect("asked"), None);
    assert_eq!(win(store, "one").await, Term(1));
    let Election::Lost(leader) = store.acquire(&candidate("two"), true, LONG).await.expect("asked") else {
        panic!("two lead");
    };
    assert_eq!((&leader.candidate, leader.term), (&candidate("one"), Term(1)));
    assert!(leader.remaining <= LONG && leader.remaining > LONG / 2, "{leader:?}");
    let found = store.leader().await.expect("asked").expect("one leads");
    assert_eq!((found.candidate, found.term), (candidate("one"), Term(1)));

    store.resign(Term(1)).await.expect("asked");
    assert_eq!(store.leader().await.expect("asked"), None);
    assert_eq!(win(store, "two").await, Term(2));
    assert_eq!(store.leader().await.expect("asked").expect("two leads").candidate, candidate("two"));
}

/// A lease that ran out is over, whether or not somebody has followed.
pub async fn a_term_that_ran_out_is_over<S: Store + Leadership>(store: &S) {
    assert_eq!(store.acquire(&candidate("one"), true, NONE).await.expect("asked"), Election::Won(Term(1)));
    assert_eq!(store.leader().await.expect("asked"), None);
    for refused in [store.renew(Term(1), LONG).await.map(drop), store.resign(Term(1)).await] {
        assert!(matches!(refused, Err(StoreError::NoLongerLeader { term: Term(1), .. })), "{refused:?}");
    }
    assert_eq!(win(store, "two").await, Term(2));
    for over in [Term(1), Term(3)] {
        assert!(matches!(store.renew(over, LONG).await, Err(StoreError::NoLongerLeader { .. })));
        assert!(matches!(store.resign(over).await, Err(StoreError::NoLongerLeader { .. })));
    }
    store.renew(Term(2), LONG).await.expect("still leads");
    assert_eq!(store.leader().await.expect("asked").expect("two leads").term, Term(2));
}

/// A renewal counts from now, also where it is shorter than what was left.
pub async fn a_renewal_sets_the_end_of_the_lease<S: Store + Leadership>(store: &S) {
    let term = win(store, "one").await;
    store.renew(term, LONG * 2).await.expect("leads");
    assert!(store.leader().await.expect("asked").expect("one leads").remaining > LONG);
    store.renew(term, NONE).await.expect("leads");
    assert_eq!(win(store, "two").await, Term(2));
}

/// A leader that did not hear that it leads asks again: what it may have begun under the first term is void.
pub async fn a_leader_that_asks_again_gets_a_new_term<S: Store + Leadership>(store: &S) {
    let first = store.under(win(store, "one").await);
    assert_eq!(win(store, "one").await, Term(2));
    assert!(matches!(first.recover().await, Err(StoreError::NoLongerLeader { term: Term(1), .. })));
    assert_eq!(store.under(Term(2)).recover().await.expect("leads"), 0);
}

/// One that is unfit leads where nobody else would, and learns of one that is fit.
pub async fn the_unfit_make_way_for_the_fit<S: Store + Leadership>(store: &S) {
    let ask = |name: &'static str, fit| async move {
        store.acquire(&candidate(name), fit, LONG).await.expect("asked")
    };
    let Election::Won(term) = ask("unfit", false).await else { panic!("nobody else asked") };
    assert!(!store.renew(term, LONG).await.expect("leads"));
    assert!(matches!(ask("another", false).await, Election::Lost(_)));
    assert!(!store.renew(term, LONG).await.expect("leads"), "it is no better");
    assert!(matches!(ask("fit", true).await, Election::Lost(_)));
    assert!(store.renew(term, LONG).await.expect("leads"));

    store.resign(term).await.expect("leads");
    assert_eq!(ask("unfit", false).await, Election::Left);
    let Election::Won(next) = ask("fit", true).await else { panic!("nobody leads") };
    assert!(!store.renew(next, LONG).await.expect("leads"), "it is not its own rival");

    // A rival that is fit no more says so by asking.
    assert!(matches!(ask("rival", true).await, Election::Lost(_)));
    assert!(store.renew(next, LONG).await.expect("leads"));
    assert!(matches!(ask("rival", false).await, Election::Lost(_)));
    assert!(!store.renew(next, LONG).await.expect("leads"));

    // A rival that has not asked for as long as it said is one no more.
    let briefly = store.acquire(&candidate("brief"), true, NONE).await.expect("asked");
    assert!(matches!(briefly, Election::Lost(_)));
    assert!(!store.renew(next, LONG).await.expect("leads"));
    store.resign(next).await.expect("leads");
    assert!(matches!(ask("unfit", false).await, Election::Won(_)));
}

/// However many ask at once.
pub async fn of_many_who_ask_at_once_one_leads<S: Store + Leadership + Clone>(store: &S) {
    let mut asking = Vec::new();
    for number in 0..8 {
        let store = store.clone();
        asking.push(tokio::spawn(async move {
            store.acquire(&candidate(&format!("scheduler-{number}")), true, LONG).await.expect("asked")
        }));
    }
    let (mut won, mut lost) = (Vec::new(), Vec::new());
    for asked in asking {
        match asked.await.expect("asked") {
            Election::Won(term) => won.push(term),
            Election::Lost(leader) => lost.push(leader.candidate.holder),
            Election::Left => panic!("all of them are fit"),
        }
    }
    assert_eq!((won, lost.len()), (vec![Term(1)], 7));
    lost.dedup();
    assert_eq!(lost.len(), 1, "all are told of the same leader");
}

/// The leader's writes are those of the store.
pub async fn a_leader_writes<S: Store + Leadership>(store: &S) {
    let leader = store.under(win(store, "one").await);
    leader.submit(&submission("film", 0)).await.expect("leads");
    assert!(leader.plan(&title("film"), 1, &[planned(1, &[])]).await.expect("leads").is_some());
    finish(store, 1).await;
    assert_eq!(
        leader.title(&title("film")).await.expect("asked"),
        store.title(&title("film")).await.expect("asked")
    );
}

/// A leader that was paused past its term, and goes on as if nothing had happened.
pub async fn a_leader_whose_term_is_over_changes_nothing<S: Store + Leadership>(store: &S) {
    let paused = store.under(win(store, "paused").await);
    submit_and_plan(store, "film", &[planned(1, &[]), planned(2, &[]), planned(3, &[1])]).await;
    submit_and_plan(store, "failed", &[planned(4, &[])]).await;
    store.advance(&title("failed"), 1, TitleState::Checking, to(TitleState::Failed)).await.expect("asked");
    let running = start(store, 1).await;
    let dispatched = dispatch(store, 2, LONG).await.fence;
    let token = Digest::of(b"token");
    let new_token = NewToken { token, scope: Scope::Admin, label: "a".to_owned(), lifetime: None };
    store.add_token(&new_token).await.expect("asked");
    let before = (picture(store, &[1, 2, 3, 4]).await, store.unsent(9).await.expect("asked"));

    store.resign(Term(1)).await.expect("leads");
    for follower in [None, Some("other")] {
        if let Some(name) = follower {
            win(store, name).await;
        }
        for (what, refused) in every_write(&paused, &running, &dispatched).await {
            let refused = refused.expect_err(what);
            assert!(matches!(refused, StoreError::NoLongerLeader { term: Term(1), .. }), "{what}: {refused}");
        }
    }
    let after = (picture(store, &[1, 2, 3, 4]).await, store.unsent(9).await.expect("asked"));
    assert_eq!(after, before);
    assert_eq!(store.tokens().await.expect("asked").len(), 1);
    assert!(store.token(&token).await.expect("asked").is_some(), "not revoked");
    assert!(paused.title(&title("film")).await.expect("reading goes on").is_some());
}

/// Tries everything that changes something.
async fn every_write(
    store: &Arc<dyn Store>,
    running: &reelfarm_model::Fence,
    dispatched: &reelfarm_model::Fence,
) -> Vec<(&'static str, Result<(), StoreError>)> {
    let film = title("film");
    let token = Digest::of(b"token");
    let new_token =
        NewToken { token: Digest::of(b"b"), scope: Scope::Admin, label: String::new(), lifetime: None };
    let request = KeyedRequest { token, key: "key".to_owned(), request: Digest::of(b"request") };
    let answer = Answer { status: 201, body: "{}".to_owned() };
    vec![
        ("submit", store.submit(&submission("other", 0)).await.map(drop)),
        ("plan", store.plan(&film, 1, &[planned(9, &[])]).await.map(drop)),
        ("advance", store.advance(&film, 1, TitleState::Checking, to(TitleState::Failed)).await.map(drop)),
        ("hold", store.hold(&film, true).await.map(drop)),
        ("retry a title", store.retry_title(&title("failed")).await.map(drop)),
        ("retry a task", store.retry_tasks(&film, &[key(1)].into()).await.map(drop)),
        ("dispatch", store.dispatch(&key(3), LONG).await.map(drop)),
        ("mark sent", store.mark_sent(&[*dispatched]).await),
        ("started", store.started(dispatched, &worker("w")).await.map(drop)),
        ("extend", store.extend(running, LONG, Progress::default()).await.map(drop)),
        ("complete", store.complete(running, &[], None).await.map(drop)),
        ("fail", store.fail(running, &failure("a"), RetryDecision::Never).await.map(drop)),
        ("release", store.release(running).await.map(drop)),
        ("lost", store.lost(running, RetryDecision::Never).await.map(drop)),
        ("recover", store.recover().await.map(drop)),
        ("add a token", store.add_token(&new_token).await.map(drop)),
        ("revoke a token", store.revoke_token(&token).await.map(drop)),
        ("claim", store.claim(&request, LONG).await.map(drop)),
        ("answer", store.answer(&request, ClaimToken(1), &answer, LONG).await.map(drop)),
    ]
}
