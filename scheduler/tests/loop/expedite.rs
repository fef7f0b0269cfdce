//! Titles that somebody has go before all others of their route.

use reelfarm_api::{ExpediteAnswer, ExpediteRequest};
use reelfarm_model::title::Submission;
use reelfarm_model::{Code, ContentKind, Facts, Failure, Pool, TaskSpec};
use reelfarm_priority::Rules;
use reelfarm_store::Store as _;

use crate::farm::Farm;

/// Rules whose one route may expedite so many titles a day.
fn rules(per_day: u32) -> Rules {
    let kinds = reelfarm_priority::rules::BUILT_IN.split("[[route]]").next().unwrap();
    let route = format!("[[route]]\nname = \"main\"\nshare_percent = 100\nexpedites_per_day = {per_day}\n");
    Rules::parse("order.toml", &format!("{kinds}{route}")).unwrap()
}

async fn submit(farm: &Farm, name: &str, kind: ContentKind) {
    let facts = Facts { kind, ..Facts::default() };
    farm.handle.submit(Submission { facts, ..farm.submission_of(name) }).await.unwrap();
}

async fn expedite(farm: &Farm, name: &str, dry_run: bool) -> Result<ExpediteAnswer, Failure> {
    let request = ExpediteRequest { why: "the minister is in it".to_owned(), dry_run };
    farm.handle.expedite(name.parse().unwrap(), request, Some("night desk".to_owned())).await
}

/// Receives a fingerprint task and answers it with nothing, so that no other kind comes; answers for which title it is.
async fn next(farm: &Farm) -> String {
    let message = farm.receive(Pool::Light).await;
    assert!(matches!(message.task.spec, TaskSpec::Fingerprint(_)), "{:?}", message.task.spec);
    farm.complete(&message, Some(serde_json::json!(null))).await;
    message.title.to_string()
}

#[tokio::test]
async fn an_expedited_title_goes_before_what_is_due_and_what_it_pushes_back_is_told_before() {
    let farm = Farm::start_with_rules(rules(3)).await;
    farm.offers(1).await;
    for (name, kind) in [
        ("first", ContentKind::Library),
        ("older", ContentKind::Library),
        ("due", ContentKind::CatchUp),
        ("minister", ContentKind::Library),
    ] {
        submit(&farm, name, kind).await;
    }
    let told = expedite(&farm, "minister", true).await.unwrap();
    assert_eq!((told.done, told.used, told.per_day), (false, 0, 3));
    let (before, after) = (told.before.unwrap(), told.after.unwrap());
    assert!(after.expected_ms < before.expected_ms, "{before:?} {after:?}");
    let pushed: Vec<_> = told.pushed_back.iter().map(|pushed| pushed.title.as_str()).collect();
    assert!(pushed.contains(&"older") && !pushed.contains(&"minister"), "{pushed:?}");
    assert_eq!(farm.store.expedites(0, 9).await.unwrap(), [], "nothing was spent");

    let done = expedite(&farm, "minister", false).await.unwrap();
    assert_eq!((done.done, done.used, done.pushed_back.len()), (true, 1, told.pushed_back.len()));
    let again = expedite(&farm, "minister", false).await.unwrap();
    assert_eq!((again.done, again.used), (false, 1), "once is enough");
    for expected in ["first", "minister", "due", "older"] {
        assert_eq!(next(&farm).await, expected);
    }
    let [record] = farm.store.expedites(0, 9).await.unwrap().try_into().unwrap();
    assert_eq!((record.title.as_str(), record.route.as_str()), ("minister", "main"));
    assert_eq!(
        (record.requester.as_deref(), record.why.as_str()),
        (Some("night desk"), "the minister is in it")
    );
}

#[tokio::test]
async fn what_cannot_be_expedited_is_refused_and_nothing_is_spent() {
    let farm = Farm::start_with_rules(rules(1)).await;
    submit(&farm, "film", ContentKind::Library).await;
    submit(&farm, "other", ContentKind::Library).await;
    submit(&farm, "again", ContentKind::Recode).await;
    let refused = async |name: &str, dry_run: bool| expedite(&farm, name, dry_run).await.unwrap_err().code;
    assert_eq!(refused("nobody", false).await, Code::TitleNotFound);
    assert_eq!(refused("again", false).await, Code::TitleStateWrong);
    assert!(expedite(&farm, "film", false).await.unwrap().done);
    let told = expedite(&farm, "other", true).await.unwrap();
    assert_eq!(
        (told.done, told.used, told.per_day),
        (false, 1, 1),
        "what a larger budget would do may be asked"
    );
    assert_eq!(refused("other", false).await, Code::ExpeditesSpent);
    farm.handle.cancel("other".parse().unwrap()).await.unwrap();
    assert_eq!(refused("other", false).await, Code::TitleStateWrong);
    assert_eq!(farm.store.expedites(0, 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_scheduler_that_starts_again_knows_who_was_expedited() {
    let farm = Farm::start().await;
    farm.offers(1).await;
    for name in ["first", "older", "minister"] {
        submit(&farm, name, ContentKind::Library).await;
    }
    assert!(expedite(&farm, "minister", false).await.unwrap().done);
    let (farm, _) = farm.restart().await;
    assert_eq!(next(&farm).await, "minister");
}
