//! Files that were cut off or damaged on their way, and what only looks so.

use std::path::{Path, PathBuf};
use std::process::Command;

use reelfarm_model::Code;
use reelfarm_model::qc::Verdict;

use super::{Film, clean, warned};
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
