//! Which title's task goes next. What the policy decides is tested with it; here, that the loop feeds it with what is so.

use reelfarm_api::Urgency;
use reelfarm_model::title::Submission;
use reelfarm_model::{ContentKind, Facts, Pool, TaskKind, TaskSpec, TitleState};
use reelfarm_priority::Rules;
use reelfarm_store::Store as _;

use crate::farm::Farm;

fn of_kind(farm: &Farm, name: &str, kind: ContentKind) -> Submission {
    Submission { facts: Facts { kind, ..Facts::default() }, ..farm.submission_of(name) }
}

/// Receives a fingerprint task; answers for which title it is.
async fn next(farm: &Farm) -> (String, reelfarm_model::message::TaskMessage) {
    let message = farm.receive(Pool::Light).await;
    assert!(matches!(message.task.spec, TaskSpec::Fingerprint(_)), "{:?}", message.task.spec);
    (message.title.to_string(), message)
}

#[tokio::test]
async fn what_is_due_goes_before_what_was_submitted_earlier_and_a_recode_goes_last() {
    let farm = Farm::start().await;
    farm.offers(1).await;
    for (name, kind) in [
        ("first", ContentKind::Library),
        ("again", ContentKind::Recode),
        ("older", ContentKind::Library),
        ("newer", ContentKind::Library),
        ("hot", ContentKind::CatchUp),
    ] {
        farm.handle.submit(of_kind(&farm, name, kind)).await.unwrap();
    }
    for expected in ["first", "hot", "older", "newer", "again"] {
        let (title, message) = next(&farm).await;
        assert_eq!(title, expected);
        // Without a result that the farm takes, so that nothing but fingerprints comes.
        farm.complete(&message, Some(serde_json::json!(null))).await;
    }
}

#[tokio::test]
async fn a_scheduler_that_starts_again_knows_the_order() {
    let farm = Farm::start().await;
    farm.offers(1).await;
    for (name, kind) in [
        ("first", ContentKind::Library),
        ("older", ContentKind::Library),
        ("hot", ContentKind::Advertisement),
    ] {
        farm.handle.submit(of_kind(&farm, name, kind)).await.unwrap();
    }
    next(&farm).await;
    let (farm, recovered) = farm.restart().await;
    assert_eq!(recovered, 1);
    let order = [next(&farm).await.0, next(&farm).await.0, next(&farm).await.0];
    assert_eq!(order, ["hot", "first", "older"]);
}

#[tokio::test]
async fn a_route_has_its_minimum_whatever_is_pressed_elsewhere() {
    let kinds = reelfarm_priority::rules::BUILT_IN.split("[[route]]").next().unwrap();
    let routes = "[[route]]\nname = \"content\"\nshare_percent = 100\n\
                  [[route]]\nname = \"archive\"\nshare_percent = 0\nminimum = { light = 1 }\n";
    let farm = Farm::start_with_rules(Rules::parse("rules", &format!("{kinds}{routes}")).unwrap()).await;
    farm.offers(1).await;
    let hot = |name: &str| of_kind(&farm, name, ContentKind::CatchUp);
    for name in ["hot-1", "hot-2"] {
        farm.handle.submit(hot(name)).await.unwrap();
    }
    let archive = Facts { route: Some("archive".parse().unwrap()), ..Facts::default() };
    farm.handle.submit(Submission { facts: archive, ..farm.submission_of("archived") }).await.unwrap();
    for expected in ["hot-1", "archived", "hot-2"] {
        let (title, message) = next(&farm).await;
        assert_eq!(title, expected);
        farm.complete(&message, Some(serde_json::json!(null))).await;
    }
}

#[tokio::test]
async fn where_a_task_stands_in_line_is_told() {
    let mut farm = Farm::start().await;
    farm.offers(1).await;
    for (name, kind) in
        [("first", ContentKind::Library), ("film", ContentKind::Library), ("hot", ContentKind::CatchUp)]
    {
        farm.handle.submit(of_kind(&farm, name, kind)).await.unwrap();
    }
    let (_, first) = next(&farm).await;
    let place = farm.handle.place("film".parse().unwrap()).await.unwrap();
    assert_eq!(
        (place.kind, place.route.as_str(), place.required_by_ms),
        (ContentKind::Library, "main", None)
    );
    assert_eq!((place.tasks.len(), place.tasks[0].before, place.tasks[0].urgency), (1, 1, Urgency::Undated));
    let hot = farm.handle.place("hot".parse().unwrap()).await.unwrap();
    assert_eq!((hot.tasks[0].before, hot.tasks[0].urgency), (0, Urgency::Pressed));
    let submitted_ms = farm.store.title(&"hot".parse().unwrap()).await.unwrap().unwrap().submitted_ms;
    assert_eq!(hot.required_by_ms, Some(submitted_ms + 30 * 60_000));
    assert_eq!(farm.handle.place("unknown".parse().unwrap()).await, None);

    // What is held stands in no line, and what has ended has no order.
    farm.handle.hold("film".parse().unwrap(), true).await.unwrap();
    assert_eq!(farm.handle.place("film".parse().unwrap()).await.unwrap().tasks, []);
    farm.handle.hold("film".parse().unwrap(), false).await.unwrap();
    assert_eq!(farm.handle.place("film".parse().unwrap()).await.unwrap().tasks.len(), 1);
    farm.handle.cancel("film".parse().unwrap()).await.unwrap();
    farm.title_reaches(TitleState::Cancelled).await;
    assert_eq!(farm.handle.place("film".parse().unwrap()).await, None);
    farm.complete(&first, Some(serde_json::json!(null))).await;
    assert_eq!(next(&farm).await.0, "hot");
}

#[tokio::test]
async fn a_route_that_the_rules_lost_is_told_and_its_titles_are_made() {
    let mut farm = Farm::start().await;
    let facts = Facts { route: Some("dissolved".parse().unwrap()), ..Facts::default() };
    farm.handle.submit(Submission { facts, ..farm.submission() }).await.unwrap();
    let place = farm.handle.place("film".parse().unwrap()).await.unwrap();
    assert_eq!(place.route.as_str(), "main");
    assert!(place.remark.unwrap().contains("no route is called dissolved"));
    farm.play_to_the_end().await;
    farm.title_reaches(TitleState::Published).await;
}

#[tokio::test]
async fn a_shared_task_goes_with_the_most_urgent_of_its_titles() {
    let farm = Farm::start().await;
    farm.offers(1).await;
    farm.handle.submit(of_kind(&farm, "first", ContentKind::Library)).await.unwrap();
    farm.handle.submit(of_kind(&farm, "older", ContentKind::Library)).await.unwrap();
    // The same file under two names: one fingerprint for both.
    let shared = farm.submission_of("shared");
    farm.handle.submit(Submission { title: "patient".parse().unwrap(), ..shared.clone() }).await.unwrap();
    let facts = Facts { kind: ContentKind::CatchUp, ..Facts::default() };
    farm.handle.submit(Submission { title: "hot".parse().unwrap(), facts, ..shared }).await.unwrap();
    let (_, first) = next(&farm).await;
    farm.complete(&first, Some(serde_json::json!(null))).await;
    let (_, second) = next(&farm).await;
    assert_eq!(second.source.as_ref().map(|source| source.file_name()), Some("shared.mp4".to_owned()));
    assert_eq!(farm.wanting(&second).await, ["patient", "hot"]);
    assert!(!farm.is_ready(TaskKind::Qc).await);
}
