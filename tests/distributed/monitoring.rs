//! A real Prometheus with the farm's own rules beside a farm at work: every query of every dashboard has an answer.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;

use chrono::{SecondsFormat, TimeDelta, Utc};
use serde_json::Value;
use tokio::process::{Child, Command};

use crate::farm::Farm;
use crate::support::{clips, repository, tool};

/// Queries by a part of theirs that can have no answer here, and why.
const WITHOUT_ANSWER: [(&str, &str); 2] = [
    ("rabbitmq_", "the broker of these tests has no plugin that tells of itself"),
    ("median7d", "what is usual is known after hours of encodes"),
];

struct Prometheus {
    _process: Child,
    address: String,
    http: reqwest::Client,
}

impl Prometheus {
    /// Starts one that scrapes these processes every second, with the rules as they are.
    async fn start(farm: &Farm, targets: &[(&str, Vec<String>)]) -> Self {
        let folder = farm.path("prometheus");
        fs_err::create_dir_all(&folder).unwrap();
        let ours = repository().join("docker/prometheus");
        for rules in ["recording.yml", "alerts.yml"] {
            fs_err::copy(ours.join(rules), folder.join(rules)).unwrap();
        }
        let mut text = fs_err::read_to_string(ours.join("prometheus.yml")).unwrap();
        let mut replace = |from: &str, to: &str| {
            assert_eq!(text.matches(from).count(), 1, "{from} in {text}");
            text = text.replace(from, to);
        };
        replace("scrape_interval: 15s", "scrape_interval: 1s");
        replace("scrape_timeout: 10s", "scrape_timeout: 1s");
        replace("evaluation_interval: 15s", "evaluation_interval: 1s");
        for (job, addresses) in targets {
            let port = if *job == "rabbitmq" { 15_692 } else { 9_180 };
            let listed: Vec<String> = addresses.iter().map(|address| format!("'{address}'")).collect();
            replace(&format!("targets: ['{job}:{port}']"), &format!("targets: [{}]", listed.join(", ")));
        }
        fs_err::write(folder.join("prometheus.yml"), text).unwrap();
        Self::launch(&folder).await
    }

    async fn launch(folder: &Path) -> Self {
        // Another test of this process may have said so before.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::new();
        // Somebody else may take the port in between.
        for attempt in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let address = format!("127.0.0.1:{port}");
            let log = fs_err::File::create(folder.join(format!("log-{attempt}"))).unwrap();
            let mut process = Command::new("prometheus")
                .arg(format!("--config.file={}", folder.join("prometheus.yml").display()))
                .arg(format!("--storage.tsdb.path={}", folder.join(format!("data-{attempt}")).display()))
                .arg(format!("--web.listen-address={address}"))
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log.into_parts().0)
                .kill_on_drop(true)
                .spawn()
                .unwrap();
            while process.try_wait().unwrap().is_none() {
                let ready = http.get(format!("http://{address}/-/ready")).send().await;
                if ready.is_ok_and(|answer| answer.status().is_success()) {
                    return Self { _process: process, address, http };
                }
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
        panic!("Prometheus does not start: {}", fs_err::read_to_string(folder.join("log-4")).unwrap());
    }

    /// The series that answer a query.
    async fn answers(&self, query: &str) -> Vec<Value> {
        let url = format!("http://{}/api/v1/query", self.address);
        let answer = self.http.get(url).query(&[("query", query)]).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        answer["data"]["result"].as_array().unwrap().clone()
    }
}

/// The queries of all dashboards with the panels that show them, with values for Grafana's variables.
fn queries() -> BTreeMap<String, String> {
    let folder = repository().join("docker/grafana/dashboards");
    let mut queries = BTreeMap::new();
    for file in fs_err::read_dir(folder).unwrap() {
        let file = file.unwrap();
        let dashboard: Value = serde_json::from_slice(&fs_err::read(file.path()).unwrap()).unwrap();
        for panel in dashboard["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().into_iter().flatten() {
                let mut query = target["expr"].as_str().unwrap().to_owned();
                for (variable, value) in [
                    ("$__rate_interval", "10s"),
                    ("$__range", "5m"),
                    ("$pool", ".+"),
                    ("$kind", ".+"),
                    ("$instance", ".+"),
                ] {
                    query = query.replace(variable, value);
                }
                let place = format!("{}: {}", file.file_name().display(), panel["title"]);
                queries.insert(query, place);
            }
        }
    }
    queries
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_of_the_dashboards_has_an_answer_on_a_farm_at_work() {
    tool(std::process::Command::new("prometheus").arg("--version"));
    let mut farm = Farm::servers().await;
    farm.with_metrics();
    farm.scheduler("scheduler-1").await;
    farm.worker("worker-1");
    farm.worker("worker-2");
    let mut addresses = BTreeMap::new();
    for name in ["scheduler-1", "worker-1", "worker-2"] {
        farm.until(&format!("{name} serves its metrics"), async |farm| {
            addresses.extend(farm.metrics_address(name).map(|address| (name, address)));
            addresses.contains_key(name)
        })
        .await;
    }
    let workers = vec![addresses["worker-1"].clone(), addresses["worker-2"].clone()];
    let nobody = vec!["127.0.0.1:1".to_owned()];
    let targets =
        [("scheduler", vec![addresses["scheduler-1"].clone()]), ("worker", workers), ("rabbitmq", nobody)];
    let prometheus = Prometheus::start(&farm, &targets).await;

    // What is counted before the first look is no increase.
    farm.until("Prometheus has looked at all processes twice", async |_| {
        let twice = "count(count_over_time(up{job=~\"scheduler|worker\"}[1m]) > 1 and up == 1) == 3";
        !prometheus.answers(twice).await.is_empty()
    })
    .await;

    let due = (Utc::now() + TimeDelta::hours(2)).to_rfc3339_opts(SecondsFormat::Secs, true);
    for (title, seconds) in [("one", 14), ("two", 20)] {
        let film = farm.film(title, seconds).to_string_lossy().into_owned();
        let fast = ["submit", &film, "--ladder", "fast", "--profiles", "dash-clr-2s,mp4-clr"];
        farm.json("scheduler-1", &[&fast[..], &["--required-by", &due, "--json"]].concat());
    }
    let bad = farm.path("films").join("bad.mp4");
    clips::make(
        &bad,
        "-f lavfi -i testsrc2=size=640x360:rate=30000/1001:duration=2 -c:v libx264 -pix_fmt yuv420p",
    );
    farm.json("scheduler-1", &["submit", &bad.to_string_lossy(), "--json"]);

    let mut open = queries();
    assert!(open.len() > 50, "{open:?}");
    for (part, why) in WITHOUT_ANSWER {
        let before = open.len();
        open.retain(|query, _| !query.contains(part));
        assert!(open.len() < before, "no query has {part}, of which is said: {why}");
    }
    // Laxity is there while a title with a deadline is on its way, most others from then on.
    let start = std::time::Instant::now();
    while !open.is_empty() {
        let mut answered = Vec::new();
        for query in open.keys() {
            if !prometheus.answers(query).await.is_empty() {
                answered.push(query.clone());
            }
        }
        open.retain(|query, _| !answered.contains(query));
        assert!(start.elapsed() < crate::farm::PATIENCE, "no answer to {open:#?}");
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    let firing = prometheus.answers("ALERTS{alertstate=\"firing\",severity=\"page\"}").await;
    assert!(firing.is_empty(), "nobody is called for a farm that is well: {firing:?}");
}
