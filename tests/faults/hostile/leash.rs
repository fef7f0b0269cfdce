//! What the kernel holds of a media process.

use crate::support::{Bench, tool};

#[test]
fn a_child_goes_before_the_worker_where_memory_runs_out() {
    let bench = Bench::new();
    let parent = std::process::id().to_string();
    let mut command = bench.reelfarm(["leash", "--parent", &parent, "--", "cat", "/proc/self/oom_score_adj"]);
    assert_eq!(tool(&mut command).trim(), "1000");
}
