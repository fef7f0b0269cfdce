//! Flashes of saturated red (WCAG 2.1), between colours of the same luma, so that nothing else flashes.

use reelfarm_model::Code;

use super::{Film, clean, table, warned};

/// A panel over a part of the width, which is of the second colour while `is_red` is true of a frame's number `n`.
fn flashing(name: &str, (rest, red): (&str, &str), width: f64, is_red: &str) -> Film {
    let panel = |colour: &str, when: &str| {
        format!("drawbox=w=iw*{width}:h=ih:color=0x{colour}:thickness=fill:enable='{when}'")
    };
    // Beside the panel nothing else is red; and grain, or there would be next to nothing to code.
    let grain = "noise=alls=3:allf=t:all_seed=9";
    Film::new(name, 5.0).filtered(format!("hue=s=0,{},{},{grain}", panel(rest, "1"), panel(red, is_red)))
}

/// A grey, and a saturated red of its luma by BT.601.
const GREY_AND_RED: (&str, &str) = ("4A4A4A", "C81414");
/// From 2 to 4 s, on for three frames of six: 4.2 a second.
const FOUR: &str = "between(n,50,99)*lt(mod(n-50,6),3)";

#[test]
fn more_than_three_red_flashes_a_second_are_found_and_three_pass() {
    let three = "between(mod(n,30),0,2)+between(mod(n,30),8,10)+between(mod(n,30),16,18)";
    table([
        (flashing("red.mkv", GREY_AND_RED, 1.0, FOUR), warned(Code::QcFlashes, &[(2.0, 4.0)])),
        (flashing("three.mkv", GREY_AND_RED, 1.0, &format!("gte(n,60)*({three})")), clean()),
        (flashing("28-percent.mkv", GREY_AND_RED, 0.28, FOUR), warned(Code::QcFlashes, &[(2.0, 4.0)])),
        (flashing("24-percent.mkv", GREY_AND_RED, 0.24, FOUR), clean()),
    ]);
}

#[test]
fn other_colours_and_pale_reds_may_change_as_often() {
    table([
        // A blue and a green of the same luma.
        (flashing("green.mkv", ("3C3CFF", "148C14"), 1.0, FOUR), clean()),
        // Skin: less than 80 % of its light is red.
        (flashing("skin.mkv", ("828282", "B47864"), 1.0, FOUR), clean()),
        // Saturated, and hardly changes.
        (flashing("reds.mkv", ("C81414", "CC1010"), 1.0, FOUR), clean()),
    ]);
}
