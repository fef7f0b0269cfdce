//! Measurements.

use std::os::fd::OwnedFd;

use reelfarm_media::measure;
use reelfarm_model::measurement::sound::Position;
use reelfarm_model::measurement::{GridFit, OpenErrorKind, Ratio, VideoMeasurement};
use rustix::fs::inotify;

use crate::support::{Workspace, measured, probe, real_clip};

fn best_grid(video: &VideoMeasurement) -> GridFit {
    *video.grid.iter().min_by(|a, b| a.largest_deviation.total_cmp(&b.largest_deviation)).unwrap()
}

#[test]
fn real_clips_measure_as_what_they_are() {
    for (name, frames, rate, audio) in [
        ("bigbuckbunny.mp4", 132, Ratio::new(25, 1), vec!["5.1"]),
        ("bikes.mp4", 250, Ratio::new(25, 1), vec![]),
        ("carphone_pristine.mp4", 120, Ratio::new(30_000, 1001), vec![]),
        ("car-detection.mp4", 377, Ratio::new(25, 2), vec!["stereo"]),
        ("svt_8mono_720p50.mp4", 500, Ratio::new(50, 1), vec!["mono"; 8]),
    ] {
        let measurements = measured(&real_clip(name));
        let video = &measurements.video[0];
        assert_eq!(
            (measurements.video.len(), video.frames, video.header_frames),
            (1, frames, Some(frames)),
            "{name}"
        );
        let grid = best_grid(video);
        assert_eq!(grid.rate, rate, "{name}");
        assert!(grid.largest_deviation < 0.001, "{name}: {grid:?}");
        let layouts: Vec<_> = measurements.audio.iter().map(|audio| audio.layout.as_str()).collect();
        assert_eq!(layouts, audio, "{name}");
        assert_eq!(
            (video.decode_errors, measurements.read_errors, video.backward_times),
            (0, 0, 0),
            "{name}"
        );
        assert!(
            measurements.audio.iter().all(|audio| audio.samples > 0 && audio.decode_errors == 0),
            "{name}"
        );
        assert_eq!(measurements.open_error, None);
    }
}

#[test]
fn every_field_is_filled() {
    let workspace = Workspace::new();
    let source = workspace.make(
        "whole.mp4",
        "-f lavfi -i testsrc2=s=160x96:r=50:d=2 -f lavfi -i sine=r=44100:d=2 -filter_complex \
         [0:v]tinterlace=interleave_top,setfield=tff,setsar=16/15[v];[1:a]volume=-6dB[a] -map [v] -map [a] \
         -c:v libx264 -preset ultrafast -flags +ilme+ildct -x264opts tff=1 -g 10 -pix_fmt yuv420p -color_range tv \
         -colorspace smpte170m -color_primaries bt470bg -color_trc smpte170m -c:a flac -strict -2 \
         -metadata:s:a language=deu",
    );
    let measurements = measured(&source);
    assert_eq!(measurements.size, fs_err::metadata(&source).unwrap().len());
    assert_eq!(measurements.container, "mov,mp4,m4a,3gp,3g2,mj2");
    assert!((measurements.header_duration.unwrap() - 2.0).abs() < 0.05);
    let video = &measurements.video[0];
    assert_eq!((video.codec.as_str(), video.width, video.height), ("h264", 160, 96));
    assert_eq!((video.pixel_format.as_str(), video.bit_depth, video.rotation), ("yuv420p", 8, 0));
    assert_eq!(video.sample_aspect, Ratio::new(16, 15));
    assert_eq!((video.frames, video.interlaced_frames, video.top_field_first_frames), (50, 50, 50));
    assert_eq!((video.key_frames, video.format_changes, video.missing_times), (5, 0, 0));
    assert!((video.longest_key_frame_distance - 0.4).abs() < 1e-6);
    assert_eq!(video.key_frame_times, [0.0, 0.4, 0.8, 1.2, 1.6]);
    let bits: f64 =
        video.bitrate.values.iter().map(|rate| f64::from(rate.unwrap()) * video.bitrate.step).sum();
    assert!((bits - video.bytes as f64 * 8.0).abs() < 0.01 * bits, "{bits} {}", video.bytes);
    assert_eq!((video.bitrate.start, video.bitrate.values.len(), video.gaps.count), (0.0, 2, 0));
    assert_eq!(video.picture.as_ref().map(|picture| picture.frames), Some(50));
    assert!(video.fields.is_some());
    assert!((video.last_time - video.first_time - 49.0 / 25.0).abs() < 1e-6);
    assert_eq!(best_grid(video).rate, Ratio::new(25, 1));
    assert_eq!((video.intervals.len(), video.intervals[0].count), (1, 49));
    assert_eq!(video.average_frame_rate, Ratio::new(25, 1));
    assert!(video.bytes > 0);
    let colour = &video.colour;
    assert_eq!(
        [&colour.range, &colour.primaries, &colour.transfer, &colour.matrix],
        ["tv", "bt470bg", "smpte170m", "smpte170m"]
    );
    let audio = &measurements.audio[0];
    assert_eq!((audio.codec.as_str(), audio.sample_rate, audio.channels), ("flac", 44_100, 1));
    assert_eq!((audio.layout.as_str(), audio.language.as_deref()), ("mono", Some("deu")));
    assert_eq!(audio.samples, 88_200);
    assert!((audio.end_time - audio.first_time - 2.0).abs() < 1e-6);
    // The sine filter's sound peaks at an eighth of full scale.
    let peak = audio.peak_dbfs.unwrap();
    assert!((peak - (20.0 * 0.125f64.log10() - 6.0)).abs() < 0.1, "{peak}");
    assert!(audio.bytes > 0);
    let sound = audio.sound.as_ref().unwrap();
    assert_eq!(
        (sound.samples, sound.channels[0].position, audio.first_decode_error),
        (88_200, Position::Mono, None)
    );
    assert!((sound.channels[0].peak_dbfs.unwrap() - peak).abs() < 1e-3);
}

#[test]
fn a_turned_picture_is_measured_with_its_turn() {
    let workspace = Workspace::new();
    let plain = workspace
        .make("plain.mp4", "-f lavfi -i testsrc2=s=160x96:r=25:d=0.4 -c:v libx264 -preset ultrafast");
    let mut turns: Vec<_> = ["0", "90", "180", "270"]
        .iter()
        .map(|turn| {
            let turned = workspace
                .make("turned.mp4", &format!("-i {} -c copy -metadata:s:v rotate={turn}", plain.display()));
            // What FFmpeg's own players turn by, counter-clockwise, from the file's display matrix.
            let matrix = probe(&turned, "-show_entries stream_side_data=rotation");
            let counter_clockwise: i32 = matrix.first().map_or(0, |line| line.parse().unwrap());
            let rotation = measured(&turned).video[0].rotation;
            assert_eq!(rotation, (-counter_clockwise).rem_euclid(360).unsigned_abs(), "rotate={turn}");
            rotation
        })
        .collect();
    turns.sort_unstable();
    assert_eq!(turns, [0, 90, 180, 270]);
}

#[test]
fn covers_and_subtitles_are_no_video_tracks() {
    let workspace = Workspace::new();
    let cover = workspace.make("cover.png", "-f lavfi -i testsrc2=s=64x64 -frames:v 1");
    let text = workspace.path("text.srt");
    fs_err::write(&text, "1\n00:00:00,000 --> 00:00:01,000\nHello\n").unwrap();
    let source = workspace.make(
        "covered.mkv",
        &format!(
            "-f lavfi -i testsrc2=s=160x96:r=25:d=1 -i {} -map 0:v -map 1 -c:v libx264 -preset ultrafast -c:s srt \
             -attach {} -metadata:s:t mimetype=image/png",
            text.display(),
            cover.display()
        ),
    );
    let measurements = measured(&source);
    assert_eq!(measurements.video.len(), 1);
    assert_eq!(measurements.other, [(2, "cover".to_owned())]);
    assert_eq!((measurements.subtitles.len(), measurements.subtitles[0].index), (1, 1));
    assert_eq!(measurements.header_duration.map(f64::round), Some(1.0));
}

#[test]
fn times_are_on_the_containers_timeline() {
    let workspace = Workspace::new();
    let source = workspace.make(
        "late.ts",
        "-f lavfi -i testsrc2=s=160x96:r=25:d=2 -itsoffset 0.5 -f lavfi -i sine=r=48000:d=1 -c:v libx264 -preset ultrafast \
         -c:a mp2 -output_ts_offset 100",
    );
    let measurements = measured(&source);
    let (video, audio) = (&measurements.video[0], &measurements.audio[0]);
    assert!(video.first_time > 100.0 && video.first_time < 103.0, "{}", video.first_time);
    assert!((audio.first_time - video.first_time - 0.5).abs() < 0.03, "{}", audio.first_time);
    assert_eq!(measurements.read_errors, 0);
    // A transport stream has no header that states a duration.
    assert_eq!(measurements.header_duration, None);
}

#[test]
fn a_variable_frame_rate_fits_no_grid() {
    let workspace = Workspace::new();
    let source = workspace.make(
        "variable.mp4",
        "-f lavfi -i testsrc2=s=160x96:r=25:d=4 -vf select='not(eq(mod(n,7),3))' -vsync vfr -c:v libx264 -preset ultrafast",
    );
    let video = measured(&source).video.remove(0);
    assert!(best_grid(&video).largest_deviation > 0.02, "{:?}", best_grid(&video));
    assert_eq!(video.intervals.len(), 2);
}

#[test]
fn a_truncated_film_is_short_and_measures_the_same_each_time() {
    let workspace = Workspace::new();
    let whole = workspace.make(
        "whole.mp4",
        "-f lavfi -i testsrc2=s=320x180:r=25:d=4 -f lavfi -i sine=r=48000:d=4 -c:v libx264 -preset ultrafast -bf 2 -c:a aac \
         -movflags +faststart",
    );
    let mut bytes = fs_err::read(&whole).unwrap();
    bytes.truncate(bytes.len() * 6 / 10);
    let cut = workspace.path("cut.mp4");
    fs_err::write(&cut, bytes).unwrap();
    let first = measured(&cut);
    let video = &first.video[0];
    assert!(video.frames > 40 && video.frames < 80, "{} frames", video.frames);
    assert_eq!(video.header_frames, Some(100));
    assert!((first.header_duration.unwrap() - 4.0).abs() < 0.1);
    assert!(first.read_errors > 0);
    assert!(!first.error_lines.is_empty());
    assert!(first.error_lines.iter().all(|line| !line.contains("@ 0x")), "{:?}", first.error_lines);
    for _ in 0..3 {
        assert_eq!(measured(&cut), first);
    }
}

#[test]
fn damage_in_the_middle_is_counted_the_same_each_time() {
    let workspace = Workspace::new();
    let whole = workspace.make(
        "whole.mp4",
        "-f lavfi -i testsrc2=s=320x180:r=25:d=4,noise=alls=20:allf=t -c:v libx264 -preset veryfast -bf 2 -g 25",
    );
    let mut bytes = fs_err::read(&whole).unwrap();
    let (from, to) = (bytes.len() / 2, bytes.len() / 2 + 6000);
    for byte in bytes[from..to].iter_mut().step_by(5) {
        *byte ^= 0x5a;
    }
    let damaged = workspace.path("damaged.mp4");
    fs_err::write(&damaged, bytes).unwrap();
    let first = measured(&damaged);
    let video = &first.video[0];
    assert!(video.decode_errors > 0, "{video:?}");
    let at = video.first_decode_error.unwrap();
    assert!(at > 0.5 && at < 3.5, "{at}");
    for _ in 0..5 {
        assert_eq!(measured(&damaged), first);
    }
}

#[test]
fn what_is_no_media_file_is_a_finding() {
    let workspace = Workspace::new();
    let noise: Vec<u8> =
        (0..100_000u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for (name, bytes, kind) in [
        ("empty.mp4", Vec::new(), OpenErrorKind::NotMedia),
        ("random.mp4", noise, OpenErrorKind::NotMedia),
        ("text.mp4", b"This is a text, and no film.\n".repeat(100), OpenErrorKind::NotMedia),
        (
            "subtitles.mp4",
            b"1\n00:00:00,000 --> 00:00:01,000\nHello\n".to_vec(),
            OpenErrorKind::FormatNotAllowed,
        ),
        ("list.mp4", b"ffconcat version 1.0\nfile other.ts\n".to_vec(), OpenErrorKind::FormatNotAllowed),
        (
            "header.mp4",
            b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41\0\0\0\x08free".to_vec(),
            OpenErrorKind::NotMedia,
        ),
    ] {
        let path = workspace.path(name);
        fs_err::write(&path, &bytes).unwrap();
        let measurements = measured(&path);
        let refusal = measurements.open_error.clone().unwrap();
        assert_eq!(refusal.kind, kind, "{name}: {}", refusal.detail);
        // Not only the name of the function that failed.
        assert!(refusal.detail.len() > 20 && !refusal.detail.starts_with([' ', '(']), "{:?}", refusal.detail);
        assert_eq!(measurements.size, bytes.len() as u64);
        assert!(
            measurements.video.is_empty()
                && measurements.audio.is_empty()
                && measurements.container.is_empty()
        );
    }
    let image = workspace.make("image.png", "-f lavfi -i testsrc2=s=64x64 -frames:v 1");
    assert_eq!(measured(&image).open_error.unwrap().kind, OpenErrorKind::FormatNotAllowed);
}

#[test]
fn a_playlist_named_mp4_opens_no_other_file() {
    let workspace = Workspace::new();
    let secret =
        workspace.make("secret.ts", "-f lavfi -i testsrc2=s=64x64:r=25:d=1 -c:v libx264 -preset ultrafast");
    let playlist = workspace.path("playlist.mp4");
    let text =
        format!("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:{}\n#EXT-X-ENDLIST\n", secret.display());
    fs_err::write(&playlist, text).unwrap();
    let watch = inotify::init(inotify::CreateFlags::NONBLOCK).unwrap();
    inotify::add_watch(&watch, &secret, inotify::WatchFlags::OPEN).unwrap();
    assert_eq!(measured(&playlist).open_error.unwrap().kind, OpenErrorKind::FormatNotAllowed);
    assert_eq!(opened(&watch), 0, "the playlist's entry was opened");
    // The watch does see an opening.
    drop(fs_err::File::open(&secret).unwrap());
    assert_eq!(opened(&watch), 1);
}

#[test]
fn a_film_that_refers_to_another_file_for_its_samples_does_not_open_it() {
    let workspace = Workspace::new();
    let film =
        workspace.make("film.mov", "-f lavfi -i testsrc2=s=64x64:r=25:d=1 -c:v libx264 -preset ultrafast");
    let secret = workspace.path("secret");
    fs_err::copy(&film, &secret).unwrap();
    // The data reference says "in this file" (an empty `url ` box with flag 1): make it an alias to the other file.
    let mut bytes = fs_err::read(&film).unwrap();
    let at = bytes.windows(8).position(|window| window == b"dref\0\0\0\0").unwrap();
    let entry = at + 12;
    assert_eq!(&bytes[entry + 4..entry + 8], b"url ");
    bytes[entry + 4..entry + 8].copy_from_slice(b"alis");
    bytes[entry + 11] = 0;
    fs_err::write(&film, bytes).unwrap();
    let watch = inotify::init(inotify::CreateFlags::NONBLOCK).unwrap();
    inotify::add_watch(&watch, &secret, inotify::WatchFlags::OPEN).unwrap();
    measured(&film);
    assert_eq!(opened(&watch), 0);
}

/// Openings that the watch has seen since it was asked last.
fn opened(watch: &OwnedFd) -> usize {
    let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
    let mut reader = inotify::Reader::new(watch, &mut buffer);
    std::iter::from_fn(|| reader.next().ok().map(|_| ())).count()
}

#[test]
fn a_missing_file_and_a_folder_are_errors_that_name_them() {
    let workspace = Workspace::new();
    let missing = measure(&workspace.path("missing.mp4"), &mut |_| ()).unwrap_err();
    assert!(missing.to_string().contains("missing.mp4"), "{missing}");
    assert_eq!(missing.failure().code, reelfarm_model::Code::SourceNotFound);
    let folder = measure(&workspace.path(""), &mut |_| ()).unwrap_err();
    assert_eq!(folder.failure().code, reelfarm_model::Code::SourceNotAFile, "{folder}");
}

#[test]
fn names_that_look_like_addresses_and_patterns_are_plain_files() {
    let workspace = Workspace::new();
    let plain =
        workspace.make("plain.mp4", "-f lavfi -i testsrc2=s=64x64:r=25:d=0.2 -c:v libx264 -preset ultrafast");
    for name in ["concat:a|b.mp4", "http:x.mp4", "%03d.jpg", "ü ,'\"\\.mp4", "-i.mp4"] {
        let path = workspace.path(name);
        fs_err::copy(&plain, &path).unwrap();
        assert_eq!(measured(&path).video[0].frames, 5, "{name}");
    }
}
