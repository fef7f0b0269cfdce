//! AAC frames with ADTS headers (ISO/IEC 14496-3 1.A.2.2), as MPEG-TS carries them.

use super::{Codec, ReadError};

/// Samples a second by `sampling_frequency_index` (table 1.18).
const SAMPLE_RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];

/// AAC-LC's `audioObjectType` (table 1.17).
pub(crate) const AAC_LC: u8 = 2;

/// The sample rate of an index.
pub(crate) fn sample_rate(index: u8) -> Result<u32, ReadError> {
    SAMPLE_RATES
        .get(usize::from(index))
        .copied()
        .ok_or_else(|| ReadError::new(format!("sampling frequency index {index} is reserved")))
}

/// The number of channels of a `channelConfiguration` (table 1.19).
pub(crate) fn channels(configuration: u8) -> Result<u32, ReadError> {
    match configuration {
        1..=6 => Ok(u32::from(configuration)),
        7 => Ok(8),
        _ => {
            Err(ReadError::new(format!("channel configuration {configuration} is not used by any rendition")))
        }
    }
}

/// The first frame of `bytes`: its codec, its raw bytes, and what follows it.
pub(crate) fn frame(bytes: &[u8]) -> Result<(Codec, &[u8], &[u8]), ReadError> {
    let header: &[u8; 7] = bytes.first_chunk().ok_or_else(|| ReadError::new("an ADTS header is cut"))?;
    // Sync word of 12 bits, then one bit of version that may be anything, then layer 0.
    if header[0] != 0xFF || header[1] & 0xF6 != 0xF0 {
        return Err(ReadError::new("a frame of sound has no ADTS sync word"));
    }
    let object_type = (header[2] >> 6) + 1;
    if object_type != AAC_LC {
        return Err(ReadError::new(format!("audio object type {object_type} is not AAC-LC")));
    }
    if header[6] & 0b11 != 0 {
        return Err(ReadError::new("an ADTS frame holds several raw data blocks"));
    }
    let has_checksum = header[1] & 1 == 0;
    let header_length = if has_checksum { 9 } else { 7 };
    let length =
        usize::from(header[3] & 0b11) << 11 | usize::from(header[4]) << 3 | usize::from(header[5] >> 5);
    let frame = bytes.get(header_length..length).filter(|raw| !raw.is_empty()).ok_or_else(|| {
        ReadError::new(format!("an ADTS frame states {length} bytes, {} are there", bytes.len()))
    })?;
    let codec = Codec::Aac {
        sample_rate: sample_rate(header[2] >> 2 & 0x0F)?,
        channels: channels((header[2] & 1) << 2 | header[3] >> 6)?,
    };
    Ok((codec, frame, &bytes[length..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_taken_from_its_header() {
        // 48 kHz, two channels, 10 bytes: 7 of header and 3 of sound.
        let bytes = [0xFF, 0xF1, 0x4C, 0x80, 0x01, 0x5F, 0xFC, 1, 2, 3, 9];
        let (codec, raw, rest) = frame(&bytes).unwrap();
        assert_eq!(codec, Codec::Aac { sample_rate: 48_000, channels: 2 });
        assert_eq!((raw, rest), (&[1, 2, 3][..], &[9][..]));
        assert!(frame(&bytes[..9]).is_err());
        for (at, value) in [(0, 0xFE), (1, 0xF3), (2, 0x0C), (2, 0x7C), (3, 0x00), (5, 0x1F), (6, 0xFD)] {
            let mut bad = bytes;
            bad[at] = value;
            if at == 5 {
                bad[4] = 0;
            }
            assert!(frame(&bad).is_err(), "{at}: {value:#x}");
        }
    }
}
