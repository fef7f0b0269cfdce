//! From a sample's bytes to an access unit.

use xxhash_rust::xxh3::xxh3_128;

use super::movie::TrackHeader;
use super::nal::Picture;
use super::{AccessUnit, LATEST, ReadError};

/// The access unit of one MP4 sample. `time` is its composition time on the media's timeline, in ticks; `marked_sync`
/// says whether the file marks it as a place to begin, as it must exactly for IDR pictures.
pub(crate) fn access_unit(
    track: &TrackHeader<'_>,
    bytes: &[u8],
    time: i64,
    duration: u32,
    marked_sync: bool,
) -> Result<AccessUnit, ReadError> {
    let (idr, payload) = match track.codec.coding() {
        Some(coding) => {
            let picture = Picture::from_lengths(coding, bytes, track.nal_length_size)?;
            if picture.is_idr() != marked_sync {
                return Err(ReadError::new("IDR pictures are not exactly those marked as sync samples"));
            }
            (picture.is_idr(), picture.payload())
        }
        None => (true, xxh3_128(bytes)),
    };
    let pts = time.checked_add(track.shift).filter(|pts| (-LATEST..=LATEST).contains(pts));
    let pts = pts.ok_or_else(|| ReadError::new("a time is out of range"))?;
    Ok(AccessUnit { pts, duration, idr, payload })
}
