//! A farm without workers, or with one where a test wants titles made, whose interface is served: scheduler, store and broker in this process.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reelfarm_artifacts::ArtifactStore;
use reelfarm_drm::MasterSecret;
use reelfarm_model::message::{FORMAT, Slots, WorkerEvent, WorkerPhase, WorkerReport};
use reelfarm_model::recipe::ToolVersions;
use reelfarm_model::title::LadderText;
use reelfarm_model::{
    Code, Digest, Failure, KeyDivision, KeySource, KeyUris, Pool, Profile, Protection, Rights, TitleId,
    WorkerId,
};
use reelfarm_packaging::profiles::{BUILT_IN, ProfileList};
use reelfarm_packaging::shaka::Packager;
use reelfarm_priority::Rules;
use reelfarm_queue::{Broker, BrokerError, InProcessBroker};
use reelfarm_scheduler::api::{
    ApiLimits, ApiParts, FarmSources, FolderUploads, Intake, Protect, Server, TokenSecret, client_settings,
    enrol, serve,
};
use reelfarm_scheduler::leader::Leader;
use reelfarm_scheduler::retry::RetryPolicy;
use reelfarm_scheduler::{FarmPolicies, FarmPolicy, Handle, Options, Scheduler, SchedulerError};
use reelfarm_store::{Scope, SqliteStore, Store};
use reelfarm_telemetry::metrics::Metrics;
use reelfarm_workers::source::source_reference;
use reelfarm_workers::{EncodeThreads, KeyRing, MediaProcess, Worker};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Nothing that these tests wait for takes as long; a hang is a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Farm {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) store: Arc<SqliteStore>,
    pub(crate) broker: Arc<InProcessBroker>,
    pub(crate) handle: Handle,
    pub(crate) leader: watch::Sender<Leader>,
    pub(crate) server: Server,
    pub(crate) tokens: BTreeMap<Scope, TokenSecret>,
    http: reqwest::Client,
    base: String,
    scheduler: JoinHandle<Result<(), SchedulerError>>,
    stop: CancellationToken,
    worker: Option<JoinHandle<Result<(), BrokerError>>>,
    drain: CancellationToken,
}

/// What a test wants otherwise.
pub(crate) struct Wish {
    pub(crate) limits: ApiLimits,
    pub(crate) tls: Option<rustls::ServerConfig>,
    pub(crate) largest_upload: u64,
    /// Whether titles are made.
    pub(crate) worker: bool,
    /// Slots that the worker has of each pool.
    pub(crate) slots: usize,
    /// The QC policy.
    pub(crate) policy: String,
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            limits: ApiLimits::default(),
            tls: None,
            largest_upload: 1 << 20,
            worker: false,
            slots: 2,
            policy: reelfarm_qc::BUILT_IN.to_owned(),
        }
    }
}

struct Fixed;

impl Protect for Fixed {
    fn protection(&self, _: &TitleId, _: Option<&Protection>, _: bool) -> Result<Protection, Failure> {
        let uris = || "skd://{kid}".to_owned();
        Ok(Protection {
            source: KeySource::MasterSecret { secret: Digest::of(b"secret") },
            division: KeyDivision::Title,
            uris: KeyUris { fairplay: uris(), clearkey: uris(), verimatrix: uris() },
        })
    }

    fn are_in_reach(&self, _: &TitleId, _: &Protection, _: &[Profile], _: &[Profile]) -> Result<(), Failure> {
        Ok(())
    }
}

fn tools() -> ToolVersions {
    ToolVersions::default().with_recipes()
}

fn profiles() -> ProfileList {
    ProfileList::parse("profiles.toml", BUILT_IN).unwrap()
}

fn media() -> MediaProcess {
    MediaProcess {
        executable: env!("CARGO_BIN_EXE_reelfarm").into(),
        hang_after: Duration::from_secs(60),
        memory_bytes: 32 << 30,
    }
}

pub(crate) fn order_rules() -> Rules {
    Rules::parse("order.toml", reelfarm_priority::rules::BUILT_IN).unwrap()
}

fn intake(origin: String, tools: ToolVersions) -> Intake {
    let text = include_str!("../../ladders/fast.toml").to_owned();
    Intake {
        ladders: BTreeMap::from([("fast".to_owned(), LadderText { file: "fast.toml".to_owned(), text })]),
        ladder: "fast".to_owned(),
        order: order_rules(),
        profile_list: profiles(),
        profiles: vec!["mp4-clr".to_owned()],
        rights: Rights::default(),
        audio_language: None,
        origin,
        tools,
        keys: Arc::new(Fixed),
    }
}

impl Farm {
    pub(crate) async fn start() -> Self {
        Self::start_with(Wish::default()).await
    }

    pub(crate) async fn start_with(wish: Wish) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let films = root.join("films");
        fs_err::create_dir_all(&films).unwrap();
        let store = Arc::new(SqliteStore::open(&root.join("farm.db")).await.unwrap());
        let broker = Arc::new(InProcessBroker::new(Pool::ALL));
        let packager = Packager::new(crate::support::packager(), media().launcher());
        let mut tools = tools();
        if wish.worker {
            tools = reelfarm_media::versions().with_recipes();
            tools.0.insert(ToolVersions::PACKAGER.to_owned(), packager.version().await.unwrap());
        }
        let policies: FarmPolicies = FarmPolicy::parse("qc.toml", &wish.policy).unwrap().into();
        let options = Options {
            tools: tools.clone(),
            policies: policies.clone(),
            profiles: profiles(),
            lease: Duration::from_secs(60),
            order: order_rules(),
            retry: RetryPolicy::default(),
            outlived: false,
        };
        let artifacts = ArtifactStore::open(&root).unwrap();
        let metrics = Metrics::new("test").unwrap();
        let (scheduler, handle) =
            Scheduler::new(store.clone(), broker.clone(), artifacts.clone(), metrics.clone(), options);
        let stop = CancellationToken::new();
        let drain = CancellationToken::new();
        let worker = wish.worker.then(|| {
            let master = Arc::new(MasterSecret::load_or_create(&root.join("master")).unwrap());
            let worker = Worker {
                id: WorkerId("worker-1".to_owned()),
                slots: Pool::ALL.map(|pool| (pool, wish.slots)).into(),
                broker: broker.clone(),
                artifacts,
                media: media(),
                encode_threads: EncodeThreads::new(1, 1),
                packager,
                keys: KeyRing { master, given: None, server: None },
                disk_floor: 0,
                heartbeat: Duration::from_millis(500),
                tools: tools.clone(),
                metrics,
            };
            tokio::spawn(worker.run(CancellationToken::new(), drain.clone()))
        });
        let scheduler = tokio::spawn(scheduler.run(CancellationToken::new(), stop.clone()));
        let (leader, led) = watch::channel(Leader::Here(handle.clone()));
        let uploads = Arc::new(FolderUploads::open(&root.join("uploads"), wish.largest_upload).unwrap());
        let scheme = if wish.tls.is_some() { "https" } else { "http" };
        let parts = ApiParts {
            store: store.clone(),
            broker: broker.clone(),
            leader: led,
            intake: intake(root.join("origin").to_string_lossy().into_owned(), tools),
            policies,
            sources: Arc::new(FarmSources {
                folders: vec![films],
                objects: None,
                uploads: uploads.clone(),
                look_at: source_reference,
            }),
            uploads,
            peers: client_settings(None).unwrap(),
            limits: wish.limits,
        };
        let server = serve(parts, "127.0.0.1:0".parse().unwrap(), wish.tls).await.unwrap();
        let mut tokens = BTreeMap::new();
        for scope in Scope::ALL {
            let secret = TokenSecret::random();
            enrol(&*store, &secret, scope, "test", None).await.unwrap().unwrap();
            tokens.insert(scope, secret);
        }
        let base = format!("{scheme}://127.0.0.1:{}", server.address().port());
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(client_settings(None).unwrap())
            .timeout(PATIENCE)
            .build()
            .unwrap();
        Self {
            folder,
            store,
            broker,
            handle,
            leader,
            server,
            tokens,
            http,
            base,
            scheduler,
            stop,
            worker,
            drain,
        }
    }

    /// Ends everything, and finds that nothing broke meanwhile.
    pub(crate) async fn stop(self) {
        self.server.stop().await;
        self.drain.cancel();
        if let Some(worker) = self.worker {
            worker.await.unwrap().unwrap();
        }
        self.stop.cancel();
        self.scheduler.await.unwrap().unwrap();
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    /// Puts a file where the farm takes sources from.
    pub(crate) fn film(&self, name: &str) -> PathBuf {
        let path = self.path("films").join(name);
        fs_err::write(&path, format!("reel {name}")).unwrap();
        path
    }

    pub(crate) fn bearer(&self, scope: Scope) -> String {
        format!("Bearer {}", self.tokens[&scope].reveal())
    }

    /// A request with no token.
    pub(crate) fn plain(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.url(path))
    }

    pub(crate) fn request(&self, scope: Scope, method: Method, path: &str) -> RequestBuilder {
        self.plain(method, path).header("authorization", self.bearer(scope))
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = self.request(Scope::ReadOnly, Method::GET, path).send().await.unwrap();
        body(answer, StatusCode::OK).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Response {
        self.request(Scope::Operator, Method::POST, path).json(body).send().await.unwrap()
    }

    pub(crate) fn submission(&self, name: &str) -> Value {
        json!({ "title": name, "source": { "path": self.film(&format!("{name}.mov")) } })
    }

    /// Submits a title, which must be accepted, and waits until the scheduler has planned it, which it does after it has
    /// answered.
    pub(crate) async fn submit(&self, name: &str) -> Value {
        let title =
            body(self.post("/api/v1/titles", &self.submission(name)).await, StatusCode::ACCEPTED).await;
        self.planned(name).await;
        title
    }

    pub(crate) async fn planned(&self, name: &str) {
        let id = name.parse().unwrap();
        wait_until("it is planned", async || !self.store.tasks_of(&id).await.unwrap().is_empty()).await;
    }

    /// All that a request could have changed.
    pub(crate) async fn everything(&self) -> String {
        let titles = self.store.titles().await.unwrap();
        let mut all = format!("{titles:#?}\n{:#?}\n", self.store.counts().await.unwrap());
        for token in reelfarm_store::Access::tokens(&*self.store).await.unwrap() {
            all.push_str(&format!("{token:?}\n"));
        }
        let mut uploads: Vec<_> = fs_err::read_dir(self.path("uploads"))
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                format!("{:?} {}\n", entry.file_name(), entry.metadata().unwrap().len())
            })
            .collect();
        uploads.sort();
        all + &uploads.concat()
    }

    /// A worker that says that it is there.
    pub(crate) async fn report(&self, name: &str, pools: &[(Pool, u32, u32)]) {
        let pools = pools.iter().map(|(pool, total, busy)| (*pool, Slots { total: *total, busy: *busy }));
        let report = WorkerReport {
            worker: WorkerId(name.to_owned()),
            phase: WorkerPhase::Serving,
            host: "host".to_owned(),
            version: "0".to_owned(),
            format: FORMAT,
            pools: pools.collect(),
            tools: tools(),
            capabilities: BTreeSet::new(),
            processors: 4,
            speed: BTreeMap::new(),
            free_disk: None,
            resting: None,
        };
        self.broker.send_event(&WorkerEvent::Report(Box::new(report))).await.unwrap();
        wait_until("the worker is known", async || {
            self.handle.workers().iter().any(|worker| worker.worker.0 == name)
        })
        .await;
    }
}

/// The JSON of an answer, which must have this status.
pub(crate) async fn body(answer: Response, status: StatusCode) -> Value {
    let found = answer.status();
    let text = answer.text().await.unwrap();
    assert_eq!(found, status, "{text}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The problem of an answer, which must have this status and this code.
pub(crate) async fn problem(answer: Response, status: StatusCode, code: Code) -> Value {
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
    let problem = body(answer, status).await;
    assert_eq!(problem["code"], code.as_str(), "{problem}");
    assert_eq!(problem["status"], status.as_u16());
    assert_eq!(problem["request_id"], id.as_str());
    problem
}

/// Asks again and again; panics after a while.
pub(crate) async fn wait_until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("waited in vain until {what}"));
}
