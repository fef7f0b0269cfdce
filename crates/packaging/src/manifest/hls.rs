//! The playlists of a profile: the packager's, line by line, with other URLs, exact audio durations and the profile's
//! own keys.
//!
//! The packager writes milliseconds. Those are exact for segments of picture, which last whole seconds, but a frame of
//! sound does not, and over a film the rounded durations of sound add up to most of a second.

mod groups;

use std::path::{Path, PathBuf};

use reelfarm_drm::Secret;

use super::protection::Protection;
use super::subtitles::Subtitles;
use super::{ManifestError, ManifestFile, Urls};
use crate::layout;
use crate::playlist::{Master, Media};
use crate::readback::encryption::Decryption;
use crate::readback::segments::SegmentReader;
use crate::readback::{ReadError, nanoseconds};

/// The master playlist and every playlist that it names; and the key file, where the profile has one.
pub(super) fn derive(
    media_dir: &Path,
    urls: &Urls,
    protection: Option<&Protection<'_>>,
    subtitles: &Subtitles<'_>,
) -> Result<Vec<ManifestFile>, ManifestError> {
    let file = media_dir.join(layout::PACKAGER_MASTER);
    let content = fs_err::read_to_string(&file)?;
    let unexpected = |reason: String| ManifestError::Unexpected { file: file.clone(), reason };
    let master = Master::parse(content.as_bytes()).map_err(|error| unexpected(error.to_string()))?;

    let mut names: Vec<&str> = Vec::new();
    let video = master.variants.iter().map(|variant| &variant.uri);
    for uri in video.chain(master.audio.iter().map(|audio| &audio.uri)) {
        // It lies beside the master playlist here as it does there, so that its URL needs no change.
        if uri.contains('/') || !super::is_plain(uri) {
            return Err(unexpected(format!("{uri:?} does not lie beside it")));
        }
        if !names.contains(&uri.as_str()) {
            names.push(uri);
        }
    }

    let content = groups::complete(&content, &master).map_err(unexpected)?;
    let content = subtitles.master(&content).map_err(unexpected)?.into_bytes();
    let mut files = vec![ManifestFile { path: layout::MASTER.to_owned(), content }];
    for name in names {
        let file = media_dir.join(layout::MANIFESTS).join(name);
        let text = fs_err::read_to_string(&file)?;
        let unexpected = |reason: String| ManifestError::Unexpected { file: file.clone(), reason };
        let playlist = Media::parse(text.as_bytes()).map_err(|error| unexpected(error.to_string()))?;
        let is_audio = master.audio.iter().any(|audio| audio.uri == name);
        let durations = if is_audio {
            // Times are readable without a key, except where whole segments are encrypted.
            let opening = protection.map(|protection| protection.opening(&playlist)).transpose();
            let opening = opening.map_err(ManifestError::Protection)?.flatten();
            durations(&playlist, media_dir, urls, protection.is_some(), opening)?
        } else {
            Vec::new()
        };
        let keys = match protection {
            None => None,
            Some(protection) => {
                let track = name.strip_suffix(".m3u8").unwrap_or(name);
                let vector = vector(&text);
                Some(protection.lines(track, vector).map_err(ManifestError::Protection)?)
            }
        };
        let content = rewrite(&text, urls, &durations, keys.as_deref()).map_err(unexpected)?.into_bytes();
        files.push(ManifestFile { path: name.to_owned(), content });
    }
    if let Some(protection) = protection {
        files.extend(protection.key_file().map_err(ManifestError::Protection)?);
    }
    Ok(files)
}

/// How long each segment is, in microseconds, by the frames in it. Rounding does not add up: each begins where the one
/// before was said to end.
fn durations(
    playlist: &Media,
    media_dir: &Path,
    urls: &Urls,
    is_encrypted: bool,
    whole_segments: Option<(&Secret<16>, [u8; 16])>,
) -> Result<Vec<i64>, ManifestError> {
    let decryption = match whole_segments {
        Some((key, vector)) => Decryption::WholeSegments { key, vector },
        None if is_encrypted => Decryption::Sealed,
        None => Decryption::Clear,
    };
    let read = |path: &str| -> Result<(PathBuf, Vec<u8>), ManifestError> {
        let file = media_dir.join(path);
        urls.of(path).map_err(|reason| ManifestError::Unexpected { file: file.clone(), reason })?;
        let bytes = fs_err::read(&file)?;
        Ok((file, bytes))
    };
    let unexpected = |file: &Path, error: ReadError| ManifestError::Unexpected {
        file: file.to_owned(),
        reason: error.to_string(),
    };
    let header = playlist.map.as_deref().map(read).transpose()?;
    let mut reader =
        SegmentReader::opening(header.as_ref().map(|(_, bytes)| bytes.as_slice()), decryption)
            .map_err(|error| unexpected(header.as_ref().map_or(media_dir, |(file, _)| file), error))?;
    let mut durations = Vec::with_capacity(playlist.segments.len());
    let mut zero = None;
    for segment in &playlist.segments {
        let (file, bytes) = read(&segment.uri)?;
        let units = reader.read(&bytes).map_err(|error| unexpected(&file, error))?;
        let (start, end) = reader.span(&units, 0);
        let zero = *zero.get_or_insert(start);
        let microseconds = |ticks: i64| (nanoseconds(ticks - zero, reader.timescale()) + 500) / 1_000;
        durations.push(microseconds(end) - microseconds(start));
    }
    Ok(durations)
}

/// The initialisation vector of whole encrypted segments, which the engine that encrypts them writes into its playlists.
fn vector(playlist: &str) -> Option<&str> {
    let line = playlist.lines().find(|line| line.starts_with("#EXT-X-KEY:METHOD=AES-128,"))?;
    let vector = line.split(',').find_map(|attribute| attribute.strip_prefix("IV="))?;
    Some(vector)
}

/// The playlist with every URL led to the media set and, where they are given, these durations of its segments and these
/// lines on the keys, in the place of the packager's own.
fn rewrite(playlist: &str, urls: &Urls, durations: &[i64], keys: Option<&str>) -> Result<String, String> {
    const KEY: &str = "#EXT-X-KEY:";
    const MAP: &str = "#EXT-X-MAP:URI=\"";
    const EXTINF: &str = "#EXTINF:";
    let mut durations = durations.iter();
    let mut rewritten = String::with_capacity(playlist.len() * 2);
    let mut keys_due = keys;
    for line in playlist.lines() {
        if line.starts_with(KEY) {
            if keys.is_none() {
                return Err("it names a key, and the profile is clear".to_owned());
            }
            continue;
        }
        if line.starts_with(EXTINF) {
            rewritten.push_str(keys_due.take().unwrap_or_default());
        }
        if let Some((uri, rest)) = line.strip_prefix(MAP).and_then(|rest| rest.split_once('"')) {
            rewritten.push_str(MAP);
            rewritten.push_str(&urls.of(uri)?);
            rewritten.push('"');
            rewritten.push_str(rest);
        } else if let Some(duration) = line.strip_prefix(EXTINF).and_then(|_| durations.next()) {
            let (seconds, rest) = (duration / 1_000_000, duration % 1_000_000);
            rewritten.push_str(&format!("{EXTINF}{seconds}.{rest:06},"));
        } else if line.is_empty() || line.starts_with('#') {
            rewritten.push_str(line);
        } else {
            rewritten.push_str(&urls.of(line)?);
        }
        rewritten.push('\n');
    }
    Ok(rewritten)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAYLIST: &str =
        "#EXTM3U\n#EXT-X-MAP:URI=\"a/init.mp4\"\n#EXTINF:2.005,\na/1.m4s\n#EXTINF:0.995,\na/2.m4s\n";

    #[test]
    fn urls_and_durations_change_and_nothing_else_does() {
        let urls = Urls { prefix: "../media/set/".into() };
        let expected = PLAYLIST.replace("a/", "../media/set/a/");
        assert_eq!(rewrite(PLAYLIST, &urls, &[], None).unwrap(), expected);
        let expected = expected.replace("2.005,", "2.005333,").replace("0.995,", "0.994667,");
        assert_eq!(rewrite(PLAYLIST, &urls, &[2_005_333, 994_667], None).unwrap(), expected);
        assert!(rewrite(&PLAYLIST.replace("a/2", "../2"), &urls, &[], None).is_err());
    }
}
