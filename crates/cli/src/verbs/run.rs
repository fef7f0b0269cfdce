//! `reelfarm run`: files to a finished origin in this one process.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use reelfarm_artifacts::Origin;
use reelfarm_model::recipe::ToolVersions;
use reelfarm_model::title::{LadderText, Submission, SubtitleFile};
use reelfarm_model::{
    Code, CuePoint, Facts, Failure, Ladder, Pool, Profile, QcReport, SourceReference, StatedChecksum, Title,
    TitleId, TitleState,
};
use reelfarm_packaging::profiles::ProfileList;
use reelfarm_priority::Rules;
use reelfarm_qc::external;
use reelfarm_scheduler::facts::possible;
use reelfarm_scheduler::rights::{Allowed, CallRights};
use reelfarm_scheduler::{FarmPolicy, judged_by};
use reelfarm_telemetry::metrics::Metrics;
use reelfarm_workers::source::source_reference;

use super::delivered;
use super::report::{self, Outcome};
use super::review::answer;
use super::watch::{End, Watch};
use crate::arguments::{Checksums, Run};
use crate::config::Project;
use crate::exit::Exit;
use crate::farm::{self, Farm};
use crate::printer::Printer;
use crate::side_files::{self, SideFiles};
use crate::signals::Signals;

/// What is asked of every title of the call.
struct Wish {
    ladder: LadderText,
    /// As far as the call's own rights rules allow them.
    profiles: Vec<Profile>,
    rights: CallRights,
    list: ProfileList,
    new_keys: bool,
    audio_language: Option<String>,
    qc_report: Option<Box<QcReport>>,
    facts: Facts,
    cue_points: Vec<CuePoint>,
    order: Rules,
    origin: String,
}

impl Wish {
    async fn submission(
        &self,
        candidate: Candidate,
        farm: &Farm,
        printer: &Printer,
    ) -> Result<Submission, Failure> {
        let Candidate { title, source, subtitles, checksums, .. } = candidate;
        let standing = farm.store.standing(&title).await?;
        let Allowed { rights, profiles, left_out } =
            self.rights.of_title(&title, &self.profiles, &standing.rights())?;
        if !left_out.is_empty() {
            let left_out = left_out.join(", ");
            printer.line(&format!(
                "{title}: its rights rules leave out {left_out}; it may have {rights} (--new-rights changes that)"
            ));
        }
        let is_encrypted = profiles.iter().any(|profile| profile.scheme.is_some());
        let protection = is_encrypted
            .then(|| farm.keys.protection(&title, standing.protection(), self.new_keys))
            .transpose()?;
        if let Some(protection) = &protection {
            farm.keys.are_in_reach(&title, protection, &profiles, self.list.all())?;
        }
        let profiles: Vec<String> = profiles.into_iter().map(|profile| profile.id).collect();
        let facts = possible(self.facts.clone(), &self.order, &self.list, &profiles)?;
        Ok(Submission {
            title,
            source,
            ladder: self.ladder.clone(),
            profiles,
            audio_language: self.audio_language.clone(),
            subtitles,
            checksums,
            qc_report: self.qc_report.clone(),
            protection,
            rights,
            facts,
            cue_points: self.cue_points.clone(),
            origin: self.origin.clone(),
            tools: farm.tools.clone(),
        })
    }
}

/// A file that can be submitted.
struct Candidate {
    file: PathBuf,
    title: TitleId,
    source: SourceReference,
    subtitles: Vec<SubtitleFile>,
    checksums: Vec<StatedChecksum>,
    /// A sentence on each file that may have been meant as subtitles or checksums.
    not_taken: Vec<String>,
}

/// Runs the call to its end or to a signal. Whatever happens, each file gets its line in the result.
pub async fn run(verb: Run, printer: &Printer) -> Result<Exit, Failure> {
    let project = Project::load()?;
    let wish = wish(&verb, &project)?;
    let mut signals = Signals::listen()
        .map_err(|error| Failure::new(Code::Internal, format!("signals cannot be received: {error}")))?;
    let beside = Beside {
        subtitles: !(verb.subtitles.no_subtitles || project.no_subtitles),
        checksums: verb.checksums.clone(),
    };
    let (candidates, mut outcomes) = tokio::select! {
        looked = look_at(&verb.files, beside, printer) => looked?,
        // A share that hangs must not hold up the end.
        exit = signals.next() => {
            let outcomes: Vec<_> = verb.files.iter().map(|file| Outcome::interrupted(file)).collect();
            report::print(&outcomes, verb.json.json, None, printer);
            return Ok(exit);
        }
    };
    let mut end = End::Finished;
    if !candidates.is_empty() {
        let files: Vec<_> =
            candidates.iter().map(|known| (known.file.clone(), known.title.to_string())).collect();
        match make(&verb, &project, &wish, candidates, &mut signals, printer).await {
            Ok((made, ended)) => {
                outcomes.extend(made);
                end = ended;
            }
            Err(failure) => {
                printer.failure(None, &failure);
                let refused =
                    |(file, title): (PathBuf, String)| Outcome::refused(&file, Some(title), failure.clone());
                outcomes.extend(files.into_iter().map(refused));
            }
        }
    }
    // In the order of the files; titles that an earlier call left unfinished come last.
    let place =
        |outcome: &Outcome| verb.files.iter().position(|file| file.to_string_lossy() == outcome.source);
    outcomes.sort_by_key(|outcome| place(outcome).unwrap_or(usize::MAX));
    report::print(&outcomes, verb.json.json, verb.state.state.as_deref(), printer);
    let exit = outcomes.iter().map(Outcome::exit).fold(Exit::Done, Exit::worst);
    Ok(match end {
        End::Finished => exit,
        End::Signal(signal) => signal,
        End::Broken(failure) => {
            printer.failure(None, &failure);
            exit.worst(Exit::of(&failure))
        }
    })
}

fn wish(verb: &Run, project: &Project) -> Result<Wish, Failure> {
    delivered::is_of_one_file(verb.files.len(), &verb.checksums, verb.qc_report.as_deref(), &verb.cues)?;
    let (ladder, parsed) = project.ladder(verb.ladder.as_deref())?;
    let qc_report = verb.qc_report.as_deref().map(|path| qc_report(path, &parsed)).transpose()?;
    let all = || vec!["all".to_owned()];
    let patterns = verb.profiles.clone().or_else(|| project.profiles.clone()).unwrap_or_else(all);
    let list = super::profile_list(project)?;
    let selected =
        list.select(&patterns).map_err(|error| Failure::new(Code::UnknownName, error.to_string()))?;
    let rights = project.drm.rights(verb.drm.as_deref(), verb.no_clear);
    let count = selected.len();
    let profiles: Vec<_> = selected.into_iter().filter(|profile| rights.allow(profile)).collect();
    if profiles.is_empty() {
        return Err(Failure::new(
            Code::RightsLeaveNothing,
            format!(
                "none of the {count} profiles asked for is one that the rights rules allow; see --drm, --no-clear and the table drm of reelfarm.toml"
            ),
        ));
    }
    Ok(Wish {
        ladder,
        new_keys: verb.new_keys,
        profiles,
        list,
        rights: CallRights { rights, are_new: verb.new_rights },
        audio_language: super::audio_language(verb.audio_lang.as_deref(), project)?,
        qc_report,
        facts: verb.facts.facts(),
        cue_points: delivered::cue_points(&verb.cues)?,
        order: project.order_rules()?,
        origin: project.origin(verb.origin.as_deref())?,
    })
}

/// A report that was made elsewhere, for a title with this ladder.
fn qc_report(path: &Path, ladder: &Ladder) -> Result<Box<QcReport>, Failure> {
    let report = delivered::external_report(path)?;
    external::accept(report, ladder).map(Box::new).map_err(|error| delivered::refused(path, &error))
}

/// What of what lies beside films goes with them.
struct Beside {
    subtitles: bool,
    checksums: Checksums,
}

impl Beside {
    fn of(&self, film: &Path) -> Result<(SideFiles, side_files::Checksums), Failure> {
        Ok((super::side_files(film, self.subtitles)?, delivered::checksums(film, &self.checksums)?))
    }
}

/// Looks at the files before anything starts: what can be submitted, and what cannot and why.
async fn look_at(
    files: &[PathBuf],
    beside: Beside,
    printer: &Printer,
) -> Result<(Vec<Candidate>, Vec<Outcome>), Failure> {
    let files = files.to_vec();
    let looked = tokio::task::spawn_blocking(move || {
        let mut candidates: Vec<Candidate> = Vec::new();
        let mut refused = Vec::new();
        for file in files {
            match look(&file, &beside, &candidates) {
                Ok(Some(candidate)) => candidates.push(candidate),
                Ok(None) => {}
                Err((title, failure)) => refused.push(Outcome::refused(&file, title, failure)),
            }
        }
        (candidates, refused)
    })
    .await
    .map_err(|error| Failure::new(Code::Internal, format!("the files cannot be looked at: {error}")))?;
    for Candidate { title, not_taken, .. } in &looked.0 {
        for sentence in not_taken {
            printer.line(&format!("{title}: {sentence}"));
        }
    }
    for outcome in &looked.1 {
        if let Some(failure) = &outcome.failure {
            printer.failure(outcome.title.as_deref(), failure);
        }
    }
    Ok(looked)
}

/// `None` for a file that is among the candidates already.
fn look(
    file: &Path,
    beside: &Beside,
    others: &[Candidate],
) -> Result<Option<Candidate>, (Option<String>, Failure)> {
    let source = source_reference(file).map_err(|failure| (None, failure))?;
    let stem = file.file_stem().map(|stem| stem.to_string_lossy()).unwrap_or_default();
    let title = TitleId::from_file_stem(&stem).map_err(|_| {
        let message = format!(
            "the name of {} has no letter or digit to make a title name of; rename the file",
            file.display()
        );
        (None, Failure::new(Code::TitleNameInvalid, message))
    })?;
    match others.iter().find(|other| other.title == title) {
        None => match beside.of(file) {
            Ok((subtitles, checksums)) => Ok(Some(Candidate {
                file: file.to_owned(),
                title,
                source,
                subtitles: subtitles.taken,
                checksums: checksums.stated,
                not_taken: [subtitles.not_taken, checksums.not_taken].concat(),
            })),
            Err(failure) => Err((Some(title.to_string()), failure)),
        },
        Some(same) if same.source.path == source.path => Ok(None),
        Some(other) => {
            let message = format!(
                "{} and {} would both be the title {title}; rename one of them (only the first is made now)",
                other.file.display(),
                file.display()
            );
            Err((Some(title.to_string()), Failure::new(Code::TitleNameTaken, message)))
        }
    }
}

/// Whether a title waits for a person who was asked by this policy, with what was measured by these tools: otherwise it is
/// judged anew.
fn waits_for_a_person(title: &Title, policy: &FarmPolicy, tools: &ToolVersions) -> bool {
    title.state == TitleState::Review
        && title.review.is_some_and(|review| review.policy_digest == judged_by(&title.submission, policy))
        && title.submission.tools == *tools
}

/// Starts a farm, submits the candidates and waits until all have ended or wait for a person, or for a signal.
async fn make(
    verb: &Run,
    project: &Project,
    wish: &Wish,
    candidates: Vec<Candidate>,
    signals: &mut Signals,
    printer: &Printer,
) -> Result<(Vec<Outcome>, End), Failure> {
    Origin::connect(&wish.origin, &farm::origins()?)?;
    let metrics = Metrics::new(env!("CARGO_PKG_VERSION"))
        .map_err(|error| Failure::new(Code::Internal, error.to_string()))?;
    let server = super::serve_metrics(verb.metrics_addr, &metrics, printer).await?;
    let state = project.state(verb.state.state.as_ref());
    let profiles = wish.list.clone();
    let slots = farm::slots(&Pool::ALL, verb.slots);
    let keys = verb.keys.as_deref();
    let mut farm = Farm::start(&state, project, profiles, keys, slots, metrics).await?;

    let unfinished: Vec<Title> = farm.store.live_titles().await?;
    let mut watch = Watch::new(&farm, printer);
    let mut submitted = BTreeSet::new();
    for candidate in candidates {
        let (file, title) = (candidate.file.clone(), candidate.title.clone());
        for SubtitleFile { file, language, purpose } in &candidate.subtitles {
            let file = file.path.display();
            printer.line(&format!("{title}: subtitles in {language} ({}) from {file}", purpose.as_str()));
        }
        delivered::say(title.as_str(), &candidate.checksums, printer);
        match wish.submission(candidate, &farm, printer).await {
            Ok(submission) => {
                if watch.submit(&farm, file, submission).await {
                    submitted.insert(title);
                }
            }
            Err(failure) => watch.refuse(&file, &title, failure),
        }
    }
    // What an earlier call left unfinished goes on beside it, as it was asked for then.
    for title in unfinished.into_iter().filter(|title| !submitted.contains(&title.submission.title)) {
        let id = &title.submission.title;
        // Nothing happens to it in this call, which is not about it.
        let policy = farm.policies.of(&wish.order, &title.submission.facts);
        if waits_for_a_person(&title, policy, &farm.tools) {
            let answer = answer(id.as_str(), None, verb.state.state.as_deref());
            printer.line(&format!("{id} of an earlier run waits for a person: {answer}"));
            continue;
        }
        printer.line(&format!("going on with {id}, which an earlier run left unfinished"));
        let submission = Submission { tools: farm.tools.clone(), ..title.submission };
        watch.submit(&farm, submission.source.path.clone(), submission).await;
    }
    let end = watch.until_all_have_ended(&mut farm, signals).await;
    if let End::Signal(_) = end {
        printer.line("stopping; a second signal ends at once. Run the same command again to go on.");
    }
    let mut end = end;
    tokio::select! {
        () = farm.stop() => {}
        exit = signals.next() => end = End::Signal(exit),
    }
    if let Some(server) = server {
        server.stop().await;
    }
    Ok((watch.into_outcomes(), end))
}
