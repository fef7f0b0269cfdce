//! The full graph of a title, as if nothing had been made before.

use std::collections::{BTreeMap, BTreeSet};

use reelfarm_model::ladder::{self, AudioRung, ChannelLayout, GOP_SECONDS};
use reelfarm_model::profile::{MediaFormat, MediaSetId, Scheme};
use reelfarm_model::qc::{AudioProgramme, AudioSource, Conclusion};
use reelfarm_model::recipe::ToolVersions;
use reelfarm_model::subtitles::SubtitleTrack;
use reelfarm_model::task::{
    AudioRendition, AudioRenditionSpec, EncodeAudioSpec, EncodeVideoSpec, Encryption, FingerprintSpec,
    KeysSpec, ManifestSpec, PackageSpec, PublishProfile, PublishSpec, PublishSubtitles, QcSpec, RungSpec,
    SubtitlesSpec, UploadSpec, VerifySpec, VideoRendition, WithdrawSpec,
};
use reelfarm_model::title::{Submission, SubtitleFile};
use reelfarm_model::{
    ArtifactKey, Digest, KeyDivision, Ladder, Profile, Protection, SourceReference, Task, TaskKey, TaskSpec,
    Title, TitleId,
};
use reelfarm_packaging::manifest::carries_subtitles;
use reelfarm_packaging::protection::key_uses;

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
    /// The ladder.
    pub ladder: &'a Ladder,
    /// The profiles to make.
    pub profiles: &'a [Profile],
    /// The whole profile list, whose systems are told of every key.
    pub list: &'a [Profile],
    /// The files of subtitles, with their digests.
    pub subtitles: &'a [(SubtitleFile, Digest)],
    /// How encrypted profiles get their keys.
    pub protection: Option<&'a Protection>,
    /// The tools of the workers.
    pub tools: &'a ToolVersions,
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
    /// What must be done first: the makers of its inputs, and for an upload every verification of the title, so
    /// that nothing reaches the origin before all of it was read back.
    pub needs: BTreeSet<TaskKey>,
}

/// A title's tasks, each after all that it needs. The last is the title's publication.
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    /// The tasks.
    pub nodes: Vec<Node>,
}

/// The task that learns a source's digest.
pub fn fingerprint_task(source: &SourceReference, tools: &ToolVersions) -> Task {
    Task::new(TaskSpec::Fingerprint(FingerprintSpec { source: source.clone() }), tools)
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
        let input = &PlanInput { profiles: &profiles, ..*input };
        let mut builder = Builder { input, nodes: Vec::new(), makers: BTreeMap::new() };
        let video = builder.encode_video()?;
        let audio = builder.encode_audio()?;
        let subtitles = builder.subtitles()?;
        let media_sets = builder.package(&video, &audio)?;
        let (profiles, subtitles) = builder.profiles(&media_sets, subtitles)?;
        let publication = PublishSpec {
            origin: input.origin.to_owned(),
            title: input.title.clone(),
            source: input.source,
            profiles,
            subtitles,
            subtitles_left_out: builder.subtitles_left_out(),
        };
        builder.add(TaskSpec::Publish(publication), BTreeSet::new());
        Ok(Self { nodes: builder.nodes })
    }

    /// The title's publication: the goal that all other tasks serve.
    pub fn goal(&self) -> Option<&Node> {
        self.nodes.last()
    }

    /// Every artifact that the graph would make.
    pub fn artifacts(&self) -> impl Iterator<Item = ArtifactKey> + '_ {
        self.nodes.iter().flat_map(|node| node.task.outputs.iter().map(|output| output.key))
    }
}

struct Builder<'a> {
    input: &'a PlanInput<'a>,
    nodes: Vec<Node>,
    makers: BTreeMap<ArtifactKey, TaskKey>,
}

/// A media set that is to be made.
struct Wanted {
    name: MediaSetId,
    format: MediaFormat,
    scheme: Option<Scheme>,
    seconds: Option<u32>,
    /// Whether one key must do for all tracks, whatever the title's division.
    one_key: bool,
}

/// The formats of which a player takes one key for the whole presentation.
const fn takes_one_key(format: MediaFormat) -> bool {
    match format {
        MediaFormat::Cmaf | MediaFormat::SingleFile => false,
        MediaFormat::Ts | MediaFormat::Smooth | MediaFormat::Progressive => true,
    }
}

struct MediaSet {
    package: PackageSpec,
    media: ArtifactKey,
    /// From the title's folder. It holds the artifact's key, so that another version never overwrites files that
    /// a player may be reading or a cache may hold.
    path: String,
}

impl Builder<'_> {
    fn add(&mut self, spec: TaskSpec, after: BTreeSet<TaskKey>) -> Task {
        let task = Task::new(spec, self.input.tools);
        // Two media sets may be made of the same one.
        if let Some(node) = self.nodes.iter().find(|node| node.task.key == task.key) {
            return node.task.clone();
        }
        let mut needs = after;
        needs.extend(task.spec.inputs().iter().filter_map(|input| self.makers.get(input)));
        for output in &task.outputs {
            self.makers.insert(output.key, task.key);
        }
        self.nodes.push(Node { task: task.clone(), needs });
        task
    }

    fn encode_video(&mut self) -> Result<Vec<VideoRendition>, PlanError> {
        let PlanInput { title, source, conclusion, ladder, .. } = *self.input;
        let video = &conclusion.video;
        let mut rungs = Vec::new();
        for name in &conclusion.rungs {
            let rung = ladder.rungs.iter().find(|rung| rung.name == *name).ok_or_else(|| {
                PlanError::UnknownRung {
                    title: title.clone(),
                    rung: name.clone(),
                    ladder: ladder.name.clone(),
                }
            })?;
            if let Some((width, height)) = ladder::fit(rung, video.width, video.height) {
                let gop_frames = video.frame_rate * GOP_SECONDS;
                rungs.push(RungSpec { width, height, gop_frames, rung: rung.clone() });
            }
        }
        if rungs.is_empty() {
            return Err(PlanError::NoRung {
                title: title.clone(),
                ladder: ladder.name.clone(),
                width: video.width,
                height: video.height,
            });
        }
        let spec = EncodeVideoSpec { source, video: video.clone(), rungs: rungs.clone() };
        let task = self.add(TaskSpec::EncodeVideo(spec), BTreeSet::new());
        rungs
            .into_iter()
            .map(|rung| {
                Ok(VideoRendition {
                    artifact: output(&task, &rung.rung.name)?,
                    name: rung.rung.name,
                    width: rung.width,
                    height: rung.height,
                    frame_rate: video.frame_rate,
                    frame_count: video.frame_count,
                })
            })
            .collect()
    }

    fn encode_audio(&mut self) -> Result<Vec<AudioRendition>, PlanError> {
        let PlanInput { source, conclusion, ladder, .. } = *self.input;
        let renditions = audio_renditions(&conclusion.audio, &ladder.audio);
        let spec = EncodeAudioSpec {
            source,
            video_stream: conclusion.video.stream,
            frame_rate: conclusion.video.frame_rate,
            frame_count: conclusion.video.frame_count,
            renditions: renditions.clone(),
        };
        let task = self.add(TaskSpec::EncodeAudio(spec), BTreeSet::new());
        renditions
            .into_iter()
            .map(|rendition| {
                Ok(AudioRendition {
                    artifact: output(&task, &rendition.id)?,
                    id: rendition.id,
                    language: rendition.language,
                    layout: rendition.layout,
                })
            })
            .collect()
    }

    fn offers_subtitles(&self) -> bool {
        self.input.profiles.iter().any(|profile| carries_subtitles(profile.container))
    }

    /// The tracks that are made: all that were delivered, or none where no profile carries any.
    fn subtitles(&mut self) -> Result<Vec<SubtitleTrack>, PlanError> {
        let PlanInput { conclusion, subtitles, .. } = *self.input;
        if !self.offers_subtitles() {
            return Ok(Vec::new());
        }
        let duration_ms = conclusion.video.duration_ms();
        let track = |(file, source): &(SubtitleFile, Digest)| {
            let spec = SubtitlesSpec { source: *source, duration_ms };
            let artifact = only_output(&self.add(TaskSpec::Subtitles(spec), BTreeSet::new()))?;
            let SubtitleFile { language, purpose, .. } = file.clone();
            let id = SubtitleTrack::id_of(&language, purpose);
            let path = format!("media/{id}/{}", artifact.short());
            Ok(SubtitleTrack { id, artifact, path, language, purpose })
        };
        subtitles.iter().map(track).collect()
    }

    fn subtitles_left_out(&self) -> Vec<String> {
        if self.offers_subtitles() {
            return Vec::new();
        }
        let id = |(file, _): &(SubtitleFile, Digest)| SubtitleTrack::id_of(&file.language, file.purpose);
        self.input.subtitles.iter().map(id).collect()
    }

    fn package(
        &mut self,
        video: &[VideoRendition],
        audio: &[AudioRendition],
    ) -> Result<BTreeMap<String, MediaSet>, PlanError> {
        let mut sets: BTreeMap<String, MediaSet> = BTreeMap::new();
        for profile in self.input.profiles {
            let format = profile.container.media_format();
            if let Some(set) = sets.get(&profile.media_set.0) {
                let scheme = set.package.encryption.as_ref().map(|encryption| encryption.scheme);
                let made = (set.package.format, set.package.segment_seconds, scheme);
                if made != (format, profile.segment_seconds, profile.scheme) {
                    return Err(PlanError::MediaSetConflict {
                        profile: profile.id.clone(),
                        media_set: profile.media_set.to_string(),
                    });
                }
                continue;
            }
            let wanted = Wanted {
                name: profile.media_set.clone(),
                format,
                scheme: profile.scheme,
                seconds: profile.segment_seconds,
                one_key: takes_one_key(format),
            };
            let (package, media) = self.media_set(wanted, video, audio)?;
            let path = format!("media/{}/{}", profile.media_set, media.short());
            sets.insert(profile.media_set.0.clone(), MediaSet { package, media, path });
        }
        Ok(sets)
    }

    /// The task of a media set, and before it those of its keys and of the media set that it is made of.
    fn media_set(
        &mut self,
        wanted: Wanted,
        video: &[VideoRendition],
        audio: &[AudioRendition],
    ) -> Result<(PackageSpec, ArtifactKey), PlanError> {
        let Wanted { name, format, scheme, seconds, one_key } = wanted;
        let base = match (format, scheme) {
            // What is encrypted whole is made of what is clear, and Smooth Streaming has the samples of CMAF.
            (MediaFormat::Ts, Some(Scheme::Aes128)) => Some((MediaFormat::Ts, None)),
            (MediaFormat::Smooth, scheme) => Some((MediaFormat::Cmaf, scheme)),
            (MediaFormat::Progressive, Some(_)) => Some((MediaFormat::Progressive, None)),
            _ => None,
        };
        let base = match base {
            None => None,
            Some((format, scheme)) => {
                let name = self.name_of(format, scheme, seconds);
                let wanted = Wanted { name, format, scheme, seconds, one_key };
                Some(self.media_set(wanted, video, audio)?.1)
            }
        };
        let encryption = match scheme {
            None => None,
            Some(scheme) => Some(Encryption { scheme, keys: self.keys(scheme, one_key)? }),
        };
        let (video, audio) = match format {
            MediaFormat::Progressive => progressive_tracks(video, audio),
            MediaFormat::Cmaf | MediaFormat::SingleFile | MediaFormat::Ts | MediaFormat::Smooth => {
                (video.to_vec(), audio.to_vec())
            }
        };
        let package =
            PackageSpec { media_set: name, format, segment_seconds: seconds, video, audio, encryption, base };
        let task = self.add(TaskSpec::Package(package.clone()), BTreeSet::new());
        Ok((package, only_output(&task)?))
    }

    /// What the profile list calls a media set, so that it is the same one whether or not a profile of the title plays it.
    fn name_of(&self, format: MediaFormat, scheme: Option<Scheme>, seconds: Option<u32>) -> MediaSetId {
        let listed = self.input.list.iter().find(|profile| {
            (profile.container.media_format(), profile.scheme, profile.segment_seconds)
                == (format, scheme, seconds)
        });
        listed.map_or_else(|| MediaSetId("intermediate".to_owned()), |profile| profile.media_set.clone())
    }

    /// The title's keys for a scheme.
    fn keys(&mut self, scheme: Scheme, one_key: bool) -> Result<ArtifactKey, PlanError> {
        let PlanInput { title, list, protection, .. } = *self.input;
        let protection =
            protection.ok_or_else(|| PlanError::NoKeys { title: title.clone(), scheme: scheme.as_str() })?;
        let of_scheme = list.iter().filter(|profile| profile.scheme == Some(scheme));
        let spec = KeysSpec {
            title: title.clone(),
            scheme,
            division: if one_key { KeyDivision::Title } else { protection.division },
            source: protection.source.clone(),
            systems: of_scheme.flat_map(|profile| profile.drm.iter().copied()).collect(),
            uris: protection.uris.clone(),
        };
        let task = self.add(TaskSpec::Keys(spec), BTreeSet::new());
        only_output(&task)
    }

    fn profiles(
        &mut self,
        sets: &BTreeMap<String, MediaSet>,
        subtitles: Vec<SubtitleTrack>,
    ) -> Result<(Vec<PublishProfile>, Vec<PublishSubtitles>), PlanError> {
        let mut verified = Vec::new();
        let mut verifications = BTreeSet::new();
        for profile in self.input.profiles {
            let Some(set) = sets.get(&profile.media_set.0) else { continue };
            let subtitles = if carries_subtitles(profile.container) { subtitles.clone() } else { Vec::new() };
            let manifests = if matches!(set.package.format, MediaFormat::Progressive | MediaFormat::Smooth) {
                None
            } else {
                let keys = set.package.encryption.as_ref().map(|encryption| encryption.keys);
                let spec = ManifestSpec {
                    profile: profile.clone(),
                    media: set.media,
                    media_path: set.path.clone(),
                    keys,
                    key_uses: match keys {
                        None => BTreeMap::new(),
                        Some(_) => key_uses(&set.package.video, &set.package.audio),
                    },
                    subtitles: subtitles.clone(),
                };
                Some(only_output(&self.add(TaskSpec::Manifest(spec), BTreeSet::new()))?)
            };
            let spec = VerifySpec {
                profile: profile.clone(),
                manifests,
                media_path: set.path.clone(),
                media: set.media,
                package: set.package.clone(),
                subtitles,
            };
            let task = self.add(TaskSpec::Verify(spec), BTreeSet::new());
            verifications.insert(task.key);
            verified.push((profile, set, manifests, only_output(&task)?));
        }
        let mut upload = |media_path: &str, media: ArtifactKey| {
            let spec = UploadSpec {
                origin: self.input.origin.to_owned(),
                title: self.input.title.clone(),
                media_path: media_path.to_owned(),
                media,
            };
            only_output(&self.add(TaskSpec::Upload(spec), verifications.clone()))
        };
        let mut receipts = BTreeMap::new();
        for (name, set) in sets {
            receipts.insert(name, upload(&set.path, set.media)?);
        }
        let subtitles: Result<_, PlanError> = subtitles
            .into_iter()
            .map(|track| Ok(PublishSubtitles { receipt: upload(&track.path, track.artifact)?, track }))
            .collect();
        let profiles: Result<_, PlanError> = verified
            .into_iter()
            .map(|(profile, set, manifests, verification)| {
                let receipt =
                    receipts.get(&profile.media_set.0).copied().ok_or_else(|| PlanError::MissingOutput {
                        task: format!("upload {}", set.path),
                        output: "receipt".to_owned(),
                    })?;
                Ok(PublishProfile {
                    profile: profile.clone(),
                    manifests,
                    verification,
                    media_path: set.path.clone(),
                    receipt,
                })
            })
            .collect();
        Ok((profiles?, subtitles?))
    }
}

fn output(task: &Task, name: &str) -> Result<ArtifactKey, PlanError> {
    task.output(name)
        .ok_or_else(|| PlanError::MissingOutput { task: task.spec.label(), output: name.to_owned() })
}

fn only_output(task: &Task) -> Result<ArtifactKey, PlanError> {
    task.only_output()
        .ok_or_else(|| PlanError::MissingOutput { task: task.spec.label(), output: "one output".to_owned() })
}

/// A progressive file holds the largest picture and the stereo sound: what every player of such a file takes.
fn progressive_tracks(
    video: &[VideoRendition],
    audio: &[AudioRendition],
) -> (Vec<VideoRendition>, Vec<AudioRendition>) {
    let stereo = audio.iter().filter(|audio| audio.layout == ChannelLayout::Stereo);
    (video.iter().take(1).cloned().collect(), stereo.cloned().collect())
}

/// One rendition for each programme and audio rung that it can feed, with ids that are unique in the title.
fn audio_renditions(programmes: &[AudioProgramme], rungs: &[AudioRung]) -> Vec<AudioRenditionSpec> {
    let mut renditions: Vec<AudioRenditionSpec> = Vec::new();
    for programme in programmes {
        for rung in rungs {
            let from: Option<&AudioSource> = match rung.layout {
                ChannelLayout::Stereo => Some(&programme.stereo),
                ChannelLayout::Surround51 => programme.surround.as_ref(),
            };
            let Some(from) = from else { continue };
            let plain = format!("audio-{}-{}", programme.language.to_lowercase(), rung.name);
            let taken = |id: &str| renditions.iter().any(|rendition| rendition.id == id);
            let id = (2..)
                .map(|number| format!("{plain}-{number}"))
                .find(|id| !taken(id))
                .filter(|_| taken(&plain))
                .unwrap_or(plain);
            renditions.push(AudioRenditionSpec {
                id,
                language: programme.language.clone(),
                layout: rung.layout,
                bitrate_kbps: rung.bitrate_kbps,
                from: from.clone(),
            });
        }
    }
    renditions
}
