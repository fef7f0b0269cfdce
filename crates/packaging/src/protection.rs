//! Which key and which initialisation vector a track has: the same whichever engine encrypts it.

use std::collections::BTreeMap;

use reelfarm_model::KeyUse;
use reelfarm_model::task::{AudioRendition, PackageSpec, VideoRendition};

use crate::layout;

/// A track as encryption sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProtectedTrack {
    /// Its name in the media set.
    pub name: String,
    /// The key it takes, where the title has several.
    pub key_use: KeyUse,
    /// What names its initialisation vector. It holds the rendition's own key: were the vector to follow from the
    /// track's name alone, a rendition encoded anew would be encrypted with the key stream of the old one, and whoever
    /// has both would have both in clear.
    pub vector_name: String,
}

/// The tracks of a media set, in its order.
pub(crate) fn tracks(spec: &PackageSpec) -> impl Iterator<Item = ProtectedTrack> + '_ {
    let video = spec.video.iter().map(|video| ProtectedTrack {
        name: layout::video_track(video),
        key_use: KeyUse::of_picture(video.width, video.height),
        vector_name: format!("{} {}", layout::video_track(video), video.artifact),
    });
    let audio = spec.audio.iter().map(|audio| ProtectedTrack {
        name: audio.id.clone(),
        key_use: KeyUse::Audio,
        vector_name: format!("{} {}", audio.id, audio.artifact),
    });
    video.chain(audio)
}

/// The keys that the tracks of these renditions take, by the tracks' names: what a manifest needs to know.
pub fn key_uses(video: &[VideoRendition], audio: &[AudioRendition]) -> BTreeMap<String, KeyUse> {
    let pictures =
        video.iter().map(|video| (layout::video_track(video), KeyUse::of_picture(video.width, video.height)));
    pictures.chain(audio.iter().map(|audio| (audio.id.clone(), KeyUse::Audio))).collect()
}
