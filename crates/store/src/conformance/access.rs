//! Tokens and idempotency keys.

use reelfarm_model::Digest;

use super::fixtures::{LONG, NONE};
use crate::access::{Access, Answer, Claim, ClaimToken, KeyedRequest, NewToken, Scope};
use crate::error::StoreError;
use crate::store::Store;

fn token(text: &str, lifetime: Option<std::time::Duration>) -> NewToken {
    NewToken {
        token: Digest::of(text.as_bytes()),
        scope: Scope::Operator,
        label: format!("{text}'s"),
        lifetime,
    }
}

/// A token is good from when it is added until it is revoked.
pub async fn a_token_is_good_until_it_is_revoked<S: Store>(store: &S) {
    let mut names = Vec::new();
    for (number, scope) in (0..).zip(Scope::ALL) {
        let new = NewToken { scope, ..token(&format!("token {number}"), Some(LONG)) };
        let added = store.add_token(&new).await.expect("asked").expect("new");
        assert_eq!((added.token, added.scope, &added.label), (new.token, scope, &new.label));
        assert_eq!(added.expires_ms, Some(added.created_ms + 3_600_000));
        assert_eq!(store.token(&new.token).await.expect("asked"), Some(added));
        names.push(new.token);
    }
    assert_eq!(store.token(&Digest::of(b"forged")).await.expect("asked"), None);
    assert!(store.revoke_token(&names[0]).await.expect("asked"));
    assert!(!store.revoke_token(&names[0]).await.expect("asked"), "revoked before");
    assert!(!store.revoke_token(&Digest::of(b"forged")).await.expect("asked"), "unknown");
    assert_eq!(store.token(&names[0]).await.expect("asked"), None);
    let listed = store.tokens().await.expect("asked");
    assert_eq!(listed.len(), 4);
    assert_eq!(listed.iter().filter(|token| token.revoked_ms.is_some()).count(), 1);
    let again = store.add_token(&token("token 0", None)).await.expect("asked");
    assert_eq!(again, None, "a revoked token does not come back");
    assert_eq!(store.token(&names[0]).await.expect("asked"), None);
}

/// A token ends by the database's clock; one without an end does not.
pub async fn a_token_expires<S: Store>(store: &S) {
    store.add_token(&token("short", Some(NONE))).await.expect("asked").expect("new");
    store.add_token(&token("long", None)).await.expect("asked").expect("new");
    assert_eq!(store.token(&Digest::of(b"short")).await.expect("asked"), None);
    let long = store.token(&Digest::of(b"long")).await.expect("asked").expect("good");
    assert_eq!(long.expires_ms, None);
    let hostile = NewToken { label: "a\0b".to_owned(), ..token("hostile", None) };
    assert!(store.add_token(&hostile).await.expect("any label will do").is_some());
}

fn request(key: &str, text: &str) -> KeyedRequest {
    KeyedRequest { token: Digest::of(b"token"), key: key.to_owned(), request: Digest::of(text.as_bytes()) }
}

fn accepted() -> Answer {
    Answer { status: 201, body: r#"{"title":"film"}"#.to_owned() }
}

async fn granted(store: &impl Access, request: &KeyedRequest) -> ClaimToken {
    match store.claim(request, LONG).await.expect("asked") {
        Claim::Granted(claim) => claim,
        other => panic!("{other:?}"),
    }
}

/// A client that did not hear the answer asks again and is told the same.
pub async fn a_repeated_request_gets_the_same_answer<S: Store>(store: &S) {
    let first = request("key \0 of any kind", "submit film");
    let claim = granted(store, &first).await;
    assert_eq!(store.claim(&first, LONG).await.expect("asked"), Claim::InProgress);
    assert!(store.answer(&first, claim, &accepted(), LONG).await.expect("asked"));
    assert_eq!(store.claim(&first, LONG).await.expect("asked"), Claim::Answered(accepted()));
    let other = Answer { status: 500, body: String::new() };
    assert!(!store.answer(&first, claim, &other, LONG).await.expect("asked"), "answered before");
    assert_eq!(store.claim(&first, LONG).await.expect("asked"), Claim::Answered(accepted()));
}

/// A key stands for one request, of one token.
pub async fn a_key_stands_for_one_request<S: Store>(store: &S) {
    let first = request("key", "submit film");
    let claim = granted(store, &first).await;
    let conflict = |refused| matches!(refused, Err(StoreError::KeyReused { key }) if key == "key");
    assert!(conflict(store.claim(&request("key", "submit other"), LONG).await));
    assert!(store.answer(&first, claim, &accepted(), LONG).await.expect("asked"));
    assert!(conflict(store.claim(&request("key", "submit other"), LONG).await));
    assert_eq!(store.claim(&first, LONG).await.expect("asked"), Claim::Answered(accepted()));
    let strangers = KeyedRequest { token: Digest::of(b"other"), ..request("key", "submit other") };
    granted(store, &strangers).await;
    granted(store, &request("Key", "submit other")).await;
}

/// A claim whose holder died goes to the next who asks, and the dead cannot answer any more.
pub async fn a_claim_and_an_answer_are_forgotten_in_time<S: Store>(store: &S) {
    let first = request("key", "submit film");
    let Claim::Granted(dead) = store.claim(&first, NONE).await.expect("asked") else { panic!("not granted") };
    let claim = granted(store, &first).await;
    assert!(!store.answer(&first, dead, &accepted(), LONG).await.expect("asked"));
    assert!(store.answer(&first, claim, &accepted(), NONE).await.expect("asked"));
    granted(store, &request("key", "submit other")).await;
}
