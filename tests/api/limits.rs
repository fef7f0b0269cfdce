//! What a server does not let clients do to it.

use std::time::Duration;

use reelfarm_model::Code;
use reelfarm_scheduler::api::ApiLimits;
use reelfarm_store::Scope;
use reqwest::{Method, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::farm::{Farm, PATIENCE, Wish, problem, wait_until};

#[tokio::test(flavor = "multi_thread")]
async fn one_request_too_many_is_told_to_come_again() {
    let limits = ApiLimits { requests: 1, ..ApiLimits::default() };
    let farm = Farm::start_with(Wish { limits, ..Wish::default() }).await;
    // A request that is not complete keeps its place.
    let mut slow = tokio::net::TcpStream::connect(farm.server.address()).await.unwrap();
    let head = format!(
        "POST /api/v1/titles HTTP/1.1\r\nhost: farm\r\nauthorization: {}\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{{",
        farm.bearer(Scope::Operator)
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    let ask = async || farm.request(Scope::ReadOnly, Method::GET, "/api/v1/titles").send().await.unwrap();
    wait_until("the place is taken", async || ask().await.status() == StatusCode::SERVICE_UNAVAILABLE).await;
    let refused = ask().await;
    assert!(refused.headers().contains_key("retry-after"));
    problem(refused, StatusCode::SERVICE_UNAVAILABLE, Code::FarmBusy).await;
    // Whether it lives is said all the same.
    assert_eq!(farm.plain(Method::GET, "/healthz").send().await.unwrap().status(), StatusCode::OK);
    drop(slow);
    wait_until("the place is free", async || ask().await.status() == StatusCode::OK).await;
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_never_ends_is_given_up() {
    let limits = ApiLimits { time: Duration::from_millis(50), ..ApiLimits::default() };
    let farm = Farm::start_with(Wish { limits, ..Wish::default() }).await;
    let mut slow = tokio::net::TcpStream::connect(farm.server.address()).await.unwrap();
    let head = format!(
        "POST /api/v1/titles HTTP/1.1\r\nhost: farm\r\nauthorization: {}\r\ncontent-type: application/json\r\ncontent-length: 10\r\nconnection: close\r\n\r\n{{",
        farm.bearer(Scope::Operator)
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(PATIENCE, slow.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
    assert!(answer.contains("RF-API-008"), "{answer}");
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_nothing_of_its_answers_gives_its_place_back() {
    let limits = ApiLimits { silence: Duration::from_secs(1), connections: 1, ..ApiLimits::default() };
    let farm = Farm::start_with(Wish { limits, ..Wish::default() }).await;
    let mut deaf = tokio::net::TcpStream::connect(farm.server.address()).await.unwrap();
    let ask = b"GET /api/v1/openapi.json HTTP/1.1\r\nhost: farm\r\n\r\n";
    // It goes on asking, until its requests too are left unread.
    let cut = async {
        loop {
            if let Err(error) = deaf.write_all(ask).await {
                break error;
            }
        }
    };
    let error = tokio::time::timeout(PATIENCE, cut).await.unwrap();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
    wait_until("the only place is free", async || {
        farm.plain(Method::GET, "/healthz").send().await.is_ok_and(|answer| answer.status() == StatusCode::OK)
    })
    .await;
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_stops_whatever_its_clients_do() {
    let farm = Farm::start().await;
    farm.submit("film").await;
    let address = farm.server.address();
    let mut half = tokio::net::TcpStream::connect(address).await.unwrap();
    half.write_all(b"GET /healthz HTT").await.unwrap();
    let mut stream = farm.request(Scope::ReadOnly, Method::GET, "/api/v1/events").send().await.unwrap();
    stream.chunk().await.unwrap().unwrap();
    tokio::time::timeout(PATIENCE, farm.stop()).await.unwrap();
    while let Ok(Some(_)) = stream.chunk().await {}
    tokio::net::TcpListener::bind(address).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_says_what_is_missing() {
    let farm = Farm::start().await;
    let ready = async || {
        let answer = farm.plain(Method::GET, "/readyz").send().await.unwrap();
        (answer.status(), answer.json::<serde_json::Value>().await.unwrap())
    };
    let (status, said) = ready().await;
    assert_eq!((status, &said["ready"]), (StatusCode::OK, &true.into()));
    farm.leader.send_replace(reelfarm_scheduler::leader::Leader::Nobody);
    let (status, said) = ready().await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        (&said["store"], &said["broker"], &said["leader"]),
        (&true.into(), &true.into(), &false.into())
    );
    farm.store.close().await;
    let (status, said) = ready().await;
    assert_eq!((status, &said["store"]), (StatusCode::SERVICE_UNAVAILABLE, &false.into()));
    let Farm { server, .. } = farm;
    server.stop().await;
}
