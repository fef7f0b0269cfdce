//! The child's side of the protocol between a worker and a media process.
//!
//! The worker writes one [`Request`] as JSON to the child's standard input and closes it. The child answers with
//! lines of JSON, each a [`Response`]: progress, then exactly one result or failure, after which it ends. A child
//! that ends without that died. FFmpeg's log goes to the standard error stream. To stop a child, kill it.

use std::io::{self, Read, Write};
use std::path::PathBuf;

use reelfarm_model::task::{AssembleVideoSpec, EncodeAudioSpec, EncodeVideoSpec, TrialSpec};
use reelfarm_model::{Code, Failure, Progress};
use serde::{Deserialize, Serialize};

use crate::ffmpeg::{log, processor};
use crate::{
    MediaError, assemble_video, encode_audio, encode_video, measure, mux_progressive, thumbnails, trial,
};

/// What a child is to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// [`measure`]; the result is a [`Measurements`](reelfarm_model::Measurements).
    Measure {
        /// The source.
        path: PathBuf,
    },
    /// [`trial`]; the result is a [`Trial`](reelfarm_model::task::Trial).
    Trial {
        /// The source.
        path: PathBuf,
        /// What to try.
        spec: TrialSpec,
        /// A folder for files that are gone again at the end.
        folder: PathBuf,
    },
    /// [`encode_video`]; the result is null.
    EncodeVideo {
        /// The source.
        path: PathBuf,
        /// What to make.
        spec: EncodeVideoSpec,
        /// A file for each rung.
        outputs: Vec<PathBuf>,
        /// Encoders that run at once.
        threads: usize,
    },
    /// [`assemble_video`]; the result is null.
    AssembleVideo {
        /// What to make.
        spec: AssembleVideoSpec,
        /// A file for each chunk.
        chunks: Vec<PathBuf>,
        /// The file to make.
        output: PathBuf,
    },
    /// [`encode_audio`], with the same bytes on every processor of an architecture; the result is null.
    EncodeAudio {
        /// The source.
        path: PathBuf,
        /// What to make.
        spec: EncodeAudioSpec,
        /// A file for each rendition.
        outputs: Vec<PathBuf>,
    },
    /// [`mux_progressive`]; the result is null.
    MuxProgressive {
        /// The video rendition.
        video: PathBuf,
        /// The audio renditions with their languages (BCP 47); the first is the default.
        audio: Vec<(PathBuf, String)>,
        /// The file to make.
        output: PathBuf,
    },
    /// [`thumbnails`]; the result is a list of [`Thumbnail`](crate::Thumbnail) or null, one for each time.
    Thumbnails {
        /// The source.
        path: PathBuf,
        /// The video track, by its index in the container.
        stream: u32,
        /// When, in seconds of the container's timeline.
        times: Vec<f64>,
    },
}

/// One line of a child's answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Response {
    /// How far the work is, at most [`PROGRESS_PER_SECOND`](crate::PROGRESS_PER_SECOND) times a second and once at the
    /// end. Only work that has moved is reported: a child that says nothing for long hangs.
    Progress(Progress),
    /// The work is done. The last line.
    Result(serde_json::Value),
    /// The work failed. The last line.
    Failure(Failure),
}

/// Reads the request, does it, and writes the answer.
///
/// A failure of the work is an answer, not an error.
///
/// # Errors
/// Where the answer cannot be written: the worker is gone. So that no work goes on for nobody, that is noticed with
/// the next progress, and ends the process at once with exit code 1.
pub fn serve(mut input: impl Read, mut output: impl Write) -> io::Result<()> {
    let mut text = String::new();
    let request = input
        .read_to_string(&mut text)
        .map_err(|error| error.to_string())
        .and_then(|_| serde_json::from_str::<Request>(&text).map_err(|error| error.to_string()));
    let answer = match request {
        Ok(request) => run(request, &mut |progress| {
            if send(&mut output, &Response::Progress(progress)).is_err() {
                std::process::exit(1);
            }
        })
        .map_or_else(|error| Response::Failure(error.failure().with_log(log::recent())), Response::Result),
        Err(error) => Response::Failure(Failure::new(
            Code::Internal,
            format!("the media process cannot read its request: {error}"),
        )),
    };
    send(&mut output, &answer)
}

fn run(request: Request, on_progress: &mut dyn FnMut(Progress)) -> Result<serde_json::Value, MediaError> {
    match request {
        Request::Measure { path } => {
            let measurements = measure(&path, on_progress)?;
            serde_json::to_value(measurements).map_err(|error| {
                MediaError::Unsupported(format!("the measurements do not serialise: {error}"))
            })
        }
        Request::Thumbnails { path, stream, times } => {
            let thumbnails = thumbnails(&path, stream, &times, on_progress)?;
            serde_json::to_value(thumbnails)
                .map_err(|error| MediaError::Unsupported(format!("the thumbnails do not serialise: {error}")))
        }
        Request::Trial { path, spec, folder } => {
            let tried = trial(&path, &spec, &folder, on_progress)?;
            serde_json::to_value(tried)
                .map_err(|error| MediaError::Unsupported(format!("a trial does not serialise: {error}")))
        }
        Request::EncodeVideo { path, spec, outputs, threads } => {
            encode_video(&path, &spec, &outputs, threads, on_progress).map(|()| serde_json::Value::Null)
        }
        Request::AssembleVideo { spec, chunks, output } => {
            assemble_video(&spec, &chunks, &output, on_progress).map(|()| serde_json::Value::Null)
        }
        Request::EncodeAudio { path, spec, outputs } => {
            // Sound is worked on in floating point. Pictures are not, and x264 looks at the processor by itself.
            processor::use_what_all_have();
            encode_audio(&path, &spec, &outputs, on_progress).map(|()| serde_json::Value::Null)
        }
        Request::MuxProgressive { video, audio, output } => {
            mux_progressive(&video, &audio, &output, on_progress).map(|()| serde_json::Value::Null)
        }
    }
}

fn send(output: &mut impl Write, response: &Response) -> io::Result<()> {
    let mut line = serde_json::to_vec(response)?;
    line.push(b'\n');
    output.write_all(&line)?;
    output.flush()
}
