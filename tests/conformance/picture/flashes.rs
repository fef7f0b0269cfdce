//! Flashes as ITU-R BT.1702-3 counts them, at each of its limits: 20 cd/m², 160 cd/m², a quarter of the picture, three a
//! second. A grey of 8 bits is given by what BT.1886 shows of it at 200 cd/m².

use reelfarm_model::Code;

use super::{Film, clean, table, warned};

/// A plain grey over a part of the width, which is brighter while `is_bright` is true of a frame's number `n`.
fn flashing(name: &str, (dark, bright): (&str, &str), width: f64, is_bright: &str) -> Film {
    let panel = |colour: &str, when: &str| {
        format!("drawbox=w=iw*{width}:h=ih:color=0x{colour}{colour}{colour}:thickness=fill:enable='{when}'")
    };
    // Grain, or there would be next to nothing to code.
    let grain = "noise=alls=3:allf=t:all_seed=9";
    Film::new(name, 6.0).filtered(format!("{},{},{grain}", panel(dark, "1"), panel(bright, is_bright)))
}

/// 10 cd/m² and 90.
const STRONG: (&str, &str) = ("49", "B7");
/// From 2.4 to 4.4 s, on for three frames of six: 4.2 a second.
const FOUR: &str = "between(n,60,109)*lt(mod(n,6),3)";

#[test]
fn more_than_three_flashes_a_second_are_found_and_three_pass() {
    // Three within a second, and three again when it has passed.
    let three = "between(mod(n,30),0,2)+between(mod(n,30),8,10)+between(mod(n,30),16,18)";
    table([
        (flashing("four.mkv", STRONG, 1.0, FOUR), warned(Code::QcFlashes, &[(2.4, 4.44)])),
        (
            flashing("strobe.mkv", STRONG, 1.0, "between(n,60,84)*mod(n,2)"),
            warned(Code::QcFlashes, &[(2.44, 3.4)]),
        ),
        (flashing("three.mkv", STRONG, 1.0, &format!("gte(n,60)*({three})")), clean()),
        (flashing("at-2-hertz.mkv", STRONG, 1.0, "gte(n,60)*lt(mod(n,12),6)"), clean()),
        (
            flashing("at-50.mkv", STRONG, 1.0, "between(n,120,219)*lt(mod(n,12),6)").rate(50),
            warned(Code::QcFlashes, &[(2.4, 4.42)]),
        ),
        (
            flashing("four-at-once.mkv", STRONG, 1.0, "eq(n,60)+eq(n,66)+eq(n,72)+eq(n,78)"),
            warned(Code::QcFlashes, &[(2.4, 3.2)]),
        ),
        (flashing("three-at-once.mkv", STRONG, 1.0, "eq(n,60)+eq(n,66)+eq(n,72)"), clean()),
    ]);
}

#[test]
fn changes_count_from_20_candela_on_below_160() {
    table([
        // 10.1 cd/m² and 30.6.
        (flashing("20-up.mkv", ("49", "74"), 1.0, FOUR), warned(Code::QcFlashes, &[(2.4, 4.44)])),
        // 10.1 cd/m² and 29.2.
        (flashing("19-up.mkv", ("49", "72"), 1.0, FOUR), clean()),
        // 156 cd/m² and 200.
        (flashing("from-156.mkv", ("E6", "FF"), 1.0, FOUR), warned(Code::QcFlashes, &[(2.4, 4.44)])),
        // 161 cd/m² and 200.
        (flashing("from-161.mkv", ("E9", "FF"), 1.0, FOUR), clean()),
    ]);
}

#[test]
fn flashes_count_over_more_than_a_quarter_of_the_picture() {
    table([
        (flashing("28-percent.mkv", STRONG, 0.28, FOUR), warned(Code::QcFlashes, &[(2.4, 4.44)])),
        (flashing("24-percent.mkv", STRONG, 0.24, FOUR), clean()),
    ]);
}

#[test]
fn flashes_are_found_over_movement() {
    let brighter = |share: f64, when: &str| {
        format!("lutyuv=y='16+(val-16)*{share}',lutyuv=y='min(16+(val-16)/{share},235)':enable='{when}'")
    };
    table([
        (
            Film::new("over-movement.mkv", 6.0).filtered(brighter(0.45, FOUR)),
            warned(Code::QcFlashes, &[(2.4, 4.44)]),
        ),
        (Film::new("flicker.mkv", 6.0).filtered(brighter(0.9, FOUR)), clean()),
    ]);
}

#[test]
fn movement_and_fades_are_no_flashes() {
    table([
        (
            Film::new("stripes.mkv", 4.0).showing("smptebars,scroll=horizontal=0.03,lutyuv=y='max(val,16)'"),
            clean(),
        ),
        (
            Film::new("pulse.mkv", 6.0)
                .filtered("eq=brightness='0.2*sin(2*PI*t*0.5)':eval=frame,lutyuv=y='clip(val,16,235)'"),
            clean(),
        ),
        (Film::new("fast-pan.mkv", 4.0).filtered("scroll=horizontal=0.09"), clean()),
    ]);
}
