//! Pictures that stand still for a while and are no machine's repeats, or none that a better master would not have.

use reelfarm_model::qc::Verdict::Pass;

use super::{Case, judge, moving};

/// A film at a rate with filters.
fn film(name: &str, rate: &str, filters: &str) -> Case {
    Case::new(format!("{name}.mkv"), format!("{} -vf {filters} -c:v ffv1", moving(rate, 13)))
}

#[test]
fn drawings_are_held_for_as_long_as_the_hand_wants() {
    judge([
        film("on-twos-24", "12", "fps=24")
            .passes("24")
            .repeats(Pass, "1 new picture in 2 frames, 12 a second"),
        film("on-twos-25", "25/2", "fps=25")
            .passes("25")
            .repeats(Pass, "1 new picture in 2 frames, 12.5 a second"),
        film("on-twos-30", "15", "fps=30")
            .passes("30")
            .repeats(Pass, "1 new picture in 2 frames, 15 a second"),
        film("on-threes-24", "8", "fps=24")
            .passes("24")
            .repeats(Pass, "1 new picture in 3 frames, 8 a second"),
        // Ones, twos and threes as they come, from the sine of the frame's number.
        film("by-feeling", "24", r"select=gt(sin(n*n)\,-0.2),setpts=PTS-STARTPTS,fps=24")
            .repeats(Pass, "no pattern"),
    ]);
}

#[test]
fn rates_that_nobody_films_at_are_named_and_pass() {
    judge([
        film("silent-18", "18", "fps=24")
            .passes("24")
            .repeats(Pass, "3 new pictures in 4 frames, 18 a second"),
        film("20-in-25", "20", "fps=25")
            .passes("25")
            .repeats(Pass, "4 new pictures in 5 frames, 20 a second"),
    ]);
}

#[test]
fn a_part_that_repeats_is_no_film_that_does() {
    // Half of 26 s was made 25 from 24, half was filmed so.
    let parts = "-f lavfi -i testsrc2=size=160x90:rate=24:duration=13 -f lavfi -i testsrc2=size=160x90:rate=25:duration=13 \
                 -filter_complex [0]fps=25[a];[a][1]concat=n=2 -c:v ffv1";
    judge([Case::new("mixed.mkv", parts)
        .passes("25")
        .repeats(Pass, "24 new pictures in 25 frames, 24 a second, in ")]);
}

#[test]
fn stills_slow_pans_and_noise_do_not_repeat() {
    judge([
        film("as-shot-25", "25", "null").passes("25").repeats(Pass, "0 % of moving frames, no pattern"),
        film("as-shot-50", "50", "null").passes("50").repeats(Pass, "no pattern"),
        film(
            "freezes",
            "25",
            "loop=loop=60:size=1:start=50,loop=loop=40:size=1:start=200,trim=duration=13,setpts=N/25/TB",
        )
        .repeats(Pass, "no pattern"),
        film("card", "25", "trim=end_frame=1,loop=loop=-1:size=1,trim=duration=13,setpts=N/25/TB")
            .repeats(Pass, "no pattern"),
        film(
            "slow",
            "25",
            "trim=end_frame=1,loop=loop=-1:size=1,scroll=horizontal=0.00625,trim=duration=13,setpts=N/25/TB",
        )
        .repeats(Pass, "no pattern"),
        film(
            "grain",
            "25",
            "trim=end_frame=1,loop=loop=-1:size=1,noise=alls=20:allf=t,trim=duration=13,setpts=N/25/TB",
        )
        .repeats(Pass, "no pattern"),
    ]);
}
