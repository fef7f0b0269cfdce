//! Clocks that round, films long enough to tell neighbours apart, and rates that are nearly right.

use super::{Case, judge, moving};

const X264: &str = "-c:v libx264 -preset ultrafast";

/// A small film for long times, whose frame `N` is shown at a tick of the container.
fn long(name: &str, rate: &str, seconds: u32, codec: &str, tick: &str) -> Case {
    Case::new(
        name,
        format!(
            "-f lavfi -i testsrc2=size=64x36:rate={rate}:duration={seconds} {codec} -bsf:v setts=ts=round({tick})"
        ),
    )
}

#[test]
fn neighbours_are_told_apart_on_a_clock_of_milliseconds() {
    judge(
        [
            ("24", "24000/1001", "23.976 (24000/1001)"),
            ("30", "30000/1001", "29.97 (30000/1001)"),
            ("60", "60000/1001", "59.94 (60000/1001)"),
        ]
        .into_iter()
        .flat_map(|(integral, fractional, name)| {
            [2, 20].into_iter().flat_map(move |seconds| {
                let arguments = |rate| format!("{} -c:v ffv1", moving(rate, seconds));
                [
                    Case::new(format!("{integral}-{seconds}.mkv"), arguments(integral)).passes(integral),
                    Case::new(format!("not-{integral}-{seconds}.mkv"), arguments(fractional)).rejects(name),
                ]
            })
        }),
    );
}

#[test]
fn two_minutes_of_milliseconds_are_as_clear() {
    judge([
        long("24.mkv", "24", 120, "-c:v ffv1", "N*1000/24").passes("24"),
        long("23.976.mkv", "24000/1001", 120, "-c:v ffv1", "N*1001/24").rejects("23.976 (24000/1001)"),
    ]);
}

#[test]
fn clocks_may_round_by_a_tick() {
    let in_mp4 = |name: &str, timescale: u32| {
        Case::new(name, format!("{} {X264} -video_track_timescale {timescale}", moving("24", 4)))
    };
    judge([
        in_mp4("milliseconds.mp4", 1_000).passes("24"),
        // As far off as a quarter of a frame.
        in_mp4("hundredths.mp4", 100).passes("24"),
        Case::new("cut-off.mkv", format!("{} -c:v ffv1 -bsf:v setts=ts=floor(N*1000/24)", moving("24", 4)))
            .passes("24"),
    ]);
}

#[test]
fn rates_that_are_nearly_right_are_told_in_a_minute() {
    let (ts, mp4) = (X264, format!("{X264} -video_track_timescale 90000"));
    judge([
        long("25.0005.ts", "25", 60, ts, "N*90000/25.0005").rejects("about 25.0005"),
        long("24.999.mp4", "25", 60, &mp4, "N*90000/24.999").rejects("about 24.999"),
        long("24.001.mkv", "24001/1000", 60, "-c:v ffv1", "N*1000/24.001").rejects("about 24.001"),
        long("23.98.ts", "2398/100", 60, ts, "N*90000/23.98").rejects("about 23.98"),
        long("29.97-flat.ts", "2997/100", 60, ts, "N*90000/29.97").rejects("29.97 (30000/1001)"),
        long("24.5.ts", "24.5", 20, ts, "N*90000/24.5").rejects("24.5"),
        // Off by less than a millisecond at the end: a film of that length is one of 25.
        long("25.0005-short.ts", "25", 20, ts, "N*90000/25.0005").passes("25"),
    ]);
}
