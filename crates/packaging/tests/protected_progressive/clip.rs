//! Clear progressive files as the farm's muxer writes them, and their protected forms.

use std::path::{Path, PathBuf};
use std::process::Command;

use reelfarm_drm::{ContentKey, Secret};
use reelfarm_model::KeyId;
use reelfarm_packaging::protected_progressive::{ProtectError, TrackProtection, protect};
use tempfile::TempDir;

/// The content key, for tools that take it.
pub(crate) const KEY: &str = "0123456789abcdef0123456789abcdef";
/// Its id.
pub(crate) const KEY_ID: &str = "00112233445566778899aabbccddeeff";

/// The content key.
pub(crate) fn key() -> ContentKey {
    let key = hex::decode(KEY).unwrap().try_into().unwrap();
    ContentKey { id: KEY_ID.parse().unwrap(), key: Secret::new(key) }
}

/// Another content key.
pub(crate) fn other_key() -> ContentKey {
    ContentKey { id: KeyId([9; 16]), key: Secret::new([8; 16]) }
}

/// A `pssh` box of version 1 for the W3C's common system, which lists the key's id.
pub(crate) fn common_pssh() -> Vec<u8> {
    hex::decode(format!(
        "00000034{}01000000{}00000001{KEY_ID}00000000",
        "70737368", "1077efecc0b24d02ace33c1e52e2fb4b"
    ))
    .unwrap()
}

/// A `pssh` box of version 0 for Marlin, without data.
pub(crate) fn marlin_pssh() -> Vec<u8> {
    hex::decode(format!("00000020{}00000000{}00000000", "70737368", "5e629af538da4063897797ffbd9902d4"))
        .unwrap()
}

/// A clear file and its protected form in a folder of their own.
pub(crate) struct Clip {
    folder: TempDir,
    tracks: usize,
}

/// Runs FFmpeg, which must succeed, and gives what it prints.
pub(crate) fn ffmpeg(arguments: &[&str]) -> String {
    let output =
        Command::new("ffmpeg").args(["-nostdin", "-v", "error", "-y"]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

impl Clip {
    fn make(tracks: usize, arguments: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let clear = folder.path().join("clear.mp4");
        let output = "-write_tmcd 0 -fflags +bitexact -movflags +faststart".split(' ');
        let clear = clear.to_str().unwrap();
        ffmpeg(&arguments.iter().copied().chain(output).chain([clear]).collect::<Vec<_>>());
        Self { folder, tracks }
    }

    /// Pictures with references in both directions, in several slices, with their parameter sets in the samples as well,
    /// and sound in two languages.
    pub(crate) fn generated() -> Self {
        let arguments = "-f lavfi -i testsrc2=s=320x180:r=25:d=3 -f lavfi -i sine=440:d=3 -f lavfi -i sine=550:d=3 \
            -map 0 -map 1 -map 2 -c:v libx264 -preset veryfast -threads 1 -pix_fmt yuv420p -g 25 -bf 2 \
            -x264-params slices=3:weightp=2:repeat-headers=1 -c:a aac -b:a 96k";
        Self::make(3, &arguments.split_whitespace().collect::<Vec<_>>())
    }

    /// Tracks of a real clip, by FFmpeg's name for each.
    pub(crate) fn real(name: &str, tracks: &[&str]) -> Self {
        let media = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/media").join(name);
        let maps = tracks.iter().flat_map(|track| ["-map", track]);
        let arguments = ["-i", media.to_str().unwrap(), "-c", "copy"].into_iter().chain(maps);
        Self::make(tracks.len(), &arguments.collect::<Vec<_>>())
    }

    /// One track of the generated clip alone, so that the media holds its samples and no others.
    pub(crate) fn track(&self, index: usize) -> Self {
        Self::make(1, &["-i", self.clear().to_str().unwrap(), "-map", &format!("0:{index}"), "-c", "copy"])
    }

    /// The clear file.
    pub(crate) fn clear(&self) -> PathBuf {
        self.folder.path().join("clear.mp4")
    }

    /// Where another file of the clip lies.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// How many tracks it has.
    pub(crate) const fn tracks(&self) -> usize {
        self.tracks
    }

    /// Protects the clear file with one key, with vectors that follow from the tracks' numbers, and with `pssh` boxes.
    pub(crate) fn protected(&self) -> PathBuf {
        self.protected_with(&[common_pssh(), marlin_pssh()])
    }

    /// The same with these `pssh` boxes.
    pub(crate) fn protected_with(&self, pssh: &[Vec<u8>]) -> PathBuf {
        let key = key();
        let protections: Vec<_> = (0..self.tracks)
            .map(|track| TrackProtection {
                key: &key,
                vector: key.initialization_vector(&format!("protected progressive test, track {track}")),
            })
            .collect();
        let output = self.path("protected.mp4");
        self.protect(&output, &protections, pssh).unwrap();
        output
    }

    /// Protects the clear file.
    pub(crate) fn protect(
        &self,
        output: &Path,
        protections: &[TrackProtection<'_>],
        pssh: &[Vec<u8>],
    ) -> Result<(), ProtectError> {
        let mut fractions = Vec::new();
        protect(&self.clear(), output, protections, pssh, &mut |progress| fractions.push(progress.fraction))?;
        assert!(fractions.is_sorted() && fractions.last() == Some(&1.0), "{fractions:?}");
        Ok(())
    }
}

/// The bodies of all boxes on a path such as `moov/trak/senc`, with the file before each.
pub(crate) fn bodies<'a>(bytes: &'a [u8], path: &str) -> Vec<&'a [u8]> {
    let (kind, rest) = path.split_once('/').map_or((path, None), |(kind, rest)| (kind, Some(rest)));
    let mut found = Vec::new();
    let mut left = bytes;
    while !left.is_empty() {
        let size = u32::from_be_bytes(left[..4].try_into().unwrap()) as usize;
        if left[4..8] == *kind.as_bytes() {
            let body = &left[8..size];
            match rest {
                Some(rest) => found.extend(bodies(body, rest)),
                None => found.push(body),
            }
        }
        left = &left[size..];
    }
    found
}
