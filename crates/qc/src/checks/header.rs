//! Does the container's header state the size, the sample rate and the channels that are decoded.

use reelfarm_model::Code;
use reelfarm_model::Measurements;
use reelfarm_model::measurement::{AudioMeasurement, VideoMeasurement};
use reelfarm_model::qc::Check;

use super::Finding;
use crate::policy::Header;

/// Codecs store whole blocks: a header may state the picture with the last of them, or without.
const LARGEST_BLOCK: u32 = 16;
/// IMX (SMPTE 356M) codes the lines of the vertical interval above the picture, which headers leave out: width, and lines as they
/// are stated and as they are decoded.
const WITH_VERTICAL_INTERVAL: [(u32, u32, u32); 3] = [(720, 576, 608), (720, 486, 512), (720, 480, 512)];
/// MP4's headers state two channels of whatever they leave to the codec. ISO/IEC 14496-12, 12.2.3.2, gives the field that
/// default; ETSI TS 102 366, F.4, has it ignored.
const DEFAULT_CHANNELS: u32 = 2;

/// Whether what the header states of each track is what comes out of its decoder.
pub(crate) fn header(policy: &Header, measurements: &Measurements) -> Check {
    let video = measurements.video.iter().filter(|track| track.frames > 0).filter_map(size);
    let is_mp4 = measurements.container.split(',').any(|name| name == "mp4");
    let sound = measurements.audio.iter().filter(|track| track.samples > 0);
    let found: Vec<_> = video
        .chain(sound.flat_map(|track| [sample_rate(track), channels(track, is_mp4)].into_iter().flatten()))
        .collect();
    let value = if found.is_empty() { "no contradictions".to_owned() } else { found.join("; ") };
    let finding = Finding::new(Code::QcHeader, "header", value, "states what is decoded");
    if found.is_empty() {
        finding.pass()
    } else {
        finding.fail(
            policy.verdict,
            "The farm goes by what it decodes; others may go by the header. Look whether the picture is whole and the sound runs at its right speed, and ask for an export whose header is right.",
        )
    }
}

fn size(track: &VideoMeasurement) -> Option<String> {
    let stated = track.header_size?;
    let is_near = |stated: u32, decoded: u32| stated.abs_diff(decoded) < LARGEST_BLOCK;
    let is_imx = track.codec == "mpeg2video"
        && stated.0 == track.width
        && WITH_VERTICAL_INTERVAL.contains(&(track.width, stated.1, track.height));
    let agrees = is_imx || (is_near(stated.0, track.width) && is_near(stated.1, track.height));
    (!agrees).then(|| {
        format!(
            "stream {}: {}x{} stated, {}x{} decoded",
            track.index, stated.0, stated.1, track.width, track.height
        )
    })
}

fn sample_rate(track: &AudioMeasurement) -> Option<String> {
    let stated = track.header_sample_rate?;
    let rate = track.sample_rate;
    // AAC with spectral band replication may state the rate of its core, half of what is heard. ISO/IEC 14496-3, 1.6.5.2.
    let is_core = track.codec == "aac" && stated.checked_mul(2) == Some(rate);
    (stated != rate && !is_core)
        .then(|| format!("stream {}: {stated} Hz stated, {rate} Hz decoded", track.index))
}

fn channels(track: &AudioMeasurement, is_mp4: bool) -> Option<String> {
    let stated = track.header_channels?;
    let channels = track.channels;
    let is_default = is_mp4 && stated == DEFAULT_CHANNELS;
    // AAC may state one channel and have the other in parametric stereo. ISO/IEC 14496-3, 1.6.5.3.
    let is_parametric = track.codec == "aac" && (stated, channels) == (1, 2);
    (stated != channels && !is_default && !is_parametric)
        .then(|| format!("stream {}: {stated} channels stated, {channels} decoded", track.index))
}

#[cfg(test)]
mod tests {
    use reelfarm_model::qc::Verdict;

    use crate::sample;

    #[test]
    fn the_header_states_what_is_decoded() {
        sample::table(
            "header",
            &[
                (Verdict::Pass, "no contradictions", &|_| {}),
                (Verdict::Pass, "no contradictions", &|m| m.video[0].header_size = Some((1920, 1088))),
                (Verdict::Warn, "stream 0: 1920x1096 stated, 1920x1080 decoded", &|m| {
                    m.video[0].header_size = Some((1920, 1096));
                }),
                (Verdict::Pass, "no contradictions", &|m| {
                    sample::size(m, 720, 608);
                    m.video[0].codec = "mpeg2video".into();
                    m.video[0].header_size = Some((720, 576));
                }),
                (Verdict::Warn, "stream 0: 720x576 stated, 720x608 decoded", &|m| {
                    sample::size(m, 720, 608);
                    m.video[0].header_size = Some((720, 576));
                }),
                (Verdict::Warn, "stream 0: 1280x720 stated, 1920x1080 decoded", &|m| {
                    m.video[0].header_size = Some((1280, 720));
                }),
                (Verdict::Warn, "stream 1: 44100 Hz stated, 48000 Hz decoded", &|m| {
                    m.audio[0].header_sample_rate = Some(44_100);
                }),
                (Verdict::Pass, "no contradictions", &|m| {
                    m.audio[0].codec = "aac".into();
                    (m.audio[0].header_sample_rate, m.audio[0].header_channels) = (Some(24_000), Some(1));
                }),
                (Verdict::Warn, "stream 1: 24000 Hz stated", &|m| {
                    m.audio[0].codec = "pcm_s16le".into();
                    m.audio[0].header_sample_rate = Some(24_000);
                }),
                (Verdict::Warn, "stream 1: 6 channels stated, 2 decoded", &|m| {
                    m.audio[0].header_channels = Some(6);
                }),
                (Verdict::Pass, "no contradictions", &|m| {
                    m.container = "mov,mp4,m4a,3gp,3g2,mj2".into();
                    m.audio[0] = sample::audio(1, 6);
                    m.audio[0].header_channels = Some(2);
                }),
                (Verdict::Warn, "stream 1: 2 channels stated, 6 decoded", &|m| {
                    m.container = "matroska,webm".into();
                    m.audio[0] = sample::audio(1, 6);
                    m.audio[0].header_channels = Some(2);
                }),
            ],
        );
    }
}
