//! Ladders with rungs of H.264 and of HEVC.

use std::path::Path;
use std::process::Command;

use crate::support::{Bench, clips, describe};

const LADDER: &str = r#"
name = "two"
description = "H.264 for all, HEVC for those who play it, in chunks of four seconds."
chunk_seconds = 4

[[rung]]
name = "240p"
width = 426
height = 240
min_source_kbps = 50
crf = 28
maxrate_kbps = 400
bufsize_kbps = 800
preset = "ultrafast"
profile = "main"

[[rung]]
name = "360p-hevc"
codec = "hevc"
width = 640
height = 360
min_source_kbps = 100
crf = 28
maxrate_kbps = 600
bufsize_kbps = 1200
preset = "ultrafast"
profile = "main"

[[rung]]
name = "240p-hevc"
codec = "hevc"
width = 426
height = 240
min_source_kbps = 50
crf = 28
maxrate_kbps = 300
bufsize_kbps = 600
preset = "ultrafast"
profile = "main"

[[audio]]
name = "stereo"
layout = "stereo"
bitrate_kbps = 128
"#;

/// In clear and in both schemes in fragmented MP4, and one of each container that carries H.264 alone.
const PROFILES: &str = "dash-clr-2s,dash-wv-4s,hls-multi-2s,od-wv-4s,ts-clr-2s,ts-fp-4s,hss-pr-2s,mp4-ml";

/// The codec, the picture's height, and the times of key frames of each stream of video.
fn pictures(media: &Path) -> Vec<(String, u32, Vec<f64>)> {
    let probe = |arguments: &[&str]| {
        let output =
            Command::new("ffprobe").args(["-v", "error"]).args(arguments).arg(media).output().unwrap();
        assert!(output.status.success(), "{}", describe(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let streams =
        probe(&["-select_streams", "v", "-show_entries", "stream=index,codec_name,height", "-of", "csv=p=0"]);
    let mut lines: Vec<_> = streams.lines().filter(|line| !line.is_empty()).collect();
    lines.sort_unstable();
    lines.dedup();
    let of_line = |line: &str| {
        let mut fields = line.split(',');
        let mut next = || fields.next().unwrap().to_owned();
        let (index, codec, height) = (next(), next(), next().parse().unwrap());
        let packets =
            probe(&["-select_streams", &index, "-show_entries", "packet=pts_time,flags", "-of", "csv=p=0"]);
        let keys = packets.lines().filter(|line| line.contains(",K"));
        (codec, height, keys.map(|line| line.split(',').next().unwrap().parse().unwrap()).collect())
    };
    lines.into_iter().map(of_line).collect()
}

#[test]
fn hevc_is_made_beside_h264_and_goes_where_players_take_it() {
    let bench = Bench::new();
    clips::film(&bench.path("film.mp4"), 9);
    fs_err::write(bench.path("two.toml"), LADDER).unwrap();
    let run = ["run", "film.mp4", "--ladder", "two.toml", "--profiles", PROFILES, "--json"];
    let made = bench.json(run);
    assert_eq!(made["titles"][0]["state"], "published", "{made}");
    let title = bench.origin().join("film");
    let read = |path: &str| fs_err::read_to_string(title.join(path)).unwrap();

    // Every profile was read back, decrypted, and compared with what was encoded. What players are told:
    for manifest in ["dash-clr-2s/manifest.mpd", "dash-wv-4s/manifest.mpd", "od-wv-4s/manifest.mpd"] {
        let mpd = read(manifest);
        let sets = mpd.split("<AdaptationSet").skip(1).filter(|set| set.contains("contentType=\"video\""));
        let codecs: Vec<(usize, usize)> = sets
            .map(|set| (set.matches("codecs=\"avc1.").count(), set.matches("codecs=\"hvc1.1.6.L").count()))
            .collect();
        assert!(codecs.iter().all(|(h264, hevc)| *h264 == 0 || *hevc == 0), "{manifest}: {codecs:?}");
        assert_eq!(
            codecs.iter().fold((0, 0), |sum, set| (sum.0 + set.0, sum.1 + set.1)),
            (1, 2),
            "{manifest}"
        );
    }
    let master = read("hls-multi-2s/master.m3u8");
    assert_eq!(
        (master.matches("\"avc1.").count(), master.matches("\"hvc1.1.6.L").count()),
        (1, 2),
        "{master}"
    );
    for manifest in ["ts-clr-2s/master.m3u8", "ts-fp-4s/master.m3u8"] {
        let master = read(manifest);
        assert_eq!(
            (master.matches("\"avc1.").count(), master.matches("hvc1").count()),
            (1, 0),
            "{manifest}: {master}"
        );
    }
    let index: serde_json::Value = serde_json::from_str(&read("index.json")).unwrap();
    let smooth =
        index["profiles"].as_array().unwrap().iter().find(|profile| profile["id"] == "hss-pr-2s").unwrap();
    let smooth = read(smooth["manifest"].as_str().unwrap());
    assert!(smooth.contains("FourCC=\"H264\"") && smooth.matches("FourCC=\"").count() == 2, "{smooth}");

    // What an independent player makes of it: an IDR exactly every two seconds, across the join at four.
    let mut found = pictures(&title.join("dash-clr-2s/manifest.mpd"));
    found.sort_by(|one, other| (&one.0, one.1).cmp(&(&other.0, other.1)));
    let expected = [("h264", 240), ("hevc", 240), ("hevc", 360)];
    assert_eq!(
        found.iter().map(|(codec, height, _)| (codec.as_str(), *height)).collect::<Vec<_>>(),
        expected
    );
    for (codec, height, keys) in &found {
        assert_eq!(*keys, [0.0, 2.0, 4.0, 6.0, 8.0], "{codec} {height}");
    }

    let again = bench.json(run);
    assert_eq!(again["titles"][0]["state"], "published");
    let labels = bench.attempts("film");
    assert!(labels.iter().all(|(_, outcomes)| outcomes.len() == 1), "nothing was made twice: {labels:?}");
}

#[test]
fn a_ladder_without_h264_is_refused() {
    let bench = Bench::new();
    clips::film(&bench.path("film.mp4"), 2);
    let start = LADDER.find("[[rung]]").unwrap();
    let hevc = LADDER[start + 1..].find("[[rung]]").unwrap() + start + 1;
    let alone = format!("{}{}", &LADDER[..start], &LADDER[hevc..]);
    fs_err::write(bench.path("alone.toml"), alone).unwrap();
    let output = bench.output(["run", "film.mp4", "--ladder", "alone.toml"]);
    assert_eq!(output.status.code(), Some(2), "{}", describe(&output));
    assert!(describe(&output).contains("a ladder needs a [[rung]] of H.264"), "{}", describe(&output));
}
