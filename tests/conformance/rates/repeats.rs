//! Frames that a machine repeated to reach the frame rate.

use reelfarm_model::qc::Verdict::{Pass, Reject, Warn};

use super::{Case, judge, moving};
use crate::support::clips::real;

/// A film of one rate made another by repeating frames, long enough to be told: two pieces of 300 frames, or 12 s.
fn repeated(from: &str, to: u32) -> Case {
    let name = format!("{}-in-{to}.mkv", from.replace('/', "-"));
    let lossless = "-c:v ffv1";
    Case::new(name, format!("{} -vf fps={to} {lossless}", moving(from, 13))).passes(&to.to_string())
}

#[test]
fn films_of_24_are_told_by_their_repeats() {
    judge([
        repeated("24", 25)
            .repeats(Reject, "24 new pictures in 25 frames, 24 a second, in 100 % of what moves"),
        repeated("24", 30).repeats(Reject, "4 new pictures in 5 frames, 24 a second"),
        repeated("24", 48).repeats(Warn, "1 new picture in 2 frames, 24 a second"),
        repeated("24", 50).repeats(Reject, "12 new pictures in 25 frames, 24 a second"),
        repeated("24", 60).repeats(Reject, "2 new pictures in 5 frames, 24 a second"),
    ]);
}

#[test]
fn films_of_25_30_and_50_are_told_by_their_repeats() {
    judge([
        repeated("25", 30).repeats(Reject, "5 new pictures in 6 frames, 25 a second"),
        repeated("25", 50).repeats(Warn, "1 new picture in 2 frames, 25 a second"),
        repeated("25", 60).repeats(Reject, "5 new pictures in 12 frames, 25 a second"),
        repeated("30", 50).repeats(Reject, "3 new pictures in 5 frames, 30 a second"),
        repeated("30", 60).repeats(Warn, "1 new picture in 2 frames, 30 a second"),
        repeated("50", 60).repeats(Reject, "5 new pictures in 6 frames, 50 a second"),
    ]);
}

#[test]
fn films_of_ntsc_rates_are_told_by_their_repeats() {
    judge([
        repeated("24000/1001", 25).repeats(Reject, "960 new pictures in 1001 frames, 23.976 a second"),
        repeated("24000/1001", 30).repeats(Reject, "800 new pictures in 1001 frames, 23.976 a second"),
        repeated("24000/1001", 50).repeats(Reject, "480 new pictures in 1001 frames, 23.976 a second"),
        repeated("24000/1001", 60).repeats(Reject, "400 new pictures in 1001 frames, 23.976 a second"),
        repeated("30000/1001", 50).repeats(Reject, "600 new pictures in 1001 frames, 29.97 a second"),
    ]);
}

#[test]
fn a_rate_that_is_rejected_has_repeats_as_well() {
    let film = format!("{} -vf fps=30000/1001 -c:v ffv1", moving("24000/1001", 13));
    judge([Case::new("23.976-in-29.97.mkv", film)
        .rejects("29.97 (30000/1001)")
        .repeats(Reject, "4 new pictures in 5 frames, 23.976 a second")]);
}

/// A real film at 24 frames a second made another rate, with these filters, coded leanly.
fn real_film(name: &str, filters: &'static str, codec: &'static str) -> Case {
    Case::made(name, move |clips, name| {
        let arguments = format!(
            "-r 24 -stream_loop 2 -i {} -t 12.8 -an -vf scale=320:180,{filters} {codec}",
            real("bigbuckbunny.mp4").display()
        );
        clips.make(name, &arguments)
    })
}

#[test]
fn repeats_of_a_real_film_are_told_through_grain_and_lean_codecs() {
    let h264 = "-c:v libx264 -preset ultrafast -crf 26";
    let mpeg2 = "-c:v mpeg2video -b:v 1000k -bf 2";
    judge([
        real_film("25.mp4", "fps=25", h264).repeats(Reject, "24 new pictures in 25 frames, 24 a second"),
        real_film("25.ts", "fps=25", mpeg2).repeats(Reject, "24 new pictures in 25 frames, 24 a second"),
        real_film("25-grain.mp4", "noise=alls=12:allf=t,fps=25", h264)
            .repeats(Reject, "24 new pictures in 25 frames, 24 a second"),
        real_film("30.ts", "fps=30", mpeg2).repeats(Reject, "4 new pictures in 5 frames, 24 a second"),
        real_film("48.mp4", "fps=48", h264).repeats(Warn, "1 new picture in 2 frames, 24 a second"),
        real_film("24.mp4", "null", h264).repeats(Pass, "no pattern"),
        real_film("24.ts", "null", mpeg2).repeats(Pass, "no pattern"),
    ]);
}
