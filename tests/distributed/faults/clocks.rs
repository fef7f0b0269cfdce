//! Clocks that jump. Wall clocks are faked by libfaketime; clocks that never jump are left alone, as the kernel leaves them.

use std::path::Path;
use std::process::Command;

use reelfarm_store::Store as _;

use super::{PROFILES, SECONDS, takes_a_new_title, task};
use crate::farm::Farm;
use crate::support::tool;

/// Where Debian's package `libfaketime` has it on x86-64 and on ARM.
const LIBRARIES: [&str; 2] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
];

impl Farm {
    /// Gives processes that are started from now on a wall clock that [`jump`](Self::jump) sets.
    fn with_clock(&mut self) {
        let library = LIBRARIES.into_iter().find(|path| Path::new(path).exists());
        let library = library.unwrap_or_else(|| panic!("libfaketime is missing: run scripts/setup --tests"));
        self.jump("+0");
        self.variables.insert("LD_PRELOAD", library.into());
        self.variables.insert("FAKETIME_TIMESTAMP_FILE", self.path("clock").into());
        self.variables.insert("FAKETIME_NO_CACHE", "1".into());
        self.variables.insert("FAKETIME_DONT_FAKE_MONOTONIC", "1".into());
    }

    /// Sets that clock to the true time and this.
    fn jump(&self, by: &str) {
        // In one step: it is read at each look at the time.
        fs_err::write(self.path("clock.new"), by).unwrap();
        fs_err::rename(self.path("clock.new"), self.path("clock")).unwrap();
    }

    /// Seconds that the clock of such processes is ahead.
    fn ahead(&self) -> i64 {
        let seconds = |command: &mut Command| tool(command.arg("+%s")).trim().parse::<i64>().unwrap();
        seconds(Command::new("date").envs(&self.variables)) - seconds(&mut Command::new("date"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_that_jump_by_hours_change_nothing() {
    let mut farm = Farm::servers().await;
    farm.with_clock();
    farm.scheduler("scheduler-1").await;
    farm.worker("worker-1");
    farm.worker("worker-2");
    farm.submit("scheduler-1", "film", SECONDS, PROFILES);
    farm.at_work("film", "encode-video").await;
    farm.jump("+3h");
    assert!(farm.ahead() > 10_000);
    // Several heartbeats, and looks for leases that ran out.
    farm.moves_on().await;
    farm.jump("-5h");
    assert!(farm.ahead() < -17_000);
    farm.moves_on().await;
    farm.jump("+0");
    farm.judge(&["film"]).await;
    for record in farm.store.tasks_of(&"film".parse().unwrap()).await.unwrap() {
        let label = record.task.spec.label();
        assert_eq!((record.attempt, record.failures, record.losses), (1, 0, 0), "{label}");
    }
    assert!(!farm.process("scheduler-1").log().contains("standing by"), "its term did not end");
    farm.jump("+30d");
    takes_a_new_title(&mut farm, "scheduler-1", &["film"]).await;
}

impl Farm {
    /// Waits until the encode has gone on for a while, or is done.
    async fn moves_on(&mut self) {
        let progress = async |farm: &Farm| {
            let encode = task(farm, "film", "encode-video").await;
            if encode.finished_ms.is_some() { 1.0 } else { encode.progress.fraction }
        };
        let before = progress(self).await;
        self.until("the encode goes on", async |farm| progress(farm).await >= (before + 0.2).min(1.0)).await;
    }
}
