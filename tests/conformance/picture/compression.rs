//! Blocks that are seen, bits too few, and what looks like blocks and is none.

use reelfarm_model::Code;
use reelfarm_model::qc::Verdict;

use super::{Film, clean, table};
use crate::judge::{Clips, complaints, judged};

/// Soft shapes that move, as hard to compress as a film.
const SHAPES: &str = "mandelbrot=end_pts=400:start_scale=0.3:end_scale=0.05,gblur=sigma=1.5";

fn film(name: &str, video: &str) -> Film {
    Film::new(name, 3.0).showing(SHAPES).coded(video)
}

/// The film is warned of for its compression alone; in this measure.
fn assert_compressed(films: impl IntoIterator<Item = (Film, &'static str)>) {
    let clips = Clips::new();
    for (film, value) in films {
        let report = judged(&film.make(&clips));
        let found = complaints(&report);
        let [check] = found.as_slice() else { panic!("{}: {found:#?}", film.name) };
        assert_eq!(
            (check.code, check.verdict),
            (Code::QcCompression, Verdict::Warn),
            "{}: {check:#?}",
            film.name
        );
        assert!(check.value.contains(value), "{}: {check:#?}", film.name);
    }
}

#[test]
fn blocks_are_seen_in_every_codec() {
    assert_compressed([
        (film("mpeg-2.ts", "-c:v mpeg2video -q:v 24"), "blockiness"),
        (film("mpeg-4.mp4", "-c:v mpeg4 -q:v 28"), "blockiness"),
        (film("jpeg.mov", "-c:v mjpeg -q:v 24 -pix_fmt yuvj420p"), "blockiness"),
        (
            film("h264.mkv", "-c:v libx264 -preset veryfast -crf 48 -x264opts no-deblock -pix_fmt yuv420p"),
            "blockiness",
        ),
    ]);
}

#[test]
fn good_compression_grain_and_graphics_have_no_blocks() {
    table([
        (film("mpeg-2.ts", "-c:v mpeg2video -q:v 3"), clean()),
        (film("jpeg.mov", "-c:v mjpeg -q:v 3 -pix_fmt yuvj420p"), clean()),
        (film("h264.mkv", "-c:v libx264 -preset veryfast -crf 26 -pix_fmt yuv420p"), clean()),
        (Film::new("grain.mkv", 3.0).filtered("noise=alls=30:allf=t:all_seed=4"), clean()),
        (Film::new("squares.mkv", 3.0).showing("testsrc,scroll=horizontal=0.01"), clean()),
        (Film::new("automaton.mkv", 3.0).showing("life=mold=10:ratio=0.4:seed=7"), clean()),
    ]);
}

#[test]
fn too_few_bits_are_seen_without_blocks() {
    let h264 = |quality: u32| format!("-c:v libx264 -preset veryfast -crf {quality} -pix_fmt yuv420p");
    assert_compressed([(film("lean.mkv", &h264(38)), "0.009 bits a pixel")]);
    table([(film("enough.mkv", &h264(33)), clean())]);
}
