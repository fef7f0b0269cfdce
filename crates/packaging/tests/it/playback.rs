//! Real players play every profile to its end.

use std::process::{Command, Output};

use reelfarm_packaging::layout;

use crate::server::serve;
use crate::title::{FRAMES, Title, profiles};

/// Runs a player for at most a minute.
fn play(program: &str, arguments: &[&str]) -> Output {
    Command::new("timeout").args(["--kill-after=5", "60", program]).args(arguments).output().unwrap()
}

#[test]
fn ffmpeg_plays_every_profile_to_the_end() {
    let title = Title::encode();
    let server = serve(&title.origin());
    for profile in profiles() {
        title.publish(&profile);
        let manifest = layout::manifest_path(&profile, &Title::media_path(&profile));
        for url in
            [format!("http://{server}/{manifest}"), title.origin().join(&manifest).display().to_string()]
        {
            // From the disk, FFmpeg's DASH reader takes no file called `.vtt` unless it is told to.
            let is_local_mpd = url.ends_with(".mpd") && !url.starts_with("http");
            let reading: &[&str] = if is_local_mpd { &["-allowed_extensions", "ALL"] } else { &[] };
            let decoding =
                ["-i", &url, "-map", "0:v:0", "-map", "0:a:0", "-f", "null", "-progress", "pipe:1", "-"];
            let output = play("ffmpeg", &[&["-nostdin", "-v", "error"], reading, &decoding].concat());
            let (progress, errors) =
                (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            assert!(output.status.success() && errors.is_empty(), "{url}: {errors}");
            let last = |key: &str| {
                progress.lines().rev().find_map(|line| line.strip_prefix(key)).unwrap().to_owned()
            };
            assert_eq!(last("frame=").trim(), FRAMES.to_string(), "{url}");
            let end: u64 = last("out_time_us=").parse().unwrap();
            assert!((10_950_000..=11_150_000).contains(&end), "{url}: {end}");
        }
    }
}

#[test]
fn gstreamer_plays_every_profile_to_the_end() {
    let title = Title::encode();
    let server = serve(&title.origin());
    for profile in profiles() {
        title.publish(&profile);
        let manifest = layout::manifest_path(&profile, &Title::media_path(&profile));
        let uri = format!("uri=http://{server}/{manifest}");
        let output = play(
            "gst-launch-1.0",
            &[
                "-v",
                "playbin",
                &uri,
                "video-sink=fakesink name=picture silent=false sync=false",
                "audio-sink=fakesink sync=false",
            ],
        );
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {errors}", profile.id);
        assert!(text.contains("Got EOS from element \"playbin0\""), "{}: {text}", profile.id);
        let frames = text.lines().filter(|line| line.contains("picture: last-message = chain")).count();
        assert_eq!(frames as u64, FRAMES, "{}: {errors}", profile.id);
    }
}
