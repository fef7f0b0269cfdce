//! Fragments back into samples.

use std::borrow::Cow;

use reelfarm_drm::Secret;
use xxhash_rust::xxh3::xxh3_128;

use super::{Chunk, Format};
use crate::readback::movie::SampleDefaults;
use crate::readback::nal::Picture;
use crate::smooth::encryption;
use crate::smooth::error::Malformed;
use crate::smooth::moof;
use crate::smooth::picture::Dependency;

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

impl Fragment {
    /// Reads the file of a fragment that the manifest states, of a quality level with this format. `decrypt` is the key
    /// (AES-128) that its samples are decrypted with; without one, the samples are taken as they stand.
    ///
    /// # Errors
    /// The bytes are no whole fragment, are not of the stated time and length, or a key is given for a clear one.
    pub fn parse(
        format: &Format,
        chunk: Chunk,
        bytes: &[u8],
        decrypt: Option<&Secret<16>>,
    ) -> Result<Self, Malformed> {
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
        let encryption = fragment
            .encryption
            .map(|payload| {
                encryption::parse(payload, fragment.samples.iter().map(|sample| sample.data.len()))
            })
            .transpose()
            .map_err(Malformed::at("moof/traf/uuid (sample encryption)"))?;
        if decrypt.is_some() && encryption.is_none() {
            return Err(Malformed::new("moof/traf/uuid (sample encryption)", "there is none"));
        }

        let mut samples = Vec::with_capacity(fragment.samples.len());
        let mut time = chunk.time;
        for (index, sample) in fragment.samples.iter().enumerate() {
            let mut data = Cow::Borrowed(sample.data);
            if let (Some(key), Some(entries)) = (decrypt, &encryption) {
                entries[index].decrypt(key, data.to_mut());
            }
            let stated = fragment.dependencies.map(|bytes| bytes[index]);
            let (is_idr, payload) = content(format, &data, sample.flags, stated)?;
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
        Ok(Self {
            sequence: fragment.sequence,
            track: fragment.track,
            is_encrypted: encryption.is_some(),
            samples,
        })
    }
}

/// Whether a sample is a place to begin, and the hash of what is decoded. What its flags and `stated`, its byte in `sdtp`,
/// say of it must be so.
fn content(format: &Format, data: &[u8], flags: u32, stated: Option<u8>) -> Result<(bool, u128), Malformed> {
    match format {
        Format::Video { nal_length_size, .. } => {
            let picture = Picture::from_lengths(data, *nal_length_size).map_err(Malformed::at("mdat"))?;
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
