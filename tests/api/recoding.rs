//! What a change would cost, and a changed ladder over titles, at a farm.

use reelfarm_model::Code;
use reelfarm_store::Scope;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::command_line::Person;
use crate::farm::{Farm, Wish, problem};
use crate::support::ladders::TWO_RUNGS as LADDER;
use crate::support::{clips, describe, tree};

fn states(answer: &Value) -> Vec<(&str, &str)> {
    let titles = answer["titles"].as_array().unwrap().iter();
    titles.map(|title| (title["title"].as_str().unwrap(), title["state"].as_str().unwrap())).collect()
}

async fn attempts(person: &Person<'_>, title: &str) -> usize {
    let status = person.json(&["status", title]).await;
    status["tasks"].as_array().unwrap().iter().map(|task| task["attempts"].as_array().unwrap().len()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_ladder_is_rolled_over_a_farm_and_taken_up_again() {
    let farm = Farm::start_with(Wish { worker: true, ..Wish::default() }).await;
    let person = Person { farm: &farm, scope: Scope::Operator };
    fs_err::create_dir_all(farm.path("home")).unwrap();
    let ladder = |text: String| fs_err::write(farm.path("home/changing.toml"), text).unwrap();
    ladder(LADDER.to_owned());
    let with = ["--ladder", "changing.toml"];
    for name in ["film", "second"] {
        let film = clips::film(&farm.path(&format!("films/{name}.mp4")), 3);
        let submit = ["submit", film.to_str().unwrap(), "--profiles", "dash-clr-2s", "--wait"];
        person.json(&[&submit[..], &with].concat()).await;
    }
    // Never made: it is not online, and left alone.
    let broken = farm.film("broken.mov");
    let submit = ["submit", broken.to_str().unwrap(), "--profiles", "dash-clr-2s", "--wait", "--json"];
    let failed = person.run(&[&submit[..], &with].concat()).await;
    assert!(!failed.status.success(), "{}", describe(&failed));

    let recode = async |more: &[&str]| person.json(&[&["recode"], &with[..], more].concat()).await;
    let dry = recode(&["--dry-run"]).await;
    assert_eq!(states(&dry), [("film", "unchanged"), ("second", "unchanged")]);
    let said = person.run(&[&["recode", "--dry-run"], &with[..]].concat()).await;
    let said = describe(&said);
    assert!(said.contains("none of 2 titles would change") && said.contains("not online: broken"), "{said}");
    let before = attempts(&person, "film").await;
    assert_eq!(states(&recode(&[]).await), [("film", "unchanged"), ("second", "unchanged")]);

    ladder(LADDER.replacen("maxrate_kbps = 400", "maxrate_kbps = 350", 1));
    let dry = recode(&["--dry-run"]).await;
    assert_eq!(states(&dry), [("film", "would-change"), ("second", "would-change")]);
    let once = json!({
        "encode-video": 1, "package": 1, "manifest": 1, "verify": 1, "upload": 1, "publish": 1,
    });
    assert_eq!(dry["titles"][0]["tasks"], once);
    assert_eq!(attempts(&person, "film").await, before, "a dry run changes nothing");

    assert_eq!(states(&recode(&["film"]).await), [("film", "submitted")]);
    // Whatever has come of the first by now, it is not submitted twice.
    let again = recode(&[]).await;
    assert_eq!(states(&again)[1], ("second", "submitted"), "{again}");
    assert_ne!(states(&again)[0].1, "submitted", "{again}");
    for title in ["film", "second"] {
        let made = person.json(&["watch", title]).await;
        assert_eq!(made["titles"][0]["state"], "published");
        let status = person.json(&["status", title]).await;
        assert_eq!(status["title"]["submission"]["facts"]["kind"], "recode");
    }
    let status = person.json(&["status", "film"]).await;
    let encode =
        status["tasks"].as_array().unwrap().iter().find(|task| task["label"] == "encode-video").unwrap();
    let outputs = encode["task"]["outputs"].as_array().unwrap();
    assert_eq!((outputs.len(), &outputs[0]["name"]), (1, &"240p".into()), "{outputs:?}");
    assert_eq!(states(&recode(&["--dry-run"]).await), [("film", "unchanged"), ("second", "unchanged")]);
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recode_that_did_not_come_to_its_end_is_recoded_again() {
    let farm = Farm::start_with(Wish { worker: true, ..Wish::default() }).await;
    let person = Person { farm: &farm, scope: Scope::Operator };
    let film = clips::film(&farm.path("films/film.mp4"), 3);
    person.json(&["submit", film.to_str().unwrap(), "--profiles", "dash-clr-2s", "--wait"]).await;
    fs_err::create_dir_all(farm.path("home")).unwrap();
    fs_err::write(farm.path("home/changing.toml"), LADDER).unwrap();

    // Its film is away: the encode fails, and the title with it. What is online stays.
    let away = farm.path("films/away.mp4");
    fs_err::rename(&film, &away).unwrap();
    let recode = ["recode", "film", "--ladder", "changing.toml"];
    assert_eq!(states(&person.json(&recode).await), [("film", "submitted")]);
    let watched = person.run(&["watch", "film", "--json"]).await;
    assert_eq!(states(&serde_json::from_slice(&watched.stdout).unwrap()), [("film", "failed")]);
    assert!(farm.path("origin/film/index.json").exists());

    fs_err::rename(&away, &film).unwrap();
    assert_eq!(states(&person.json(&recode).await), [("film", "submitted")]);
    let made = person.json(&["watch", "film"]).await;
    assert_eq!(states(&made), [("film", "published")]);
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_planned_or_recoded_says_why() {
    let farm = Farm::start().await;
    farm.submit("film").await;
    let before = farm.everything().await;
    let ladder = json!({ "ladder": { "text": LADDER } });
    for (scope, path, wish, status, code) in [
        (Scope::Operator, "nowhere/plan", json!(null), StatusCode::NOT_FOUND, Code::TitleNotFound),
        (Scope::Operator, "nowhere/recode", ladder.clone(), StatusCode::NOT_FOUND, Code::TitleNotFound),
        (Scope::Operator, "film/plan", json!(null), StatusCode::CONFLICT, Code::TitleStateWrong),
        (Scope::Operator, "film/recode", ladder.clone(), StatusCode::CONFLICT, Code::TitleStateWrong),
        (
            Scope::Operator,
            "film/recode",
            json!({ "ladder": { "name": "no-such" } }),
            StatusCode::UNPROCESSABLE_ENTITY,
            Code::UnknownName,
        ),
        (Scope::ReadOnly, "film/plan", json!(null), StatusCode::FORBIDDEN, Code::ScopeTooSmall),
        (Scope::ReadOnly, "film/recode", ladder, StatusCode::FORBIDDEN, Code::ScopeTooSmall),
    ] {
        let request = farm.request(scope, Method::POST, &format!("/api/v1/titles/{path}"));
        let told = problem(request.json(&wish).send().await.unwrap(), status, code).await;
        assert!(told["detail"].as_str().unwrap().len() > 20, "{told}");
    }
    assert_eq!(farm.everything().await, before);
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_of_a_title_is_brought_back_by_a_recode_with_its_own_ladder() {
    let farm = Farm::start_with(Wish { worker: true, ..Wish::default() }).await;
    let person = Person { farm: &farm, scope: Scope::Operator };
    let film = clips::film(&farm.path("films/film.mp4"), 2);
    person.json(&["submit", film.to_str().unwrap(), "--profiles", "dash-clr-2s", "--wait"]).await;
    let online = tree(&farm.path("origin"));
    let segment = online.keys().find(|path| path.ends_with("/1.m4s")).unwrap();
    fs_err::remove_file(farm.path("origin").join(segment)).unwrap();
    let recode = ["recode", "film", "--ladder", "fast"];
    let dry = person.json(&[&recode[..], &["--dry-run"]].concat()).await;
    assert_eq!(dry["titles"][0]["tasks"], json!({ "upload": 1, "publish": 1 }), "{dry}");
    assert_eq!(states(&person.json(&recode).await), [("film", "submitted")]);
    person.json(&["watch", "film"]).await;
    assert_eq!(tree(&farm.path("origin")), online);
    farm.stop().await;
}
