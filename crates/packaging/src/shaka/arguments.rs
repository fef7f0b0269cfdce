//! The packager's arguments for a media set: a pure function of its specification and keys.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use reelfarm_drm::TitleKeys;
use reelfarm_model::ladder::ChannelLayout;
use reelfarm_model::profile::{MediaFormat, Scheme};
use reelfarm_model::task::{AudioRendition, PackageSpec};
use reelfarm_model::{ArtifactKey, Code, Failure};
use zeroize::Zeroizing;

use crate::{language, layout, protection};

/// What the packager is told.
#[derive(Debug)]
pub(super) struct Arguments {
    /// On its command line, which everybody on the host can read.
    pub words: Vec<OsString>,
    /// The flag with the keys, which only its standard input may carry.
    pub keys: Option<Zeroizing<String>>,
}

/// The arguments that make the media set of `spec` in the working folder. `keys` are those of its encryption.
///
/// # Errors
/// The specification is not one that the packager can carry out, or an input is missing or has an unusable path.
pub(super) fn of(
    spec: &PackageSpec,
    inputs: &BTreeMap<ArtifactKey, PathBuf>,
    keys: Option<&TitleKeys>,
) -> Result<Arguments, Failure> {
    let refuse = |reason: String| {
        Failure::new(Code::Internal, format!("media set {} cannot be packaged: {reason}", spec.media_set))
    };
    let seconds = match (spec.format, spec.segment_seconds) {
        (MediaFormat::Progressive | MediaFormat::Smooth, _) => {
            return Err(refuse("its format is no work of the packager".to_owned()));
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
        if spec.encryption.is_some() {
            descriptor.push(format!(",drm_label={track}"));
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
        MediaFormat::Ts | MediaFormat::Smooth | MediaFormat::Progressive => {}
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
    let keys = match &spec.encryption {
        None => None,
        Some(encryption) => {
            arguments.extend(encryption_flags(encryption.scheme).map_err(refuse)?);
            let keys = keys.ok_or_else(|| refuse("its keys are not at hand".to_owned()))?;
            Some(keys_flag(spec, encryption.scheme, keys).map_err(refuse)?)
        }
    };
    Ok(Arguments { words: arguments, keys })
}

/// Everything about encryption but the keys. No DRM system is named: what players are told is added to each profile's
/// manifests, so that the media are the same whichever systems there are.
fn encryption_flags(scheme: Scheme) -> Result<[OsString; 5], String> {
    let scheme = match scheme {
        Scheme::Cenc => "cenc",
        // In MPEG-TS it gives SAMPLE-AES.
        Scheme::Cbcs | Scheme::SampleAes => "cbcs",
        Scheme::Aes128 => return Err("whole segments are not encrypted by the packager".to_owned()),
    };
    Ok([
        "--enable_raw_key_encryption".into(),
        format!("--protection_scheme={scheme}").into(),
        // Otherwise the first five seconds stay clear.
        "--clear_lead=0".into(),
        "--mp4_include_pssh_in_stream=false".into(),
        "--flagfile=/dev/fd/0".into(),
    ])
}

/// The flag that gives each track its key and initialisation vector.
fn keys_flag(spec: &PackageSpec, scheme: Scheme, keys: &TitleKeys) -> Result<Zeroizing<String>, String> {
    let mut tracks = Vec::new();
    for track in protection::tracks(spec) {
        let key = keys.key(track.key_use).ok_or_else(|| format!("there is no key for {}", track.name))?;
        tracks.push((track, key));
    }
    // Grown, it would leave copies behind.
    let mut flag = Zeroizing::new(String::with_capacity(16 + tracks.len() * 256));
    flag.push_str("--keys=");
    for (index, (track, key)) in tracks.iter().enumerate() {
        if index > 0 {
            flag.push(',');
        }
        flag.push_str("label=");
        flag.push_str(&track.name);
        flag.push_str(":key_id=");
        flag.push_str(&key.id.to_string());
        flag.push_str(":key=");
        push_hex(&mut flag, key.key.expose());
        flag.push_str(":iv=");
        match scheme {
            Scheme::Cenc => push_hex(&mut flag, &key.initialization_vector::<8>(&track.vector_name)),
            _ => push_hex(&mut flag, &keys.block_vector(scheme, key, &track.vector_name)),
        }
    }
    flag.push('\n');
    Ok(flag)
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
    }
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
    use reelfarm_drm::{ContentKey, Secret};
    use reelfarm_model::key::Digest;
    use reelfarm_model::profile::MediaSetId;
    use reelfarm_model::task::{Encryption, VideoRendition};
    use reelfarm_model::{KeyId, KeyUse};

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
                codec: reelfarm_model::ladder::VideoCodec::H264,
                artifact: key("720p"),
                width: 1280,
                height: 720,
                frame_rate: 25,
                frame_count: 275,
            }],
            audio: vec![audio("audio-en-stereo", "eng", ChannelLayout::Stereo)],
            encryption: None,
            base: None,
        }
    }

    fn encrypted(format: MediaFormat, scheme: Scheme) -> PackageSpec {
        PackageSpec { encryption: Some(Encryption { scheme, keys: key("keys") }), ..spec(format) }
    }

    fn title_keys() -> TitleKeys {
        let key = |byte| ContentKey { id: KeyId([byte; 16]), key: Secret::new([byte + 1; 16]) };
        TitleKeys::new([(KeyUse::Hd, key(0x10)), (KeyUse::Audio, key(0x20))].into(), BTreeMap::new())
    }

    fn inputs(spec: &PackageSpec, folder: &str) -> BTreeMap<ArtifactKey, PathBuf> {
        let video = spec.video.iter().map(|v| v.artifact);
        let audio = spec.audio.iter().map(|a| a.artifact);
        video.chain(audio).map(|key| (key, PathBuf::from(format!("{folder}/{}.mp4", key.short())))).collect()
    }

    fn arguments(format: MediaFormat) -> Vec<String> {
        let spec = spec(format);
        let arguments = of(&spec, &inputs(&spec, "/r"), None).unwrap().words;
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
            of(&spec, &inputs(&spec, "/r"), None).unwrap_err()
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
        assert_eq!(of(&good, &inputs(&good, "/a,b"), None).unwrap_err().code, Code::StateUnreachable);
        assert_eq!(of(&good, &BTreeMap::new(), None).unwrap_err().code, Code::ArtifactMissing);
    }

    #[test]
    fn keys_are_in_their_own_flag_and_nowhere_else() {
        for (format, scheme, vector_digits) in [
            (MediaFormat::Cmaf, Scheme::Cenc, 16),
            (MediaFormat::SingleFile, Scheme::Cbcs, 32),
            (MediaFormat::Ts, Scheme::SampleAes, 32),
        ] {
            let spec = encrypted(format, scheme);
            let arguments = of(&spec, &inputs(&spec, "/r"), Some(&title_keys())).unwrap();
            let words: Vec<_> =
                arguments.words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
            assert!(words.contains(&"--clear_lead=0".to_owned()));
            assert!(
                words[1].ends_with(",drm_label=video-720p")
                    && words[2].ends_with(",drm_label=audio-en-stereo")
            );
            let keys = arguments.keys.unwrap();
            assert!(
                !words.iter().any(|word| word.contains(&"11".repeat(16)) || word.contains(&"21".repeat(16)))
            );
            let tracks: Vec<_> =
                keys.strip_prefix("--keys=").unwrap().trim_end().split(',').map(str::to_owned).collect();
            let video = format!("label=video-720p:key_id={}:key={}:iv=", "10".repeat(16), "11".repeat(16));
            let audio =
                format!("label=audio-en-stereo:key_id={}:key={}:iv=", "20".repeat(16), "21".repeat(16));
            let vectors = [tracks[0].strip_prefix(&video).unwrap(), tracks[1].strip_prefix(&audio).unwrap()];
            assert!(vectors.iter().all(|vector| vector.len() == vector_digits), "{vectors:?}");
            assert_ne!(vectors[0], vectors[1]);
        }
    }

    #[test]
    fn a_vector_that_was_agreed_is_used_where_blocks_are_chained() {
        let agreed = [(KeyId([0x10; 16]), [0x77; 16])];
        for (format, scheme, used) in [
            (MediaFormat::Cmaf, Scheme::Cenc, false),
            (MediaFormat::Cmaf, Scheme::Cbcs, true),
            (MediaFormat::Ts, Scheme::SampleAes, true),
        ] {
            let spec = encrypted(format, scheme);
            let flag = |keys: TitleKeys| of(&spec, &inputs(&spec, "/r"), Some(&keys)).unwrap().keys.unwrap();
            let (without, with) = (flag(title_keys()), flag(title_keys().with_vectors(agreed.into())));
            let [video, audio] = [0, 1].map(|track| with.split(',').nth(track).unwrap());
            assert_eq!(video.trim_end().ends_with(&format!(":iv={}", "77".repeat(16))), used, "{scheme:?}");
            assert_eq!(Some(audio), without.split(',').nth(1), "another key's is its own");
            assert_eq!(*with == *without, !used);
        }
    }

    #[test]
    fn what_cannot_be_encrypted_is_refused() {
        let whole_segments = encrypted(MediaFormat::Ts, Scheme::Aes128);
        let cenc = encrypted(MediaFormat::Cmaf, Scheme::Cenc);
        let no_audio_key = TitleKeys::new(
            title_keys()
                .keys()
                .filter(|(key_use, _)| *key_use == KeyUse::Hd)
                .map(|(u, k)| (u, k.clone()))
                .collect(),
            BTreeMap::new(),
        );
        for (spec, keys) in
            [(&whole_segments, Some(title_keys())), (&cenc, None), (&cenc, Some(no_audio_key))]
        {
            let failure = of(spec, &inputs(spec, "/r"), keys.as_ref()).unwrap_err();
            assert_eq!(failure.code, Code::Internal, "{failure}");
            assert!(!failure.message.contains("1111"), "{failure}");
        }
    }

    #[test]
    fn an_unstated_language_is_not_given() {
        let mut spec = spec(MediaFormat::Cmaf);
        spec.audio[0].language = "und".into();
        let arguments = of(&spec, &inputs(&spec, "/r"), None).unwrap().words;
        assert!(!arguments.iter().any(|a| a.to_string_lossy().contains("lang")));
    }
}
