//! What a client can get wrong is refused with a code, and changes nothing.

use reelfarm_model::Code;
use reelfarm_store::Scope;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::farm::{Farm, problem};

#[tokio::test(flavor = "multi_thread")]
async fn wrong_submissions_are_refused_and_change_nothing() {
    let farm = Farm::start().await;
    let good = farm.submission("film");
    let empty = farm.path("films/empty.mov");
    fs_err::write(&empty, b"").unwrap();
    let with = |name: &str, value: Value| {
        let mut wish = good.clone();
        wish[name] = value;
        wish
    };
    let without = |name: &str| {
        let mut wish = good.clone();
        wish.as_object_mut().unwrap().remove(name);
        wish
    };
    let film = farm.path("films/film.mov").to_string_lossy().into_owned();
    let path = |text: &str| with("source", json!({ "path": text }));
    let unprocessable = StatusCode::UNPROCESSABLE_ENTITY;
    let bad = StatusCode::BAD_REQUEST;
    let before = farm.everything().await;
    for (wish, status, code) in [
        // Wrong types and forms.
        (Value::Null, unprocessable, Code::RequestInvalid),
        (json!([]), unprocessable, Code::RequestInvalid),
        (json!({}), unprocessable, Code::RequestInvalid),
        (without("title"), unprocessable, Code::RequestInvalid),
        (without("source"), unprocessable, Code::RequestInvalid),
        (with("title", json!(5)), unprocessable, Code::RequestInvalid),
        (with("no_clear", json!("yes")), unprocessable, Code::RequestInvalid),
        (with("profiles", json!("all")), unprocessable, Code::RequestInvalid),
        (with("origin", json!("/elsewhere")), unprocessable, Code::RequestInvalid),
        (with("source", json!(film)), unprocessable, Code::RequestInvalid),
        (with("source", json!({ "path": film, "upload": "0" })), bad, Code::RequestInvalid),
        (with("source", json!({ "upload": "0" })), unprocessable, Code::RequestInvalid),
        // Names that would be paths.
        (with("title", json!("../film")), unprocessable, Code::RequestInvalid),
        (with("title", json!("a/b")), unprocessable, Code::RequestInvalid),
        (with("title", json!("..")), unprocessable, Code::RequestInvalid),
        (with("title", json!("")), unprocessable, Code::RequestInvalid),
        (with("title", json!("a\u{0}b")), unprocessable, Code::RequestInvalid),
        (with("title", json!("x".repeat(101))), unprocessable, Code::RequestInvalid),
        // Sources elsewhere.
        (path("/etc/passwd"), bad, Code::RequestInvalid),
        (path("films/film.mov"), bad, Code::RequestInvalid),
        (path(&film.replace("/films/", "/films/../films/")), bad, Code::RequestInvalid),
        (path(&farm.path("farm.db").to_string_lossy()), bad, Code::RequestInvalid),
        (path("file:///etc/passwd"), bad, Code::RequestInvalid),
        (with("source", json!({ "url": "s3://bucket/film.mov" })), bad, Code::RequestInvalid),
        // Sources that are none.
        (path(&format!("{film}.none")), unprocessable, Code::SourceNotFound),
        (path(&farm.path("films").to_string_lossy()), unprocessable, Code::SourceNotAFile),
        (path(&empty.to_string_lossy()), unprocessable, Code::SourceEmpty),
        (with("source", json!({ "upload": "0".repeat(64) })), StatusCode::NOT_FOUND, Code::NotFound),
        // What there is not.
        (with("ladder", json!({ "name": "best" })), unprocessable, Code::UnknownName),
        (with("ladder", json!({ "name": "../fast" })), unprocessable, Code::UnknownName),
        (with("ladder", json!({ "text": "name = 5" })), unprocessable, Code::LadderInvalid),
        (with("profiles", json!(["dash-none"])), unprocessable, Code::UnknownName),
        (with("profiles", json!([])), unprocessable, Code::RightsLeaveNothing),
        (with("drm", json!(["none"])), unprocessable, Code::UnknownName),
        (with("no_clear", json!(true)), unprocessable, Code::RightsLeaveNothing),
        (with("audio_language", json!("klingonese-x")), unprocessable, Code::UnknownName),
    ] {
        let shown = wish.to_string();
        let answer = farm.post("/api/v1/titles", &wish).await;
        assert_eq!(answer.status(), status, "{shown}");
        problem(answer, status, code).await;
    }
    assert_eq!(farm.everything().await, before);
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_file_does_not_get_the_name_of_a_title_that_is_under_way() {
    let farm = Farm::start().await;
    farm.submit("film").await;
    let before = farm.everything().await;
    let mut other = farm.submission("other");
    other["title"] = json!("film");
    let answer = farm.post("/api/v1/titles", &other).await;
    problem(answer, StatusCode::CONFLICT, Code::TitleNameTaken).await;
    assert_eq!(farm.everything().await, before);
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_no_json_or_too_large_are_refused() {
    let farm = Farm::start().await;
    let before = farm.everything().await;
    let send = async |content_type: Option<&str>, body: Vec<u8>| {
        let request = farm.request(Scope::Operator, Method::POST, "/api/v1/titles").body(body);
        let request =
            content_type.iter().fold(request, |request, kind| request.header("content-type", *kind));
        request.send().await.unwrap()
    };
    let json = Some("application/json");
    for (kind, body, status, code) in [
        (json, b"{".to_vec(), 400, Code::RequestInvalid),
        (json, b"\xff\xfe".to_vec(), 400, Code::RequestInvalid),
        (json, Vec::new(), 400, Code::RequestInvalid),
        (json, b"{\"title\": }".to_vec(), 400, Code::RequestInvalid),
        (json, [b"[".repeat(100_000), b"]".repeat(100_000)].concat(), 422, Code::RequestInvalid),
        (None, b"{}".to_vec(), 415, Code::RequestInvalid),
        (Some("text/plain"), b"{}".to_vec(), 415, Code::RequestInvalid),
        (json, vec![b' '; 4 << 20], 413, Code::RequestTooLarge),
    ] {
        let size = body.len();
        let answer = send(kind, body).await;
        assert_eq!(answer.status(), status, "{kind:?}, {size} bytes");
        problem(answer, StatusCode::from_u16(status).unwrap(), code).await;
    }
    assert_eq!(farm.everything().await, before);
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_titles_and_names_that_are_paths_are_not_found() {
    let farm = Farm::start().await;
    let before = farm.everything().await;
    for name in ["none", "..%2f..%2fetc%2fpasswd", "%00", "a%2Fb", "%ff", &"x".repeat(5000)] {
        for (method, rest) in [
            (Method::GET, ""),
            (Method::GET, "/events"),
            (Method::POST, "/cancel"),
            (Method::POST, "/hold"),
            (Method::POST, "/release"),
            (Method::POST, "/retry"),
        ] {
            let path = format!("/api/v1/titles/{name}{rest}");
            let answer = farm.request(Scope::Operator, method, &path).send().await.unwrap();
            let status = answer.status();
            assert!(matches!(status.as_u16(), 404 | 405), "{path}: {status}");
            assert_eq!(answer.headers()["content-type"], "application/problem+json", "{path}");
        }
    }
    let answer = farm.post("/api/v1/titles/none/retry", &json!({ "task": "qc" })).await;
    problem(answer, StatusCode::NOT_FOUND, Code::TitleNotFound).await;
    assert_eq!(farm.everything().await, before);
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_queries_are_refused() {
    let farm = Farm::start().await;
    for query in [
        "limit=0",
        "limit=1001",
        "limit=-1",
        "limit=many",
        "limit=99999999999",
        "state=none",
        "state=",
        "cursor=%2e%2e",
        "cursor=Li4vLi4",
        "prefix=%25",
        "prefix=",
        "contains=a%2Fb",
        "unknown=1",
        "limit=1&limit=2",
    ] {
        let path = format!("/api/v1/titles?{query}");
        let answer = farm.request(Scope::ReadOnly, Method::GET, &path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{query}");
        problem(answer, StatusCode::BAD_REQUEST, Code::RequestInvalid).await;
    }
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_and_methods_that_do_not_exist_are_problems_too() {
    let farm = Farm::start().await;
    for (method, path, status, code) in [
        (Method::GET, "/", 404, Code::NotFound),
        (Method::GET, "/api/v2/titles", 404, Code::NotFound),
        (Method::GET, "/api/v1/", 404, Code::NotFound),
        (Method::DELETE, "/api/v1/titles", 405, Code::RequestInvalid),
        (Method::PATCH, "/api/v1/titles/film", 405, Code::RequestInvalid),
        (Method::POST, "/healthz", 405, Code::RequestInvalid),
    ] {
        let answer = farm.request(Scope::Admin, method.clone(), path).send().await.unwrap();
        assert_eq!(answer.status(), status, "{method} {path}");
        assert_eq!(answer.headers().contains_key("allow"), status == 405);
        problem(answer, StatusCode::from_u16(status).unwrap(), code).await;
    }
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dots_in_an_address_lead_nowhere() {
    let farm = Farm::start().await;
    // By hand: clients resolve dots before they send anything.
    for path in [
        "/api/v1/titles/..",
        "/api/v1/titles/../tokens",
        "/../../etc/passwd",
        "/api/v1/uploads/../../farm.db",
    ] {
        let mut connection = tokio::net::TcpStream::connect(farm.server.address()).await.unwrap();
        let bearer = farm.bearer(Scope::Admin);
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: farm\r\nauthorization: {bearer}\r\nconnection: close\r\n\r\n"
        );
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 404 "), "{path}: {answer}");
    }
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_keeps_its_name_and_a_hostile_one_is_not_repeated() {
    let farm = Farm::start().await;
    let named = async |id: &str| {
        let answer = farm.plain(Method::GET, "/healthz").header("x-request-id", id).send().await.unwrap();
        answer.headers()["x-request-id"].to_str().unwrap().to_owned()
    };
    assert_eq!(named("my-request.1").await, "my-request.1");
    for id in ["", "a b", "<script>", &"x".repeat(101)] {
        let given = named(id).await;
        assert_eq!(given.len(), 32, "{id:?} became {given}");
    }
    farm.stop().await;
}
