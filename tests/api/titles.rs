//! Titles submitted, looked at and steered.

use reelfarm_model::message::WorkerEvent;
use reelfarm_model::{AttemptOutcome, Code, Failure, Pool, WorkerId};
use reelfarm_queue::Broker as _;
use reelfarm_store::Scope;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::farm::{Farm, body, problem, wait_until};

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_becomes_a_title_as_the_farm_makes_them() {
    let farm = Farm::start().await;
    let title = farm.submit("film").await;
    assert_eq!(title["state"], "checking");
    assert_eq!(title["submission"]["profiles"], json!(["mp4-clr"]));
    assert_eq!(title["submission"]["ladder"]["file"], "fast.toml");
    assert_eq!(title["submission"]["source"]["size"], "reel film.mov".len());
    assert_eq!(title["submission"]["origin"], farm.path("origin").to_string_lossy().into_owned());

    let mut wish = farm.submission("other");
    wish["ladder"] = json!({ "text": include_str!("../../ladders/default.toml") });
    wish["profiles"] = json!(["dash-*"]);
    wish["drm"] = json!(["widevine"]);
    wish["no_clear"] = json!(true);
    wish["audio_language"] = json!("pt-br");
    let title = body(farm.post("/api/v1/titles", &wish).await, StatusCode::ACCEPTED).await;
    let profiles = title["submission"]["profiles"].as_array().unwrap();
    assert!(profiles.iter().all(|id| id.as_str().unwrap().starts_with("dash-wv-")), "{profiles:?}");
    assert_eq!(title["submission"]["audio_language"], "pt-BR");
    assert_eq!(title["submission"]["protection"]["source"]["from"], "master-secret");
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn titles_are_listed_page_by_page_and_filtered() {
    let farm = Farm::start().await;
    for name in ["a-1", "a-2", "b-1", "b-2", "c"] {
        farm.submit(name).await;
    }
    body(farm.post("/api/v1/titles/b-1/cancel", &json!(null)).await, StatusCode::OK).await;
    let names = |page: &Value| -> Vec<String> {
        let titles = page["titles"].as_array().unwrap().iter();
        titles.map(|title| title["submission"]["title"].as_str().unwrap().to_owned()).collect()
    };
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = farm.get(&format!("/api/v1/titles?limit=2{cursor}")).await;
        assert!(page["titles"].as_array().unwrap().len() <= 2);
        found.extend(names(&page));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(found, ["a-1", "a-2", "b-1", "b-2", "c"]);
    for (query, expected) in [
        ("prefix=b-", vec!["b-1", "b-2"]),
        ("contains=-1", vec!["a-1", "b-1"]),
        ("state=cancelled", vec!["b-1"]),
        ("state=cancelled,checking&prefix=b", vec!["b-1", "b-2"]),
        ("state=published", vec![]),
    ] {
        assert_eq!(names(&farm.get(&format!("/api/v1/titles?{query}")).await), expected, "{query}");
    }
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn status_says_why_a_title_waits() {
    let farm = Farm::start().await;
    farm.submit("film").await;
    let standing = async || farm.get("/api/v1/titles/film").await["standing"].clone();
    // The scheduler plans after it has answered.
    wait_until("it is planned", async || standing().await["next"] != json!([])).await;
    let alone = standing().await;
    assert_eq!(alone["next"][0]["label"], "fingerprint film.mov");
    assert_eq!(alone["next"][0]["because"], "no-worker");
    assert!(alone["summary"].as_str().unwrap().contains("none serves the pool light"), "{alone}");

    farm.report("host-1", &[(Pool::Light, 1, 0)]).await;
    let delivery = farm.broker.receive_task(Pool::Light).await.unwrap();
    let fence = delivery.message.fence;
    let worker = WorkerId("host-1".to_owned());
    farm.broker.send_event(&WorkerEvent::Started { fence, worker: worker.clone() }).await.unwrap();
    wait_until("it runs", async || standing().await["running"] != json!([])).await;
    assert_eq!(standing().await["running"][0]["worker"], "host-1");

    let outcome = AttemptOutcome::Failed { failure: Failure::new(Code::EncodeCrashed, "it died") };
    farm.broker.send_event(&WorkerEvent::Finished { fence, worker, outcome }).await.unwrap();
    wait_until("it failed", async || standing().await["failed_attempts"] != json!([])).await;
    let failed = standing().await;
    assert_eq!(failed["failed_attempts"][0]["worker"], "host-1");
    assert_eq!(failed["failed_attempts"][0]["failure"]["code"], "RF-ENC-003");
    assert_eq!(failed["next"][0]["because"], "back-off");
    let status = farm.get("/api/v1/titles/film").await;
    assert_eq!(status["tasks"][0]["attempts"][0]["outcome"], "failed");
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_title_is_held_released_cancelled_and_tried_again() {
    let farm = Farm::start().await;
    farm.submit("film").await;
    let steer = async |command: &str, status| {
        body(farm.post(&format!("/api/v1/titles/film/{command}"), &json!(null)).await, status).await
    };
    assert_eq!(steer("hold", StatusCode::OK).await["held"], true);
    assert_eq!(farm.get("/api/v1/titles/film").await["title"]["held"], true);
    assert_eq!(steer("release", StatusCode::OK).await.get("held"), None);
    assert_eq!(steer("cancel", StatusCode::OK).await["state"], "cancelled");
    for command in ["cancel", "hold", "release"] {
        let answer = farm.post(&format!("/api/v1/titles/film/{command}"), &json!(null)).await;
        problem(answer, StatusCode::CONFLICT, Code::TitleStateWrong).await;
    }
    let retried = steer("retry", StatusCode::ACCEPTED).await;
    assert_eq!(
        (&retried["title"]["state"], &retried["title"]["generation"]),
        (&json!("checking"), &json!(2))
    );
    let answer = farm.post("/api/v1/titles/film/retry", &json!({})).await;
    problem(answer, StatusCode::CONFLICT, Code::TitleStateWrong).await;
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_tried_again_by_its_label_or_its_key() {
    let farm = Farm::start().await;
    farm.submit("film").await;
    wait_until("it is planned", async || farm.get("/api/v1/titles/film").await["tasks"] != json!([])).await;
    let key = farm.get("/api/v1/titles/film").await["tasks"][0]["task"]["key"].as_str().unwrap().to_owned();
    for task in ["fingerprint film.mov", &key, &key[..12]] {
        let answer = farm.post("/api/v1/titles/film/retry", &json!({ "task": task })).await;
        let answer = body(answer, StatusCode::ACCEPTED).await;
        assert_eq!(answer["title"]["state"], "checking", "{task}");
    }
    for part in [json!({ "task": "encode-video" }), json!({ "rendition": "720p" })] {
        let answer = farm.post("/api/v1/titles/film/retry", &part).await;
        problem(answer, StatusCode::NOT_FOUND, Code::NotFound).await;
    }
    let both = json!({ "task": "fingerprint", "rendition": "720p" });
    let answer = farm.post("/api/v1/titles/film/retry", &both).await;
    problem(answer, StatusCode::BAD_REQUEST, Code::RequestInvalid).await;
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_sees_and_does_nothing() {
    let farm = Farm::start().await;
    farm.submit("film").await;
    for scope in [Scope::ReadOnly, Scope::Reviewer] {
        for path in ["/api/v1/titles", "/api/v1/titles/film", "/api/v1/workers", "/api/v1/queues"] {
            let answer = farm.request(scope, Method::GET, path).send().await.unwrap();
            body(answer, StatusCode::OK).await;
        }
    }
    farm.stop().await;
}
