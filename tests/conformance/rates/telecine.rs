//! Films that were made to fit a higher rate by showing fields twice: in the pictures (hard), and by flags (soft).

use reelfarm_model::qc::Verdict::{Pass, Warn};

use super::case::rewrite;
use super::{Case, judge, moving};
use crate::support::clips::real;

const X264: &str = "-c:v libx264 -preset ultrafast -qp 18";

/// A film of a rate whose fields are shown in a pattern.
fn telecine(name: &str, rate: &str, pattern: &str, codec: &str) -> Case {
    Case::new(name, format!("{} -vf telecine=pattern={pattern} {codec}", moving(rate, 8)))
}

#[test]
fn fields_that_are_shown_twice_are_told_by_their_pattern() {
    let flagged = "-c:v mpeg2video -q:v 3 -flags +ildct+ilme";
    judge([
        telecine("2-3.mp4", "24", "23", X264)
            .passes("30")
            .repeats_fields(Warn, "in 40 % of pictures, as 3:2 telecine"),
        telecine("3-2.ts", "24", "32", X264).passes("30").repeats_fields(Warn, "as 3:2 telecine"),
        telecine("2-3-3-2.mp4", "24", "2332", X264)
            .passes("30")
            .repeats_fields(Warn, "in 40 % of pictures, as 3:2 telecine"),
        telecine("lower-first.mkv", "24", "23:first_field=bottom", X264)
            .passes("30")
            .repeats_fields(Warn, "as 3:2 telecine"),
        telecine("flagged.mxf", "24", "23,setfield=tff", flagged)
            .passes("30")
            .repeats_fields(Warn, "as 3:2 telecine"),
        telecine("ntsc.mp4", "24000/1001", "23", X264)
            .rejects("29.97 (30000/1001)")
            .repeats_fields(Warn, "as 3:2 telecine"),
        telecine("euro.mp4", "24", "222222222223", X264)
            .passes("25")
            .repeats_fields(Warn, "in 8 % of pictures, as telecine from 24 to 25"),
        telecine("euro-lower-first.ts", "24", "222222222223:first_field=bottom", X264)
            .passes("25")
            .repeats_fields(Warn, "as telecine from 24 to 25"),
        telecine("25-in-30.mp4", "25", "22323", X264)
            .passes("30")
            .repeats_fields(Warn, "in 33.3 % of pictures, as telecine from 25 to 30"),
    ]);
}

/// A real film at a rate, with grain or without, its fields shown in a pattern, coded leanly.
fn real_film(name: &str, clip: &'static str, rate: u32, filters: &'static str) -> Case {
    Case::made(name, move |clips, name| {
        let arguments = format!(
            "-r {rate} -stream_loop 1 -i {} -t 8 -an -vf scale=384:216,{filters} -c:v libx264 -preset ultrafast -crf 23",
            real(clip).display()
        );
        clips.make(name, &arguments)
    })
}

#[test]
fn fields_of_a_real_film_are_told_through_grain_and_a_lean_codec() {
    let film = "bigbuckbunny.mp4";
    judge([
        real_film("2-3.mp4", film, 24, "telecine=pattern=23").repeats_fields(Warn, "as 3:2 telecine"),
        real_film("grain.mp4", film, 24, "noise=alls=12:allf=t,telecine=pattern=23")
            .repeats_fields(Warn, "as 3:2 telecine"),
        real_film("2-3-3-2.mp4", film, 24, "telecine=pattern=2332").repeats_fields(Warn, "as 3:2 telecine"),
        real_film("euro.mp4", film, 24, "telecine=pattern=222222222223")
            .repeats_fields(Warn, "as telecine from 24 to 25"),
        real_film("as-shot.mp4", film, 25, "null").repeats_fields(Pass, "in 0 % of pictures"),
        real_film("video.mp4", "svt_8mono_720p50.mp4", 50, "interlace")
            .repeats_fields(Pass, "in 0 % of pictures"),
    ]);
}

#[test]
fn what_is_interlaced_or_repeated_whole_is_no_telecine() {
    let interlaced = |name: &str, rate: &str| {
        // H.264 of two fields takes multiples of four lines.
        let film = moving(rate, 8).replace("160x90", "160x96");
        Case::new(name, format!("{film} -vf interlace {X264} -flags +ildct+ilme"))
    };
    let frames =
        |name: &str, filters: &str| Case::new(name, format!("{} -vf {filters} {X264}", moving("24", 8)));
    judge([
        interlaced("50i.mp4", "50").passes("25").repeats_fields(Pass, "in 0 % of pictures"),
        interlaced("60i.mp4", "60").passes("30").repeats_fields(Pass, "in 0 % of pictures"),
        frames("whole.mp4", "fps=30").repeats_fields(Pass, "in 0 % of pictures"),
        frames("segmented.mp4", "setfield=tff").repeats_fields(Pass, "in 0 % of pictures"),
        frames("upwards.mp4", "scroll=vertical=0.0112").repeats_fields(Pass, "in 0 % of pictures"),
    ]);
}

/// `top_field_first`, `repeat_first_field` and `progressive_frame` of each picture (ISO/IEC 13818-2, 6.2.3.1) as film has them
/// on a DVD: three fields and two by turns.
fn flags_of_film(mut bytes: Vec<u8>) -> Vec<u8> {
    let extension =
        |place: &usize| bytes[*place..].starts_with(&[0, 0, 1, 0xb5]) && bytes[place + 4] >> 4 == 8;
    let pictures: Vec<usize> = (0..bytes.len() - 8).filter(extension).collect();
    for (picture, place) in pictures.into_iter().enumerate() {
        let (top_first, repeats) = [(1, 1), (0, 0), (0, 1), (1, 0)][picture % 4];
        // With `chroma_420_type`, which a progressive frame has.
        bytes[place + 7] = bytes[place + 7] & 0x7c | top_first << 7 | repeats << 1 | 1;
        bytes[place + 8] |= 0x80;
    }
    bytes
}

/// Film with such flags, each frame shown at a tick of the container.
fn soft(name: &'static str, tick: &'static str) -> Case {
    Case::made(name, move |clips, name| {
        let coded = format!("{} -c:v mpeg2video -flags +ildct -bf 0 -frames:v 96", moving("30000/1001", 4));
        let coded = clips.make("film.m2v", &coded);
        rewrite(&coded, flags_of_film);
        let path =
            clips.make(name, &format!("-f mpegvideo -i {} -c copy -bsf:v setts=ts={tick}", coded.display()));
        fs_err::remove_file(coded).unwrap();
        path
    })
}

#[test]
fn fields_that_flags_repeat_are_told_by_the_time_stamps() {
    let by_turns = "two fields or three, as soft telecine leaves them";
    let stamps = |name: &str, timescale: u32, tick: &str| {
        let codec = format!("{X264} -video_track_timescale {timescale}");
        Case::new(name, format!("{} {codec} -bsf:v setts=ts={tick}", moving("24", 4)))
    };
    judge([
        soft("film.ts", "floor(N*5/2)*3003/2")
            .varies(&format!("33.4 ms to 50.1 ms between frames, mostly 33.4 ms, {by_turns}")),
        soft("film.mkv", "round(floor(N*5/2)*1001/60)")
            .varies(&format!("33 ms to 51 ms between frames, mostly 50 ms, {by_turns}")),
        stamps("film.mp4", 60_000, "floor(N*5/2)*1001")
            .varies(&format!("33.4 ms to 50.1 ms between frames, mostly 33.4 ms, {by_turns}")),
        stamps("24-in-25.mp4", 25_000, "N*1000+floor(N/12)*500")
            .varies(&format!("40 ms to 60 ms between frames, mostly 40 ms, {by_turns}")),
        // The flags are there, but each frame is shown for as long as any other.
        soft("even.ts", "N*15015/4")
            .rejects("23.976 (24000/1001); the codec's own header says 29.97 (30000/1001)"),
        soft("even-24.ts", "N*3750").warns("24; the codec's own header says 29.97 (30000/1001)"),
    ]);
}
