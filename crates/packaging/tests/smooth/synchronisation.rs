//! A flash and a beep of one moment stay together.

use crate::cmaf::{CLIP, Clip, Picture, Renditions, ffmpeg};
use crate::players::gstreamer;
use crate::server::serve;

/// When the picture turns white and the tone sounds, in seconds: in the middle of the second segment.
const MOMENT: f64 = 3.0;

const FLASH_AND_BEEP: Clip<'static> = Clip {
    frame_count: 200,
    picture: "color",
    filter: "drawbox=c=white:t=fill:enable='between(t,2.99,3.19)'",
    sound: "if(between(t,3,3.2),sin(1000*2*PI*t),0)",
    ..CLIP
};

/// When a player showed the flash and sounded the beep, in seconds.
fn played(uri: &str) -> (f64, f64) {
    let text = gstreamer(
        uri,
        "-m",
        &[
            "video-sink=videoanalyse ! fakesink sync=false",
            "audio-sink=audioconvert ! level interval=1000000 ! fakesink sync=false",
        ],
    );
    // The first message of an element whose value is beyond a threshold.
    let first = |message: &str, value: &str, threshold: f64| {
        text.lines()
            .filter(|line| line.contains(message))
            .find(|line| number(line, value) > threshold)
            .map(|line| number(line, "running-time=(guint64)") / 1e9)
    };
    let flash = first("GstVideoAnalyse, ", "luma-average=(double)", 0.5);
    let beep = first(" level, ", "peak=(GValueArray)<", -9.0);
    (flash.expect("no flash"), beep.expect("no beep"))
}

/// The number that follows a text in a line.
fn number(line: &str, before: &str) -> f64 {
    let text = line.split_once(before).unwrap().1.trim_start();
    let end = text.find(|c: char| !c.is_ascii_digit() && !"+-.e".contains(c)).unwrap_or(text.len());
    // Silence is "-inf".
    text[..end].parse().unwrap_or(f64::NEG_INFINITY)
}

/// When the flash and the beep come in CMAF, as FFmpeg decodes it by its edit lists.
fn in_cmaf(renditions: &Renditions, folder: &std::path::Path, rate: u32) -> (f64, f64) {
    let decode = |track: &str, arguments: &[&str]| {
        let mut bytes = fs_err::read(folder.join(track).join("init.mp4")).unwrap();
        for number in 1..=4 {
            bytes.extend(fs_err::read(folder.join(track).join(format!("{number}.m4s"))).unwrap());
        }
        let (file, decoded) = (renditions.path("joined.mp4"), renditions.path("decoded"));
        fs_err::write(&file, bytes).unwrap();
        let input = ["-copyts", "-i", file.to_str().unwrap()];
        ffmpeg(&[&input, arguments, &[decoded.to_str().unwrap()]].concat());
        fs_err::read(decoded).unwrap()
    };
    let pictures = decode("video-180p", &["-vf", "scale=1:1,format=gray", "-f", "rawvideo"]);
    let flash = pictures.iter().position(|luma| *luma > 127).unwrap();
    let sound = decode("audio-en-stereo", &["-ac", "1", "-af", "aresample=first_pts=0", "-f", "s16le"]);
    let mut values = sound.chunks(2).map(|bytes| i16::from_le_bytes([bytes[0], bytes[1]]));
    let beep = values.position(|value| value.unsigned_abs() > 11_000).unwrap();
    (flash as f64 / f64::from(rate), beep as f64 / f64::from(CLIP.sample_rate))
}

#[test]
fn players_show_the_flash_with_the_beep_as_cmaf_has_them() {
    // Decoding ahead by several frames, and by none: sound is put late by the former, pictures by sound's priming.
    for b_frames in [3, 0] {
        let pictures = [Picture { name: "180p", width: 320, height: 180, b_frames }];
        let renditions = Renditions::encode(&Clip { pictures: &pictures, ..FLASH_AND_BEEP });
        let cmaf = renditions.cmaf("cmaf", 2, false);
        let folder = renditions.smooth("smooth", &cmaf, None);
        let (flash, beep) = in_cmaf(&renditions, &cmaf, CLIP.frame_rate);
        assert!((flash - MOMENT).abs() < 0.001 && (beep - MOMENT).abs() < 0.001, "{flash} {beep}");
        let (flash, beep) = played(&format!("http://{}/Manifest", serve(&folder)));
        assert!((flash - beep).abs() <= 0.001, "B-frames {b_frames}: flash at {flash}, beep at {beep}");
        // No later than what the larger of the two needs.
        let delay = if b_frames == 0 { 1_024.0 / 48_000.0 } else { 0.08 };
        assert!((flash - MOMENT - delay).abs() < 0.001, "B-frames {b_frames}: flash at {flash}");
    }
}
