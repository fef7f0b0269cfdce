//! Time stamps that do not keep their places, and some that only look so.

use super::{Case, judge, moving};

/// 100 frames in a transport stream, each shown at a tick of 1/90000 s that is told from its number `N`.
fn shown_at(name: &str, tick: &str) -> Case {
    let arguments = format!("{} -c:v libx264 -preset ultrafast -bsf:v setts=ts={tick}", moving("25", 4));
    Case::new(format!("{name}.ts"), arguments)
}

#[test]
fn a_rate_that_changes_on_the_way_is_variable() {
    judge([
        shown_at("24-25", r"N*3600+min(N\,50)*150").varies("40 ms to 41.7 ms between frames, mostly 41.7 ms"),
        shown_at("25-50", r"N*1800+min(N\,50)*1800").varies("20 ms to 40 ms between frames, mostly 40 ms"),
        shown_at("30-25", r"N*3600-min(N\,50)*600").varies("33.3 ms to 40 ms between frames"),
        shown_at("25-24-25", r"N*3600+clip(N-33\,0\,33)*150")
            .varies("40 ms to 41.7 ms between frames, mostly 40 ms"),
        Case::new(
            "24-23.976.ts",
            format!(
                r"{} -c:v libx264 -preset ultrafast -bsf:v setts=ts=round(N*3753.75-min(N\,240)*3.75)",
                moving("24", 20)
            ),
        )
        .varies("41.67 ms to 41.71 ms between frames"),
        Case::new(
            "24-25.mkv",
            format!(r"{} -c:v ffv1 -bsf:v setts=ts=round(N*40+min(N\,48)*5/3)", moving("24", 4)),
        )
        .varies("40 ms to 42 ms between frames"),
    ]);
}

#[test]
fn frames_that_are_missing_or_held_are_variable() {
    judge([
        shown_at("one-missing", r"(N+gte(N\,50))*3600").varies("40 ms to 80 ms between frames, mostly 40 ms"),
        shown_at("each-tenth-missing", "(N+floor(N/9))*3600").varies("40 ms to 80 ms between frames"),
        shown_at("one-held", r"N*3600+gte(N\,50)*1200").varies("40 ms to 53.3 ms between frames"),
        shown_at("one-late", r"N*3600+eq(N\,50)*400").varies("35.6 ms to 44.4 ms between frames"),
        shown_at("one-second-missing", r"(N+25*gte(N\,30))*3600").varies("40 ms to 1.04 s between frames"),
    ]);
}

#[test]
fn stamps_that_jitter_pass_within_a_millisecond_and_no_further() {
    judge([
        // Both of the stamps that are compared may be off: half of it each.
        shown_at("jitter-0.5", r"N*3600+mod(N*7919\,91)-45").passes("25"),
        shown_at("jitter-3", r"N*3600+mod(N*7919\,541)-270").varies("37.8 ms to 43.8 ms between frames"),
        shown_at("wander", "N*3600+round(900*sin(N/16))").varies("39.4 ms to 40.6 ms between frames"),
        // A phone that saves light: 30 frames a second, but each as the sensor gave it.
        shown_at("phone", r"N*3000+mod(N*3571\,911)").varies("32.5 ms to 42.6 ms between frames"),
    ]);
}

#[test]
fn a_film_may_begin_at_any_time() {
    let offset = |name: &str, seconds: &str| {
        let arguments =
            format!("{} -c:v libx264 -preset ultrafast -output_ts_offset {seconds}", moving("25", 4));
        Case::new(name, arguments)
    };
    judge([
        offset("late.mp4", "1.5").passes("25"),
        offset("late.mkv", "3600").passes("25"),
        // Ten hours, and where the clock of 33 bits begins anew.
        offset("late.ts", "36000").passes("25"),
        offset("around.ts", "95441.5").passes("25"),
    ]);
}

#[test]
fn frames_that_an_edit_list_hides_do_not_count() {
    judge(["mp4", "mov"].map(|extension| {
        Case::made(format!("trimmed.{extension}"), |clips, name| {
            let whole = format!("{} -c:v libx264 -preset veryfast -bf 2 -g 100", moving("25", 4));
            let whole = clips.make("whole.mp4", &whole);
            let path = clips.make(name, &format!("-ss 1.3 -i {} -c copy", whole.display()));
            fs_err::remove_file(whole).unwrap();
            path
        })
        .passes("25")
    }));
}
