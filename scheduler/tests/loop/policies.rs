//! QC policies of routes.

use std::collections::BTreeMap;

use reelfarm_model::qc::Verdict;
use reelfarm_model::title::Submission;
use reelfarm_model::{Decision, Facts, Pool, RouteName, TaskKey, TaskKind, Title, TitleId, TitleState};
use reelfarm_priority::{Route, Rules};
use reelfarm_scheduler::review::DecisionWish;
use reelfarm_scheduler::{FarmPolicies, FarmPolicy};
use reelfarm_store::Store as _;

use crate::farm::Farm;

/// Two routes: main, which is that of titles that name none, and ads.
fn rules() -> Rules {
    let rules = Rules::parse("order.toml", reelfarm_priority::rules::BUILT_IN).unwrap();
    let route =
        |name: &str| Route { name: name.parse().unwrap(), share_percent: 50, ..rules.routes[0].clone() };
    rules.with_routes("order.toml", vec![route("main"), route("ads")]).unwrap()
}

/// The farm's own policy, but that a missing language does this.
fn policy(verdict: &str) -> FarmPolicy {
    let text =
        format!("name = \"{verdict}\"\nbase = \"default\"\naudio.missing_language_verdict = \"{verdict}\"\n");
    FarmPolicy::parse("own.toml", &text).unwrap()
}

/// Policies by which a missing language warns, but on the route ads.
fn policies(on_ads: &str) -> FarmPolicies {
    FarmPolicies::new(policy("warn"), BTreeMap::from([(ads(), policy(on_ads))]))
}

fn ads() -> RouteName {
    "ads".parse().unwrap()
}

fn spot() -> TitleId {
    "spot".parse().unwrap()
}

/// The film as a title of the route ads.
fn on_ads(farm: &Farm) -> Submission {
    let facts = Facts { route: Some(ads()), ..Facts::default() };
    Submission { facts, ..farm.submission_of("spot") }
}

/// The task that measured a title's film.
async fn measured(farm: &Farm, title: &str) -> TaskKey {
    let tasks = farm.store.tasks_of(&title.parse().unwrap()).await.unwrap();
    let mut of_qc = tasks.iter().filter(|record| record.task.spec.kind() == TaskKind::Qc);
    let measured = of_qc.next().unwrap().task.key;
    assert!(of_qc.next().is_none());
    measured
}

async fn farm(on_ads: &str) -> Farm {
    let mut farm = Farm::start_with_policies(rules(), policies(on_ads)).await;
    farm.measured.audio[0].language = None;
    farm
}

/// A film of no language as a title of the route ads, about which somebody is asked.
async fn asked() -> (Farm, Title) {
    let mut farm = farm("human").await;
    farm.handle.submit(on_ads(&farm)).await.unwrap();
    let qc = farm.play_until(TaskKind::Qc).await;
    farm.play(&qc).await;
    let title = farm.reaches("spot", TitleState::Review).await;
    (farm, title)
}

#[tokio::test]
async fn one_measurement_is_judged_by_the_policy_of_each_titles_route() {
    let mut farm = farm("reject").await;
    farm.submit().await;
    let qc = farm.play_until(TaskKind::Qc).await;
    farm.play(&qc).await;
    let film = farm.title_reaches(TitleState::Preparing).await.report.unwrap();
    assert_eq!((film.verdict, film.policy.as_str()), (Verdict::Warn, "warn"));
    farm.handle.submit(on_ads(&farm)).await.unwrap();
    let fingerprint = farm.receive(Pool::Light).await;
    farm.play(&fingerprint).await;
    let spot = farm.reaches("spot", TitleState::Rejected).await.report.unwrap();
    assert_eq!((spot.verdict, spot.policy.as_str()), (Verdict::Reject, "reject"));
    // Submitted for the other route it is judged by that one's policy.
    farm.handle.submit(farm.submission_of("spot")).await.unwrap();
    let moved = farm.reaches("spot", TitleState::Preparing).await;
    assert_eq!((moved.generation, moved.report.unwrap().policy.as_str()), (2, "warn"));
    assert_eq!(measured(&farm, "spot").await, qc.task.key);
    assert_eq!(measured(&farm, "film").await, qc.task.key);
    assert_eq!(farm.outcomes(&qc).await, [Some("completed")], "it was measured once");
}

#[tokio::test]
async fn a_decision_holds_under_the_policy_of_the_route_that_asked() {
    let (farm, title) = asked().await;
    assert_eq!(title.review.unwrap().policy_digest, policy("human").digest());
    // A scheduler that starts with another policy for main alone leaves it as it is.
    let others = FarmPolicies::new(policy("reject"), BTreeMap::from([(ads(), policy("human"))]));
    let (mut farm, _) = farm.restart_with_policies(rules(), others).await;
    let wish = DecisionWish { decision: Decision::Approved, why: None, asked_ms: None, reviewer: None };
    let approved = farm.handle.decide(spot(), wish).await.unwrap();
    assert_eq!((approved.state, approved.review), (TitleState::Checking, title.review));
    assert_eq!(farm.reaches("spot", TitleState::Preparing).await.review, title.review);
}

#[tokio::test]
async fn a_title_in_review_is_judged_anew_when_its_routes_policy_is_another_one() {
    let (farm, title) = asked().await;
    let (mut farm, _) = farm.restart_with_policies(rules(), policies("warn")).await;
    let judged = farm.reaches("spot", TitleState::Preparing).await;
    assert_eq!((judged.generation, judged.report.unwrap().policy.as_str()), (title.generation, "warn"));
}
