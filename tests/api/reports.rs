//! The page of QC's report on a title.

use reelfarm_model::Code;
use reelfarm_store::Scope;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::command_line::Person;
use crate::farm::{Farm, Wish, body, problem, wait_until};
use crate::support::{clips, describe};

const ADDRESS: &str = "/api/v1/titles/film/report";

#[tokio::test(flavor = "multi_thread")]
async fn a_title_has_no_page_before_it_is_judged() {
    let farm = Farm::start().await;
    let unknown = farm.request(Scope::ReadOnly, Method::GET, ADDRESS).send().await.unwrap();
    problem(unknown, StatusCode::NOT_FOUND, Code::TitleNotFound).await;
    farm.submit("film").await;
    let early = farm.request(Scope::ReadOnly, Method::GET, ADDRESS).send().await.unwrap();
    problem(early, StatusCode::NOT_FOUND, Code::NotFound).await;
    problem(
        farm.plain(Method::GET, ADDRESS).send().await.unwrap(),
        StatusCode::UNAUTHORIZED,
        Code::TokenRefused,
    )
    .await;
    let person = Person { farm: &farm, scope: Scope::ReadOnly };
    let refused = person.run(&["report", "film", "--out", "film.html"]).await;
    assert_eq!(refused.status.code(), Some(3), "{}", describe(&refused));
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("QC has not judged it yet"),
        "{}",
        describe(&refused)
    );
    assert!(!farm.path("home/film.html").exists());
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_look_gets_the_page_of_a_judged_title() {
    let policy = clips::policy_that_asks();
    let farm = Farm::start_with(Wish { worker: true, policy, ..Wish::default() }).await;
    let film = clips::film_of_no_language(&farm.path("films/film.mp4"), 2);
    let wish = json!({ "title": "film", "source": { "path": film } });
    body(farm.post("/api/v1/titles", &wish).await, StatusCode::ACCEPTED).await;
    wait_until("it waits for a person", async || {
        farm.get("/api/v1/titles/film").await["title"]["state"] == "review"
    })
    .await;
    let answer = farm.request(Scope::ReadOnly, Method::GET, ADDRESS).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
    assert!(answer.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    let page = answer.text().await.unwrap();
    for said in ["Somebody has to look", "audio language", "--audio-lang", "<svg", "-23", "film.mp4"] {
        assert!(page.contains(said), "{said}: {page}");
    }
    // The same page, and the report as it is stored, by the command line.
    let person = Person { farm: &farm, scope: Scope::ReadOnly };
    let shown = person.run(&["report", "film", "--out", "film.html"]).await;
    assert!(shown.status.success(), "{}", describe(&shown));
    assert!(String::from_utf8_lossy(&shown.stdout).contains("RF-QC-009"), "{}", describe(&shown));
    assert_eq!(fs_err::read_to_string(farm.path("home/film.html")).unwrap(), page);
    assert_eq!(
        person.json(&["report", "film"]).await,
        farm.get("/api/v1/titles/film").await["title"]["report"]
    );
    farm.stop().await;
}
