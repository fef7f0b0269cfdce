//! No-op tasks through the whole loop, for `scripts/bench dispatch`: titles that the planner planned, in PostgreSQL; a leading
//! scheduler and workers as processes of their own; RabbitMQ between them. Only the work is missing: each attempt answers at
//! once what it would have made. Prints figures as JSON.

mod children;
mod figures;
mod raw;
mod rounds;
mod scheduler;
mod servers;
mod titles;
mod workers;

use std::error::Error;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Whatever goes wrong ends the benchmark.
type Fault = Box<dyn Error + Send + Sync>;

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Starts the servers and the farm, and measures.
    Measure(Measure),
    /// A scheduler that leads, until its standard input ends.
    Scheduler {
        /// The database.
        #[arg(long)]
        database: String,
        /// The broker.
        #[arg(long)]
        broker: String,
        /// The folder of the artifacts.
        #[arg(long)]
        state: PathBuf,
    },
    /// Workers that do nothing, until their standard input ends.
    Workers {
        /// The broker.
        #[arg(long)]
        broker: String,
        /// The folder of the artifacts.
        #[arg(long)]
        state: PathBuf,
        /// How many.
        #[arg(long)]
        count: usize,
        /// How many tasks of each pool one takes at once.
        #[arg(long)]
        slots: usize,
    },
}

/// How much is measured.
#[derive(Args, Clone)]
struct Measure {
    /// Rounds that count, after one warm-up.
    #[arg(long)]
    rounds: usize,
    /// Chains of ten tasks in a round.
    #[arg(long)]
    chains: usize,
    /// Whole titles in a round, with every profile.
    #[arg(long)]
    titles: usize,
    /// Workers of a round.
    #[arg(long)]
    workers: usize,
    /// Tasks of each pool that a worker takes at once.
    #[arg(long)]
    slots: usize,
    /// Clients of PostgreSQL that claim and finish.
    #[arg(long)]
    clients: usize,
    /// Tasks, one after the other, whose waits are measured.
    #[arg(long)]
    waits: usize,
    /// Workers that are connected at the end, with one slot a pool.
    #[arg(long)]
    crowd: usize,
}

#[tokio::main]
async fn main() -> Result<(), Fault> {
    match Arguments::parse().role {
        Role::Measure(measure) => rounds::run(&measure).await,
        Role::Scheduler { database, broker, state } => scheduler::run(&database, &broker, &state).await,
        Role::Workers { broker, state, count, slots } => workers::run(&broker, &state, count, slots).await,
    }
}
