//! CMAF media sets of the real packager from generated renditions, and Smooth Streaming from these.

use std::path::{Path, PathBuf};
use std::process::Command;

use reelfarm_drm::{ContentKey, Secret};
use reelfarm_model::KeyId;
use reelfarm_model::key::{ArtifactKey, Digest};
use reelfarm_model::ladder::ChannelLayout;
use reelfarm_model::task::{AudioRendition, VideoRendition};
use reelfarm_packaging::smooth::{self, Protection, SmoothInput};
use tempfile::TempDir;

/// The key id of encrypted sets.
pub(crate) const KEY_ID: KeyId = KeyId([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
/// The key of encrypted sets, as FFmpeg and the packager are told it.
pub(crate) const KEY_BYTES: [u8; 16] = *b"sixteen bytes ..";

/// The key of encrypted sets.
pub(crate) fn key() -> ContentKey {
    ContentKey { id: KEY_ID, key: Secret::new(KEY_BYTES) }
}

/// What encrypted presentations tell clients.
pub(crate) fn protection() -> Protection {
    Protection { key_id: KEY_ID, playready_object: b"a PlayReady Object".to_vec() }
}

/// A picture to encode.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Picture {
    /// The rung's name.
    pub(crate) name: &'static str,
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// The most B-frames in a row: they make the composition delay.
    pub(crate) b_frames: u32,
}

/// Sound to encode.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sound {
    pub(crate) id: &'static str,
    pub(crate) language: &'static str,
    pub(crate) layout: ChannelLayout,
}

/// What to encode.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clip<'a> {
    pub(crate) frame_rate: u32,
    pub(crate) frame_count: u64,
    pub(crate) sample_rate: u32,
    /// FFmpeg's source of the pictures, without size, rate and duration.
    pub(crate) picture: &'a str,
    /// What the picture goes through.
    pub(crate) filter: &'a str,
    /// The expression of every channel.
    pub(crate) sound: &'a str,
    pub(crate) pictures: &'a [Picture],
    pub(crate) sounds: &'a [Sound],
}

/// Two pictures of different composition delay, and two renditions of sound: 11 s, so that the last segment is short.
pub(crate) const CLIP: Clip<'static> = Clip {
    frame_rate: 25,
    frame_count: 275,
    sample_rate: 48_000,
    picture: "testsrc2",
    filter: "null",
    sound: "sin(440*2*PI*t)/2",
    pictures: &[
        Picture { name: "180p", width: 320, height: 180, b_frames: 2 },
        Picture { name: "108p", width: 192, height: 108, b_frames: 0 },
    ],
    sounds: &[
        Sound { id: "audio-en-stereo", language: "eng", layout: ChannelLayout::Stereo },
        Sound { id: "audio-de-surround", language: "de-AT", layout: ChannelLayout::Surround51 },
    ],
};

/// Encoded renditions, and the media sets made of them.
pub(crate) struct Renditions {
    folder: TempDir,
    pub(crate) video: Vec<VideoRendition>,
    pub(crate) audio: Vec<AudioRendition>,
}

/// Runs a program, which must succeed. Gives what it printed.
pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {words}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs FFmpeg, which must succeed. Gives what it printed.
pub(crate) fn ffmpeg(arguments: &[&str]) -> String {
    run("ffmpeg", &[&["-nostdin", "-v", "error", "-y"], arguments].concat())
}

fn packager() -> PathBuf {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/bin/packager");
    std::env::var_os("REELFARM_PACKAGER")
        .map(PathBuf::from)
        .unwrap_or_else(|| if built.exists() { built } else { "packager".into() })
}

impl Renditions {
    /// Encodes as the farm does: an IDR picture every 2 s, closed GOPs, sound with its priming in an edit list.
    pub(crate) fn encode(clip: &Clip<'_>) -> Self {
        let mut renditions = Self { folder: TempDir::new().unwrap(), video: Vec::new(), audio: Vec::new() };
        let (rate, seconds) = (clip.frame_rate, clip.frame_count as f64 / f64::from(clip.frame_rate));
        let artifact = |name: &str| ArtifactKey(Digest::of(name.as_bytes()));
        for picture in clip.pictures {
            let Picture { name, width, height, b_frames } = *picture;
            let source = format!("{}=s={width}x{height}:r={rate}:d={seconds},{}", clip.picture, clip.filter);
            let (gop, b_frames) = ((rate * 2).to_string(), b_frames.to_string());
            ffmpeg(
                &[
                    &[
                        "-f", "lavfi", "-i", &source, "-c:v", "libx264", "-preset", "veryfast", "-threads",
                        "1",
                    ][..],
                    &[
                        "-pix_fmt",
                        "yuv420p",
                        "-g",
                        &gop,
                        "-keyint_min",
                        &gop,
                        "-sc_threshold",
                        "0",
                        "-bf",
                        &b_frames,
                    ],
                    &["-x264-params", "open-gop=0", renditions.file(name).to_str().unwrap()],
                ]
                .concat(),
            );
            renditions.video.push(VideoRendition {
                name: name.into(),
                codec: reelfarm_model::ladder::VideoCodec::H264,
                artifact: artifact(name),
                width,
                height,
                frame_rate: rate,
                frame_count: clip.frame_count,
            });
        }
        for Sound { id, language, layout } in clip.sounds {
            let channels = vec![clip.sound; layout.channels() as usize].join("|");
            let source = format!(
                "aevalsrc='{channels}':c={}:s={}:d={seconds}",
                layout.ffmpeg_name(),
                clip.sample_rate
            );
            let file = renditions.file(id);
            ffmpeg(&["-f", "lavfi", "-i", &source, "-c:a", "aac", "-b:a", "96k", file.to_str().unwrap()]);
            renditions.audio.push(AudioRendition {
                id: (*id).into(),
                artifact: artifact(id),
                language: (*language).into(),
                layout: *layout,
            });
        }
        renditions
    }

    /// A folder of the test's own.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The MP4 file of a rung or of sound.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path(&format!("{name}.mp4"))
    }

    /// The names of the tracks' folders in CMAF, with the names of their renditions.
    pub(crate) fn tracks(&self) -> Vec<(String, String)> {
        let video = self.video.iter().map(|video| (format!("video-{}", video.name), video.name.clone()));
        video.chain(self.audio.iter().map(|audio| (audio.id.clone(), audio.id.clone()))).collect()
    }

    /// Packages the renditions as CMAF, into a folder of this name.
    pub(crate) fn cmaf(&self, name: &str, seconds: u32, is_encrypted: bool) -> PathBuf {
        self.cmaf_with(name, seconds, is_encrypted.then_some(&[]))
    }

    /// Packages the renditions as CMAF, encrypted where there are `encryption` arguments for it.
    pub(crate) fn cmaf_with(&self, name: &str, seconds: u32, encryption: Option<&[&str]>) -> PathBuf {
        let folder = self.path(name);
        fs_err::create_dir(&folder).unwrap();
        let mut command = Command::new(packager());
        command.current_dir(&folder).arg("--quiet");
        for (index, (track, rendition)) in self.tracks().iter().enumerate() {
            let kind = if index < self.video.len() { "video" } else { "audio" };
            command.arg(format!(
                "in={},stream={kind},init_segment={track}/init.mp4,segment_template={track}/$Number$.m4s",
                self.file(rendition).display()
            ));
        }
        command
            .arg(format!("--segment_duration={seconds}"))
            .arg(format!("--fragment_duration={seconds}"))
            .args(["--generate_static_live_mpd", "--generate_sidx_in_media_segments=false"])
            .args(["--mpd_output=manifests/manifest.mpd", "--use_fake_clock_for_muxer"]);
        if let Some(arguments) = encryption {
            let keys = format!("label=:key_id={KEY_ID}:key={}", hex::encode(KEY_BYTES));
            command
                .args(["--enable_raw_key_encryption", "--protection_scheme=cenc", "--clear_lead=0"])
                .args(["--mp4_include_pssh_in_stream=false", "--keys", &keys])
                .args(arguments);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        folder
    }

    /// What Smooth Streaming is made of.
    pub(crate) fn input<'a>(&'a self, cmaf: &'a Path, protection: Option<&'a Protection>) -> SmoothInput<'a> {
        SmoothInput { media_set: cmaf, video: &self.video, audio: &self.audio, protection }
    }

    /// Makes Smooth Streaming of a CMAF media set, into a folder of this name.
    pub(crate) fn smooth(&self, name: &str, cmaf: &Path, protection: Option<&Protection>) -> PathBuf {
        let folder = self.path(name);
        smooth::package(&self.input(cmaf, protection), &folder, |_| {}).unwrap();
        folder
    }
}
