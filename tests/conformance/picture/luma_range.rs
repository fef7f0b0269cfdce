//! Luma beyond what EBU R 103 permits: below -1 %, above 103 %, over more than 1 % of the picture.

use reelfarm_model::Code;

use super::{Film, clean, table, warned};

/// A square of so many samples a side, of one level of luma, while `when` is true of a frame's number `n`.
fn square(name: &str, level: u32, side: u32, when: &str) -> Film {
    let square = format!("split=2[all][one];[one]crop={side}:{side},lutyuv=y={level}:u=128:v=128[square];");
    Film::new(name, 5.0).filtered(format!("{square}[all][square]overlay=x=104:y=64:enable='{when}'"))
}

#[test]
fn what_leaves_the_range_is_found_where_it_does() {
    let always = "1";
    table([
        // 104 % and 102 % of the range of luma, -2 % and -0.5 %.
        (square("104.mkv", 244, 48, "between(n,50,74)"), warned(Code::QcLumaRange, &[(2.0, 3.0)])),
        (square("102.mkv", 240, 48, always), clean()),
        (square("below.mkv", 11, 48, "between(n,50,74)"), warned(Code::QcLumaRange, &[(2.0, 3.0)])),
        (square("just-below.mkv", 15, 48, always), clean()),
        // 0.6 % of the picture.
        (square("small.mkv", 250, 24, always), clean()),
        // One frame of 125, and two.
        (square("one-frame.mkv", 250, 96, "eq(n,50)"), clean()),
        (square("two-frames.mkv", 250, 96, "between(n,50,51)"), warned(Code::QcLumaRange, &[(2.0, 2.08)])),
        (
            Film::new("full-range-flagged-limited.mkv", 2.0)
                .filtered("drawbox=w=90:h=90:color=black:thickness=fill,drawbox=x=90:w=90:h=90:color=white:thickness=fill,scale=out_range=full")
                .with("-color_range tv"),
            warned(Code::QcLumaRange, &[(0.0, 2.0)]),
        ),
        (
            Film::new("full-range.mkv", 2.0)
                .filtered("drawbox=w=90:h=90:color=black:thickness=fill,drawbox=x=90:w=90:h=90:color=white:thickness=fill,scale=out_range=full")
                .with("-color_range pc"),
            clean(),
        ),
    ]);
}
