//! A host that cannot do its work must not be the one that takes all of it.

use reelfarm_store::Store as _;

use crate::farm::Farm;
use crate::support::packager;

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_fails_is_set_aside_and_costs_the_title_no_attempt() {
    let mut farm = Farm::servers().await;
    farm.scheduler("scheduler-1").await;
    let tool = farm.path("packager");
    fs_err::copy(packager(), &tool).unwrap();
    farm.worker_with_packager("broken", &tool);
    farm.until("the worker is known", async |farm| !farm.workers().is_empty()).await;
    fs_err::remove_file(&tool).unwrap();
    farm.submit("scheduler-1", "film", 4, "dash-clr-2s");
    farm.until("the host is set aside", async |farm| {
        farm.workers()
            .iter()
            .any(|worker| worker["aside"].as_str().is_some_and(|reason| reason.starts_with("RF-PKG-001")))
    })
    .await;
    let shown = farm.ask("scheduler-1", &["workers"]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("takes no tasks for a while: RF-PKG-001"), "{shown}");

    farm.worker("whole");
    farm.judge(&["film"]).await;
    let tasks = farm.store.tasks_of(&"film".parse().unwrap()).await.unwrap();
    let package = tasks.iter().find(|record| record.host_failures > 0).unwrap();
    assert_eq!((package.failures, package.losses), (0, 0), "{}", package.task.spec.label());
}
