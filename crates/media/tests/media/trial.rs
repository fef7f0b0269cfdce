//! Trials, beside what the `ffmpeg` command finds of the same.

use std::path::{Path, PathBuf};
use std::process::Command;

use reelfarm_media::trial;
use reelfarm_model::ladder::VideoCodec;
use reelfarm_model::qc::VideoConclusion;
use reelfarm_model::task::{Chunk, DecodingStart, RungSpec, Trial, TrialSpec};
use reelfarm_model::{Digest, Rung};

use crate::support::{Workspace, conclusion, encode_one, measured, probe, rung};

/// Frames of the film before the stretch, and in it.
const STRETCH: (u64, u64) = (50, 60);
const ZSCALE: &str =
    "filter=bicubic:param_a=0:param_b=0.6:dither=none:rangein=tv:range=tv:chromalin=left:chromal=left";

fn film(workspace: &Workspace) -> PathBuf {
    workspace.make(
        "film.mp4",
        "-f lavfi -i testsrc2=size=640x360:rate=25,noise=alls=12:allf=t:all_seed=7 -frames:v 130 -c:v libx264 -preset veryfast \
         -crf 12 -g 30 -bf 3 -x264-params open-gop=1 -pix_fmt yuv420p -colorspace bt709",
    )
}

/// What is tried of a film: its stretch, of a rung at the film's size or at half of it.
fn spec(film: &Path, rung: RungSpec, crfs: &[u8]) -> TrialSpec {
    let film_start_us = (measured(film).video[0].first_time * 1e6).round() as i64;
    TrialSpec {
        source: Digest::of(b"source"),
        video: video(130),
        rung,
        crfs: crfs.to_vec(),
        stretch: Chunk {
            first_frame: STRETCH.0,
            frame_count: STRETCH.1,
            decoding: DecodingStart { key_frame: 30, film_start_us },
        },
        shown_width: 640,
        shown_height: 360,
    }
}

fn video(frame_count: u64) -> VideoConclusion {
    VideoConclusion { width: 640, height: 360, ..conclusion(25, frame_count) }
}

fn rung_of(codec: VideoCodec, width: u32, height: u32) -> RungSpec {
    let mut rung = rung(25, width, height);
    (rung.rung.maxrate_kbps, rung.rung.bufsize_kbps) = (20_000, 40_000);
    rung.rung.codec = codec;
    if codec == VideoCodec::Hevc {
        (rung.rung.profile, rung.rung.preset) = ("main".to_owned(), "ultrafast".to_owned());
    }
    rung
}

fn tried(workspace: &Workspace, film: &Path, spec: &TrialSpec) -> Trial {
    let mut told = Vec::new();
    let folder = workspace.path("scratch");
    fs_err::create_dir_all(&folder).unwrap();
    let tried = trial(film, spec, &folder, &mut |progress| told.push(progress.fraction)).unwrap();
    assert!(told.is_sorted(), "{told:?}");
    assert!((told.last().unwrap() - 1.0).abs() < 1e-9, "{told:?}");
    assert_eq!(fs_err::read_dir(&folder).unwrap().count(), 0, "no file is left");
    tried
}

/// The SSIM of luma that the `ffmpeg` command finds between a file and the stretch, after these filters for either.
fn ssim(file: &Path, stretch: &Path, of_file: &str, of_stretch: &str) -> f64 {
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-hide_banner", "-i"])
        .arg(file)
        .arg("-i")
        .arg(stretch)
        .args(["-lavfi", &format!("[0]{of_file}[a];[1]{of_stretch}[b];[a][b]ssim"), "-f", "null", "-"])
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    let found = log.split("SSIM Y:").nth(1).and_then(|rest| rest.split(' ').next());
    found.unwrap_or_else(|| panic!("{log}")).parse().unwrap()
}

#[test]
fn a_trial_tells_what_the_ffmpeg_command_finds_of_the_same_encode() {
    let workspace = Workspace::new();
    let film = film(&workspace);
    let stretch = workspace.make(
        "stretch.mkv",
        &format!(
            "-i {} -vf trim=start_frame={}:end_frame={},setpts=PTS-STARTPTS -c:v ffv1 -colorspace bt709",
            film.display(),
            STRETCH.0,
            STRETCH.0 + STRETCH.1
        ),
    );
    for (codec, width, height) in
        [(VideoCodec::H264, 640, 360), (VideoCodec::H264, 320, 180), (VideoCodec::Hevc, 320, 180)]
    {
        let rung = rung_of(codec, width, height);
        let found = tried(&workspace, &film, &spec(&film, rung.clone(), &[20, 34]));
        for (point, crf) in found.points.iter().zip([20, 34]) {
            let at = RungSpec { rung: Rung { crf, ..rung.rung.clone() }, ..rung.clone() };
            let encoded = encode_one(&workspace, &stretch, video(STRETCH.1), at);
            let sizes = probe(&encoded, "-show_entries packet=size");
            let bits: u64 = sizes.iter().map(|size| size.parse::<u64>().unwrap() * 8).sum();
            assert_eq!((point.crf, point.bits), (crf, bits), "{codec:?} {height}p at {crf}");
            let to = |width: u32, height: u32| format!("setfield=prog,zscale=w={width}:h={height}:{ZSCALE}");
            let own = ssim(&encoded, &stretch, "null", &to(width, height));
            assert!((point.ssim - own).abs() < 2e-5, "{codec:?} {height}p at {crf}: {} {own}", point.ssim);
            let shown = ssim(&encoded, &stretch, &to(640, 360), "null");
            assert!(
                (point.shown_ssim - shown).abs() < 2e-5,
                "{codec:?} {height}p at {crf}: {} {shown}",
                point.shown_ssim
            );
        }
        assert!(found.points[0].bits > found.points[1].bits && found.points[0].ssim > found.points[1].ssim);
    }
}

#[test]
fn crfs_that_are_tried_one_after_the_other_give_what_they_give_together() {
    let workspace = Workspace::new();
    let film = film(&workspace);
    let rung = rung_of(VideoCodec::H264, 640, 360);
    let together = tried(&workspace, &film, &spec(&film, rung.clone(), &[20, 26, 32]));
    let each = [20, 26, 32].map(|crf| tried(&workspace, &film, &spec(&film, rung.clone(), &[crf])).points[0]);
    assert_eq!(together.points, each);
}

#[test]
fn a_stretch_that_is_not_there_is_an_error() {
    let workspace = Workspace::new();
    let film = film(&workspace);
    let mut spec = spec(&film, rung_of(VideoCodec::H264, 320, 180), &[20]);
    spec.video.frame_count = 200;
    spec.stretch.first_frame = 100;
    let error = trial(&film, &spec, &workspace.path(""), &mut |_| ()).unwrap_err();
    assert_eq!(error.failure().code, reelfarm_model::Code::EncodeFrameCount, "{error}");
}
