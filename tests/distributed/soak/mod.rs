//! The soak: titles come in while random faults hit a whole farm, several at a time; in the end the farm must have lost
//! nothing, done nothing twice, and left nothing lying.
//!
//! It is short unless REELFARM_SOAK_SECONDS says otherwise (`scripts/soak`). All that is random follows from a seed, which
//! is printed first; REELFARM_SOAK_SEED gives it again. That repeats the plan of faults and titles, not the times at which
//! processes do things.

mod chaos;
mod client;
mod hosts;
mod messages;
mod oracle;
mod plan;
mod producer;
mod report;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use reelfarm_test_servers::proxy::Proxy;
use reelfarm_test_servers::rabbitmq::User;

use chaos::Chaos;
use client::Client;
use hosts::{Host, Role};
use messages::Meddler;
use plan::PlannedTitle;
use producer::Producer;
use report::Report;

use crate::farm::{Farm, LEASE, SCHEDULER_URL, VIRTUAL_HOST, WORKER_URL};
use crate::site::Site;

/// Seconds of faults where nobody asks for more.
const SHORT: u64 = 45;
/// From the last fault until every title has ended. There are but a few in work, and a client that was cut off may have to
/// wait a minute until it may ask again.
const SETTLING: Duration = Duration::from_secs(240);

/// A number from the environment.
fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a whole number, not {text:?}")))
}

#[tokio::test(flavor = "multi_thread")]
async fn random_faults_lose_nothing_double_nothing_and_leave_nothing_behind() {
    let seed = setting("REELFARM_SOAK_SEED").unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let lasts = Duration::from_secs(setting("REELFARM_SOAK_SECONDS").unwrap_or(SHORT));
    println!("REELFARM_SOAK_SEED={seed}, faults for {} s", lasts.as_secs());
    soak(seed, lasts).await.publish(std::env::var_os("REELFARM_SOAK_REPORT").map(PathBuf::from).as_deref());
}

/// Keeps the farm's folder where the soak fails: an hour's logs are worth more than the place that they take.
struct KeptOnFailure(Site);

impl Drop for KeptOnFailure {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.keep();
            println!("logs and origin are kept in {}", self.0.folder().display());
        }
    }
}

async fn soak(seed: u64, lasts: Duration) -> Report {
    let farm = Farm::servers().await;
    let _kept = KeptOnFailure(farm.site.clone());
    let (schedulers, links) = ([farm.api(1), farm.api(2)], links(&farm).await);
    let role = Role::Scheduler { address: schedulers[0] };
    let mut hosts = vec![Host::start(&farm.site, "scheduler-1", role, SCHEDULER_URL)];
    // By then there is the token, which schedulers must not make at the same time.
    let meddler = Meddler::start(farm.broker.url(User::Administrator, VIRTUAL_HOST)).await;
    hosts.push(Host::start(
        &farm.site,
        "scheduler-2",
        Role::Scheduler { address: schedulers[1] },
        &url_file("scheduler-2"),
    ));
    for (name, url) in [
        ("worker-1", WORKER_URL.to_owned()),
        ("worker-2", url_file("worker-2")),
        ("worker-3", url_file("worker-3")),
    ] {
        hosts.push(Host::start(&farm.site, name, Role::Worker, &url));
    }
    let Farm { postgres, broker, site, store, .. } = farm;
    let producer = Producer {
        client: Arc::new(Client::new(&site, schedulers.into())),
        site: site.clone(),
        oracle: Arc::default(),
        over: Arc::new(AtomicBool::new(false)),
    };
    let mut producing = tokio::spawn(producer.clone().run(plan::titles(seed)));

    let mut chaos = Chaos::new(site.clone(), store.clone(), meddler, (broker, postgres), (hosts, links));
    let start = Instant::now();
    // A story that went wrong ends the soak.
    chaos.run(plan::faults(seed), lasts, || producing.is_finished()).await;
    producer.over.store(true, Ordering::Relaxed);
    chaos.mend().await;
    let faults_for = start.elapsed();
    tokio::select! {
        told = tokio::time::timeout(SETTLING, &mut producing) => match told {
            Ok(told) => told.unwrap(),
            Err(_) => panic!("titles have not ended"),
        },
        () = chaos.watch() => {}
    }
    let settled_in = start.elapsed() - faults_for;

    let faults = chaos.counts.clone();
    let (meddler, broker, postgres, hosts, _links) = chaos.into_parts();
    let restarts = hosts.iter().map(|host| host.restarts).sum();
    let processes = hosts.into_iter().map(|host| (host.name, host.process)).collect();
    let variables = BTreeMap::new();
    let mut farm = Farm { postgres, broker, site, processes, schedulers: 2, store, variables, lease: LEASE };
    let verdict = producer.oracle.judge(&mut farm, &meddler).await;
    let afterwards = PlannedTitle::plain("title-0");
    tokio::time::timeout(SETTLING, producer.tell(&afterwards)).await.unwrap();
    farm.is_online_once(&afterwards.name);
    let mut report = Report {
        seed,
        faults_for,
        settled_in,
        verdict,
        faults,
        restarts,
        terms: 0,
        tasks: 0,
        attempts: BTreeMap::new(),
    };
    report.count(&farm.postgres).await;
    report
}

/// Links to the broker that can be cut: of a scheduler and of two workers.
async fn links(farm: &Farm) -> Vec<Arc<Proxy>> {
    let mut links = Vec::new();
    for (name, user) in
        [("scheduler-2", User::Scheduler), ("worker-2", User::Worker), ("worker-3", User::Worker)]
    {
        let link = Proxy::start(farm.broker.address()).await.unwrap();
        farm.site.secret(&url_file(name), &farm.broker.url_through(link.address(), user, VIRTUAL_HOST));
        links.push(Arc::new(link));
    }
    links
}

fn url_file(host: &str) -> String {
    format!("{host}-url")
}
