//! An encrypted media set from a clear one of MPEG-TS: every segment encrypted whole, and the key named in every
//! playlist.
//!
//! Every track has one initialisation vector, which its playlist states. Without that attribute a player takes the
//! segment's number (RFC 8216 clause 5.2): the same vectors in all tracks, foreseeable, and wrong as soon as a playlist
//! that begins elsewhere is made of the same segments. One vector for the segments of a track gives away only how far two
//! of them begin alike, which is at most the tables that begin every segment of MPEG-TS, since time stamps follow.

use std::collections::BTreeSet;
use std::path::Path;

use reelfarm_drm::Secret;

use super::{EncryptError, encrypt_segment};
use crate::layout;
use crate::playlist::Media;

/// The extension of the segments.
const SEGMENT: &str = ".ts";
/// The extension of playlists.
const PLAYLIST: &str = ".m3u8";
/// What stands for the key's URI, which each profile's own manifests name.
const KEY_URI: &str = "key";

/// Makes the media set in the folder `output`, which must be empty or absent, from the clear one of MPEG-TS in `clear`.
/// `vector_of` gives the initialisation vector of the track of this name. `progress` is told how many bytes of clear
/// segments are done. It blocks, and holds one segment in memory.
///
/// Segments keep their names, and so do playlists: each media playlist gets an `EXT-X-KEY` line with the track's vector
/// and `key` for a URI. All other media files are copied.
///
/// # Errors
/// See [`EncryptError`]. What was written until then stays: give it a staging folder.
pub fn encrypt_media_set(
    clear: &Path,
    output: &Path,
    key: &Secret<16>,
    vector_of: impl Fn(&str) -> [u8; 16],
    mut progress: impl FnMut(u64),
) -> Result<(), EncryptError> {
    let mut done = 0;
    let mut segments = BTreeSet::new();
    let mut named = Vec::new();
    for path in files(clear).map_err(EncryptError::Read)? {
        let is_manifest = path.strip_prefix(layout::MANIFESTS).is_some_and(|rest| rest.starts_with('/'));
        if !is_manifest && !layout::is_media_file(&path) {
            continue;
        }
        let destination = output.join(&path);
        if let Some(folder) = destination.parent() {
            fs_err::create_dir_all(folder).map_err(EncryptError::Write)?;
        }
        let bytes = fs_err::read(clear.join(&path)).map_err(EncryptError::Read)?;
        let bytes = if is_manifest && path.ends_with(PLAYLIST) {
            let refuse = |reason| EncryptError::MediaSet { file: clear.join(&path), reason };
            with_key(bytes, &vector_of, &mut named).map_err(refuse)?
        } else if let Some(track) = track(&path) {
            done += bytes.len() as u64;
            let encrypted = encrypt_segment(key, vector_of(track), &bytes);
            segments.insert(path);
            encrypted
        } else {
            bytes
        };
        fs_err::write(&destination, bytes).map_err(EncryptError::Write)?;
        progress(done);
    }
    complete(segments, &named).map_err(|reason| EncryptError::MediaSet { file: clear.to_owned(), reason })
}

/// The track of a segment, whose folder it is.
fn track(path: &str) -> Option<&str> {
    let (track, name) = path.split_once('/')?;
    (name.ends_with(SEGMENT) && !name.contains('/')).then_some(track)
}

/// A playlist with its track's key before the first segment, all of which are added to `named`. The master playlist stays
/// as it is.
fn with_key(
    playlist: Vec<u8>,
    vector_of: &impl Fn(&str) -> [u8; 16],
    named: &mut Vec<String>,
) -> Result<Vec<u8>, String> {
    let text = String::from_utf8(playlist).map_err(|error| error.to_string())?;
    if text.lines().any(|line| line.starts_with("#EXT-X-STREAM-INF:")) {
        return Ok(text.into_bytes());
    }
    if text.contains("#EXT-X-KEY:") {
        return Err("it names a key already".to_owned());
    }
    let media = Media::parse(text.as_bytes()).map_err(|error| error.to_string())?;
    let tracks: BTreeSet<_> = media.segments.iter().map(|segment| track(&segment.uri)).collect();
    let (Some(Some(track)), 1) = (tracks.first(), tracks.len()) else {
        return Err("its segments are not those of one track of MPEG-TS".to_owned());
    };
    let (head, tail) = text.split_at(text.find("#EXTINF:").unwrap_or(text.len()));
    let vector = u128::from_be_bytes(vector_of(track));
    let key = format!("#EXT-X-KEY:METHOD=AES-128,URI=\"{KEY_URI}\",IV=0x{vector:032x}\n");
    let content = [head, &key, tail].concat().into_bytes();
    named.extend(media.segments.into_iter().map(|segment| segment.uri));
    Ok(content)
}

/// Checks that the playlists name every segment once, and nothing else.
fn complete(mut segments: BTreeSet<String>, named: &[String]) -> Result<(), String> {
    if segments.is_empty() {
        return Err("it has no segments of MPEG-TS".to_owned());
    }
    for name in named {
        if !segments.remove(name) {
            return Err(format!("a playlist names {name}, which is missing or named before"));
        }
    }
    segments.first().map_or(Ok(()), |segment| Err(format!("no playlist names {segment}")))
}

/// The paths of all files below a folder, with `/`, in order.
fn files(folder: &Path) -> std::io::Result<BTreeSet<String>> {
    let mut files = BTreeSet::new();
    let mut folders = vec![(folder.to_owned(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        for entry in fs_err::read_dir(&folder)? {
            let entry = entry?;
            let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.file_type()?.is_dir() {
                folders.push((entry.path(), format!("{path}/")));
            } else {
                files.insert(path);
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::aes128::decrypt_segment;
    use crate::clip::{CLIP, Layout, VIDEO_KEY};
    use crate::readback::encryption::Decryption;
    use crate::readback::segments::SegmentReader;

    fn vector_of(track: &str) -> [u8; 16] {
        if track == "v" { *b"vector of video " } else { [7; 16] }
    }

    fn encrypt(clear: &Path) -> (tempfile::TempDir, Result<u64, EncryptError>) {
        let folder = tempfile::tempdir().unwrap();
        let mut seen = Vec::new();
        let key = Secret::new(VIDEO_KEY);
        let made = encrypt_media_set(clear, folder.path(), &key, vector_of, |done| seen.push(done));
        assert!(seen.is_sorted());
        (folder, made.map(|()| seen.last().copied().unwrap_or(0)))
    }

    #[test]
    fn segments_are_encrypted_and_playlists_name_their_vector() {
        let clear = CLIP.folder(Layout::Ts, None);
        let (folder, done) = encrypt(&clear);
        let mut size = 0;
        let paths = files(&clear).unwrap();
        assert_eq!(files(folder.path()).unwrap(), paths);
        for path in &paths {
            let (before, after) =
                (fs_err::read(clear.join(path)).unwrap(), fs_err::read(folder.path().join(path)).unwrap());
            if let Some(track) = track(path) {
                size += before.len() as u64;
                let opened = decrypt_segment(&Secret::new(VIDEO_KEY), vector_of(track), &after).unwrap();
                assert!(opened == before, "{path}");
                assert!(
                    after != before
                        && decrypt_segment(&Secret::new([1; 16]), vector_of(track), &after) != Ok(before),
                    "{path}"
                );
            } else if path.ends_with("master.m3u8") {
                assert_eq!(before, after);
            } else {
                let vector = if path == "manifests/v.m3u8" {
                    "766563746f72206f6620766964656f20"
                } else {
                    "07070707070707070707070707070707"
                };
                let key = format!("#EXT-X-KEY:METHOD=AES-128,URI=\"key\",IV=0x{vector}\n#EXTINF:2.0");
                let before = String::from_utf8(before).unwrap();
                assert_eq!(
                    String::from_utf8(after).unwrap(),
                    before.replacen("#EXTINF:2.0", &key, 1),
                    "{path}"
                );
            }
        }
        assert_eq!(done.unwrap(), size);
        assert!(size > 0);
    }

    #[test]
    fn encrypted_segments_read_back_as_the_clear_ones() {
        let (folder, _) = encrypt(&CLIP.folder(Layout::Ts, None));
        let key = Secret::new(VIDEO_KEY);
        for track in ["v", "a"] {
            let (_, segments) = CLIP.track(Layout::Ts, None, track);
            let mut clear = SegmentReader::opening(None, Decryption::Clear).unwrap();
            let open = Decryption::WholeSegments { key: &key, vector: vector_of(track) };
            let mut opened = SegmentReader::opening(None, open).unwrap();
            let mut units = 0;
            for (index, segment) in segments.iter().enumerate() {
                let path = folder.path().join(track).join(format!("{}.ts", index + 1));
                let read = opened.read(&fs_err::read(path).unwrap()).unwrap();
                assert_eq!(read, clear.read(segment).unwrap());
                units += read.len() as u64;
            }
            assert_eq!(opened.codec(), clear.codec());
            let found = opened.encryption().unwrap();
            assert_eq!((found.units, found.exposed, found.unchanged), (units, 0, 0));
            assert_eq!(found.first_vector, vector_of(track));
        }
    }

    /// A copy of the clear media set.
    fn copy() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let whole = CLIP.folder(Layout::Ts, None);
        for path in files(&whole).unwrap() {
            let to = folder.path().join(&path);
            fs_err::create_dir_all(to.parent().unwrap()).unwrap();
            fs_err::copy(whole.join(path), to).unwrap();
        }
        folder
    }

    /// The hashes of all frames that FFmpeg plays of picture and of sound.
    fn play(folder: &Path) -> Vec<Vec<String>> {
        let play = |track: &str| {
            // Its URLs are those from the media set's own folder.
            let playlist = folder.join(format!("{track}.m3u8"));
            fs_err::copy(folder.join(format!("manifests/{track}.m3u8")), &playlist).unwrap();
            let output = Command::new("ffmpeg")
                .args(["-nostdin", "-v", "error", "-allowed_extensions", "ALL", "-i"])
                .arg(&playlist)
                .args(["-f", "framemd5", "-"])
                .output()
                .unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            let frames = text.lines().filter(|line| !line.starts_with('#'));
            frames.filter_map(|line| line.rsplit(", ").next()).map(str::to_owned).collect()
        };
        vec![play("v"), play("a")]
    }

    #[test]
    fn ffmpeg_plays_it_with_its_key_and_with_no_other() {
        let clear = copy();
        let expected = play(clear.path());
        assert_eq!(expected[0].len(), 150);
        let (folder, _) = encrypt(&CLIP.folder(Layout::Ts, None));
        for (key, is_right) in [(VIDEO_KEY, true), ([1; 16], false)] {
            fs_err::write(folder.path().join(KEY_URI), key).unwrap();
            assert_eq!(play(folder.path()) == expected, is_right);
        }
    }

    #[test]
    fn a_set_whose_playlists_and_segments_disagree_is_refused() {
        let rewrite = |folder: &Path, from: &str, to: &str| {
            let path = folder.join("manifests/v.m3u8");
            let text = fs_err::read_to_string(&path).unwrap();
            assert!(text.contains(from));
            fs_err::write(path, text.replace(from, to)).unwrap();
        };
        let folder = copy();
        fs_err::write(folder.path().join("artifact.json"), "{}").unwrap();
        let (made, _) = encrypt(folder.path());
        assert!(!made.path().join("artifact.json").exists());
        for (expected, removed) in [
            ("no playlist names v/1.ts", &["manifests/v.m3u8"][..]),
            ("names v/2.ts, which is missing", &["v/2.ts"]),
            ("no segments of MPEG-TS", &["v/1.ts", "v/2.ts", "v/3.ts", "a/1.ts", "a/2.ts", "a/3.ts"]),
        ] {
            let folder = copy();
            removed.iter().for_each(|path| fs_err::remove_file(folder.path().join(path)).unwrap());
            let reason = encrypt(folder.path()).1.unwrap_err().to_string();
            assert!(reason.contains(expected), "{reason}");
        }
        for (from, to, expected) in [
            ("v/2.ts", "v/1.ts", "named before"),
            ("v/2.ts", "a/2.ts", "not those of one track"),
            ("#EXTINF", "#EXT-X-KEY:METHOD=NONE\n#EXTINF", "names a key already"),
            ("#EXT-X-ENDLIST", "", "there is no #EXT-X-ENDLIST"),
        ] {
            let folder = copy();
            rewrite(folder.path(), from, to);
            let reason = encrypt(folder.path()).1.unwrap_err().to_string();
            assert!(reason.contains("manifests/v.m3u8") || reason.contains("named before"), "{reason}");
            assert!(reason.contains(expected), "{reason}");
        }
    }
}
