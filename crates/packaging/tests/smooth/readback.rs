//! What was made, read back and compared with what it was made of.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use reelfarm_drm::{ContentKey, Secret};
use reelfarm_model::ladder::ChannelLayout;
use reelfarm_packaging::smooth::read::{Format, Fragment, Manifest, Reader, Sample, Stream};
use reelfarm_packaging::smooth::{SmoothError, package};

use crate::cmaf::{CLIP, Clip, Picture, Renditions, Sound, ffmpeg, key, protection};

pub(crate) fn manifest(folder: &Path) -> Manifest {
    Manifest::parse(&fs_err::read(folder.join("Manifest")).unwrap()).unwrap()
}

/// All fragments of one quality of a stream.
pub(crate) fn fragments(
    folder: &Path,
    stream: &Stream,
    level: usize,
    key: Option<&ContentKey>,
) -> Vec<Fragment> {
    let level = &stream.levels[level];
    let mut reader = Reader::new(&level.format, key);
    let mut read = |chunk| {
        let bytes = fs_err::read(folder.join(stream.path(level, chunk))).unwrap();
        reader.read(chunk, &bytes).unwrap()
    };
    stream.chunks.iter().map(|chunk| read(*chunk)).collect()
}

fn samples(folder: &Path, stream: &Stream, level: usize, key: Option<&ContentKey>) -> Vec<Sample> {
    fragments(folder, stream, level, key).into_iter().flat_map(|fragment| fragment.samples).collect()
}

pub(crate) fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(
                files(&path)
                    .into_iter()
                    .map(|(name, bytes)| (Path::new(path.file_name().unwrap()).join(name), bytes)),
            );
        } else {
            found.insert(path.file_name().unwrap().into(), fs_err::read(path).unwrap());
        }
    }
    found
}

/// Presentation times of a rendition's packets in decoding order, in seconds; what its edit list trims away is negative.
fn rendition_times(file: &Path) -> Vec<f64> {
    let text = crate::cmaf::run(
        "ffprobe",
        &["-v", "error", "-show_entries", "packet=pts_time", "-of", "csv=p=0", file.to_str().unwrap()],
    );
    let numbers = text.lines().map(|line| line.trim_matches(',')).filter(|line| !line.is_empty());
    numbers.map(|line| line.parse().unwrap()).collect()
}

#[test]
fn every_sample_is_there_at_its_time_and_all_tracks_are_late_alike() {
    let renditions = Renditions::encode(&CLIP);
    for (seconds, chunks) in [(2, 6), (4, 3)] {
        let cmaf = renditions.cmaf(&format!("cmaf-{seconds}"), seconds, false);
        let folder = renditions.smooth(&format!("smooth-{seconds}"), &cmaf, None);
        let manifest = manifest(&folder);
        assert_eq!(manifest.playready_object, None);
        // Two frames of the first picture's B-frames are the largest delay.
        let delay = 0.08;
        let mut longest = 0;
        let mut names = renditions.tracks().into_iter();
        for stream in &manifest.streams {
            assert_eq!(stream.chunks.len(), chunks, "{}", stream.name);
            for level in 0..stream.levels.len() {
                let (track, rendition) = names.next().unwrap();
                let fragments = fragments(&folder, stream, level, None);
                let sequences: Vec<_> = fragments.iter().map(|fragment| fragment.sequence).collect();
                assert!(sequences.into_iter().eq(1..=chunks as u32), "{track}");
                let samples: Vec<_> = fragments.iter().flat_map(|fragment| &fragment.samples).collect();
                let times = rendition_times(&renditions.file(&rendition));
                assert_eq!(samples.len(), times.len(), "{track}");
                for (sample, time) in samples.iter().zip(times) {
                    let presented = sample.presentation_time as f64 / 1e7 - delay;
                    assert!((presented - time).abs() < 2e-6, "{track}: {presented} for {time}");
                    assert!(sample.presentation_time >= sample.decode_time, "{track}: {sample:?}");
                    let end = sample.presentation_time + u64::from(sample.duration);
                    longest = longest.max(end);
                }
            }
        }
        assert_eq!(manifest.duration, longest);
        let pictures = &manifest.streams[0];
        let starts: Vec<_> = pictures.chunks.iter().map(|chunk| chunk.time).collect();
        assert!(starts.into_iter().eq((0..chunks as u64).map(|number| number * seconds as u64 * 10_000_000)));
        assert_eq!(manifest.streams[1].chunks[0].time, 586_667);
        for level in 0..pictures.levels.len() {
            let fragments = fragments(&folder, pictures, level, None);
            assert!(fragments.iter().all(|fragment| fragment.track == 1 && fragment.samples[0].is_idr));
        }
    }
}

#[test]
fn the_manifest_states_what_the_renditions_are() {
    let renditions = Renditions::encode(&CLIP);
    let cmaf = renditions.cmaf("cmaf", 2, false);
    let folder = renditions.smooth("smooth", &cmaf, None);
    let manifest = manifest(&folder);
    let seen: Vec<_> =
        manifest.streams.iter().map(|stream| (stream.name.as_str(), stream.language.as_deref())).collect();
    let sound = [("audio_en_stereo", Some("eng")), ("audio_de_surround", Some("deu"))];
    assert_eq!(seen, [&[("video", None)][..], &sound].concat());
    let sizes: Vec<_> = manifest.streams[0]
        .levels
        .iter()
        .map(|level| match &level.format {
            Format::Video { width, height, nal_length_size: 4, parameter_sets }
                if parameter_sets.len() == 2 =>
            {
                (*width, *height)
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(sizes, [(320, 180), (192, 108)]);
    for (stream, channels) in manifest.streams[1..].iter().zip([2, 6]) {
        assert_eq!(stream.levels[0].format, Format::Audio { sample_rate: 48_000, channels });
    }

    // Rates are those of the files, and every file is named.
    let mut named = BTreeSet::from([PathBuf::from("Manifest")]);
    for stream in &manifest.streams {
        let duration: u64 = stream.chunks.iter().map(|chunk| chunk.duration).sum();
        for level in &stream.levels {
            let paths: Vec<_> = stream.chunks.iter().map(|chunk| stream.path(level, *chunk)).collect();
            let size = |path: &String| fs_err::metadata(folder.join(path)).unwrap().len();
            let bits = paths.iter().map(size).sum::<u64>() * 8 * 10_000_000;
            assert_eq!(u64::from(level.bitrate), bits.div_ceil(duration), "{}", stream.name);
            named.extend(paths.into_iter().map(PathBuf::from));
        }
    }
    assert_eq!(files(&folder).into_keys().collect::<BTreeSet<_>>(), named);
}

/// Bytes of all samples of a segment or a fragment: the body of its only `mdat`.
fn media_data(bytes: &[u8]) -> &[u8] {
    let at = bytes.windows(4).position(|window| window == b"mdat").unwrap();
    &bytes[at + 4..]
}

#[test]
fn media_data_and_sample_encryption_are_copied_unchanged() {
    let renditions = Renditions::encode(&CLIP);
    let cmaf = renditions.cmaf("cmaf", 2, true);
    let protection = protection();
    let folder = renditions.smooth("smooth", &cmaf, Some(&protection));
    let manifest = manifest(&folder);
    let mut names = renditions.tracks().into_iter();
    for stream in &manifest.streams {
        for level in &stream.levels {
            let (track, _) = names.next().unwrap();
            for (index, chunk) in stream.chunks.iter().enumerate() {
                let segment = fs_err::read(cmaf.join(format!("{track}/{}.m4s", index + 1))).unwrap();
                let fragment = fs_err::read(folder.join(stream.path(level, *chunk))).unwrap();
                assert!(media_data(&segment) == media_data(&fragment), "{track} {index}");
                let senc = segment.windows(4).position(|window| window == b"senc").unwrap();
                let size = u32::from_be_bytes(segment[senc - 4..senc].try_into().unwrap()) as usize;
                let payload = &segment[senc + 4..senc - 4 + size];
                let expected = [&hex::decode("a2394f525a9b4f14a2446c427c648df4").unwrap(), payload].concat();
                assert!(fragment.windows(expected.len()).any(|window| window == expected), "{track} {index}");
                for gone in [b"saiz", b"saio", b"senc", b"tfdt", b"styp"] {
                    let head = &fragment[..fragment.len() - media_data(&fragment).len()];
                    assert!(!head.windows(4).any(|window| window == gone), "{track} {index}");
                }
            }
        }
    }
}

#[test]
fn the_right_key_alone_gives_the_clear_samples() {
    let renditions = Renditions::encode(&CLIP);
    let clear = renditions.smooth("clear", &renditions.cmaf("cmaf-clear", 2, false), None);
    let protection = protection();
    let cmaf = renditions.cmaf("cmaf-cenc", 2, true);
    let encrypted = renditions.smooth("encrypted", &cmaf, Some(&protection));
    let (clear_manifest, manifest) = (manifest(&clear), manifest(&encrypted));
    assert_eq!(manifest.playready_object.as_deref(), Some(&b"a PlayReady Object"[..]));
    assert_eq!(manifest.duration, clear_manifest.duration);
    let wrong = ContentKey { key: Secret::new([7; 16]), ..key() };
    for (clear_stream, stream) in clear_manifest.streams.iter().zip(&manifest.streams) {
        assert_eq!(clear_stream.chunks, stream.chunks);
        for level in 0..stream.levels.len() {
            assert_eq!(clear_stream.levels[level].format, stream.levels[level].format);
            let expected = samples(&clear, clear_stream, level, None);
            assert_eq!(samples(&encrypted, stream, level, Some(&key())), expected);
            for other in [None, Some(&wrong)] {
                let found = samples(&encrypted, stream, level, other);
                let pairs = || expected.iter().zip(&found);
                // A picture may be so small that nothing but its slice's header is there, which stays clear.
                let same = pairs().filter(|(one, other)| one.payload == other.payload).count();
                assert!(same * 20 < found.len(), "{same} of {} in {}", found.len(), stream.name);
                assert!(pairs().all(|(one, other)| {
                    (one.presentation_time, one.is_idr) == (other.presentation_time, other.is_idr)
                }));
            }
            let fragments = fragments(&encrypted, stream, level, None);
            assert!(fragments.iter().all(|fragment| fragment.is_encrypted));
        }
    }
    let (stream, level) = (&clear_manifest.streams[0], &clear_manifest.streams[0].levels[0]);
    let bytes = fs_err::read(clear.join(stream.path(level, stream.chunks[0]))).unwrap();
    let refused = Reader::new(&level.format, Some(&key())).read(stream.chunks[0], &bytes).unwrap_err();
    assert!(refused.place.contains("sample encryption"), "{refused}");
}

#[test]
fn equal_inputs_give_equal_bytes_and_progress_counts_them() {
    let renditions = Renditions::encode(&CLIP);
    let cmaf = renditions.cmaf("cmaf", 4, false);
    let one = renditions.smooth("one", &cmaf, None);
    let mut seen = Vec::new();
    let other = renditions.path("deeper/other");
    package(&renditions.input(&cmaf, None), &other, |done| seen.push(done)).unwrap();
    assert!(files(&one) == files(&other));
    let segments: u64 = files(&cmaf)
        .iter()
        .filter(|(path, _)| path.extension().is_some_and(|extension| extension == "m4s"))
        .map(|(_, bytes)| bytes.len() as u64)
        .sum();
    assert!(seen.is_sorted());
    assert_eq!((seen.len(), seen.last()), (12, Some(&segments)));
}

/// Rates whose frames no tick of 10 MHz divides: nothing drifts against the renditions' own times.
#[test]
fn awkward_rates_keep_their_times() {
    for (frame_rate, sample_rate) in [(23, 44_100), (30, 48_000), (50, 44_100)] {
        let clip = Clip {
            frame_rate,
            frame_count: u64::from(frame_rate) * 9,
            sample_rate,
            pictures: &[Picture { name: "108p", width: 192, height: 108, b_frames: 3 }],
            sounds: &[Sound { id: "audio-und", language: "und", layout: ChannelLayout::Stereo }],
            ..CLIP
        };
        let renditions = Renditions::encode(&clip);
        let folder = renditions.smooth("smooth", &renditions.cmaf("cmaf", 2, false), None);
        let manifest = manifest(&folder);
        assert_eq!(manifest.streams[1].language.as_deref(), Some("und"));
        let starts: Vec<_> = manifest.streams[0].chunks.iter().map(|chunk| chunk.time).collect();
        assert_eq!(starts, [0, 20_000_000, 40_000_000, 60_000_000, 80_000_000]);
        let delay = samples(&folder, &manifest.streams[0], 0, None)[0].presentation_time as i64;
        for (stream, name) in manifest.streams.iter().zip(["108p", "audio-und"]) {
            let times = rendition_times(&renditions.file(name));
            for (sample, time) in samples(&folder, stream, 0, None).iter().zip(&times) {
                let presented = (sample.presentation_time as i64 - delay) as f64 / 1e7;
                // FFmpeg states times in microseconds.
                assert!((presented - time).abs() < 2e-6, "{name}: {presented} for {time}");
            }
        }
    }
}

#[test]
fn real_clips_are_made_too() {
    let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/media/bigbuckbunny.mp4");
    let clip_sounds = Clip { frame_count: 132, pictures: &[], ..CLIP };
    let mut renditions = Renditions::encode(&Clip { sounds: &CLIP.sounds[..1], ..clip_sounds });
    let file = renditions.file("360p");
    ffmpeg(
        &[
            &["-i", clip.to_str().unwrap(), "-an", "-vf", "scale=640:360", "-c:v", "libx264"][..],
            &["-preset", "veryfast", "-pix_fmt", "yuv420p", "-force_key_frames", "expr:gte(t,n_forced*2)"],
            &["-x264-params", "open-gop=0:keyint=50", file.to_str().unwrap()],
        ]
        .concat(),
    );
    renditions.video.push(reelfarm_model::task::VideoRendition {
        name: "360p".into(),
        codec: reelfarm_model::ladder::VideoCodec::H264,
        artifact: renditions.audio[0].artifact,
        width: 640,
        height: 360,
        frame_rate: 25,
        frame_count: 132,
    });
    let folder = renditions.smooth("smooth", &renditions.cmaf("cmaf", 2, false), None);
    let manifest = manifest(&folder);
    let pictures = samples(&folder, &manifest.streams[0], 0, None);
    assert_eq!(pictures.len(), 132);
    let distinct: BTreeSet<_> = pictures.iter().map(|sample| sample.presentation_time).collect();
    assert_eq!(distinct.len(), 132);
}

#[test]
fn a_rendition_that_is_planned_otherwise_is_noticed() {
    let mut renditions = Renditions::encode(&CLIP);
    let cmaf = renditions.cmaf("cmaf", 2, false);
    renditions.video[1].frame_count += 1;
    let error = package(&renditions.input(&cmaf, None), &renditions.path("out"), |_| {}).unwrap_err();
    assert!(error.to_string().ends_with("video-108p: segments: it has 275 pictures of 276"), "{error}");
    renditions.video[0].width = 322;
    let error = package(&renditions.input(&cmaf, None), &renditions.path("out"), |_| {}).unwrap_err();
    let SmoothError::Media { file, malformed } = &error else { panic!("{error}") };
    assert!(file.ends_with("video-180p/init.mp4") && malformed.place.ends_with("stsd"), "{error}");
}
