//! Asks FFmpeg what it makes of subtitles, and reads what it makes of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::process::Command;

use reelfarm_packaging::subtitles::{Cue, Format, read, track_files};
use tempfile::TempDir;

const SRT: &str = "1\n00:00:00,500 --> 00:00:01,999\nHello <i>there</i>\n\n\
    2\n00:00:02,000 --> 00:00:05,001\nTom & Jerry: 2 > 1\nčeština, 日本語, עברית\n\n\
    3\n01:59:59,040 --> 02:00:00,080\n<b>The end</b>\n";

fn converted(folder: &Path, text: &str, from: &str, to: &str) -> Vec<u8> {
    let (input, output) = (folder.join(format!("input.{from}")), folder.join(format!("output.{to}")));
    fs_err::write(&input, text).unwrap();
    let run = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y", "-i"])
        .args([&input, &output])
        .output()
        .unwrap();
    assert!(run.status.success() && run.stderr.is_empty(), "{}", String::from_utf8_lossy(&run.stderr));
    fs_err::read(output).unwrap()
}

fn times_and_text(cues: &[Cue]) -> Vec<(u64, u64, Vec<String>)> {
    let line = |line: &reelfarm_packaging::subtitles::Line| {
        line.spans().iter().map(|span| span.text.as_str()).collect()
    };
    cues.iter().map(|cue| (cue.start, cue.end, cue.lines.iter().map(line).collect())).collect()
}

#[test]
fn ffmpeg_and_this_crate_read_each_other() {
    let folder = TempDir::new().unwrap();
    let (format, cues) = read(SRT.as_bytes()).unwrap();
    assert_eq!((format, cues.len()), (Format::Srt, 3));
    for (to, expected) in [("vtt", Format::WebVtt), ("ttml", Format::Ttml), ("srt", Format::Srt)] {
        let (format, converted) = read(&converted(folder.path(), SRT, "srt", to)).unwrap();
        assert_eq!(format, expected);
        assert_eq!(times_and_text(&converted), times_and_text(&cues), "{to}");
    }
    let (_, whole) = track_files(SRT.as_bytes(), 7_300_000).unwrap().remove(0);
    let back = converted(folder.path(), std::str::from_utf8(&whole).unwrap(), "vtt", "srt");
    assert_eq!(read(&back).unwrap(), (Format::Srt, cues));
}
