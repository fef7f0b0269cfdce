//! A farm of many processes: real schedulers and workers over a real PostgreSQL and a real RabbitMQ, and what breaks in
//! between.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

#[path = "../support/mod.rs"]
mod support;

mod farm;
mod faults;
mod hosts;
mod judge;
mod metrics;
mod monitoring;
mod site;
mod soak;
mod tap;
mod titles;
