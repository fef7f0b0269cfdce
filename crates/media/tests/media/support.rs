//! Clips, specifications and reading back.

use std::path::{Path, PathBuf};
use std::process::Command;

use reelfarm_media::{encode_video, measure};
use reelfarm_model::key::Digest;
use reelfarm_model::ladder::{ChannelLayout, VideoCodec};
use reelfarm_model::qc::{AudioSource, VideoConclusion};
use reelfarm_model::task::{AudioRenditionSpec, EncodeAudioSpec, EncodeVideoSpec, RungSpec};
use reelfarm_model::{Measurements, Rung};
use tempfile::TempDir;

/// Encoders at once, where a test does not look at that.
pub(crate) const THREADS: usize = 2;

/// A folder of its own for a test.
pub(crate) struct Workspace(TempDir);

impl Workspace {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Makes a file with the `ffmpeg` command; arguments are separated by spaces.
    pub(crate) fn make(&self, name: &str, arguments: &str) -> PathBuf {
        let path = self.path(name);
        let output = Command::new("ffmpeg")
            .args(["-nostdin", "-v", "error", "-y"])
            .args(arguments.split(' ').filter(|argument| !argument.is_empty()))
            .arg(&path)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        path
    }
}

/// Measures a file.
pub(crate) fn measured(path: &Path) -> Measurements {
    measure(path, &mut |_| ()).unwrap()
}

/// A clip that the project did not make: `tests/media/README.md` says where it comes from.
pub(crate) fn real_clip(name: &str) -> PathBuf {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    ["tests/media", ".tools/media"]
        .map(|folder| repository.join(folder).join(name))
        .into_iter()
        .find(|path| path.exists())
        .unwrap_or_else(|| panic!("the clip {name} is not there: run scripts/setup --tests"))
}

/// Runs `ffprobe` and gives the values it prints, a line for each entry and a comma between values.
pub(crate) fn probe(path: &Path, arguments: &str) -> Vec<String> {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-of", "csv=p=0"])
        .args(arguments.split(' '))
        .arg(path)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| line.trim_end_matches(',').to_owned())
        .filter(|line| !line.is_empty())
        .collect()
}

/// Decodes with the `ffmpeg` command and gives the raw bytes.
pub(crate) fn decode(path: &Path, arguments: &str) -> Vec<u8> {
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(path)
        .args(arguments.split(' '))
        .arg("-")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// What QC would conclude of a plain source. The size counts only where a source is smaller: none of these tests' is.
pub(crate) fn conclusion(frame_rate: u32, frame_count: u64) -> VideoConclusion {
    VideoConclusion {
        stream: 0,
        frame_rate,
        frame_count,
        width: 96,
        height: 54,
        rotation: 0,
        deinterlace: false,
        field_order: None,
        matrix: "bt709".into(),
        full_range: false,
    }
}

/// A rung with groups of two seconds.
pub(crate) fn rung(frame_rate: u32, width: u32, height: u32) -> RungSpec {
    let rung = Rung {
        codec: VideoCodec::H264,
        name: format!("{height}p"),
        width,
        height,
        min_source_kbps: 1,
        crf: 23,
        maxrate_kbps: 400,
        bufsize_kbps: 800,
        preset: "veryfast".into(),
        profile: "high".into(),
    };
    RungSpec { width, height, gop_frames: 2 * frame_rate, rung }
}

/// A specification of these rungs.
pub(crate) fn video_spec(video: VideoConclusion, rungs: Vec<RungSpec>) -> EncodeVideoSpec {
    EncodeVideoSpec { source: Digest::of(b"source"), video, rungs, chunk: None, cue_frames: Vec::new() }
}

/// Encodes one rung and gives its file.
pub(crate) fn encode_one(
    workspace: &Workspace,
    source: &Path,
    video: VideoConclusion,
    rung: RungSpec,
) -> PathBuf {
    let output = workspace.path("rung.mp4");
    encode_video(source, &video_spec(video, vec![rung]), std::slice::from_ref(&output), THREADS, &mut |_| ())
        .unwrap();
    output
}

/// A rendition from one track.
pub(crate) fn rendition(layout: ChannelLayout, from: AudioSource) -> AudioRenditionSpec {
    AudioRenditionSpec {
        id: format!("audio-en-{}", layout.ffmpeg_name()),
        language: "en".into(),
        layout,
        bitrate_kbps: 64 * layout.channels(),
        from,
    }
}

/// A specification of these renditions beside a video of so many frames.
pub(crate) fn audio_spec(
    frame_rate: u32,
    frame_count: u64,
    renditions: Vec<AudioRenditionSpec>,
) -> EncodeAudioSpec {
    EncodeAudioSpec { source: Digest::of(b"source"), video_stream: 0, frame_rate, frame_count, renditions }
}
