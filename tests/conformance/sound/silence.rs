//! Silence, and channels that are silent altogether.

use reelfarm_model::Code;
use reelfarm_model::qc::Verdict;

use super::film::{ENGLISH, Films, TARGET, but, source, stereo, tone};
use super::{assert_found, warned};
use crate::judge::{assert_clean, assert_faults, judged};

#[test]
fn silence_is_found_where_it_is() {
    let films = Films::of(12.0);
    let own = stereo(TARGET);
    for (clip, channels, place) in [
        ("in the middle", but(&own, 2.0, 7.2, "0"), &[(2.0, 7.2)]),
        ("at the beginning", but(&own, 0.0, 5.1, "0"), &[(0.0, 5.1)]),
        ("at the end", but(&own, 6.9, 12.0, "0"), &[(6.9, 12.0)]),
        ("of -62 dBFS", but(&own, 2.0, 7.2, &tone(-62.0, 0.0)), &[(2.0, 7.2)]),
    ] {
        assert_faults(
            clip,
            &judged(&films.sounding("silent.mov", &channels)),
            &[warned(Code::QcSilence, place)],
        );
    }
}

#[test]
fn pauses_and_what_is_quiet_are_no_silence() {
    let films = Films::of(12.0);
    let own = stereo(TARGET);
    let mut one_side = own.clone();
    one_side[0] = but(&own[..1], 2.0, 8.0, "0").remove(0);
    for (clip, channels) in [
        ("4.9 s", but(&own, 2.0, 6.9, "0")),
        ("-58 dBFS", but(&own, 2.0, 8.0, &tone(-58.0, 0.0))),
        // Blocks that are half a pause count half: a little louder, then.
        ("two pauses", but(&but(&stereo(TARGET + 0.2), 1.0, 4.0, "0"), 4.1, 7.1, "0")),
        ("one side", one_side),
    ] {
        let report = judged(&films.sounding("quiet.mov", &channels));
        assert_found(clip, &report, "silence", Verdict::Pass, "");
        // What is left of the tone is as loud as it was.
        if clip != "one side" {
            assert_clean(clip, &report);
        }
    }
}

/// A coder leaves something behind where there was nothing, and a part of a frame before and after.
#[test]
fn silence_is_found_through_coders() {
    let films = Films::of(12.0);
    let sound = source(&but(&stereo(TARGET), 3.0, 9.0, "0"), 12.0);
    for (name, codec) in [
        ("aac.mp4", "aac -b:a 128k"),
        ("ac3.mkv", "ac3"),
        ("eac3.mp4", "eac3"),
        ("mp2.ts", "mp2"),
        ("opus.mkv", "libopus"),
        ("mp3.mov", "libmp3lame -b:a 320k"),
    ] {
        let film = films.with(name, &format!("{sound} -map 0:v -map 1:a -c:a {codec} {ENGLISH}"));
        assert_faults(name, &judged(&film), &[warned(Code::QcSilence, &[(3.0, 9.0)])]);
    }
}

/// A programme of mono tracks is silent while all of them are.
#[test]
fn mono_tracks_are_silent_together() {
    let films = Films::of(12.0);
    let own = stereo(TARGET);
    for (right_from, right_to, verdict, value) in [
        (4.0, 9.0, Verdict::Pass, "up to 4 s, at 00:00:04:00"),
        (3.0, 9.0, Verdict::Warn, "up to 5.2 s, at 00:00:03:00"),
    ] {
        let [left, right] = [(0, 2.0, if right_from < 4.0 { 8.2 } else { 8.0 }), (1, right_from, right_to)]
            .map(|(channel, from, to)| source(&but(&own[channel..=channel], from, to, "0"), 12.0));
        let arguments = format!("{left} {right} -map 0:v -map 1:a -map 2:a -c:a pcm_s24le {ENGLISH}");
        let report = judged(&films.with("mono.mov", &arguments));
        assert_found("mono tracks", &report, "silence", verdict, value);
    }
}

#[test]
fn a_silent_channel_is_found() {
    let films = Films::of(5.0);
    // As loud as both would be.
    let left = vec![tone(TARGET + 3.01, 0.0), "0".to_owned()];
    let report = judged(&films.sounding("left.mov", &left));
    assert_faults("left alone", &report, &[warned(Code::QcSilentChannel, &[])]);
    assert_found("left alone", &report, "silent channels", Verdict::Warn, "en: right");

    let five = |channel: usize, level: f64| {
        let weights: f64 = [1.0, 1.0, 1.0, 0.0, 1.41, 1.41]
            .iter()
            .enumerate()
            .filter(|(place, _)| *place != channel)
            .map(|(_, w)| w)
            .sum();
        let others = TARGET - 10.0 * (weights / 2.0).log10();
        let level = |place: usize| if place == channel { level } else { others };
        (0..6).map(|place| tone(level(place), 0.15 * place as f64)).collect::<Vec<_>>()
    };
    for (channel, name) in [(2, "centre"), (4, "left surround")] {
        let report = judged(&films.sounding("silent.mov", &five(channel, -300.0)));
        assert_faults(name, &report, &[warned(Code::QcSilentChannel, &[])]);
        assert_found(name, &report, "silent channels", Verdict::Warn, &format!("en: {name}"));
        // Hardly heard, but there.
        assert_clean(name, &judged(&films.sounding("soft.mov", &five(channel, -70.0))));
    }
    assert_clean("no low frequencies", &judged(&films.sounding("low.mov", &five(3, -300.0))));
}
