//! The tasks that make a title's media: encodes, subtitles, keys and packages.

use std::collections::{BTreeMap, BTreeSet};

use reelfarm_model::ladder::{self, AudioRung, ChannelLayout, GOP_SECONDS, Rung, VideoCodec};
use reelfarm_model::profile::{MediaFormat, MediaSetId, Scheme};
use reelfarm_model::qc::{AudioProgramme, AudioSource, VideoConclusion};
use reelfarm_model::recipe::ToolVersions;
use reelfarm_model::subtitles::SubtitleTrack;
use reelfarm_model::task::{
    AssembleVideoSpec, AudioRendition, AudioRenditionSpec, Chunk, EncodeAudioSpec, EncodeVideoSpec,
    Encryption, KeysSpec, PackageSpec, RungSpec, SubtitlesSpec, VideoChunk, VideoRendition,
};
use reelfarm_model::title::SubtitleFile;
use reelfarm_model::{ArtifactKey, Digest, KeyDivision, Profile, Task, TaskKey, TaskKind, TaskSpec};
use reelfarm_packaging::manifest::carries_subtitles;

use super::chunks::chunks;
use super::graph::{Node, PlanError, PlanInput};

/// A graph that is being built.
pub(super) struct Builder<'a> {
    pub(super) input: PlanInput<'a>,
    pub(super) nodes: Vec<Node>,
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

/// Whether a format carries a codec. Of HEVC players expect fragmented MP4: HLS Authoring Specification for Apple Devices, 1.4.
const fn carries(format: MediaFormat, codec: VideoCodec) -> bool {
    match (format, codec) {
        (_, VideoCodec::H264) | (MediaFormat::Cmaf | MediaFormat::SingleFile, VideoCodec::Hevc) => true,
        (MediaFormat::Ts | MediaFormat::Smooth | MediaFormat::Progressive, VideoCodec::Hevc) => false,
    }
}

/// A media set as it is published.
pub(super) struct MediaSet {
    pub(super) package: PackageSpec,
    pub(super) media: ArtifactKey,
    /// From the title's folder. It holds the artifact's key, so that another version never overwrites files that
    /// a player may be reading or a cache may hold.
    pub(super) path: String,
}

impl<'a> Builder<'a> {
    pub(super) const fn new(input: PlanInput<'a>) -> Self {
        Self { input, nodes: Vec::new(), makers: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, spec: TaskSpec, after: BTreeSet<TaskKey>) -> Task {
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

    pub(super) fn encode_video(&mut self) -> Result<Vec<VideoRendition>, PlanError> {
        let PlanInput { title, source, conclusion, ladder, tools, .. } = self.input;
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
            if rung.codec == VideoCodec::Hevc && !tools.0.contains_key(ToolVersions::X265) {
                let (title, rung, ladder) = (title.clone(), rung.name.clone(), ladder.name.clone());
                return Err(PlanError::NoEncoder { title, rung, ladder });
            }
            if let Some((width, height)) = ladder::fit(rung, video.width, video.height) {
                let gop_frames = video.frame_rate * GOP_SECONDS;
                let crf = match conclusion.fitted.as_ref().filter(|_| ladder.per_title.is_some()) {
                    None => rung.crf,
                    Some(fitted) => match fitted.crf(name) {
                        None => continue,
                        Some(crf) => crf,
                    },
                };
                let rung = Rung { crf, ..rung.clone() };
                rungs.push(RungSpec { width, height, gop_frames, rung });
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
        let cues = self.cue_frames()?;
        let chunks = chunks(video, &conclusion.decoding, ladder.chunk_seconds);
        // A rung is the same artifact whatever is encoded beside it: what goes first does not wait for the others.
        let mut artifacts = BTreeMap::new();
        let pictures: Vec<_> = rungs.iter().map(|rung| (rung.height, rung.rung.codec)).collect();
        let first = self.goes_first(&pictures);
        for of_first in [true, false] {
            let together = rungs.iter().zip(&first).filter(|(_, first)| **first == of_first);
            let together: Vec<RungSpec> = together.map(|(rung, _)| rung.clone()).collect();
            if !together.is_empty() {
                artifacts.extend(self.encode_rungs(source, video, &chunks, &cues, &together)?);
            }
        }
        rungs
            .into_iter()
            .map(|rung| {
                let name = rung.rung.name;
                let artifact = artifacts.get(&name).copied().ok_or_else(|| PlanError::MissingOutput {
                    task: TaskKind::EncodeVideo.as_str().to_owned(),
                    output: name.clone(),
                })?;
                Ok(VideoRendition {
                    artifact,
                    name,
                    codec: rung.rung.codec,
                    width: rung.width,
                    height: rung.height,
                    frame_rate: video.frame_rate,
                    frame_count: video.frame_count,
                })
            })
            .collect()
    }

    /// The renditions of rungs that are encoded from one decode, by the rungs' names.
    fn encode_rungs(
        &mut self,
        source: Digest,
        video: &VideoConclusion,
        chunks: &[Chunk],
        cues: &BTreeSet<u64>,
        rungs: &[RungSpec],
    ) -> Result<BTreeMap<String, ArtifactKey>, PlanError> {
        let mut encode = |chunk: Option<Chunk>| {
            let frames =
                chunk.map_or(0..u64::MAX, |chunk| chunk.first_frame..chunk.first_frame + chunk.frame_count);
            let cue_frames = cues.range(frames).copied().collect();
            let spec =
                EncodeVideoSpec { source, video: video.clone(), rungs: rungs.to_vec(), chunk, cue_frames };
            self.add(TaskSpec::EncodeVideo(spec), BTreeSet::new())
        };
        let named = |task: &Task, rung: &RungSpec| {
            let name = rung.rung.name.clone();
            output(task, &name).map(|artifact| (name, artifact))
        };
        if chunks.is_empty() {
            let task = encode(None);
            return rungs.iter().map(|rung| named(&task, rung)).collect();
        }
        let encodes: Vec<(u64, Task)> =
            chunks.iter().map(|chunk| (chunk.frame_count, encode(Some(*chunk)))).collect();
        rungs
            .iter()
            .map(|rung| {
                let chunk = |(frame_count, task): &(u64, Task)| {
                    let artifact = output(task, &rung.rung.name)?;
                    Ok(VideoChunk { artifact, frame_count: *frame_count })
                };
                let spec = AssembleVideoSpec {
                    rung: rung.clone(),
                    frame_rate: video.frame_rate,
                    chunks: encodes.iter().map(chunk).collect::<Result<_, PlanError>>()?,
                };
                named(&self.add(TaskSpec::AssembleVideo(spec), BTreeSet::new()), rung)
            })
            .collect()
    }

    /// The frames of cue points that the grid does not have.
    fn cue_frames(&self) -> Result<BTreeSet<u64>, PlanError> {
        let PlanInput { title, conclusion, cue_points, .. } = self.input;
        let video = &conclusion.video;
        let frames = cue_points.iter().map(|cue| {
            let frame = cue.frame(video.frame_rate);
            if frame > video.frame_count {
                let seconds = video.frame_count as f64 / f64::from(video.frame_rate.max(1));
                return Err(PlanError::CueBeyondEnd { title: title.clone(), cue: *cue, seconds });
            }
            Ok(frame)
        });
        let group = u64::from((video.frame_rate * GOP_SECONDS).max(1));
        let mut frames: BTreeSet<u64> = frames.collect::<Result<_, _>>()?;
        // At the very end, where credits end, there is no frame to begin with.
        frames.retain(|frame| !frame.is_multiple_of(group) && *frame < video.frame_count);
        Ok(frames)
    }

    /// Which of some pictures of these heights go first: all where nothing is said of that, and at any rate one that every
    /// container carries.
    pub(super) fn goes_first(&self, pictures: &[(u32, VideoCodec)]) -> Vec<bool> {
        let up_to = self.input.first.and_then(|first| first.up_to);
        let carried = pictures.iter().filter(|(_, codec)| codec.is_h264()).map(|(height, _)| *height);
        let smallest = carried.min().unwrap_or(0);
        pictures.iter().map(|(height, _)| up_to.is_none_or(|up_to| *height <= up_to.max(smallest))).collect()
    }

    pub(super) fn encode_audio(&mut self) -> Result<Vec<AudioRendition>, PlanError> {
        let PlanInput { source, conclusion, ladder, .. } = self.input;
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
    pub(super) fn subtitles(&mut self) -> Result<Vec<SubtitleTrack>, PlanError> {
        let PlanInput { conclusion, subtitles, .. } = self.input;
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

    /// The media sets that these profiles play.
    pub(super) fn package(
        &mut self,
        profiles: &[Profile],
        video: &[VideoRendition],
        audio: &[AudioRendition],
    ) -> Result<BTreeMap<String, MediaSet>, PlanError> {
        let mut sets: BTreeMap<String, MediaSet> = BTreeMap::new();
        for profile in profiles {
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
        let carried = video.iter().filter(|video| carries(format, video.codec));
        let (video, audio) = match format {
            MediaFormat::Progressive => {
                let stereo = audio.iter().filter(|audio| audio.layout == ChannelLayout::Stereo);
                // The largest picture: what every player of such a file takes.
                (carried.take(1).cloned().collect::<Vec<_>>(), stereo.cloned().collect())
            }
            MediaFormat::Cmaf | MediaFormat::SingleFile | MediaFormat::Ts | MediaFormat::Smooth => {
                (carried.cloned().collect(), audio.to_vec())
            }
        };
        if video.is_empty() {
            let title = self.input.title.clone();
            return Err(PlanError::NoRungCarried { title, media_set: name.to_string() });
        }
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
        let PlanInput { title, list, protection, .. } = self.input;
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
}

fn output(task: &Task, name: &str) -> Result<ArtifactKey, PlanError> {
    task.output(name)
        .ok_or_else(|| PlanError::MissingOutput { task: task.spec.label(), output: name.to_owned() })
}

pub(super) fn only_output(task: &Task) -> Result<ArtifactKey, PlanError> {
    task.only_output()
        .ok_or_else(|| PlanError::MissingOutput { task: task.spec.label(), output: "one output".to_owned() })
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
