//! Each fault is injected while a title is being made; the farm must be whole afterwards and take a new title.

mod broker;
mod clocks;
mod database;
mod messages;
mod schedulers;
mod storage;
mod titles;
mod workers;

use reelfarm_store::{Store as _, TaskRecord};

use crate::farm::Farm;

const PROFILES: &str = "dash-clr-2s,hls-fp-4s";
/// Long enough to encode that a fault hits in the midst of it.
const SECONDS: u32 = 20;

/// A title in the midst of its encode.
async fn encoding() -> (Farm, String) {
    let mut farm = Farm::start().await;
    farm.submit("scheduler-1", "film", SECONDS, PROFILES);
    let worker = farm.at_work("film", "encode-video").await;
    (farm, worker)
}

/// A title's task.
async fn task(farm: &Farm, title: &str, label: &str) -> TaskRecord {
    let tasks = farm.store.tasks_of(&title.parse().unwrap()).await.unwrap();
    tasks.into_iter().find(|record| record.task.spec.label().starts_with(label)).unwrap()
}

/// How often the encode was dispatched.
async fn encodes(farm: &Farm) -> u32 {
    task(farm, "film", "encode-video").await.attempt
}

async fn takes_a_new_title(farm: &mut Farm, scheduler: &str, others: &[&str]) {
    farm.submit(scheduler, "next", 4, "mp4-clr");
    let all: Vec<_> = others.iter().copied().chain(["next"]).collect();
    farm.judge(&all).await;
}
