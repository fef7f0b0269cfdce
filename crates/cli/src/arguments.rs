//! The command line: a contract of names and flags.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use reelfarm_model::profile::DrmSystem;

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
    /// List all titles.
    List(List),
    /// Explain an error code, such as RF-QC-004.
    Explain(Explain),
    /// Say what is missing on this machine and how to get it.
    Doctor(Doctor),
    /// List the profiles: what is made for which devices.
    Profiles(Json),
    /// List the ladders, or check a ladder file.
    Ladders(Ladders),
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
    /// Let titles that have keys already have others: from --keys, another key server or another master secret.
    #[arg(long)]
    pub new_keys: bool,
    /// Give titles the rules of this call (--drm, --no-clear) in place of those that they have, also where these allow
    /// more.
    #[arg(long)]
    pub new_rights: bool,
    /// Serve Prometheus metrics at this address while running, such as 127.0.0.1:9180.
    #[arg(long, env = "REELFARM_METRICS_ADDR", value_name = "ADDRESS")]
    pub metrics_addr: Option<SocketAddr>,
    #[command(flatten)]
    pub state: State,
    #[command(flatten)]
    pub json: Json,
}

/// Whether files of subtitles go with their films.
#[derive(Clone, Copy, Debug, Args)]
pub struct Subtitles {
    /// Leave aside the files of subtitles that lie beside films, without a look at them.
    #[arg(long, env = "REELFARM_NO_SUBTITLES")]
    pub no_subtitles: bool,
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
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// A ladder's name, or the path of a ladder file [default: default].
    #[arg(long, env = "REELFARM_LADDER", value_name = "NAME")]
    pub ladder: Option<String>,
    /// The language of audio tracks that state none, such as `en` or `pt-BR`.
    #[arg(long, env = "REELFARM_AUDIO_LANG", value_name = "LANG")]
    pub audio_lang: Option<String>,
    #[command(flatten)]
    pub subtitles: Subtitles,
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
    pub state: State,
    #[command(flatten)]
    pub json: Json,
}

/// `reelfarm list`.
#[derive(Debug, Args)]
pub struct List {
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
