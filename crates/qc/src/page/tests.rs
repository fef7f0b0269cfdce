//! The page of a clean film and of a bad one, and what holds for any.

mod any;
mod read;

use reelfarm_model::Code;
use reelfarm_model::measurement::picture::{ActiveArea, Flashes, Margins};
use reelfarm_model::measurement::sound::{
    ChannelMeasurement, PairMeasurement, Position, ProgrammeLoudness, SoundMeasurement,
};
use reelfarm_model::measurement::{Curve, Measurements, Span, Spans};
use reelfarm_model::qc::{Check, Place, QcReport, Verdict};

use super::{Extras, Moment, PlacePicture, STYLE, page, wanted};
use crate::sample;

/// The page without its style sheet, as a person reviews it; it must be read as XML.
fn reviewed(page: &str) -> String {
    read::elements(page).unwrap();
    assert!(page.contains(STYLE), "the style sheet was changed on its way");
    page.replace(STYLE, "\n")
}

fn curve(start: f64, step: f64, values: &[f32]) -> Curve {
    Curve { start, step, values: values.iter().map(|value| Some(*value)).collect() }
}

fn spans(stretches: &[(f64, f64)]) -> Spans {
    let first: Vec<_> = stretches.iter().map(|(start, end)| Span { start: *start, end: *end }).collect();
    let seconds = first.iter().map(|span| span.end - span.start).sum();
    Spans { count: first.len() as u64, seconds, first }
}

fn channel(position: Position) -> ChannelMeasurement {
    ChannelMeasurement {
        position,
        peak_dbfs: Some(-3.0),
        true_peak_dbtp: Some(-2.8),
        rms_dbfs: Some(-22.5),
        dc_offset: 0.0001,
        clipped: Spans::default(),
        longest_clipped_run: 0,
        silence: Spans::default(),
        not_finite: 0,
    }
}

/// The sound of a film of ten seconds.
fn sound() -> SoundMeasurement {
    SoundMeasurement {
        samples: 480_000,
        ignored_channels: 0,
        loudness: ProgrammeLoudness {
            integrated_lufs: Some(-23.1),
            range_lu: Some(6.0),
            maximum_momentary_lufs: Some(-17.2),
            maximum_short_term_lufs: Some(-19.5),
            true_peak_dbtp: Some(-2.8),
        },
        true_peak_exceeded: None,
        momentary: curve(0.0, 2.0, &[-24.0, -22.0, -20.0, -25.0, -23.0]),
        short_term: curve(0.0, 2.0, &[-23.5, -22.5, -22.0, -23.5, -23.0]),
        silence: Spans::default(),
        channels: vec![channel(Position::FrontLeft), channel(Position::FrontRight)],
        pair: Some(pair()),
    }
}

fn pair() -> PairMeasurement {
    PairMeasurement {
        left: 0,
        right: 1,
        correlation: Some(0.83),
        out_of_phase: Spans::default(),
        equal: Some(0.01),
        difference_db: Some(-5.0),
        only: None,
    }
}

/// A clean film with curves.
fn film() -> Measurements {
    let mut film = sample::clean();
    let video = &mut film.video[0];
    video.key_frame_times = vec![0.0, 2.0, 4.0, 6.0, 8.0];
    video.key_frames = 5;
    video.bitrate = curve(0.0, 2.0, &[7.5e6, 8.1e6, 8.4e6, 7.9e6, 8.0e6]);
    if let Some(picture) = &mut video.picture {
        picture.luma.mean = curve(0.0, 2.0, &[0.4, 0.45, 0.3, 0.5, 0.42]);
    }
    film.audio[0].sound = Some(sound());
    film
}

fn bad_film() -> Measurements {
    let mut film = film();
    let video = &mut film.video[0];
    video.decode_errors = 3;
    video.first_decode_error = Some(4.28);
    video.gaps = spans(&[(6.0, 6.2)]);
    if let Some(picture) = &mut video.picture {
        picture.black = spans(&[(0.0, 1.0), (7.0, 10.0)]);
        picture.trailing_black = 3.0;
        picture.freeze = spans(&[(2.0, 3.52)]);
        picture.bars.margins = Margins { top: 132, bottom: 132, ..Margins::default() };
        picture.bars.areas = vec![ActiveArea { margins: picture.bars.margins, seconds: 6.0 }];
        picture.general_flashes = Flashes {
            count: 12,
            most_in_a_second: 7,
            worst_second: Some(5.0),
            too_many: spans(&[(5.0, 6.4)]),
        };
    }
    let mut silent = sample::audio(2, 2);
    silent.language = Some("<b>de</b>".to_owned());
    silent.decode_errors = 1;
    silent.first_decode_error = Some(9.0);
    silent.peak_dbfs = None;
    let silence = spans(&[(0.0, 10.0)]);
    silent.sound = Some(SoundMeasurement {
        loudness: ProgrammeLoudness::default(),
        momentary: Curve::default(),
        short_term: Curve::default(),
        silence: silence.clone(),
        channels: [Position::FrontLeft, Position::FrontRight]
            .map(|position| ChannelMeasurement {
                peak_dbfs: None,
                true_peak_dbtp: None,
                rms_dbfs: None,
                silence: silence.clone(),
                ..channel(position)
            })
            .to_vec(),
        pair: Some(PairMeasurement { correlation: None, equal: None, ..pair() }),
        ..sound()
    });
    film.audio.push(silent);
    film.error_lines = vec!["[h264] error while decoding MB 45 <12>".to_owned()];
    film
}

fn check(
    code: Code,
    name: &str,
    verdict: Verdict,
    [value, limit]: [&str; 2],
    places: &[(i64, i64, &str)],
) -> Check {
    Check {
        code,
        name: name.to_owned(),
        verdict,
        value: value.to_owned(),
        limit: limit.to_owned(),
        remedy: "Ask the supplier.".to_owned(),
        places: places
            .iter()
            .map(|(start_ms, end_ms, time_code)| Place {
                start_ms: *start_ms,
                end_ms: *end_ms,
                time_code: (*time_code).to_owned(),
            })
            .collect(),
    }
}

/// The report of a bad film: written out, so that the page is reviewed and not the checks.
fn bad_report() -> QcReport {
    QcReport {
        schema: 1,
        source_sha256: None,
        external: false,
        policy: "house".to_owned(),
        ladder: "default".to_owned(),
        verdict: Verdict::Reject,
        checks: vec![
            check(Code::QcVideoTrack, "video track", Verdict::Warn, ["one & a half", "one"], &[]),
            check(
                Code::QcDecodeErrors,
                "decoding",
                Verdict::Reject,
                ["4 errors", "none"],
                &[(4280, 4280, "00:00:04:07")],
            ),
            check(
                Code::QcBlack,
                "black",
                Verdict::Human,
                ["black for 3 s", "at most 2 s"],
                &[(7000, 10_000, "00:00:07:00")],
            ),
            Check {
                remedy: String::new(),
                ..check(Code::QcContainer, "container", Verdict::Pass, ["mov", "on the policy's list"], &[])
            },
        ],
        conclusion: None,
    }
}

#[test]
fn a_clean_film() {
    let measurements = film();
    let report = sample::report(&measurements);
    let report = QcReport { checks: report.checks.into_iter().take(2).collect(), ..report };
    let extras = Extras { target_lufs: Some(-23.0), ..Extras::default() };
    insta::assert_snapshot!("clean", reviewed(&page(&report, Some(&measurements), "feature.mov", extras)));
}

#[test]
fn a_bad_film() {
    let pictures = [PlacePicture { time_ms: 4280, width: 320, height: 180, jpeg: vec![0xff, 0xd8, 0xff] }];
    let extras = Extras { pictures: &pictures, target_lufs: Some(-23.0) };
    let page = page(&bad_report(), Some(&bad_film()), "<i>bad & worse</i>.mov", extras);
    insta::assert_snapshot!("bad", reviewed(&page));
}

#[test]
fn a_file_that_does_not_open_has_a_page_without_a_time_line() {
    let mut measurements = sample::clean();
    measurements.video.clear();
    measurements.audio.clear();
    measurements.header_duration = None;
    let page = page(&sample::report(&measurements), Some(&measurements), "notes.mp4", Extras::default());
    assert!(!page.contains("<svg") && page.contains("Rejected"), "{page}");
}

#[test]
fn a_report_without_measurements_has_a_page_of_what_it_says() {
    let report = QcReport { external: true, ..bad_report() };
    let page = page(&report, None, "feature.mov", Extras::default());
    read::elements(&page).unwrap();
    for said in ["Rejected", "feature.mov", "outside the farm", "black for 3 s", "00:00:07:00", "RF-QC-002"] {
        assert!(page.contains(said), "{said}: {page}");
    }
    for unknown in ["<svg", "Container", "Tracks", "Numbers"] {
        assert!(!page.contains(unknown), "{unknown}: {page}");
    }
}

#[test]
fn a_moment_in_half_a_day_is_seen_and_close_stretches_are_one_mark() {
    let mut measurements = film();
    measurements.video[0].last_time = 43_200.0 - 0.04;
    measurements.video[0].key_frame_times.clear();
    if let Some(picture) = &mut measurements.video[0].picture {
        picture.end = 43_200.0;
        picture.black = spans(&[(100.0, 100.04), (30_000.0, 30_000.04), (30_001.0, 30_002.0)]);
    }
    let page = page(&bad_report(), Some(&measurements), "long.mov", Extras::default());
    assert!(page.contains("width=\"1.5\""), "a mark is too thin to be seen");
    assert!(page.contains("black: 2 stretches from 08:20:00:00 to 08:20:02:00, 1.04 s together"), "{page}");
    assert!(page.contains(">12:00:00<"), "the axis does not reach the end");
}

#[test]
fn thousands_of_stretches_are_a_small_page() {
    let measurements = any::crowded();
    let page = page(&bad_report(), Some(&measurements), "crowded.mov", Extras::default());
    read::elements(&page).unwrap();
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
    assert!(page.contains("5000 in all, of which 1000 are shown"));
}
