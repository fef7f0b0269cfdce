//! What is said of titles, the order that follows from it, and when they will be online.

use reelfarm_model::{Code, Pool};
use reelfarm_store::Scope;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::command_line::Person;
use crate::farm::{Farm, body, problem, wait_until};

fn with_facts(farm: &Farm, name: &str, facts: Value) -> Value {
    let mut wish = farm.submission(name);
    wish["facts"] = facts;
    wish
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_that_cannot_be_true_together_are_refused_and_change_nothing() {
    let farm = Farm::start().await;
    let before = farm.everything().await;
    let at = "2026-11-21T20:15:00Z";
    let wrong = StatusCode::UNPROCESSABLE_ENTITY;
    for (facts, code) in [
        (json!({ "kind": "catch-forward" }), Code::FactsContradict),
        (json!({ "kind": "recode", "air_at": at }), Code::FactsContradict),
        (
            json!({ "kind": "premiere", "air_at": at, "required_by": "2026-11-21T20:16:00Z" }),
            Code::FactsContradict,
        ),
        (
            json!({ "kind": "catch-up", "air_at": at, "required_by": "2026-11-21T20:14:00Z" }),
            Code::FactsContradict,
        ),
        (json!({ "route": "nowhere" }), Code::FactsContradict),
        (json!({ "kind": "urgent" }), Code::RequestInvalid),
        (json!({ "priority": 1 }), Code::RequestInvalid),
        (json!({ "kind": "premiere", "air_at": "2026-11-21T20:15:00" }), Code::RequestInvalid),
        (json!({ "kind": "premiere", "air_at": 1_763_756_100 }), Code::RequestInvalid),
        (json!({ "route": "No Where" }), Code::RequestInvalid),
        (json!({ "first": ["ts-clr-2s"] }), Code::FactsContradict),
        (json!({ "first": ["nothing-like-it"] }), Code::UnknownName),
        (json!({ "first_up_to": 360 }), Code::FactsContradict),
    ] {
        let answer = farm.post("/api/v1/titles", &with_facts(&farm, "film", facts.clone())).await;
        problem(answer, wrong, code).await;
    }
    for requester in ["", "two\nlines", &"a".repeat(201)] {
        let facts = json!({ "requester": requester });
        let answer = farm.post("/api/v1/titles", &with_facts(&farm, "film", facts)).await;
        problem(answer, StatusCode::BAD_REQUEST, Code::RequestInvalid).await;
    }
    assert_eq!(farm.everything().await, before);
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_of_a_title_is_kept_and_its_order_is_told() {
    let farm = Farm::start().await;
    let facts = json!({ "kind": "premiere", "air_at": "2126-11-21T20:15:00Z", "route": "main" });
    let answer = farm.post("/api/v1/titles", &with_facts(&farm, "film", facts.clone())).await;
    let title = body(answer, StatusCode::ACCEPTED).await;
    let mut kept = facts;
    kept["requester"] = json!("test");
    assert_eq!(title["submission"]["facts"], kept, "and who asked, by the token");
    farm.planned("film").await;
    let order = async || farm.get("/api/v1/titles/film").await["standing"]["order"].clone();
    wait_until("it stands in line", async || order().await["tasks"] != json!([])).await;
    let told = order().await;
    assert_eq!((&told["kind"], &told["route"]), (&json!("premiere"), &json!("main")));
    // An hour before the broadcast.
    assert_eq!(told["required_by_ms"], 4_950_962_100_000_i64);
    assert_eq!(
        (&told["tasks"][0]["urgency"], &told["tasks"][0]["before"]),
        (&json!("comfortable"), &json!(0))
    );
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_title_that_is_late_already_is_made_and_said_to_be_late() {
    let farm = Farm::start().await;
    farm.report("host-1", &[(Pool::Light, 1, 0), (Pool::Cpu, 1, 0)]).await;
    let facts = json!({ "kind": "catch-forward", "air_at": "2020-01-01T00:00:00Z" });
    body(farm.post("/api/v1/titles", &with_facts(&farm, "late", facts)).await, StatusCode::ACCEPTED).await;
    farm.submit("film").await;
    let forecast = async || farm.get("/api/v1/forecast").await;
    wait_until("it is foreseen", async || forecast().await[0]["foreseen"]["outlook"] != Value::Null).await;
    let forecast = forecast().await;
    let seen: Vec<_> = forecast
        .as_array()
        .unwrap()
        .iter()
        .map(|title| (&title["title"], &title["foreseen"]["outlook"]["risk"]))
        .collect();
    assert_eq!(seen, [(&json!("late"), &json!("late")), (&json!("film"), &json!("undated"))]);
    let person = Person { farm: &farm, scope: Scope::Operator };
    let eta = String::from_utf8(person.run(&["eta"]).await.stdout).unwrap();
    let lines: Vec<_> = eta.lines().collect();
    assert!(
        lines[0].starts_with("late ")
            && lines[0].contains(" late ")
            && lines[0].contains("due 2019-12-31T23:50:00Z"),
        "{eta}"
    );
    assert!(lines[1].starts_with("film ") && lines[1].contains("no deadline"), "{eta}");
    let status = String::from_utf8(person.run(&["status", "late"]).await.stdout).unwrap();
    assert!(
        status.contains("order    catch-forward, route main, was due at 2019-12-31T23:50:00Z"),
        "{status}"
    );
    let unknown = person.run(&["eta", "nobody"]).await;
    assert_eq!(unknown.status.code(), Some(3));
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_says_what_is_true_with_flags() {
    let farm = Farm::start().await;
    let person = Person { farm: &farm, scope: Scope::Operator };
    let film = farm.film("film").to_string_lossy().into_owned();
    let refused = person.run(&["submit", &film, "--kind", "premiere"]).await;
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(
        refused.status.code() == Some(2) && said.contains("RF-TTL-005") && said.contains("--air-at"),
        "{said}"
    );
    let vague = person.run(&["submit", &film, "--kind", "premiere", "--air-at", "2126-11-21T20:15"]).await;
    let said = String::from_utf8(vague.stderr).unwrap();
    assert!(vague.status.code() == Some(2) && said.contains("2026-11-21T20:15:00+01:00"), "{said}");
    let arguments =
        ["submit", &film, "--kind", "premiere", "--air-at", "2126-11-21T21:15:00+01:00", "--route", "main"];
    let taken = person.run(&arguments).await;
    assert!(taken.status.success(), "{}", String::from_utf8_lossy(&taken.stderr));
    let facts = farm.get("/api/v1/titles/film").await["title"]["submission"]["facts"].clone();
    assert_eq!(
        facts,
        json!({ "kind": "premiere", "air_at": "2126-11-21T20:15:00Z", "route": "main", "requester": "test" })
    );
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_submits_the_same_as_another_changes_nothing() {
    let farm = Farm::start().await;
    let mut wish = with_facts(&farm, "film", json!({ "requester": "night desk" }));
    let first = body(farm.post("/api/v1/titles", &wish).await, StatusCode::ACCEPTED).await;
    wish["facts"]["requester"] = json!("day desk");
    let second = body(farm.post("/api/v1/titles", &wish).await, StatusCode::ACCEPTED).await;
    assert_eq!((&second["generation"], &first["generation"]), (&json!(1), &json!(1)));
    assert_eq!(second["submission"]["facts"]["requester"], "night desk");
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_title_that_no_worker_can_go_on_with_is_named_with_the_pool_that_it_waits_for() {
    let farm = Farm::start().await;
    farm.report("host-1", &[(Pool::Cpu, 1, 0)]).await;
    farm.submit("film").await;
    let foreseen = async || farm.get("/api/v1/forecast").await[0]["foreseen"].clone();
    wait_until("it is foreseen", async || foreseen().await["unserved"] == json!(["light"])).await;
    assert_eq!(foreseen().await["outlook"], Value::Null);
    let person = Person { farm: &farm, scope: Scope::Operator };
    let eta = async |arguments: &[&str]| {
        let output = person.run(&[&["eta"], arguments].concat()).await;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let all = eta(&[]).await;
    assert!(all.contains("unserved  no worker serves the pool light, which it needs"), "{all}");
    assert_eq!(eta(&["--will-be", "unserved,late", "--kind", "library", "--route", "main"]).await, all);
    for others in [["--will-be", "late"], ["--kind", "premiere"], ["--route", "elsewhere"]] {
        assert_eq!(eta(&others).await, "", "{others:?}");
    }
    let status = person.run(&["status", "film"]).await;
    assert!(status.status.success());
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_expedites_a_title_after_a_look_at_what_it_pushes_back() {
    let farm = Farm::start().await;
    farm.report("host-1", &[(Pool::Light, 1, 0), (Pool::Cpu, 1, 0)]).await;
    for name in ["first", "older", "minister"] {
        let wish = farm.submission(name);
        // A film of some length, as far as its size tells.
        fs_err::OpenOptions::new()
            .write(true)
            .open(farm.path("films").join(format!("{name}.mov")))
            .unwrap()
            .set_len(1 << 30)
            .unwrap();
        body(farm.post("/api/v1/titles", &wish).await, StatusCode::ACCEPTED).await;
        farm.planned(name).await;
    }
    let person = Person { farm: &farm, scope: Scope::Operator };
    let run = async |arguments: &[&str]| {
        let output = person.run(arguments).await;
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code(), text)
    };
    let (code, text) = run(&["expedite", "minister"]).await;
    assert!(code == Some(2) && text.contains("--why"), "{text}");
    let (code, text) = run(&["expedite", "minister", "--dry-run"]).await;
    assert!(
        code == Some(0) && text.contains("minister  would be expedited; route main has used 0 of 3 today"),
        "{text}"
    );
    assert!(text.contains("older ") && text.contains(" min later, about "), "{text}");
    let (_, text) = run(&["expedite", "--list"]).await;
    assert!(text.contains("no title was expedited yet"), "{text}");
    let (code, text) = run(&["expedite", "minister", "--why", "on air tonight"]).await;
    assert!(
        code == Some(0) && text.contains("minister  is expedited; route main has used 1 of 3 today"),
        "{text}"
    );
    let (code, text) = run(&["expedite", "minister", "--why", "again"]).await;
    assert!(code == Some(0) && text.contains("was expedited before: nothing was spent"), "{text}");
    let (_, text) = run(&["expedite", "--list"]).await;
    assert!(text.contains("minister") && text.contains("main  test: on air tonight"), "{text}");
    let (_, text) = run(&["status", "minister"]).await;
    assert!(text.contains("route main, expedited 2"), "{text}");
    for name in ["first", "older"] {
        assert_eq!(run(&["expedite", name, "--why", "and this"]).await.0, Some(0));
    }
    farm.submit("fourth").await;
    let (code, text) = run(&["expedite", "fourth", "--why", "and this"]).await;
    assert!(code == Some(2) && text.contains("RF-TTL-006") && text.contains("3 titles a day"), "{text}");
    let wrong = farm.post("/api/v1/titles/fourth/expedite", &json!({ "why": "two\nlines" })).await;
    problem(wrong, StatusCode::BAD_REQUEST, Code::RequestInvalid).await;
    farm.stop().await;
}
