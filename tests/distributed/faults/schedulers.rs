//! Schedulers that die, are paused, or start at the same moment.

use reelfarm_store::{PostgresStore, Store as _};
use reelfarm_test_servers::proxy::Proxy;
use rustix::process::Signal;

use super::{PROFILES, encodes, encoding, takes_a_new_title, task};
use crate::farm::Farm;
use crate::tap::Tap;

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_leader_is_followed_by_a_stand_by() {
    let (mut farm, _) = encoding().await;
    farm.scheduler("scheduler-2").await;
    farm.kill("scheduler-1").await;
    farm.judge(&["film"]).await;
    assert_eq!(encodes(&farm).await, 1, "the encode goes on through it");
    takes_a_new_title(&mut farm, "scheduler-2", &["film"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_paused_past_its_term_changes_nothing_when_it_wakes() {
    let (mut farm, _) = encoding().await;
    farm.scheduler("scheduler-2").await;
    farm.process("scheduler-1").signal(Signal::STOP);
    farm.until("the other leads", async |farm| {
        farm.process("scheduler-2").log().contains("this scheduler leads")
    })
    .await;
    farm.process("scheduler-1").signal(Signal::CONT);
    farm.until("it stands by", async |farm| farm.process("scheduler-1").log().contains("standing by")).await;
    farm.judge(&["film"]).await;
    takes_a_new_title(&mut farm, "scheduler-1", &["film"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_cut_off_from_the_broker_goes_on_alone_and_makes_way_for_one_that_is_not() {
    let mut farm = Farm::servers().await;
    let proxy = Proxy::start(farm.broker.address()).await.unwrap();
    farm.scheduler_through("scheduler-1", &proxy).await;
    farm.worker("worker-1");
    let leads = |farm: &Farm, name: &str| farm.process(name).log().contains("this scheduler leads");
    farm.until("it leads", async |farm| leads(farm, "scheduler-1")).await;
    proxy.refuse();
    proxy.cut();
    let notices = |farm: &Farm| farm.process("scheduler-1").log().contains("no connection to the broker");
    farm.until("it has noticed", async |farm| notices(farm)).await;
    farm.submit("scheduler-1", "one", 4, "mp4-clr");
    farm.scheduler("scheduler-2").await;
    farm.until("the other leads", async |farm| leads(farm, "scheduler-2")).await;
    farm.submit("scheduler-1", "two", 4, "mp4-clr");
    farm.judge(&["one", "two"]).await;
    assert!(farm.process("scheduler-1").log().contains("out of reach, and not for another"));
    proxy.heal();
    takes_a_new_title(&mut farm, "scheduler-1", &["one", "two"]).await;
}

/// A scheduler whose link to the broker breaks in a way of the test's, as soon as a worker is known. Leases are long: the
/// first attempt at each task is the only one.
async fn scheduler_behind(proxy: &Proxy, farm: &mut Farm) -> Tap {
    farm.lease = 60;
    farm.scheduler_through("scheduler-1", proxy).await;
    let tap = Tap::start(farm).await;
    farm.worker("worker-1");
    farm.until("the worker is known", async |farm| {
        farm.json("scheduler-1", &["workers", "--json"]).as_array().is_some_and(|workers| !workers.is_empty())
    })
    .await;
    tap
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_scheduler_had_recorded_and_not_sent_is_sent_by_the_next() {
    let mut farm = Farm::servers().await;
    let proxy = Proxy::start(farm.broker.address()).await.unwrap();
    let tap = scheduler_behind(&proxy, &mut farm).await;
    proxy.stall();
    farm.submit("scheduler-1", "film", 4, PROFILES);
    farm.until("the message is recorded", async |farm| farm.store.unsent(10).await.unwrap().len() == 1).await;
    farm.kill("scheduler-1").await;
    // What the link had swallowed does not arrive later.
    proxy.cut();
    proxy.wait_until_idle().await;
    proxy.heal();
    assert_eq!(tap.waiting("reelfarm.tasks.light").await, 0);
    farm.scheduler_through("scheduler-1", &proxy).await;
    let (message, _) = tap.copy_of("fingerprint").await;
    assert_eq!(message.fence.attempt, 1);
    farm.judge(&["film"]).await;
    assert_eq!(task(&farm, "film", "fingerprint").await.attempt, 1);
    assert!(farm.process("scheduler-1").log().contains("sending what an earlier scheduler had not sent"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_scheduler_had_sent_and_not_marked_is_sent_twice_and_done_once() {
    let mut farm = Farm::servers().await;
    let proxy = Proxy::start(farm.broker.address()).await.unwrap();
    let tap = scheduler_behind(&proxy, &mut farm).await;
    proxy.stall_answers();
    farm.submit("scheduler-1", "film", 4, PROFILES);
    let (first, _) = tap.copy_of("fingerprint").await;
    assert_eq!(farm.store.unsent(10).await.unwrap().len(), 1, "the confirmation was not heard");
    farm.kill("scheduler-1").await;
    proxy.cut();
    proxy.wait_until_idle().await;
    proxy.heal();
    farm.scheduler_through("scheduler-1", &proxy).await;
    let (second, _) = tap.copy_of("fingerprint").await;
    assert_eq!(second.fence, first.fence);
    farm.judge(&["film"]).await;
    let fingerprint = task(&farm, "film", "fingerprint").await;
    assert_eq!((fingerprint.attempt, fingerprint.failures, fingerprint.losses), (1, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn schedulers_that_start_together_on_an_empty_database_make_one_farm() {
    let mut farm = Farm::servers().await;
    let url = farm.postgres.create_database().await.unwrap();
    farm.site.secret("database-url", &url);
    let schedulers = ["scheduler-1", "scheduler-2", "scheduler-3"];
    for scheduler in schedulers {
        farm.launch_scheduler(scheduler);
    }
    for scheduler in schedulers {
        farm.answers(scheduler).await;
    }
    farm.store = PostgresStore::open(&url).await.unwrap();
    farm.until("one leads", async |farm| {
        schedulers.iter().any(|name| farm.process(name).log().contains("this scheduler leads"))
    })
    .await;
    farm.worker("worker-1");
    farm.submit("scheduler-1", "one", 4, "mp4-clr");
    farm.submit("scheduler-2", "two", 4, "mp4-clr");
    farm.submit("scheduler-3", "three", 4, "mp4-clr");
    farm.judge(&["one", "two", "three"]).await;

    // A program of an older version finds the database of a newer one.
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES (999, 'of tomorrow', true, '', 0)";
    farm.postgres.execute_in(&url, newer).await.unwrap();
    farm.launch_scheduler("old");
    let log = farm.path("old.log");
    assert_eq!(farm.end_of("old").await.code(), Some(5));
    let said = fs_err::read_to_string(log).unwrap();
    assert!(said.contains("RF-STO-001") && said.contains("newer"), "{said}");
    // Those that run write nothing any more, and workers need no database.
    farm.until("nobody leads", async |farm| {
        schedulers.iter().all(|name| farm.process(name).log().trim_end().ends_with("nobody leads"))
    })
    .await;
}
