//! Files that were cut off or damaged on their way, and what only looks so.

use std::path::{Path, PathBuf};
use std::process::Command;

use reelfarm_model::Code;
use reelfarm_model::qc::Verdict;

use super::{Film, clean, table, warned};
use crate::judge::{Clips, assert_faults, assert_found_at, check, complaints, judged};
use crate::support::tool;

/// A copy of a file that is bent.
fn bent(clips: &Clips, name: &str, path: &Path, bend: impl FnOnce(&mut Vec<u8>)) -> PathBuf {
    let mut bytes = fs_err::read(path).unwrap();
    bend(&mut bytes);
    let bent = clips.path(&format!("bent-{name}"));
    fs_err::write(&bent, bytes).unwrap();
    bent
}

const MPEG2: &str = "-c:v mpeg2video -q:v 3 -g 12 -bf 0";

#[test]
fn a_file_that_was_cut_off_is_incomplete_in_every_container_that_says_how_long_it_is() {
    let clips = Clips::new();
    for film in [
        Film::new("h264.mp4", 4.0).filed("-movflags +faststart"),
        Film::new("prores.mov", 4.0).coded("-c:v prores_ks -profile:v 0").filed("-movflags +faststart"),
        Film::new("h264.mkv", 4.0),
        Film::new("vp8.webm", 4.0)
            .coded("-c:v libvpx -deadline realtime -cpu-used 8 -b:v 2M")
            .sounding("-c:a libopus"),
        Film::new("mpeg-2.mxf", 4.0).coded(MPEG2),
        Film::new("mjpeg.avi", 4.0).coded("-c:v mjpeg -q:v 3 -pix_fmt yuvj420p"),
    ] {
        let path = film.make(&clips);
        for part in [0.55, 0.8] {
            let cut =
                bent(&clips, &film.name, &path, |bytes| bytes.truncate((bytes.len() as f64 * part) as usize));
            let report = judged(&cut);
            let found = check(&report, "completeness");
            assert_eq!(found.verdict, Verdict::Reject, "{} at {part}: {:#?}", film.name, complaints(&report));
        }
        let whole = judged(&path);
        assert_eq!(check(&whole, "completeness").verdict, Verdict::Pass, "{}", film.name);
    }
}

#[test]
fn a_film_may_begin_late() {
    // Headers count from zero.
    let late = |name: &str| (Film::new(name, 4.0).filed("-output_ts_offset 1.5"), clean());
    table([late("late.mp4"), late("late.mov"), late("late.mkv"), late("late.ts")]);
}

#[test]
fn half_of_a_film_that_begins_late_is_incomplete() {
    let clips = Clips::new();
    for (name, options) in [("late.mp4", "-movflags +faststart"), ("late.mkv", "")] {
        let film = Film::new(name, 4.0).filed(&format!("{options} -output_ts_offset 1.5"));
        let cut = bent(&clips, name, &film.make(&clips), |bytes| bytes.truncate(bytes.len() / 2));
        let report = judged(&cut);
        let found = check(&report, "completeness");
        assert_eq!(found.verdict, Verdict::Reject, "{name}: {:#?}", complaints(&report));
    }
}

#[test]
fn a_chapter_may_outlive_the_film() {
    let clips = Clips::new();
    let film = Film::new("film.mp4", 4.0).make(&clips);
    let chapters = clips.path("chapters.txt");
    let chapter = |start: u32, end: u32| {
        format!("[CHAPTER]\nTIMEBASE=1/1000\nSTART={start}\nEND={end}\ntitle=From {start}\n")
    };
    let text = format!(";FFMETADATA1\n{}{}", chapter(0, 2_000), chapter(2_000, 60_000));
    fs_err::write(&chapters, text).unwrap();
    let arguments = format!(
        "-i {} -f ffmetadata -i {} -map 0 -map_chapters 1 -c copy -movflags +faststart",
        film.display(),
        chapters.display()
    );
    let with_chapters = clips.make("chapters.mp4", &arguments);
    let report = judged(&with_chapters);
    let found = check(&report, "completeness");
    assert!(found.value.contains("of 00:01:00"), "the header counts the chapter: {found:#?}");
    assert_eq!(found.verdict, Verdict::Pass, "{:#?}", complaints(&report));
    assert_ne!(report.verdict, Verdict::Reject, "{:#?}", complaints(&report));
    let half = bent(&clips, "half.mp4", &with_chapters, |bytes| bytes.truncate(bytes.len() / 2));
    assert_eq!(check(&judged(&half), "completeness").verdict, Verdict::Reject);
}

#[test]
fn subtitles_that_stay_to_the_end_do_not_make_half_a_film_whole() {
    let clips = Clips::new();
    let film = Film::new("film.mkv", 4.0).make(&clips);
    let subtitles = clips.path("film.srt");
    fs_err::write(&subtitles, "1\n00:00:01,000 --> 00:00:04,000\nIt stays.\n").unwrap();
    let arguments =
        format!("-i {} -i {} -map 0 -map 1 -c copy -c:s srt", film.display(), subtitles.display());
    let subtitled = clips.make("subtitled.mkv", &arguments);
    assert_eq!(check(&judged(&subtitled), "completeness").verdict, Verdict::Pass);
    let half = bent(&clips, "half.mkv", &subtitled, |bytes| bytes.truncate(bytes.len() / 2));
    let report = judged(&half);
    let found = check(&report, "completeness");
    assert_eq!(found.verdict, Verdict::Reject, "{:#?}", complaints(&report));
    assert!(found.value.contains("read error"), "{found:#?}");
}

#[test]
fn junk_after_the_end_and_a_trimmed_head_are_no_damage() {
    let clips = Clips::new();
    let film = Film::new("film.mp4", 4.0).with("-g 25").make(&clips);
    let junk = bent(&clips, "junk.mp4", &film, |bytes| bytes.extend(free_box(5_000)));
    assert_faults("junk.mp4", &judged(&junk), &clean());
    // Frames before the first one are kept, and hidden.
    let trimmed = clips.make("trimmed.mp4", &format!("-ss 1.2 -i {} -c copy", film.display()));
    let report = judged(&trimmed);
    assert_ne!(report.verdict, Verdict::Reject, "{:#?}", complaints(&report));
}

#[test]
fn a_header_that_states_another_picture_or_sound_is_found() {
    let clips = Clips::new();
    let film = Film::new("film.mp4", 2.0).make(&clips);
    let size = bent(&clips, "size.mp4", &film, |bytes| {
        // The last one, for it is a brand of the file as well; behind it and 24 bytes width and height. ISO/IEC 14496-12,
        // 12.1.3.2.
        let at = bytes.windows(4).rposition(|window| window == b"avc1").unwrap() + 4 + 24;
        assert_eq!(bytes[at..at + 4], [426_u16.to_be_bytes(), 240_u16.to_be_bytes()].concat());
        bytes[at..at + 2].copy_from_slice(&640_u16.to_be_bytes());
    });
    let film = Film::new("film.mkv", 2.0).sounding("-c:a flac").make(&clips);
    let rate = bent(&clips, "rate.mkv", &film, |bytes| {
        // SamplingFrequency, of eight bytes. RFC 9559, 5.1.4.1.29.1.
        let stated = |rate: f64| [&[0xB5, 0x88][..], &rate.to_be_bytes()].concat();
        let at = bytes.windows(10).position(|window| window == stated(48_000.0)).unwrap();
        bytes[at..at + 10].copy_from_slice(&stated(44_100.0));
    });
    for (path, value) in
        [(size, "640x240 stated, 426x240 decoded"), (rate, "44100 Hz stated, 48000 Hz decoded")]
    {
        let report = judged(&path);
        let found = check(&report, "header");
        assert_eq!((found.code, found.verdict), (Code::QcHeader, Verdict::Warn), "{found:#?}");
        assert!(found.value.contains(value), "{found:#?}");
    }
}

#[test]
fn an_edit_list_that_hides_the_end_is_found() {
    let clips = Clips::new();
    let film = Film::new("film.mp4", 4.0).with("-g 25").make(&clips);
    assert!(judged(&film).checks.iter().all(|check| check.name != "edit list"));
    let hidden = bent(&clips, "hidden.mp4", &film, |bytes| {
        // Behind its kind, its version and its count: for how long the first track is shown, in milliseconds.
        let at = bytes.windows(4).position(|window| window == b"elst").unwrap() + 12;
        bytes[at..at + 4].copy_from_slice(&2_000_u32.to_be_bytes());
    });
    let report = judged(&hidden);
    let found = check(&report, "edit list");
    assert_eq!((found.code, found.verdict), (Code::QcEditList, Verdict::Warn), "{found:#?}");
    assert!(found.value.contains("50 frames hidden"), "{found:#?}");
    let late = judged(&Film::new("late.mp4", 4.0).filed("-output_ts_offset 1.5").make(&clips));
    let found = check(&late, "edit list");
    assert!(found.verdict == Verdict::Pass && found.value.contains("1.5 s late"), "{found:#?}");
}

/// A box of an MP4 file in which there is nothing.
fn free_box(length: u32) -> Vec<u8> {
    let mut bytes = [&length.to_be_bytes()[..], b"free"].concat();
    bytes.resize(length as usize, 0);
    bytes
}

#[test]
fn much_of_a_file_is_picture_and_sound() {
    let clips = Clips::new();
    let film = Film::new("film.mp4", 2.0).make(&clips);
    let size = fs_err::metadata(&film).unwrap().len();
    let with_free = |percent: u64| {
        // A box is followed by another one that says nothing.
        let length = (size * percent / (100 - percent)).max(16);
        bent(&clips, "free.mp4", &film, |bytes| bytes.extend(free_box(u32::try_from(length).unwrap())))
    };
    assert!(size > 1_100_000, "{size}");
    assert_faults("52-percent.mp4", &judged(&with_free(52)), &warned(Code::QcFileSize, &[]));
    assert_faults("48-percent.mp4", &judged(&with_free(48)), &clean());
}

/// Where the packet of a track lies that is shown at a time, as offset and length.
fn packet(path: &Path, track: &str, seconds: f64) -> (usize, usize) {
    let mut probe = Command::new("ffprobe");
    probe.args([
        "-v",
        "error",
        "-select_streams",
        track,
        "-show_entries",
        "packet=pts_time,size,pos",
        "-of",
        "csv=p=0",
    ]);
    let listed = tool(probe.arg(path));
    let packets = listed.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(',').collect();
        let number = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok());
        Some((number(0)?, number(1)? as usize, number(2)? as usize))
    });
    let first = packets.clone().map(|(time, ..)| time).fold(f64::INFINITY, f64::min);
    let at = packets.min_by(|a, b| (a.0 - first - seconds).abs().total_cmp(&(b.0 - first - seconds).abs()));
    let (_, size, offset) = at.unwrap();
    (offset, size)
}

/// Codecs whose decoders notice: VP9 and AV1 have no checks, and decode whatever the bytes have become.
#[test]
fn a_damaged_packet_is_found_at_its_time() {
    let clips = Clips::new();
    for film in [
        Film::new("h264.mp4", 4.0).with("-g 25 -bf 2"),
        Film::new("h264.mkv", 4.0).with("-g 25"),
        Film::new("mpeg-2.ts", 4.0).coded(MPEG2),
        Film::new("mpeg-2.mxf", 4.0).coded(MPEG2),
        Film::new("prores.mov", 4.0).coded("-c:v prores_ks -profile:v 0"),
        Film::new("ffv1.mkv", 4.0).coded("-c:v ffv1 -level 3 -slicecrc 1 -pix_fmt yuv420p"),
    ] {
        let path = film.make(&clips);
        let (offset, size) = packet(&path, "v:0", 2.0);
        let damaged = bent(&clips, &film.name, &path, |bytes| {
            // A third of the way in, behind all headers.
            let from = offset + size / 3;
            bytes[from..from + (size / 3).min(2_000)].iter_mut().step_by(3).for_each(|byte| *byte ^= 0x5a);
        });
        let report = judged(&damaged);
        assert_found_at(&film.name, &report, "decoding", Verdict::Reject, 2.0);
    }
}

#[test]
fn damaged_sound_is_found_at_its_time() {
    let clips = Clips::new();
    for film in [
        Film::new("aac.mp4", 4.0),
        Film::new("flac.mkv", 4.0).sounding("-c:a flac"),
        Film::new("ac3.mkv", 4.0).sounding("-c:a ac3 -b:a 256k"),
    ] {
        let path = film.make(&clips);
        let (offset, size) = packet(&path, "a:0", 2.0);
        let damaged = bent(&clips, &film.name, &path, |bytes| {
            bytes[offset + size / 4..offset + size * 3 / 4].iter_mut().for_each(|byte| *byte ^= 0x5a);
        });
        let report = judged(&damaged);
        assert_found_at(&film.name, &report, "decoding", Verdict::Reject, 2.0);
    }
}
