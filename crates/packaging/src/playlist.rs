//! HLS playlists (RFC 8216), read strictly: a tag or attribute that the farm's profiles do not use is an error, so that
//! nothing in a manifest goes unchecked; durations are exact decimals.

mod attributes;

use self::attributes::{Attributes, yes};

/// A master playlist (4.3.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Master {
    /// Its variant streams in order.
    pub(crate) variants: Vec<Variant>,
    /// Its audio renditions in order.
    pub(crate) audio: Vec<AudioMedia>,
    /// Its subtitles in order.
    pub(crate) subtitles: Vec<SubtitlesMedia>,
}

/// A variant stream (4.3.4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variant {
    /// Its media playlist.
    pub(crate) uri: String,
    /// Peak bits a second, of video and its audio group together.
    pub(crate) bandwidth: u64,
    /// Codecs of video and audio.
    pub(crate) codecs: String,
    /// Width and height in pixels.
    pub(crate) resolution: (u32, u32),
    /// Frames in 1,000 seconds.
    pub(crate) frame_rate_milli: u64,
    /// The group of audio renditions that play with it.
    pub(crate) audio_group: String,
    /// The group of subtitles that play with it.
    pub(crate) subtitles_group: Option<String>,
}

/// An audio rendition (4.3.4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AudioMedia {
    /// Its media playlist.
    pub(crate) uri: String,
    /// The group that it belongs to.
    pub(crate) group: String,
    /// Its language, where it is stated.
    pub(crate) language: Option<String>,
    /// What people choose it by.
    pub(crate) name: String,
    /// Whether it plays when nobody chooses.
    pub(crate) default: bool,
    /// Number of channels.
    pub(crate) channels: u32,
}

/// Subtitles (4.3.4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SubtitlesMedia {
    /// Their media playlist.
    pub(crate) uri: String,
    /// The group that they belong to.
    pub(crate) group: String,
    /// Their language, where it is stated.
    pub(crate) language: Option<String>,
    /// What people choose them by.
    pub(crate) name: String,
    /// Whether everybody must read them.
    pub(crate) forced: bool,
    /// What else they are for, such as those who do not hear.
    pub(crate) characteristics: Option<String>,
}

/// A media playlist (4.3.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Media {
    /// No segment is longer, in seconds, when rounded.
    pub(crate) target_duration: u64,
    /// The initialisation segment.
    pub(crate) map: Option<String>,
    /// How its segments are encrypted, in one way for each DRM system; empty for clear ones.
    pub(crate) keys: Vec<Key>,
    /// Its segments in order.
    pub(crate) segments: Vec<Segment>,
}

/// Where a player gets the key of all segments (4.3.2.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// `AES-128` or `SAMPLE-AES`.
    pub(crate) method: String,
    /// Where the key is, or what says so.
    pub(crate) uri: String,
    /// The initialisation vector, where the playlist names it.
    pub(crate) vector: Option<[u8; 16]>,
    /// Whose key it is; `identity` where nothing is stated.
    pub(crate) format: String,
    /// The key's id, which Widevine's players read.
    pub(crate) id: Option<String>,
}

/// A media segment (4.3.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Its file.
    pub(crate) uri: String,
    /// Its duration in microseconds.
    pub(crate) duration_us: u64,
}

/// What every media playlist says: nothing will be added to it (4.3.3.5).
const VOD: &str = "#EXT-X-PLAYLIST-TYPE:VOD";

/// A playlist is not what RFC 8216 or the farm's profiles allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub(crate) struct PlaylistError {
    line: usize,
    reason: String,
}

impl Master {
    /// Reads a master playlist.
    ///
    /// # Errors
    /// The first line that is not allowed.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, PlaylistError> {
        let mut master = Self { variants: Vec::new(), audio: Vec::new(), subtitles: Vec::new() };
        let mut variant: Option<Variant> = None;
        let lines = Lines::of(bytes)?;
        for (line, text) in lines.iter() {
            let refuse = |reason: String| PlaylistError { line, reason };
            if variant.is_some() && text.starts_with('#') {
                return Err(refuse(format!("the URI of a variant stream should follow, not {text:?}")));
            }
            if let Some(value) = text.strip_prefix("#EXT-X-MEDIA:") {
                match rendition(value).map_err(refuse)? {
                    Rendition::Audio(audio) => master.audio.push(audio),
                    Rendition::Subtitles(subtitles) => master.subtitles.push(subtitles),
                }
            } else if let Some(value) = text.strip_prefix("#EXT-X-STREAM-INF:") {
                variant = Some(stream_inf(value).map_err(refuse)?);
            } else if text.starts_with('#') {
                version_or_flag(text, &["#EXT-X-INDEPENDENT-SEGMENTS"]).map_err(refuse)?;
            } else {
                let variant =
                    variant.take().ok_or_else(|| refuse(format!("{text:?} belongs to no variant")))?;
                master.variants.push(Variant { uri: text.to_owned(), ..variant });
            }
        }
        if variant.is_some() || master.variants.is_empty() {
            return Err(lines.at_end("a master playlist names at least one variant stream, each with a URI"));
        }
        Ok(master)
    }
}

impl Media {
    /// Reads a media playlist of a finished presentation.
    ///
    /// # Errors
    /// The first line that is not allowed.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, PlaylistError> {
        let mut target_duration = None;
        let mut is_vod = false;
        let mut map = None;
        let mut keys: Vec<Key> = Vec::new();
        let mut segments = Vec::new();
        let mut duration: Option<u64> = None;
        let mut ended = false;
        let lines = Lines::of(bytes)?;
        for (line, text) in lines.iter() {
            let refuse = |reason: String| PlaylistError { line, reason };
            if ended {
                return Err(refuse(format!("{text:?} stands after the end")));
            }
            if let Some(value) = text.strip_prefix("#EXTINF:") {
                if duration.is_some() {
                    return Err(refuse("two durations and no segment between them".to_owned()));
                }
                duration = Some(extinf(value).ok_or_else(|| refuse(format!("{value:?} is no duration")))?);
            } else if let Some(value) = text.strip_prefix("#EXT-X-TARGETDURATION:") {
                if target_duration.is_some() {
                    return Err(refuse("a second target duration".to_owned()));
                }
                target_duration = Some(
                    value.parse().map_err(|_| refuse(format!("{value:?} is no whole number of seconds")))?,
                );
            } else if let Some(value) = text.strip_prefix("#EXT-X-MAP:") {
                if map.is_some() || !segments.is_empty() {
                    return Err(refuse("one initialisation segment stands before all segments".to_owned()));
                }
                map = Some(
                    Attributes::parse(value)
                        .and_then(|mut a| {
                            let uri = a.quoted("URI")?;
                            a.finish().map(|()| uri)
                        })
                        .map_err(refuse)?,
                );
            } else if let Some(value) = text.strip_prefix("#EXT-X-KEY:") {
                if duration.is_some() || !segments.is_empty() {
                    return Err(refuse("one set of keys stands before all segments".to_owned()));
                }
                let key = key(value).map_err(refuse)?;
                if keys.iter().any(|other| other.format == key.format || other.method != key.method) {
                    return Err(refuse("keys of one format, or of two methods".to_owned()));
                }
                keys.push(key);
            } else if text == "#EXT-X-ENDLIST" {
                ended = true;
            } else if text == VOD {
                is_vod = true;
            } else if text.starts_with('#') {
                version_or_flag(text, &[]).map_err(refuse)?;
            } else {
                let duration_us =
                    duration.take().ok_or_else(|| refuse(format!("{text:?} has no duration before it")))?;
                segments.push(Segment { uri: text.to_owned(), duration_us });
            }
        }
        let target_duration =
            target_duration.ok_or_else(|| lines.at_end("there is no #EXT-X-TARGETDURATION"))?;
        if !is_vod {
            return Err(lines.at_end("there is no #EXT-X-PLAYLIST-TYPE:VOD"));
        }
        if !ended {
            return Err(lines.at_end("there is no #EXT-X-ENDLIST"));
        }
        if duration.is_some() || segments.is_empty() {
            return Err(lines.at_end("a media playlist names at least one segment, each with a URI"));
        }
        Ok(Self { target_duration, map, keys, segments })
    }
}

/// The lines that carry something: no blank ones, no comments.
struct Lines<'a>(Vec<(usize, &'a str)>);

impl<'a> Lines<'a> {
    fn of(bytes: &'a [u8]) -> Result<Self, PlaylistError> {
        let text = std::str::from_utf8(bytes)
            .map_err(|error| PlaylistError { line: 1, reason: format!("not UTF-8: {error}") })?;
        let mut lines: Vec<_> = text
            .lines()
            .enumerate()
            .map(|(index, text)| (index + 1, text))
            .filter(|(_, text)| !text.is_empty() && (!text.starts_with('#') || text.starts_with("#EXT")))
            .collect();
        if lines.first() != Some(&(1, "#EXTM3U")) {
            return Err(PlaylistError { line: 1, reason: "the first line is not #EXTM3U".to_owned() });
        }
        lines.remove(0);
        Ok(Self(lines))
    }

    fn iter(&self) -> impl Iterator<Item = (usize, &'a str)> {
        self.0.iter().copied()
    }

    fn at_end(&self, reason: &str) -> PlaylistError {
        PlaylistError { line: self.0.last().map_or(1, |(line, _)| *line), reason: reason.to_owned() }
    }
}

fn key(value: &str) -> Result<Key, String> {
    let mut attributes = Attributes::parse(value)?;
    let method = attributes.unquoted("METHOD")?;
    if !matches!(method, "AES-128" | "SAMPLE-AES") {
        return Err(format!("METHOD={method} is not used by any profile"));
    }
    let vector = attributes.optional("IV").map(|text| {
        let mut vector = [0; 16];
        text.strip_prefix("0x")
            .and_then(|digits| hex::decode_to_slice(digits, &mut vector).ok())
            .map(|()| vector)
            .ok_or_else(|| format!("IV is {text}"))
    });
    let key = Key {
        method: method.to_owned(),
        uri: attributes.quoted("URI")?,
        vector: vector.transpose()?,
        format: attributes.optional_quoted("KEYFORMAT")?.unwrap_or_else(|| "identity".to_owned()),
        id: attributes.optional("KEYID").map(str::to_owned),
    };
    if let Some(versions) =
        attributes.optional_quoted("KEYFORMATVERSIONS")?.filter(|versions| versions != "1")
    {
        return Err(format!("KEYFORMATVERSIONS is {versions}"));
    }
    attributes.finish().map(|()| key)
}

enum Rendition {
    Audio(AudioMedia),
    Subtitles(SubtitlesMedia),
}

fn rendition(value: &str) -> Result<Rendition, String> {
    let mut attributes = Attributes::parse(value)?;
    let kind = attributes.unquoted("TYPE")?;
    let uri = attributes.quoted("URI")?;
    let group = attributes.quoted("GROUP-ID")?;
    let language = attributes.optional_quoted("LANGUAGE")?;
    let name = attributes.quoted("NAME")?;
    let default = yes(&mut attributes, "DEFAULT")?;
    let autoselect = yes(&mut attributes, "AUTOSELECT")?;
    if default && !autoselect {
        return Err("a default rendition must be selected automatically (4.3.4.1)".to_owned());
    }
    let rendition = match kind {
        "AUDIO" => {
            let channels = attributes.quoted("CHANNELS")?;
            let channels = channels.parse().map_err(|_| format!("CHANNELS is {channels}"))?;
            Rendition::Audio(AudioMedia { uri, group, language, name, default, channels })
        }
        "SUBTITLES" if !default && autoselect => Rendition::Subtitles(SubtitlesMedia {
            uri,
            group,
            language,
            name,
            forced: yes(&mut attributes, "FORCED")?,
            characteristics: attributes.optional_quoted("CHARACTERISTICS")?,
        }),
        kind => return Err(format!("such a rendition of type {kind} is not used by any profile")),
    };
    attributes.finish().map(|()| rendition)
}

/// The variant without its URI, which is the next line.
fn stream_inf(value: &str) -> Result<Variant, String> {
    let mut attributes = Attributes::parse(value)?;
    let resolution = attributes.unquoted("RESOLUTION")?;
    let frame_rate = attributes.unquoted("FRAME-RATE")?;
    let variant = Variant {
        uri: String::new(),
        bandwidth: attributes.number("BANDWIDTH")?,
        codecs: attributes.quoted("CODECS")?,
        resolution: resolution
            .split_once('x')
            .and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)))
            .ok_or_else(|| format!("RESOLUTION is {resolution}"))?,
        frame_rate_milli: decimal(frame_rate, 3).ok_or_else(|| format!("FRAME-RATE is {frame_rate}"))?,
        audio_group: attributes.quoted("AUDIO")?,
        subtitles_group: attributes.optional_quoted("SUBTITLES")?,
    };
    let _: u64 = attributes.number("AVERAGE-BANDWIDTH")?;
    // Every ladder is BT.709; the packager says so where the rendition does.
    if let Some(value) = attributes.optional("VIDEO-RANGE").filter(|value| *value != "SDR") {
        return Err(format!("VIDEO-RANGE is {value}"));
    }
    match attributes.optional("CLOSED-CAPTIONS") {
        None | Some("NONE") => attributes.finish().map(|()| variant),
        Some(value) => Err(format!("CLOSED-CAPTIONS is {value}")),
    }
}

fn extinf(value: &str) -> Option<u64> {
    /// Twelve days, in microseconds: no title is longer.
    const LONGEST: u64 = 1_000_000_000_000;
    let (duration, _title) = value.split_once(',')?;
    decimal(duration, 6).filter(|duration| *duration <= LONGEST)
}

/// A non-negative decimal in units of its last allowed digit: `decimal("2.005", 6)` is 2,005,000.
fn decimal(text: &str, digits: usize) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || fraction.len() > digits || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    format!("{whole}{fraction:0<digits$}").parse().ok()
}

fn version_or_flag(text: &str, flags: &[&str]) -> Result<(), String> {
    let version = text.strip_prefix("#EXT-X-VERSION:").map(str::parse::<u32>);
    if flags.contains(&text) || matches!(version, Some(Ok(3..=7))) {
        Ok(())
    } else {
        Err(format!("{text:?} is not used by any profile"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASTER: &str = r#"#EXTM3U
## Generated

#EXT-X-INDEPENDENT-SEGMENTS

#EXT-X-MEDIA:TYPE=AUDIO,URI="audio-en.m3u8",GROUP-ID="stereo",LANGUAGE="en",NAME="English, plain",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2"

#EXT-X-STREAM-INF:BANDWIDTH=375332,AVERAGE-BANDWIDTH=348822,CODECS="avc1.64000c,mp4a.40.2",RESOLUTION=320x180,FRAME-RATE=25.000,VIDEO-RANGE=SDR,AUDIO="stereo",CLOSED-CAPTIONS=NONE
video-180p.m3u8
"#;

    const MEDIA: &str = r#"#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:3
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-MAP:URI="init.mp4"
#EXTINF:2.005333,
1.m4s
#EXTINF:0.995,
2.m4s
#EXT-X-ENDLIST
"#;

    #[test]
    fn a_master_playlist_is_read() {
        let master = Master::parse(MASTER.as_bytes()).unwrap();
        assert_eq!(master.variants.len(), 1);
        assert_eq!(master.variants[0].uri, "video-180p.m3u8");
        assert_eq!(master.variants[0].resolution, (320, 180));
        assert_eq!(master.variants[0].frame_rate_milli, 25_000);
        assert_eq!(master.audio[0].name, "English, plain");
        assert!(master.audio[0].default);
        assert_eq!(master.audio[0].channels, 2);
    }

    #[test]
    fn subtitles_are_read() {
        const SUBTITLES: &str = "#EXT-X-MEDIA:TYPE=SUBTITLES,URI=\"../s/ts.m3u8\",GROUP-ID=\"s\",LANGUAGE=\"en\",NAME=\"English (SDH)\",\
                                 DEFAULT=NO,AUTOSELECT=YES,FORCED=NO,CHARACTERISTICS=\"a,b\"\n#EXT-X-STREAM-INF";
        let with = MASTER
            .replace("#EXT-X-STREAM-INF", SUBTITLES)
            .replace("AUDIO=\"stereo\"", "AUDIO=\"stereo\",SUBTITLES=\"s\"");
        let master = Master::parse(with.as_bytes()).unwrap();
        let [subtitles] = master.subtitles.as_slice() else { panic!("one track") };
        assert_eq!((subtitles.uri.as_str(), subtitles.name.as_str()), ("../s/ts.m3u8", "English (SDH)"));
        assert_eq!((subtitles.forced, subtitles.characteristics.as_deref()), (false, Some("a,b")));
        assert_eq!(master.variants[0].subtitles_group.as_deref(), Some("s"));
        for (from, to) in [
            ("DEFAULT=NO,AUTOSELECT=YES,F", "DEFAULT=NO,F"),
            ("FORCED=NO", "FORCED=1"),
            ("\"a,b\"", "\"a,b\",CHANNELS=\"2\""),
        ] {
            assert!(Master::parse(with.replacen(from, to, 1).as_bytes()).is_err(), "{to}");
        }
    }

    #[test]
    fn a_media_playlist_is_read() {
        let media = Media::parse(MEDIA.as_bytes()).unwrap();
        assert_eq!(media.target_duration, 3);
        assert_eq!(media.map.as_deref(), Some("init.mp4"));
        assert_eq!(media.segments[0], Segment { uri: "1.m4s".into(), duration_us: 2_005_333 });
        assert_eq!(media.segments[1].duration_us, 995_000);
    }

    #[test]
    fn keys_are_read_one_for_each_system() {
        const KEYS: &str = "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://a\",KEYFORMAT=\"com.apple.streamingkeydelivery\",KEYFORMATVERSIONS=\"1\"\n\
                            #EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"data:,x\",IV=0x000102030405060708090a0b0c0d0e0f,KEYID=0xab\n";
        let with = |keys: &str| MEDIA.replacen("#EXTINF", &format!("{keys}#EXTINF"), 1);
        let media = Media::parse(with(KEYS).as_bytes()).unwrap();
        assert_eq!(media.keys[0].format, "com.apple.streamingkeydelivery");
        assert_eq!(media.keys[1].format, "identity");
        assert_eq!(media.keys[1].vector.unwrap()[15], 15);
        assert_eq!(media.keys[1].id.as_deref(), Some("0xab"));
        for (from, to) in [
            ("METHOD=SAMPLE-AES,URI=\"skd", "METHOD=NONE,URI=\"skd"),
            ("METHOD=SAMPLE-AES,URI=\"skd", "METHOD=AES-128,URI=\"skd"),
            ("KEYFORMAT=\"com.apple.streamingkeydelivery\"", "KEYFORMAT=\"identity\""),
            ("VERSIONS=\"1\"", "VERSIONS=\"2\""),
            ("IV=0x00", "IV=0x"),
            ("URI=\"data:,x\",", ""),
        ] {
            assert!(Media::parse(with(&KEYS.replacen(from, to, 1)).as_bytes()).is_err(), "{to}");
        }
        assert!(
            Media::parse(MEDIA.replace("#EXTINF:0.995", &format!("{KEYS}#EXTINF:0.995")).as_bytes()).is_err()
        );
    }

    #[test]
    fn what_is_cut_or_unknown_is_refused() {
        for (from, to) in [
            ("#EXTM3U", "#EXT3MU"),
            ("#EXT-X-INDEPENDENT-SEGMENTS", "#EXT-X-DEFINE:NAME=\"a\""),
            ("TYPE=AUDIO", "TYPE=VIDEO"),
            ("CHANNELS=\"2\"", "CHANNELS=2"),
            ("CHANNELS=\"2\"", "CHANNELS=\"2"),
            ("GROUP-ID=\"stereo\"", "GROUP-ID=\"stereo\",GROUP-ID=\"b\""),
            ("AUTOSELECT=YES", "AUTOSELECT=NO"),
            ("DEFAULT=YES", "DEFAULT=MAYBE"),
            ("RESOLUTION=320x180", "RESOLUTION=320"),
            ("video-180p.m3u8\n", ""),
            ("FRAME-RATE=25.000", "FRAME-RATE=25.0000"),
            ("VIDEO-RANGE=SDR", "VIDEO-RANGE=PQ"),
        ] {
            assert!(Master::parse(MASTER.replacen(from, to, 1).as_bytes()).is_err(), "{to}");
        }
        for (from, to) in [
            ("#EXT-X-ENDLIST", ""),
            ("2.m4s\n", ""),
            ("#EXTINF:0.995,\n", ""),
            ("#EXTINF:0.995,", "#EXTINF:0.995"),
            ("#EXTINF:0.995,", "#EXTINF:-1,"),
            ("#EXT-X-TARGETDURATION:3\n", ""),
            ("#EXT-X-PLAYLIST-TYPE:VOD", "#EXT-X-PLAYLIST-TYPE:EVENT"),
            ("#EXT-X-PLAYLIST-TYPE:VOD\n", ""),
            ("#EXT-X-TARGETDURATION:3\n", "#EXT-X-TARGETDURATION:3\n#EXT-X-TARGETDURATION:9\n"),
            ("URI=\"init.mp4\"", "URI=\"init.mp4\",BYTERANGE=\"3@1\""),
            ("#EXT-X-ENDLIST", "#EXT-X-ENDLIST\n3.m4s"),
        ] {
            assert!(Media::parse(MEDIA.replacen(from, to, 1).as_bytes()).is_err(), "{to}");
        }
    }
}
