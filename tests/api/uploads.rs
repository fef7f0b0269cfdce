//! Uploads over the wire; what the folder makes of them is tested beside it.

use reelfarm_model::{Code, Digest};
use reelfarm_store::Scope;
use reqwest::{Method, Response, StatusCode};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use crate::farm::{Farm, body, problem, wait_until};

const REEL: &[u8] = b"the whole reel";

async fn put(farm: &Farm, name: &str, offset: &str, length: &str, bytes: &[u8]) -> Response {
    let request = farm.request(Scope::Operator, Method::PUT, &format!("/api/v1/uploads/{name}"));
    let request = request.header("upload-offset", offset).header("upload-length", length);
    request.body(bytes.to_vec()).send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_in_pieces_becomes_the_source_of_a_title() {
    let farm = Farm::start().await;
    let name = Digest::of(REEL).to_string();
    let head = async || {
        let path = format!("/api/v1/uploads/{name}");
        farm.request(Scope::ReadOnly, Method::HEAD, &path).send().await.unwrap()
    };
    assert_eq!(head().await.status(), StatusCode::NOT_FOUND);
    let status = body(put(&farm, &name, "0", "14", &REEL[..5]).await, StatusCode::OK).await;
    assert_eq!((&status["received"], &status["complete"]), (&json!(5), &json!(false)));
    assert_eq!(
        (&head().await.headers()["upload-offset"], &head().await.headers()["upload-length"]),
        (&"5".parse().unwrap(), &"14".parse().unwrap())
    );
    let wish = json!({ "title": "film", "source": { "upload": name } });
    problem(farm.post("/api/v1/titles", &wish).await, StatusCode::NOT_FOUND, Code::NotFound).await;
    let status = body(put(&farm, &name, "5", "14", &REEL[5..]).await, StatusCode::OK).await;
    assert_eq!(status["complete"], true);
    let title = body(farm.post("/api/v1/titles", &wish).await, StatusCode::ACCEPTED).await;
    assert_eq!(title["submission"]["source"]["size"], 14);
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_uploads_are_refused_and_change_nothing() {
    let farm = Farm::start().await;
    let name = Digest::of(REEL).to_string();
    body(put(&farm, &name, "0", "14", &REEL[..5]).await, StatusCode::OK).await;
    let before = farm.everything().await;
    let conflict = StatusCode::CONFLICT;
    let bad = StatusCode::BAD_REQUEST;
    let other = Digest::of(b"other").to_string();
    for (name, offset, length, bytes, status, code) in [
        (name.as_str(), "4", "14", &REEL[4..], conflict, Code::UploadRefused),
        (&name, "6", "14", &REEL[6..], conflict, Code::UploadRefused),
        (&name, "5", "15", &REEL[5..], conflict, Code::UploadRefused),
        (&name, "5", "14", b"more than there is to come", conflict, Code::UploadRefused),
        (&other, "0", "14", REEL, conflict, Code::UploadRefused),
        (&name, "-1", "14", &REEL[5..], bad, Code::RequestInvalid),
        (&name, "five", "14", &REEL[5..], bad, Code::RequestInvalid),
        (&name, "5", "0", &REEL[5..], bad, Code::RequestInvalid),
        (&name, "5", "", &REEL[5..], bad, Code::RequestInvalid),
        (&name, "5", "99999999999999999999", &REEL[5..], bad, Code::RequestInvalid),
        (&other, "0", "14", b"", bad, Code::RequestInvalid),
        (&other, "0", "1048577", b"reel", StatusCode::PAYLOAD_TOO_LARGE, Code::RequestTooLarge),
        ("none", "0", "14", REEL, StatusCode::NOT_FOUND, Code::NotFound),
        ("..%2f..%2ffarm.db", "0", "14", REEL, StatusCode::NOT_FOUND, Code::NotFound),
    ] {
        let answer = put(&farm, name, offset, length, bytes).await;
        assert_eq!(answer.status(), status, "{name} {offset} {length}");
        problem(answer, status, code).await;
    }
    assert_eq!(farm.everything().await, before);
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_before_a_connection_broke_is_kept() {
    let farm = Farm::start().await;
    let name = Digest::of(REEL).to_string();
    let mut connection = tokio::net::TcpStream::connect(farm.server.address()).await.unwrap();
    let head = format!(
        "PUT /api/v1/uploads/{name} HTTP/1.1\r\nhost: farm\r\nauthorization: {}\r\nupload-length: 14\r\ncontent-length: 14\r\n\r\nthe wh",
        farm.bearer(Scope::Operator)
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    let received = async || {
        let path = format!("/api/v1/uploads/{name}");
        let answer = farm.request(Scope::ReadOnly, Method::GET, &path).send().await.unwrap();
        answer.headers().get("upload-offset").is_some_and(|offset| offset == "6")
    };
    wait_until("the bytes are there", received).await;
    let busy = put(&farm, &name, "6", "14", &REEL[6..]).await;
    problem(busy, StatusCode::SERVICE_UNAVAILABLE, Code::FarmBusy).await;
    drop(connection);
    wait_until("it goes on", async || {
        put(&farm, &name, "6", "14", &REEL[6..]).await.status() == StatusCode::OK
    })
    .await;
    farm.stop().await;
}
