//! Injects the faults of a plan into a farm, several at a time, and mends everything in the end.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reelfarm_model::task::Pool;
use reelfarm_store::{Leadership as _, PostgresStore};
use reelfarm_test_servers::postgres::Postgres;
use reelfarm_test_servers::proxy::Proxy;
use reelfarm_test_servers::rabbitmq::RabbitMq;
use rustix::process::{Pid, Signal};
use tokio::task::JoinSet;

use super::hosts::{Host, Role};
use super::messages::Meddler;
use super::plan::{Fault, FaultKind};
use crate::site::Site;

/// How often hosts are looked after.
const TICK: Duration = Duration::from_millis(250);
/// How long the database may take to say who leads; under faults it may not answer at all.
const ELECTION_PATIENCE: Duration = Duration::from_secs(1);
/// How long a media process is waited for.
const CHILD_PATIENCE: Duration = Duration::from_secs(2);
/// What a slow link holds up each piece by.
const SLOW: Duration = Duration::from_millis(200);

/// What a fault can hit. While it does, it is away from here.
#[derive(Default)]
struct Whole {
    hosts: Vec<Host>,
    broker: Option<RabbitMq>,
    database: Option<Postgres>,
    links: Vec<Arc<Proxy>>,
}

impl Whole {
    fn take_back(&mut self, other: Self) {
        self.hosts.extend(other.hosts);
        self.broker = other.broker.or(self.broker.take());
        self.database = other.database.or(self.database.take());
        self.links.extend(other.links);
    }
}

/// A fault that is over.
struct Over {
    kind: FaultKind,
    /// Whether it happened: a process may have ended before it could be hit.
    happened: bool,
    mended: Whole,
}

/// The faults, and what they hit.
pub(super) struct Chaos {
    site: Site,
    store: PostgresStore,
    meddler: Meddler,
    whole: Whole,
    running: JoinSet<Over>,
    pub(super) counts: BTreeMap<FaultKind, u64>,
}

impl Chaos {
    pub(super) fn new(
        site: Site,
        store: PostgresStore,
        meddler: Meddler,
        (broker, database): (RabbitMq, Postgres),
        (hosts, links): (Vec<Host>, Vec<Arc<Proxy>>),
    ) -> Self {
        let whole = Whole { hosts, broker: Some(broker), database: Some(database), links };
        let counts = FaultKind::ALL.iter().map(|kind| (*kind, 0)).collect();
        Self { site, store, meddler, whole, running: JoinSet::new(), counts }
    }

    /// Injects faults for this long, or until `stopped` says so.
    pub(super) async fn run(
        &mut self,
        faults: impl Iterator<Item = Fault>,
        lasts: Duration,
        stopped: impl Fn() -> bool,
    ) {
        let (start, mut next) = (Instant::now(), Duration::ZERO);
        for fault in faults {
            next += fault.after;
            if next > lasts {
                break;
            }
            self.watch_until(start + next, &stopped).await;
            if stopped() {
                return;
            }
            if self.inject(&fault).await {
                println!("{:7.1} s  {}", start.elapsed().as_secs_f64(), fault.kind.said());
            } else {
                // There is nothing that it could hit now: the fault after it comes at once in its place.
                next -= fault.after;
            }
        }
    }

    /// Looks after the hosts until a time.
    async fn watch_until(&mut self, until: Instant, stopped: &impl Fn() -> bool) {
        loop {
            while let Some(over) = self.running.try_join_next() {
                self.is_over(over.unwrap());
            }
            for host in &mut self.whole.hosts {
                host.look_after().await;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || stopped() {
                return;
            }
            tokio::time::sleep(left.min(TICK)).await;
        }
    }

    /// Looks after the hosts as long as anybody waits for something.
    pub(super) async fn watch(&mut self) {
        loop {
            self.watch_until(Instant::now() + TICK, &|| false).await;
        }
    }

    /// Waits until every fault is over.
    pub(super) async fn mend(&mut self) {
        while let Some(over) = self.running.join_next().await {
            self.is_over(over.unwrap());
        }
    }

    /// What the farm consists of again, once it is mended. The links must be kept for as long as it runs.
    pub(super) fn into_parts(self) -> (Meddler, RabbitMq, Postgres, Vec<Host>, Vec<Arc<Proxy>>) {
        let Whole { hosts, broker, database, links } = self.whole;
        (self.meddler, broker.unwrap(), database.unwrap(), hosts, links)
    }

    fn is_over(&mut self, over: Over) {
        if over.happened {
            *self.counts.get_mut(&over.kind).unwrap() += 1;
        }
        self.whole.take_back(over.mended);
    }

    /// Begins a fault; `false` where there is nothing that it could hit.
    async fn inject(&mut self, fault: &Fault) -> bool {
        let Fault { kind, choice, lasts, .. } = *fault;
        match kind {
            FaultKind::WorkerKilled
            | FaultKind::WorkerPaused
            | FaultKind::WorkerDrained
            | FaultKind::WorkerHurried => {
                let worker = self.take_host(choice, |host| host.role == Role::Worker);
                self.hit_host(kind, lasts, worker)
            }
            FaultKind::LeaderKilled | FaultKind::LeaderPaused => {
                let leader = self.leader().await;
                let leader = leader.and_then(|leader| self.take_host(choice, |host| serves(host, leader)));
                self.hit_host(kind, lasts, leader)
            }
            FaultKind::StandbyKilled => {
                let leader = self.leader().await;
                let is_standby = |host: &Host, leader| host.role != Role::Worker && !serves(host, leader);
                let standby =
                    leader.and_then(|leader| self.take_host(choice, |host| is_standby(host, leader)));
                self.hit_host(kind, lasts, standby)
            }
            FaultKind::SchedulerEnded => {
                let scheduler = self.take_host(choice, |host| host.role != Role::Worker);
                self.hit_host(kind, lasts, scheduler)
            }
            FaultKind::ChildKilled => {
                let site = self.site.clone();
                self.running.spawn(async move {
                    let happened = kill_child(&site, choice).await;
                    Over { kind, happened, mended: Whole::default() }
                });
                true
            }
            FaultKind::BrokerRestarted | FaultKind::BrokerKilled => self.hit_broker(kind, lasts),
            FaultKind::DatabaseRestarted | FaultKind::DatabaseKilled | FaultKind::DatabasePaused => {
                self.hit_database(kind, lasts)
            }
            FaultKind::LinkCut | FaultKind::LinkStalled | FaultKind::LinkSlow => {
                self.hit_link(kind, choice, lasts)
            }
            FaultKind::TasksPurged => {
                let pool = Pool::ALL[choice % Pool::ALL.len()].as_str();
                let happened = self.meddler.purge(&format!("reelfarm.tasks.{pool}")).await;
                self.happened(kind, happened)
            }
            FaultKind::ReportsPurged => {
                let happened = self.meddler.purge("reelfarm.events").await;
                self.happened(kind, happened)
            }
            FaultKind::TaskDuplicated => {
                let happened = self.meddler.duplicate(choice).await;
                self.happened(kind, happened)
            }
            FaultKind::Undecodable => {
                let happened = self.meddler.send_undecodable(choice).await;
                self.happened(kind, happened)
            }
        }
    }

    fn happened(&mut self, kind: FaultKind, happened: bool) -> bool {
        if happened {
            *self.counts.get_mut(&kind).unwrap() += 1;
        }
        happened
    }

    /// The address of the leader's API.
    async fn leader(&self) -> Option<SocketAddr> {
        let asked = tokio::time::timeout(ELECTION_PATIENCE, self.store.leader()).await;
        let leader = asked.ok()?.ok()??;
        leader.candidate.address.strip_prefix("http://")?.parse().ok()
    }

    /// One of the hosts that may be hit.
    fn take_host(&mut self, choice: usize, may: impl Fn(&Host) -> bool) -> Option<Host> {
        let able: Vec<_> =
            self.whole.hosts.iter().enumerate().filter(|(_, host)| may(host)).map(|(at, _)| at).collect();
        let at = *able.get(choice.checked_rem(able.len())?)?;
        Some(self.whole.hosts.remove(at))
    }

    fn hit_host(&mut self, kind: FaultKind, lasts: Duration, host: Option<Host>) -> bool {
        let Some(mut host) = host else { return false };
        self.running.spawn(async move {
            match kind {
                FaultKind::WorkerPaused | FaultKind::LeaderPaused => host.pause(lasts).await,
                FaultKind::WorkerDrained | FaultKind::SchedulerEnded => host.end(false).await,
                FaultKind::WorkerHurried => host.end(true).await,
                _ => host.kill().await,
            }
            Over { kind, happened: true, mended: Whole { hosts: vec![host], ..Whole::default() } }
        });
        true
    }

    fn hit_broker(&mut self, kind: FaultKind, lasts: Duration) -> bool {
        let Some(mut broker) = self.whole.broker.take() else { return false };
        if kind == FaultKind::BrokerKilled {
            self.meddler.broker_killed();
        }
        self.running.spawn(async move {
            match kind {
                FaultKind::BrokerKilled => broker.kill().await.unwrap(),
                _ => broker.stop().await.unwrap(),
            }
            tokio::time::sleep(lasts).await;
            broker.start_again().await.unwrap();
            Over { kind, happened: true, mended: Whole { broker: Some(broker), ..Whole::default() } }
        });
        true
    }

    fn hit_database(&mut self, kind: FaultKind, lasts: Duration) -> bool {
        let Some(mut database) = self.whole.database.take() else { return false };
        self.running.spawn(async move {
            match kind {
                FaultKind::DatabaseRestarted => database.stop().await.unwrap(),
                FaultKind::DatabaseKilled => database.kill().await.unwrap(),
                _ => database.pause().unwrap(),
            }
            tokio::time::sleep(lasts).await;
            match kind {
                FaultKind::DatabasePaused => database.resume().unwrap(),
                _ => database.start_again().await.unwrap(),
            }
            Over { kind, happened: true, mended: Whole { database: Some(database), ..Whole::default() } }
        });
        true
    }

    fn hit_link(&mut self, kind: FaultKind, choice: usize, lasts: Duration) -> bool {
        let Some(at) = choice.checked_rem(self.whole.links.len()) else { return false };
        let link = self.whole.links.remove(at);
        self.running.spawn(async move {
            match kind {
                FaultKind::LinkCut => link.cut(),
                FaultKind::LinkSlow => link.slow(SLOW),
                _ => link.stall(),
            }
            if kind != FaultKind::LinkCut {
                tokio::time::sleep(lasts).await;
                link.heal();
            }
            Over { kind, happened: true, mended: Whole { links: vec![link], ..Whole::default() } }
        });
        true
    }
}

fn serves(host: &Host, at: SocketAddr) -> bool {
    matches!(host.role, Role::Scheduler { address } if address == at)
}

/// Kills a process that a worker works with, once there is one.
async fn kill_child(site: &Site, choice: usize) -> bool {
    let start = Instant::now();
    while start.elapsed() < CHILD_PATIENCE {
        let site = site.clone();
        let processes = tokio::task::spawn_blocking(move || site.processes()).await.unwrap();
        // Not the packager that says its version, without which nothing starts.
        let is_child =
            |command: &str| command.contains(" media-child ") || command.contains("packager --quiet ");
        let children: Vec<_> =
            processes.into_iter().filter(|(_, command)| is_child(command)).map(|(id, _)| id).collect();
        if let Some(at) = choice.checked_rem(children.len()) {
            let child = Pid::from_raw(i32::try_from(children[at]).unwrap()).unwrap();
            // It may have ended meanwhile.
            return rustix::process::kill_process(child, Signal::KILL).is_ok();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}
