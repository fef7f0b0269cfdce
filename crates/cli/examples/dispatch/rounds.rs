//! The order of the measurements: the two rates in turn, the waits, then the crowd.

use std::path::Path;
use std::time::{Duration, Instant};

use reelfarm_store::PostgresStore;
use reelfarm_test_servers::rabbitmq::User;
use sqlx::{Connection as _, PgConnection};

use crate::children::{Process, say};
use crate::figures::{Figures, Memory, Round};
use crate::servers::Servers;
use crate::{Fault, Measure, figures, raw, titles};

/// How often the end of a round is looked for.
const LOOK: Duration = Duration::from_millis(100);
/// A round that takes as long hangs.
const PATIENCE: Duration = Duration::from_secs(600);

struct Bench<'a> {
    measure: &'a Measure,
    servers: Servers,
    state: &'a Path,
}

/// Measures everything and prints the figures.
pub(crate) async fn run(measure: &Measure) -> Result<(), Fault> {
    let folder = tempfile::tempdir()?;
    let bench = Bench { measure, servers: Servers::start().await?, state: folder.path() };
    let figures = bench.run().await?;
    say(&serde_json::to_string(&figures)?)
}

/// What a round consists of.
#[derive(Clone, Copy)]
enum Load {
    Chains,
    Titles,
}

/// Tasks of a chain.
const CHAIN: usize = 10;

impl Bench<'_> {
    async fn run(&self) -> Result<Figures, Fault> {
        let mut found = Figures::default();
        let Measure { rounds, workers, slots, crowd, .. } = *self.measure;
        let few = self.workers(workers, slots).await?;
        for number in 0..=rounds {
            let chains = self.round(Load::Chains, number).await?;
            let titles = self.round(Load::Titles, number).await?;
            if number > 0 {
                found.chains.push(chains);
                found.titles.push(titles);
            }
        }
        found.waits_ms = self.waits().await?;
        few.stop().await?;

        let empty = self.database().await?;
        let mut scheduler = self.scheduler(&empty).await?;
        scheduler.says("workers 0").await?;
        found.memory.push(self.memory("no worker", &scheduler)?);
        let many = self.workers(crowd, 1).await?;
        scheduler.says(&format!("workers {crowd}")).await?;
        found.memory.push(self.memory("connected", &scheduler)?);
        scheduler.stop().await?;
        for number in 0..rounds {
            found.crowd.push(self.round(Load::Chains, number).await?);
        }
        let database = self.load(Load::Chains).await?.0;
        let scheduler = self.scheduler(&database).await?;
        self.until_done(&database).await?;
        found.memory.push(self.memory("after a round", &scheduler)?);
        scheduler.stop().await?;
        many.stop().await?;
        Ok(found)
    }

    /// All rates, over the same tasks; which comes first changes with each round.
    async fn round(&self, load: Load, number: usize) -> Result<Round, Fault> {
        let (database, tasks) = self.load(load).await?;
        let clients = self.measure.clients;
        let raw = async || -> Result<(f64, f64), Fault> {
            Ok((raw::rate(&database, clients).await?, raw::rate(&database, 1).await?))
        };
        let ((raw, raw_alone), whole_loop) = if number.is_multiple_of(2) {
            let raw = raw().await?;
            (raw, self.work_off(&database, tasks).await?)
        } else {
            let whole_loop = self.work_off(&database, tasks).await?;
            (raw().await?, whole_loop)
        };
        note(&format!(
            "round {number}: {tasks} tasks, raw {raw:.0}/s, by one client {raw_alone:.0}/s, loop {whole_loop:.0}/s"
        ));
        Ok(Round { tasks, raw, raw_alone, whole_loop })
    }

    /// A new database with titles whose tasks all wait to be made; and how many those are.
    async fn load(&self, load: Load) -> Result<(String, usize), Fault> {
        let database = self.database().await?;
        let store = PostgresStore::open(&database).await?;
        let tasks = match load {
            Load::Chains => titles::plan_chains(&store, self.measure.chains, CHAIN, self.state).await?,
            Load::Titles => titles::plan(&store, self.measure.titles, self.state).await?,
        };
        store.close().await;
        vacuum(&database).await?;
        Ok((database, tasks))
    }

    async fn waits(&self) -> Result<Vec<i64>, Fault> {
        let database = self.database().await?;
        let store = PostgresStore::open(&database).await?;
        // The first of a chain has nothing before it.
        let tasks = titles::plan_chains(&store, 1, self.measure.waits + 1, self.state).await?;
        store.close().await;
        vacuum(&database).await?;
        self.work_off(&database, tasks).await?;
        figures::waits(&database).await
    }

    async fn work_off(&self, database: &str, tasks: usize) -> Result<f64, Fault> {
        let scheduler = self.scheduler(database).await?;
        self.until_done(database).await?;
        scheduler.stop().await?;
        figures::rate(database, tasks).await
    }

    async fn until_done(&self, database: &str) -> Result<(), Fault> {
        let mut connection = PgConnection::connect(database).await?;
        let started = Instant::now();
        while figures::unfinished(&mut connection).await? > 0 {
            if started.elapsed() > PATIENCE {
                return Err("the farm does not come to an end".into());
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    async fn database(&self) -> Result<String, Fault> {
        let database = self.servers.postgres.create_database().await?;
        PostgresStore::open(&database).await?.close().await;
        Ok(database)
    }

    /// A scheduler that leads.
    async fn scheduler(&self, database: &str) -> Result<Process, Fault> {
        let state = self.state.to_str().ok_or("a folder without a name")?;
        let broker = self.servers.broker_url(User::Scheduler);
        Process::start(&["scheduler", "--database", database, "--broker", &broker, "--state", state])
    }

    async fn workers(&self, count: usize, slots: usize) -> Result<Process, Fault> {
        let state = self.state.to_str().ok_or("a folder without a name")?;
        let broker = self.servers.broker_url(User::Worker);
        let (count, slots) = (count.to_string(), slots.to_string());
        let arguments =
            ["workers", "--broker", &broker, "--state", state, "--count", &count, "--slots", &slots];
        let mut workers = Process::start(&arguments)?;
        workers.says("connected").await?;
        Ok(workers)
    }

    fn memory(&self, when: &'static str, scheduler: &Process) -> Result<Memory, Fault> {
        Ok(Memory { when, scheduler: scheduler.memory()?, broker: self.servers.broker_memory()? })
    }
}

async fn vacuum(database: &str) -> Result<(), Fault> {
    let mut connection = PgConnection::connect(database).await?;
    sqlx::raw_sql("VACUUM ANALYZE").execute(&mut connection).await?;
    Ok(())
}

/// Tells whoever waits how far it is.
fn note(line: &str) {
    use std::io::Write as _;
    // Nobody may be reading it.
    drop(writeln!(std::io::stderr(), "{line}"));
}
