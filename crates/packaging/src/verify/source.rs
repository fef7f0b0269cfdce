//! The encoded renditions that a profile must read back as.

use std::collections::BTreeMap;
use std::path::PathBuf;

use reelfarm_model::task::{AudioRendition, PackageSpec, VideoRendition};
use reelfarm_model::{ArtifactKey, KeyUse};

use super::finding::{Book, Check, Place};
use crate::readback::{Track, progressive};
use crate::{language, layout};

/// A rendition that must be there.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rendition<'a> {
    /// Picture.
    Video(&'a VideoRendition),
    /// Sound.
    Audio(&'a AudioRendition),
}

impl<'a> Rendition<'a> {
    /// All renditions of a package, with the name of each one's track.
    pub(super) fn all(package: &'a PackageSpec) -> Vec<(String, Self)> {
        let video = package.video.iter().map(|video| (layout::video_track(video), Self::Video(video)));
        let audio = package.audio.iter().map(|audio| (audio.id.clone(), Self::Audio(audio)));
        video.chain(audio).collect()
    }

    /// The key that it takes, where the title has several.
    pub(super) const fn key_use(self) -> KeyUse {
        match self {
            Self::Video(video) => KeyUse::of_picture(video.width, video.height),
            Self::Audio(_) => KeyUse::Audio,
        }
    }

    /// Reads the encoded rendition, and checks that it has the frames that the package was planned with.
    pub(super) fn read(
        self,
        book: &mut Book,
        track: &str,
        renditions: &BTreeMap<ArtifactKey, PathBuf>,
    ) -> Option<Track> {
        let place = Place::rendition(track);
        let artifact = match self {
            Self::Video(video) => video.artifact,
            Self::Audio(audio) => audio.artifact,
        };
        let path = renditions.get(&artifact).ok_or_else(|| format!("no file for {}", artifact.short()));
        let path = book.done(Check::Structure, place, "the encoded rendition", path)?;
        let movie = book.done(Check::Structure, place, "the encoded rendition", progressive::read(path))?;
        let count = movie.tracks.len();
        let mut tracks = movie.tracks.into_iter();
        let only = tracks.next().filter(|_| count == 1).map(|(track, _)| track);
        let only = only.ok_or_else(|| format!("{count} tracks"));
        let only = book.done(Check::Structure, place, "an encoded rendition of one track", only)?;
        if let Self::Video(video) = self {
            let frames = only.units.len() as u64;
            book.equal(Check::AccessUnits, place, "frames encoded", video.frame_count, frames);
        }
        Some(only)
    }

    /// The language tag that manifests should carry.
    pub(super) fn language(self) -> Option<String> {
        match self {
            Self::Video(_) => None,
            Self::Audio(audio) => language::canonical(&audio.language),
        }
    }
}
