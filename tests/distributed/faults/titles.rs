//! Titles that are cancelled, and many at once.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use reelfarm_model::{Code, TaskState, TitleState};
use reelfarm_store::{PostgresStore, Store as _};

use super::{PROFILES, SECONDS, encoding};
use crate::farm::{Farm, PATIENCE};
use crate::support::{describe, tree};
use crate::tap::Tap;

#[tokio::test(flavor = "multi_thread")]
async fn a_title_cancelled_while_it_is_made_leaves_nothing() {
    let (mut farm, _) = encoding().await;
    farm.json("scheduler-1", &["cancel", "film", "--json"]);
    farm.reaches("film", TitleState::Cancelled).await;
    farm.until("no attempt is left", async |farm| {
        farm.store.under_way().await.is_ok_and(|attempts| attempts.is_empty())
    })
    .await;
    assert!(!farm.path("origin").join("film").join("index.json").exists());
    // What was made is used by the next submission.
    farm.submit("scheduler-1", "film", SECONDS, PROFILES);
    farm.judge(&["film"]).await;
}

/// Titles that are cancelled while they are put online.
const CANCELLED: u64 = 16;
/// What a title does last, from the first task whose effect is at the origin.
const LAST: [&str; 3] = ["verify", "upload", "publish"];

#[tokio::test(flavor = "multi_thread")]
async fn a_title_cancelled_as_it_is_published_is_online_whole_or_not_at_all() {
    let mut farm = Farm::start().await;
    farm.submit("scheduler-1", "film", 4, PROFILES);
    farm.reaches("film", TitleState::Published).await;
    // The same bytes under other names: what is left to do of each is to put it online.
    let titles: Vec<String> = (0..CANCELLED).map(|number| format!("copy-{number}")).collect();
    let mut cancelling = tokio::task::JoinSet::new();
    for (number, title) in (0..).zip(&titles) {
        fs_err::copy(farm.path("films").join("film.mp4"), farm.path("films").join(format!("{title}.mp4")))
            .unwrap();
        let cancel = farm.command("scheduler-1", &["cancel", title]);
        cancelling.spawn(cancel_in_the_midst(farm.store.clone(), title.clone(), number, cancel.into()));
    }
    let films: Vec<_> = titles.iter().map(|title| format!("films/{title}.mp4")).collect();
    let mut arguments = vec!["submit", "--ladder", "fast", "--profiles", PROFILES, "--json"];
    arguments.extend(films.iter().map(String::as_str));
    farm.json("scheduler-1", &arguments);
    let cancels = cancelling.join_all().await;
    let mut cancelled = Vec::new();
    for title in &titles {
        farm.until(&format!("{title} has ended"), async |farm| {
            farm.title(title).await.is_some_and(|found| found.state.is_final())
        })
        .await;
        let found = farm.title(title).await.unwrap();
        match found.state {
            // Also where the cancellation was taken, and the publication had taken place before its worker heard of it.
            TitleState::Published => drop(farm.is_online_once(title)),
            TitleState::Cancelled => {
                assert!(tree(&farm.path("origin").join(title)).is_empty(), "{title} is cancelled");
                cancelled.push(title.as_str());
            }
            other => panic!("{title} is {}: {:?}", other.as_str(), found.failure),
        }
    }
    println!("{} of {CANCELLED} were cancelled", cancelled.len());
    for (title, answer) in cancels {
        let was_cancelled = cancelled.contains(&title.as_str());
        let words = String::from_utf8_lossy(&answer.stderr);
        let was_taken = answer.status.success();
        assert!(was_taken || !was_cancelled, "{title}: {}", describe(&answer));
        assert!(was_taken || words.contains(Code::TitleStateWrong.as_str()), "{}", describe(&answer));
    }
    for title in cancelled {
        farm.json("scheduler-1", &["retry", title, "--json"]);
    }
    let all: Vec<_> = titles.iter().map(String::as_str).chain(["film"]).collect();
    farm.judge(&all).await;
}

/// Cancels a title at a moment that a seed chooses: while, or right after, one of its last tasks is at work.
async fn cancel_in_the_midst(
    store: PostgresStore,
    title: String,
    seed: u64,
    mut cancel: tokio::process::Command,
) -> (String, std::process::Output) {
    let mut random = StdRng::seed_from_u64(seed);
    let label = LAST[random.random_range(0..LAST.len())];
    let state = if random.random() { TaskState::Running } else { TaskState::Done };
    let id = title.parse().unwrap();
    let reached = async {
        loop {
            let tasks = store.tasks_of(&id).await.unwrap();
            let is_there = tasks.iter().any(|record| {
                record.task.spec.label().starts_with(label)
                    && (record.state == state || record.state == TaskState::Done)
            });
            if is_there {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, reached).await.unwrap();
    tokio::time::sleep(Duration::from_millis(random.random_range(0..100))).await;
    let output = cancel.output().await.unwrap();
    (title, output)
}

/// Files that are no films, submitted at once.
const FLOOD: usize = 200;

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_bad_files_waits_in_the_store_and_all_are_told_what_is_wrong() {
    let mut farm = Farm::start().await;
    let tap = Tap::start(&farm).await;
    let good = farm.film("good", 3);
    let whole = fs_err::read(good).unwrap();
    let mut films = Vec::new();
    for number in 0..FLOOD {
        // Damaged in ways of all kinds: noise, nothing but a header, and a film that was cut off.
        let bytes = match number % 3 {
            0 => format!("no film {number}").into_bytes(),
            1 => whole[..64 + number].to_vec(),
            _ => whole[..whole.len() / 2 + number].to_vec(),
        };
        let name = format!("bad-{number}");
        fs_err::write(farm.path("films").join(format!("{name}.mp4")), bytes).unwrap();
        films.push(name);
    }
    let paths: Vec<_> = films.iter().map(|name| format!("films/{name}.mp4")).collect();
    let mut arguments = vec!["submit", "--ladder", "fast", "--profiles", "mp4-clr", "--json"];
    arguments.extend(paths.iter().map(String::as_str));
    farm.json("scheduler-1", &arguments);
    farm.submit("scheduler-1", "film", 4, "mp4-clr");
    let mut deepest = 0;
    farm.until("all have ended", async |farm| {
        for pool in ["cpu", "package", "light"] {
            deepest = deepest.max(tap.waiting(&format!("reelfarm.tasks.{pool}")).await);
        }
        let live = farm.store.live_titles().await.unwrap();
        live.is_empty()
    })
    .await;
    // Two workers with a slot in each pool.
    assert!(deepest <= 2, "{deepest} messages lay in one queue");
    for name in &films {
        let title = farm.title(name).await.unwrap();
        let why =
            title.failure.map(|failure| failure.message).or(title.report.map(|report| format!("{report:?}")));
        assert_eq!(title.state, TitleState::Rejected, "{name}: {why:?}");
    }
    farm.reaches("film", TitleState::Published).await;
    farm.is_whole().await;
}
