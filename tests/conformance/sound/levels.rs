//! Loudness, true peak, clipping and DC offset.

use reelfarm_model::Code;
use reelfarm_model::qc::Verdict;
use reelfarm_qc::policy::Severity;

use super::film::{ENGLISH, Films, TARGET, amplitude, but, source, stereo, tone};
use super::{assert_found, warned};
use crate::judge::{assert_clean, assert_faults, judged, judged_by, policy};

#[test]
fn loudness_is_held_against_the_target() {
    let films = Films::of(5.0);
    for level in [-23.0, -23.4, -22.6] {
        assert_clean(&format!("{level} LUFS"), &judged(&films.sounding("clean.mov", &stereo(level))));
    }
    let mut strict = policy();
    strict.loudness.verdict = Severity::Reject;
    // Beyond half a unit it warns, beyond one it does what the policy says.
    for (level, verdict) in [
        (-23.6, Verdict::Warn),
        (-22.4, Verdict::Warn),
        (-23.9, Verdict::Warn),
        (-22.1, Verdict::Warn),
        (-24.1, Verdict::Reject),
        (-21.9, Verdict::Reject),
        (-31.0, Verdict::Reject),
        (-14.0, Verdict::Reject),
    ] {
        let film = films.sounding("loudness.mov", &stereo(level));
        assert_faults(&format!("{level} LUFS"), &judged(&film), &[warned(Code::QcLoudness, &[])]);
        assert_found("strict", &judged_by(&strict, &film), "loudness", verdict, " LUFS (range 0 LU)");
    }
}

/// Each channel by its weight, the low frequencies by none; mono tracks together.
#[test]
fn loudness_is_that_of_all_channels_together() {
    let films = Films::of(5.0);
    // Three in front count once, two behind 1.41 times: 5.82 channels beside the two of stereo.
    let level = TARGET - 10.0 * (5.82_f64 / 2.0).log10();
    let mut surround: Vec<String> = (0..6).map(|channel| tone(level, 0.15 * f64::from(channel))).collect();
    surround[3] = tone(-6.0, 0.0);
    assert_clean("5.1", &judged(&films.sounding("surround.mov", &surround)));
    let [left, right] = [0, 1].map(|channel| source(&stereo(TARGET)[channel..=channel], 5.0));
    let film = films
        .with("mono.mov", &format!("{left} {right} -map 0:v -map 1:a -map 2:a -c:a pcm_s24le {ENGLISH}"));
    assert_clean("two mono tracks", &judged(&film));
}

/// What is quiet does not count: a programme that is at the target for half of the time is at the target.
#[test]
fn loudness_leaves_pauses_out() {
    let films = Films::of(10.0);
    let quiet = but(&stereo(TARGET), 4.0, 8.9, "0");
    assert_clean("a pause", &judged(&films.sounding("pause.mov", &quiet)));
    let murmur: Vec<String> = stereo(TARGET)
        .iter()
        .zip(stereo(-45.0))
        .map(|(own, low)| but(std::slice::from_ref(own), 4.0, 9.5, &low).remove(0))
        .collect();
    assert_clean("a murmur", &judged(&films.sounding("murmur.mov", &murmur)));
}

/// A few periods at a quarter of the sample rate that are sampled at 0.707 of their peaks.
#[test]
fn true_peaks_between_samples_are_found() {
    let films = Films::of(6.0);
    let burst = |dbtp: f64| {
        let envelope = "sin(PI*(t-4)/0.002)^2";
        but(&stereo(TARGET), 4.0, 4.002, &format!("{:.7}*{envelope}*sin(2*PI*12000*t+PI/4)", amplitude(dbtp)))
    };
    assert_clean("-1.1 dBTP", &judged(&films.sounding("below.mov", &burst(-1.1))));
    for dbtp in [-0.9, 1.5] {
        let film = films.sounding("above.mov", &burst(dbtp));
        let report = judged(&film);
        assert_faults(&format!("{dbtp} dBTP"), &report, &[warned(Code::QcTruePeak, &[(4.0, 4.0)])]);
        // No sample says so.
        let largest = crate::judge::measured(&film).audio[0].peak_dbfs.unwrap();
        assert!((largest - (dbtp - 3.01)).abs() < 0.05, "{largest}");
    }
}

/// Samples at full scale, so many in a row from these places on.
fn at_full_scale(places: &[f64], count: u32) -> Vec<String> {
    let mut channels = stereo(TARGET);
    for place in places {
        let first = (place * 48_000.0).round();
        let last = first + f64::from(count) - 1.0;
        channels[0] = format!("if(between(n,{first},{last}),1,{})", channels[0]);
    }
    channels
}

#[test]
fn clipping_is_found_where_it_is() {
    let films = Films::of(8.0);
    for (clip, count) in [("three samples", 3), ("forty samples", 40)] {
        let report = judged(&films.sounding("clipped.mov", &at_full_scale(&[3.0, 6.0], count)));
        let peaks = warned(Code::QcTruePeak, &[(3.0, 3.0)]);
        assert_faults(clip, &report, &[peaks, warned(Code::QcClipping, &[(3.0, 3.0), (6.0, 6.0)])]);
    }
    // Touching full scale is a peak, but nothing is cut off; and once in a minute is a shot.
    for (clip, places, count) in
        [("two samples each", &[3.0, 4.0, 5.0, 6.0, 7.0][..], 2), ("once", &[3.0], 40)]
    {
        let report = judged(&films.sounding("touched.mov", &at_full_scale(places, count)));
        assert_faults(clip, &report, &[warned(Code::QcTruePeak, &[(3.0, 3.0)])]);
    }
}

/// Far too loud, but whole.
#[test]
fn what_is_only_loud_is_not_clipped() {
    let films = Films::of(5.0);
    let square = vec!["0.999*sgn(sin(2*PI*100*t))".to_owned(), "0.999*sgn(cos(2*PI*100*t))".to_owned()];
    for (clip, channels) in [("a tone to full scale", stereo(0.0)), ("a square wave just below", square)] {
        let report = judged(&films.sounding("loud.mov", &channels));
        assert_found(clip, &report, "clipping", Verdict::Pass, "none");
        assert_found(clip, &report, "loudness", Verdict::Warn, "");
    }
    // The same square wave a little louder has its tops cut off.
    let square = vec!["1.1*sgn(sin(2*PI*100*t))".to_owned(), "1.1*sgn(cos(2*PI*100*t))".to_owned()];
    let report = judged(&films.sounding("square.mov", &square));
    assert_found("cut off", &report, "clipping", Verdict::Warn, "runs in stream 1, up to");
}

#[test]
fn samples_that_are_no_numbers_are_found() {
    let films = Films::of(5.0);
    let broken = but(&stereo(TARGET), 2.0, 2.001, "0/0");
    let film = films
        .with("broken.mov", &format!("{} -map 0:v -map 1:a -c:a pcm_f32le {ENGLISH}", source(&broken, 5.0)));
    let report = judged(&film);
    assert_faults("no numbers", &report, &[warned(Code::QcClipping, &[])]);
    assert_found(
        "no numbers",
        &report,
        "clipping",
        Verdict::Warn,
        "96 samples in stream 1 that are no numbers",
    );
}

#[test]
fn dc_offset_is_found_in_its_channel() {
    let films = Films::of(5.0);
    let offset = |percent: f64| {
        let mut channels = stereo(TARGET);
        channels[1] = format!("{}+{percent}/100", channels[1]);
        films.sounding("offset.mov", &channels)
    };
    for percent in [0.9, -0.9] {
        assert_clean(&format!("{percent} %"), &judged(&offset(percent)));
    }
    for percent in [1.1, -1.1, 5.0] {
        let report = judged(&offset(percent));
        assert_faults(&format!("{percent} %"), &report, &[warned(Code::QcDcOffset, &[])]);
        let value = format!("{percent} % of full scale in stream 1, right");
        assert_found("offset", &report, "DC offset", Verdict::Warn, &value);
    }
}
