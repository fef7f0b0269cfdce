//! What of a specification shapes an output's bytes: the material of its key.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{
    AssembleVideoSpec, AudioRenditionSpec, EncodeAudioSpec, EncodeVideoSpec, RungSpec, TaskOutput, TaskSpec,
    TrialSpec,
};
use crate::key::{ArtifactKey, Digest, digest_of};
use crate::ladder::{Rung, VideoCodec};
use crate::profile::MediaFormat;
use crate::recipe::ToolVersions;

impl TaskSpec {
    /// The tools that shape the outputs.
    pub(super) fn tool_names(&self) -> Vec<&'static str> {
        use ToolVersions as T;
        let names: &[&str] = match self {
            // An older worker would pass over SHA-1 without a word: it lacks this recipe.
            Self::Fingerprint(spec) if spec.sha1 => &[T::QC_RECIPE],
            Self::Fingerprint(_) => &[T::MEASURE_RECIPE],
            Self::Qc(_) => &[T::FFMPEG, T::QC_RECIPE],
            Self::Trial(spec) => {
                let encoder = encoder(spec.rung.rung.codec);
                return vec![T::FFMPEG, encoder, T::ZIMG, T::ENCODE_RECIPE, T::TRIAL_RECIPE];
            }
            Self::EncodeVideo(spec) => {
                let codecs: BTreeSet<_> = spec.rungs.iter().map(|rung| rung.rung.codec).collect();
                return codecs.into_iter().flat_map(|codec| encode_tools(spec, codec)).collect();
            }
            Self::AssembleVideo(_) => &[T::FFMPEG, T::ASSEMBLE_RECIPE],
            Self::EncodeAudio(_) => &[T::FFMPEG, T::ENCODE_RECIPE],
            Self::Subtitles(_) => &[T::SUBTITLES_RECIPE],
            Self::Keys(_) => &[T::KEYS_RECIPE],
            Self::Package(spec) => match (spec.format, spec.base) {
                (_, Some(_)) => &[T::PACKAGE_RECIPE],
                (MediaFormat::Progressive, None) => &[T::FFMPEG, T::PACKAGE_RECIPE],
                (_, None) => &[T::PACKAGER, T::PACKAGE_RECIPE],
            },
            Self::Manifest(_) => &[T::MANIFEST_RECIPE],
            Self::Verify(_) => &[T::VERIFY_RECIPE],
            Self::Publish(spec) if !spec.cue_points.is_empty() => &[T::PUBLISH_RECIPE, T::CUE_RECIPE],
            Self::Upload(_) | Self::Publish(_) => &[T::PUBLISH_RECIPE],
            Self::Withdraw(_) => &[],
        };
        names.to_vec()
    }

    /// The outputs, made with these tools.
    pub(super) fn outputs(&self, tools: &ToolVersions) -> Vec<TaskOutput> {
        let one = |name: &str, key: Digest| vec![TaskOutput { name: name.to_owned(), key: ArtifactKey(key) }];
        match self {
            Self::Fingerprint(spec) => one("fingerprint", digest_of("fingerprint", &(spec, tools))),
            Self::Qc(spec) => one("measurements", digest_of("measurements", &(spec, tools))),
            Self::Trial(spec) => one("trial", trial_digest(spec, tools)),
            Self::EncodeVideo(spec) => {
                spec.rungs.iter().map(|rung| video_output(spec, rung, tools)).collect()
            }
            Self::AssembleVideo(spec) => vec![assembled_output(spec, tools)],
            Self::EncodeAudio(spec) => {
                spec.renditions.iter().map(|rendition| audio_output(spec, rendition, tools)).collect()
            }
            Self::Subtitles(spec) => one("subtitles", digest_of("subtitles", &(spec, tools))),
            Self::Keys(spec) => one("keys", digest_of("keys", &(spec, tools))),
            Self::Package(spec) => one("media", digest_of("media", &(spec, tools))),
            Self::Manifest(spec) => one("manifests", digest_of("manifests", &(spec, tools))),
            Self::Verify(spec) => one("verification", digest_of("verification", &(spec, tools))),
            Self::Upload(spec) => one("receipt", digest_of("receipt", &(spec, tools))),
            Self::Publish(spec) => one("index", digest_of("index", &(spec, tools))),
            Self::Withdraw(spec) => one("withdrawal", digest_of("withdrawal", spec)),
        }
    }
}

const fn encoder(codec: VideoCodec) -> &'static str {
    match codec {
        VideoCodec::H264 => ToolVersions::X264,
        VideoCodec::Hevc => ToolVersions::X265,
    }
}

fn trial_digest(spec: &TrialSpec, tools: &ToolVersions) -> Digest {
    let TrialSpec { source, video, rung, crfs, stretch, shown_width, shown_height } = spec;
    let rung = RungMaterial { crf: 0, ..RungMaterial::from(rung) };
    let frames = (stretch.first_frame, stretch.frame_count, stretch.decoding.film_start_us);
    let shown = (shown_width, shown_height);
    digest_of("trial", &((source, video, rung), (crfs, frames, shown), tools))
}

/// The tools that shape the rungs of one codec.
fn encode_tools(spec: &EncodeVideoSpec, codec: VideoCodec) -> Vec<&'static str> {
    use ToolVersions as T;
    let mut tools = vec![T::FFMPEG, encoder(codec), T::ZIMG, T::ENCODE_RECIPE];
    // An older worker would pass over the chunk without a word: it lacks this recipe.
    tools.extend(spec.chunk.map(|_| T::ASSEMBLE_RECIPE));
    tools.extend((!spec.cue_frames.is_empty()).then_some(T::CUE_RECIPE));
    tools
}

fn video_output(spec: &EncodeVideoSpec, rung: &RungSpec, tools: &ToolVersions) -> TaskOutput {
    // Whatever is encoded beside it.
    let tools = tools.only(&encode_tools(spec, rung.rung.codec));
    let material = (spec.source, &spec.video, RungMaterial::from(rung), tools);
    let digest = match &spec.chunk {
        None => digest_of("video", &material),
        Some(chunk) => {
            let frames = (chunk.first_frame, chunk.frame_count, chunk.decoding.film_start_us);
            digest_of("video-chunk", &(frames, material))
        }
    };
    let digest = match spec.cue_frames.as_slice() {
        [] => digest,
        frames => digest_of("video-with-cues", &(digest, frames)),
    };
    TaskOutput { name: rung.rung.name.clone(), key: ArtifactKey(digest) }
}

fn assembled_output(spec: &AssembleVideoSpec, tools: &ToolVersions) -> TaskOutput {
    let material = (&spec.chunks, RungMaterial::from(&spec.rung), spec.frame_rate, tools);
    let key = ArtifactKey(digest_of("assembled-video", &material));
    TaskOutput { name: spec.rung.rung.name.clone(), key }
}

fn audio_output(spec: &EncodeAudioSpec, rendition: &AudioRenditionSpec, tools: &ToolVersions) -> TaskOutput {
    let timeline = (spec.source, spec.video_stream, spec.frame_rate, spec.frame_count);
    let settings = (rendition.layout, rendition.bitrate_kbps, &rendition.from);
    let material = (timeline, settings, tools);
    TaskOutput { name: rendition.id.clone(), key: ArtifactKey(digest_of("audio", &material)) }
}

/// What of a rung shapes the encoder's output: not its name, not the box, not QC's threshold.
#[derive(Serialize)]
struct RungMaterial<'a> {
    #[serde(skip_serializing_if = "VideoCodec::is_h264")]
    codec: VideoCodec,
    width: u32,
    height: u32,
    gop_frames: u32,
    crf: u8,
    maxrate_kbps: u32,
    bufsize_kbps: u32,
    preset: &'a str,
    profile: &'a str,
}

impl<'a> From<&'a RungSpec> for RungMaterial<'a> {
    fn from(spec: &'a RungSpec) -> Self {
        // Taken apart by name, so that a new field cannot be forgotten here.
        let Rung {
            name: _,
            codec,
            width: _,
            height: _,
            min_source_kbps: _,
            crf,
            maxrate_kbps,
            bufsize_kbps,
            preset,
            profile,
        } = &spec.rung;
        Self {
            codec: *codec,
            width: spec.width,
            height: spec.height,
            gop_frames: spec.gop_frames,
            crf: *crf,
            maxrate_kbps: *maxrate_kbps,
            bufsize_kbps: *bufsize_kbps,
            preset,
            profile,
        }
    }
}
