//! Frames by their numbers: which of what a decoder gives are wanted, and whether they are all there.
//!
//! A film that is decoded from its beginning has its frames counted. One that is decoded from a key frame in its middle has
//! them known by their times; what is not yet wanted is dropped, and from there on none may be missing.

use std::ops::Range;

use ffmpeg_next::{Frame, frame, picture};

use super::Stop;
use super::convert::Picture;
use super::reported::Reported;
use crate::MediaError;
use crate::ffmpeg::filter::{FilterGraph, Pulled};
use crate::ffmpeg::frame::{blank, is_damaged, take};

/// How frames get their numbers.
pub(super) enum Numbering {
    /// In the order in which they come; the next one's number.
    Counted(u64),
    /// By their times.
    Timed(Clock),
}

/// The times of a film whose frames are at equal distances.
pub(super) struct Clock {
    /// When frame 0 is shown, in seconds.
    pub(super) film_start: f64,
    /// The unit of times, in seconds.
    pub(super) tick: f64,
    pub(super) frame_rate: f64,
}

impl Clock {
    /// The number of the frame that is shown at this time; `None` before the film.
    pub(super) fn number(&self, time: i64) -> Option<u64> {
        let number = ((time as f64 * self.tick - self.film_start) * self.frame_rate).round();
        (0.0..1e15).contains(&number).then_some(number as u64)
    }
}

/// What became of a decoded frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// More are wanted.
    Wanted,
    /// All that are wanted have come.
    Complete,
    /// Decoding began after the first frame that is wanted. None has been handed on.
    TooLate,
}

/// Which frames are wanted.
pub(super) struct Frames {
    pub(super) numbering: Numbering,
    /// Those that go into the deinterlacer: it looks at the frames before and after.
    pub(super) read: Range<u64>,
    /// Those that are handed on, with their numbers from the first of them.
    pub(super) handed_on: Range<u64>,
    /// Whether the film must end where `read` does.
    pub(super) ends_film: bool,
}

/// A track as it is known before it is decoded.
pub(super) struct Track {
    pub(super) stream: u32,
    /// For errors.
    pub(super) subject: String,
    pub(super) frame_rate: u32,
    pub(super) picture: Picture,
    pub(super) reported: Reported,
    pub(super) deinterlacer: Option<FilterGraph>,
}

/// Hands on the frames that are wanted.
pub(super) struct Numbered<F> {
    track: Track,
    deliver: F,
    numbering: Numbering,
    read: Range<u64>,
    handed_on: Range<u64>,
    ends_film: bool,
    next: u64,
    /// The next one out of the deinterlacer.
    filtered: u64,
}

impl<F: FnMut(frame::Video) -> Result<(), Stop>> Numbered<F> {
    /// Hands on `frames` of a track by `deliver`.
    pub(super) fn new(track: Track, frames: Frames, deliver: F) -> Self {
        let Frames { numbering, read, handed_on, ends_film } = frames;
        let next = read.start;
        Self { track, deliver, numbering, read, handed_on, ends_film, next, filtered: next }
    }

    /// Whether a frame that is shown at this time comes after the first one that is wanted; so it does where that is not known.
    pub(super) fn is_too_late(&self, time: Option<i64>) -> bool {
        match &self.numbering {
            Numbering::Counted(_) => false,
            Numbering::Timed(clock) => time.is_none_or(|time| clock.number(time) > Some(self.read.start)),
        }
    }

    /// Takes in a frame of the decoder's.
    ///
    /// # Errors
    /// Where one is missing or is not where the rate puts it, and where the picture changes its size or format on the way.
    pub(super) fn decoded(&mut self, frame: &mut Frame) -> Result<Taken, Stop> {
        let frame = frame::Video::from(take(frame));
        let number = match &mut self.numbering {
            Numbering::Counted(next) => {
                *next += 1;
                *next - 1
            }
            // QC saw no damage, and what is damaged may be what others are made of.
            Numbering::Timed(_) if is_damaged(&frame) => return self.damaged(),
            Numbering::Timed(clock) => match frame.timestamp().map(|time| clock.number(time)) {
                Some(Some(number)) => number,
                // It is shown before the film begins, which whoever numbers frames from there does not expect.
                Some(None) if self.read.start == 0 => return Err(self.wrong(self.next)),
                Some(None) => return Ok(Taken::Wanted),
                // It follows the one before; of the first ones that is not known.
                None if self.next == self.read.start => return Ok(Taken::Wanted),
                None => self.next,
            },
        };
        if number < self.read.start {
            return Ok(Taken::Wanted);
        }
        let is_timed = matches!(self.numbering, Numbering::Timed(_));
        if self.has_none() && is_timed && number > self.next {
            return Ok(Taken::TooLate);
        }
        if number != self.next || number >= self.read.end {
            return Err(self.wrong(self.next + 1));
        }
        let found = Picture::of(&frame);
        if found != self.track.picture {
            return Err(Stop::Failed(MediaError::FormatChanged {
                stream: self.track.stream,
                before: self.track.picture.to_string(),
                after: found.to_string(),
            }));
        }
        self.track.reported.frame(number, frame.timestamp())?;
        self.next += 1;
        match self.track.deinterlacer {
            None => self.hand_on(frame)?,
            Some(_) => self.filter(Some(&frame))?,
        }
        Ok(if self.next == self.read.end && !self.ends_film { Taken::Complete } else { Taken::Wanted })
    }

    /// Takes in that something could not be read or decoded. Of a film that is decoded from its beginning that is known: QC
    /// counted what comes out all the same.
    ///
    /// # Errors
    /// Where frames have been handed on already that may be made of it.
    pub(super) fn damaged(&self) -> Result<Taken, Stop> {
        match self.numbering {
            Numbering::Counted(_) => Ok(Taken::Wanted),
            Numbering::Timed(_) if self.has_none() => Ok(Taken::TooLate),
            Numbering::Timed(_) => Err(self.wrong(self.next)),
        }
    }

    fn filter(&mut self, frame: Option<&Frame>) -> Result<(), Stop> {
        let Some(mut graph) = self.track.deinterlacer.take() else { return Ok(()) };
        graph.push(0, frame)?;
        let mut filtered = blank();
        while graph.pull(&mut filtered)? == Pulled::Frame {
            self.hand_on(take(&mut filtered).into())?;
        }
        self.track.deinterlacer = Some(graph);
        Ok(())
    }

    fn hand_on(&mut self, mut frame: frame::Video) -> Result<(), Stop> {
        let number = self.filtered;
        self.filtered += 1;
        if !self.handed_on.contains(&number) {
            return Ok(());
        }
        frame.set_pts(i64::try_from(number - self.handed_on.start).ok());
        // What the source's encoder chose for the frame is not to steer ours.
        frame.set_kind(picture::Type::None);
        (self.deliver)(frame)
    }

    /// Whether none of the frames that are wanted has come so far.
    pub(super) fn has_none(&self) -> bool {
        self.next == self.read.start
    }

    /// Hands on what the deinterlacer still holds.
    ///
    /// # Errors
    /// Also where there were fewer frames than must be.
    pub(super) fn finish(&mut self) -> Result<(), Stop> {
        if self.next < self.read.end {
            return Err(self.wrong(self.next));
        }
        self.filter(None)?;
        if self.filtered >= self.handed_on.end { Ok(()) } else { Err(self.wrong_count(self.filtered)) }
    }

    /// There are fewer or more than must be, or the next one is not there.
    fn wrong(&self, found: u64) -> Stop {
        if matches!(self.numbering, Numbering::Counted(_)) || found > self.read.end {
            return self.wrong_count(found);
        }
        let seconds = self.next as f64 / f64::from(self.track.frame_rate.max(1));
        Stop::Failed(MediaError::FrameMissing {
            subject: self.track.subject.clone(),
            frame: self.next,
            seconds,
        })
    }

    fn wrong_count(&self, found: u64) -> Stop {
        Stop::Failed(MediaError::Count {
            subject: self.track.subject.clone(),
            unit: "frames",
            expected: self.read.end,
            found,
        })
    }
}
