//! The encode path alone, for `scripts/bench encode`: every rung of a ladder and its stereo sound, side by side as the
//! farm's two encode tasks run. What QC would have found is given, because one FFmpeg command does not look either.
//!
//! `encode_ladder SOURCE LADDER FOLDER WIDTH HEIGHT FRAME_RATE FRAME_COUNT`; the picture is the source's stream 0 and in
//! BT.709, the sound its stream 1.

use std::error::Error;
use std::path::{Path, PathBuf};

use reelfarm_media::{encode_audio, encode_video};
use reelfarm_model::Ladder;
use reelfarm_model::key::Digest;
use reelfarm_model::ladder::{ChannelLayout, GOP_SECONDS, fit};
use reelfarm_model::qc::{AudioSource, VideoConclusion};
use reelfarm_model::task::{AudioRenditionSpec, EncodeAudioSpec, EncodeVideoSpec, RungSpec};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [source, ladder, folder, width, height, frame_rate, frame_count] = arguments.as_slice() else {
        return Err("encode_ladder SOURCE LADDER FOLDER WIDTH HEIGHT FRAME_RATE FRAME_COUNT".into());
    };
    let ladder = Ladder::parse(ladder, &fs_err::read_to_string(ladder)?)?;
    let (source, folder) = (Path::new(source), Path::new(folder));
    let video = VideoConclusion {
        stream: 0,
        frame_rate: frame_rate.parse()?,
        frame_count: frame_count.parse()?,
        width: width.parse()?,
        height: height.parse()?,
        rotation: 0,
        deinterlace: false,
        field_order: None,
        matrix: "bt709".into(),
        full_range: false,
    };
    let audio = audio_spec(&ladder, &video);
    let video = video_spec(&ladder, video);
    let rungs: Vec<PathBuf> =
        video.rungs.iter().map(|rung| folder.join(format!("{}.mp4", rung.rung.name))).collect();
    let stereo = [folder.join("stereo.mp4")];
    std::thread::scope(|scope| {
        let sound = scope.spawn(|| encode_audio(source, &audio, &stereo, &mut |_| ()));
        let picture = encode_video(source, &video, &rungs, &mut |_| ());
        let sound = sound.join().map_err(|_| "the thread for the sound died")?;
        picture.and(sound).map_err(Into::into)
    })
}

fn video_spec(ladder: &Ladder, video: VideoConclusion) -> EncodeVideoSpec {
    let gop_frames = GOP_SECONDS * video.frame_rate;
    let rungs = ladder.rungs.iter().filter_map(|rung| {
        let (width, height) = fit(rung, video.width, video.height)?;
        Some(RungSpec { width, height, gop_frames, rung: rung.clone() })
    });
    EncodeVideoSpec { source: Digest::of(b""), rungs: rungs.collect(), video, chunk: None }
}

fn audio_spec(ladder: &Ladder, video: &VideoConclusion) -> EncodeAudioSpec {
    let stereo = ladder.audio.iter().filter(|audio| audio.layout == ChannelLayout::Stereo);
    EncodeAudioSpec {
        source: Digest::of(b""),
        video_stream: video.stream,
        frame_rate: video.frame_rate,
        frame_count: video.frame_count,
        renditions: stereo
            .map(|audio| AudioRenditionSpec {
                id: "stereo".into(),
                language: "und".into(),
                layout: audio.layout,
                bitrate_kbps: audio.bitrate_kbps,
                from: AudioSource::Track { stream: 1 },
            })
            .collect(),
    }
}
