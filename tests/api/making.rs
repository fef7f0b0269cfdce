//! Titles that are really made, and parts of them made again.

use std::collections::BTreeMap;

use reelfarm_store::{Scope, Store as _};
use serde_json::Value;

use crate::command_line::Person;
use crate::farm::{Farm, Wish};
use crate::support::{clips, tree};

/// How many attempts there were at each task, by label.
fn attempts(status: &Value) -> BTreeMap<String, usize> {
    let tasks = status["tasks"].as_array().unwrap().iter();
    tasks
        .map(|task| (task["label"].as_str().unwrap().to_owned(), task["attempts"].as_array().unwrap().len()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_rendition_is_made_again_and_the_others_are_not() {
    let farm = Farm::start_with(Wish { worker: true, ..Wish::default() }).await;
    let person = Person { farm: &farm, scope: Scope::Operator };
    let film = clips::film(&farm.path("films/film.mp4"), 3);
    let made = person.json(&["submit", film.to_str().unwrap(), "--profiles", "dash-clr-2s", "--wait"]).await;
    assert_eq!(made["titles"][0]["state"], "published");
    let online = tree(&farm.path("origin"));
    let before = attempts(&person.json(&["status", "film"]).await);

    let tasks = farm.store.tasks_of(&"film".parse().unwrap()).await.unwrap();
    let encode = tasks.iter().find(|record| record.task.spec.label() == "encode-video").unwrap();
    let rendition = |name: &str| {
        let key = encode.task.output(name).unwrap().to_string();
        let artifacts = tree(&farm.path("artifacts"));
        let files: BTreeMap<_, _> = artifacts.into_iter().filter(|(path, _)| path.contains(&key)).collect();
        assert!(!files.is_empty(), "{name}");
        files
    };
    let (small, large) = (rendition("240p"), rendition("360p"));
    let changed = |name: &str| {
        let key = encode.task.output(name).unwrap().to_string();
        let path =
            rendition(name).into_keys().find(|path| path.ends_with(".mp4") && path.contains(&key)).unwrap();
        fs_err::metadata(farm.path("artifacts").join(path)).unwrap().modified().unwrap()
    };
    let (small_before, large_before) = (changed("240p"), changed("360p"));

    person.json(&["retry", "film", "--rendition", "240p"]).await;
    let made = person.json(&["watch", "film"]).await;
    assert_eq!(made["titles"][0]["state"], "published");
    let status = person.json(&["status", "film"]).await;
    let after = attempts(&status);
    for (label, count) in &before {
        // An encode of the missing rendition alone is a task of its own.
        let is_before = ["fingerprint ", "qc", "encode-"].iter().any(|kind| label.starts_with(kind));
        let again = usize::from(!is_before);
        assert_eq!(after[label], count + again, "{label}");
    }
    let tasks = status["tasks"].as_array().unwrap();
    let encode_again = tasks.iter().find(|task| task["label"] == "encode-video").unwrap();
    let outputs = encode_again["task"]["outputs"].as_array().unwrap();
    assert_eq!((outputs.len(), &outputs[0]["name"]), (1, &"240p".into()));
    assert_ne!(changed("240p"), small_before, "it was made again");
    assert_eq!(changed("360p"), large_before, "it was left alone");
    // One x264 thread an encoder: the same bytes.
    assert_eq!((rendition("240p"), rendition("360p")), (small, large));
    assert_eq!(tree(&farm.path("origin")), online);
    farm.stop().await;
}
