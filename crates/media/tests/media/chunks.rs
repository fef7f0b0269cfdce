//! Renditions that are joined from chunks, beside those that are encoded in one piece.

use std::path::{Path, PathBuf};

use reelfarm_media::{MediaError, assemble_video, encode_video};
use reelfarm_model::ladder::VideoCodec;
use reelfarm_model::qc::VideoConclusion;
use reelfarm_model::task::{AssembleVideoSpec, Chunk, DecodingStart, EncodeVideoSpec, RungSpec, VideoChunk};
use reelfarm_model::{ArtifactKey, Digest};

use crate::support::{THREADS, Workspace, conclusion, decode, encode_one, measured, probe, rung, video_spec};

/// Chunks of so many frames of a film whose key frames are so far apart.
fn chunks(source: &Path, video: &VideoConclusion, length: u64, key_frames: u64) -> Vec<Chunk> {
    let film_start_us = (measured(source).video[0].first_time * 1e6).round() as i64;
    (0..video.frame_count)
        .step_by(length as usize)
        .map(|first_frame| Chunk {
            first_frame,
            frame_count: length.min(video.frame_count - first_frame),
            decoding: DecodingStart { key_frame: first_frame / key_frames * key_frames, film_start_us },
        })
        .collect()
}

/// Encodes the chunks of one rung.
fn encode_chunks(
    workspace: &Workspace,
    source: &Path,
    video: &VideoConclusion,
    rung: &RungSpec,
    chunks: &[Chunk],
) -> Vec<PathBuf> {
    let encode = |(number, chunk): (usize, &Chunk)| {
        let output = workspace.path(&format!("{}-{number}.mp4", rung.rung.name));
        let spec = EncodeVideoSpec { chunk: Some(*chunk), ..video_spec(video.clone(), vec![rung.clone()]) };
        encode_video(source, &spec, std::slice::from_ref(&output), 1, &mut |_| ()).unwrap();
        output
    };
    chunks.iter().enumerate().map(encode).collect()
}

fn assemble_spec(video: &VideoConclusion, rung: &RungSpec, chunks: &[Chunk]) -> AssembleVideoSpec {
    AssembleVideoSpec {
        rung: rung.clone(),
        frame_rate: video.frame_rate,
        chunks: chunks
            .iter()
            .map(|chunk| VideoChunk {
                artifact: ArtifactKey(Digest::of(b"chunk")),
                frame_count: chunk.frame_count,
            })
            .collect(),
    }
}

fn joined(
    workspace: &Workspace,
    source: &Path,
    video: &VideoConclusion,
    rung: &RungSpec,
    chunks: &[Chunk],
) -> PathBuf {
    let parts = encode_chunks(workspace, source, video, rung, chunks);
    let output = workspace.path(&format!("{}-joined.mp4", rung.rung.name));
    assemble_video(&assemble_spec(video, rung, chunks), &parts, &output, &mut |_| ()).unwrap();
    output
}

fn rung_of(codec: VideoCodec) -> RungSpec {
    let mut rung = rung(25, 320, 180);
    rung.rung.codec = codec;
    if codec == VideoCodec::Hevc {
        (rung.rung.profile, rung.rung.preset) = ("main".to_owned(), "ultrafast".to_owned());
    }
    rung
}

fn times(path: &Path) -> Vec<String> {
    probe(path, "-show_entries packet=pts,dts,duration,flags")
}

/// SSIM of each frame of one film against another's.
fn similarities(workspace: &Workspace, film: &Path, other: &Path) -> Vec<f64> {
    let stats = workspace.path("ssim.txt");
    let filter = format!("[0:v][1:v]ssim=stats_file={}", stats.display());
    let output = std::process::Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(film)
        .arg("-i")
        .arg(other)
        .args(["-lavfi", &filter, "-f", "null", "-"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs_err::read_to_string(stats)
        .unwrap()
        .lines()
        .map(|line| line.split("All:").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap())
        .collect()
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let values: Vec<f64> = values.collect();
    values.iter().sum::<f64>() / values.len() as f64
}

/// A camera's picture would do as well: it moves, has grain, and is cut.
const FILM: &str = "-f lavfi -i testsrc2=s=640x360:r=25:d=8.2 -f lavfi -i mandelbrot=s=640x360:r=25 \
    -filter_complex [1:v]trim=duration=8.6,setpts=PTS-STARTPTS,noise=alls=8:allf=t[m];[0:v]noise=alls=8:allf=t[t];[t][m]concat \
    -c:v libx264 -preset veryfast -crf 12 -g 25 -bf 3 -pix_fmt yuv420p";
const FRAMES: u64 = 420;

#[test]
fn the_joined_rendition_is_what_one_encoder_would_have_made() {
    let workspace = Workspace::new();
    let source = workspace.make("film.mp4", FILM);
    let video = conclusion(25, FRAMES);
    let scaled = workspace.path("scaled.mkv");
    use VideoCodec::{H264, Hevc};
    for (name, codec, rate) in [
        ("free", H264, 4_000),
        ("at its rate", H264, 500),
        // Of level 1.3, whose next lower one is up to 480 kb/s: chunks have a little less of the rate.
        ("at the border of a level", H264, 484),
        ("hevc", Hevc, 4_000),
        ("hevc at its rate", Hevc, 400),
        // Up to 12 Mb/s are level 4 of the main tier.
        ("hevc at the border of a level", Hevc, 12_010),
    ] {
        let mut rung = rung_of(codec);
        (rung.rung.maxrate_kbps, rung.rung.bufsize_kbps) = (rate, 2 * rate);
        let chunks = chunks(&source, &video, 150, 25);
        let joined = joined(&workspace, &source, &video, &rung, &chunks);
        let whole = encode_one(&workspace, &source, video.clone(), rung);
        assert_eq!(times(&joined), times(&whole), "{name}");
        let size = |path: &Path| fs_err::metadata(path).unwrap().len() as f64;
        let ratio = size(&joined) / size(&whole);
        assert!((0.985..=1.015).contains(&ratio), "{name}: {ratio} of the size");
        if !scaled.exists() {
            let filter = "scale=320:180:flags=bicubic+accurate_rnd+full_chroma_int";
            workspace.make("scaled.mkv", &format!("-i {} -vf {filter} -c:v ffv1", source.display()));
        }
        let in_chunks = similarities(&workspace, &joined, &scaled);
        let in_one = similarities(&workspace, &whole, &scaled);
        assert_eq!((in_chunks.len(), in_one.len()), (FRAMES as usize, FRAMES as usize));
        let at_joins = |values: &[f64]| {
            let joins = chunks.iter().skip(1).map(|chunk| chunk.first_frame as usize);
            mean(joins.flat_map(|join| values[join - 12..join + 12].to_vec()))
        };
        let lost = at_joins(&in_one) - at_joins(&in_chunks);
        assert!(lost < 0.002, "{name}: {lost} of SSIM is lost at the joins");
        println!("{name}: {ratio:.4} of the size, {lost:.5} of SSIM lost at the joins");
    }
}

/// As dear as the rate allows throughout, which is where a chunk ends with the buffer about as full as it has to leave it.
#[test]
fn a_chunk_at_its_rate_is_encoded_once() {
    let workspace = Workspace::new();
    let noise = "-f lavfi -i testsrc2=s=640x360:r=25:d=20,noise=alls=20:allf=t -c:v libx264 -preset ultrafast -crf 12 -g 25";
    let source = workspace.make("film.mp4", &format!("{noise} -pix_fmt yuv420p"));
    let video = conclusion(25, 500);
    for (codec, preset, rate) in [
        (VideoCodec::H264, "veryfast", 500),
        (VideoCodec::H264, "medium", 500),
        (VideoCodec::Hevc, "superfast", 250),
    ] {
        let mut rung = rung_of(codec);
        (rung.rung.maxrate_kbps, rung.rung.bufsize_kbps, rung.rung.preset) =
            (rate, 2 * rate, preset.to_owned());
        for chunk in chunks(&source, &video, 250, 25) {
            let spec =
                EncodeVideoSpec { chunk: Some(chunk), ..video_spec(video.clone(), vec![rung.clone()]) };
            let output = workspace.path("chunk.mp4");
            let mut furthest: f64 = 0.0;
            let mut went_back = false;
            encode_video(&source, &spec, std::slice::from_ref(&output), 1, &mut |progress| {
                went_back |= progress.fraction < furthest;
                furthest = furthest.max(progress.fraction);
            })
            .unwrap();
            let kbps = fs_err::metadata(&output).unwrap().len() as f64 * 8.0 / 1000.0 / 10.0;
            assert!(kbps > 0.95 * f64::from(rate), "{preset}: {kbps} kb/s is not what the rate allows");
            assert!(!went_back, "{preset}, frame {}: it was encoded again", chunk.first_frame);
        }
    }
}

#[test]
fn every_frame_decodes_in_its_place_after_joining() {
    let workspace = Workspace::new();
    let source = workspace.make("film.mp4", FILM);
    let video = conclusion(25, FRAMES);
    let rung = rung(25, 320, 180);
    let chunks = chunks(&source, &video, 50, 25);
    let joined = joined(&workspace, &source, &video, &rung, &chunks);
    let parts = encode_chunks(&workspace, &source, &video, &rung, &chunks);
    let arguments = "-f framemd5 -fps_mode passthrough";
    let digests = |path: &Path| -> Vec<String> {
        let text = String::from_utf8(decode(path, arguments)).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.map(|line| line.rsplit(',').next().unwrap().trim().to_owned()).collect()
    };
    let apart: Vec<String> = parts.iter().flat_map(|part| digests(part)).collect();
    assert_eq!(apart.len() as u64, FRAMES);
    assert_eq!(digests(&joined), apart);
}

#[test]
fn a_chunks_bytes_are_the_same_each_time_wherever_decoding_begins() {
    let workspace = Workspace::new();
    let source = workspace.make("film.mp4", FILM);
    let video = conclusion(25, FRAMES);
    let rung = rung(25, 320, 180);
    let chunk = chunks(&source, &video, 100, 25)[2];
    let bytes = |key_frame: u64| {
        let decoding = DecodingStart { key_frame, ..chunk.decoding };
        let chunks = [Chunk { decoding, ..chunk }];
        fs_err::read(&encode_chunks(&workspace, &source, &video, &rung, &chunks)[0]).unwrap()
    };
    let first = bytes(200);
    assert!(first == bytes(200), "a second run");
    assert!(first == bytes(0), "from the film's beginning");
}

#[test]
fn chunks_of_noise_fit_through_the_buffer_one_after_the_other() {
    let workspace = Workspace::new();
    let source = workspace.make(
        "noise.mp4",
        "-f lavfi -i testsrc2=s=320x180:r=25:d=24,noise=alls=60:allf=t -c:v libx264 -preset ultrafast -qp 4 -g 25",
    );
    let video = conclusion(25, 600);
    for (maxrate_kbps, bufsize_kbps) in [(900, 1_800), (900, 450), (3_000, 12_000)] {
        let mut rung = rung(25, 320, 180);
        rung.rung.crf = 18;
        (rung.rung.maxrate_kbps, rung.rung.bufsize_kbps) = (maxrate_kbps, bufsize_kbps);
        let chunks = chunks(&source, &video, 200, 25);
        let joined = joined(&workspace, &source, &video, &rung, &chunks);
        // As x264 itself takes a film to begin: nine tenths full.
        let (size, arrives) = (f64::from(bufsize_kbps) * 1e3, f64::from(maxrate_kbps) * 1e3 / 25.0);
        let mut level = size * 0.9;
        for (number, bytes) in probe(&joined, "-show_entries packet=size").iter().enumerate() {
            level -= bytes.parse::<f64>().unwrap() * 8.0;
            assert!(
                level >= 0.0,
                "{maxrate_kbps} kb/s over {bufsize_kbps} kb: packet {number} comes too late"
            );
            level = (level + arrives).min(size);
        }
        let whole = encode_one(&workspace, &source, video.clone(), rung);
        let size = |path: &Path| fs_err::metadata(path).unwrap().len() as f64;
        let ratio = size(&joined) / size(&whole);
        assert!(
            (0.95..1.015).contains(&ratio),
            "{maxrate_kbps} kb/s over {bufsize_kbps} kb: {ratio} of the size"
        );
    }
}

#[test]
fn what_is_no_chunk_of_the_rendition_is_refused() {
    let workspace = Workspace::new();
    let source = workspace.make("film.mp4", FILM);
    let video = conclusion(25, FRAMES);
    let rung = rung(25, 320, 180);
    let all = chunks(&source, &video, 200, 25);
    let parts = encode_chunks(&workspace, &source, &video, &rung, &all);
    let spec = assemble_spec(&video, &rung, &all);
    let output = workspace.path("joined.mp4");
    let refused = |spec: &AssembleVideoSpec, parts: &[PathBuf]| {
        assemble_video(spec, parts, &output, &mut |_| ()).unwrap_err().to_string()
    };
    let swapped = [parts[2].clone(), parts[1].clone(), parts[0].clone()];
    assert!(
        refused(&spec, &swapped).contains("is shown at place")
            || refused(&spec, &swapped).contains("frames, not 200")
    );
    assert!(refused(&spec, &parts[..2]).contains("2 files cannot be 3 chunks"));
    let mut other = rung.clone();
    (other.width, other.height, other.rung.name) = (160, 90, "other".into());
    let others = encode_chunks(&workspace, &source, &video, &other, &all);
    let mixed = [parts[0].clone(), others[1].clone(), parts[2].clone()];
    assert!(refused(&spec, &mixed).contains("parameter sets"));
    let cut = workspace.path("cut.mp4");
    let bytes = fs_err::read(&parts[1]).unwrap();
    fs_err::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    assert!(!refused(&spec, &[parts[0].clone(), cut, parts[2].clone()]).is_empty());
    let off_the_grid = Chunk { first_frame: 33, frame_count: 50, ..all[0] };
    let spec = EncodeVideoSpec { chunk: Some(off_the_grid), ..video_spec(video, vec![rung]) };
    let error = encode_video(&source, &spec, &[output], THREADS, &mut |_| ()).unwrap_err();
    assert!(matches!(error, MediaError::Unsupported(_)), "{error}");
}
