//! Real clips: what is right about each, and nothing else.

use reelfarm_model::Code;
use reelfarm_model::qc::Verdict;

use crate::judge::{complaints, judged};
use crate::support::clips;

/// Asserts that these are what is held against a clip, by code and verdict, in the report's order.
fn assert_complaints(clip: &str, expected: &[(Code, Verdict)]) {
    let report = judged(&clips::real(clip));
    let found = complaints(&report);
    let named: Vec<_> = found.iter().map(|check| (check.code, check.verdict)).collect();
    assert_eq!(named, expected, "{clip}: {found:#?}");
}

#[test]
fn bigbuckbunny_is_quiet_and_says_no_language() {
    assert_complaints(
        "bigbuckbunny.mp4",
        &[
            // The file states none.
            (Code::QcAudioLanguage, Verdict::Warn),
            // FFmpeg's ebur128 measures -34 LUFS: a quiet morning scene, cut out of its film.
            (Code::QcLoudness, Verdict::Warn),
        ],
    );
}

#[test]
fn bikes_has_no_sound() {
    assert_complaints("bikes.mp4", &[(Code::QcAudioMissing, Verdict::Reject)]);
}

#[test]
fn carphone_is_a_small_picture_at_29_97_without_sound() {
    assert_complaints(
        "carphone_pristine.mp4",
        &[
            (Code::QcFrameRateFractional, Verdict::Reject),
            (Code::QcPictureSize, Verdict::Reject),
            (Code::QcAudioMissing, Verdict::Reject),
        ],
    );
}

#[test]
fn car_detection_runs_at_12_5_in_silence() {
    assert_complaints(
        "car-detection.mp4",
        &[
            (Code::QcFrameRateFractional, Verdict::Reject),
            // Every sample of its track is 0.
            (Code::QcAudioMissing, Verdict::Warn),
        ],
    );
}

#[test]
fn a_test_card_with_eight_mono_tracks_has_few_bits_and_silent_tracks() {
    assert_complaints(
        "svt_8mono_720p50.mp4",
        &[
            // 0.26 Mb/s at 720p50.
            (Code::QcCompression, Verdict::Warn),
            (Code::QcAudioLanguage, Verdict::Warn),
            // FFmpeg's ebur128 measures -24.25 LUFS of tracks 1 and 2 together.
            (Code::QcLoudness, Verdict::Warn),
            // Every sample of the second, fifth and sixth track is 0.
            (Code::QcSilentChannel, Verdict::Warn),
        ],
    );
}
