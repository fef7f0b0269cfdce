//! A broker that restarts, and links to it that break.

use reelfarm_store::Store as _;
use reelfarm_test_servers::proxy::Proxy;

use super::{PROFILES, SECONDS, encoding, takes_a_new_title};
use crate::farm::Farm;

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_restarted_and_killed_costs_time_alone() {
    let (mut farm, _) = encoding().await;
    farm.broker.restart().await.unwrap();
    farm.submit("scheduler-1", "second", 4, "mp4-clr");
    farm.broker.kill().await.unwrap();
    farm.broker.start_again().await.unwrap();
    farm.judge(&["film", "second"]).await;
    takes_a_new_title(&mut farm, "scheduler-1", &["film", "second"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_cut_or_stalled_in_the_midst_of_a_task_costs_time_alone() {
    let mut farm = Farm::servers().await;
    farm.scheduler("scheduler-1").await;
    let proxy = Proxy::start(farm.broker.address()).await.unwrap();
    farm.worker_through("worker-1", &proxy);
    farm.submit("scheduler-1", "film", SECONDS, PROFILES);
    farm.at_work("film", "encode-video").await;
    proxy.cut();
    farm.at_work("film", "encode-video").await;
    proxy.stall();
    // Its lease ends meanwhile, and it stops by its own clock.
    farm.until("the task is taken back", async |farm| {
        let tasks = farm.store.tasks_of(&"film".parse().unwrap()).await.unwrap();
        tasks.iter().any(|record| record.losses > 0)
    })
    .await;
    proxy.heal();
    farm.judge(&["film"]).await;
    takes_a_new_title(&mut farm, "scheduler-1", &["film"]).await;
}
