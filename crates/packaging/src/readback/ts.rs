//! Segments of MPEG-TS (ISO/IEC 13818-1) with one elementary stream: H.264 or AAC with ADTS headers.

use reelfarm_drm::Secret;
use reelfarm_model::profile::Scheme;
use xxhash_rust::xxh3::xxh3_128;

use super::boxes::Cursor;
use super::encryption::sample_aes::{self, SampleDecryptor};
use super::encryption::{Decryption, Encryption};
use super::nal::Picture;
use super::{AAC_FRAME_SAMPLES, AccessUnit, Codec, ReadError, adts};
use crate::aes128;

/// Ticks a second of MPEG-TS time stamps.
pub(crate) const TIMESCALE: u32 = 90_000;

const PACKET: usize = 188;
const SYNC: u8 = 0x47;
const PAT_PID: u16 = 0;
const NULL_PID: u16 = 0x1FFF;
/// `stream_type` (table 2-34) of H.264.
const H264: u8 = 0x1B;
/// `stream_type` of AAC with ADTS headers.
const ADTS: u8 = 0x0F;
/// Time stamps have 33 bits.
const WRAP: i64 = 1 << 33;

/// Reads the segments of one rendition in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reader {
    last_pts: Option<i64>,
    codec: Option<Codec>,
    opening: Opening,
}

/// How segments are opened.
#[derive(Clone, Debug, Default)]
enum Opening {
    /// They are clear.
    #[default]
    Clear,
    /// Encrypted samples are read as they are.
    Sealed,
    /// Samples are decrypted.
    Samples(SampleDecryptor),
    /// Whole segments are decrypted.
    Segments { key: Secret<16>, vector: [u8; 16], found: Encryption },
}

impl Reader {
    /// A reader of segments that are opened so.
    pub(crate) fn new(decryption: Decryption<'_>) -> Result<Self, ReadError> {
        let opening = match decryption {
            Decryption::Clear => Opening::Clear,
            Decryption::Sealed => Opening::Sealed,
            Decryption::SampleAes { key, vector } => Opening::Samples(SampleDecryptor::new(key, vector)),
            Decryption::WholeSegments { key, vector } => {
                let mut found = Encryption::new(Scheme::Aes128, None, (0, 0));
                found.first_vector = vector.to_vec();
                Opening::Segments { key: key.clone(), vector, found }
            }
            Decryption::Common(_) => return Err(ReadError::new("MPEG-TS has no common encryption")),
        };
        Ok(Self { opening, ..Self::default() })
    }

    /// The access units of the next segment in decoding order. Durations are known for sound alone.
    pub(crate) fn segment(&mut self, bytes: &[u8]) -> Result<Vec<AccessUnit>, ReadError> {
        let Opening::Segments { key, vector, .. } = &self.opening else { return self.packets(bytes) };
        let clear = aes128::decrypt_segment(key, *vector, bytes);
        let clear = clear.map_err(|error| ReadError::new(error.to_string()))?;
        let units = self.packets(&clear)?;
        if let Opening::Segments { found, .. } = &mut self.opening {
            units.iter().for_each(|_| found.count(true, false));
        }
        Ok(units)
    }

    /// What was found of the encryption of the segments read so far.
    pub(crate) const fn encryption(&self) -> Option<&Encryption> {
        match &self.opening {
            Opening::Clear | Opening::Sealed => None,
            Opening::Samples(decryptor) => Some(decryptor.found()),
            Opening::Segments { found, .. } => Some(found),
        }
    }

    fn packets(&mut self, bytes: &[u8]) -> Result<Vec<AccessUnit>, ReadError> {
        let (stream, packets) = demultiplex(bytes)?;
        let is_encrypted = matches!(stream.kind, sample_aes::H264 | sample_aes::ADTS);
        match &self.opening {
            Opening::Sealed => {}
            Opening::Samples(_) if !is_encrypted => {
                return Err(ReadError::new("the program map names a stream that is not encrypted"));
            }
            Opening::Clear | Opening::Segments { .. } if is_encrypted => {
                return Err(ReadError::new("the program map names an encrypted stream"));
            }
            _ => {}
        }
        if let Some(codec) = stream.codec {
            self.expect(codec)?;
        }
        let mut units = Vec::with_capacity(packets.len());
        for packet in &packets {
            let (pts, data) = pes(packet)?;
            let pts = self.unwrap(pts);
            match stream.kind {
                H264 | sample_aes::H264 => units.push(self.picture(pts, data)?),
                _ => self.sound(pts, data, &mut units)?,
            }
        }
        if units.is_empty() {
            return Err(ReadError::new("the segment holds no access unit"));
        }
        Ok(units)
    }

    /// What decodes the segments read so far.
    pub(crate) const fn codec(&self) -> Option<&Codec> {
        self.codec.as_ref()
    }

    /// A time stamp without its wrap-around: the one nearest to the one before.
    fn unwrap(&mut self, pts: i64) -> i64 {
        let last = self.last_pts.unwrap_or(pts);
        let pts = last + (pts - last + WRAP / 2).rem_euclid(WRAP) - WRAP / 2;
        self.last_pts = Some(pts);
        pts
    }

    fn picture(&mut self, pts: i64, data: &[u8]) -> Result<AccessUnit, ReadError> {
        let picture = match &mut self.opening {
            Opening::Samples(decryptor) => Picture::from_units(&decryptor.picture(data)?)?,
            _ => Picture::from_start_codes(data)?,
        };
        if picture.is_idr() {
            let mut parameter_sets = picture.parameter_sets().to_vec();
            if parameter_sets.is_empty() {
                return Err(ReadError::new("an IDR picture comes without its parameter sets"));
            }
            parameter_sets.sort();
            parameter_sets.dedup();
            self.expect(Codec::Avc { size: None, parameter_sets })?;
        }
        Ok(AccessUnit { pts, duration: 0, idr: picture.is_idr(), payload: picture.payload() })
    }

    fn sound(&mut self, pts: i64, data: &[u8], units: &mut Vec<AccessUnit>) -> Result<(), ReadError> {
        let mut rest = data;
        let mut samples = 0u32;
        while !rest.is_empty() {
            let (codec, raw, tail) = adts::frame(rest)?;
            let Codec::Aac { sample_rate, .. } = codec else {
                return Err(ReadError::new("a frame of sound is no AAC"));
            };
            self.expect(codec)?;
            let payload = match &mut self.opening {
                Opening::Samples(decryptor) => xxh3_128(&decryptor.sound(raw)),
                _ => xxh3_128(raw),
            };
            let ticks = |samples: u32| u64::from(samples) * u64::from(TIMESCALE) / u64::from(sample_rate);
            let duration = ticks(AAC_FRAME_SAMPLES) as u32;
            units.push(AccessUnit { pts: pts + ticks(samples).cast_signed(), duration, idr: true, payload });
            samples = samples.saturating_add(AAC_FRAME_SAMPLES);
            rest = tail;
        }
        Ok(())
    }

    fn expect(&mut self, codec: Codec) -> Result<(), ReadError> {
        match &self.codec {
            Some(known) if *known != codec => Err(ReadError::new("the codec's parameters change")),
            _ => {
                self.codec = Some(codec);
                Ok(())
            }
        }
    }
}

/// An elementary stream, as the program map describes it.
struct Stream {
    pid: u16,
    /// Its `stream_type`.
    kind: u8,
    /// What decodes it, where the map says.
    codec: Option<Codec>,
}

/// The only elementary stream, and its PES packets.
fn demultiplex(bytes: &[u8]) -> Result<(Stream, Vec<Vec<u8>>), ReadError> {
    if bytes.is_empty() || !bytes.len().is_multiple_of(PACKET) {
        return Err(ReadError::new(format!("{} bytes are no whole number of packets", bytes.len())));
    }
    let mut program_map: Option<u16> = None;
    let mut stream: Option<Stream> = None;
    let mut counters = std::collections::BTreeMap::new();
    let mut packets: Vec<Vec<u8>> = Vec::new();
    for (index, packet) in bytes.chunks_exact(PACKET).enumerate() {
        let at = |error: ReadError| ReadError::new(format!("packet {index}: {error}"));
        let packet = Packet::parse(packet).map_err(at)?;
        if packet.pid == NULL_PID {
            continue;
        }
        if !packet.payload.is_empty() {
            let next = (packet.counter + 1) & 0x0F;
            if counters.insert(packet.pid, next).is_some_and(|expected| expected != packet.counter) {
                return Err(at(ReadError::new("a packet is lost or doubled (its counter jumps)")));
            }
        }
        if packet.pid == PAT_PID {
            program_map = Some(program_map_pid(section(packet.payload).map_err(at)?).map_err(at)?);
        } else if Some(packet.pid) == program_map {
            stream = Some(elementary_stream(section(packet.payload).map_err(at)?).map_err(at)?);
        } else if Some(packet.pid) == stream.as_ref().map(|stream| stream.pid) {
            if packet.starts {
                packets.push(Vec::new());
            }
            let current =
                packets.last_mut().ok_or_else(|| at(ReadError::new("a PES packet's start is missing")))?;
            current.extend_from_slice(packet.payload);
        } else {
            return Err(at(ReadError::new(format!("PID {} is in no program", packet.pid))));
        }
    }
    let stream = stream.ok_or_else(|| ReadError::new("the segment has no program map"))?;
    Ok((stream, packets))
}

struct Packet<'a> {
    pid: u16,
    starts: bool,
    counter: u8,
    payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// 2.4.3.2.
    fn parse(bytes: &'a [u8]) -> Result<Self, ReadError> {
        let mut cursor = Cursor::new(bytes);
        if cursor.u8()? != SYNC {
            return Err(ReadError::new("the sync byte is missing"));
        }
        let word = cursor.u16()?;
        let control = cursor.u8()?;
        if word & 0x8000 != 0 || control & 0xC0 != 0 {
            return Err(ReadError::new("the packet is marked as damaged or scrambled"));
        }
        if control & 0x20 != 0 {
            let length = usize::from(cursor.u8()?);
            cursor.take(length)?;
        }
        let payload = if control & 0x10 != 0 { cursor.rest() } else { &[] };
        Ok(Self { pid: word & 0x1FFF, starts: word & 0x4000 != 0, counter: control & 0x0F, payload })
    }
}

/// The body of a table's section (2.4.4) that lies in one packet, with its checksum verified.
fn section(payload: &[u8]) -> Result<&[u8], ReadError> {
    let mut cursor = Cursor::new(payload);
    let pointer = usize::from(cursor.u8()?);
    cursor.take(pointer)?;
    let whole = cursor.rest();
    cursor.u8()?;
    let length = usize::from(cursor.u16()? & 0x0FFF);
    let section = whole.get(..3 + length).ok_or_else(|| ReadError::new("a table is cut"))?;
    // The checksum over a section and its own checksum is zero (annex A).
    if length < 9 || crc32(section) != 0 {
        return Err(ReadError::new("a table's checksum is wrong"));
    }
    Ok(&section[8..section.len() - 4])
}

/// The PID of the only program's map (2.4.4.3).
fn program_map_pid(table: &[u8]) -> Result<u16, ReadError> {
    let mut cursor = Cursor::new(table);
    let program = cursor.u16()?;
    let pid = cursor.u16()? & 0x1FFF;
    if program == 0 || !cursor.is_empty() {
        return Err(ReadError::new("the segment does not have one program"));
    }
    Ok(pid)
}

/// The only elementary stream of a program (2.4.4.8).
fn elementary_stream(table: &[u8]) -> Result<Stream, ReadError> {
    let mut cursor = Cursor::new(table);
    cursor.u16()?;
    let length = usize::from(cursor.u16()? & 0x0FFF);
    cursor.take(length)?;
    let kind = cursor.u8()?;
    let pid = cursor.u16()? & 0x1FFF;
    let length = usize::from(cursor.u16()? & 0x0FFF);
    let descriptors = cursor.take(length)?;
    if !cursor.is_empty() {
        return Err(ReadError::new("the program has several streams"));
    }
    let codec = match kind {
        H264 | ADTS => None,
        sample_aes::H264 | sample_aes::ADTS => sample_aes::signalled(kind, descriptors)?,
        _ => {
            return Err(ReadError::new(format!("stream type {kind:#04x} is not used by any rendition")));
        }
    };
    Ok(Stream { pid, kind, codec })
}

/// The presentation time stamp and the data of a PES packet (2.4.3.6).
fn pes(packet: &[u8]) -> Result<(i64, &[u8]), ReadError> {
    let mut cursor = Cursor::new(packet);
    if cursor.take(3)? != [0, 0, 1] {
        return Err(ReadError::new("a PES packet has no start code"));
    }
    cursor.u8()?;
    let stated = usize::from(cursor.u16()?);
    if stated != 0 && stated != cursor.rest().len() {
        return Err(ReadError::new(format!(
            "a PES packet states {stated} bytes, {} are there",
            cursor.rest().len()
        )));
    }
    cursor.u8()?;
    let flags = cursor.u8()?;
    let length = usize::from(cursor.u8()?);
    let mut header = Cursor::new(cursor.take(length)?);
    if flags & 0x80 == 0 {
        return Err(ReadError::new("a PES packet has no presentation time"));
    }
    let high = i64::from(header.u8()? >> 1 & 0b111);
    let middle = i64::from(header.u16()? >> 1);
    let low = i64::from(header.u16()? >> 1);
    Ok((high << 30 | middle << 15 | low, cursor.rest()))
}

/// CRC-32 of MPEG (annex A).
fn crc32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |mut crc, byte| {
        crc ^= u32::from(*byte) << 24;
        for _ in 0..8 {
            crc = crc << 1 ^ if crc >> 31 == 1 { 0x04C1_1DB7 } else { 0 };
        }
        crc
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_mpegs() {
        assert_eq!(crc32(b"123456789"), 0x0376_E6E7);
    }

    #[test]
    fn time_stamps_run_on_over_their_wrap() {
        let mut reader = Reader::default();
        let seen: Vec<_> = [WRAP - 9_000, WRAP - 1, 3_599, 1_800].map(|pts| reader.unwrap(pts)).into();
        assert_eq!(seen, [WRAP - 9_000, WRAP - 1, WRAP + 3_599, WRAP + 1_800]);
    }
}
