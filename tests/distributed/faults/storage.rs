//! Artifacts in a bucket, disks that fill, and files that change under the farm's hands.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use reelfarm_artifacts::{ArtifactStore, CacheSettings, Location, StorageSettings};
use reelfarm_model::{Code, TaskSpec, TaskState, TitleState};
use reelfarm_store::Store as _;
use reelfarm_test_servers::proxy::Proxy;
use reelfarm_test_servers::s3::{ACCESS_KEY_ID, BUCKET, REGION, S3Server, SECRET_ACCESS_KEY};

use super::{PROFILES, SECONDS, encoding, takes_a_new_title};
use crate::farm::{Farm, WORKER_URL};
use crate::support::{md5, tree};

impl Farm {
    /// Has processes that are started from now on keep artifacts in a bucket that they reach at this address.
    fn with_bucket(&mut self, address: &str) {
        self.site.secret("s3-secret", SECRET_ACCESS_KEY);
        self.variables.insert("REELFARM_ARTIFACTS", format!("s3://{BUCKET}/farm").into());
        self.variables.insert("REELFARM_S3_ENDPOINT", format!("http://{address}").into());
        self.variables.insert("REELFARM_S3_REGION", REGION.into());
        self.variables.insert("REELFARM_S3_ACCESS_KEY_ID", ACCESS_KEY_ID.into());
        self.variables.insert("REELFARM_S3_SECRET_ACCESS_KEY_FILE", self.path("s3-secret").into());
    }

    /// The artifacts in that bucket, as another process sees them.
    fn bucket(&self) -> ArtifactStore {
        let text = |name: &str| {
            let value: &OsString = self.variables.get(name)?;
            Some(value.to_string_lossy().into_owned())
        };
        let place = Location::parse(&text("REELFARM_ARTIFACTS").unwrap()).unwrap();
        let cache = CacheSettings { folder: self.path("cache-of-the-test"), limit: 1 << 30, floor: 0 };
        let settings = StorageSettings::from_variables(place, true, cache, text).unwrap();
        ArtifactStore::connect(&settings).unwrap()
    }
}

/// What a process has in its own staging folder.
fn staged(farm: &Farm, process: &str) -> usize {
    tree(&farm.path(&format!("state-{process}")).join("cache/staging")).len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_in_the_midst_of_an_upload_leaves_nothing_that_anybody_sees() {
    let mut farm = Farm::servers().await;
    let server = S3Server::start().await.unwrap();
    let address: SocketAddr = server.address().parse().unwrap();
    farm.with_bucket(&server.address());
    farm.scheduler("scheduler-1").await;
    farm.variables.insert("REELFARM_POOLS", "package,light".into());
    farm.worker("helper");
    let proxy = Proxy::start(address).await.unwrap();
    farm.with_bucket(&proxy.address().to_string());
    farm.variables.insert("REELFARM_POOLS", "cpu".into());
    farm.worker("worker-1");
    farm.submit("scheduler-1", "film", SECONDS, PROFILES);
    farm.at_work("film", "encode-video").await;
    // So slow that what the encode makes does not get there before its worker is dead.
    proxy.slow(Duration::from_millis(200));
    let before = proxy.sent();
    farm.until("some of it has been sent", async |_| proxy.sent() > before + 256 * 1024).await;
    assert!(staged(&farm, "worker-1") > 0);
    farm.kill("worker-1").await;
    proxy.heal();
    farm.worker("worker-1");
    farm.judge(&["film"]).await;
    assert_eq!(super::task(&farm, "film", "encode-video").await.losses, 1);
    for process in ["helper", "worker-1"] {
        farm.until("staging is swept", async |farm| staged(farm, process) == 0).await;
    }
    // What was never finished is not taken for an artifact, and the collection finds nothing that is unknown.
    let tasks = farm.store.tasks_of(&"film".parse().unwrap()).await.unwrap();
    let made: BTreeSet<_> =
        tasks.iter().flat_map(|record| record.task.outputs.iter().map(|output| output.key)).collect();
    let (bucket, age) = (farm.bucket(), Duration::ZERO);
    let collected = bucket.collect(&made, age, false).await.unwrap();
    assert_eq!(collected.artifacts, BTreeSet::new());
    assert_eq!(bucket.collect(&made, age, true).await.unwrap().unfinished, 0);
    takes_a_new_title(&mut farm, "scheduler-1", &["film"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_film_that_was_uploaded_is_made_from_the_bucket() {
    let mut farm = Farm::servers().await;
    let server = S3Server::start().await.unwrap();
    farm.with_bucket(&server.address());
    farm.scheduler("scheduler-1").await;
    let film = farm.film("film", SECONDS);
    let shown = film.to_string_lossy().into_owned();
    let wish = ["--ladder", "fast", "--profiles", PROFILES, "--json"];
    farm.json("scheduler-1", &[&["submit", &shown, "--upload"][..], &wish].concat());
    fs_err::remove_file(&film).unwrap();
    farm.worker("worker-1");
    farm.judge(&["film"]).await;
    let source = farm.title("film").await.unwrap().submission.source.path;
    assert!(source.to_string_lossy().starts_with(&format!("s3://{BUCKET}/farm/uploads/")), "{source:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_with_a_full_disk_rests_and_its_task_goes_to_another_without_a_failure() {
    let mut farm = Farm::servers().await;
    let server = S3Server::start().await.unwrap();
    farm.with_bucket(&server.address());
    farm.scheduler("scheduler-1").await;
    farm.worker("healthy");
    // Its disk has less than it should: it does not even begin.
    farm.variables.insert("REELFARM_DISK_FLOOR_GIB", "1000000".into());
    farm.worker("short");
    farm.variables.insert("REELFARM_DISK_FLOOR_GIB", "0".into());
    // Picture and sound are encoded at the same time, so this one gets one of them.
    farm.variables.insert("REELFARM_POOLS", "cpu".into());
    farm.worker_with_little_room("full");
    farm.submit("scheduler-1", "film", SECONDS, PROFILES);
    let mut awaited = BTreeMap::from([("full", "No space left on device"), ("short", "short of room")]);
    farm.until("both rest", async |farm| {
        let workers = farm.json("scheduler-1", &["workers", "--json"]);
        for worker in workers.as_array().unwrap() {
            let (name, why) =
                (worker["worker"].as_str().unwrap(), worker["resting"].as_str().unwrap_or_default());
            if awaited.get(name).is_some_and(|reason| why.contains(reason)) {
                awaited.remove(name);
            }
        }
        awaited.is_empty()
    })
    .await;
    farm.judge(&["film"]).await;
    let mut full = 0;
    for record in farm.store.tasks_of(&"film".parse().unwrap()).await.unwrap() {
        assert_eq!((record.failures, record.losses), (0, 0), "{}", record.task.spec.label());
        for attempt in farm.store.attempts_of(&record.task.key).await.unwrap() {
            assert_ne!(attempt.worker.map(|worker| worker.0).as_deref(), Some("short"));
            full += usize::from(attempt.failure.is_some_and(|failure| failure.code == Code::DiskFull));
        }
    }
    assert!(full > 0, "the failures are told");
}

impl Farm {
    /// Starts a worker whose copies and work lie on a small file system of its own.
    fn worker_with_little_room(&mut self, name: &str) {
        let cache = self.path(&format!("cache-{name}"));
        fs_err::create_dir(&cache).unwrap();
        self.variables.insert("REELFARM_CACHE", cache.clone().into());
        let worker = self.site.worker_command(name, name, WORKER_URL);
        let mut small = Command::new("unshare");
        let script = "mount -t tmpfs -o size=64k tmpfs \"$0\" && exec \"$@\"";
        small.args(["--map-root-user", "--mount", "sh", "-c", script]).arg(cache);
        small.arg(worker.get_program()).args(worker.get_args());
        for (name, value) in worker.get_envs() {
            match value {
                Some(value) => small.env(name, value),
                None => small.env_remove(name),
            };
        }
        small.current_dir(self.site.folder());
        self.launch(name, small, None);
        self.variables.remove("REELFARM_CACHE");
    }
}

/// The first media file of a title at the origin.
fn media_file(title: &Path) -> std::path::PathBuf {
    let files = tree(title);
    title.join(files.keys().find(|path| path.starts_with("media/")).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_at_the_origin_that_went_bad_is_sent_again_and_a_source_that_changes_ends_its_title() {
    let (mut farm, _) = encoding().await;
    let mut source = fs_err::OpenOptions::new().append(true).open(farm.path("films/film.mp4")).unwrap();
    std::io::Write::write_all(&mut source, b"more").unwrap();
    farm.reaches("film", TitleState::Failed).await;
    let failure = farm.title("film").await.unwrap().failure.unwrap();
    assert_eq!(failure.code, Code::SourceChanged, "{failure}");
    assert!(!farm.path("origin/film").exists(), "nothing of it is at the origin");
    // Delivered again, it is made.
    farm.submit("scheduler-1", "film", 4, PROFILES);
    farm.judge(&["film"]).await;

    let origin = farm.path("origin/film");
    let file = media_file(&origin);
    let right = md5(&file);
    let mut bytes = fs_err::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs_err::write(&file, bytes).unwrap();
    assert_ne!(md5(&file), right);
    let key = farm.upload_of("film", file.strip_prefix(&origin).unwrap()).await;
    farm.json("scheduler-1", &["retry", "film", "--task", &key, "--json"]);
    farm.until("it is right again", async |_| file.exists() && md5(&file) == right).await;
    takes_a_new_title(&mut farm, "scheduler-1", &["film"]).await;
}

impl Farm {
    /// The key of the task that puts a file of a title at the origin.
    async fn upload_of(&self, title: &str, file: &Path) -> String {
        let tasks = self.store.tasks_of(&title.parse().unwrap()).await.unwrap();
        let upload = tasks.into_iter().find(|record| {
            let TaskSpec::Upload(spec) = &record.task.spec else { return false };
            record.state == TaskState::Done && file.starts_with(&spec.media_path)
        });
        upload.unwrap().task.key.to_string()
    }
}
