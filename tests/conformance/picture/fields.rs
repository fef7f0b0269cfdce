//! Interlaced pictures against their flags, and fields that telecine repeats.

use reelfarm_model::Code;
use reelfarm_model::qc::FieldOrder;

use super::{Film, clean, table, warned};
use crate::judge::{Clips, judged};

/// Fields of 50 moments a second, in 25 pictures.
fn interlaced(name: &str, order: &str) -> Film {
    Film::new(name, 4.0).rate(50).filtered(format!("tinterlace=interleave_{order}"))
}

/// Codes pictures of two fields and flags them so.
fn flagged(film: Film, first: Field) -> Film {
    film.with(match first {
        Field::Top => "-flags +ilme+ildct -top 1",
        Field::Bottom => "-flags +ilme+ildct -top 0",
    })
}

#[derive(Clone, Copy)]
enum Field {
    Top,
    Bottom,
}

#[test]
fn fields_are_held_against_their_flags() {
    let progressive = |name: &str| Film::new(name, 4.0);
    table([
        (flagged(interlaced("top.mkv", "top"), Field::Top), clean()),
        (flagged(interlaced("bottom.mkv", "bottom"), Field::Bottom), clean()),
        (interlaced("not-flagged.mkv", "top"), warned(Code::QcInterlacing, &[(0.0, 4.0)])),
        (
            flagged(interlaced("wrong-order.mkv", "top"), Field::Bottom),
            warned(Code::QcInterlacing, &[(0.0, 4.0)]),
        ),
        (flagged(progressive("flagged.mkv"), Field::Top), warned(Code::QcInterlacing, &[])),
        (
            interlaced("mpeg-2.ts", "top")
                .coded("-c:v mpeg2video -pix_fmt yuv422p -q:v 2 -g 12 -flags +ilme+ildct -top 1"),
            clean(),
        ),
    ]);
}

#[test]
fn what_is_deinterlaced_is_what_shows_two_moments() {
    let clips = Clips::new();
    for (film, expected) in [
        (flagged(interlaced("top.mkv", "top"), Field::Top), (true, None)),
        (interlaced("not-flagged.mkv", "top"), (true, Some(FieldOrder::TopFirst))),
        (interlaced("not-flagged-bottom.mkv", "bottom"), (true, Some(FieldOrder::BottomFirst))),
        (flagged(interlaced("wrong-order.mkv", "top"), Field::Bottom), (true, Some(FieldOrder::TopFirst))),
        (flagged(Film::new("flagged.mkv", 4.0), Field::Top), (false, None)),
        (Film::new("whole.mkv", 4.0), (false, None)),
    ] {
        let video = judged(&film.make(&clips)).conclusion.unwrap().video;
        assert_eq!((video.deinterlace, video.field_order), expected, "{}", film.name);
    }
}

/// Two moments from one second of the film to another, one in the rest.
fn partly(name: &str, from: f64, to: f64) -> Film {
    let parts = format!(
        "split=2[a][b];[a]tinterlace=interleave_top,setfield=prog[two];[b]framestep=2[one];\
         [one][two]overlay=enable='between(t,{from}-0.01,{to}-0.03)',setpts=N/25/TB,fps=25"
    );
    Film::new(name, 6.0).rate(50).filtered(parts)
}

#[test]
fn interlaced_parts_are_found_where_they_are_and_a_fifth_is_let_pass() {
    table([
        (partly("a-part.mkv", 2.0, 4.0), warned(Code::QcInterlacing, &[(2.0, 4.0)])),
        (flagged(partly("mixed.mkv", 2.0, 4.0), Field::Top), warned(Code::QcInterlacing, &[(2.0, 4.0)])),
        (partly("a-sixth.mkv", 2.0, 3.0), clean()),
    ]);
}

#[test]
fn fine_lines_and_dark_grain_are_no_fields() {
    let dark = "lutyuv=y='16+(val-16)*0.13':u=128:v=128";
    table([
        (Film::new("upwards.mkv", 4.0).filtered("scroll=vertical=0.0125"), clean()),
        (Film::new("dark-grain.mkv", 4.0).filtered(dark), clean()),
        (Film::new("graphics.mkv", 4.0).showing("testsrc2,scroll=horizontal=0.01"), clean()),
        (Film::new("fractal.mkv", 4.0).showing("mandelbrot=end_pts=400:start_scale=0.3"), clean()),
    ]);
}

#[test]
fn repeated_fields_of_telecine_are_found_and_those_of_video_are_not() {
    let telecine = |name: &str, pattern: &str| {
        Film::new(name, 5.0).rate(24).filtered(format!("telecine=pattern={pattern}"))
    };
    table([
        (
            flagged(telecine("24-in-25.mkv", "222222222223222222222223"), Field::Top),
            [warned(Code::QcInterlacing, &[]), warned(Code::QcRepeatedFields, &[])]
                .into_iter()
                .flatten()
                .collect(),
        ),
        (flagged(interlaced("video.mkv", "top"), Field::Top), clean()),
    ]);
}
