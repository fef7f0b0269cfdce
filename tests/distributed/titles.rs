//! Titles through the farm, and what operators ask of it.

use reelfarm_model::TitleState;

use crate::farm::Farm;

#[tokio::test(flavor = "multi_thread")]
async fn titles_go_through_and_the_leader_may_be_any_scheduler() {
    let mut farm = Farm::start().await;
    farm.scheduler("scheduler-2").await;
    farm.submit("scheduler-1", "one", 4, "dash-clr-2s,ts-clr-4s");
    // The stand-by takes it to the leader.
    farm.submit("scheduler-2", "two", 4, "dash-wv-2s,mp4-clr");
    farm.judge(&["one", "two"]).await;
    for scheduler in ["scheduler-1", "scheduler-2"] {
        let listed = farm.json(scheduler, &["list", "--json"]);
        assert_eq!(listed.as_array().unwrap().len(), 2, "{listed}");
        let workers = farm.json(scheduler, &["workers", "--json"]);
        assert_eq!(workers.as_array().unwrap().len(), 2, "{workers}");
    }
    // Submitting what is online runs nothing.
    let before = farm.title("one").await.unwrap().generation;
    farm.submit("scheduler-1", "one", 4, "dash-clr-2s,ts-clr-4s");
    farm.reaches("one", TitleState::Published).await;
    assert!(farm.title("one").await.unwrap().generation >= before);
    farm.judge(&["one", "two"]).await;
}
