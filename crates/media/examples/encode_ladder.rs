//! Encodes five rungs of a source into a folder and prints the time it took, to hold against one FFmpeg command.
//!
//! `encode_ladder SOURCE FOLDER [PRESET]`

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use reelfarm_media::{encode_video, measure};
use reelfarm_model::Rung;
use reelfarm_model::key::Digest;
use reelfarm_model::ladder::{GOP_SECONDS, fit};
use reelfarm_model::qc::VideoConclusion;
use reelfarm_model::task::{EncodeVideoSpec, RungSpec};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(source), Some(folder)) = (arguments.next(), arguments.next()) else {
        return Err("encode_ladder SOURCE FOLDER [PRESET]".into());
    };
    let preset = arguments.next().unwrap_or_else(|| "veryfast".into());
    let measurements = measure(Path::new(&source), &mut |_| ())?;
    let track = measurements.video.first().ok_or("no video")?;
    let frame_rate = track.header_frame_rate.value().ok_or("no frame rate")? as u32;
    let rungs: Vec<_> =
        [(1920, 1080, 5000), (1280, 720, 2800), (854, 480, 1400), (640, 360, 800), (426, 240, 400)]
            .into_iter()
            .filter_map(|(width, height, kbps)| {
                let rung = Rung {
                    name: format!("{height}p"),
                    width,
                    height,
                    min_source_kbps: 1,
                    crf: 23,
                    maxrate_kbps: kbps,
                    bufsize_kbps: 2 * kbps,
                    preset: preset.clone(),
                    profile: "high".into(),
                };
                let (width, height) = fit(&rung, track.width, track.height)?;
                Some(RungSpec { width, height, gop_frames: GOP_SECONDS * frame_rate, rung })
            })
            .collect();
    let outputs: Vec<PathBuf> =
        rungs.iter().map(|rung| Path::new(&folder).join(format!("{}.mp4", rung.rung.name))).collect();
    let spec = EncodeVideoSpec {
        source: Digest::of(b""),
        video: VideoConclusion {
            stream: track.index,
            frame_rate,
            frame_count: track.frames,
            width: track.width,
            height: track.height,
            rotation: track.rotation,
            deinterlace: track.interlaced_frames > 0,
            matrix: "bt709".into(),
            full_range: track.colour.range == "pc",
        },
        rungs,
    };
    let start = Instant::now();
    encode_video(Path::new(&source), &spec, &outputs, &mut |_| ())?;
    writeln!(std::io::stdout(), "{:.2}", start.elapsed().as_secs_f64())?;
    Ok(())
}
