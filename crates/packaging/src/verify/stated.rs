//! What a manifest states of a presentation, in one form for DASH and HLS.

use super::protection::StatedProtection;

/// A track as a manifest states it.
#[derive(Clone, Debug)]
pub(super) struct StatedTrack {
    /// Picture or sound.
    pub(super) kind: StatedKind,
    /// Codecs, as RFC 6381 writes them.
    pub(super) codecs: String,
    /// How it is encrypted.
    pub(super) protection: StatedProtection,
    /// Where its media is.
    pub(super) media: StatedMedia,
}

/// What a manifest states of a track's content.
#[derive(Clone, Debug)]
pub(super) enum StatedKind {
    /// Picture.
    Video {
        /// Width and height in pixels.
        size: (u32, u32),
        /// Frames in 1,000 seconds.
        frame_rate_milli: u64,
    },
    /// Sound.
    Audio {
        /// Its language tag.
        language: Option<String>,
        /// Number of channels.
        channels: u32,
    },
}

/// Where a track's media is. Paths lie in the media set.
#[derive(Clone, Debug)]
pub(super) enum StatedMedia {
    /// A file a segment.
    Files {
        /// The initialisation segment.
        initialization: Option<String>,
        /// The segments in order.
        segments: Vec<StatedSegment>,
    },
    /// One file with a segment index.
    Indexed {
        /// The file.
        file: String,
        /// First and last byte of its header.
        initialization: (u64, u64),
        /// First and last byte of its segment index.
        index: (u64, u64),
        /// Ticks a second of the index's times.
        timescale: u32,
    },
}

/// A segment as a manifest states it.
#[derive(Clone, Debug)]
pub(super) struct StatedSegment {
    /// Its file.
    pub(super) path: String,
    /// When it begins in the presentation, in nanoseconds, where the manifest says.
    pub(super) start_ns: Option<i64>,
    /// How long it is, in nanoseconds.
    pub(super) duration_ns: i64,
}

impl StatedTrack {
    /// The name of the track's folder or file in the media set.
    pub(super) fn track(&self) -> &str {
        let path = match &self.media {
            StatedMedia::Indexed { file, .. } => file.strip_suffix(".mp4").unwrap_or(file),
            StatedMedia::Files { segments, .. } => segments.first().map_or("", |segment| &segment.path),
        };
        path.split('/').next().unwrap_or_default()
    }

    /// Every file that the manifest names for it.
    pub(super) fn files(&self) -> Vec<&str> {
        match &self.media {
            StatedMedia::Indexed { file, .. } => vec![file],
            StatedMedia::Files { initialization, segments } => initialization
                .iter()
                .map(String::as_str)
                .chain(segments.iter().map(|segment| segment.path.as_str()))
                .collect(),
        }
    }
}

/// Leads URLs of a profile's manifests into the media set.
pub(super) struct Resolver<'a> {
    /// The profile's folder, from the title's.
    pub(super) profile: &'a str,
    /// The media set's folder, from the title's.
    pub(super) media_path: &'a str,
}

impl Resolver<'_> {
    /// The path inside the media set that a relative URL (RFC 3986 5.2) in a manifest means.
    ///
    /// # Errors
    /// It leads elsewhere.
    pub(super) fn path(&self, url: &str) -> Result<String, String> {
        let mut parts = vec![self.profile];
        let elsewhere = || format!("{url:?} does not lead into {}", self.media_path);
        for part in url.split('/') {
            match part {
                "." => {}
                ".." => {
                    parts.pop().ok_or_else(elsewhere)?;
                }
                "" => return Err(elsewhere()),
                name if name.contains([':', '?', '#', '%', '\\']) => return Err(elsewhere()),
                name => parts.push(name),
            }
        }
        let path = parts.join("/");
        path.strip_prefix(self.media_path)
            .and_then(|rest| rest.strip_prefix('/'))
            .map(str::to_owned)
            .ok_or_else(elsewhere)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lead_into_the_media_set_or_are_refused() {
        let resolver = Resolver { profile: "dash-clr-2s", media_path: "media/set/0f" };
        assert_eq!(resolver.path("../media/set/0f/video/1.m4s").unwrap(), "video/1.m4s");
        assert_eq!(resolver.path("./../media/set/0f/a.mp4").unwrap(), "a.mp4");
        for url in [
            "media/set/0f/video/1.m4s",
            "../media/other/0f/1.m4s",
            "../media/set/0f",
            "../media/set/0fa/1.m4s",
            "/etc/passwd",
            "https://example.com/1.m4s",
            "../../media/set/0f/1.m4s",
            "../media/set/0f/../1f/1.m4s",
            "../media/set/0f/1.m4s?x",
            "",
        ] {
            assert!(resolver.path(url).is_err(), "{url}");
        }
    }
}
