//! `reelfarm scheduler`: one of the schedulers of a farm of many hosts. One of them leads, the others stand by; every one
//! of them serves the API.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reelfarm_artifacts::ArtifactStore;
use reelfarm_model::title::LadderText;
use reelfarm_model::{Code, Failure};
use reelfarm_queue::{Broker, Role};
use reelfarm_scheduler::api::{
    self, ApiLimits, ApiParts, BucketUploads, FarmSources, FolderUploads, Intake, TokenSecret, Uploads,
};
use reelfarm_scheduler::housekeeping::{Housekeeping, Retention};
use reelfarm_scheduler::leader::{Leader, Standby};
use reelfarm_scheduler::retry::RetryPolicy;
use reelfarm_scheduler::{FarmPolicies, Options};
use reelfarm_store::{Candidate, PostgresStore, Scope};
use reelfarm_telemetry::metrics::Metrics;
use reelfarm_workers::source::source_reference;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::arguments::SchedulerArguments;
use crate::config::{BUILT_IN_LADDERS, Project};
use crate::exit::Exit;
use crate::policies::policies;
use crate::printer::Printer;
use crate::signals::Signals;
use crate::{distributed, tools};

/// Attempts for which a failure of the environment does not count: with the waits in between, more than an hour.
const ENVIRONMENT_LIMIT: u32 = 20;

/// Takes part until a signal.
pub async fn run(verb: SchedulerArguments, printer: &Printer) -> Result<Exit, Failure> {
    let project = Project::load()?;
    let mut signals = Signals::listen()
        .map_err(|error| Failure::new(Code::Internal, format!("signals cannot be received: {error}")))?;
    let holder = distributed::name_of_this_process();
    let state = project.state(verb.state.state.as_ref());
    let artifacts = tokio::task::block_in_place(|| verb.artifacts.open(&state))?;
    // Copies are one process's own: what is in their staging was cut off.
    artifacts.sweep_staging().await?;
    let metrics = Metrics::new(env!("CARGO_PKG_VERSION"))
        .map_err(|error| Failure::new(Code::Internal, error.to_string()))?;
    let metrics_server = super::serve_metrics(verb.metrics_addr, &metrics, printer).await?;
    let order = project.order_rules()?;
    let options = Options {
        tools: tools::versions(&tools::packager(&project)).await?,
        policies: policies(&project, &order)?,
        profiles: super::profile_list(&project)?,
        lease: Duration::from_secs(verb.lease),
        order,
        retry: RetryPolicy { environment_limit: ENVIRONMENT_LIMIT, ..RetryPolicy::default() },
        outlived: true,
    };
    let intake = tokio::task::block_in_place(|| intake(&verb, &project, &options, &state))?;
    // Connections of their own: whoever asks the API much must not keep the leader from its database.
    let (store, leading) = (verb.database.open().await?, verb.database.open().await?);
    if let Some(file) = &verb.admin_token_file {
        first_token(&store, file).await?;
    }
    let broker: Arc<dyn Broker> = verb.broker.connect(Role::Scheduler, &holder, &metrics).await?;
    let (leader, mut led) = watch::channel(Leader::Nobody);
    let storage = (store.clone(), broker.clone(), artifacts.clone());
    let parts = parts(&verb, &state, storage, (intake, options.policies.clone()), leader.subscribe())?;
    let uploads = parts.uploads.clone();
    let server = api::serve(parts, verb.listen, tls(&verb)?)
        .await
        .map_err(|error| Failure::new(Code::SettingsInvalid, error.to_string()))?;
    let scheme = if verb.tls_certificate_file.is_some() { "https" } else { "http" };
    let address = verb.advertise.clone().unwrap_or_else(|| format!("{scheme}://{}", server.address()));
    printer.line(&format!("scheduler {holder}: API at {scheme}://{}", server.address()));
    let housekeeping = Housekeeping {
        store: leading.clone(),
        artifacts: artifacts.clone(),
        uploads,
        metrics: metrics.clone(),
        retention: Retention {
            ended: Duration::from_secs(verb.keep_days.saturating_mul(24 * 3600)),
            age: Duration::from_secs(verb.collect_after),
        },
    };
    let standby = Standby {
        leadership: leading.clone(),
        candidate: Candidate { holder, address },
        lease: Duration::from_secs(verb.leader_lease),
        broker,
        artifacts,
        metrics,
        options,
        housekeeping,
    };
    let stop = CancellationToken::new();
    let taking_part = tokio::spawn(standby.run(leader, stop.clone()));
    let exit = loop {
        tokio::select! {
            signal = signals.next() => break signal,
            changed = led.changed() => {
                if changed.is_err() {
                    break Exit::Failed;
                }
                match &*led.borrow_and_update() {
                    Leader::Here(_) => printer.line("this scheduler leads"),
                    Leader::At(address) => printer.line(&format!("standing by; the leader is at {address}")),
                    Leader::Nobody => printer.line("nobody leads"),
                }
            }
        }
    };
    stop.cancel();
    // A second signal ends it at once; the store takes that as it takes a crash.
    tokio::select! {
        ended = taking_part => if let Err(error) = ended {
            return Err(Failure::new(Code::Internal, format!("the scheduler died: {error}")));
        },
        _ = signals.next() => {}
    }
    server.stop().await;
    if let Some(server) = metrics_server {
        server.stop().await;
    }
    store.close().await;
    leading.close().await;
    Ok(exit)
}

/// What titles are made of where nobody says more.
fn intake(
    verb: &SchedulerArguments,
    project: &Project,
    options: &Options,
    state: &Path,
) -> Result<Intake, Failure> {
    let (own, ladder) = project.ladder(None)?;
    let built_in = |(name, text): (&str, &str)| {
        (name.to_owned(), LadderText { file: format!("ladders/{name}.toml"), text: text.to_owned() })
    };
    let mut ladders: std::collections::BTreeMap<_, _> = BUILT_IN_LADDERS.into_iter().map(built_in).collect();
    ladders.insert(ladder.name.clone(), own);
    project.drm.shared_secret(state)?;
    Ok(Intake {
        ladders,
        ladder: ladder.name,
        order: options.order.clone(),
        profile_list: options.profiles.clone(),
        profiles: project.profiles.clone().unwrap_or_else(|| vec!["all".to_owned()]),
        rights: project.drm.rights(None, false),
        audio_language: super::audio_language(None, project)?,
        origin: project.origin(verb.origin.as_deref())?,
        tools: options.tools.clone(),
        keys: Arc::new(project.drm.keys(state, None)?),
    })
}

fn parts(
    verb: &SchedulerArguments,
    state: &Path,
    (store, broker, artifacts): (Arc<PostgresStore>, Arc<dyn Broker>, ArtifactStore),
    (intake, policies): (Intake, FarmPolicies),
    leader: watch::Receiver<Leader>,
) -> Result<ApiParts, Failure> {
    let refuse = |reason: String| Failure::new(Code::SettingsInvalid, reason);
    let limits = ApiLimits::default();
    let uploads: Arc<dyn Uploads> = match (&verb.uploads, artifacts.source_uploads()) {
        (None, Some(uploads)) => Arc::new(BucketUploads::new(uploads, limits.largest_upload)),
        (folder, _) => {
            let folder = folder.clone().unwrap_or_else(|| verb.artifacts.uploads(state));
            let uploads = FolderUploads::open(&folder, limits.largest_upload);
            Arc::new(uploads.map_err(|error| refuse(format!("--uploads: {error}")))?)
        }
    };
    let sources = FarmSources {
        folders: verb.sources.clone(),
        objects: Some(Arc::new(artifacts)),
        uploads: uploads.clone(),
        look_at: source_reference,
    };
    Ok(ApiParts {
        store,
        broker,
        leader,
        intake,
        policies,
        sources: Arc::new(sources),
        uploads,
        peers: api::client_settings(verb.authority_file.as_deref())
            .map_err(|error| refuse(error.to_string()))?,
        limits,
    })
}

fn tls(verb: &SchedulerArguments) -> Result<Option<api::TlsSettings>, Failure> {
    let (Some(certificate), Some(key)) = (&verb.tls_certificate_file, &verb.tls_key_file) else {
        return Ok(None);
    };
    api::server_settings(certificate, key)
        .map(Some)
        .map_err(|error| Failure::new(Code::SettingsInvalid, error.to_string()))
}

/// Makes the farm know the administrator's token in a file, and the file where there is none.
async fn first_token(store: &PostgresStore, file: &Path) -> Result<(), Failure> {
    let refuse = |reason: String| {
        Failure::new(Code::SettingsInvalid, format!("--admin-token-file {}: {reason}", file.display()))
    };
    if !file.exists() {
        make_token(file).map_err(|error| refuse(error.to_string()))?;
    }
    let text = Zeroizing::new(fs_err::read_to_string(file).map_err(|error| refuse(error.to_string()))?);
    let secret = TokenSecret::parse(text.trim()).ok_or_else(|| refuse("it holds no token".to_owned()))?;
    api::enrol(store, &secret, Scope::Admin, "the first administrator", None).await?;
    Ok(())
}

/// Makes a file with a new token, whole or not at all; where another process made it meanwhile, that one stays.
fn make_token(file: &Path) -> std::io::Result<()> {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // For its owner alone from the beginning.
    let mut made = tempfile::NamedTempFile::new_in(folder)?;
    writeln!(made, "{}", TokenSecret::random().reveal())?;
    made.as_file().sync_all()?;
    match made.persist_noclobber(file) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.error),
    }
}
