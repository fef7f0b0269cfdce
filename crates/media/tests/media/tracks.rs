//! Measurements of what tracks and their packets say.

use std::process::Command;

use reelfarm_model::Measurements;
use reelfarm_model::measurement::sampled::HdrMetadata;

use crate::support::{Workspace, measured, real_clip};

fn text_file(workspace: &Workspace, events: &[(&str, &str)]) -> String {
    let path = workspace.path("text.srt");
    let lines: String = events
        .iter()
        .enumerate()
        .map(|(index, (from, to))| format!("{}\n00:00:0{from} --> 00:00:0{to}\nText {index}\n\n", index + 1))
        .collect();
    fs_err::write(&path, lines).unwrap();
    path.display().to_string()
}

#[test]
fn subtitles_are_counted_with_what_overlaps() {
    let workspace = Workspace::new();
    let overlapping = [("0,000", "2,000"), ("1,500", "3,000"), ("3,000", "3,500"), ("4,000", "5,000")];
    let apart = [("0,500", "2,000"), ("2,000", "3,000"), ("4,000", "5,000")];
    for (name, codec, events, overlaps) in [
        ("overlap.mkv", "srt", &overlapping[..], &[(1.5, 2.0)][..]),
        ("overlap-ass.mkv", "ass", &overlapping[..], &[(1.5, 2.0)]),
        ("apart.mkv", "srt", &apart[..], &[]),
        ("apart.mp4", "mov_text", &apart[..], &[]),
    ] {
        let text = text_file(&workspace, events);
        let source = workspace.make(
            name,
            &format!(
                "-f lavfi -i testsrc2=s=160x96:r=25:d=6 -i {text} -map 0 -map 1 -c:v libx264 -preset ultrafast -c:s {codec} \
                 -metadata:s:s language=swe"
            ),
        );
        let measurements = measured(&source);
        let [subtitles] = measurements.subtitles.as_slice() else { panic!("{name}: {measurements:?}") };
        assert_eq!((subtitles.index, subtitles.language.as_deref()), (1, Some("swe")), "{name}");
        assert_eq!(subtitles.events, events.len() as u64, "{name}: {subtitles:?}");
        let found: Vec<_> = subtitles.overlaps.first.iter().map(|span| (span.start, span.end)).collect();
        assert_eq!((found.as_slice(), subtitles.overlaps.count), (overlaps, overlaps.len() as u64), "{name}");
        assert!((subtitles.end_time - 5.0).abs() < 0.002, "{name}: {subtitles:?}");
        assert!(subtitles.codec == codec.replace("srt", "subrip") && measurements.other.is_empty(), "{name}");
        assert_eq!(measurements.read_errors, 0, "{name}");
    }
}

#[test]
fn a_pause_between_frames_is_a_gap() {
    let workspace = Workspace::new();
    let source = workspace.make(
        "gap.mp4",
        "-f lavfi -i testsrc2=s=160x96:r=25:d=4 -vf select='not(between(n,50,59))' -vsync passthrough -c:v libx264 \
         -preset ultrafast",
    );
    let gaps = &measured(&source).video[0].gaps;
    assert_eq!(gaps.count, 1, "{gaps:?}");
    assert!((gaps.first[0].start - 1.96).abs() < 1e-3 && (gaps.first[0].end - 2.4).abs() < 1e-3, "{gaps:?}");
}

#[test]
fn a_bitrate_that_rises_is_seen_where_it_does() {
    let workspace = Workspace::new();
    let source = workspace.make(
        "rising.mp4",
        "-f lavfi -i testsrc2=s=320x180:r=25:d=10,noise=alls=40:allf=t:enable='gte(t,5)' -c:v libx264 \
         -preset ultrafast -qp 20",
    );
    let bitrate = &measured(&source).video[0].bitrate;
    let values: Vec<_> = bitrate.values.iter().map(|value| value.unwrap()).collect();
    assert_eq!((values.len(), bitrate.step), (10, 1.0), "{bitrate:?}");
    assert!(values[7] > 3.0 * values[2] && values[9] > 3.0 * values[4], "{values:?}");
}

#[test]
fn what_a_film_says_of_high_dynamic_range_is_read() {
    let encoders = Command::new("ffmpeg").args(["-v", "error", "-encoders"]).output().unwrap().stdout;
    assert!(
        String::from_utf8_lossy(&encoders).contains("libx265"),
        "ffmpeg has no libx265: install one that has it (Debian's and Ubuntu's package ffmpeg)"
    );
    let workspace = Workspace::new();
    let display = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)";
    for (name, parameters, expected) in [
        (
            "hdr.mkv",
            format!("{display}:max-cll=1000,400"),
            HdrMetadata { mastering_display: true, content_light_level: true, dolby_vision: false },
        ),
        (
            "hdr.ts",
            format!("{display}:max-cll=1000,400"),
            HdrMetadata { mastering_display: true, content_light_level: true, dolby_vision: false },
        ),
        ("sdr.mkv", "aq-mode=0".to_owned(), HdrMetadata::default()),
    ] {
        let source = workspace.make(
            name,
            &format!(
                "-f lavfi -i testsrc2=s=320x180:r=25:d=0.4 -pix_fmt yuv420p10le -c:v libx265 -preset ultrafast \
                 -x265-params log-level=error:{parameters}"
            ),
        );
        assert_eq!(measured(&source).video[0].hdr, expected, "{name}");
    }
}

#[test]
fn measurements_can_be_read_again_and_stay_small() {
    for name in ["bigbuckbunny.mp4", "svt_8mono_720p50.mp4"] {
        let measurements = measured(&real_clip(name));
        let text = serde_json::to_string(&measurements).unwrap();
        assert!(text.len() < 300_000, "{name}: {}", text.len());
        // No number is none: JSON could not tell it from null.
        assert_eq!(serde_json::from_str::<Measurements>(&text).unwrap().video.len(), 1, "{name}");
        assert_eq!(measured(&real_clip(name)), measurements, "{name}: the same each time");
    }
}
