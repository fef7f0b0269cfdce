//! Sound against picture: beginnings, ends, speed, and time stamps.

use reelfarm_model::Code;
use reelfarm_model::qc::{QcReport, Verdict};

use super::film::{ENGLISH, Films, TARGET, source, stereo};
use super::{assert_found, check, warned};
use crate::judge::{Clips, Fault, TOLERANCE_MS, assert_clean, assert_faults, complaints, judged};

fn sound(seconds: f64) -> String {
    source(&stereo(TARGET), seconds)
}

#[test]
fn sound_begins_and_ends_with_the_picture() {
    let films = Films::of(6.0);
    // Sound from `start` to `end`, in seconds of the picture.
    let film = |start: f64, end: f64| {
        let arguments =
            format!("-itsoffset {start} {} -map 0:v -map 1:a -c:a flac {ENGLISH}", sound(end - start));
        judged(&films.with("length.mkv", &arguments))
    };
    for (start, end) in [(0.0, 6.0), (0.09, 6.0), (0.0, 5.91), (0.0, 6.09), (0.05, 5.95)] {
        assert_clean(&format!("{start} to {end} s"), &film(start, end));
    }
    for (start, end, verdict, value) in [
        (0.0, 5.89, Verdict::Warn, "ends 110 ms apart"),
        (0.0, 6.11, Verdict::Warn, "ends 110 ms apart"),
        (0.11, 6.0, Verdict::Warn, "starts 110 ms apart"),
        (0.0, 5.05, Verdict::Warn, "ends 950 ms apart"),
        (0.0, 4.9, Verdict::Reject, "ends 1.1 s apart"),
        (1.05, 6.0, Verdict::Reject, "starts 1.05 s apart"),
    ] {
        let report = film(start, end);
        let fault = Fault { code: Code::QcAudioVideoLength, verdict, places: &[] };
        assert_faults(&format!("{start} to {end} s"), &report, &[fault]);
        assert_found("length", &report, "audio and video", verdict, value);
    }
}

/// Sound whose time stamps are so many times as far apart as its samples are.
fn stretched(films: &Films, name: &str, codec: &str, factor: f64) -> QcReport {
    let arguments = format!(
        "{} -map 0:v -map 1:a -c:a {codec} -bsf:a setts=pts=PTS*{factor}:dts=DTS*{factor} {ENGLISH}",
        sound(10.0 / factor)
    );
    judged(&films.with(name, &arguments))
}

#[test]
fn sound_that_drifts_from_its_time_stamps_is_found() {
    let films = Films::of(10.0);
    for (factor, value) in [(1.01, "too few samples"), (0.99, "too many samples"), (1.005, "too few samples")]
    {
        let report = stretched(&films, "drift.mkv", "aac", factor);
        assert_faults(&format!("{factor}"), &report, &[warned(Code::QcAudioVideoLength, &[(10.0, 10.0)])]);
        assert_found(&format!("{factor}"), &report, "drift", Verdict::Warn, value);
    }
    // A third of a per cent is 33 ms in ten seconds.
    for factor in [1.0033, 0.9967, 1.0] {
        for (name, codec) in [("near.mkv", "aac"), ("near.mp4", "aac"), ("near.mkv", "ac3")] {
            assert_clean(&format!("{factor} in {codec}"), &stretched(&films, name, codec, factor));
        }
    }
}

#[test]
fn sound_for_another_speed_than_the_pictures_is_found() {
    let films = Films::of(12.0);
    // 24 frames a second shown as 25, with the sound as it was; and the other way round.
    for (seconds, value) in [
        (12.5, "4.17 % longer than the picture, as of a film at 24 fps beside one at 25"),
        (11.52, "4 % shorter than the picture, as of a film at 25 fps beside one at 24"),
    ] {
        let report = judged(
            &films
                .with("speed.mov", &format!("{} -map 0:v -map 1:a -c:a pcm_s24le {ENGLISH}", sound(seconds))),
        );
        let found: Vec<_> = complaints(&report).iter().map(|check| check.name.as_str()).collect();
        assert_eq!(found, ["audio and video", "drift"], "{report:#?}");
        assert_found(value, &report, "drift", Verdict::Warn, value);
    }
    // As different in length, but not as a speed makes it.
    for seconds in [12.3, 12.7, 11.7, 11.2] {
        let report = judged(
            &films.with("cut.mov", &format!("{} -map 0:v -map 1:a -c:a pcm_s24le {ENGLISH}", sound(seconds))),
        );
        assert_faults(&format!("{seconds} s"), &report, &[warned(Code::QcAudioVideoLength, &[])]);
        assert_found(&format!("{seconds} s"), &report, "drift", Verdict::Pass, "");
    }
}

/// A thousandth more, over six minutes: a picture of few and tiny frames, for it is only about the sound.
#[test]
fn a_thousandth_is_found_over_minutes() {
    let clips = Clips::new();
    for (seconds, verdict, value) in [
        (400.4, Verdict::Warn, "0.1 % longer than the picture, as of a film at 23.976 fps beside one at 24"),
        (
            400.0 / 1.001,
            Verdict::Warn,
            "0.1 % shorter than the picture, as of a film at 24 fps beside one at 23.976",
        ),
        (400.2, Verdict::Pass, ""),
    ] {
        let arguments = format!(
            "-f lavfi -i testsrc2=size=64x48:rate=1:duration=400 -f lavfi -i anullsrc=r=8000:cl=mono:d={seconds} \
             -map 0:v -map 1:a -c:v mpeg4 -c:a flac"
        );
        let report = judged(&clips.make("minutes.mkv", &arguments));
        assert_found(&format!("{seconds} s"), &report, "drift", verdict, value);
    }
}

/// Packets of these numbers are lost, 21.33 ms each.
fn lossy(films: &Films, lost: &str) -> QcReport {
    let arguments =
        format!("{} -map 0:v -map 1:a -c:a aac -bsf:a noise=amount=0:drop={lost} {ENGLISH}", sound(10.0));
    judged(&films.with("lost.mkv", &arguments))
}

#[test]
fn stretches_without_samples_are_found_where_they_are() {
    let films = Films::of(10.0);
    let report = lossy(&films, "gte(pts\\,4000)*lt(pts\\,4200)");
    assert_faults("200 ms are lost", &report, &[warned(Code::QcGaps, &[(4.0, 4.2)])]);
    assert_found("200 ms are lost", &report, "sound gaps", Verdict::Warn, "1 gap in stream 1");
    // One packet; then so many that it is silence as well.
    let report = lossy(&films, "gte(pts\\,6000)*lt(pts\\,6022)");
    assert_faults("a packet is lost", &report, &[warned(Code::QcGaps, &[(6.0, 6.03)])]);
    let report = lossy(&films, "gte(pts\\,2000)*lt(pts\\,7200)");
    let gap = [warned(Code::QcGaps, &[(2.0, 7.2)]), warned(Code::QcSilence, &[(2.0, 7.2)])];
    assert_faults("5.2 s are lost", &report, &gap);
}

/// After a gap all else is still where it is.
#[test]
fn what_comes_after_a_gap_is_found_at_its_time() {
    let films = Films::of(12.0);
    let silent = super::film::but(&stereo(TARGET), 5.5, 10.9, "0");
    let arguments = format!(
        "{} -map 0:v -map 1:a -c:a aac -bsf:a noise=amount=0:drop=gte(pts\\,1000)*lt(pts\\,3000) {ENGLISH}",
        source(&silent, 12.0)
    );
    let report = judged(&films.with("after.mkv", &arguments));
    let silence = &check(&report, "silence").places;
    let [place] = silence.as_slice() else { panic!("{report:#?}") };
    for (found, made) in [(place.start_ms, 5_500), (place.end_ms, 10_900)] {
        assert!((found - made).abs() <= TOLERANCE_MS, "{place:?}");
    }
}

/// Half a second is there twice, as where two recordings were joined; and fifteen milliseconds, within a single packet.
#[test]
fn overlaps_are_found_where_they_are() {
    let clips = Clips::new();
    let part = |name: &str, start: f64| {
        clips.make(name, &format!("{} -c:a aac -output_ts_offset {start} {ENGLISH}", sound(4.0)))
    };
    let parts = [part("first.ts", 0.0), part("second.ts", 3.5)];
    let joined: Vec<u8> = parts.iter().flat_map(|part| fs_err::read(part).unwrap()).collect();
    let path = clips.path("joined.ts");
    fs_err::write(&path, joined).unwrap();
    let films = Films::of(10.0);
    let arguments = format!(
        "{} -map 0:v -map 1:a -c:a aac -bsf:a setts=ts=PTS-if(gte(PTS\\,4000)\\,15\\,0) {ENGLISH}",
        sound(10.0)
    );
    for (film, start, end) in [(path, 3_500, 4_000), (films.with("overlap.mkv", &arguments), 3_995, 4_010)] {
        let report = judged(&film);
        assert_found("overlap", &report, "sound gaps", Verdict::Warn, "1 overlap in stream");
        let [place] = check(&report, "sound gaps").places.as_slice() else { panic!("{report:#?}") };
        let is_near = |found: i64, made: i64| (found - made).abs() <= TOLERANCE_MS;
        assert!(is_near(place.start_ms, start) && is_near(place.end_ms, end), "{place:?}");
    }
}
