//! Fragments back into samples.

use reelfarm_drm::ContentKey;
use xxhash_rust::xxh3::xxh3_128;

use super::{Chunk, Format};
use crate::malformed::Malformed;
use crate::readback::ReadError;
use crate::readback::encryption::Encryption;
use crate::readback::encryption::auxiliary::Auxiliary;
use crate::readback::encryption::decryptor::Decryptor;
use crate::readback::movie::SampleDefaults;
use crate::readback::nal::{Coding, Picture, units_by_length};
use crate::smooth::picture::Dependency;
use crate::smooth::{encryption, moof};

/// A fragment, read. Times are in ticks of [`TIMESCALE`](crate::smooth::time::TIMESCALE).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Its number in the stream.
    pub sequence: u32,
    /// The stream's number.
    pub track: u32,
    /// Whether it states how its samples are encrypted.
    pub is_encrypted: bool,
    /// Its samples in decoding order.
    pub samples: Vec<Sample>,
}

/// One coded picture or one frame of sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When it is decoded.
    pub decode_time: u64,
    /// When it is presented.
    pub presentation_time: u64,
    /// How long it is.
    pub duration: u32,
    /// Whether it holds an IDR picture; every frame of sound counts as one.
    pub is_idr: bool,
    /// Hash (XXH3-128) of what is decoded, the same in every layout: of slices alone for pictures, of the whole frame
    /// for sound.
    pub payload: u128,
}

/// Reads the fragments of one quality level in order.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    format: &'a Format,
    decryptor: Option<Decryptor>,
}

impl<'a> Reader<'a> {
    /// A reader of fragments of this format, whose samples are decrypted with `key`; without one, they are taken as they
    /// stand.
    pub fn new(format: &'a Format, key: Option<&ContentKey>) -> Self {
        let pictures = match format {
            Format::Video { nal_length_size, .. } => Some((Coding::Avc, *nal_length_size)),
            Format::Audio { .. } => None,
        };
        let decryptor = key.map(|key| Decryptor::new(encryption::protection(key.id), key, pictures));
        Self { format, decryptor }
    }

    /// What was found of the encryption of the samples read so far; `None` where they are taken as they stand.
    pub(crate) fn encryption(&self) -> Option<&Encryption> {
        self.decryptor.as_ref().map(Decryptor::found)
    }

    /// Reads the file of the next fragment, as the manifest states it.
    ///
    /// # Errors
    /// The bytes are no whole fragment, are not of the stated time and length, or there is a key and the fragment is
    /// clear, or a sample of it has the key stream of one before.
    pub fn read(&mut self, chunk: Chunk, bytes: &[u8]) -> Result<Fragment, Malformed> {
        const ENCRYPTION: &str = "moof/traf/uuid (sample encryption)";

        let fragment = moof::Fragment::parse(bytes, SampleDefaults::default())?;
        if fragment.decode_time.is_some() {
            return Err(Malformed::new("moof/traf/tfdt", "Smooth Streaming has no such box"));
        }
        let times =
            fragment.times.ok_or_else(|| Malformed::new("moof/traf/uuid (times)", "there is none"))?;
        if times != (chunk.time, chunk.duration) {
            let reason = format!("{times:?} is not the {chunk:?} of the manifest");
            return Err(Malformed::new("moof/traf/uuid (times)", reason));
        }
        let sizes = fragment.samples.iter().map(|sample| sample.data.len());
        let checked = fragment.encryption.map_or(Ok(()), |payload| encryption::check(payload, sizes));
        checked.map_err(Malformed::at(ENCRYPTION))?;
        let mut opening = match &mut self.decryptor {
            None => None,
            Some(decryptor) => {
                let payload = fragment.encryption;
                let payload = payload.ok_or_else(|| Malformed::new(ENCRYPTION, "there is none"))?;
                let entries = Auxiliary::of_payload(payload, encryption::VECTORS);
                Some((decryptor, entries.map_err(Malformed::at(ENCRYPTION))?))
            }
        };

        let mut samples = Vec::with_capacity(fragment.samples.len());
        let mut time = chunk.time;
        for (index, sample) in fragment.samples.iter().enumerate() {
            let data = match &mut opening {
                None => sample.data,
                Some((decryptor, entries)) => {
                    whole_units(self.format, sample.data).map_err(Malformed::at("mdat"))?;
                    let entry = entries.next();
                    let opened = entry.and_then(|entry| decryptor.open(sample.data, &entry));
                    opened.map_err(Malformed::at(ENCRYPTION))?
                }
            };
            let stated = fragment.dependencies.map(|bytes| bytes[index]);
            let (is_idr, payload) = content(self.format, data, sample.flags, stated)?;
            let presentation_time = time.checked_add_signed(sample.composition);
            let end = time.checked_add(u64::from(sample.duration));
            let (Some(presentation_time), Some(end)) = (presentation_time, end) else {
                return Err(Malformed::new("moof/traf/trun", "a time is out of range"));
            };
            let duration = sample.duration;
            samples.push(Sample { decode_time: time, presentation_time, duration, is_idr, payload });
            time = end;
        }
        if time - chunk.time != chunk.duration {
            let reason =
                format!("the samples are {} long, the fragment {}", time - chunk.time, chunk.duration);
            return Err(Malformed::new("moof/traf/trun", reason));
        }
        Ok(Fragment {
            sequence: fragment.sequence,
            track: fragment.track,
            is_encrypted: fragment.encryption.is_some(),
            samples,
        })
    }
}

/// The lengths before NAL units, which are never encrypted, fit a picture's sample.
fn whole_units(format: &Format, data: &[u8]) -> Result<(), ReadError> {
    match format {
        Format::Video { nal_length_size, .. } => {
            units_by_length(data, *nal_length_size).try_for_each(|unit| unit.map(drop))
        }
        Format::Audio { .. } => Ok(()),
    }
}

/// Whether a sample is a place to begin, and the hash of what is decoded. What its flags and `stated`, its byte in `sdtp`,
/// say of it must be so.
fn content(format: &Format, data: &[u8], flags: u32, stated: Option<u8>) -> Result<(bool, u128), Malformed> {
    match format {
        Format::Video { nal_length_size, .. } => {
            let picture =
                Picture::from_lengths(Coding::Avc, data, *nal_length_size).map_err(Malformed::at("mdat"))?;
            let dependency = Dependency::of_picture(data, *nal_length_size)?;
            if flags != dependency.to_flags() {
                let reason = format!("flags {flags:#x} of a picture with {:#x}", dependency.to_flags());
                return Err(Malformed::new("moof/traf/trun", reason));
            }
            if stated != Some(dependency.to_byte()) {
                let reason = format!("{stated:?} for a picture with {:#x}", dependency.to_byte());
                return Err(Malformed::new("moof/traf/sdtp", reason));
            }
            Ok((picture.is_idr(), picture.payload()))
        }
        Format::Audio { .. } if stated.is_some() => Err(Malformed::new("moof/traf/sdtp", "sound has none")),
        Format::Audio { .. } => Ok((true, xxh3_128(data))),
    }
}
