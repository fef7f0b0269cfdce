//! Pictures that stand still, and what moves very little.

use reelfarm_model::Code;

use super::{Film, clean, table, warned};

/// From 0.96 s on the same picture for so many frames.
fn still(frames: u32) -> String {
    format!("loop=loop={}:size=1:start=25,setpts=N/25/TB,trim=duration=8", frames - 1)
}

fn film(name: &str, filters: &str) -> Film {
    Film::new(name, 8.0).filtered(filters)
}

#[test]
fn a_still_longer_than_five_seconds_is_found_to_the_frame_and_five_seconds_pass() {
    table([
        (film("still.mkv", &still(126)), warned(Code::QcFreeze, &[(0.96, 6.0)])),
        (film("still-5s.mkv", &still(125)), clean()),
        (film("still-4-9s.mkv", &still(122)), clean()),
        (film("to-the-end.mkv", &still(500)), warned(Code::QcFreeze, &[(0.96, 8.0)])),
        (
            film("from-the-start.mkv", "loop=loop=130:size=1:start=0,setpts=N/25/TB,trim=duration=8"),
            warned(Code::QcFreeze, &[(0.0, 5.24)]),
        ),
    ]);
}

#[test]
fn a_still_is_one_with_coding_noise_in_it() {
    // Each key frame shows the same picture in other samples.
    let coded = |name: &str, video: &str| {
        (film(name, &still(141)).coded(video), warned(Code::QcFreeze, &[(0.96, 6.6)]))
    };
    table([
        coded("quick.mkv", "-c:v libx264 -preset ultrafast -crf 20 -g 25 -pix_fmt yuv420p"),
        coded("usual.mp4", "-c:v libx264 -preset medium -crf 23 -g 48 -pix_fmt yuv420p"),
        coded("broadcast.ts", "-c:v mpeg2video -q:v 4 -g 12 -bf 0"),
        coded("jpeg.mov", "-c:v mjpeg -q:v 4 -pix_fmt yuvj420p"),
    ]);
}

#[test]
fn what_moves_a_little_does_not_stand_still() {
    let all = "loop=loop=500:size=1:start=0,setpts=N/25/TB,trim=duration=8";
    let dark = "lutyuv=y='16+(val-16)*0.2':u=128:v=128";
    table([
        (film("grain.mkv", &format!("{all},noise=alls=10:allf=t:all_seed=5")), clean()),
        (film("fade.mkv", &format!("{all},fade=type=out:duration=30")), clean()),
        (film("pan.mkv", &format!("{all},scroll=horizontal=0.0005")), clean()),
        (film("dark-pan.mkv", &format!("{all},scroll=horizontal=0.002,{dark}")), clean()),
        // Lips in a corner: a 24th of the width and of the height.
        (
            film(
                "lips.mkv",
                &format!(
                    "{all},drawbox=x=300:y=180:w=18:h=10:color=gray:thickness=fill:enable='lt(mod(n,4),2)'"
                ),
            ),
            clean(),
        ),
        // Two slides, each for 4 s.
        (
            film(
                "slides.mkv",
                "loop=loop=99:size=1:start=0,loop=loop=99:size=1:start=105,setpts=N/25/TB,trim=duration=8",
            ),
            clean(),
        ),
    ]);
}
