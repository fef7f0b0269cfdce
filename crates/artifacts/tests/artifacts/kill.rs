//! A process that takes artifacts over is killed at many moments: what is visible afterwards is whole.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{artifact, bytes, key, write};
use reelfarm_artifacts::ArtifactStore;

/// Set for the process that is to be killed: its state folder.
const VICTIM: &str = "REELFARM_TEST_VICTIM_STATE";
const ROUNDS: usize = 20;

async fn take_over(store: &ArtifactStore, number: usize) {
    let (first, second) = (bytes(number as u64, 200_000), bytes(number as u64 + 1, 10));
    artifact(store, &format!("artifact-{number}"), &[("media/first", &first), ("second", &second)]).await;
}

/// Takes over one artifact; as the victim, one after the other until it is killed, telling of each.
#[tokio::test]
async fn takes_over_until_it_is_killed() {
    let Some(state) = std::env::var_os(VICTIM) else {
        let state = tempfile::tempdir().unwrap();
        let store = ArtifactStore::open(state.path()).unwrap();
        take_over(&store, 0).await;
        assert!(store.get(key("artifact-0")).await.unwrap().is_some());
        return;
    };
    let store = ArtifactStore::open(Path::new(&state)).unwrap();
    for number in 0.. {
        if store.get(key(&format!("artifact-{number}"))).await.unwrap().is_none() {
            take_over(&store, number).await;
            println!("\ntook over {number}");
        }
    }
}

#[tokio::test]
async fn a_killed_process_leaves_whole_artifacts_only() {
    let state = tempfile::tempdir().unwrap();
    let mut told = 0;
    for round in 0..ROUNDS {
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kill::takes_over_until_it_is_killed", "--nocapture"])
            .env(VICTIM, state.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Killed while it makes the next one: right after it told of one, or some bytes of work later.
        let lines = BufReader::new(victim.stdout.take().unwrap()).lines().map(Result::unwrap);
        told += lines.filter(|line| line.starts_with("took over")).take(1 + round % 4).count();
        std::hint::black_box(bytes(round as u64, round * 40_000));
        victim.kill().unwrap();
        victim.wait().unwrap();

        let store = ArtifactStore::open(state.path()).unwrap();
        let visible: Vec<_> = fs_err::read_dir(state.path().join("artifacts")).unwrap().collect();
        assert!(visible.len() >= told, "what was told is there");
        for number in 0..visible.len() {
            let found =
                store.get(key(&format!("artifact-{number}"))).await.unwrap().expect("whole, and in order");
            for file in &found.files {
                let read = fs_err::read(found.path_of(file)).unwrap();
                assert_eq!(reelfarm_model::Digest::of(&read), file.sha256);
            }
        }
        store.sweep_staging().await.unwrap();
    }
    write(state.path(), "staging/left/f", b"x");
    let store = ArtifactStore::open(state.path()).unwrap();
    assert_eq!(store.sweep_staging().await.unwrap(), 1);
}
