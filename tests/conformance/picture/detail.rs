//! Pictures that were scaled up, and soft ones that were not.

use reelfarm_model::Code;

use super::{Film, clean, table, warned};

/// Texture that was made in fewer lines and scaled up.
fn scaled(name: &str, from: &str, to: (u32, u32), kernel: &str) -> Film {
    let (width, height) = to;
    texture(name, to).filtered(format!("scale={from}:flags=area,scale={width}:{height}:flags={kernel}"))
}

/// A wall that drifts by, as sharp as a lens shows one: as long as three spot checks of a film at 24 take.
fn texture(name: &str, (width, height): (u32, u32)) -> Film {
    let wall =
        "color=color=gray,noise=alls=100:all_seed=1,gblur=sigma=0.8,scroll=horizontal=0.003:vertical=0.002";
    Film::new(name, 10.6).rate(24).size(width, height).showing(wall)
}

const HD: (u32, u32) = (1_280, 720);

#[test]
fn a_picture_of_1080_lines_that_was_made_of_480_is_found() {
    table([
        (scaled("480-in-1080.mkv", "854:480", (1_920, 1_080), "bicubic"), warned(Code::QcDetail, &[])),
        (texture("1080.mkv", (1_920, 1_080)), clean()),
    ]);
}

#[test]
fn every_usual_way_to_scale_up_is_found() {
    let warned = || warned(Code::QcDetail, &[]);
    table([
        (scaled("bilinear.mkv", "854:480", HD, "bilinear"), warned()),
        (scaled("lanczos.mkv", "854:480", HD, "lanczos"), warned()),
        (scaled("spline.mkv", "854:480", HD, "spline"), warned()),
        (scaled("by-two.mkv", "640:360", HD, "bicubic"), warned()),
        (
            scaled("with-grain.mkv", "854:480", HD, "bicubic").filtered("noise=alls=6:allf=t:all_seed=2"),
            warned(),
        ),
        (
            scaled("coded.mkv", "854:480", HD, "bicubic")
                .coded("-c:v libx264 -preset veryfast -crf 20 -pix_fmt yuv420p"),
            warned(),
        ),
    ]);
}

#[test]
fn soft_pictures_and_small_changes_of_size_pass() {
    table([
        (texture("soft.mkv", HD).filtered("gblur=sigma=1.2"), clean()),
        // From 576 lines, which are 80 % of 720.
        (scaled("576-in-720.mkv", "1024:576", HD, "bicubic"), clean()),
        (texture("coded.mkv", HD).coded("-c:v libx264 -preset veryfast -crf 26 -pix_fmt yuv420p"), clean()),
        // Of so few lines nothing is asked.
        (scaled("180-in-360.mkv", "320:180", (640, 360), "bicubic"), clean()),
    ]);
}
