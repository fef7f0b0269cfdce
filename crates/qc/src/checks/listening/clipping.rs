//! Is the waveform cut off, or beside its middle.

use reelfarm_model::Code;
use reelfarm_model::measurement::sound::SoundMeasurement;
use reelfarm_model::measurement::{AudioMeasurement, Span};
use reelfarm_model::qc::Check;

use super::seconds;
use super::silence::name;
use crate::checks::{Finding, Timeline, exceeds};
use crate::policy::{Clipping, DcOffset};
use crate::text::{count, decimal};

/// Whether samples are clipped too often, or are no numbers; `None` where that was not measured.
pub(super) fn clipping(policy: &Clipping, used: &[&AudioMeasurement], timeline: Timeline) -> Option<Check> {
    let mut named = Vec::new();
    let mut spans: Vec<Span> = Vec::new();
    let (mut is_measured, mut is_too_often) = (false, false);
    for track in used {
        let Some(sound) = &track.sound else { continue };
        is_measured = true;
        let runs =
            sound.channels.iter().fold(0_u64, |sum, channel| sum.saturating_add(channel.clipped.count));
        let broken = sound.channels.iter().fold(0_u64, |sum, channel| sum.saturating_add(channel.not_finite));
        let minutes = (seconds(track) / 60.0).ceil().max(1.0);
        is_too_often |= exceeds(runs as f64 / minutes, policy.max_runs_per_minute) || broken > 0;
        if runs > 0 {
            let longest = sound.channels.iter().map(|channel| channel.longest_clipped_run).max().unwrap_or(0);
            let samples = count(longest, "sample");
            named.push(format!("{} in stream {}, up to {samples}", count(runs, "run"), track.index));
        }
        if broken > 0 {
            named.push(format!("{} in stream {} that are no numbers", count(broken, "sample"), track.index));
        }
        spans.extend(sound.channels.iter().flat_map(|channel| &channel.clipped.first));
    }
    let value = if named.is_empty() { "none".to_owned() } else { named.join("; ") };
    let limit = format!("at most {} a minute", decimal(policy.max_runs_per_minute, 2));
    let finding = Finding::new(Code::QcClipping, "clipping", value, limit).at(timeline.places(&spans));
    is_measured.then(|| {
        if is_too_often {
            finding.fail(
                policy.verdict,
                "Listen at these places: where it crackles, the sound was recorded or mixed too loud. Ask for a mix from before it was clipped.",
            )
        } else {
            finding.pass()
        }
    })
}

/// Whether the waveform lies beside its middle; `None` where that was not measured.
pub(super) fn dc_offset(policy: &DcOffset, heard: &[(u32, &SoundMeasurement)]) -> Option<Check> {
    let channels = heard.iter().flat_map(|(stream, sound)| {
        sound.channels.iter().enumerate().map(move |(number, channel)| (stream, number, channel))
    });
    let (stream, number, worst) =
        channels.max_by(|a, b| a.2.dc_offset.abs().total_cmp(&b.2.dc_offset.abs()))?;
    let percent = 100.0 * worst.dc_offset;
    let value = format!(
        "{} % of full scale in stream {stream}, {}",
        decimal(percent, 2),
        name(worst.position, number)
    );
    let limit = format!("at most ±{} %", decimal(policy.max_percent, 2));
    let finding = Finding::new(Code::QcDcOffset, "DC offset", value, limit);
    Some(if exceeds(percent.abs(), policy.max_percent) {
        finding.fail(
            policy.verdict,
            "A faulty converter or effect shifted the waveform: cuts click, and peaks clip early. Ask for a mix through a high-pass filter.",
        )
    } else {
        finding.pass()
    })
}

#[cfg(test)]
mod tests {
    use reelfarm_model::Measurements;
    use reelfarm_model::measurement::Spans;
    use reelfarm_model::qc::Verdict;

    use super::*;
    use crate::sample;

    fn clipped(film: &mut Measurements, runs: &[u64]) {
        let sound = film.audio[0].sound.as_mut().unwrap();
        for (channel, count) in sound.channels.iter_mut().zip(runs) {
            let first: Vec<Span> =
                (0..*count).map(|run| Span { start: 2.0 + run as f64, end: 2.001 + run as f64 }).collect();
            channel.clipped = Spans { count: *count, seconds: 0.001, first };
            channel.longest_clipped_run = 5;
        }
    }

    #[test]
    fn clipping_is_rare() {
        sample::table(
            "clipping",
            &[
                (Verdict::Pass, "none", &|_| {}),
                (Verdict::Pass, "1 run in stream 1, up to 5 samples", &|m| clipped(m, &[1, 0])),
                (Verdict::Warn, "2 runs in stream 1", &|m| clipped(m, &[1, 1])),
                (Verdict::Pass, "2 runs in stream 1", &|m| {
                    clipped(m, &[1, 1]);
                    m.audio[0].samples = 61 * 48_000;
                }),
                (Verdict::Warn, "3 samples in stream 1 that are no numbers", &|m| {
                    m.audio[0].sound.as_mut().unwrap().channels[0].not_finite = 3;
                }),
            ],
        );
        let mut film = sample::clean();
        clipped(&mut film, &[1, 2]);
        assert_eq!(sample::places(&film, "clipping"), ["00:00:02:00", "00:00:02:00", "00:00:03:00"]);
    }

    #[test]
    fn the_waveform_lies_about_its_middle() {
        let shifted = |film: &mut Measurements, offset: f64| {
            film.audio[0].sound.as_mut().unwrap().channels[1].dc_offset = offset;
        };
        sample::table(
            "DC offset",
            &[
                (Verdict::Pass, "0 % of full scale in stream 1", &|_| {}),
                (Verdict::Pass, "1 % of full scale in stream 1, right", &|m| shifted(m, 0.01)),
                (Verdict::Warn, "1.01 % of full scale", &|m| shifted(m, 0.0101)),
                (Verdict::Warn, "-1.01 % of full scale", &|m| shifted(m, -0.0101)),
            ],
        );
    }
}
