//! Asks FFmpeg and Shaka Packager what they make of subtitles, and reads what FFmpeg makes of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::Command;

use reelfarm_packaging::subtitles::{Cue, Format, read, to_webvtt};
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
    let back = converted(folder.path(), &to_webvtt(&cues), "vtt", "srt");
    assert_eq!(read(&back).unwrap(), (Format::Srt, cues));
}

#[test]
fn the_packager_takes_what_is_written() {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/bin/packager");
    let packager = std::env::var_os("REELFARM_PACKAGER")
        .map(PathBuf::from)
        .unwrap_or_else(|| if built.exists() { built } else { PathBuf::from("packager") });
    let folder = TempDir::new().unwrap();
    let cues: Vec<_> = read(SRT.as_bytes()).unwrap().1.into_iter().take(2).collect();
    let input = folder.path().join("subtitles.vtt");
    fs_err::write(&input, to_webvtt(&cues)).unwrap();
    let run = Command::new(packager)
        .current_dir(folder.path())
        .arg("in=subtitles.vtt,stream=text,lang=en,init_segment=init.mp4,segment_template=$Number$.m4s")
        .args(["--segment_duration=2", "--mpd_output=manifest.mpd"])
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success() && log.lines().all(|line| !line.starts_with(['W', 'E', 'F'])), "{log}");
    // Three segments of two seconds, each with what is seen in it.
    for (number, text) in [(1, "Hello <i>there</i>"), (2, "2 &gt; 1\nčeština"), (3, "日本語, עברית")]
    {
        let segment = fs_err::read(folder.path().join(format!("{number}.m4s"))).unwrap();
        assert!(segment.windows(text.len()).any(|window| window == text.as_bytes()), "{number}: {text}");
    }
    assert!(!folder.path().join("4.m4s").exists());
}
