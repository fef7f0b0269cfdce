//! Submissions that come twice.

use std::time::Duration;

use reelfarm_model::Code;
use reelfarm_store::Scope;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::farm::{Farm, body, problem, wait_until};

async fn submit(farm: &Farm, scope: Scope, key: &str, wish: &Value) -> Response {
    let request = farm.request(scope, Method::POST, "/api/v1/titles").header("idempotency-key", key);
    request.json(wish).send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_under_its_key_is_done_once_and_answered_alike() {
    let farm = Farm::start().await;
    let wish = farm.submission("film");
    let first = submit(&farm, Scope::Operator, "key-1", &wish).await;
    assert!(!first.headers().contains_key("idempotency-replayed"));
    let first = body(first, StatusCode::ACCEPTED).await;
    // What becomes of the title meanwhile changes nothing about what was answered, and is not undone.
    body(farm.post("/api/v1/titles/film/cancel", &json!(null)).await, StatusCode::OK).await;
    let again = submit(&farm, Scope::Operator, "key-1", &wish).await;
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    assert_eq!(body(again, StatusCode::ACCEPTED).await, first);
    let status = farm.get("/api/v1/titles/film").await;
    assert_eq!((&status["title"]["state"], &status["title"]["generation"]), (&json!("cancelled"), &json!(1)));
    // Under a key of its own it is another submission.
    let other = body(submit(&farm, Scope::Operator, "key-2", &wish).await, StatusCode::ACCEPTED).await;
    assert_eq!(other["generation"], 2);
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_request_under_a_used_key_is_refused_and_changes_nothing() {
    let farm = Farm::start().await;
    let (wish, other) = (farm.submission("film"), farm.submission("other"));
    body(submit(&farm, Scope::Operator, "key", &wish).await, StatusCode::ACCEPTED).await;
    farm.planned("film").await;
    let before = farm.everything().await;
    let mut changed = wish.clone();
    changed["audio_language"] = json!("de");
    for replayed in [&other, &changed] {
        let answer = submit(&farm, Scope::Operator, "key", replayed).await;
        problem(answer, StatusCode::UNPROCESSABLE_ENTITY, Code::KeyReused).await;
    }
    assert_eq!(farm.everything().await, before);
    // Keys of another token are other keys.
    body(submit(&farm, Scope::Admin, "key", &other).await, StatusCode::ACCEPTED).await;
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_request_may_be_mended_and_sent_again_under_its_key() {
    let farm = Farm::start().await;
    let mut wish = farm.submission("film");
    let film = farm.path("films/film.mov");
    fs_err::remove_file(&film).unwrap();
    let refused = submit(&farm, Scope::Operator, "key", &wish).await;
    problem(refused, StatusCode::UNPROCESSABLE_ENTITY, Code::SourceNotFound).await;
    farm.film("film.mov");
    body(submit(&farm, Scope::Operator, "key", &wish).await, StatusCode::ACCEPTED).await;
    wish["title"] = json!("second");
    let refused = submit(&farm, Scope::Operator, "key", &wish).await;
    problem(refused, StatusCode::UNPROCESSABLE_ENTITY, Code::KeyReused).await;
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_none_are_refused() {
    let farm = Farm::start().await;
    let (wish, before) = (farm.submission("film"), farm.everything().await);
    for key in ["", "a b", &"k".repeat(256)] {
        let answer = submit(&farm, Scope::Operator, key, &wish).await;
        problem(answer, StatusCode::BAD_REQUEST, Code::RequestInvalid).await;
    }
    let twice = farm.request(Scope::Operator, Method::POST, "/api/v1/titles").json(&wish);
    let twice = twice.header("idempotency-key", "a").header("idempotency-key", "b").send().await.unwrap();
    problem(twice, StatusCode::BAD_REQUEST, Code::RequestInvalid).await;
    assert_eq!(farm.everything().await, before);
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_requests_at_the_same_moment_make_one_title() {
    let farm = Farm::start().await;
    let wish = farm.submission("film");
    let requests = (0..8).map(|_| submit(&farm, Scope::Operator, "key", &wish));
    for answer in futures::future::join_all(requests).await {
        let status = answer.status();
        // Whoever comes while the first is worked on is told so.
        assert!(matches!(status.as_u16(), 202 | 409), "{status}");
    }
    assert_eq!(farm.get("/api/v1/titles/film").await["title"]["generation"], 1);
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_goes_away_before_the_answer_finds_it_under_the_key() {
    let farm = Farm::start().await;
    let address = farm.url("").trim_start_matches("http://").to_owned();
    let titles: Vec<_> = (0..50).map(|number| format!("film-{number}")).collect();
    for (number, title) in (0..).zip(&titles) {
        let mut wish = farm.submission("film");
        wish["title"] = json!(title);
        let wish = wish.to_string();
        let request = format!(
            "POST /api/v1/titles HTTP/1.1\r\nhost: {address}\r\nauthorization: {}\r\nidempotency-key: {title}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{wish}",
            farm.bearer(Scope::Operator),
            wish.len(),
        );
        let mut connection = tokio::net::TcpStream::connect(&address).await.unwrap();
        connection.write_all(request.as_bytes()).await.unwrap();
        // Some of them lose patience while it is being worked on.
        drop(tokio::time::timeout(Duration::from_micros(200) * number, connection.read_u8()).await);
    }
    for title in &titles {
        let mut wish = farm.submission("film");
        wish["title"] = json!(title);
        wait_until("the request is answered under its key", async || {
            let answer = submit(&farm, Scope::Operator, title, &wish).await;
            let status = answer.status();
            assert!(matches!(status.as_u16(), 202 | 409), "{status}");
            status == StatusCode::ACCEPTED
        })
        .await;
        assert_eq!(farm.get(&format!("/api/v1/titles/{title}")).await["title"]["generation"], 1);
    }
    farm.stop().await;
}
