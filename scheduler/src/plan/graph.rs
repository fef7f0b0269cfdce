//! The full graph of a title, as if nothing had been made before.

use std::collections::BTreeSet;

use reelfarm_model::qc::Conclusion;
use reelfarm_model::recipe::ToolVersions;
use reelfarm_model::task::{FingerprintSpec, QcSpec, WithdrawSpec};
use reelfarm_model::title::{Submission, SubtitleFile};
use reelfarm_model::{
    ArtifactKey, CuePoint, Digest, Ladder, Profile, Protection, SourceReference, Task, TaskKey, TaskSpec,
    Title, TitleId,
};

use super::builder::Builder;

/// What a plan is made from.
#[derive(Clone, Copy, Debug)]
pub struct PlanInput<'a> {
    /// The title.
    pub title: &'a TitleId,
    /// The origin's URL or absolute path.
    pub origin: &'a str,
    /// The source's digest.
    pub source: Digest,
    /// What QC concluded.
    pub conclusion: &'a Conclusion,
    /// Where the film can be left and entered again.
    pub cue_points: &'a [CuePoint],
    /// The ladder.
    pub ladder: &'a Ladder,
    /// The profiles to make.
    pub profiles: &'a [Profile],
    /// What of it goes online before the rest.
    pub first: Option<First<'a>>,
    /// The whole profile list, whose systems are told of every key.
    pub list: &'a [Profile],
    /// The files of subtitles, with their digests.
    pub subtitles: &'a [(SubtitleFile, Digest)],
    /// How encrypted profiles get their keys.
    pub protection: Option<&'a Protection>,
    /// The tools of the workers.
    pub tools: &'a ToolVersions,
}

/// What of a title goes online before the rest.
#[derive(Clone, Copy, Debug)]
pub struct First<'a> {
    /// The profiles, by id.
    pub profiles: &'a [String],
    /// The largest picture, by its height in lines.
    pub up_to: Option<u32>,
}

/// A title cannot be planned.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// No profile was asked for.
    #[error("title {title}: there is no profile to make")]
    NoProfiles {
        /// The title.
        title: TitleId,
    },
    /// QC names a rung that the ladder does not have.
    #[error("title {title}: the QC report names the rung {rung:?}, which the ladder {ladder} does not have")]
    UnknownRung {
        /// The title.
        title: TitleId,
        /// The rung.
        rung: String,
        /// The ladder.
        ladder: String,
    },
    /// No rung fits the picture.
    #[error("title {title}: no rung of the ladder {ladder} fits a picture of {width}x{height}")]
    NoRung {
        /// The title.
        title: TitleId,
        /// The ladder.
        ladder: String,
        /// Width of the picture.
        width: u32,
        /// Height of the picture.
        height: u32,
    },
    /// A cue point is no place in the film.
    #[error(
        "title {title}: the cue point {cue} lies beyond the film's end at {seconds:.3} s; times count from the film's first frame, \
         whatever its time code: submit the title again with cue points within it"
    )]
    CueBeyondEnd {
        /// The title.
        title: TitleId,
        /// The cue point.
        cue: CuePoint,
        /// How long the film is.
        seconds: f64,
    },
    /// The farm cannot encode a rung.
    #[error(
        "title {title}: the rung {rung} of the ladder {ladder} is of HEVC, and the farm's FFmpeg has no libx265: install one that \
         has it on all hosts, or submit the title with a ladder of H.264"
    )]
    NoEncoder {
        /// The title.
        title: TitleId,
        /// The rung.
        rung: String,
        /// The ladder.
        ladder: String,
    },
    /// None of the rungs is of a codec that a media set carries.
    #[error("title {title}: no rung of the film is of H.264, which the media set {media_set} needs")]
    NoRungCarried {
        /// The title.
        title: TitleId,
        /// The media set.
        media_set: String,
    },
    /// Two profiles disagree on how a media set is laid out.
    #[error("profile {profile}: the media set {media_set} is already planned with another layout or length")]
    MediaSetConflict {
        /// The profile.
        profile: String,
        /// The media set.
        media_set: String,
    },
    /// A profile is encrypted, and nothing says where its keys come from.
    #[error("title {title}: its profiles are encrypted with {scheme}, and nothing says where keys come from")]
    NoKeys {
        /// The title.
        title: TitleId,
        /// The scheme.
        scheme: &'static str,
    },
    /// A task has no output of the name that another builds on.
    #[error("task {task} makes no {output:?}")]
    MissingOutput {
        /// The task.
        task: String,
        /// The output.
        output: String,
    },
}

/// A task and the tasks that must be done before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The task.
    pub task: Task,
    /// What must be done first: the makers of its inputs; for an upload every verification of what is published with it, so
    /// that nothing reaches the origin before all of that was read back; for the whole, what went first.
    pub needs: BTreeSet<TaskKey>,
}

/// A title's tasks, each after all that it needs. The last is the title's publication.
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    /// The tasks.
    pub nodes: Vec<Node>,
}

/// The task that learns a source's digests, SHA-1 only where that is wanted.
pub fn fingerprint_task(source: &SourceReference, sha1: bool, tools: &ToolVersions) -> Task {
    Task::new(TaskSpec::Fingerprint(FingerprintSpec { source: source.clone(), sha1 }), tools)
}

/// The task that measures a source.
pub fn measure_task(source: Digest, tools: &ToolVersions) -> Task {
    Task::new(TaskSpec::Qc(QcSpec { source }), tools)
}

/// The task that takes away what a failed generation left at the origin.
pub fn withdraw_task(title: &Title, list: &[Profile], tools: &ToolVersions) -> Task {
    let Submission { origin, title: id, mut profiles, .. } = title.submission.clone();
    // An earlier submission may have left manifests of others.
    let others = list.iter().map(|profile| &profile.id).filter(|id| !profiles.contains(id)).cloned();
    let others: Vec<_> = others.collect();
    profiles.extend(others);
    let spec = WithdrawSpec { origin, title: id, generation: title.generation, profiles };
    Task::new(TaskSpec::Withdraw(spec), tools)
}

impl Graph {
    /// The full graph of a title.
    ///
    /// # Errors
    /// The input contradicts itself; see [`PlanError`].
    pub fn build(input: &PlanInput<'_>) -> Result<Self, PlanError> {
        if input.profiles.is_empty() {
            return Err(PlanError::NoProfiles { title: input.title.clone() });
        }
        // What a profile is for shapes no byte, so a better wording must change no key.
        let profiles: Vec<_> = input
            .profiles
            .iter()
            .map(|profile| Profile { purpose: String::new(), ..profile.clone() })
            .collect();
        let mut builder = Builder::new(PlanInput { profiles: &profiles, ..*input });
        let video = builder.encode_video()?;
        let audio = builder.encode_audio()?;
        let subtitles = builder.subtitles()?;
        builder.publications(&video, &audio, &subtitles)?;
        Ok(Self { nodes: builder.nodes })
    }

    /// The title's publication: the goal that all other tasks serve.
    pub fn goal(&self) -> Option<&Node> {
        self.nodes.last()
    }

    /// The publication of what goes first, where something does.
    pub fn first_publication(&self) -> Option<&Node> {
        self.nodes.iter().find(|node| node.task.spec.puts_first_online())
    }

    /// Every artifact that the graph would make.
    pub fn artifacts(&self) -> impl Iterator<Item = ArtifactKey> + '_ {
        self.nodes.iter().flat_map(|node| node.task.outputs.iter().map(|output| output.key))
    }
}
