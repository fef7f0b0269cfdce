//! What libx264 is told.

use reelfarm_model::task::RungSpec;

use super::rung::{Rate, common_options};
use crate::ffmpeg::options::Options;

/// All that shapes the bytes, besides the frames. `level` is ten times the level, where that is not x264's to choose.
pub(super) fn options(rung: &RungSpec, rate: &Rate, level: Option<u8>) -> Options {
    let mut parameters = "lookahead-threads=1:cpu-independent=1".to_owned();
    if let Some(filled) = rate.filled {
        parameters.push_str(&format!(":vbv-init={filled}"));
    }
    if let Some(level) = level {
        parameters.push_str(&format!(":level={level}"));
    }
    // In closed groups a forced I frame is an IDR. FFmpeg's forced-idr gives the same bytes; but then, with presets that have no
    // mbtree, x264 warns at every group that it made the IDR an I frame, which it takes back later.
    common_options(rung, rate)
        // One thread, and one of the lookahead's: with more, rate control depends on timing.
        .with("threads", &1)
        .with("sc_threshold", &0)
        .with("x264-params", &parameters)
}

/// The level that x264 has chosen, times ten: of its sequence parameter set, the third byte. ITU-T H.264, 7.3.2.1.1.
pub(super) fn level(headers: &[u8]) -> Option<u8> {
    let start = headers.windows(4).position(|window| window[..3] == [0, 0, 1] && window[3] & 0x1F == 7)?;
    headers.get(start + 6).copied()
}
