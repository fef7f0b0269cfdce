//! Frames that a machine repeated to reach the frame rate, and drawings that a hand holds. `rates` has more of them.

use reelfarm_model::Code;

use super::{Film, clean, rejected, table, warned};

fn film(name: &str, rate: u32, filters: &str) -> Film {
    Film::new(name, 26.0).rate(rate).filtered(filters)
}

#[test]
fn a_changed_frame_rate_is_told_by_its_repeats() {
    table([
        (film("24-in-25.mkv", 24, "fps=25"), rejected(Code::QcRepeatedFrames, &[])),
        (film("25-in-50.mkv", 25, "fps=50"), warned(Code::QcRepeatedFrames, &[])),
        (film("24-in-30.mkv", 24, "fps=30"), rejected(Code::QcRepeatedFrames, &[])),
    ]);
}

#[test]
fn drawings_are_held_and_grain_covers_nothing() {
    table([
        (film("on-twos.mkv", 12, "fps=24"), clean()),
        // A title card each second among moving pictures.
        (
            film("holds.mkv", 25, "select='not(lt(mod(n,50),12)*gt(mod(n,50),0))',fps=25,trim=duration=26"),
            clean(),
        ),
        (film("slow.mkv", 25, "scroll=horizontal=-0.009"), clean()),
    ]);
}
