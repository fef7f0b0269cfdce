//! What libx265 is told.

use reelfarm_model::task::RungSpec;

use super::rung::{Rate, common_options};
use crate::ffmpeg::options::Options;

/// All that shapes the bytes, besides the frames. `level` is thirty times the level, where that is not x265's to choose.
pub(super) fn options(rung: &RungSpec, rate: &Rate, level: Option<u8>) -> Options {
    let mut parameters = [
        // Otherwise it says on standard error what it was told; its description in the stream would name the processor.
        "log-level=error:info=0",
        // One thread: with more, rate control depends on timing.
        "pools=none:frame-threads=1:wpp=0:pmode=0:pme=0",
        // Of one level there is but one tier, or chunks with a little less of the rate might have another.
        "open-gop=0:scenecut=0:hrd=0:aud=0:repeat-headers=0:high-tier=0",
    ]
    .join(":");
    // A picture holds at least one coding tree unit, of 64 samples a side or fewer. ITU-T H.265, 7.4.3.2.1
    match rung.width.min(rung.height) {
        64.. => {}
        32.. => parameters.push_str(":ctu=32"),
        _ => parameters.push_str(":ctu=16:max-tu-size=16"),
    }
    if let Some(filled) = rate.filled {
        parameters.push_str(&format!(":vbv-init={filled}"));
    }
    if let Some(level) = level {
        // It is told ten times the level.
        parameters.push_str(&format!(":level-idc={}", level / 3));
    }
    common_options(rung, rate).with("forced-idr", &1).with("x265-params", &parameters)
}

/// The level that x265 has chosen, times thirty: of the sequence parameter set, behind a byte, the profile, its compatibility
/// and its constraints. ITU-T H.265, 7.3.2.2.1 and 7.3.3.
pub(super) fn level(headers: &[u8]) -> Option<u8> {
    const SEQUENCE_PARAMETERS: u8 = 33;
    const HEADER: usize = 2;
    const BEFORE_LEVEL: usize = 1 + 1 + 4 + 6;
    let is_set = |window: &[u8]| window[..3] == [0, 0, 1] && window[3] >> 1 & 0x3F == SEQUENCE_PARAMETERS;
    let start = headers.windows(4).position(is_set)? + 3 + HEADER;
    unescaped(headers.get(start..)?).nth(BEFORE_LEVEL)
}

/// Without the bytes that keep start codes out. ITU-T H.265, 7.3.1.1.
fn unescaped(unit: &[u8]) -> impl Iterator<Item = u8> + '_ {
    let mut zeros = 0;
    unit.iter().copied().filter(move |byte| {
        let is_escape = zeros >= 2 && *byte == 3;
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        !is_escape
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_is_found_behind_the_bytes_that_keep_start_codes_out() {
        let headers = [
            &[0, 0, 0, 1, 0x40, 1, 0x0C, 1][..],
            // Main profile, level 3.1.
            &[0, 0, 1, 0x42, 1, 1, 1, 0x60, 0, 0, 3, 0, 0x90, 0, 0, 3, 0, 0, 3, 0, 93, 0xA0, 0x0A],
        ]
        .concat();
        assert_eq!(level(&headers), Some(93));
        assert_eq!(level(&headers[..12]), None);
    }
}
