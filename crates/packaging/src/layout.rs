//! Where files lie: inside a media set, and from a title's folder.
//!
//! A segmented media set has a folder a track (`video-1080p/init.mp4`, `video-1080p/1.m4s`, `audio-en-stereo/1.ts`), a
//! single-file one a file a track (`video-1080p.mp4`), a progressive one a single file, a Smooth Streaming one its
//! manifest and a folder a quality level. The packager's own manifests of
//! the whole set lie beside them, under `manifests/`: profiles' manifests are made from them, and they are never
//! uploaded. Nor is the delivered file that lies beside a track of subtitles.

use reelfarm_model::profile::{Container, MediaFormat, Profile};
use reelfarm_model::task::{PackageSpec, VideoRendition};

/// The folder of a media set that holds the packager's own manifests.
pub(crate) const MANIFESTS: &str = "manifests";
/// The file that a track of subtitles was made from, beside the track's own.
pub(crate) const DELIVERED: &str = "delivered";
/// The artifact store's own list of an artifact's files, which lies beside them.
const ARTIFACT_LIST: &str = "artifact.json";
/// The packager's MPD, inside a media set.
pub(crate) const PACKAGER_MPD: &str = "manifests/manifest.mpd";
/// The packager's HLS master playlist, inside a media set.
pub(crate) const PACKAGER_MASTER: &str = "manifests/master.m3u8";
/// What a DASH player opens, in the profile's folder.
pub(crate) const MPD: &str = "manifest.mpd";
/// What an HLS player opens, in the profile's folder.
pub(crate) const MASTER: &str = "master.m3u8";
/// The only file of a progressive media set.
pub(crate) const PROGRESSIVE: &str = "progressive.mp4";
/// The client manifest of a Smooth Streaming media set.
pub(crate) const SMOOTH: &str = "Manifest";
/// The initialisation segment in a CMAF track's folder.
pub(crate) const INITIALIZATION: &str = "init.mp4";

/// Whether a file of a media set or of a track of subtitles, named by its path inside it with `/`, is one that players
/// fetch. The others are for the farm alone and are not uploaded.
pub fn is_media_file(path: &str) -> bool {
    !path.starts_with("manifests/") && ![MANIFESTS, DELIVERED, ARTIFACT_LIST].contains(&path)
}

/// What a player opens for a profile, as a path from the title's folder. `media_path` is where the profile's media set
/// lies, from there as well.
pub fn manifest_path(profile: &Profile, media_path: &str) -> String {
    match profile.container {
        Container::Dash | Container::DashOnDemand => format!("{}/{MPD}", profile.id),
        Container::HlsTs | Container::HlsCmaf => format!("{}/{MASTER}", profile.id),
        // Old devices look for fragments beside the manifest.
        Container::Smooth => format!("{media_path}/{SMOOTH}"),
        Container::Progressive => format!("{media_path}/{PROGRESSIVE}"),
    }
}

/// The name of a video rendition's folder or file in a media set. An audio rendition's is its id.
pub(crate) fn video_track(rendition: &VideoRendition) -> String {
    format!("video-{}", rendition.name)
}

/// The extension of a media set's segments, for the formats that have a file a segment.
pub(crate) const fn segment_extension(format: MediaFormat) -> Option<&'static str> {
    match format {
        MediaFormat::Cmaf => Some("m4s"),
        MediaFormat::Ts => Some("ts"),
        MediaFormat::SingleFile | MediaFormat::Smooth | MediaFormat::Progressive => None,
    }
}

/// How many segments of `seconds` a video rendition has: the last one may be short.
pub(crate) fn segment_count(video: &VideoRendition, seconds: u32) -> u64 {
    video.frame_count.div_ceil((u64::from(video.frame_rate) * u64::from(seconds)).max(1))
}

/// The names of all tracks of a media set: its video renditions, then its audio renditions.
pub(crate) fn tracks(spec: &PackageSpec) -> impl Iterator<Item = String> {
    spec.video.iter().map(video_track).chain(spec.audio.iter().map(|audio| audio.id.clone()))
}

#[cfg(test)]
mod tests {
    use reelfarm_model::key::{ArtifactKey, Digest};

    use super::*;
    use crate::profiles::{BUILT_IN, ProfileList};

    #[test]
    fn players_open_a_manifest_in_the_profiles_folder_or_the_file_itself() {
        let list = ProfileList::parse("profiles.toml", BUILT_IN).unwrap();
        for (id, expected) in [
            ("dash-wv-2s", "dash-wv-2s/manifest.mpd"),
            ("od-clr-2s", "od-clr-2s/manifest.mpd"),
            ("ts-aes-2s", "ts-aes-2s/master.m3u8"),
            ("hls-clr-4s", "hls-clr-4s/master.m3u8"),
            ("hss-pr-4s", "media/set/0f3a/Manifest"),
            ("mp4-clr", "media/set/0f3a/progressive.mp4"),
        ] {
            let profile = list.all().iter().find(|profile| profile.id == id).unwrap();
            assert_eq!(manifest_path(profile, "media/set/0f3a"), expected);
        }
    }

    #[test]
    fn what_the_farm_keeps_for_itself_is_no_media() {
        assert!(is_media_file("video-1080p/1.m4s"));
        assert!(is_media_file("progressive.mp4"));
        assert!(!is_media_file(PACKAGER_MPD));
        assert!(!is_media_file(PACKAGER_MASTER));
        assert!(is_media_file("subtitles.vtt"));
        assert!(!is_media_file(DELIVERED));
    }

    #[test]
    fn the_last_segment_may_be_short() {
        for (frame_count, seconds, expected) in
            [(275, 2, 6), (250, 2, 5), (251, 2, 6), (1, 4, 1), (275, 4, 3)]
        {
            let video = VideoRendition {
                name: "240p".into(),
                codec: reelfarm_model::ladder::VideoCodec::H264,
                artifact: ArtifactKey(Digest::of(b"")),
                width: 426,
                height: 240,
                frame_rate: 25,
                frame_count,
            };
            assert_eq!(segment_count(&video, seconds), expected);
        }
    }
}
