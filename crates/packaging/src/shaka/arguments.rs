//! The packager's arguments for a media set: a pure function of its specification.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use reelfarm_model::ladder::ChannelLayout;
use reelfarm_model::profile::MediaFormat;
use reelfarm_model::task::{AudioRendition, PackageSpec};
use reelfarm_model::{ArtifactKey, Code, Failure};

use crate::{language, layout};

/// The arguments that make the media set of `spec` in the working folder.
///
/// # Errors
/// The specification is not one that the packager can carry out, or an input is missing or has an unusable path.
pub(super) fn of(
    spec: &PackageSpec,
    inputs: &BTreeMap<ArtifactKey, PathBuf>,
) -> Result<Vec<OsString>, Failure> {
    let refuse = |reason: String| {
        Failure::new(Code::Internal, format!("media set {} cannot be packaged: {reason}", spec.media_set))
    };
    let seconds = match (spec.format, spec.segment_seconds) {
        (MediaFormat::Progressive, _) => {
            return Err(refuse("a progressive file is no work of the packager".to_owned()));
        }
        (_, None) => return Err(refuse("it has no segment length".to_owned())),
        (_, Some(seconds)) => seconds,
    };
    if spec.video.is_empty() || spec.audio.is_empty() {
        return Err(refuse("it needs a video and an audio rendition".to_owned()));
    }
    let mut names = BTreeSet::new();
    for name in layout::tracks(spec) {
        if !is_file_name(&name) || !names.insert(name.clone()) {
            return Err(refuse(format!("{name:?} cannot name a track, or names two")));
        }
    }

    let files = input_files(spec, inputs)?;
    let labels = audio_labels(&spec.audio);
    let mut arguments = vec![OsString::from("--quiet")];
    for (index, (track, file)) in layout::tracks(spec).zip(files).enumerate() {
        let mut descriptor = OsString::from("in=");
        descriptor.push(file);
        let audio = index.checked_sub(spec.video.len()).map(|at| (&spec.audio[at], &labels[at]));
        descriptor.push(if audio.is_some() { ",stream=audio" } else { ",stream=video" });
        descriptor.push(output_fields(spec.format, &track));
        if spec.format != MediaFormat::SingleFile {
            descriptor.push(format!(",playlist_name={track}.m3u8"));
        }
        if let Some((rendition, label)) = audio {
            descriptor.push(audio_fields(rendition, label));
        }
        arguments.push(descriptor);
    }

    arguments.push(format!("--segment_duration={seconds}").into());
    if spec.format != MediaFormat::Ts {
        arguments.push(format!("--fragment_duration={seconds}").into());
        arguments.push(format!("--mpd_output={}", layout::PACKAGER_MPD).into());
    }
    match spec.format {
        // Every segment is one fragment, which an index of its own would only repeat.
        MediaFormat::Cmaf => arguments.extend(
            ["--generate_static_live_mpd", "--generate_sidx_in_media_segments=false"].map(OsString::from),
        ),
        // Its temporary files are as large as its output: they belong on the same disk, not in /tmp.
        MediaFormat::SingleFile => arguments.push("--temp_dir=.".into()),
        MediaFormat::Ts | MediaFormat::Progressive => {}
    }
    if spec.format != MediaFormat::SingleFile {
        arguments.push(format!("--hls_master_playlist_output={}", layout::PACKAGER_MASTER).into());
    }
    if let Some(default) = language::canonical(&spec.audio[0].language) {
        arguments.push(format!("--default_language={default}").into());
    }
    // Equal inputs give equal bytes: creation times of zero, and one thread, because with several the adaptation sets
    // are numbered in the order in which the threads happened to begin.
    arguments.extend(["--use_fake_clock_for_muxer", "--single_threaded"].map(OsString::from));
    Ok(arguments)
}

/// The file of every rendition, in the order of the tracks.
///
/// # Errors
/// One is not among `inputs`, stands there for two renditions, or has a path that the packager cannot be given.
pub(super) fn input_files(
    spec: &PackageSpec,
    inputs: &BTreeMap<ArtifactKey, PathBuf>,
) -> Result<Vec<PathBuf>, Failure> {
    let mut seen = BTreeSet::new();
    let artifacts =
        spec.video.iter().map(|video| video.artifact).chain(spec.audio.iter().map(|audio| audio.artifact));
    artifacts
        .map(|artifact| {
            // Given one file twice, it gives both renditions the language of the first.
            if !seen.insert(artifact) {
                let reason = format!("media set {}: two renditions are the same file", spec.media_set);
                return Err(Failure::new(Code::Internal, reason));
            }
            let path = inputs.get(&artifact).ok_or_else(|| {
                Failure::new(Code::ArtifactMissing, format!("rendition {} is not at hand", artifact.short()))
            })?;
            let path = std::path::absolute(path)
                .map_err(|error| Failure::new(Code::StateUnreachable, format!("{}: {error}", path.display())))?;
            if contains_comma(path.as_os_str()) {
                let reason = format!(
                    "Shaka Packager cannot read {}: its arguments are separated by commas; choose a state folder without one",
                    path.display()
                );
                return Err(Failure::new(Code::StateUnreachable, reason));
            }
            Ok(path)
        })
        .collect()
}

fn contains_comma(path: &OsStr) -> bool {
    path.as_encoded_bytes().contains(&b',')
}

fn is_file_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
        && name != layout::MANIFESTS
}

fn output_fields(format: MediaFormat, track: &str) -> String {
    match layout::segment_extension(format) {
        None => format!(",out={track}.mp4"),
        Some(extension) => {
            let header = if format == MediaFormat::Cmaf {
                format!(",init_segment={track}/{}", layout::INITIALIZATION)
            } else {
                String::new()
            };
            format!("{header},segment_template={track}/$Number$.{extension}")
        }
    }
}

/// What people and players tell audio renditions apart by.
struct AudioLabel {
    /// HLS: renditions of one group are alternatives, and every group has the same names (RFC 8216 4.3.4.2.1).
    group: &'static str,
    /// HLS: the name in its group.
    name: String,
    /// DASH: keeps layouts in adaptation sets of their own, since a player must not switch between them.
    label: String,
}

fn audio_labels(audio: &[AudioRendition]) -> Vec<AudioLabel> {
    let mut uses: BTreeMap<(ChannelLayout, String), u32> = BTreeMap::new();
    audio
        .iter()
        .map(|rendition| {
            let name = language::name(&rendition.language);
            let count = uses.entry((rendition.layout, name.clone())).or_default();
            *count += 1;
            let name = if *count == 1 { name } else { format!("{name} {count}") };
            let (group, label) = match rendition.layout {
                ChannelLayout::Stereo => ("stereo", name.clone()),
                ChannelLayout::Surround51 => ("surround", format!("{name} 5.1")),
            };
            AudioLabel { group, name, label }
        })
        .collect()
}

fn audio_fields(rendition: &AudioRendition, label: &AudioLabel) -> String {
    let AudioLabel { group, name, label } = label;
    let language =
        language::canonical(&rendition.language).map(|tag| format!(",lang={tag}")).unwrap_or_default();
    format!(",hls_group_id={group},hls_name={name},dash_label={label}{language}")
}

#[cfg(test)]
mod tests {
    use reelfarm_model::key::Digest;
    use reelfarm_model::profile::MediaSetId;
    use reelfarm_model::task::VideoRendition;

    use super::*;

    fn key(name: &str) -> ArtifactKey {
        ArtifactKey(Digest::of(name.as_bytes()))
    }

    fn audio(id: &str, language: &str, layout: ChannelLayout) -> AudioRendition {
        AudioRendition { id: id.into(), artifact: key(id), language: language.into(), layout }
    }

    fn spec(format: MediaFormat) -> PackageSpec {
        PackageSpec {
            media_set: MediaSetId("set-4s".into()),
            format,
            segment_seconds: Some(4),
            video: vec![VideoRendition {
                name: "720p".into(),
                artifact: key("720p"),
                width: 1280,
                height: 720,
                frame_rate: 25,
                frame_count: 275,
            }],
            audio: vec![audio("audio-en-stereo", "eng", ChannelLayout::Stereo)],
        }
    }

    fn inputs(spec: &PackageSpec, folder: &str) -> BTreeMap<ArtifactKey, PathBuf> {
        let video = spec.video.iter().map(|v| v.artifact);
        let audio = spec.audio.iter().map(|a| a.artifact);
        video.chain(audio).map(|key| (key, PathBuf::from(format!("{folder}/{}.mp4", key.short())))).collect()
    }

    fn arguments(format: MediaFormat) -> Vec<String> {
        let spec = spec(format);
        let arguments = of(&spec, &inputs(&spec, "/r")).unwrap();
        arguments.into_iter().map(|argument| argument.into_string().unwrap()).collect()
    }

    #[test]
    fn the_exact_arguments_for_cmaf() {
        let (video, audio) = (key("720p").short(), key("audio-en-stereo").short());
        assert_eq!(
            arguments(MediaFormat::Cmaf),
            [
                "--quiet".to_owned(),
                format!(
                    "in=/r/{video}.mp4,stream=video,init_segment=video-720p/init.mp4,segment_template=video-720p/$Number$.m4s,playlist_name=video-720p.m3u8"
                ),
                format!(
                    "in=/r/{audio}.mp4,stream=audio,init_segment=audio-en-stereo/init.mp4,segment_template=audio-en-stereo/$Number$.m4s,playlist_name=audio-en-stereo.m3u8,hls_group_id=stereo,hls_name=English,dash_label=English,lang=en"
                ),
                "--segment_duration=4".into(),
                "--fragment_duration=4".into(),
                "--mpd_output=manifests/manifest.mpd".into(),
                "--generate_static_live_mpd".into(),
                "--generate_sidx_in_media_segments=false".into(),
                "--hls_master_playlist_output=manifests/master.m3u8".into(),
                "--default_language=en".into(),
                "--use_fake_clock_for_muxer".into(),
                "--single_threaded".into(),
            ]
        );
    }

    #[test]
    fn transport_streams_have_no_header_and_single_files_no_playlist() {
        let ts = arguments(MediaFormat::Ts).join(" ");
        assert!(ts.contains("segment_template=video-720p/$Number$.ts"), "{ts}");
        assert!(!ts.contains("init_segment") && !ts.contains("mpd_output"), "{ts}");
        let single = arguments(MediaFormat::SingleFile).join(" ");
        assert!(single.contains("out=video-720p.mp4") && single.contains("--temp_dir=."), "{single}");
        assert!(!single.contains("playlist"), "{single}");
    }

    #[test]
    fn groups_have_the_same_names_and_no_name_twice() {
        use ChannelLayout::{Stereo, Surround51};
        let labels = audio_labels(&[
            audio("a", "en", Stereo),
            audio("b", "en", Surround51),
            audio("c", "de", Stereo),
            audio("d", "en", Stereo),
            audio("e", "und", Stereo),
        ]);
        let seen: Vec<_> = labels.iter().map(|l| (l.group, l.name.as_str(), l.label.as_str())).collect();
        assert_eq!(
            seen,
            [
                ("stereo", "English", "English"),
                ("surround", "English", "English 5.1"),
                ("stereo", "German", "German"),
                ("stereo", "English 2", "English 2"),
                ("stereo", "Original", "Original"),
            ]
        );
    }

    #[test]
    fn what_the_packager_would_misread_is_refused() {
        let good = spec(MediaFormat::Cmaf);
        let with = |change: &dyn Fn(&mut PackageSpec)| {
            let mut spec = good.clone();
            change(&mut spec);
            of(&spec, &inputs(&spec, "/r")).unwrap_err()
        };
        for failure in [
            with(&|spec| spec.video[0].name = "a,b".into()),
            with(&|spec| spec.audio[0].id = "../a".into()),
            with(&|spec| spec.audio[0].id = "manifests".into()),
            with(&|spec| spec.audio[0].id = "video-720p".into()),
            with(&|spec| spec.audio[0].artifact = spec.video[0].artifact),
            with(&|spec| spec.audio.clear()),
            with(&|spec| spec.segment_seconds = None),
            with(&|spec| spec.format = MediaFormat::Progressive),
        ] {
            assert_eq!(failure.code, Code::Internal, "{failure}");
        }
        assert_eq!(of(&good, &inputs(&good, "/a,b")).unwrap_err().code, Code::StateUnreachable);
        assert_eq!(of(&good, &BTreeMap::new()).unwrap_err().code, Code::ArtifactMissing);
    }

    #[test]
    fn an_unstated_language_is_not_given() {
        let mut spec = spec(MediaFormat::Cmaf);
        spec.audio[0].language = "und".into();
        let arguments = of(&spec, &inputs(&spec, "/r")).unwrap();
        assert!(!arguments.iter().any(|a| a.to_string_lossy().contains("lang")));
    }
}
