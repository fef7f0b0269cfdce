//! `reelfarm submit`: files to a farm of many hosts.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use reelfarm_api::{
    ChecksumRequest, IDEMPOTENCY_KEY, LadderRequest, SourceRequest, SubmitRequest, SubtitlesRequest,
};
use reelfarm_model::title::SubtitleFile;
use reelfarm_model::{Code, CuePoint, Failure, QcReport, StatedChecksum, Title, TitleId};
use reelfarm_scheduler::facts::as_line;
use reelfarm_workers::source::source_reference;

use super::delivered;
use super::facts::FactsArguments;
use super::report::{self, Outcome};
use crate::arguments::{Checksums, Cues, Json, Subtitles};
use crate::client::{Client, FarmArguments, follow, is_passing};
use crate::config::Project;
use crate::exit::Exit;
use crate::printer::Printer;
use crate::signals::Signals;

/// How often a submission is sent whose answer was lost.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);

/// `reelfarm submit`.
#[derive(Debug, Args)]
pub struct Submit {
    /// Film files that the farm's hosts see under the same path, or objects as s3://BUCKET/KEY. A title is named after its
    /// file, without the extension.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<String>,
    /// Another name for the title of the one file.
    #[arg(long, value_name = "NAME")]
    pub title: Option<String>,
    /// Send the files to the farm, which need not see them. What was cut off is carried on.
    #[arg(long)]
    pub upload: bool,
    /// A ladder that the farm knows by name, or the path of a ladder file here [default: the farm's].
    #[arg(long, env = "REELFARM_LADDER", value_name = "NAME")]
    pub ladder: Option<String>,
    /// Profiles to make: `all`, or ids and patterns such as `dash-*,ts-clr-2s` [default: the farm's].
    #[arg(long, env = "REELFARM_PROFILES", value_name = "all|ID,…", value_delimiter = ',')]
    pub profiles: Option<Vec<String>>,
    /// The language of audio tracks that state none, such as `en` or `pt-BR`.
    #[arg(long, env = "REELFARM_AUDIO_LANG", value_name = "LANG")]
    pub audio_lang: Option<String>,
    /// The only DRM systems that profiles may name, such as `widevine,playready` [default: what the farm allows].
    #[arg(long, env = "REELFARM_DRM", value_name = "SYSTEM,…", value_delimiter = ',')]
    pub drm: Option<Vec<String>>,
    /// Make no profile in clear.
    #[arg(long, env = "REELFARM_NO_CLEAR")]
    pub no_clear: bool,
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
    #[command(flatten)]
    pub facts: FactsArguments,
    /// Let titles that have keys already have others, which makes their licences useless.
    #[arg(long)]
    pub new_keys: bool,
    /// Give titles the rights rules of this call, in place of those that they have, which otherwise it can only narrow.
    #[arg(long)]
    pub new_rights: bool,
    /// Wait until the titles have ended.
    #[arg(long)]
    pub wait: bool,
    /// Wait for so many seconds at most; the exit code is 6 where titles have not ended by then.
    #[arg(long, requires = "wait", value_name = "SECONDS")]
    pub timeout: Option<u64>,
    #[command(flatten)]
    pub farm: FarmArguments,
    #[command(flatten)]
    pub json: Json,
}

/// Submits the files one after the other, and waits for them where that is asked for. Each file gets its line in the
/// result.
pub async fn run(verb: Submit, printer: &Printer) -> Result<Exit, Failure> {
    let project = Project::load()?;
    let client = verb.farm.require(&project)?;
    if verb.title.is_some() && verb.files.len() > 1 {
        return Err(Failure::new(
            Code::SettingsInvalid,
            "--title names one file's title; there are several files",
        ));
    }
    delivered::is_of_one_file(verb.files.len(), &verb.checksums, verb.qc_report.as_deref(), &verb.cues)?;
    let qc_report = verb.qc_report.as_deref().map(delivered::external_report).transpose()?.map(Box::new);
    let cue_points = delivered::cue_points(&verb.cues)?;
    let ladder = verb.ladder.as_deref().map(ladder).transpose()?;
    let mut signals = Signals::listen()
        .map_err(|error| Failure::new(Code::Internal, format!("signals cannot be received: {error}")))?;
    let (mut accepted, mut outcomes) = (Vec::new(), Vec::new());
    let mut interrupted = None;
    for file in &verb.files {
        let title = name(&verb, file);
        let submitted = async {
            let title = title.clone()?;
            let asked = Asked {
                title,
                ladder: ladder.clone(),
                qc_report: qc_report.clone(),
                cue_points: cue_points.clone(),
            };
            submit(&client, &verb, file, asked, printer).await
        };
        let submitted = tokio::select! {
            submitted = submitted => submitted,
            exit = signals.next() => {
                interrupted = Some(exit);
                break;
            }
        };
        match submitted {
            Ok(title) => accepted.push((file.clone(), title)),
            Err(failure) => {
                let title = title.ok().map(|title| title.to_string());
                printer.failure(Some(title.as_deref().unwrap_or(file)), &failure);
                outcomes.push(Outcome::refused(Path::new(file), title, failure));
            }
        }
    }
    let mut end = interrupted;
    if verb.wait && end.is_none() && !accepted.is_empty() {
        let titles: BTreeSet<_> = accepted.iter().map(|(_, title)| title.submission.title.clone()).collect();
        let limit = verb.timeout.map(Duration::from_secs);
        match follow(&client, &titles, limit, &mut signals, printer).await {
            Ok(followed) => {
                for (_, title) in &mut accepted {
                    if let Some(seen) = followed.titles.get(&title.submission.title) {
                        *title = seen.clone();
                    }
                    if let Some(failure) = &title.failure {
                        printer.failure(Some(title.submission.title.as_str()), failure);
                    }
                }
                end = followed.end;
            }
            // The titles were accepted all the same, which is said below.
            Err(failure) => {
                printer.failure(None, &failure);
                end = Some(Exit::of(&failure));
            }
        }
    }
    outcomes.extend(accepted.iter().map(|(file, title)| Outcome::at_farm(Path::new(file), title)));
    outcomes.sort_by_key(|outcome| verb.files.iter().position(|file| *file == outcome.source));
    report::print(&outcomes, verb.json.json, None, printer);
    let exit = outcomes.iter().map(|outcome| outcome.exit_at_farm(verb.wait)).fold(Exit::Done, Exit::worst);
    Ok(end.map_or(exit, |end| end.worst(exit)))
}

/// The title of a file.
fn name(verb: &Submit, file: &str) -> Result<TitleId, Failure> {
    let invalid = |reason: String| Failure::new(Code::TitleNameInvalid, reason);
    if let Some(name) = &verb.title {
        return name
            .parse()
            .map_err(|error: reelfarm_model::title::InvalidTitleId| invalid(error.to_string()));
    }
    let stem = Path::new(file).file_stem().map(|stem| stem.to_string_lossy()).unwrap_or_default();
    TitleId::from_file_stem(&stem).map_err(|_| {
        invalid(format!(
            "the name of {file} has no letter or digit to make a title name of; give one with --title"
        ))
    })
}

/// What is asked for of one file.
struct Asked {
    title: TitleId,
    ladder: Option<LadderRequest>,
    qc_report: Option<Box<QcReport>>,
    cue_points: Vec<CuePoint>,
}

async fn submit(
    client: &Client,
    verb: &Submit,
    file: &str,
    asked: Asked,
    printer: &Printer,
) -> Result<Title, Failure> {
    let Asked { title, ladder, qc_report, cue_points } = asked;
    // A checksum that cannot be read is refused before anything is sent.
    let checksums = checksums(verb, file, title.as_str(), printer).await?;
    let source = match file {
        url if url.contains("://") => SourceRequest::Url(url.to_owned()),
        file if verb.upload => {
            let path = PathBuf::from(file);
            // What is no film file is refused before anything is sent.
            let looked = tokio::task::spawn_blocking(move || source_reference(&path)).await;
            let source = looked.map_err(|error| Failure::new(Code::Internal, error.to_string()))??;
            SourceRequest::Upload(client.upload(&source.path, printer).await?)
        }
        file => {
            let path = std::path::absolute(file)
                .map_err(|error| Failure::new(Code::SourceNotFound, format!("{file}: {error}")))?;
            let path = path.into_os_string().into_string().map_err(|path| {
                let path = path.display();
                Failure::new(Code::SourceUnreadable, format!("the path {path} is not UTF-8; use --upload"))
            })?;
            SourceRequest::Path(path)
        }
    };
    let request = SubmitRequest {
        title,
        source,
        ladder,
        profiles: verb.profiles.clone(),
        audio_language: verb.audio_lang.clone(),
        subtitles: subtitles(client, verb, file, printer).await?,
        checksums,
        qc_report,
        drm: verb.drm.clone(),
        no_clear: verb.no_clear,
        facts: verb.facts.facts(),
        cue_points,
        new_keys: verb.new_keys,
        new_rights: verb.new_rights,
    };
    // One key for all tries: an answer that was lost is given again, and nothing is done twice.
    let key = hex::encode(rand::random::<[u8; 16]>());
    let mut tries = 1;
    loop {
        match client.post_with(&["titles"], &request, (IDEMPOTENCY_KEY, &key)).await {
            Err(failure) if is_passing(failure.code) && tries < TRIES => {
                tracing::info!(%failure, "submitting again");
                tokio::time::sleep(PAUSE * tries).await;
                tries += 1;
            }
            answered => return answered,
        }
    }
}

/// The checksums that are named, or lie beside a film that can be seen from here.
async fn checksums(
    verb: &Submit,
    film: &str,
    title: &str,
    printer: &Printer,
) -> Result<Vec<ChecksumRequest>, Failure> {
    let (path, mut wanted) = (PathBuf::from(film), verb.checksums.clone());
    wanted.no_checksum |= film.contains("://");
    let found = super::blocking(move || delivered::checksums(&path, &wanted)).await?;
    found.not_taken.iter().for_each(|sentence| printer.line(sentence));
    delivered::say(title, &found.stated, printer);
    // However the file is called, the farm takes what is in it.
    let request =
        |StatedChecksum { checksum, stated_in }| ChecksumRequest { checksum, stated_in: as_line(&stated_in) };
    Ok(found.stated.into_iter().map(request).collect())
}

/// The files of subtitles beside a film that can be seen from here.
async fn subtitles(
    client: &Client,
    verb: &Submit,
    film: &str,
    printer: &Printer,
) -> Result<Vec<SubtitlesRequest>, Failure> {
    let (path, are_wanted) = (PathBuf::from(film), !verb.subtitles.no_subtitles);
    if film.starts_with("s3://") || !path.exists() {
        return Ok(Vec::new());
    }
    let looked = tokio::task::spawn_blocking(move || super::side_files(&path, are_wanted)).await;
    let found = looked.map_err(|error| Failure::new(Code::Internal, error.to_string()))??;
    found.not_taken.iter().for_each(|sentence| printer.line(sentence));
    let mut subtitles = Vec::with_capacity(found.taken.len());
    for SubtitleFile { file, language, purpose } in found.taken {
        let source = if verb.upload {
            SourceRequest::Upload(client.upload(&file.path, printer).await?)
        } else {
            let unusable = |path: std::ffi::OsString| {
                let path = path.display().to_string();
                Failure::new(Code::SourceUnreadable, format!("the path {path} is not UTF-8; use --upload"))
            };
            SourceRequest::Path(file.path.into_os_string().into_string().map_err(unusable)?)
        };
        printer.line(&format!("{film}: subtitles in {language} ({})", purpose.as_str()));
        subtitles.push(SubtitlesRequest { source, language, purpose });
    }
    Ok(subtitles)
}

/// A ladder that the farm knows by its name, or the text of a file here.
pub fn ladder(name: &str) -> Result<LadderRequest, Failure> {
    if name.contains('/') || name.ends_with(".toml") {
        let text = fs_err::read_to_string(name)
            .map_err(|error| Failure::new(Code::LadderInvalid, error.to_string()))?;
        return Ok(LadderRequest::Text(text));
    }
    Ok(LadderRequest::Name(name.to_owned()))
}
