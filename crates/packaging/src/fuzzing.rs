//! Readers that are the crate's own, as functions of bytes for fuzz targets. What they read is dropped.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::LazyLock;

use reelfarm_drm::{ContentKey, Secret, TitleKeys};
use reelfarm_model::{KeyId, KeyUse};

use crate::mpd::Mpd;
use crate::playlist::{Master, Media};
use crate::readback::encryption::Decryption;
use crate::readback::segments::SegmentReader;
use crate::readback::{fragments, progressive};
use crate::smooth::read::{Manifest, Reader};

static KEY: LazyLock<Secret<16>> = LazyLock::new(|| Secret::new([7; 16]));
static KEYS: LazyLock<TitleKeys> = LazyLock::new(|| {
    // Fragments name their key; these are the ids in the corpus.
    let key = |id| ContentKey { id: KeyId([id; 16]), key: Secret::new([7; 16]) };
    TitleKeys::new([(KeyUse::Hd, key(0xD1)), (KeyUse::Audio, key(0xA1))].into(), BTreeMap::new())
});

/// A manifest of DASH, HLS or Smooth Streaming.
pub fn manifests(bytes: &[u8]) {
    for mpd in [Mpd::parse(bytes), Mpd::parse_published(bytes)].into_iter().flatten() {
        for set in mpd.periods.iter().flat_map(|period| &period.adaptation_sets) {
            for template in set.representations.iter().filter_map(|level| level.segment_template.as_ref()) {
                drop(template.segments());
            }
        }
    }
    drop(Master::parse(bytes));
    drop(Media::parse(bytes));
    drop(Manifest::parse(bytes));
}

/// A whole MP4 file; an initialisation segment and a fragment behind it; MPEG-TS; an index of segments; and a fragment
/// of Smooth Streaming, which the manifest before it describes. Each clear, sealed and decrypted.
pub fn media(bytes: &[u8]) {
    let vector = [9; 16];
    for decryption in [Decryption::Clear, Decryption::Sealed, Decryption::Common(&KEYS)] {
        drop(progressive::read_from(Cursor::new(bytes), bytes.len() as u64, decryption));
        if let Some(at) = find(bytes, b"moof").and_then(|at| at.checked_sub(4)) {
            let (header, segment) = bytes.split_at(at);
            segments(Some(header), segment, decryption);
        }
    }
    for decryption in [
        Decryption::Clear,
        Decryption::SampleAes { key: &KEY, vector },
        Decryption::WholeSegments { key: &KEY, vector },
    ] {
        segments(None, bytes, decryption);
    }
    drop(fragments::segment_index(bytes));
    if let Some(end) = find(bytes, SMOOTH_END).map(|at| at + SMOOTH_END.len()) {
        let (manifest, fragment) = bytes.split_at(end);
        smooth(manifest, fragment);
    }
}

const SMOOTH_END: &[u8] = b"</SmoothStreamingMedia>";

fn segments(header: Option<&[u8]>, segment: &[u8], decryption: Decryption<'_>) {
    let Ok(mut reader) = SegmentReader::opening(header, decryption) else { return };
    let Ok(units) = reader.read(segment) else { return };
    let (start, end) = reader.span(&units, 0);
    assert!(end.checked_sub(start).is_some());
}

fn smooth(manifest: &[u8], fragment: &[u8]) {
    let Ok(manifest) = Manifest::parse(manifest) else { return };
    for stream in &manifest.streams {
        for (level, chunk) in stream.levels.iter().zip(&stream.chunks) {
            for key in [None, KEYS.key(KeyUse::Hd)] {
                drop(Reader::new(&level.format, key).read(*chunk, fragment));
            }
        }
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
