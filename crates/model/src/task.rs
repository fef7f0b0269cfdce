//! Tasks: the small pieces of work that a title becomes, each named by what it makes.
//!
//! A specification says everything that shapes the outputs, and nothing else: no path, no attempt, no time. What a
//! worker also needs to find the source travels beside it in the [`TaskMessage`](crate::message::TaskMessage).

mod chunk;
mod material;
mod trial;

pub use chunk::{AssembleVideoSpec, Chunk, DecodingStart, VideoChunk};
pub use trial::{Trial, TrialPoint, TrialSpec};

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::content_key::{KeyDivision, KeySource, KeyUris, KeyUse};
use crate::cue::CuePoint;
use crate::index::Version;
use crate::key::{ArtifactKey, Digest, TaskKey, digest_of};
use crate::ladder::{ChannelLayout, Rung, VideoCodec};
use crate::profile::{DrmSystem, MediaFormat, MediaSetId, Profile, Scheme};
use crate::qc::{AudioSource, VideoConclusion};
use crate::recipe::ToolVersions;
use crate::source::SourceReference;
use crate::subtitles::SubtitleTrack;
use crate::title::TitleId;

/// Workers of one capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Pool {
    /// Decoding and encoding on processors.
    Cpu,
    /// The packager.
    Package,
    /// Everything that is short: fingerprints, manifests, verification, copies.
    Light,
}

impl Pool {
    /// Every pool.
    pub const ALL: [Pool; 3] = [Pool::Cpu, Pool::Package, Pool::Light];

    /// The name used on the command line, in metrics and in queues.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Package => "package",
            Self::Light => "light",
        }
    }
}

/// Everything that shapes a task's outputs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum TaskSpec {
    /// Digests of every byte of the source.
    Fingerprint(FingerprintSpec),
    /// One pass of measurements over the source.
    Qc(QcSpec),
    /// A short stretch of one rung encoded at several CRFs and compared with the source, for a ladder that is fitted to the
    /// title.
    Trial(TrialSpec),
    /// One decode of the source, or of a chunk of it, all rungs encoded from it.
    EncodeVideo(EncodeVideoSpec),
    /// One rung's rendition from its chunks, without encoding anything again.
    AssembleVideo(AssembleVideoSpec),
    /// One decode of the source's sound, all audio renditions encoded from it.
    EncodeAudio(EncodeAudioSpec),
    /// One track of subtitles, from the file that was delivered.
    Subtitles(SubtitlesSpec),
    /// A title's content keys for one scheme, wrapped, with what players are told of them.
    Keys(KeysSpec),
    /// One media set from renditions.
    Package(PackageSpec),
    /// One profile's manifests from its media set.
    Manifest(ManifestSpec),
    /// One profile read back.
    Verify(VerifySpec),
    /// One media set copied to the origin.
    Upload(UploadSpec),
    /// Manifests and the index written to the origin: the title goes online.
    Publish(PublishSpec),
    /// What a failed title left at the origin taken away.
    Withdraw(WithdrawSpec),
}

/// A task's kind, as metrics and people name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)] // each is documented at the variant of the same name in TaskSpec
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum TaskKind {
    Fingerprint,
    Qc,
    Trial,
    EncodeVideo,
    AssembleVideo,
    EncodeAudio,
    Subtitles,
    Keys,
    Package,
    Manifest,
    Verify,
    Upload,
    Publish,
    Withdraw,
}

impl TaskKind {
    /// Every kind, in the order in which a title needs them.
    pub const ALL: [TaskKind; 14] = [
        Self::Fingerprint,
        Self::Qc,
        Self::Trial,
        Self::EncodeVideo,
        Self::AssembleVideo,
        Self::EncodeAudio,
        Self::Subtitles,
        Self::Keys,
        Self::Package,
        Self::Manifest,
        Self::Verify,
        Self::Upload,
        Self::Publish,
        Self::Withdraw,
    ];

    /// The name, as it serialises.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fingerprint => "fingerprint",
            Self::Qc => "qc",
            Self::Trial => "trial",
            Self::EncodeVideo => "encode-video",
            Self::AssembleVideo => "assemble-video",
            Self::EncodeAudio => "encode-audio",
            Self::Subtitles => "subtitles",
            Self::Keys => "keys",
            Self::Package => "package",
            Self::Manifest => "manifest",
            Self::Verify => "verify",
            Self::Upload => "upload",
            Self::Publish => "publish",
            Self::Withdraw => "withdraw",
        }
    }
}

/// See [`TaskSpec::Fingerprint`]. Path, size and time stand for the bytes until they have been read, as in any build
/// system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FingerprintSpec {
    /// The source as it was found.
    pub source: SourceReference,
    /// Whether SHA-1 is wanted beside SHA-256 and MD5: a delivery states it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sha1: bool,
}

impl FingerprintSpec {
    /// SHA-256 and MD5 of this source.
    pub const fn new(source: SourceReference) -> Self {
        Self { source, sha1: false }
    }
}

/// See [`TaskSpec::Qc`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QcSpec {
    /// The source.
    pub source: Digest,
}

/// See [`TaskSpec::EncodeVideo`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EncodeVideoSpec {
    /// The source.
    pub source: Digest,
    /// The track, its rate, frame count and treatment.
    pub video: VideoConclusion,
    /// The rungs to make, from large to small. Each is an output of its own, so a changed rung leaves the others be.
    pub rungs: Vec<RungSpec>,
    /// The stretch to encode; all of the film where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunk: Option<Chunk>,
    /// The numbers of frames within it, counted from the film's first, at which a group of pictures begins besides those of the
    /// grid; in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cue_frames: Vec<u64>,
}

impl EncodeVideoSpec {
    /// Frames of each output.
    pub fn frame_count(&self) -> u64 {
        self.chunk.map_or(self.video.frame_count, |chunk| chunk.frame_count)
    }
}

/// One rung with the picture's size in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RungSpec {
    /// Width of the rendition in pixels, even.
    pub width: u32,
    /// Height of the rendition in pixels, even.
    pub height: u32,
    /// Frames from one IDR to the next.
    pub gop_frames: u32,
    /// The encoder's settings.
    pub rung: Rung,
}

/// See [`TaskSpec::EncodeAudio`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EncodeAudioSpec {
    /// The source.
    pub source: Digest,
    /// The video track, whose first frame's time is the sound's zero.
    pub video_stream: u32,
    /// Frames per second.
    pub frame_rate: u32,
    /// Frames in all: the sound is cut, or filled with silence, to end with them.
    pub frame_count: u64,
    /// The renditions to make.
    pub renditions: Vec<AudioRenditionSpec>,
}

/// One audio rendition. Its bytes carry neither id nor language: those are the packager's to write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioRenditionSpec {
    /// Such as `audio-en-stereo`: unique in the title, used in file names.
    pub id: String,
    /// Language tag (BCP 47).
    pub language: String,
    /// The channels to make.
    pub layout: ChannelLayout,
    /// AAC-LC bitrate in kb/s.
    pub bitrate_kbps: u32,
    /// Where the channels come from; a surround source is mixed down for a stereo rendition.
    pub from: AudioSource,
}

/// See [`TaskSpec::Subtitles`]. Language and purpose shape no byte: they are the manifests' to tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubtitlesSpec {
    /// The delivered file.
    pub source: Digest,
    /// How long the film is, in milliseconds.
    pub duration_ms: u64,
}

/// See [`TaskSpec::Keys`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeysSpec {
    /// The title.
    pub title: TitleId,
    /// The scheme that the keys are used with.
    pub scheme: Scheme,
    /// How many keys the title has.
    pub division: KeyDivision,
    /// Who gives them.
    pub source: KeySource,
    /// The systems that are told of them: all that the profile list pairs with the scheme, whichever profiles the title
    /// has, so that a profile added later changes no key.
    pub systems: BTreeSet<DrmSystem>,
    /// Where HLS players ask for keys.
    pub uris: KeyUris,
}

/// How a media set is encrypted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encryption {
    /// The scheme.
    pub scheme: Scheme,
    /// The title's keys.
    pub keys: ArtifactKey,
}

/// See [`TaskSpec::Package`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageSpec {
    /// The media set to make.
    pub media_set: MediaSetId,
    /// How its files are laid out.
    pub format: MediaFormat,
    /// Seconds a segment; `None` for a progressive file.
    pub segment_seconds: Option<u32>,
    /// Video renditions, from large to small.
    pub video: Vec<VideoRendition>,
    /// Audio renditions; the first is the default.
    pub audio: Vec<AudioRendition>,
    /// How it is encrypted; `None` for a clear one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,
    /// The media set that this one is made of, where it is not made of the renditions themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<ArtifactKey>,
}

/// A video rendition as packaging needs to know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VideoRendition {
    /// The rung's name.
    pub name: String,
    /// What decodes it.
    #[serde(default, skip_serializing_if = "VideoCodec::is_h264")]
    pub codec: VideoCodec,
    /// The rendition: an MP4 file.
    pub artifact: ArtifactKey,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Frames per second.
    pub frame_rate: u32,
    /// Frames in all.
    pub frame_count: u64,
}

/// An audio rendition as packaging needs to know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioRendition {
    /// Such as `audio-en-stereo`.
    pub id: String,
    /// The rendition: an MP4 file.
    pub artifact: ArtifactKey,
    /// Language tag (BCP 47).
    pub language: String,
    /// The channels.
    pub layout: ChannelLayout,
}

/// See [`TaskSpec::Manifest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestSpec {
    /// The profile.
    pub profile: Profile,
    /// The media set, packaged.
    pub media: ArtifactKey,
    /// Where the media set will lie, from the title's folder at the origin, such as `media/cmaf-clear-2s/0f3a…`.
    pub media_path: String,
    /// The title's keys, for what the manifests say of them; `None` for a clear profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<ArtifactKey>,
    /// Which key each track takes, by the track's name; empty for a clear profile.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub key_uses: BTreeMap<String, KeyUse>,
    /// The title's subtitles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subtitles: Vec<SubtitleTrack>,
}

/// See [`TaskSpec::Verify`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifySpec {
    /// The profile.
    pub profile: Profile,
    /// The profile's manifests; absent for a progressive file, which has none.
    pub manifests: Option<ArtifactKey>,
    /// Where the manifests say that the media set lies, from the title's folder.
    pub media_path: String,
    /// The media set, packaged.
    pub media: ArtifactKey,
    /// How the media set was made: its renditions are what the profile must read back as.
    pub package: PackageSpec,
    /// The subtitles that its manifests name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subtitles: Vec<SubtitleTrack>,
}

/// See [`TaskSpec::Upload`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadSpec {
    /// The origin's URL or absolute path.
    pub origin: String,
    /// The title.
    pub title: TitleId,
    /// Where the media set goes, from the title's folder.
    pub media_path: String,
    /// The media set, packaged.
    pub media: ArtifactKey,
}

/// See [`TaskSpec::Publish`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishSpec {
    /// The origin's URL or absolute path.
    pub origin: String,
    /// The title.
    pub title: TitleId,
    /// The source.
    pub source: Digest,
    /// Every profile of the title, or those that go first.
    pub profiles: Vec<PublishProfile>,
    /// Whether these go first, and the title's others follow.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more_follow: bool,
    /// Receipts of what went first and is no part of the whole: it stays for those who are watching it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<ArtifactKey>,
    /// The title's subtitles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subtitles: Vec<PublishSubtitles>,
    /// The ids of the tracks that were delivered and not made, because no profile of the title carries any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subtitles_left_out: Vec<String>,
    /// Where the title can be left and entered again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cue_points: Vec<CuePoint>,
}

impl PublishSpec {
    /// The version that this publishes.
    pub fn version(&self) -> Version {
        let profiles = self.profiles.iter();
        profiles.map(|published| (published.profile.id.clone(), published.verification.0)).collect()
    }
}

/// One profile as it is published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishProfile {
    /// The profile.
    pub profile: Profile,
    /// Its manifests; absent for a progressive file.
    pub manifests: Option<ArtifactKey>,
    /// Its verification report.
    pub verification: ArtifactKey,
    /// Where its media set lies, from the title's folder.
    pub media_path: String,
    /// The receipt of its media set's upload.
    pub receipt: ArtifactKey,
}

/// One track of subtitles as it is published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishSubtitles {
    /// The track.
    pub track: SubtitleTrack,
    /// The receipt of its upload.
    pub receipt: ArtifactKey,
}

/// See [`TaskSpec::Withdraw`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WithdrawSpec {
    /// The origin's URL or absolute path.
    pub origin: String,
    /// The title.
    pub title: TitleId,
    /// The title's generation whose failure this cleans up.
    pub generation: u64,
    /// The profiles that it was to have, by id: their folders are the farm's.
    pub profiles: Vec<String>,
}

/// One output of a task: an artifact known by its key before it is made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct TaskOutput {
    /// The name within the task: the rung's name, the audio rendition's id, or the kind of what is made.
    pub name: String,
    /// The artifact.
    pub key: ArtifactKey,
}

/// A specification with the keys that follow from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Task {
    /// Hash of the outputs' keys.
    pub key: TaskKey,
    /// What to do.
    pub spec: TaskSpec,
    /// The tools that shape the outputs; a worker with others must not run it.
    pub tools: ToolVersions,
    /// What it makes.
    pub outputs: Vec<TaskOutput>,
}

impl Task {
    /// The task of this specification, made with these tools (those that shape its outputs are picked from `tools`).
    pub fn new(spec: TaskSpec, tools: &ToolVersions) -> Self {
        let tools = tools.only(&spec.tool_names());
        let outputs = spec.outputs(&tools);
        let keys: BTreeSet<_> = outputs.iter().map(|output| output.key).collect();
        let key = TaskKey(digest_of("task", &(spec.kind(), keys)));
        Self { key, spec, tools, outputs }
    }

    /// The key of the output with this name.
    pub fn output(&self, name: &str) -> Option<ArtifactKey> {
        self.outputs.iter().find(|output| output.name == name).map(|output| output.key)
    }

    /// The key of the only output of a task that has one.
    pub fn only_output(&self) -> Option<ArtifactKey> {
        match self.outputs.as_slice() {
            [output] => Some(output.key),
            _ => None,
        }
    }
}

impl TaskSpec {
    /// The kind.
    pub const fn kind(&self) -> TaskKind {
        match self {
            Self::Fingerprint(_) => TaskKind::Fingerprint,
            Self::Qc(_) => TaskKind::Qc,
            Self::Trial(_) => TaskKind::Trial,
            Self::EncodeVideo(_) => TaskKind::EncodeVideo,
            Self::AssembleVideo(_) => TaskKind::AssembleVideo,
            Self::EncodeAudio(_) => TaskKind::EncodeAudio,
            Self::Subtitles(_) => TaskKind::Subtitles,
            Self::Keys(_) => TaskKind::Keys,
            Self::Package(_) => TaskKind::Package,
            Self::Manifest(_) => TaskKind::Manifest,
            Self::Verify(_) => TaskKind::Verify,
            Self::Upload(_) => TaskKind::Upload,
            Self::Publish(_) => TaskKind::Publish,
            Self::Withdraw(_) => TaskKind::Withdraw,
        }
    }

    /// The pool whose workers run it.
    pub const fn pool(&self) -> Pool {
        match self {
            Self::Qc(_) | Self::Trial(_) | Self::EncodeVideo(_) | Self::EncodeAudio(_) => Pool::Cpu,
            Self::AssembleVideo(_) | Self::Package(_) => Pool::Package,
            Self::Fingerprint(_)
            | Self::Subtitles(_)
            | Self::Keys(_)
            | Self::Manifest(_)
            | Self::Verify(_)
            | Self::Upload(_)
            | Self::Publish(_)
            | Self::Withdraw(_) => Pool::Light,
        }
    }

    /// What a person reads in a progress line: the kind, and what tells tasks of a kind apart.
    pub fn label(&self) -> String {
        let kind = self.kind().as_str();
        match self {
            Self::Fingerprint(spec) => format!("{kind} {}", spec.source.file_name()),
            Self::Trial(TrialSpec { rung, stretch, video, .. }) => {
                format!("{kind} {}, {}", rung.rung.name, stretch.label(video))
            }
            Self::EncodeVideo(EncodeVideoSpec { chunk: Some(chunk), video, .. }) => {
                format!("{kind} {}", chunk.label(video))
            }
            Self::AssembleVideo(spec) => format!("{kind} {}", spec.rung.rung.name),
            Self::Subtitles(spec) => format!("{kind} {}", spec.source.short()),
            Self::Keys(spec) => format!("{kind} {}", spec.scheme.as_str()),
            Self::Package(spec) => format!("{kind} {}", spec.media_set),
            Self::Manifest(spec) => format!("{kind} {}", spec.profile.id),
            Self::Verify(spec) => format!("{kind} {}", spec.profile.id),
            Self::Upload(spec) => format!("{kind} {}", spec.media_path),
            Self::Publish(spec) if spec.more_follow => format!("{kind} what goes first"),
            _ => kind.to_owned(),
        }
    }

    /// The label where it is known which delivered file is read: people know files of subtitles by their names.
    pub fn label_with(&self, source: Option<&SourceReference>) -> String {
        match (self, source) {
            (Self::Subtitles(_), Some(source)) => {
                format!("{} {}", self.kind().as_str(), source.file_name())
            }
            _ => self.label(),
        }
    }

    /// The artifacts it reads.
    pub fn inputs(&self) -> BTreeSet<ArtifactKey> {
        let renditions = |package: &PackageSpec| -> Vec<ArtifactKey> {
            package.video.iter().map(|v| v.artifact).chain(package.audio.iter().map(|a| a.artifact)).collect()
        };
        match self {
            Self::Fingerprint(_)
            | Self::Qc(_)
            | Self::Trial(_)
            | Self::EncodeVideo(_)
            | Self::EncodeAudio(_)
            | Self::Subtitles(_)
            | Self::Keys(_)
            | Self::Withdraw(_) => BTreeSet::new(),
            Self::AssembleVideo(spec) => spec.chunks.iter().map(|chunk| chunk.artifact).collect(),
            Self::Package(spec) => {
                let keys = spec.encryption.as_ref().map(|encryption| encryption.keys);
                match spec.base {
                    Some(base) => keys.into_iter().chain([base]).collect(),
                    None => renditions(spec).into_iter().chain(keys).collect(),
                }
            }
            Self::Manifest(spec) => {
                let subtitles = spec.subtitles.iter().map(|track| track.artifact);
                spec.keys.into_iter().chain([spec.media]).chain(subtitles).collect()
            }
            Self::Verify(spec) => {
                let keys = spec.package.encryption.as_ref().map(|encryption| encryption.keys);
                let subtitles = spec.subtitles.iter().map(|track| track.artifact);
                let made = spec.manifests.into_iter().chain(keys).chain([spec.media]).chain(subtitles);
                renditions(&spec.package).into_iter().chain(made).collect()
            }
            Self::Upload(spec) => [spec.media].into(),
            Self::Publish(spec) => spec
                .profiles
                .iter()
                .flat_map(|p| p.manifests.into_iter().chain([p.verification, p.receipt]))
                .chain(spec.subtitles.iter().map(|subtitles| subtitles.receipt))
                .chain(spec.kept.iter().copied())
                .collect(),
        }
    }

    /// Whether it reads the bytes of a delivered file.
    pub const fn reads_source(&self) -> bool {
        matches!(
            self,
            Self::Fingerprint(_)
                | Self::Qc(_)
                | Self::Trial(_)
                | Self::EncodeVideo(_)
                | Self::EncodeAudio(_)
                | Self::Subtitles(_)
        )
    }

    /// Whether it is the publication of a part of a title that goes before the rest.
    pub const fn puts_first_online(&self) -> bool {
        matches!(self, Self::Publish(spec) if spec.more_follow)
    }

    /// Whether its effect is at the origin, so that it is run even where its output is there already.
    pub const fn acts_on_origin(&self) -> bool {
        self.title_at_origin().is_some()
    }

    /// The title whose folder at the origin it changes.
    pub const fn title_at_origin(&self) -> Option<&TitleId> {
        match self {
            Self::Upload(spec) => Some(&spec.title),
            Self::Publish(spec) => Some(&spec.title),
            Self::Withdraw(spec) => Some(&spec.title),
            _ => None,
        }
    }

    /// Whether the scheduler itself reads what it makes, which then also travels in the report of its end.
    pub const fn has_result(&self) -> bool {
        matches!(self, Self::Fingerprint(_) | Self::Qc(_) | Self::Trial(_) | Self::Publish(_))
    }

    /// The same work for those outputs alone that `wanted` names, where outputs can be made one without the other.
    #[must_use]
    pub fn narrowed(&self, wanted: impl Fn(&str) -> bool) -> Self {
        match self {
            Self::EncodeVideo(spec) => {
                let mut spec = spec.clone();
                spec.rungs.retain(|rung| wanted(&rung.rung.name));
                Self::EncodeVideo(spec)
            }
            Self::EncodeAudio(spec) => {
                let mut spec = spec.clone();
                spec.renditions.retain(|rendition| wanted(&rendition.id));
                Self::EncodeAudio(spec)
            }
            other => other.clone(),
        }
    }
}
