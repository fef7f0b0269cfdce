//! Metrics are there while a farm runs.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::support::{Bench, clips, wait_until};

fn get(address: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: farm\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

fn value(page: &str, series: &str) -> Option<f64> {
    page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.trim().parse().ok())
}

#[test]
fn a_running_farm_counts_its_titles_tasks_and_slots() {
    let bench = Bench::new();
    clips::film(&bench.path("film.mp4"), 30);
    let mut farm = bench.start([
        "run",
        "film.mp4",
        "--ladder",
        "fast",
        "--metrics-addr",
        "127.0.0.1:0",
        "--profiles",
        "mp4-clr",
    ]);
    let mut address = None;
    wait_until("the address of the metrics is told", || {
        let log = farm.log();
        let start = log.find("http://").map(|start| start + "http://".len());
        address = start
            .and_then(|start| log[start..].split_once("/metrics"))
            .map(|(address, _)| address.to_owned());
        address.is_some()
    });
    let address = address.unwrap();
    let mut seen = String::new();
    wait_until("a task has been completed", || {
        seen = get(&address).unwrap_or_default();
        seen.contains("reelfarm_attempts_total{kind=\"fingerprint\",outcome=\"completed\"} 1")
    });
    wait_until("the scheduler has looked at its workers and ahead", || {
        seen = get(&address).unwrap_or_default();
        value(&seen, "reelfarm_workers{phase=\"serving\"}") == Some(1.0)
            && value(&seen, "reelfarm_backlog_slot_hours{pool=\"cpu\"}") > Some(0.0)
    });
    assert!(seen.contains("reelfarm_build_info"), "{seen}");
    assert_eq!(value(&seen, "reelfarm_leader"), Some(1.0), "{seen}");
    assert_eq!(value(&seen, "reelfarm_broker_connected"), Some(1.0), "{seen}");
    for series in [
        "reelfarm_worker_slots{pool=\"cpu\",use=\"total\"}",
        "reelfarm_pool_slots{pool=\"cpu\",use=\"total\"}",
        "reelfarm_disk_free_bytes",
        "reelfarm_disk_size_bytes",
        "reelfarm_cpu_seconds_total",
        "reelfarm_memory_bytes",
    ] {
        assert!(value(&seen, series) > Some(0.0), "{series}: {seen}");
    }
    let mut series = seen.lines().filter(|line| line.starts_with("reelfarm_"));
    assert!(!series.any(|line| line.contains("film")), "no metric is labelled with a title");
    assert!(farm.wait().success(), "{}", farm.log());
}
