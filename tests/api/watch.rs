//! Streams of events.

use std::time::Duration;

use reelfarm_model::message::WorkerEvent;
use reelfarm_model::{Code, Pool, Progress, WorkerId};
use reelfarm_queue::Broker as _;
use reelfarm_scheduler::api::ApiLimits;
use reelfarm_scheduler::leader::Leader;
use reelfarm_store::Scope;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::farm::{Farm, PATIENCE, Wish, body, problem};

struct Stream {
    answer: Response,
    text: String,
}

impl Stream {
    async fn open(farm: &Farm, path: &str) -> Self {
        let answer = farm.request(Scope::ReadOnly, Method::GET, path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self { answer, text: String::new() }
    }

    /// The next event; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let data = event.lines().find_map(|line| line.strip_prefix("data: "));
                let name = event.lines().find_map(|line| line.strip_prefix("event: "));
                let (data, name) = (data.map(str::to_owned), name.map(str::to_owned));
                self.text = rest.to_owned();
                let Some(data) = data else { continue };
                let event: Value = serde_json::from_str(&data).unwrap();
                assert_eq!(event["event"], name.unwrap());
                return Some(event);
            }
            let piece = tokio::time::timeout(PATIENCE, self.answer.chunk()).await.unwrap();
            self.text.push_str(std::str::from_utf8(&piece.ok()??).unwrap());
        }
    }

    async fn until(&mut self, name: &str) -> Value {
        loop {
            let event = self.next().await.unwrap_or_else(|| panic!("the stream ended before {name}"));
            if event["event"] == name {
                return event;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_when_its_token_is_revoked() {
    let limits = ApiLimits { token_look: Duration::from_millis(50), ..ApiLimits::default() };
    let farm = Farm::start_with(Wish { limits, ..Wish::default() }).await;
    let request = json!({ "scope": "read-only", "label": "a display", "lifetime_seconds": 3600 });
    let made =
        farm.request(Scope::Admin, Method::POST, "/api/v1/tokens").json(&request).send().await.unwrap();
    let made = body(made, StatusCode::CREATED).await;
    let bearer = format!("Bearer {}", made["secret"].as_str().unwrap());
    let answer =
        farm.plain(Method::GET, "/api/v1/events").header("authorization", bearer).send().await.unwrap();
    let mut revoked = Stream { answer, text: String::new() };
    let mut other = Stream::open(&farm, "/api/v1/events").await;
    revoked.until("live").await;
    other.until("live").await;
    let path = format!("/api/v1/tokens/{}", made["token"].as_str().unwrap());
    let answer = farm.request(Scope::Admin, Method::DELETE, &path).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert_eq!(revoked.next().await, None);
    farm.submit("film").await;
    other.until("title-changed").await;
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_is_told_how_a_title_stands_and_then_what_happens() {
    let farm = Farm::start().await;
    farm.submit("film").await;
    farm.submit("other").await;
    farm.report("host-1", &[(Pool::Light, 1, 0)]).await;
    let mut stream = Stream::open(&farm, "/api/v1/titles/film/events").await;
    let snapshot = stream.next().await.unwrap();
    assert_eq!(snapshot["event"], "snapshot");
    assert_eq!(snapshot["title"]["submission"]["title"], "film");
    assert_eq!(stream.until("live").await, json!({ "event": "live" }));

    let fence = farm.broker.receive_task(Pool::Light).await.unwrap().message.fence;
    let worker = WorkerId("host-1".to_owned());
    farm.broker.send_event(&WorkerEvent::Started { fence, worker: worker.clone() }).await.unwrap();
    let started = stream.until("task-started").await;
    assert_eq!((&started["title"], &started["label"]), (&json!("film"), &json!("fingerprint film.mov")));
    let progress = Progress { fraction: 0.5, ..Progress::default() };
    farm.broker.send_event(&WorkerEvent::Heartbeat { fence, worker, beat: 1, progress }).await.unwrap();
    assert_eq!(stream.until("task-progress").await["progress"]["fraction"], 0.5);
    // Another's end is no news here; this one's is.
    for title in ["other", "film"] {
        body(farm.post(&format!("/api/v1/titles/{title}/cancel"), &json!(null)).await, StatusCode::OK).await;
    }
    let changed = stream.until("title-changed").await;
    assert_eq!(changed["title"]["submission"]["title"], "film");
    assert_eq!(changed["title"]["state"], "cancelled");
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_connects_again_is_told_what_happened_meanwhile() {
    let farm = Farm::start().await;
    farm.submit("film").await;
    let mut stream = Stream::open(&farm, "/api/v1/events?title=film").await;
    stream.until("live").await;
    drop(stream);
    body(farm.post("/api/v1/titles/film/cancel", &json!(null)).await, StatusCode::OK).await;
    let mut stream = Stream::open(&farm, "/api/v1/events?title=film").await;
    assert_eq!(stream.until("snapshot").await["title"]["state"], "cancelled");
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_under_way_is_watched_and_what_is_submitted_later_too() {
    let farm = Farm::start().await;
    farm.submit("ended").await;
    body(farm.post("/api/v1/titles/ended/cancel", &json!(null)).await, StatusCode::OK).await;
    farm.submit("film").await;
    let mut stream = Stream::open(&farm, "/api/v1/events").await;
    let first = stream.next().await.unwrap();
    assert_eq!(first["title"]["submission"]["title"], "film");
    assert_eq!(stream.next().await.unwrap()["event"], "live");
    farm.submit("later").await;
    loop {
        let event = stream.next().await.unwrap();
        if event["title"]["submission"]["title"] == "later" {
            break;
        }
    }
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_when_another_leads() {
    let farm = Farm::start().await;
    farm.submit("film").await;
    let mut stream = Stream::open(&farm, "/api/v1/events").await;
    stream.until("live").await;
    farm.leader.send_replace(Leader::Nobody);
    while stream.next().await.is_some() {}
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_titles_and_too_many_watchers_are_refused() {
    let limits = ApiLimits { watchers: 1, ..ApiLimits::default() };
    let farm = Farm::start_with(Wish { limits, ..Wish::default() }).await;
    let ask = async |path: &str| farm.request(Scope::ReadOnly, Method::GET, path).send().await.unwrap();
    for path in ["/api/v1/events?title=none", "/api/v1/events?title=", "/api/v1/events?title=..%2F"] {
        problem(ask(path).await, StatusCode::NOT_FOUND, Code::TitleNotFound).await;
    }
    problem(ask("/api/v1/events?titles=film").await, StatusCode::BAD_REQUEST, Code::RequestInvalid).await;
    let stream = Stream::open(&farm, "/api/v1/events").await;
    problem(ask("/api/v1/events").await, StatusCode::SERVICE_UNAVAILABLE, Code::FarmBusy).await;
    drop(stream);
    farm.stop().await;
}
