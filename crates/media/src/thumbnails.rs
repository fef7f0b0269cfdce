//! Small pictures of a source at given moments, for people who read what QC found there.
//!
//! Promises: a moment that cannot be shown - damage, an end, a picture in a form that nobody knows - has no picture, and is no
//! failure; pictures are upright and of the right proportions; their number, their bytes and the time spent on them are
//! bounded, whatever the file.

mod jpeg;

use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ffmpeg_next::{frame, media};
use reelfarm_model::Progress;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::MediaError;
use crate::ffmpeg::decoder::{Decoded, Decoder};
use crate::ffmpeg::frame::take;
use crate::ffmpeg::log;
use crate::ffmpeg::source::{Read, Source};
use crate::ffmpeg::track::{self, VideoTrack};
use crate::progress::{Count, Done, watch};

/// The most pictures of one request; moments beyond have none.
pub const MOST_THUMBNAILS: usize = 24;

/// Frames that are decoded at once: between two key frames there may be hundreds.
const THREADS: u32 = 4;
/// How far before the moment decoding begins, in seconds, one after the other until a frame is found. A transport stream is
/// entered anywhere, and gives its first picture at the next key frame.
const LEADS: [f64; 3] = [0.0, 3.0, 12.0];
/// How far from the moment the frame may be, in seconds.
const NEAR: f64 = 1.0;
/// By how much a frame may be late and still be the one of the moment, in seconds: moments are in whole milliseconds.
const ROUNDING: f64 = 0.001;
/// Moments further than this from the zero of the container's timeline are nowhere, in seconds.
const FURTHEST: f64 = 1e9;

/// A picture of the source as people see it: upright, with square samples.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thumbnail {
    /// Its width, at most 320.
    pub width: u32,
    /// Its height, at most 320.
    pub height: u32,
    /// The picture as a JPEG file (ISO/IEC 10918-5), at most 48 KiB; base64 where it is serialised.
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    pub jpeg: Vec<u8>,
}

fn to_base64<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(bytes))
}

fn from_base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    STANDARD.decode(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

/// How long to look for pictures.
#[derive(Clone, Copy, Debug)]
struct Patience {
    /// For one.
    each: Duration,
    /// For all of a request.
    all: Duration,
}

/// Enough for a group of pictures of 4K on a busy machine.
const PATIENCE: Patience = Patience { each: Duration::from_secs(10), all: Duration::from_secs(60) };

/// The pictures of a video track that are shown at these moments, in seconds of the container's timeline; none for a moment
/// at which there is none, or none was found within ten seconds, a minute for all.
///
/// # Errors
/// The file cannot be read, is no accepted media file, or has no such track that can be decoded.
pub fn thumbnails(
    path: &Path,
    stream: u32,
    times: &[f64],
    on_progress: &mut dyn FnMut(Progress),
) -> Result<Vec<Option<Thumbnail>>, MediaError> {
    within(PATIENCE, path, stream, times, on_progress)
}

fn within(
    patience: Patience,
    path: &Path,
    stream: u32,
    times: &[f64],
    on_progress: &mut dyn FnMut(Progress),
) -> Result<Vec<Option<Thumbnail>>, MediaError> {
    let (packets, found) = (Count::default(), Count::default());
    let done = || {
        let fraction = found.get() as f64 / times.len().max(1) as f64;
        Done { steps: packets.get(), fraction, ..Done::default() }
    };
    watch(on_progress, done, || {
        let end = Instant::now() + patience.all;
        let mut finder = Finder::open(path, stream, packets.clone())?;
        let mut thumbnails = Vec::with_capacity(times.len());
        for (number, time) in times.iter().enumerate() {
            let until = end.min(Instant::now() + patience.each);
            let is_sought = number < MOST_THUMBNAILS && time.abs() <= FURTHEST;
            let frame = if is_sought { finder.find(*time, until)? } else { None };
            let picture = frame.and_then(|frame| log::aside(|| jpeg::thumbnail(&frame, &finder.track)));
            thumbnails.push(picture);
            found.add(1);
        }
        Ok(thumbnails)
    })
}

/// Finds frames by their times.
struct Finder {
    source: Source,
    decoder: Decoder,
    stream: u32,
    track: VideoTrack,
    /// Seconds of a tick of the track's clock.
    tick: f64,
    packets: Count,
}

/// What was found after a seek.
enum Found {
    /// The frame that is shown at the moment.
    Shown(frame::Video),
    /// Nothing that early: the first frame, if there was any, comes after the moment.
    Later(Option<frame::Video>),
    /// Nothing near the moment.
    Nothing,
}

impl Finder {
    fn open(path: &Path, stream: u32, packets: Count) -> Result<Self, MediaError> {
        let mut source = Source::open(path)?;
        let found = source.track(stream, media::Type::Video)?;
        let tick = track::ratio(found.time_base()).value().unwrap_or(0.0);
        let track = track::video(&found);
        let decoder = Decoder::open(&source, &found, THREADS)?;
        source.read_only(&[stream]);
        Ok(Self { source, decoder, stream, track, tick, packets })
    }

    /// The frame that is shown at a moment, if one is found in time.
    fn find(&mut self, time: f64, until: Instant) -> Result<Option<frame::Video>, MediaError> {
        let mut nearest = None;
        for lead in LEADS {
            match self.after_seek(time, time - lead, until)? {
                Found::Shown(frame) => return Ok(Some(frame)),
                Found::Later(frame) => nearest = nearest.or(frame),
                Found::Nothing => {}
            }
            if Instant::now() >= until {
                break;
            }
        }
        Ok(nearest)
    }

    /// Decodes from the place for `from` on, to the frame that is shown at `time`.
    fn after_seek(&mut self, time: f64, from: f64, until: Instant) -> Result<Found, MediaError> {
        if !self.source.seek(from) {
            return Ok(Found::Nothing);
        }
        self.decoder.restart();
        let mut search = Search { time, shown: None, later: None };
        while search.later.is_none() && Instant::now() < until {
            let packet = match self.source.read()? {
                Read::Packet(packet) if packet.stream() == self.stream as usize => Some(packet),
                Read::Packet(_) | Read::Damaged => continue,
                Read::End => None,
            };
            self.packets.add(1);
            let tick = self.tick;
            self.decoder.decode(packet.as_ref(), |decoded| {
                if let Decoded::Frame(frame) = decoded {
                    search.frame(take(frame).into(), tick);
                }
                Ok(())
            })?;
            if packet.is_none() {
                break;
            }
        }
        Ok(search.found())
    }
}

/// The frames on both sides of a moment.
struct Search {
    time: f64,
    /// The last one at or before it.
    shown: Option<(f64, frame::Video)>,
    /// The first one after it.
    later: Option<(f64, frame::Video)>,
}

impl Search {
    fn frame(&mut self, frame: frame::Video, tick: f64) {
        let Some(time) = frame.timestamp().map(|ticks| ticks as f64 * tick) else { return };
        if time <= self.time + ROUNDING {
            self.shown = Some((time, frame));
        } else if self.later.is_none() {
            self.later = Some((time, frame));
        }
    }

    fn found(self) -> Found {
        let Self { time: sought, shown, later } = self;
        let is_near = |(time, _): &(f64, frame::Video)| (time - sought).abs() <= NEAR;
        match shown {
            Some(shown) if is_near(&shown) => Found::Shown(shown.1),
            Some(_) => Found::Nothing,
            None => Found::Later(later.filter(is_near).map(|(_, frame)| frame)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thumbnail_survives_its_way() {
        let thumbnail = Thumbnail { width: 320, height: 180, jpeg: vec![0xff, 0xd8, 0, 7] };
        let text = serde_json::to_string(&thumbnail).unwrap();
        assert_eq!(text, r#"{"width":320,"height":180,"jpeg":"/9gABw=="}"#);
        assert_eq!(serde_json::from_str::<Thumbnail>(&text).unwrap(), thumbnail);
        assert!(serde_json::from_str::<Thumbnail>(&text.replace("==", "=!")).is_err());
    }

    /// A film that has a picture at each of these moments.
    #[test]
    fn no_picture_is_waited_for_beyond_its_time() {
        let film = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/media/bigbuckbunny.mp4");
        let find = |patience| within(patience, &film, 0, &[0.0, 1.0, 2.0], &mut |_| ()).unwrap();
        let count = |found: Vec<Option<Thumbnail>>| found.iter().flatten().count();
        let (none, minute) = (Duration::ZERO, Duration::from_secs(60));
        assert_eq!(count(find(Patience { each: minute, all: minute })), 3);
        assert_eq!(find(Patience { each: none, all: minute }), [None, None, None]);
        assert_eq!(find(Patience { each: minute, all: none }), [None, None, None]);
    }
}
