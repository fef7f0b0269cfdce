//! From what a client asks for to a submission: the farm's ladders, profiles and rights, and the title's keys.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use reelfarm_api::{ChecksumRequest, LadderRequest, SubmitRequest};
use reelfarm_model::cue;
use reelfarm_model::profile::DrmSystem;
use reelfarm_model::recipe::ToolVersions;
use reelfarm_model::title::{LadderText, Submission, SubtitleFile};
use reelfarm_model::{
    Code, Facts, Failure, Ladder, Profile, Protection, QcReport, Rights, SourceReference, Standing,
    StatedChecksum, TitleId,
};
use reelfarm_packaging::profiles::ProfileList;
use reelfarm_priority::Rules;
use reelfarm_qc::external;

use crate::facts::{LONGEST_LINE, is_line, possible};
use crate::judgement::external_report_invalid;
use crate::rights::{Allowed, CallRights};

/// The most checksums that are stated of a source.
const MOST_CHECKSUMS: usize = 16;

/// Says how titles get their keys.
pub trait Protect: Send + Sync + 'static {
    /// How a title with encrypted profiles gets its keys; `before` is how it got them so far, and with `new_keys` others
    /// may follow.
    ///
    /// # Errors
    /// There is none for it, or it would not be those of before.
    fn protection(
        &self,
        title: &TitleId,
        before: Option<&Protection>,
        new_keys: bool,
    ) -> Result<Protection, Failure>;

    /// Whether players of these profiles could get the title's keys. `list` are all profiles of the farm.
    ///
    /// # Errors
    /// They could not.
    fn are_in_reach(
        &self,
        title: &TitleId,
        protection: &Protection,
        profiles: &[Profile],
        list: &[Profile],
    ) -> Result<(), Failure>;
}

/// What a farm makes of titles that nobody says more about.
#[derive(Clone)]
pub struct Intake {
    /// The ladders by name.
    pub ladders: BTreeMap<String, LadderText>,
    /// The name of that which is used where none is asked for.
    pub ladder: String,
    /// When titles are due, and whose the slots are.
    pub order: Rules,
    /// Every profile that the farm makes.
    pub profile_list: ProfileList,
    /// Patterns of those that are made where none is asked for.
    pub profiles: Vec<String>,
    /// What the rights to all titles allow; a client can only narrow it.
    pub rights: Rights,
    /// The language of audio tracks that state none, where no other is given.
    pub audio_language: Option<String>,
    /// Where finished titles go. It is the farm's to say: a client must not make it write elsewhere.
    pub origin: String,
    /// The workers' tools.
    pub tools: ToolVersions,
    /// Where keys come from.
    pub keys: Arc<dyn Protect>,
}

impl Intake {
    /// The submission that a request stands for. `standing` is what stands for the title of this name, and `requester` who
    /// asks where the request does not say so itself.
    ///
    /// # Errors
    /// The request names what there is not, or the rights leave no profile; as of [`Protect::protection`].
    pub fn submission(
        &self,
        request: &SubmitRequest,
        source: SourceReference,
        subtitles: Vec<SourceReference>,
        standing: &Standing,
        requester: Option<&str>,
    ) -> Result<Submission, Failure> {
        let ladder = self.ladder(request.ladder.as_ref())?;
        let qc_report = qc_report(request.qc_report.as_deref(), &ladder)?;
        let patterns = request.profiles.as_ref().unwrap_or(&self.profiles);
        let selected = self.profile_list.select(patterns).map_err(|error| unknown(error.to_string()))?;
        let (count, rights) = (selected.len(), self.rights(request)?);
        let profiles: Vec<_> = selected.into_iter().filter(|profile| rights.allow(profile)).collect();
        if profiles.is_empty() {
            return Err(leave_nothing(count));
        }
        let call = CallRights { rights, are_new: request.new_rights };
        let Allowed { rights, profiles, left_out } =
            call.of_title(&request.title, &profiles, &standing.rights())?;
        if !left_out.is_empty() {
            tracing::info!(title = %request.title, ?left_out, "the title's rights rules leave out profiles");
        }
        let is_encrypted = profiles.iter().any(|profile| profile.scheme.is_some());
        let protection = is_encrypted
            .then(|| self.keys.protection(&request.title, standing.protection(), request.new_keys))
            .transpose()?;
        if let Some(protection) = &protection {
            self.keys.are_in_reach(&request.title, protection, &profiles, self.profile_list.all())?;
        }
        let profiles: Vec<String> = profiles.into_iter().map(|profile| profile.id).collect();
        let requester = request.facts.requester.as_deref().or(requester);
        let facts = Facts { requester: requester.map(str::to_owned), ..request.facts.clone() };
        let facts = possible(facts, &self.order, &self.profile_list, &profiles)?;
        Ok(Submission {
            title: request.title.clone(),
            source,
            ladder,
            profiles,
            facts,
            audio_language: self.audio_language(request.audio_language.as_deref())?,
            subtitles: subtitle_files(request, subtitles)?,
            checksums: checksums(&request.checksums)?,
            qc_report,
            protection,
            rights,
            cue_points: cue::in_order(request.cue_points.iter().copied())
                .map_err(|error| Failure::new(Code::RequestInvalid, error.to_string()))?,
            origin: self.origin.clone(),
            tools: self.tools.clone(),
        })
    }

    /// The profiles of these patterns that a title's rights allow, by their ids.
    ///
    /// # Errors
    /// There are none of a pattern, or the rights leave none.
    pub(super) fn allowed(&self, patterns: &[String], rights: &Rights) -> Result<Vec<String>, Failure> {
        let selected = self.profile_list.select(patterns).map_err(|error| unknown(error.to_string()))?;
        let count = selected.len();
        let allowed: Vec<_> = selected.into_iter().filter(|profile| rights.allow(profile)).collect();
        if allowed.is_empty() {
            return Err(leave_nothing(count));
        }
        Ok(allowed.into_iter().map(|profile| profile.id).collect())
    }

    pub(super) fn ladder(&self, request: Option<&LadderRequest>) -> Result<LadderText, Failure> {
        let name = match request {
            Some(LadderRequest::Text(text)) => {
                let ladder = LadderText { file: "ladder".to_owned(), text: text.clone() };
                Ladder::parse(&ladder.file, &ladder.text)
                    .map_err(|error| Failure::new(Code::LadderInvalid, error.to_string()))?;
                return Ok(ladder);
            }
            Some(LadderRequest::Name(name)) => name,
            None => &self.ladder,
        };
        self.ladders.get(name).cloned().ok_or_else(|| {
            let names: Vec<_> = self.ladders.keys().map(String::as_str).collect();
            unknown(format!("no ladder is called {name:?}; there are {}", names.join(", ")))
        })
    }

    fn audio_language(&self, asked: Option<&str>) -> Result<Option<String>, Failure> {
        match asked.or(self.audio_language.as_deref()) {
            None => Ok(None),
            Some(language) => reelfarm_qc::language::parse(language)
                .map_err(|error| unknown(format!("audio_language: {error}"))),
        }
    }

    fn rights(&self, request: &SubmitRequest) -> Result<Rights, Failure> {
        let system = |name: &String| {
            DrmSystem::ALL.into_iter().find(|system| system.as_str() == name).ok_or_else(|| {
                let names = DrmSystem::ALL.map(DrmSystem::as_str).join(", ");
                unknown(format!("no DRM system is called {name:?}; there are {names}"))
            })
        };
        let asked = request.drm.as_ref();
        let asked: Option<BTreeSet<DrmSystem>> =
            asked.map(|names| names.iter().map(system).collect::<Result<_, _>>()).transpose()?;
        let systems = match (asked, &self.rights.systems) {
            (Some(asked), Some(allowed)) => Some(asked.intersection(allowed).copied().collect()),
            (asked, allowed) => asked.or_else(|| allowed.clone()),
        };
        Ok(Rights { systems, no_clear: request.no_clear || self.rights.no_clear })
    }
}

/// The checksums that are stated of a source.
fn checksums(requests: &[ChecksumRequest]) -> Result<Vec<StatedChecksum>, Failure> {
    let invalid = |message: String| Err(Failure::new(Code::RequestInvalid, message));
    if requests.len() > MOST_CHECKSUMS {
        return invalid(format!("a source has at most {MOST_CHECKSUMS} checksums, not {}", requests.len()));
    }
    if requests.iter().filter_map(|request| request.stated_in.as_deref()).any(|place| !is_line(place)) {
        return invalid(format!(
            "where a checksum is stated is said in 1 to {LONGEST_LINE} characters on one line"
        ));
    }
    let stated = requests.iter().map(|request| StatedChecksum {
        checksum: request.checksum.clone(),
        stated_in: request.stated_in.clone().unwrap_or_else(|| "the submission".to_owned()),
    });
    Ok(stated.collect())
}

/// A report that was made elsewhere, if it can be taken for a title with this ladder.
fn qc_report(report: Option<&QcReport>, ladder: &LadderText) -> Result<Option<Box<QcReport>>, Failure> {
    let Some(report) = report else { return Ok(None) };
    let ladder = Ladder::parse(&ladder.file, &ladder.text)
        .map_err(|error| Failure::new(Code::LadderInvalid, error.to_string()))?;
    let report =
        external::accept(report.clone(), &ladder).map_err(|error| external_report_invalid(&error))?;
    Ok(Some(Box::new(report)))
}

/// The files of subtitles, each for a track of its own.
fn subtitle_files(
    request: &SubmitRequest,
    files: Vec<SourceReference>,
) -> Result<Vec<SubtitleFile>, Failure> {
    let mut subtitles: Vec<SubtitleFile> = Vec::with_capacity(files.len());
    for (wanted, file) in request.subtitles.iter().zip(files) {
        let language = reelfarm_qc::language::parse(&wanted.language)
            .map_err(|error| error.to_string())
            .and_then(|language| language.ok_or_else(|| format!("{:?} states no language", wanted.language)))
            .map_err(|reason| Failure::new(Code::SubtitlesName, format!("subtitles: {reason}")))?;
        let purpose = wanted.purpose;
        if subtitles.iter().any(|known| known.language == language && known.purpose == purpose) {
            let message = format!("two files are the subtitles in {language} ({})", purpose.as_str());
            return Err(Failure::new(Code::SubtitlesName, message));
        }
        subtitles.push(SubtitleFile { file, language, purpose });
    }
    Ok(subtitles)
}

fn leave_nothing(count: usize) -> Failure {
    Failure::new(
        Code::RightsLeaveNothing,
        format!("none of the {count} profiles asked for is one that the rights rules allow"),
    )
}

fn unknown(message: String) -> Failure {
    Failure::new(Code::UnknownName, message)
}
