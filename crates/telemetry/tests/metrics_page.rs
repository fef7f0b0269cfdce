//! `docs/metrics.md` is the specification's table, word for word.

use std::path::Path;

use reelfarm_telemetry::metrics::SPECIFICATION;

fn page() -> String {
    let mut page = String::from(
        "# Metrics\n\n\
         `reelfarm` serves these at `/metrics` with `--metrics-addr ADDRESS:PORT`, for Prometheus to read. No label ever holds a\n\
         title's name. At the same address `/healthz` answers while the process lives, and `/readyz` with 503 and the reasons while\n\
         it is of no use: a worker that does not reach the broker, rests or drains, a scheduler that does not reach the broker.\n\
         Alerts and dashboards are in `docker/prometheus` and `docker/grafana`, what to do when an alert fires in\n\
         [runbooks](runbooks/README.md). This page is written from the table in `crates/telemetry/src/metrics/specification.rs`: after a change\n\
         there, run `REELFARM_WRITE_DOCS=1 cargo test -p reelfarm-telemetry`.\n\n\
         | name | type | labels | meaning |\n|---|---|---|---|\n",
    );
    for metric in SPECIFICATION {
        let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let labels = if labels.is_empty() { "–".to_owned() } else { labels.join(", ") };
        let (name, kind, help) = (metric.name, metric.metric_type.as_str(), metric.help);
        page.push_str(&format!("| `{name}` | {kind} | {labels} | {help} |\n"));
    }
    page
}

#[test]
fn the_page_on_metrics_equals_the_specification() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    if std::env::var_os("REELFARM_WRITE_DOCS").is_some() {
        fs_err::write(&path, page()).unwrap();
    }
    let written = fs_err::read_to_string(&path).unwrap();
    assert_eq!(written, page(), "docs/metrics.md is old: set REELFARM_WRITE_DOCS=1 and run this test again");
}
