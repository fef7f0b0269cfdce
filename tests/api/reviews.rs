//! Titles that QC leaves to people, who decide about them.

use std::process::Stdio;

use reelfarm_model::Code;
use reelfarm_store::Scope;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::command_line::Person;
use crate::farm::{Farm, PATIENCE, Wish, body, problem, wait_until};
use crate::support::clips;

/// A farm that makes titles, and asks in which language they are.
async fn farm() -> Farm {
    Farm::start_with(Wish { worker: true, policy: clips::policy_that_asks(), ..Wish::default() }).await
}

async fn post(farm: &Farm, scope: Scope, path: &str, key: Option<&str>, wish: &Value) -> Response {
    let request = farm.request(scope, Method::POST, &format!("/api/v1/titles/{path}"));
    let request = key.into_iter().fold(request, |request, key| request.header("idempotency-key", key));
    request.json(wish).send().await.unwrap()
}

async fn status(farm: &Farm, title: &str) -> Value {
    farm.get(&format!("/api/v1/titles/{title}")).await
}

/// Submits a film that says nothing of its language; the length tells films apart.
async fn waits(farm: &Farm, title: &str, seconds: u32) -> Value {
    let film = clips::film_of_no_language(&farm.path(&format!("films/{title}.mp4")), seconds);
    let wish = json!({ "title": title, "source": { "path": film } });
    body(farm.post("/api/v1/titles", &wish).await, StatusCode::ACCEPTED).await;
    wait_until("it waits for a person", async || status(farm, title).await["title"]["state"] == "review")
        .await;
    status(farm, title).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reviewer_approves_what_was_looked_at_and_nothing_else() {
    let farm = farm().await;
    let shown = waits(&farm, "film", 2).await;
    let asked: Vec<_> = shown["title"]["report"]["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|check| check["verdict"] == "human")
        .map(|check| (check["code"].clone(), check["remedy"].as_str().unwrap().contains("--audio-lang")))
        .collect();
    assert_eq!(asked, [(json!("RF-QC-009"), true)]);
    assert!(shown["standing"]["summary"].as_str().unwrap().contains("`reelfarm approve film`"), "{shown:#}");
    assert_eq!((&shown["reviews"], &shown["title"]["report"]["verdict"]), (&json!([]), &json!("human")));
    assert_eq!(farm.get("/api/v1/titles?state=review").await["titles"][0]["submission"]["title"], "film");

    let viewer = post(&farm, Scope::ReadOnly, "film/approve", None, &json!({})).await;
    problem(viewer, StatusCode::FORBIDDEN, Code::ScopeTooSmall).await;
    for (path, wish, status, code) in [
        ("none/approve", json!({}), 404, Code::TitleNotFound),
        ("film/approve", json!({ "asked_ms": 7 }), 409, Code::ReviewOutdated),
        ("film/approve", json!({ "why": "two\nlines" }), 400, Code::RequestInvalid),
        ("film/approve", json!({ "because": "it is in Basque" }), 422, Code::RequestInvalid),
        ("film/reject", json!({}), 422, Code::RequestInvalid),
        ("film/reject", json!({ "why": "" }), 400, Code::RequestInvalid),
    ] {
        let answer = post(&farm, Scope::Reviewer, path, None, &wish).await;
        problem(answer, StatusCode::from_u16(status).unwrap(), code).await;
    }
    assert_eq!(status(&farm, "film").await["title"], shown["title"]);

    let wish = json!({ "why": "it is in Basque", "asked_ms": shown["title"]["review"]["asked_ms"] });
    let first = post(&farm, Scope::Reviewer, "film/approve", Some("key"), &wish).await;
    let first = body(first, StatusCode::OK).await;
    assert_eq!((&first["state"], &first["generation"]), (&json!("checking"), &json!(1)));
    let again = post(&farm, Scope::Reviewer, "film/approve", Some("key"), &wish).await;
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    assert_eq!(body(again, StatusCode::OK).await, first);
    // Without a key as well: it is approved, and nothing is noted twice.
    body(post(&farm, Scope::Operator, "film/approve", None, &Value::Null).await, StatusCode::OK).await;
    let person = Person { farm: &farm, scope: Scope::ReadOnly };
    assert_eq!(person.json(&["watch", "film"]).await["titles"][0]["state"], "published");
    let reviews = farm.get("/api/v1/reviews").await;
    assert_eq!(reviews.as_array().unwrap().len(), 1, "{reviews:#}");
    let review = &reviews[0];
    assert_eq!((&review["title"], &review["decision"]), (&json!("film"), &json!("approved")));
    assert_eq!((&review["reviewer"], &review["why"]), (&json!("test"), &json!("it is in Basque")));
    assert_eq!(
        (&review["policy"], &review["questions"][0]["code"]),
        (&json!("default"), &json!("RF-QC-009"))
    );
    assert_eq!(status(&farm, "film").await["reviews"], reviews);
    let late = post(&farm, Scope::Reviewer, "film/reject", None, &json!({ "why": "no" })).await;
    problem(late, StatusCode::CONFLICT, Code::TitleStateWrong).await;
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_decides_on_the_command_line() {
    let farm = farm().await;
    waits(&farm, "good", 2).await;
    waits(&farm, "bad", 3).await;
    let person = Person { farm: &farm, scope: Scope::Reviewer };
    let run = async |arguments: &[&str]| {
        let output = person.run(arguments).await;
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code(), text)
    };
    let (_, listed) = run(&["list", "--in", "review"]).await;
    assert!(listed.lines().count() == 2 && listed.starts_with("bad "), "{listed}");
    let (_, shown) = run(&["status", "bad"]).await;
    assert!(shown.starts_with("bad  review\n"), "{shown}");
    assert!(shown.contains("look   at audio language: ") && shown.contains("(RF-QC-009)"), "{shown}");
    let (_, none) = run(&["reviews"]).await;
    assert!(none.contains("nobody has decided"), "{none}");
    let (code, text) = run(&["reject", "bad"]).await;
    assert!(code == Some(2) && text.contains("--why"), "{text}");
    let (code, text) = run(&["reject", "bad", "none", "--why", "nobody knows it"]).await;
    assert!(code == Some(3) && text.contains("bad  rejected\n") && text.contains("RF-TTL-003"), "{text}");
    let (code, text) = run(&["approve", "good", "--why", "it is in Basque"]).await;
    assert!(code == Some(0) && text.starts_with("good  approved, now checking"), "{text}");
    let (code, text) = run(&["watch", "good"]).await;
    assert!(code == Some(0) && text.contains("good  published"), "{text}");

    // Who submits what was rejected is told so, in the same words, and nobody is asked.
    let operator = Person { farm: &farm, scope: Scope::Operator };
    let film = farm.path("films/bad.mp4");
    let output = operator.run(&["submit", film.to_str().unwrap(), "--wait"]).await;
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("test rejected it: nobody knows it") && said.contains("RF-TTL-007"), "{said}");
    let (_, reviews) = run(&["reviews"]).await;
    let lines: Vec<_> = reviews.lines().collect();
    assert!(
        lines.len() == 2
            && lines[0].starts_with("good ")
            && lines[0].contains("approved by test")
            && lines[1].ends_with("rejected by test (policy default): nobody knows it"),
        "{reviews}"
    );
    let (_, shown) = run(&["status", "bad"]).await;
    assert!(shown.contains("decided  2") && shown.contains("nobody knows it"), "{shown}");
    let viewer = Person { farm: &farm, scope: Scope::ReadOnly };
    let output = viewer.run(&["approve", "bad"]).await;
    assert_eq!(output.status.code(), Some(4));
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_for_a_title_is_told_that_it_waits_for_a_person() {
    let farm = farm().await;
    let film = clips::film_of_no_language(&farm.path("films/film.mp4"), 2);
    let operator = Person { farm: &farm, scope: Scope::Operator };
    let mut waiting = operator.command(&["submit", film.to_str().unwrap(), "--wait"]);
    let mut waiting = waiting.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(waiting.stderr.take().unwrap()).lines();
    let mut said_until = async |word: &str| {
        let mut all = String::new();
        let reading = async {
            while !all.contains(word) {
                match said.next_line().await.unwrap() {
                    Some(line) => all.push_str(&format!("{line}\n")),
                    None => break,
                }
            }
        };
        drop(tokio::time::timeout(PATIENCE, reading).await);
        assert!(all.contains(word), "{all}");
        all
    };
    let told = said_until("look at audio language").await;
    assert!(told.contains("film: it waits for a person: reelfarm approve film"), "{told}");
    let wish = json!({ "why": "nobody knows it" });
    body(post(&farm, Scope::Operator, "film/reject", None, &wish).await, StatusCode::OK).await;
    let told = said_until("RF-TTL-007").await;
    assert!(told.contains("test rejected it: nobody knows it"), "{told}");
    assert_eq!(waiting.wait().await.unwrap().code(), Some(1));
    farm.stop().await;
}
