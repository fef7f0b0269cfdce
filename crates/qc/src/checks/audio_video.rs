//! Do sound and picture begin and end together.

use reelfarm_model::Code;
use reelfarm_model::measurement::AudioMeasurement;
use reelfarm_model::qc::Check;

use super::Finding;
use crate::policy::AudioVideoLength;
use crate::text::span;

/// Whether every track in use begins and ends with the picture. Worst of all tracks; a time that is no number is the
/// worst there is.
pub(crate) fn lengths(policy: &AudioVideoLength, picture: (f64, f64), tracks: &[&AudioMeasurement]) -> Check {
    let worst = |distance: fn(&AudioMeasurement, (f64, f64)) -> f64| {
        tracks
            .iter()
            .map(|track| distance(track, picture).abs())
            .map(|distance| if distance.is_nan() { f64::INFINITY } else { distance })
            .fold(0.0, f64::max)
    };
    let starts = worst(|track, picture| track.first_time - picture.0);
    let ends = worst(|track, picture| track.end_time - picture.1);
    let finding = Finding::new(
        Code::QcAudioVideoLength,
        "audio and video",
        format!("starts {} apart, ends {} apart", span(starts), span(ends)),
        format!(
            "warn {}, reject {}",
            span(policy.warn_above_ms / 1000.0),
            span(policy.reject_above_ms / 1000.0)
        ),
    );
    // To the tenth of a millisecond, so that sums of binary fractions do not decide.
    let apart_ms = (starts.max(ends) * 10_000.0).round() / 10.0;
    if apart_ms > policy.reject_above_ms {
        finding
            .reject("Sound and picture are not of the same cut, or one is not whole: ask for a new export.")
    } else if apart_ms > policy.warn_above_ms {
        finding.warn("Watch the beginning and the end; the farm fills missing sound with silence and cuts what is over.")
    } else {
        finding.pass()
    }
}

#[cfg(test)]
mod tests {
    use reelfarm_model::qc::Verdict;

    use crate::sample;

    #[test]
    fn sound_and_picture_begin_and_end_together() {
        sample::table(
            "audio and video",
            &[
                (Verdict::Pass, "starts 0 ms apart, ends 0 ms apart", &|_| {}),
                (Verdict::Pass, "starts 0 ms apart, ends 100 ms", &|m| m.audio[0].end_time += 0.1),
                (Verdict::Warn, "starts 0 ms apart, ends 101 ms", &|m| m.audio[0].end_time += 0.101),
                (Verdict::Warn, "starts 0 ms apart, ends 1 s", &|m| m.audio[0].end_time -= 1.0),
                (Verdict::Reject, "starts 0 ms apart, ends 1.01 s", &|m| m.audio[0].end_time -= 1.01),
                (Verdict::Warn, "starts 500 ms", &|m| m.audio[0].first_time += 0.5),
                (Verdict::Reject, "starts 1.5 s", &|m| m.audio[0].first_time -= 1.5),
                (Verdict::Reject, "starts 0 ms apart, ends an unknown time", &|m| {
                    m.audio[0].end_time = f64::NAN;
                }),
                (Verdict::Pass, "starts 0 ms apart, ends 0 ms apart", &|m| {
                    m.video[0].first_time += 1.4;
                    m.video[0].last_time += 1.4;
                    m.audio[0].first_time += 1.4;
                    m.audio[0].end_time += 1.4;
                }),
                (Verdict::Reject, "starts 0 ms apart, ends 2 s", &|m| {
                    let mut french = sample::audio(2, 2);
                    french.language = Some("fra".into());
                    french.end_time += 2.0;
                    m.audio.push(french);
                }),
            ],
        );
    }

    #[test]
    fn a_track_that_is_left_out_does_not_count() {
        let mut measurements = sample::clean();
        let mut second = sample::audio(2, 2);
        second.end_time = 1.0;
        measurements.audio.push(second);
        let report = sample::report(&measurements);
        assert_eq!(sample::check(&report, "audio and video").verdict, Verdict::Pass);
    }
}
