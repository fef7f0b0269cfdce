//! Real players and readers: FFmpeg and GStreamer, each to the end of what it is given.

use std::path::Path;
use std::process::Command;

use super::tool;

/// From the disk, FFmpeg takes no segment called `.m4s` in HLS and no file called `.vtt` in DASH unless it is told to.
fn reader_options(manifest: &Path) -> &'static [&'static str] {
    if manifest.extension().is_some_and(|extension| extension == "m3u8" || extension == "mpd") {
        &["-allowed_extensions", "ALL"]
    } else {
        &[]
    }
}

/// Decodes the largest picture of a manifest or file with FFmpeg; returns the number of frames.
pub fn ffmpeg_frames(manifest: &Path) -> u64 {
    let text = tool(
        Command::new("ffprobe")
            .args(["-v", "error"])
            .args(reader_options(manifest))
            .args(["-select_streams", "v:0", "-count_frames"])
            .args(["-show_entries", "stream=nb_read_frames", "-of", "csv=p=0"])
            .arg(manifest),
    );
    let count = text.lines().find_map(|line| line.trim_matches([',', ' ']).parse().ok());
    count.unwrap_or_else(|| panic!("no frame count for {}: {text:?}", manifest.display()))
}

/// Packets of a file with one track: its frames of picture or sound.
pub fn packets(file: &Path) -> u64 {
    let text = tool(
        Command::new("ffprobe")
            .args([
                "-v",
                "error",
                "-count_packets",
                "-show_entries",
                "stream=nb_read_packets",
                "-of",
                "csv=p=0",
            ])
            .arg(file),
    );
    text.trim().trim_end_matches(',').parse().unwrap_or_else(|_| panic!("{}: {text:?}", file.display()))
}

/// Frames of a file's video, decrypted by FFmpeg with this key in hexadecimal, of which it must find nothing to complain.
pub fn frames_with_key(file: &Path, key: &str) -> u64 {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-decryption_key", key, "-count_frames", "-select_streams", "v:0"])
        .args(["-show_entries", "stream=nb_read_frames", "-of", "csv=p=0"])
        .arg(file)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.is_empty(), "{}: {errors}", file.display());
    String::from_utf8_lossy(&output.stdout).trim().trim_end_matches(',').parse().unwrap()
}

/// The same of the first segment of a track in CMAF: FFmpeg 5.1 fails on many segments at once.
pub fn decrypted_segment_frames(track: &Path, key: &str) -> u64 {
    let mut bytes = fs_err::read(track.join("init.mp4")).unwrap();
    bytes.extend(fs_err::read(track.join("1.m4s")).unwrap());
    let mut file = tempfile::Builder::new().suffix(".mp4").tempfile().unwrap();
    std::io::Write::write_all(&mut file, &bytes).unwrap();
    frames_with_key(file.path(), key)
}

/// Decodes every track of a manifest or file with FFmpeg, which must find nothing to complain of.
pub fn ffmpeg_plays(manifest: &Path) {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin"])
        .args(reader_options(manifest))
        .arg("-i")
        .arg(manifest)
        .args(["-map", "0:v", "-map", "0:a", "-f", "null", "-"])
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && words.is_empty(), "ffmpeg on {}: {words}", manifest.display());
}

/// The subtitles of a language at an MPD's address, as FFmpeg reads them, in SubRip. (From HLS it takes none.)
pub fn ffmpeg_subtitles(address: &str, language: &str) -> String {
    let track = format!("0:s:m:language:{language}");
    let mut command = Command::new("ffmpeg");
    tool(
        command.args(["-v", "error", "-nostdin", "-copyts", "-i", address, "-map", &track, "-f", "srt", "-"]),
    )
}

/// Decodes picture and sound at an address with FFmpeg, which must find nothing to complain of.
pub fn ffmpeg_plays_address(address: &str) {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-nostdin", "-i", address, "-map", "0:v", "-map", "0:a", "-f", "null", "-"]);
    let output = command.output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && words.is_empty(), "ffmpeg on {address}: {words}");
}

/// Plays an address to the end with GStreamer's playbin, as fast as it can.
pub fn gstreamer_plays(address: &str) {
    tool(Command::new("timeout").args(["--kill-after=5", "90", "gst-launch-1.0", "-q", "playbin"]).args([
        &format!("uri={address}"),
        "video-sink=fakesink sync=false",
        "audio-sink=fakesink sync=false",
    ]));
}

/// Times of the key frames of a file's first video track, in seconds.
pub fn key_frame_times(file: &Path) -> Vec<f64> {
    let text = tool(
        Command::new("ffprobe")
            .args(["-v", "error", "-select_streams", "v:0"])
            .args(["-show_entries", "packet=pts_time,flags", "-of", "csv=p=0"])
            .arg(file),
    );
    let mut times: Vec<f64> = text
        .lines()
        .filter_map(|line| line.split_once(','))
        .filter(|(_, flags)| flags.starts_with('K'))
        .map(|(time, _)| time.parse().unwrap())
        .collect();
    times.sort_by(f64::total_cmp);
    times
}
