//! A database that restarts, and one that is gone for long.

use std::time::Duration;

use super::{encoding, takes_a_new_title};
use crate::farm::{LEADER_LEASE, LEASE};

#[tokio::test(flavor = "multi_thread")]
async fn a_database_restarted_and_one_gone_beyond_every_lease_cost_time_alone() {
    let (mut farm, _) = encoding().await;
    farm.postgres.restart().await.unwrap();
    farm.at_work("film", "").await;
    farm.postgres.kill().await.unwrap();
    tokio::time::sleep(Duration::from_secs(LEASE + LEADER_LEASE)).await;
    farm.postgres.start_again().await.unwrap();
    farm.judge(&["film"]).await;
    takes_a_new_title(&mut farm, "scheduler-1", &["film"]).await;
}
