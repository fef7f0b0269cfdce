//! `CodecPrivateData`: what initialises a decoder where there is no file header (MS-SSTR 2.2.2.5).

use crate::malformed::Malformed;
use crate::readback::{Codec, adts, movie};

/// Parameter sets of H.264 in the form of its annex B, sequence parameter sets first; `None` where they are not those of
/// a decoder, or hold what a start code ends.
pub(super) fn parameter_sets_data(sorted_sets: &[Vec<u8>]) -> Option<Vec<u8>> {
    let mut sets: Vec<&Vec<u8>> = sorted_sets.iter().collect();
    sets.sort_by_key(|set| set.first().map(|header| header & 0x1F));
    let data: Vec<u8> = sets.into_iter().flat_map(|set| START_CODE.iter().chain(set)).copied().collect();
    parameter_sets(&data).is_ok_and(|read| read == sorted_sets).then_some(data)
}

/// The parameter sets of such data, sorted as the readers of other layouts sort them.
pub(super) fn parameter_sets(data: &[u8]) -> Result<Vec<Vec<u8>>, Malformed> {
    const SEQUENCE: u8 = 7;
    const PICTURE: u8 = 8;

    let refuse = |reason: &str| Malformed::new("QualityLevel", format!("CodecPrivateData: {reason}"));
    let mut rest = data.strip_prefix(&START_CODE).ok_or_else(|| refuse("it begins with no start code"))?;
    let mut sets = Vec::new();
    loop {
        let end = rest.windows(START_CODE.len()).position(|window| window == START_CODE);
        let (set, tail) = rest.split_at(end.unwrap_or(rest.len()));
        sets.push(set.to_vec());
        match tail.strip_prefix(&START_CODE) {
            Some(tail) => rest = tail,
            None => break,
        }
    }
    let kinds: Vec<_> = sets.iter().map(|set| set.first().map(|header| header & 0x1F)).collect();
    if !kinds.is_sorted() || kinds.first() != Some(&Some(SEQUENCE)) || kinds.last() != Some(&Some(PICTURE)) {
        return Err(refuse("it is not a sequence and a picture parameter set"));
    }
    sets.sort();
    Ok(sets)
}

const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// The `AudioSpecificConfig` (ISO/IEC 14496-3 1.6.2.1) of AAC-LC in its two bytes, without extensions; `None` for a rate
/// or a number of channels that it has no index for.
pub(super) fn audio_specific_config(sample_rate: u32, channels: u32) -> Option<[u8; 2]> {
    let rate_index = (0..16u8).find(|index| adts::sample_rate(*index) == Ok(sample_rate))?;
    let configuration = (0..16u8).find(|index| adts::channels(*index) == Ok(channels))?;
    let bits = u16::from(adts::AAC_LC) << 11 | u16::from(rate_index) << 7 | u16::from(configuration) << 3;
    Some(bits.to_be_bytes())
}

/// Rate and channels of such two bytes.
pub(super) fn audio(data: &[u8]) -> Result<(u32, u32), Malformed> {
    let refuse = |reason: String| Malformed::new("QualityLevel", format!("CodecPrivateData: {reason}"));
    match movie::audio_specific_config(data).map_err(|error| refuse(error.0))? {
        Codec::Aac { sample_rate, channels }
            if audio_specific_config(sample_rate, channels).is_some_and(|plain| plain == data) =>
        {
            Ok((sample_rate, channels))
        }
        _ => Err(refuse("it is not that of plain AAC-LC in two bytes".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sequence_parameter_sets_come_first_whatever_their_header_says_of_their_importance() {
        let (sequence, picture) = (b"\x67\x64".to_vec(), b"\x28\xEE".to_vec());
        let data = parameter_sets_data(&[picture.clone(), sequence.clone()]).unwrap();
        assert_eq!(data, b"\0\0\0\x01\x67\x64\0\0\0\x01\x28\xEE");
        assert_eq!(parameter_sets(b"\0\0\0\x01\x67\x64\x01\0\0\0\x01\x28\xEE").unwrap()[0], picture);
        for wrong in [&b""[..], b"\x67", b"\0\0\0\x01", b"\0\0\0\x01\x67", b"\0\0\0\x01\x68\0\0\0\x01\x67"] {
            assert!(parameter_sets(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn sound_is_described_in_two_bytes() {
        for (rate, channels, expected) in [
            (48_000, 2, Some([0x11, 0x90])),
            (44_100, 2, Some([0x12, 0x10])),
            (48_000, 6, Some([0x11, 0xB0])),
            (48_000, 8, Some([0x11, 0xB8])),
            (48_001, 2, None),
            (48_000, 7, None),
            (48_000, 0, None),
        ] {
            assert_eq!(audio_specific_config(rate, channels), expected);
            if let Some(bytes) = expected {
                assert_eq!(audio(&bytes), Ok((rate, channels)));
            }
        }
        // Cut, with an extension, HE-AAC, 960 samples a frame, a reserved rate, channels of its own.
        for wrong in
            [&[0x11][..], &[0x11, 0x90, 0x56], &[0x29, 0x90], &[0x11, 0x94], &[0x16, 0x90], &[0x11, 0x80]]
        {
            assert!(audio(wrong).is_err(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn any_data_is_read_or_refused(data in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = audio(&data);
            if let Ok(sets) = parameter_sets(&data) {
                prop_assert_eq!(parameter_sets(&parameter_sets_data(&sets).unwrap()), Ok(sets));
            }
        }
    }
}
