//! Black at the head, in the middle and at the tail, and what is only dark.

use reelfarm_model::Code;

use super::{Film, clean, table, warned};

/// Black while this is true of a frame's time `t` or number `n`.
fn black(when: &str) -> String {
    format!("drawbox=color=black:thickness=fill:enable='{when}'")
}

fn film(name: &str, seconds: f64, filters: &str) -> Film {
    Film::new(name, seconds).filtered(filters)
}

#[test]
fn black_longer_than_two_seconds_is_found_to_the_frame_and_two_seconds_pass() {
    let head = |frames: u32| black(&format!("lt(n,{frames})"));
    let tail = |frames: u32| black(&format!("gte(n,{})", 100 - frames));
    let middle = |frames: u32| black(&format!("between(n,25,{})", 24 + frames));
    table([
        (film("head.mkv", 4.0, &head(51)), warned(Code::QcBlack, &[(0.0, 2.04)])),
        (film("head-2s.mkv", 4.0, &head(50)), clean()),
        (film("tail.mkv", 4.0, &tail(51)), warned(Code::QcBlack, &[(1.96, 4.0)])),
        (film("tail-2s.mkv", 4.0, &tail(50)), clean()),
        (film("middle.mkv", 4.0, &middle(51)), warned(Code::QcBlack, &[(1.0, 3.04)])),
        (film("middle-2s.mkv", 4.0, &middle(50)), clean()),
        (
            film("both.mkv", 6.0, &black("1-between(n,60,89)")),
            warned(Code::QcBlack, &[(0.0, 2.4), (3.6, 6.0)]),
        ),
        (
            film("all.mkv", 3.0, &black("1")).coded("-c:v ffv1 -pix_fmt yuv420p"),
            warned(Code::QcBlack, &[(0.0, 3.0)]),
        ),
    ]);
}

#[test]
fn black_is_black_with_grain_in_full_range_and_in_ten_bits() {
    let middle = black("between(n,25,84)");
    let place = &[(1.0, 3.4)];
    table([
        (
            film("grain.mkv", 4.0, &format!("{middle},noise=alls=8:allf=t:all_seed=3")),
            warned(Code::QcBlack, place),
        ),
        (
            film("full.mkv", 4.0, &format!("{middle},scale=out_range=full")).with("-color_range pc"),
            warned(Code::QcBlack, place),
        ),
        (
            film("ten-bits.mkv", 4.0, &middle).coded("-c:v ffv1 -pix_fmt yuv422p10le"),
            warned(Code::QcBlack, place),
        ),
    ]);
}

#[test]
fn what_is_dark_is_not_black() {
    let night = |share: f64| {
        format!("lutyuv=y='16+(val-16)*{share}':u='128+(val-128)*{share}':v='128+(val-128)*{share}'")
    };
    // Strokes of letters over black, two samples wide; and one street lamp.
    let letters: String = (0..12)
        .map(|letter| {
            format!(
                ",drawbox=x={}:y=116:w=2:h=9:color=white:thickness=fill:enable='gt(n,20)'",
                160 + 7 * letter
            )
        })
        .collect();
    let lamp = ",drawbox=x=121:y=67:w=7:h=7:color=white:thickness=fill";
    table([
        (film("night.mkv", 4.0, &night(0.25)), clean()),
        (film("moonless.mkv", 4.0, &night(0.18)), clean()),
        (film("credits.mkv", 4.0, &format!("{}{letters}", black("between(n,21,90)"))), clean()),
        (film("lamp.mkv", 4.0, &format!("{}{lamp}", black("between(n,21,90)"))), clean()),
        (film("fades.mkv", 8.0, "fade=type=in:duration=3,fade=type=out:start_time=5:duration=3"), clean()),
    ]);
}
