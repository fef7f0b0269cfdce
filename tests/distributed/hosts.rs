//! A host that cannot do its work must not be the one that takes all of it.

use reelfarm_model::Code;
use reelfarm_store::Store as _;

use crate::farm::Farm;
use crate::support::packager;

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_fails_is_set_aside_and_costs_the_title_no_attempt() {
    let mut farm = Farm::servers().await;
    farm.scheduler("scheduler-1").await;
    farm.worker("whole");
    let tool = farm.path("packager");
    fs_err::copy(packager(), &tool).unwrap();
    farm.variables.insert("REELFARM_PACKAGER", tool.clone().into());
    farm.worker("broken");
    farm.until("both are known", async |farm| {
        farm.json("scheduler-1", &["workers", "--json"]).as_array().is_some_and(|workers| workers.len() == 2)
    })
    .await;
    fs_err::remove_file(&tool).unwrap();
    // More media sets than either has slots: both get one.
    farm.submit("scheduler-1", "film", 4, "dash-clr-2s,od-clr-2s,ts-clr-4s,mp4-clr");
    farm.judge(&["film"]).await;
    let mut failed = 0;
    for record in farm.store.tasks_of(&"film".parse().unwrap()).await.unwrap() {
        assert_eq!((record.failures, record.losses), (0, 0), "{}", record.task.spec.label());
        for attempt in farm.store.attempts_of(&record.task.key).await.unwrap() {
            let Some(failure) = attempt.failure else { continue };
            assert_eq!(failure.code, Code::PackagerMissing);
            assert_eq!(attempt.worker.map(|worker| worker.0).as_deref(), Some("broken"));
            failed += 1;
        }
    }
    assert!(failed > 0, "what failed there is told");
    let log = farm.process("broken").log();
    assert!(log.contains("taking no tasks for a while") && log.contains("RF-PKG-001"), "{log}");
}
