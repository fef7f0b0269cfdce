//! What goes into a progressive media set: one MP4 file, muxed by the media library rather than by the packager.

use reelfarm_model::ladder::ChannelLayout;
use reelfarm_model::task::{AudioRendition, PackageSpec, VideoRendition};
use reelfarm_model::{Code, Failure};

use crate::layout;

/// The tracks of a progressive file, in their order, and its name in the media set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgressivePlan<'a> {
    /// The largest picture: a progressive file cannot switch.
    pub video: &'a VideoRendition,
    /// The stereo renditions, the default first: devices that need this file play nothing else.
    pub audio: Vec<&'a AudioRendition>,
    /// The file's name in the media set.
    pub file_name: &'static str,
}

/// Chooses the tracks of a progressive file.
///
/// # Errors
/// The specification has no video rendition or no stereo audio.
pub fn plan(spec: &PackageSpec) -> Result<ProgressivePlan<'_>, Failure> {
    let missing = |what: &str| {
        Failure::new(Code::Internal, format!("media set {} cannot be planned: it has {what}", spec.media_set))
    };
    let video = spec.video.first().ok_or_else(|| missing("no video rendition"))?;
    let audio: Vec<_> = spec.audio.iter().filter(|audio| audio.layout == ChannelLayout::Stereo).collect();
    if audio.is_empty() {
        return Err(missing("no stereo audio rendition"));
    }
    Ok(ProgressivePlan { video, audio, file_name: layout::PROGRESSIVE })
}

#[cfg(test)]
mod tests {
    use reelfarm_model::key::{ArtifactKey, Digest};
    use reelfarm_model::profile::{MediaFormat, MediaSetId};

    use super::*;

    fn spec(layouts: &[ChannelLayout]) -> PackageSpec {
        let artifact = ArtifactKey(Digest::of(b""));
        let video = |name: &str, height| VideoRendition {
            name: name.into(),
            codec: reelfarm_model::ladder::VideoCodec::H264,
            artifact,
            width: height * 2,
            height,
            frame_rate: 25,
            frame_count: 250,
        };
        PackageSpec {
            media_set: MediaSetId("prog-clear".into()),
            format: MediaFormat::Progressive,
            segment_seconds: None,
            video: vec![video("720p", 720), video("360p", 360)],
            audio: layouts
                .iter()
                .enumerate()
                .map(|(index, layout)| AudioRendition {
                    id: format!("audio-{index}"),
                    artifact,
                    language: "en".into(),
                    layout: *layout,
                })
                .collect(),
            encryption: None,
            base: None,
        }
    }

    #[test]
    fn the_largest_picture_and_every_stereo_track_go_in() {
        use ChannelLayout::{Stereo, Surround51};
        let spec = spec(&[Surround51, Stereo, Stereo]);
        let plan = plan(&spec).unwrap();
        assert_eq!(plan.video.name, "720p");
        assert_eq!(plan.audio.iter().map(|a| a.id.as_str()).collect::<Vec<_>>(), ["audio-1", "audio-2"]);
        assert_eq!(plan.file_name, "progressive.mp4");
    }

    #[test]
    fn a_file_that_nobody_can_hear_is_refused() {
        assert!(plan(&spec(&[ChannelLayout::Surround51])).is_err());
        assert!(plan(&PackageSpec { video: vec![], ..spec(&[ChannelLayout::Stereo]) }).is_err());
    }
}
