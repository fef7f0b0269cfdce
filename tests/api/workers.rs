//! Workers and queues.

use std::time::Duration;

use reelfarm_model::message::ControlMessage;
use reelfarm_model::{Code, Pool, WorkerId};
use reelfarm_queue::Broker as _;
use reelfarm_store::Scope;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::farm::{Farm, PATIENCE, problem, wait_until};

#[tokio::test(flavor = "multi_thread")]
async fn workers_are_listed_with_their_slots() {
    let farm = Farm::start().await;
    assert_eq!(farm.get("/api/v1/workers").await, json!([]));
    farm.report("host-1", &[(Pool::Cpu, 4, 1), (Pool::Light, 2, 0)]).await;
    let workers = farm.get("/api/v1/workers").await;
    assert_eq!((&workers[0]["worker"], &workers[0]["phase"]), (&json!("host-1"), &json!("serving")));
    assert_eq!(workers[0]["pools"]["cpu"], json!({ "total": 4, "busy": 1 }));
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn queues_say_what_waits_and_who_serves() {
    let farm = Farm::start().await;
    farm.report("host-1", &[(Pool::Light, 2, 1)]).await;
    farm.report("host-2", &[(Pool::Light, 3, 0)]).await;
    farm.submit("film").await;
    wait_until("its first task is at the broker", async || {
        farm.get("/api/v1/queues").await[2]["waiting"] == 1
    })
    .await;
    let queues = farm.get("/api/v1/queues").await;
    assert_eq!(
        queues[2],
        json!({ "pool": "light", "workers": 2, "slots": 5, "busy": 1, "waiting": 1, "receivers": 0 })
    );
    assert_eq!(queues[0]["pool"], "cpu");
    assert_eq!(queues[0]["slots"], 0);
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_is_told_to_drain_and_an_unknown_one_is_not_found() {
    let farm = Farm::start().await;
    let mut control = farm.broker.subscribe_control(&WorkerId("host-1".to_owned())).await.unwrap();
    let drain = async |worker: &str| {
        let path = format!("/api/v1/workers/{worker}/drain");
        farm.request(Scope::Admin, Method::POST, &path).send().await.unwrap()
    };
    problem(drain("host-1").await, StatusCode::NOT_FOUND, Code::NotFound).await;
    farm.report("host-1", &[(Pool::Light, 2, 0)]).await;
    assert_eq!(drain("host-1").await.status(), StatusCode::ACCEPTED);
    let told = tokio::time::timeout(PATIENCE, control.next()).await.unwrap().unwrap();
    assert_eq!(told, ControlMessage::Drain { worker: WorkerId("host-1".to_owned()) });
    problem(drain("..%2f..").await, StatusCode::NOT_FOUND, Code::NotFound).await;
    let silence = tokio::time::timeout(Duration::ZERO, control.next()).await;
    assert!(silence.is_err(), "nobody else is told anything");
    farm.stop().await;
}
