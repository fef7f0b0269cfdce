//! Apple's sample encryption of MPEG-TS ("MPEG-2 Stream Encryption Format for HTTP Live Streaming", 2014), which HLS
//! calls SAMPLE-AES.

use reelfarm_drm::Secret;
use reelfarm_model::profile::Scheme;

use super::super::boxes::Cursor;
use super::super::nal::{units_by_start_code, without_trailing_zeros};
use super::super::{Codec, ReadError, movie};
use super::Encryption;
use super::cipher::{BLOCK, Cipher};

/// `stream_type` of encrypted H.264 (clause 3).
pub(crate) const H264: u8 = 0xDB;
/// `stream_type` of encrypted AAC with ADTS headers.
pub(crate) const ADTS: u8 = 0xCF;

/// Bytes at the start of a slice's NAL unit that are never encrypted (clause 2.2).
const LEADER: usize = 32;
/// NAL units up to this length are not encrypted.
const LONGEST_CLEAR: usize = 48;
/// Of the blocks after the leader every tenth is encrypted.
const PATTERN: (u8, u8) = (1, 9);

/// Decrypts the access units of a track in order, and notes what it sees.
#[derive(Clone, Debug)]
pub(crate) struct SampleDecryptor {
    cipher: Cipher,
    vector: [u8; BLOCK],
    found: Encryption,
}

impl SampleDecryptor {
    /// The stream names neither the key nor the vector: HLS playlists and key servers do.
    pub(crate) fn new(key: &Secret<BLOCK>, vector: [u8; BLOCK]) -> Self {
        let mut found = Encryption::new(Scheme::SampleAes, None, (0, 0));
        found.first_vector = vector.to_vec();
        Self { cipher: Cipher::new(key), vector, found }
    }

    /// What was found so far.
    pub(crate) const fn found(&self) -> &Encryption {
        &self.found
    }

    /// The NAL units of the next picture in clear, from the data of its PES packet.
    pub(crate) fn picture(&mut self, data: &[u8]) -> Result<Vec<Vec<u8>>, ReadError> {
        self.found.pattern = PATTERN;
        let mut is_changed = false;
        let mut units = Vec::new();
        for unit in units_by_start_code(data)? {
            let unit = without_trailing_zeros(unit);
            let is_encrypted = unit.len() > LONGEST_CLEAR && matches!(unit[0] & 0x1F, 1 | 5);
            if !is_encrypted {
                units.push(unit.to_vec());
                continue;
            }
            let encrypted = without_emulation_prevention(unit);
            let mut clear = encrypted.clone();
            // A block is encrypted only if a byte follows it, so that the last byte of every unit is its own.
            if let Some(range) = clear.len().checked_sub(1).and_then(|end| clear.get_mut(LEADER..end)) {
                self.cipher.chained(self.vector, PATTERN, range);
            }
            is_changed |= clear != encrypted;
            units.push(clear);
        }
        self.found.count(is_changed, false);
        Ok(units)
    }

    /// The next frame of sound in clear, without its ADTS header: after a block that stays clear, every whole one is
    /// encrypted (clause 2.3.2).
    pub(crate) fn sound(&mut self, raw: &[u8]) -> Vec<u8> {
        let mut clear = raw.to_vec();
        if let Some(range) = clear.get_mut(BLOCK..) {
            self.cipher.chained(self.vector, (0, 0), range);
        }
        self.found.count(clear != raw, false);
        clear
    }
}

/// A NAL unit without the bytes that keep start codes out of it (ITU-T H.264 7.4.1). Encryption was applied to a unit
/// that has its own already, and may give bytes that look like start codes: so they were put in once more.
fn without_emulation_prevention(unit: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(unit.len());
    let mut zeros = 0;
    for &byte in unit {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        bytes.push(byte);
    }
    bytes
}

/// Checks the descriptors of an encrypted stream (clause 3): what is encrypted, and for sound what decodes it (clause
/// 2.3.2.1). Gives the latter.
pub(crate) fn signalled(stream_type: u8, descriptors: &[u8]) -> Result<Option<Codec>, ReadError> {
    const REGISTRATION: u8 = 0x05;
    const PRIVATE_DATA_INDICATOR: u8 = 0x0F;

    let mut indicator = None;
    let mut registration = None;
    let mut cursor = Cursor::new(descriptors);
    while !cursor.is_empty() {
        let tag = cursor.u8()?;
        let length = usize::from(cursor.u8()?);
        let body = cursor.take(length)?;
        match tag {
            PRIVATE_DATA_INDICATOR => indicator = Some(body),
            REGISTRATION => registration = Some(body),
            _ => {}
        }
    }
    let expected: &[u8] = if stream_type == H264 { b"zavc" } else { b"aacd" };
    if indicator != Some(expected) {
        return Err(ReadError::new("the encrypted stream's private data indicator is missing or wrong"));
    }
    if stream_type == H264 {
        return Ok(None);
    }
    let registration = registration.and_then(|body| body.strip_prefix(b"apadzaac"));
    let mut setup = Cursor::new(
        registration.ok_or_else(|| ReadError::new("the encrypted sound's setup information is missing"))?,
    );
    // Priming is not used by encoders that state an edit list; players take it from the media.
    setup.u16()?;
    let version = setup.u8()?;
    let length = usize::from(setup.u8()?);
    let specific = setup.take(length)?;
    if version != 1 || !setup.is_empty() {
        return Err(ReadError::new("the encrypted sound's setup information has another form"));
    }
    movie::audio_specific_config(specific).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emulation_prevention_is_taken_off_once() {
        for (escaped, expected) in [
            (&b"\x65\0\0\x03\x01"[..], &b"\x65\0\0\x01"[..]),
            (b"\0\0\x03\x03", b"\0\0\x03"),
            (b"\0\0\x03\0\0\x03", b"\0\0\0\0"),
            (b"\0\x03\0\0\x04\x03", b"\0\x03\0\0\x04\x03"),
            (b"", b""),
        ] {
            assert_eq!(without_emulation_prevention(escaped), expected, "{escaped:?}");
        }
    }

    #[test]
    fn slices_over_48_bytes_are_encrypted_and_their_last_byte_is_not() {
        let decrypted = |size: usize, header: u8| {
            let data = [&[0, 0, 1, header][..], &vec![0x77; size - 1]].concat();
            let mut decryptor = SampleDecryptor::new(&Secret::new([1; 16]), [2; 16]);
            let unit = decryptor.picture(&data).unwrap().remove(0);
            assert_eq!(unit.len(), size);
            assert_eq!(decryptor.found().unchanged, u64::from(unit == data[3..]));
            (0..size).filter(|at| unit[*at] != data[at + 3]).collect::<Vec<_>>()
        };
        for header in [0x65, 0x41] {
            assert_eq!(decrypted(48, header), Vec::<usize>::new());
            assert_eq!(decrypted(49, header), (32..48).collect::<Vec<_>>());
            assert_eq!(decrypted(208, header), (32..48).collect::<Vec<_>>());
            assert_eq!(decrypted(209, header), (32..48).chain(192..208).collect::<Vec<_>>());
        }
        assert_eq!(decrypted(300, 0x06), Vec::<usize>::new());
    }

    #[test]
    fn sound_is_encrypted_in_whole_blocks_after_the_first() {
        let mut decryptor = SampleDecryptor::new(&Secret::new([1; 16]), [2; 16]);
        for (size, expected) in [(5, 0..0), (31, 0..0), (32, 16..32), (63, 16..48)] {
            let raw = vec![9; size];
            let clear = decryptor.sound(&raw);
            let changed: Vec<_> = (0..size).filter(|at| clear[*at] != raw[*at]).collect();
            assert_eq!(changed, expected.collect::<Vec<_>>(), "{size}");
        }
        assert_eq!((decryptor.found().units, decryptor.found().unchanged), (4, 2));
    }

    #[test]
    fn the_program_map_must_say_what_is_encrypted() {
        let sound = b"\x0F\x04aacd\x05\x0Eapadzaac\0\0\x01\x02\x11\x90";
        let codec = Codec::Aac { sample_rate: 48_000, channels: 2 };
        assert_eq!(signalled(ADTS, sound).unwrap(), Some(codec));
        assert_eq!(signalled(H264, b"\x0F\x04zavc").unwrap(), None);
        for (stream_type, descriptors) in [
            (H264, &b""[..]),
            (H264, b"\x0F\x04aacd"),
            (H264, b"\x0F\x05zavc"),
            (ADTS, &sound[..6]),
            (ADTS, b"\x0F\x04aacd\x05\x04AC-3"),
            (ADTS, b"\x0F\x04aacd\x05\x0Eapadzaac\0\0\x02\x02\x11\x90"),
            (ADTS, b"\x0F\x04aacd\x05\x0Eapadzaac\0\0\x01\x03\x11\x90"),
            (ADTS, &sound[..sound.len() - 1]),
        ] {
            assert!(signalled(stream_type, descriptors).is_err(), "{descriptors:?}");
        }
    }
}
