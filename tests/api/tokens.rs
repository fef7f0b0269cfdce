//! Tokens: made, listed, revoked, expired, forged; and what each scope may do.

use std::time::Duration;

use reelfarm_model::Code;
use reelfarm_scheduler::api::{TokenSecret, enrol};
use reelfarm_store::Scope;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::farm::{Farm, body, problem, wait_until};

const DECIDE: &[Scope] = &[Scope::Operator, Scope::Reviewer, Scope::Admin];

const ROUTES: [(Method, &str, &[Scope]); 18] = [
    (Method::GET, "/api/v1/titles", &Scope::ALL),
    (Method::GET, "/api/v1/titles/none", &Scope::ALL),
    (Method::GET, "/api/v1/titles/none/events", &Scope::ALL),
    (Method::GET, "/api/v1/titles/none/report", &Scope::ALL),
    (Method::GET, "/api/v1/events?title=none", &Scope::ALL),
    (Method::GET, "/api/v1/workers", &Scope::ALL),
    (Method::GET, "/api/v1/queues", &Scope::ALL),
    (Method::GET, "/api/v1/reviews", &Scope::ALL),
    (Method::POST, "/api/v1/titles/none/approve", DECIDE),
    (Method::POST, "/api/v1/titles/none/reject", DECIDE),
    (Method::POST, "/api/v1/titles", &[Scope::Operator, Scope::Admin]),
    (Method::POST, "/api/v1/titles/none/cancel", &[Scope::Operator, Scope::Admin]),
    (Method::POST, "/api/v1/titles/none/hold", &[Scope::Operator, Scope::Admin]),
    (Method::POST, "/api/v1/titles/none/retry", &[Scope::Operator, Scope::Admin]),
    (Method::PUT, "/api/v1/uploads/none", &[Scope::Operator, Scope::Admin]),
    (Method::POST, "/api/v1/workers/none/drain", &[Scope::Admin]),
    (Method::GET, "/api/v1/tokens", &[Scope::Admin]),
    (Method::DELETE, "/api/v1/tokens/none", &[Scope::Admin]),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_route_wants_a_token_whose_scope_allows_it() {
    let farm = Farm::start().await;
    let before = farm.everything().await;
    for (method, path, scopes) in ROUTES {
        let answer = farm.plain(method.clone(), path).send().await.unwrap();
        assert_eq!(answer.headers()["www-authenticate"], "Bearer");
        problem(answer, StatusCode::UNAUTHORIZED, Code::TokenRefused).await;
        for scope in Scope::ALL {
            let answer = farm.request(scope, method.clone(), path).send().await.unwrap();
            if scopes.contains(&scope) {
                let status = answer.status();
                assert!(!matches!(status.as_u16(), 401 | 403), "{method} {path} as {scope}: {status}");
            } else {
                problem(answer, StatusCode::FORBIDDEN, Code::ScopeTooSmall).await;
            }
        }
    }
    assert_eq!(farm.everything().await, before);
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_tokens_are_refused() {
    let farm = Farm::start().await;
    let real = farm.tokens[&Scope::Admin].reveal().to_owned();
    let digest = farm.tokens[&Scope::Admin].digest().to_string();
    let mut turned = real.clone().into_bytes();
    let last = turned.len() - 1;
    turned[last] ^= 1;
    let turned = String::from_utf8(turned).unwrap();
    for header in [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        format!("Basic {real}"),
        format!("Bearer  {real}"),
        format!("Bearer {turned}"),
        format!("Bearer {digest}"),
        format!("Bearer {}", TokenSecret::random().reveal()),
        format!("Bearer {}", "A".repeat(6000)),
        format!("Bearer {real}, Bearer {real}"),
        "Bearer ' OR 1=1 --".to_owned(),
    ] {
        let answer = farm.plain(Method::GET, "/api/v1/titles").header("authorization", &header);
        problem(answer.send().await.unwrap(), StatusCode::UNAUTHORIZED, Code::TokenRefused).await;
    }
    let twice = farm.request(Scope::Admin, Method::GET, "/api/v1/titles");
    let twice = twice.header("authorization", farm.bearer(Scope::Admin)).send().await.unwrap();
    problem(twice, StatusCode::UNAUTHORIZED, Code::TokenRefused).await;
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_works_until_it_is_revoked_and_is_never_shown_again() {
    let farm = Farm::start().await;
    let admin = |method, path: &str| farm.request(Scope::Admin, method, path);
    let request = json!({ "scope": "operator", "label": "somebody", "lifetime_seconds": 3600 });
    let made = admin(Method::POST, "/api/v1/tokens").json(&request).send().await.unwrap();
    assert_eq!(made.headers()["cache-control"], "no-store");
    let made = body(made, StatusCode::CREATED).await;
    let (secret, name) = (made["secret"].as_str().unwrap(), made["token"].as_str().unwrap());
    assert_eq!(made["expires_ms"].as_i64().unwrap() - made["created_ms"].as_i64().unwrap(), 3_600_000);
    let use_it = async || {
        let request =
            farm.plain(Method::GET, "/api/v1/titles").header("authorization", format!("Bearer {secret}"));
        request.send().await.unwrap().status()
    };
    assert_eq!(use_it().await, StatusCode::OK);
    let listed = body(admin(Method::GET, "/api/v1/tokens").send().await.unwrap(), StatusCode::OK).await;
    assert!(!listed.to_string().contains(secret));
    let ours = listed.as_array().unwrap().iter().find(|token| token["token"] == name).unwrap();
    assert_eq!((&ours["label"], &ours["scope"]), (&json!("somebody"), &json!("operator")));
    // Revoking twice is revoking once.
    for _ in 0..2 {
        let answer = admin(Method::DELETE, &format!("/api/v1/tokens/{name}")).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    }
    assert_eq!(use_it().await, StatusCode::UNAUTHORIZED);
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_token_is_refused_as_an_unknown_one_is() {
    let farm = Farm::start().await;
    let secret = TokenSecret::random();
    enrol(&*farm.store, &secret, Scope::Admin, "short", Some(Duration::from_millis(1)))
        .await
        .unwrap()
        .unwrap();
    let ask = async || {
        let bearer = format!("Bearer {}", secret.reveal());
        farm.plain(Method::GET, "/api/v1/titles").header("authorization", bearer).send().await.unwrap()
    };
    wait_until("it expired", async || ask().await.status() == StatusCode::UNAUTHORIZED).await;
    let expired = problem(ask().await, StatusCode::UNAUTHORIZED, Code::TokenRefused).await;
    let unknown = farm.plain(Method::GET, "/api/v1/titles").header("authorization", "Bearer unknown");
    let unknown = problem(unknown.send().await.unwrap(), StatusCode::UNAUTHORIZED, Code::TokenRefused).await;
    assert_eq!(expired["detail"], unknown["detail"]);
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_cannot_be_made_are_refused() {
    let farm = Farm::start().await;
    let before = farm.everything().await;
    let long = "x".repeat(201);
    for (request, status) in [
        (json!({ "scope": "operator" }), 422),
        (json!({ "scope": "owner", "label": "x" }), 422),
        (json!({ "scope": "operator", "label": 5 }), 422),
        (json!({ "scope": "operator", "label": "x", "admin": true }), 422),
        (json!({ "scope": "operator", "label": "" }), 400),
        (json!({ "scope": "operator", "label": "a\nb" }), 400),
        (json!({ "scope": "operator", "label": long }), 400),
        (json!({ "scope": "operator", "label": "x", "lifetime_seconds": 0 }), 400),
        (json!({ "scope": "operator", "label": "x", "lifetime_seconds": u64::MAX }), 400),
        (json!({ "scope": "operator", "label": "x", "lifetime_seconds": -1 }), 422),
        (Value::Null, 422),
    ] {
        let answer =
            farm.request(Scope::Admin, Method::POST, "/api/v1/tokens").json(&request).send().await.unwrap();
        problem(answer, StatusCode::from_u16(status).unwrap(), Code::RequestInvalid).await;
    }
    for name in ["none", &"0".repeat(64), "..%2F..%2Fetc", "%00"] {
        let path = format!("/api/v1/tokens/{name}");
        let answer = farm.request(Scope::Admin, Method::DELETE, &path).send().await.unwrap();
        problem(answer, StatusCode::NOT_FOUND, Code::NotFound).await;
    }
    assert_eq!(farm.everything().await, before);
    farm.stop().await;
}
