//! Several schedulers: one leads, the others send on to it what only it can do.

use reelfarm_model::Code;
use reelfarm_scheduler::leader::Leader;
use reelfarm_store::Scope;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::farm::{Farm, body, problem};

/// A stand-by that takes `leader` for the leader, and knows its tokens.
async fn standby_of(leader: &Farm) -> Farm {
    let mut standby = Farm::start().await;
    standby.leader.send_replace(Leader::At(format!("http://{}", leader.server.address())));
    for (scope, secret) in &leader.tokens {
        let store = &*standby.store;
        reelfarm_scheduler::api::enrol(store, secret, *scope, "leader's", None).await.unwrap().unwrap();
    }
    standby.tokens = leader.tokens.clone();
    standby
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_sends_commands_on_to_the_leader() {
    let leader = Farm::start().await;
    let standby = standby_of(&leader).await;
    let wish = leader.submission("film");
    let request = standby.request(Scope::Operator, Method::POST, "/api/v1/titles").json(&wish);
    let request = request.header("idempotency-key", "key").header("x-request-id", "mine");
    let answer = request.try_clone().unwrap().send().await.unwrap();
    assert_eq!(answer.headers()["x-request-id"], "mine");
    let title = body(answer, StatusCode::ACCEPTED).await;
    let known = leader.get("/api/v1/titles/film").await;
    assert_eq!(known["title"]["submission"], title["submission"]);
    let again = request.send().await.unwrap();
    assert_eq!(again.headers()["idempotency-replayed"], "true");

    let mut watching =
        standby.request(Scope::ReadOnly, Method::GET, "/api/v1/titles/film/events").send().await.unwrap();
    let first = watching.chunk().await.unwrap().unwrap();
    assert!(first.starts_with(b"event: snapshot\n"), "{first:?}");
    drop(watching);

    let refused = standby.post("/api/v1/titles/none/cancel", &json!(null)).await;
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
    assert_eq!(refused.status(), StatusCode::NOT_FOUND);
    standby.stop().await;
    leader.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_take_each_other_for_the_leader_do_not_send_a_request_back_and_forth() {
    let one = Farm::start().await;
    let other = standby_of(&one).await;
    one.leader.send_replace(Leader::At(format!("http://{}", other.server.address())));
    let answer = one.post("/api/v1/titles", &one.submission("film")).await;
    assert!(answer.headers().contains_key("retry-after"));
    problem_of_another(answer).await;
    one.stop().await;
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_leader_reads_are_answered_and_commands_wait() {
    let farm = Farm::start().await;
    farm.submit("film").await;
    for leader in [Leader::Nobody, Leader::At("http://127.0.0.1:1".to_owned()), Leader::At("none".to_owned())]
    {
        farm.leader.send_replace(leader);
        let before = farm.everything().await;
        assert_eq!(farm.get("/api/v1/titles").await["titles"].as_array().unwrap().len(), 1);
        assert_eq!(farm.get("/api/v1/titles/film").await["title"]["state"], "checking");
        for path in ["/api/v1/titles/film/cancel", "/api/v1/titles/film/hold"] {
            let answer = farm.post(path, &json!(null)).await;
            assert!(answer.headers().contains_key("retry-after"));
            problem(answer, StatusCode::SERVICE_UNAVAILABLE, Code::FarmUnreachable).await;
        }
        assert_eq!(farm.everything().await, before);
    }
    farm.stop().await;
}

/// Its request has the name that the first gave it.
async fn problem_of_another(answer: reqwest::Response) {
    let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
    let said = body(answer, StatusCode::SERVICE_UNAVAILABLE).await;
    assert_eq!((&said["code"], &said["request_id"]), (&json!("RF-API-008"), &json!(id)));
}
