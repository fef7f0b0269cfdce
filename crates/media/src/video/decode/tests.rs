//! The same frames come out whether a film is decoded in one piece or in chunks.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use reelfarm_model::Measurements;
use reelfarm_model::task::DecodingStart;
use tempfile::TempDir;

use super::*;
use crate::ffmpeg::frame::{layout, plane};
use crate::measure;

struct Film {
    _folder: TempDir,
    path: PathBuf,
    measured: Measurements,
    video: VideoConclusion,
}

impl Film {
    /// Made with the `ffmpeg` command; arguments are separated by spaces.
    fn make(name: &str, arguments: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        let made = Command::new("ffmpeg")
            .args(["-nostdin", "-v", "error", "-y"])
            .args(arguments.split_whitespace())
            .arg(&path)
            .output()
            .unwrap();
        assert!(made.status.success(), "{name}: {}", String::from_utf8_lossy(&made.stderr));
        Self::of(folder, path)
    }

    fn of(folder: TempDir, path: PathBuf) -> Self {
        let measured = measure(&path, &mut |_| ()).unwrap();
        assert_eq!(measured.open_error, None, "{}", path.display());
        let track = &measured.video[0];
        let rate = (track.frames - 1) as f64 / (track.last_time - track.first_time);
        let video = VideoConclusion {
            stream: track.index,
            frame_rate: rate.round() as u32,
            frame_count: track.frames,
            width: track.width,
            height: track.height,
            rotation: 0,
            deinterlace: false,
            field_order: None,
            matrix: "bt709".into(),
            full_range: false,
        };
        Self { _folder: folder, path, measured, video }
    }

    /// Chunks of so many frames, each decoded from the key frame before it that was measured.
    fn chunks(&self, length: u64) -> Vec<Chunk> {
        let track = &self.measured.video[0];
        let rate = f64::from(self.video.frame_rate);
        let numbers: Vec<u64> = track
            .key_frame_times
            .iter()
            .map(|time| ((time - track.first_time) * rate).round())
            .filter(|number| *number >= 0.0)
            .map(|number| number as u64)
            .collect();
        let reach = if self.video.deinterlace { DEINTERLACER_REACH } else { 0 };
        (0..self.video.frame_count)
            .step_by(length as usize)
            .map(|first_frame| Chunk {
                first_frame,
                frame_count: length.min(self.video.frame_count - first_frame),
                decoding: DecodingStart {
                    key_frame: numbers
                        .iter()
                        .copied()
                        .filter(|number| *number <= first_frame.saturating_sub(reach))
                        .max()
                        .unwrap_or(0),
                    film_start_us: (track.first_time * 1e6).round() as i64,
                },
            })
            .collect()
    }

    /// What the encoders are given, a digest a frame.
    fn frames(&self, chunk: Option<Chunk>) -> Result<Vec<u64>, MediaError> {
        frames(&self.path, &self.video, chunk)
    }

    fn assert_same_in_chunks(&self, name: &str) {
        let whole = self.frames(None).unwrap();
        assert_eq!(whole.len() as u64, self.video.frame_count, "{name}");
        let different: std::collections::BTreeSet<_> = whole.iter().collect();
        assert!(different.len() * 10 >= whole.len() * 9, "{name}: its frames are not to be told apart");
        for length in [7, 25, 50] {
            let mut joined = Vec::new();
            for chunk in self.chunks(length) {
                joined.extend(
                    self.frames(Some(chunk)).unwrap_or_else(|error| panic!("{name}, {chunk:?}: {error}")),
                );
            }
            assert_eq!(joined.len(), whole.len(), "{name} in chunks of {length}");
            let other: Vec<_> = (0..whole.len()).filter(|index| whole[*index] != joined[*index]).collect();
            assert!(other.is_empty(), "{name} in chunks of {length}: other frames {other:?}");
        }
    }
}

fn frames(path: &Path, video: &VideoConclusion, chunk: Option<Chunk>) -> Result<Vec<u64>, MediaError> {
    let mut digests = Vec::new();
    // As the farm does: a chunk in one thread, a film in one piece perhaps in several.
    let threads = if chunk.is_some() { 1 } else { 2 };
    let source = FrameSource::open(path, video, chunk, threads)?;
    let decoded = source.decode_all(|frame| {
        assert_eq!(frame.pts(), Some(digests.len() as i64));
        digests.push(digest(&frame));
        Ok(())
    });
    match decoded {
        Ok(()) => Ok(digests),
        Err(Stop::Failed(error)) => Err(error),
        Err(Stop::Abandoned) => panic!("nobody left"),
    }
}

fn digest(frame: &frame::Video) -> u64 {
    let layout = layout(frame).unwrap();
    assert!(layout.is_planar, "{layout:?}");
    let bytes = layout.bit_depth.div_ceil(8) as usize;
    let mut hasher = DefaultHasher::new();
    (frame.width(), frame.height(), layout.name).hash(&mut hasher);
    for index in 0..if layout.chroma.is_some() { 3 } else { 1 } {
        let (right, down) = layout.chroma.filter(|_| index > 0).unwrap_or((0, 0));
        let row = frame.width().div_ceil(1 << right) as usize * bytes;
        let rows = frame.height().div_ceil(1 << down) as usize;
        let (samples, stride) = plane(frame, index, row, rows).unwrap();
        for at in 0..rows {
            samples[at * stride..at * stride + row].hash(&mut hasher);
        }
    }
    hasher.finish()
}

/// A moving picture with grain, so that no frame is like another.
fn source(rate: u32, frames: u32) -> String {
    format!("-f lavfi -i testsrc2=s=320x180:r={rate},noise=alls=12:allf=t -frames:v {frames}")
}

macro_rules! same_in_chunks {
    ($($test:ident: $name:literal, $source:expr, $options:literal;)*) => {
        $(
            #[test]
            fn $test() {
                Film::make($name, &format!("{} {}", $source, $options)).assert_same_in_chunks($name);
            }
        )*
    };
}

same_in_chunks! {
    h264_of_closed_groups: "closed.mp4", source(25, 151),
        "-c:v libx264 -preset veryfast -g 25 -bf 3 -x264-params open-gop=0";
    h264_of_open_groups: "open.mp4", source(25, 151),
        "-c:v libx264 -preset veryfast -g 25 -bf 3 -x264-params open-gop=1:scenecut=0";
    h264_with_a_pyramid_in_matroska: "pyramid.mkv", source(24, 149),
        "-c:v libx264 -preset fast -g 40 -bf 5 -x264-params b-pyramid=normal:b-adapt=0:open-gop=1";
    h264_of_one_long_group: "long.mp4", source(25, 149), "-c:v libx264 -preset veryfast -g 1000 -bf 2";
    h264_in_a_transport_stream: "film.ts", source(50, 203), "-c:v libx264 -preset veryfast -g 50 -bf 3";
    mpeg_2_of_open_groups_in_a_transport_stream: "mpeg-2.ts", source(25, 151),
        "-c:v mpeg2video -q:v 3 -g 12 -bf 2";
    mpeg_2_in_a_programme_stream: "mpeg-2.mpg", source(25, 130), "-c:v mpeg2video -q:v 3 -g 15 -bf 2";
    mpeg_2_of_4_2_2_in_mxf: "mpeg-2.mxf", source(25, 101), "-c:v mpeg2video -pix_fmt yuv422p -q:v 2 -g 12 -bf 2";
    intra_only_prores: "prores.mov", source(25, 77), "-c:v prores_ks -profile:v 3 -pix_fmt yuv422p10le";
    intra_only_dnxhd: "dnxhr.mov", source(24, 53), "-s 640x360 -c:v dnxhd -profile:v dnxhr_hq -pix_fmt yuv422p";
    h264_of_10_bit_4_2_2: "deep.mov", source(25, 101), "-c:v libx264 -preset veryfast -pix_fmt yuv422p10le -g 30 -bf 2";
    hevc_of_open_groups: "hevc.mp4", source(25, 127),
        "-c:v libx265 -preset ultrafast -x265-params log-level=error:keyint=30:min-keyint=30:open-gop=1:bframes=3";
    vp9_with_hidden_frames: "film.webm", source(30, 91),
        "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 800k -g 30 -auto-alt-ref 1 -lag-in-frames 12";
    a_film_that_begins_late: "late.mp4", source(25, 101),
        "-c:v libx264 -preset veryfast -g 25 -bf 3 -output_ts_offset 1.48";
    a_transport_stream_whose_clock_runs_over: "over.ts", source(25, 151),
        "-c:v libx264 -preset veryfast -g 25 -bf 3 -output_ts_offset 95440";
    fifty_pictures_a_second: "fifty.mp4", source(50, 301), "-c:v libx264 -preset veryfast -g 100 -bf 3";
}

#[test]
fn a_trimmed_film_begins_where_its_edit_list_says() {
    let folder = tempfile::tempdir().unwrap();
    let whole =
        Film::make("film.mp4", &format!("{} -c:v libx264 -preset veryfast -g 50 -bf 3", source(25, 200)));
    let path = folder.path().join("trimmed.mp4");
    let made = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-ss", "1.2", "-i"])
        .arg(&whole.path)
        .args(["-c", "copy"])
        .arg(&path)
        .status();
    assert!(made.unwrap().success());
    let trimmed = Film::of(folder, path);
    assert!(trimmed.measured.video[0].edit_list.is_some_and(|list| list.trimmed_head > 1.0));
    trimmed.assert_same_in_chunks("trimmed.mp4");
}

#[test]
fn what_is_deinterlaced_is_the_same_in_chunks() {
    let fields = "-f lavfi -i testsrc2=s=320x180:r=50,noise=alls=12:allf=t,tinterlace=interleave_top -frames:v 120 \
                  -c:v mpeg2video -q:v 3 -g 12 -bf 2 -flags +ilme+ildct -top 1";
    for order in [None, Some(FieldOrder::TopFirst), Some(FieldOrder::BottomFirst)] {
        let mut film = Film::make("fields.ts", fields);
        (film.video.deinterlace, film.video.field_order) = (true, order);
        film.assert_same_in_chunks("fields.ts");
    }
}

#[test]
fn an_index_that_lies_costs_time_and_no_frame() {
    for (name, options) in [
        ("open.mp4", "-c:v libx264 -preset veryfast -g 30 -bf 3 -x264-params open-gop=1:scenecut=0"),
        ("film.ts", "-c:v mpeg2video -q:v 3 -g 15 -bf 2"),
    ] {
        let film = Film::make(name, &format!("{} {options}", source(25, 151)));
        let whole = film.frames(None).unwrap();
        for chunk in film.chunks(50) {
            let frames = chunk.first_frame as usize..(chunk.first_frame + chunk.frame_count) as usize;
            for key_frame in [0, 1, chunk.first_frame, chunk.first_frame.saturating_sub(3), 140, 10_000] {
                let lying = Chunk { decoding: DecodingStart { key_frame, ..chunk.decoding }, ..chunk };
                assert_eq!(
                    film.frames(Some(lying)).unwrap(),
                    whole[frames.clone()],
                    "{name} from {key_frame}"
                );
            }
        }
    }
}

#[test]
fn frames_that_do_not_come_are_told_with_their_time() {
    let film =
        Film::make("film.mp4", &format!("{} -c:v libx264 -preset veryfast -g 25 -bf 2", source(25, 100)));
    let decoding = film.chunks(50)[1].decoding;
    for (first_frame, frame_count, number) in [(50, 60, 100), (150, 50, 150)] {
        let mut video = film.video.clone();
        video.frame_count = 200;
        let chunk = Chunk { first_frame, frame_count, decoding };
        let error = frames(&film.path, &video, Some(chunk)).unwrap_err();
        let expected = format!("frame {number}, at {:.2} s of the film, does not", number as f64 / 25.0);
        assert!(error.to_string().contains(&expected), "{error}");
        assert_eq!(error.failure().class, reelfarm_model::FailureClass::Transient);
    }
}

#[test]
fn a_real_film_is_the_same_in_chunks() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let name = "bigbuckbunny.mp4";
    let path = ["tests/media", ".tools/media"].map(|folder| repository.join(folder).join(name));
    let path = path.into_iter().find(|path| path.exists()).expect("run scripts/setup --tests");
    Film::of(tempfile::tempdir().unwrap(), path).assert_same_in_chunks(name);
}
