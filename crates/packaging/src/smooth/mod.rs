//! Smooth Streaming (MS-SSTR, with the fragments of PIFF 1.1), made from the segments of a CMAF media set: new boxes around
//! the same bytes of pictures and sound, as files that any web server can serve, and a client manifest beside them.
//!
//! Promises: every byte of `mdat` and of the sample encryption boxes is copied unchanged; times do not drift, and sound
//! stays with the picture as the edit lists of CMAF put them (see [`time`]); fragments begin at the same times in all
//! qualities; equal inputs give equal bytes; one segment at a time is in memory; hostile bytes give an error, never a
//! panic. [`read`] reads such a media set back without believing what wrote it.

mod chunk;
mod codec;
mod encryption;
mod error;
mod fragment;
mod manifest;
mod moof;
mod picture;
mod presentation;
pub mod read;
mod source;
pub mod time;

use std::io::Write as _;
use std::path::Path;

use reelfarm_model::KeyId;
use reelfarm_model::task::{AudioRendition, VideoRendition};

pub use self::error::SmoothError;
pub use self::presentation::language;

use self::chunk::Chunks;
use self::presentation::Presentation;
use self::time::common_delay;
use crate::layout;

/// What a Smooth Streaming media set is made of.
#[derive(Clone, Copy, Debug)]
pub struct SmoothInput<'a> {
    /// The folder of the CMAF media set, as the packager made it.
    pub media_set: &'a Path,
    /// Its video renditions, in the order of the quality levels.
    pub video: &'a [VideoRendition],
    /// Its audio renditions; the first is the default.
    pub audio: &'a [AudioRendition],
    /// How it is encrypted; `None` for a clear one.
    pub protection: Option<&'a Protection>,
}

/// What a client needs to ask for the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protection {
    /// The only key of the presentation: a client finds no other, having no track headers.
    pub key_id: KeyId,
    /// The PlayReady Object, which names it.
    pub playready_object: Vec<u8>,
}

/// Makes the media set in the folder `output`, which must be empty or absent. `progress` is told now and then how many
/// bytes of the CMAF segments are done. It blocks.
///
/// A quality level's name, in URLs and as its folder, is the average rate of its fragments in bits a second, raised by
/// one where another level has it already.
///
/// # Errors
/// The CMAF media set is not as planned, or files cannot be read or written. What was written until then stays: give it
/// a staging folder.
pub fn package(
    input: &SmoothInput<'_>,
    output: &Path,
    mut progress: impl FnMut(u64),
) -> Result<(), SmoothError> {
    let sources = source::open(input)?;
    let delay = common_delay(sources.iter().map(|source| (source.edit, source.timescale)));
    let mut presentation = Presentation::new(&sources)?;
    let mut done = 0;
    for (source, stream) in sources.iter().zip(presentation.streams().to_vec()) {
        let folder = output.join(&source.name);
        fs_err::create_dir_all(&folder).map_err(SmoothError::Write)?;
        let mut chunks = Chunks::new(source, delay, stream.number);
        for segment in &source.segments {
            let bytes = fs_err::read(segment).map_err(SmoothError::Read)?;
            let (fragment, data) = chunks.next(&bytes).map_err(SmoothError::media(segment))?;
            let header = fragment.header().map_err(SmoothError::media(segment))?;
            let name = manifest::fragment_name(&stream.name, fragment.time);
            let mut file = fs_err::File::create(folder.join(name)).map_err(SmoothError::Write)?;
            file.write_all(&header).and_then(|()| file.write_all(data)).map_err(SmoothError::Write)?;
            chunks.count(header.len() + data.len());
            done += bytes.len() as u64;
            progress(done);
        }
        let made = chunks.finish().map_err(SmoothError::media(&input.media_set.join(&source.name)))?;
        presentation.add(made);
    }
    let (client_manifest, bitrates) = presentation.finish(&sources, input.protection)?;
    let text = client_manifest.to_text().map_err(|malformed| SmoothError::Manifest(malformed.to_string()))?;
    for (source, bitrate) in sources.iter().zip(bitrates) {
        let folder = output.join(manifest::level_folder(bitrate));
        fs_err::rename(output.join(&source.name), folder).map_err(SmoothError::Write)?;
    }
    fs_err::write(output.join(layout::SMOOTH), text).map_err(SmoothError::Write)
}
