//! The command line: a contract of names and flags.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use reelfarm_model::profile::DrmSystem;
use reelfarm_model::{Checksum, CuePoint, Pool, RouteName, TitleState};

use crate::client::FarmArguments;
use crate::distributed::{ArtifactArguments, BrokerArguments, DatabaseArguments};
use crate::verbs;

/// Takes films and episodes and makes them ready to stream on every device.
#[derive(Debug, Parser)]
#[command(name = "reelfarm", version, max_term_width = 100)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
    /// What to log, such as `info` or `reelfarm_scheduler=debug`.
    #[arg(long, global = true, env = "REELFARM_LOG", default_value = "warn", value_name = "FILTER")]
    pub log: String,
    /// How log lines look.
    #[arg(long, global = true, env = "REELFARM_LOG_FORMAT", default_value = "pretty", value_enum)]
    pub log_format: LogStyle,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogStyle {
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Take files to a finished origin, in this one process. Stop it at any time and run it again: it goes on.
    Run(Run),
    /// Check a file, and the subtitles beside it, as the farm would, without a farm. Exits with 0 where the farm would
    /// take it, 1 where not.
    Qc(Qc),
    /// Show what a file holds.
    Probe(Probe),
    /// Show where a title stands: its states, tasks, attempts and failures.
    Status(Status),
    /// Show QC's report on a title; as a page for a browser with --out.
    Report(verbs::qc_report::Report),
    /// List all titles.
    List(List),
    /// Submit files to a farm of many hosts.
    Submit(verbs::submit::Submit),
    /// Show the progress of titles at a farm until they have ended.
    Watch(verbs::watch_farm::WatchFarm),
    /// Show what would be done for a title if it were submitted now, perhaps with another ladder, and why.
    Plan(verbs::plan::Plan),
    /// Make titles that are online anew where a changed ladder asks for it, after everything else.
    Recode(verbs::recode::Recode),
    /// Show when titles at a farm will be online, and which of them will be late.
    Eta(verbs::eta::Eta),
    /// Have a title at a farm go before all others of its route; each route may do that so many times a day.
    Expedite(verbs::expedite::Expedite),
    /// Have titles made that QC leaves to people; `reelfarm list --in review` shows them, `reelfarm status` what to look at.
    Approve(verbs::review::Approve),
    /// Reject titles that QC leaves to people, or take an approval back while they are not online.
    Reject(verbs::review::Reject),
    /// List what people decided about titles, the latest first.
    Reviews(verbs::review::Reviews),
    /// Stop titles at a farm, and take away what they put at the origin and is not online.
    Cancel(verbs::steer::Steer),
    /// Have a title at a farm, a task or a rendition of it, made again.
    Retry(verbs::steer::Retry),
    /// Start no more tasks of titles at a farm, until they are released.
    Hold(verbs::steer::Steer),
    /// Let titles go on that are held.
    Release(verbs::steer::Steer),
    /// List a farm's workers.
    Workers(verbs::workers::Workers),
    /// List a farm's pools, with what waits for their workers.
    Queues(verbs::workers::Workers),
    /// Have a worker finish its tasks, take no more, and end.
    Drain(verbs::workers::Drain),
    /// Make, list and revoke tokens, which say who may do what at a farm.
    Token(verbs::token::Token),
    /// Explain an error code, such as RF-QC-004.
    Explain(Explain),
    /// Say what is missing on this machine and how to get it.
    Doctor(Doctor),
    /// List the profiles: what is made for which devices.
    Profiles(Json),
    /// List the ladders, or check a ladder file.
    Ladders(Ladders),
    /// List the QC policies, or check a policy file.
    Policies(Policies),
    /// Run a scheduler of a farm of many hosts.
    Scheduler(SchedulerArguments),
    /// Run a worker of a farm of many hosts.
    Worker(WorkerArguments),
    /// Show what a day would be like under the scheduler's rules, and under others. Needs no farm.
    Sim(verbs::sim::Sim),
    /// Print completions for a shell.
    Completions(Completions),
    /// Serve one media request from stdin (used by the farm itself).
    #[command(hide = true)]
    MediaChild(MediaChild),
    /// Run a program that ends when its parent does (used by the farm itself).
    #[command(hide = true)]
    Leash(Leash),
}

/// `reelfarm run`.
#[derive(Debug, Args)]
pub struct Run {
    /// Film files. A title is named after its file, without the extension. Files of subtitles beside it go with it, by
    /// their names: film.en.srt, film.pt-BR.vtt, film.en.forced.srt, film.de.sdh.ttml.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Where finished titles go [default: ./origin].
    #[arg(long, env = "REELFARM_ORIGIN", value_name = "DIR")]
    pub origin: Option<String>,
    /// A ladder's name, or the path of a ladder file [default: default].
    #[arg(long, env = "REELFARM_LADDER", value_name = "NAME")]
    pub ladder: Option<String>,
    /// Profiles to make: `all`, or ids and patterns such as `dash-*,ts-clr-2s` [default: all].
    #[arg(long, env = "REELFARM_PROFILES", value_name = "all|ID,…", value_delimiter = ',')]
    pub profiles: Option<Vec<String>>,
    /// The language of audio tracks that state none, such as `en` or `pt-BR`.
    #[arg(long, env = "REELFARM_AUDIO_LANG", value_name = "LANG")]
    pub audio_lang: Option<String>,
    #[command(flatten)]
    pub subtitles: Subtitles,
    #[command(flatten)]
    pub checksums: Checksums,
    /// A QC report on the one FILE that takes the place of the farm's own, as `reelfarm qc FILE --json` prints it. It must be
    /// about these very bytes.
    #[arg(long, value_name = "REPORT")]
    pub qc_report: Option<PathBuf>,
    #[command(flatten)]
    pub cues: Cues,
    /// The only DRM systems that profiles may name, such as `widevine,playready` [default: all]. A title keeps this rule:
    /// later calls can narrow it.
    #[arg(long, env = "REELFARM_DRM", value_name = "SYSTEM,…", value_delimiter = ',', value_parser = drm_system)]
    pub drm: Option<Vec<DrmSystem>>,
    /// Make no profile in clear. A title keeps this rule.
    #[arg(long, env = "REELFARM_NO_CLEAR")]
    pub no_clear: bool,
    /// A file of content keys, which only its owner may read: JSON {"TITLE or *": {"kid": …, "key": …}}, each of 32
    /// hexadecimal digits [default: derived from the farm's master secret].
    #[arg(long, env = "REELFARM_KEYS_FILE", value_name = "FILE")]
    pub keys: Option<PathBuf>,
    #[command(flatten)]
    pub facts: verbs::facts::FactsArguments,
    /// Let titles that have keys already have others: from --keys, another key server or another master secret.
    #[arg(long)]
    pub new_keys: bool,
    /// Give titles the rules of this call (--drm, --no-clear) in place of those that they have, also where these allow
    /// more.
    #[arg(long)]
    pub new_rights: bool,
    /// Tasks of each pool that run at once [default: what fits this machine's processors].
    #[arg(long, env = "REELFARM_SLOTS", value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub slots: Option<u16>,
    /// Serve Prometheus metrics at this address while running, such as 127.0.0.1:9180.
    #[arg(long, env = "REELFARM_METRICS_ADDR", value_name = "ADDRESS")]
    pub metrics_addr: Option<SocketAddr>,
    #[command(flatten)]
    pub state: State,
    #[command(flatten)]
    pub json: Json,
}

/// `reelfarm scheduler`.
#[derive(Debug, Args)]
pub struct SchedulerArguments {
    #[command(flatten)]
    pub database: DatabaseArguments,
    #[command(flatten)]
    pub broker: BrokerArguments,
    #[command(flatten)]
    pub artifacts: ArtifactArguments,
    /// Where the API listens.
    #[arg(long, env = "REELFARM_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8180")]
    pub listen: SocketAddr,
    /// Where the other schedulers reach this one's API [default: http:// and the address at which it listens].
    #[arg(long, env = "REELFARM_ADVERTISE", value_name = "URL")]
    pub advertise: Option<String>,
    /// Where finished titles go [default: ./origin].
    #[arg(long, env = "REELFARM_ORIGIN", value_name = "DIR|URL")]
    pub origin: Option<String>,
    /// Folders that sources may lie in; all hosts see them under the same paths.
    #[arg(long, env = "REELFARM_SOURCES", value_name = "DIR,…", value_delimiter = ',')]
    pub sources: Vec<PathBuf>,
    /// A folder for sources that are uploaded, which all hosts see under the same path [default: with the artifacts].
    #[arg(long, env = "REELFARM_UPLOADS", value_name = "DIR")]
    pub uploads: Option<PathBuf>,
    /// The API's certificate, and those between it and an authority, in PEM; without it the API speaks plain HTTP.
    #[arg(long, env = "REELFARM_TLS_CERTIFICATE_FILE", value_name = "FILE", requires = "tls_key_file")]
    pub tls_certificate_file: Option<PathBuf>,
    /// The certificate's key, in PEM.
    #[arg(long, env = "REELFARM_TLS_KEY_FILE", value_name = "FILE", requires = "tls_certificate_file")]
    pub tls_key_file: Option<PathBuf>,
    /// The authorities that the other schedulers' certificates are held against [default: the system's].
    #[arg(long, env = "REELFARM_AUTHORITY_FILE", value_name = "FILE")]
    pub authority_file: Option<PathBuf>,
    /// A file for the first administrator's token, made where it is missing.
    #[arg(long, env = "REELFARM_ADMIN_TOKEN_FILE", value_name = "FILE")]
    pub admin_token_file: Option<PathBuf>,
    /// How long an attempt's lease runs, in seconds: a worker that died is followed after that long.
    #[arg(long, env = "REELFARM_LEASE", value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub lease: u64,
    /// How long the leadership's lease runs, in seconds: a leader that died is followed after that long.
    #[arg(long, env = "REELFARM_LEADER_LEASE", value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub leader_lease: u64,
    /// Days for which what a title was made of is kept after the title has ended; submitted again, it is made from that.
    #[arg(long, env = "REELFARM_KEEP_DAYS", value_name = "DAYS", default_value_t = 7)]
    pub keep_days: u64,
    /// Seconds after which unfinished work and artifacts that no title refers to are removed: more than any task takes.
    #[arg(long, env = "REELFARM_COLLECT_AFTER", value_name = "SECONDS", default_value_t = 86_400, value_parser = clap::value_parser!(u64).range(10..))]
    pub collect_after: u64,
    #[command(flatten)]
    pub state: State,
    /// Serve Prometheus metrics at this address while running, such as 127.0.0.1:9180.
    #[arg(long, env = "REELFARM_METRICS_ADDR", value_name = "ADDRESS")]
    pub metrics_addr: Option<SocketAddr>,
}

/// `reelfarm worker`.
#[derive(Debug, Args)]
pub struct WorkerArguments {
    #[command(flatten)]
    pub broker: BrokerArguments,
    #[command(flatten)]
    pub artifacts: ArtifactArguments,
    /// The pools to serve.
    #[arg(long, env = "REELFARM_POOLS", value_name = "POOL,…", value_delimiter = ',', default_value = "cpu,package,light", value_parser = pool)]
    pub pools: Vec<Pool>,
    /// Tasks of each pool that run at once [default: what fits this machine's processors].
    #[arg(long, env = "REELFARM_SLOTS", value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub slots: Option<u16>,
    /// What others call this worker [default: host, process and time of its start].
    #[arg(long, env = "REELFARM_WORKER_NAME", value_name = "NAME")]
    pub name: Option<String>,
    /// Seconds that tasks at work may take after the signal that ends the worker; then they are handed back.
    #[arg(long, env = "REELFARM_DRAIN_LIMIT", value_name = "SECONDS", default_value_t = 600)]
    pub drain_limit: u64,
    /// A file of content keys, as of `reelfarm run`.
    #[arg(long, env = "REELFARM_KEYS_FILE", value_name = "FILE")]
    pub keys: Option<PathBuf>,
    #[command(flatten)]
    pub state: State,
    /// Serve Prometheus metrics at this address while running, such as 127.0.0.1:9180.
    #[arg(long, env = "REELFARM_METRICS_ADDR", value_name = "ADDRESS")]
    pub metrics_addr: Option<SocketAddr>,
}

/// A pool by its name.
fn pool(name: &str) -> Result<Pool, String> {
    let names = || Pool::ALL.map(Pool::as_str).join(", ");
    Pool::ALL
        .into_iter()
        .find(|pool| pool.as_str() == name)
        .ok_or_else(|| format!("the pools are {}", names()))
}

/// Whether files of subtitles go with their films.
#[derive(Clone, Copy, Debug, Args)]
pub struct Subtitles {
    /// Leave aside the files of subtitles that lie beside films, without a look at them.
    #[arg(long, env = "REELFARM_NO_SUBTITLES")]
    pub no_subtitles: bool,
}

/// The checksums that films were delivered with.
#[derive(Clone, Debug, Args)]
pub struct Checksums {
    /// A checksum that the one FILE must have, such as md5:9e107d9d372bb6826bd81d3542a419d6; or sha1:…, sha256:…
    /// [default: those that lie beside the film, as film.mov.md5 or film.sha256].
    #[arg(long, value_name = "ALGORITHM:DIGITS,…", value_delimiter = ',')]
    pub checksum: Vec<Checksum>,
    /// Leave aside the checksums that lie beside films, without a look at them.
    #[arg(long, env = "REELFARM_NO_CHECKSUM")]
    pub no_checksum: bool,
}

/// The cue points of a film.
#[derive(Clone, Debug, Args)]
pub struct Cues {
    /// Where the one FILE can be left and entered again, from its first frame on: break, credits, chapter or scene, @ and a time,
    /// such as break@0:23:45.600. May be given several times.
    #[arg(long, value_name = "PURPOSE@TIME")]
    pub cue: Vec<CuePoint>,
    /// A file of such cue points, one a line.
    #[arg(long, value_name = "FILE")]
    pub cues: Option<PathBuf>,
}

/// A DRM system by its name.
fn drm_system(name: &str) -> Result<DrmSystem, String> {
    let names = || DrmSystem::ALL.map(DrmSystem::as_str).join(", ");
    let found = DrmSystem::ALL.into_iter().find(|system| system.as_str() == name);
    found.ok_or_else(|| format!("the systems are {}", names()))
}

/// Where the farm keeps its database and artifacts.
#[derive(Clone, Debug, Args)]
pub struct State {
    /// The folder of the farm's database and intermediate files [default: ./.reelfarm].
    #[arg(long, env = "REELFARM_STATE", value_name = "DIR")]
    pub state: Option<PathBuf>,
}

/// Whether to print JSON.
#[derive(Clone, Copy, Debug, Args)]
pub struct Json {
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

/// `reelfarm qc`.
#[derive(Debug, Args)]
pub struct Qc {
    /// The film file.
    #[arg(value_name = "FILE", required_unless_present = "replay", conflicts_with = "replay")]
    pub file: Option<PathBuf>,
    /// A ladder's name, or the path of a ladder file [default: default].
    #[arg(long, env = "REELFARM_LADDER", value_name = "NAME")]
    pub ladder: Option<String>,
    /// The QC policy to judge by: a name, or the path of a policy file [default: that of the route].
    #[arg(long, value_name = "NAME")]
    pub policy: Option<String>,
    /// Judge as a title of this route would be judged [default: the first of the farm's rules].
    #[arg(long, env = "REELFARM_ROUTE", value_name = "ROUTE")]
    pub route: Option<RouteName>,
    /// The language of audio tracks that state none, such as `en` or `pt-BR`.
    #[arg(long, env = "REELFARM_AUDIO_LANG", value_name = "LANG")]
    pub audio_lang: Option<String>,
    #[command(flatten)]
    pub subtitles: Subtitles,
    #[command(flatten)]
    pub checksums: Checksums,
    /// Write the report to this file as well, as a page for a browser (HTML), with pictures of what was found.
    #[arg(long, value_name = "PATH")]
    pub report: Option<PathBuf>,
    /// Write what was measured to this file (JSON), for `--replay`.
    #[arg(long, value_name = "PATH", conflicts_with = "replay")]
    pub measurements: Option<PathBuf>,
    /// Judge what was measured before in place of a film, by the policy, ladder and language of now.
    #[arg(long, value_name = "MEASUREMENTS", conflicts_with = "checksum")]
    pub replay: Option<PathBuf>,
    #[command(flatten)]
    pub json: Json,
}

/// `reelfarm probe`.
#[derive(Debug, Args)]
pub struct Probe {
    /// The file.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub json: Json,
}

/// `reelfarm status`.
#[derive(Debug, Args)]
pub struct Status {
    /// The title.
    #[arg(value_name = "TITLE")]
    pub title: String,
    #[command(flatten)]
    pub farm: FarmArguments,
    #[command(flatten)]
    pub state: State,
    #[command(flatten)]
    pub json: Json,
}

/// `reelfarm list`.
#[derive(Debug, Args)]
pub struct List {
    /// Only titles in one of these states, such as `checking,preparing`.
    #[arg(long = "in", value_name = "STATE,…", value_delimiter = ',')]
    pub states: Vec<TitleState>,
    /// Only titles whose name begins so.
    #[arg(long, value_name = "TEXT")]
    pub prefix: Option<String>,
    /// Only titles whose name has this in it.
    #[arg(long, value_name = "TEXT")]
    pub contains: Option<String>,
    #[command(flatten)]
    pub farm: FarmArguments,
    #[command(flatten)]
    pub state: State,
    #[command(flatten)]
    pub json: Json,
}

/// `reelfarm explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// The code; without it, all codes are listed.
    #[arg(value_name = "CODE")]
    pub code: Option<String>,
}

/// `reelfarm doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    #[command(flatten)]
    pub state: State,
    #[command(flatten)]
    pub json: Json,
}

/// `reelfarm ladders`.
#[derive(Debug, Args)]
pub struct Ladders {
    /// A ladder's name or file to show; without it, the ladders that come with the farm are listed.
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    #[command(flatten)]
    pub json: Json,
}

/// `reelfarm policies`.
#[derive(Debug, Args)]
pub struct Policies {
    /// A policy's name or file to show; without it, the policies that come with the farm are listed.
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
}

/// `reelfarm completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell.
    pub shell: clap_complete::Shell,
}

/// `reelfarm media-child`.
#[derive(Debug, Args)]
pub struct MediaChild {
    /// The process that started this one.
    #[arg(long)]
    pub parent: u32,
    /// Address space in bytes.
    #[arg(long)]
    pub memory_bytes: u64,
}

/// `reelfarm leash`.
#[derive(Debug, Args)]
pub struct Leash {
    /// The process that started this one.
    #[arg(long)]
    pub parent: u32,
    /// The program and its arguments.
    #[arg(last = true, required = true)]
    pub command: Vec<OsString>,
}
