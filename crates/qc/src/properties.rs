//! What holds for any measurements at all, however absurd.

mod absurd;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use reelfarm_model::measurement::{
    AudioMeasurement, Colour, GridFit, IntervalCount, Measurements, OpenError, OpenErrorKind, Ratio,
    VideoMeasurement,
};
use reelfarm_model::qc::Verdict;

use crate::policy::{BUILT_IN, Policy};
use crate::sample;
use crate::table::render;

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(0.0),
        -1.0..20.0f64,
    ]
}

fn whole() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(1), Just(u64::MAX), 0..1000u64, any::<u64>()]
}

fn side() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0), Just(1), Just(u32::MAX), 100..4000u32]
}

fn ratio() -> BoxedStrategy<Ratio> {
    let part = || {
        prop_oneof![Just(0), Just(1), Just(1001), Just(i64::MIN), Just(i64::MAX), any::<i64>(), 1..60_000i64]
    };
    (part(), part()).prop_map(|(numerator, denominator)| Ratio { numerator, denominator }).boxed()
}

fn word() -> BoxedStrategy<String> {
    prop_oneof![
        Just("h264".to_owned()),
        Just("aac".to_owned()),
        Just("unknown".to_owned()),
        Just("bt709".to_owned()),
        Just("smpte2084".to_owned()),
        Just("mov,mp4".to_owned()),
        any::<String>(),
    ]
    .boxed()
}

fn grid() -> BoxedStrategy<Vec<GridFit>> {
    let rate = prop_oneof![proptest::sample::select(sample::CANDIDATES.to_vec()), ratio()];
    vec((rate, number()).prop_map(|(rate, largest_deviation)| GridFit { rate, largest_deviation }), 0..4)
        .boxed()
}

fn colour() -> BoxedStrategy<Colour> {
    (word(), word(), word(), word())
        .prop_map(|(range, primaries, transfer, matrix)| Colour { range, primaries, transfer, matrix })
        .boxed()
}

fn video() -> BoxedStrategy<VideoMeasurement> {
    let look =
        (word(), word(), side(), side(), ratio(), prop_oneof![Just(0u32), Just(90), any::<u32>()], colour());
    let times = (ratio(), ratio(), ratio(), whole(), number(), number(), grid());
    let counts = (whole(), whole(), whole(), whole(), whole(), option::of(number()), option::of(whole()));
    let intervals =
        vec((any::<i64>(), whole()).prop_map(|(ticks, count)| IntervalCount { ticks, count }), 0..3);
    let pictures = (
        option::of(absurd::picture()),
        option::of(absurd::fields()),
        option::of(absurd::detail()),
        option::of(absurd::blockiness()),
        absurd::hdr(),
        absurd::gaps(),
        vec(number(), 0..4),
    );
    (look, times, counts, intervals, whole(), pictures)
        .prop_map(|(look, times, counts, intervals, bytes, pictures)| {
            let (picture, fields, detail, blockiness, hdr, gaps, key_frame_times) = pictures;
            let (codec, pixel_format, width, height, sample_aspect, rotation, colour) = look;
            let (header_frame_rate, average_frame_rate, time_base, frames, first_time, last_time, grid) =
                times;
            let (
                missing_times,
                backward_times,
                interlaced_frames,
                format_changes,
                decode_errors,
                first,
                header_frames,
            ) = counts;
            VideoMeasurement {
                codec,
                pixel_format,
                width,
                height,
                sample_aspect,
                rotation,
                colour,
                header_frame_rate,
                average_frame_rate,
                time_base,
                frames,
                first_time,
                last_time,
                grid,
                missing_times,
                backward_times,
                interlaced_frames,
                format_changes,
                decode_errors,
                first_decode_error: first,
                header_frames,
                intervals,
                bytes,
                picture,
                fields,
                detail,
                blockiness,
                hdr,
                gaps,
                key_frame_times,
                ..sample::clean().video.remove(0)
            }
        })
        .boxed()
}

fn audio() -> BoxedStrategy<AudioMeasurement> {
    let counts = (any::<u32>(), side(), prop_oneof![0..9u32, any::<u32>()], whole(), whole());
    (
        counts,
        word(),
        option::of(word()),
        number(),
        number(),
        option::of(number()),
        option::of(absurd::sound()),
        option::of(absurd::continuity()),
    )
        .prop_map(|(counts, codec, language, first_time, end_time, peak_dbfs, sound, continuity)| {
            let (index, sample_rate, channels, samples, decode_errors) = counts;
            AudioMeasurement {
                index,
                sample_rate,
                channels,
                samples,
                decode_errors,
                codec,
                language,
                first_time,
                end_time,
                peak_dbfs,
                sound,
                continuity,
                ..sample::audio(0, 2)
            }
        })
        .boxed()
}

fn absurd() -> BoxedStrategy<Measurements> {
    let kind = prop_oneof![
        Just(OpenErrorKind::NotMedia),
        Just(OpenErrorKind::FormatNotAllowed),
        Just(OpenErrorKind::TooMuchWork)
    ];
    let open_error =
        option::weighted(0.1, (kind, word()).prop_map(|(kind, detail)| OpenError { kind, detail }));
    let file = (open_error, word(), option::of(number()), option::of(number()), whole(), whole());
    let further =
        (vec(absurd::combined(), 0..3), vec(absurd::subtitles(), 0..12), vec((any::<u32>(), word()), 0..3));
    (file, vec(video(), 0..3), vec(audio(), 0..10), further)
        .prop_map(|(file, video, audio, (combined, subtitles, other))| {
            let (open_error, container, header_duration, header_end, size, read_errors) = file;
            Measurements {
                size,
                open_error,
                container,
                header_duration,
                header_end,
                video,
                audio,
                combined,
                subtitles,
                other,
                read_errors,
                error_lines: vec!["\u{1b}[2J".to_owned()],
            }
        })
        .boxed()
}

/// A clean film with a few absurd values in it, so that what comes after a rejection is reached as well.
fn bent() -> BoxedStrategy<Measurements> {
    (absurd(), 0..18u32, vec(audio(), 0..10))
        .prop_map(|(absurd, which, audio)| {
            let mut film = sample::clean();
            let odd = absurd.video.into_iter().next();
            match (which, odd) {
                (0, _) => film.audio = audio,
                (1, _) => {
                    (film.header_duration, film.header_end) = (absurd.header_duration, absurd.header_end);
                }
                (2, _) => film.size = absurd.size,
                (3, Some(odd)) => sample::size(&mut film, odd.width, odd.height),
                (4, Some(odd)) => film.video[0].sample_aspect = odd.sample_aspect,
                (5, Some(odd)) => film.video[0].grid = odd.grid,
                (6, Some(odd)) => film.video[0].time_base = odd.time_base,
                (7, Some(odd)) => film.video[0].frames = odd.frames,
                (8, Some(odd)) => film.video[0].last_time = odd.last_time,
                (9, Some(odd)) => film.video[0].header_frame_rate = odd.header_frame_rate,
                (10, Some(odd)) => film.video[0].bytes = odd.bytes,
                (11, Some(odd)) => film.video[0].colour = odd.colour,
                (12, Some(odd)) => film.video[0].picture = odd.picture,
                (13, Some(odd)) => (film.video[0].fields, film.video[0].detail) = (odd.fields, odd.detail),
                (14, Some(odd)) => film.video[0].blockiness = odd.blockiness,
                (15, Some(odd)) => film.video[0].key_frame_times = odd.key_frame_times,
                (16, Some(odd)) => (film.video[0].gaps, film.video[0].hdr) = (odd.gaps, odd.hdr),
                (17, _) => film.subtitles = absurd.subtitles,
                _ => {}
            }
            film
        })
        .boxed()
}

/// The shipped policy with rules that need what may not have been measured.
fn policy_with_rules() -> Policy {
    let rules: String = [
        "source.video.blockiness > 2.0 || source.video.frame_rate < 25.0",
        "source.audio.exists(one, one.loudness_lufs > -10.0)",
        "source.subtitles[0].events > 10",
        "source.size_bytes / source.video.width > 1000",
    ]
    .iter()
    .enumerate()
    .map(|(number, when)| {
        format!(
            "\n[[rule]]\nname = \"rule {number}\"\nwhen = '{when}'\nverdict = \"human\"\nremedy = \"Look.\"\n"
        )
    })
    .collect();
    Policy::parse("qc.toml", &format!("{BUILT_IN}{rules}")).unwrap()
}

proptest! {
    #[test]
    fn every_report_is_consistent(
        measurements in prop_oneof![absurd(), bent()],
        given in option::of(prop_oneof![Just("en".to_owned()), any::<String>()]),
    ) {
        let ladder = sample::ladder();
        let report = crate::evaluate(&policy_with_rules(), &measurements, &ladder, given.as_deref());

        let worst = report.checks.iter().map(|check| check.verdict).max();
        prop_assert_eq!(Some(report.verdict), worst);
        prop_assert_eq!(report.conclusion.is_some(), report.verdict != Verdict::Reject);
        for check in &report.checks {
            prop_assert_eq!(check.remedy.is_empty(), check.verdict == Verdict::Pass, "{}", check.name);
            prop_assert!(!check.name.is_empty() && !check.limit.is_empty());
            prop_assert!(check.places.len() <= 20 && (check.places.is_empty() || check.verdict != Verdict::Pass));
            prop_assert!(check.places.iter().all(|place| place.start_ms <= place.end_ms));
        }
        let mut names: Vec<_> = report.checks.iter().map(|check| &check.name).collect();
        names.sort_unstable();
        names.dedup();
        prop_assert_eq!(names.len(), report.checks.len(), "no check twice");

        if let Some(conclusion) = &report.conclusion {
            let order: Vec<_> = ladder
                .rungs
                .iter()
                .map(|rung| rung.name.clone())
                .filter(|name| conclusion.rungs.contains(name))
                .collect();
            prop_assert_eq!(&order, &conclusion.rungs, "rungs of the ladder, in its order");
            prop_assert!(!conclusion.rungs.is_empty() && !conclusion.audio.is_empty());
            prop_assert!(crate::policy::INTEGRAL_RATES.contains(&conclusion.video.frame_rate));
            let stored = measurements.video.iter().find(|track| track.frames > 0).unwrap();
            let (long, short) = (stored.width.max(stored.height), stored.width.min(stored.height));
            let upright = (conclusion.video.width, conclusion.video.height);
            prop_assert!(upright.0.max(upright.1) <= long && upright.0.min(upright.1) <= short, "not scaled up");
        }
    }

    #[test]
    fn every_table_is_safe_to_print_and_narrow(measurements in absurd(), source in any::<String>()) {
        let table = render(&sample::report(&measurements), &source, false);
        prop_assert!(table.chars().all(|character| character == '\n' || !character.is_control()));
        for line in table.lines() {
            prop_assert!(textwrap::core::display_width(line) <= 100, "{line}");
        }
    }

    #[test]
    fn a_report_of_the_farms_own_is_one_that_another_farm_takes(mut measurements in bent()) {
        // Whatever a file holds, its streams are numbered from 0, and its frames are no more than its ten seconds hold.
        for (track, index) in measurements.audio.iter_mut().zip(1..) {
            track.index = index;
        }
        measurements.video[0].frames = measurements.video[0].frames.min(10_000);
        let source_sha256 = Some(reelfarm_model::Digest::of(b"film"));
        let report = reelfarm_model::QcReport { source_sha256, ..sample::report(&measurements) };
        let taken = crate::external::accept(report, &sample::ladder());
        prop_assert!(taken.is_ok(), "{}", taken.unwrap_err());
    }

    #[test]
    fn a_report_survives_its_json(measurements in bent()) {
        let report = sample::report(&measurements);
        let text = serde_json::to_string(&report).unwrap();
        prop_assert_eq!(serde_json::from_str::<reelfarm_model::QcReport>(&text).unwrap(), report);
    }
}
