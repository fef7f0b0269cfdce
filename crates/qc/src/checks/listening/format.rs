//! Is the sound sampled as television's is, and are its channels those that the layout says.

use reelfarm_model::Code;
use reelfarm_model::measurement::AudioMeasurement;
use reelfarm_model::qc::Check;

use crate::checks::Finding;
use crate::policy::{Channels, SampleRate};
use crate::text::{decimal, list, plain};

/// The channels of a track that is kept as 5.1.
const SURROUND: u32 = 6;

/// Whether the tracks in use have a usual sample rate.
pub(super) fn sample_rate(policy: &SampleRate, used: &[&AudioMeasurement]) -> Check {
    let mut rates: Vec<u32> = used.iter().map(|track| track.sample_rate).collect();
    rates.sort_unstable();
    rates.dedup();
    let named: Vec<_> = rates.iter().map(|rate| kilohertz(*rate)).collect();
    let usual: Vec<_> = policy.usual_hz.iter().map(|rate| kilohertz(*rate)).collect();
    let limit = list(&usual, "or");
    let finding = Finding::new(Code::QcSampleRate, "sample rate", list(&named, "and"), limit);
    if rates.iter().any(|rate| *rate < policy.min_hz) {
        finding.fail(
            policy.low_verdict,
            "This is sound of a telephone or of speech alone: ask for the mix as it was made.",
        )
    } else if rates.iter().any(|rate| !policy.usual_hz.contains(rate)) {
        finding.fail(
            policy.other_verdict,
            "The farm makes it 48 kHz. Sound of 44.1 kHz often comes from a disc or the web: ask whether this is the master.",
        )
    } else {
        finding.pass()
    }
}

fn kilohertz(rate: u32) -> String {
    format!("{} kHz", decimal(f64::from(rate) / 1000.0, 3))
}

/// Whether the layout of the tracks in use is stated where that matters, and fits the channels.
pub(super) fn layout(policy: &Channels, used: &[&AudioMeasurement]) -> Check {
    let named: Vec<_> = used.iter().map(|track| describe(track)).collect();
    let faults: Vec<_> = used.iter().filter_map(|track| fault(track)).collect();
    let mut value = named;
    value.extend(faults.iter().cloned());
    let limit = "stated, of as many channels, mono, stereo or 5.1";
    let finding = Finding::new(Code::QcChannelLayout, "channel layout", value.join("; "), limit);
    if faults.is_empty() {
        finding.pass()
    } else {
        finding.fail(
            policy.layout_verdict,
            "Listen to what was made of it: is each channel where it belongs, and none missing? Else ask for mono, stereo or 5.1 that says so.",
        )
    }
}

fn describe(track: &AudioMeasurement) -> String {
    let layout = if track.layout.is_empty() { "layout not stated".to_owned() } else { plain(&track.layout) };
    format!("stream {}: {} ({layout})", track.index, track.channels)
}

/// What is wrong with a track's layout, in words.
fn fault(track: &AudioMeasurement) -> Option<String> {
    let (stream, channels, layout) = (track.index, track.channels, track.layout.as_str());
    if let Some(named) = channels_of(layout).filter(|named| *named != channels) {
        return Some(format!("stream {stream}: {} is of {named} channels", plain(layout)));
    }
    match channels {
        // Without a word, one channel is mono and two are stereo.
        0..=2 => None,
        SURROUND if layout.is_empty() => Some(format!("stream {stream} is taken as 5.1")),
        SURROUND if !layout.starts_with("5.1") => {
            Some(format!("stream {stream} is not 5.1, but is taken as such"))
        }
        SURROUND => None,
        _ => Some(format!("stream {stream} is mixed to stereo")),
    }
}

/// How many channels a layout has, by FFmpeg's name; `None` of one that is not known.
fn channels_of(layout: &str) -> Option<u32> {
    let base = layout.split('(').next().unwrap_or(layout);
    match base {
        "mono" => Some(1),
        "stereo" | "downmix" => Some(2),
        "quad" => Some(4),
        "hexagonal" => Some(6),
        "octagonal" | "cube" => Some(8),
        "hexadecagonal" => Some(16),
        _ => {
            let parts: Option<Vec<u32>> = base.split('.').map(|part| part.parse().ok()).collect();
            parts.filter(|parts| parts.len() > 1)?.into_iter().try_fold(0_u32, u32::checked_add)
        }
    }
}

#[cfg(test)]
mod tests {
    use reelfarm_model::Measurements;
    use reelfarm_model::qc::Verdict;

    use super::*;
    use crate::sample;

    #[test]
    fn sound_is_sampled_as_televisions_is() {
        sample::table(
            "sample rate",
            &[
                (Verdict::Pass, "48 kHz", &|_| {}),
                (Verdict::Pass, "96 kHz", &|m| m.audio[0].sample_rate = 96_000),
                (Verdict::Warn, "44.1 kHz", &|m| m.audio[0].sample_rate = 44_100),
                (Verdict::Warn, "32 kHz", &|m| m.audio[0].sample_rate = 32_000),
                (Verdict::Warn, "22.05 kHz", &|m| m.audio[0].sample_rate = 22_050),
                (Verdict::Warn, "44.1 kHz and 48 kHz", &|m| {
                    let mut french = sample::audio(2, 2);
                    french.language = Some("fra".into());
                    french.sample_rate = 44_100;
                    m.audio.push(french);
                }),
            ],
        );
        let mut film = sample::clean();
        for (rate, remedy) in
            [(44_100, "makes it 48 kHz"), (32_000, "makes it 48 kHz"), (31_999, "telephone")]
        {
            film.audio[0].sample_rate = rate;
            let report = sample::report(&film);
            assert!(sample::check(&report, "sample rate").remedy.contains(remedy), "{rate}");
        }
    }

    #[test]
    fn the_layout_fits_the_channels() {
        let laid_out = |film: &mut Measurements, channels: u32, layout: &str| {
            film.audio[0] = sample::audio(1, channels);
            film.audio[0].layout = layout.to_owned();
        };
        sample::table(
            "channel layout",
            &[
                (Verdict::Pass, "stream 1: 2 (stereo)", &|_| {}),
                (Verdict::Pass, "stream 1: 2 (layout not stated)", &|m| laid_out(m, 2, "")),
                (Verdict::Pass, "stream 1: 6 (5.1(side))", &|m| laid_out(m, 6, "5.1(side)")),
                (Verdict::Warn, "stream 1 is taken as 5.1", &|m| laid_out(m, 6, "")),
                (Verdict::Warn, "stream 1 is not 5.1", &|m| laid_out(m, 6, "hexagonal")),
                (Verdict::Warn, "stream 1: 5.1 is of 6 channels", &|m| laid_out(m, 2, "5.1")),
                (Verdict::Warn, "stream 1: 8 (7.1); stream 1 is mixed to stereo", &|m| laid_out(m, 8, "7.1")),
                (Verdict::Warn, "stream 1 is mixed to stereo", &|m| laid_out(m, 4, "4 channels")),
            ],
        );
    }

    #[test]
    fn layouts_have_their_number_of_channels() {
        for (layout, channels) in [
            ("mono", Some(1)),
            ("5.1(side)", Some(6)),
            ("7.1.4", Some(12)),
            ("22.2", Some(24)),
            ("6 channels", None),
            ("", None),
            ("4294967295.1", None),
        ] {
            assert_eq!(channels_of(layout), channels, "{layout}");
        }
    }
}
