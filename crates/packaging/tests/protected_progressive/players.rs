//! What players make of protected files.

use std::path::Path;
use std::process::Command;

use reelfarm_packaging::protected_progressive::TrackProtection;

use crate::clip::{Clip, KEY, bodies, ffmpeg, key, other_key};

/// Hashes of all decoded frames with their times, as FFmpeg decodes the file with this key.
fn frames(file: &Path, key: Option<&str>) -> (String, String) {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error"]);
    if let Some(key) = key {
        command.args(["-decryption_key", key]);
    }
    let run = command.arg("-i").arg(file).args(["-map", "0", "-f", "framemd5", "-"]).output().unwrap();
    (String::from_utf8(run.stdout).unwrap(), String::from_utf8_lossy(&run.stderr).into_owned())
}

#[test]
fn the_right_key_alone_gives_the_frames_of_the_clear_file() {
    for clip in [
        Clip::generated(),
        Clip::real("bigbuckbunny.mp4", &["0:v", "0:a"]),
        Clip::real("svt_8mono_720p50.mp4", &["0:v", "0:a:0", "0:a:1", "0:a:7"]),
    ] {
        let protected = clip.protected();
        let (clear, errors) = frames(&clip.clear(), None);
        assert!(errors.is_empty() && clear.lines().count() > 100, "{errors}");
        assert_eq!(frames(&protected, Some(KEY)), (clear.clone(), String::new()));
        for wrong in [None, Some("0123456789abcdef0123456789abcdee")] {
            let (frames, errors) = frames(&protected, wrong);
            assert_ne!(frames, clear);
            assert!(!errors.is_empty());
        }
    }
}

#[test]
fn both_ways_to_the_vectors_lead_there() {
    let clip = Clip::generated();
    let (clear, _) = frames(&clip.clear(), None);
    let protected = fs_err::read(clip.protected()).unwrap();
    for hidden in [&["senc"][..], &["saiz", "saio"]] {
        let mut bytes = protected.clone();
        let header = bytes.len() - bodies(&protected, "mdat")[0].len();
        for kind in hidden {
            while let Some(at) = bytes[..header].windows(4).position(|window| window == kind.as_bytes()) {
                bytes[at..at + 4].copy_from_slice(b"free");
            }
        }
        let one_way = clip.path("one way.mp4");
        fs_err::write(&one_way, bytes).unwrap();
        assert_eq!(frames(&one_way, Some(KEY)), (clear.clone(), String::new()), "without {hidden:?}");
    }
}

#[test]
fn pictures_and_sound_may_have_keys_of_their_own() {
    let clip = Clip::generated();
    let (pictures, sound) = (key(), other_key());
    let protect = |track: usize| {
        let key = if track == 0 { &pictures } else { &sound };
        TrackProtection { key, vector: key.initialization_vector(&track.to_string()) }
    };
    let protected = clip.path("two keys.mp4");
    clip.protect(&protected, &[protect(0), protect(1), protect(2)], &[]).unwrap();
    let only = |file: &Path, key: &str, track: &str| {
        ffmpeg(&["-decryption_key", key, "-i", file.to_str().unwrap(), "-map", track, "-f", "framemd5", "-"])
    };
    for (track, key) in [("0:v", KEY), ("0:a:0", "08080808080808080808080808080808")] {
        assert_eq!(only(&protected, key, track), only(&clip.clear(), key, track));
    }
}

/// GStreamer 1.22 reads what is said of samples from fragments alone, so that it cannot decrypt progressive files, and
/// gives up at a `pssh` box without an element that decrypts for it. It must still see every sample, and how it is
/// encrypted.
#[test]
fn gstreamer_sees_every_sample_as_encrypted() {
    let clip = Clip::generated();
    let clear = demultiplexed(&clip.clear());
    let protected = demultiplexed(&clip.protected_with(&[]));
    for (sink, media) in [("pictures", "video/x-h264"), ("sound", "audio/mpeg")] {
        let lines = |text: &str, what: &str| {
            text.lines()
                .filter(|line| line.contains(&format!("{sink}{what}")))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let caps = &lines(&protected, ".GstPad:sink: caps")[0];
        assert!(caps.contains("application/x-cenc"), "{caps}");
        assert!(caps.contains(&format!("original-media-type=(string){media}")), "{caps}");
        // Sizes and times of the samples.
        let samples = |text: &str| {
            let chains = lines(text, ": last-message = chain");
            chains.iter().map(|line| line.split_once(" offset:").unwrap().0.to_owned()).collect::<Vec<_>>()
        };
        assert!(samples(&clear).len() > 70);
        assert_eq!(samples(&clear), samples(&protected));
    }
}

/// What GStreamer tells of the first two tracks.
fn demultiplexed(file: &Path) -> String {
    let run = Command::new("timeout")
        .args(["--kill-after=5", "60", "gst-launch-1.0", "-v", "filesrc"])
        .arg(format!("location={}", file.display()))
        .args("! qtdemux name=d".split(' '))
        .args("d.video_0 ! fakesink name=pictures silent=false async=false".split(' '))
        .args("d.audio_0 ! fakesink name=sound silent=false async=false".split(' '))
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8(run.stdout).unwrap()
}
