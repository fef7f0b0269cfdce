//! The encode path alone, for `scripts/bench encode`: every rung of a ladder and its stereo sound, as the farm's tasks make them
//! on one host. What QC would have found is given, because one FFmpeg command does not look either.
//!
//! `encode_ladder SOURCE LADDER FOLDER WIDTH HEIGHT FRAME_RATE FRAME_COUNT [CHUNK]…`; the picture is the source's stream 0 and in
//! BT.709, the sound its stream 1. A chunk is `FIRST_FRAME:KEY_FRAME`, the frame with which it begins and the key frame at which
//! its decoding does. Without any the film is encoded in one piece, with an encoder for each processor; with chunks, so many of
//! them at once as there are processors, each in one thread, and the chunks of a rung are then joined. Sound is encoded in a
//! process of its own, as the farm does it: it runs with fewer of the processor's instructions than pictures.

use std::collections::VecDeque;
use std::error::Error;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use reelfarm_media::child::{Request, Response, serve};
use reelfarm_media::{assemble_video, encode_video};
use reelfarm_model::key::Digest;
use reelfarm_model::ladder::{ChannelLayout, GOP_SECONDS, fit};
use reelfarm_model::qc::{AudioSource, VideoConclusion};
use reelfarm_model::task::{
    AssembleVideoSpec, AudioRenditionSpec, Chunk, DecodingStart, EncodeAudioSpec, EncodeVideoSpec, RungSpec,
    VideoChunk,
};
use reelfarm_model::{ArtifactKey, Ladder};

type Failed = Box<dyn Error + Send + Sync>;
type Job<'a> = Box<dyn FnOnce() -> Result<(), Failed> + Send + 'a>;

/// The only argument of a process that does what its standard input asks for.
const CHILD: &str = "media-child";

fn main() -> Result<(), Failed> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments == [CHILD] {
        return Ok(serve(std::io::stdin(), std::io::stdout())?);
    }
    let [source, ladder, folder, width, height, frame_rate, frame_count, chunks @ ..] = arguments.as_slice()
    else {
        return Err("encode_ladder SOURCE LADDER FOLDER WIDTH HEIGHT FRAME_RATE FRAME_COUNT [CHUNK]…".into());
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
    let chunks = chunks_of(chunks, video.frame_count)?;
    let processors = std::thread::available_parallelism()?.get();
    let audio = audio_spec(&ladder, &video);
    let video = video_spec(&ladder, video);
    let outputs = vec![folder.join("stereo.mp4")];
    let request = Request::EncodeAudio { path: source.to_owned(), spec: audio, outputs };
    let sound: Job<'_> = Box::new(move || in_child(&request));
    if chunks.is_empty() {
        let outputs = files(folder, &video, "");
        let picture = || Ok(encode_video(source, &video, &outputs, processors, &mut |_| ())?);
        return run([sound, Box::new(picture)].into(), 2);
    }
    let mut jobs = VecDeque::from([sound]);
    for chunk in &chunks {
        let spec = EncodeVideoSpec { chunk: Some(*chunk), ..video.clone() };
        let outputs = files(folder, &video, &format!("-{}", chunk.first_frame));
        jobs.push_back(Box::new(move || Ok(encode_video(source, &spec, &outputs, 1, &mut |_| ())?)));
    }
    run(jobs, processors)?;
    let joins = video.rungs.iter().map(|rung| -> Job<'_> {
        let part = |chunk: &Chunk| folder.join(format!("{}-{}.mp4", rung.rung.name, chunk.first_frame));
        let parts: Vec<PathBuf> = chunks.iter().map(part).collect();
        let artifact = ArtifactKey(Digest::of(b""));
        let spec = AssembleVideoSpec {
            rung: rung.clone(),
            frame_rate: video.video.frame_rate,
            chunks: chunks
                .iter()
                .map(|chunk| VideoChunk { artifact, frame_count: chunk.frame_count })
                .collect(),
        };
        let output = folder.join(format!("{}.mp4", rung.rung.name));
        Box::new(move || Ok(assemble_video(&spec, &parts, &output, &mut |_| ())?))
    });
    run(joins.collect(), processors)
}

fn in_child(request: &Request) -> Result<(), Failed> {
    let mut command = Command::new(std::env::current_exe()?);
    let mut child = command.arg(CHILD).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    // Closed after that, which ends the request.
    child.stdin.take().ok_or("no pipe")?.write_all(&serde_json::to_vec(request)?)?;
    let answer = String::from_utf8(child.wait_with_output()?.stdout)?;
    match serde_json::from_str(answer.lines().last().ok_or("no answer")?)? {
        Response::Result(_) => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

/// Does all jobs, so many at once.
fn run(jobs: VecDeque<Job<'_>>, at_once: usize) -> Result<(), Failed> {
    let jobs = Mutex::new(jobs);
    let next = || jobs.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    std::thread::scope(|scope| {
        let slots: Vec<_> = (0..at_once)
            .map(|_| {
                scope.spawn(|| {
                    while let Some(job) = next() {
                        job()?;
                    }
                    Ok(())
                })
            })
            .collect();
        slots.into_iter().try_for_each(|slot| match slot.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })
}

fn files(folder: &Path, video: &EncodeVideoSpec, part: &str) -> Vec<PathBuf> {
    video.rungs.iter().map(|rung| folder.join(format!("{}{part}.mp4", rung.rung.name))).collect()
}

fn chunks_of(arguments: &[String], frame_count: u64) -> Result<Vec<Chunk>, Failed> {
    let starts = arguments.iter().map(|argument| {
        let (first_frame, key_frame) = argument.split_once(':').ok_or("a chunk is FIRST_FRAME:KEY_FRAME")?;
        Ok((first_frame.parse::<u64>()?, key_frame.parse::<u64>()?))
    });
    let starts: Vec<(u64, u64)> = starts.collect::<Result<_, Failed>>()?;
    let ends = starts.iter().skip(1).map(|(first_frame, _)| *first_frame).chain([frame_count]);
    let chunk = |(&(first_frame, key_frame), end): (&(u64, u64), u64)| Chunk {
        first_frame,
        frame_count: end - first_frame,
        decoding: DecodingStart { key_frame, film_start_us: 0 },
    };
    Ok(starts.iter().zip(ends).map(chunk).collect())
}

fn video_spec(ladder: &Ladder, video: VideoConclusion) -> EncodeVideoSpec {
    let gop_frames = GOP_SECONDS * video.frame_rate;
    let rungs = ladder.rungs.iter().filter_map(|rung| {
        let (width, height) = fit(rung, video.width, video.height)?;
        Some(RungSpec { width, height, gop_frames, rung: rung.clone() })
    });
    EncodeVideoSpec {
        source: Digest::of(b""),
        rungs: rungs.collect(),
        video,
        chunk: None,
        cue_frames: Vec::new(),
    }
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
