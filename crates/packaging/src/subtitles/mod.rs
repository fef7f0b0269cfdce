//! Subtitles in side files: SRT, WebVTT and TTML are read into cues, which are written as WebVTT for
//! DASH and HLS.
//!
//! Promises: times are exact to the millisecond; text, line breaks, italics, bold and underlining survive, whatever else
//! a file says of its looks does not, but for WebVTT's own cue settings; a file that is broken is refused with the number
//! of the line and the reason; any bytes whatever give cues or an error, without a panic.

mod cue;
mod encoding;
mod error;
mod reference;
mod settings;
mod srt;
mod time;
mod track;
mod ttml;
mod webvtt;

#[cfg(test)]
mod properties;

pub use self::cue::{Cue, Line, Span, Style};
pub use self::error::SubtitleError;
pub use self::settings::{Align, Settings};
pub(crate) use self::track::{MediaClock, WHOLE, cues_of, seen, segments};
pub use self::track::{TrackError, track_files};
pub(crate) use self::webvtt::read_segment;

use self::cue::Numbered;

/// The largest file that is read, in bytes: a long film's subtitles have less than a hundredth of it.
pub const LARGEST: usize = 16 << 20;

/// How a side file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// SubRip.
    Srt,
    /// WebVTT (W3C).
    WebVtt,
    /// TTML (W3C TTML1, and what EBU-TT-D, IMSC and DFXP have of it).
    Ttml,
}

/// Reads a side file, whose format shows in its first characters. The cues are in the order of their beginnings, and there
/// is at least one.
///
/// # Errors
/// See [`SubtitleError`].
pub fn read(bytes: &[u8]) -> Result<(Format, Vec<Cue>), SubtitleError> {
    let (format, cues) = read_numbered(bytes)?;
    Ok((format, cues.into_iter().map(|(_, cue)| cue).collect()))
}

/// The same, and where in the file each cue begins.
fn read_numbered(bytes: &[u8]) -> Result<(Format, Vec<Numbered>), SubtitleError> {
    if bytes.len() > LARGEST {
        let reason = format!("the file has {} bytes, {LARGEST} are the most", bytes.len());
        return Err(SubtitleError::new(1, reason));
    }
    let text = encoding::decode(bytes)?;
    let format = format(&text)?;
    let cues = match format {
        Format::Srt => srt::read(&text)?,
        Format::WebVtt => webvtt::read(&text)?,
        Format::Ttml => ttml::read(&text)?,
    };
    if cues.is_empty() {
        return Err(SubtitleError::new(1, "the file holds no cue with text"));
    }
    Ok((format, cues))
}

fn format(text: &str) -> Result<Format, SubtitleError> {
    match text.trim_start().chars().next() {
        Some('W') if text.starts_with("WEBVTT") => Ok(Format::WebVtt),
        Some('<') => Ok(Format::Ttml),
        Some('0'..='9') => Ok(Format::Srt),
        Some(_) => Err(SubtitleError::new(1, "this is the beginning of neither SRT, WebVTT nor TTML")),
        None => Err(SubtitleError::new(1, "the file is empty")),
    }
}

/// Refuses a cue that begins before the one before it, as it stands in files whose lines were mixed up.
fn refuse_backwards(cues: &[Numbered], start: u64, line: usize) -> Result<(), SubtitleError> {
    match cues.last().filter(|(_, last)| last.start > start) {
        Some((_, last)) => {
            let (start, before) = (time::Clock(start), time::Clock(last.start));
            Err(SubtitleError::new(line, format!("times run backwards: {start} comes after {before}")))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_shows_in_the_first_characters() {
        for (text, expected) in [
            ("WEBVTT\n\n00:01.000 --> 00:02.000\na", Format::WebVtt),
            ("1\n00:00:01,000 --> 00:00:02,000\na", Format::Srt),
            ("\n\n00:00:01,000 --> 00:00:02,000\na", Format::Srt),
            ("<tt><body><p begin='1s' end='2s'>a</p></body></tt>", Format::Ttml),
        ] {
            let (format, cues) = read(text.as_bytes()).unwrap();
            assert_eq!(format, expected, "{text}");
            let times: Vec<_> = cues.iter().map(|cue| (cue.start, cue.end)).collect();
            assert_eq!(times, [(1_000, 2_000)], "{text}");
        }
    }

    #[test]
    fn files_that_are_no_subtitles_are_refused() {
        for (bytes, reason) in [
            (&b""[..], "line 1: the file is empty"),
            (b" \r\n\r\n", "line 1: the file is empty"),
            (b"[Script Info]", "line 1: this is the beginning of neither SRT, WebVTT nor TTML"),
            (b"WEBVTT", "line 1: the file holds no cue with text"),
            (b"WEBVTT\n\n00:01.000 --> 00:02.000\n<i> </i>\n", "line 1: the file holds no cue with text"),
        ] {
            assert_eq!(read(bytes).unwrap_err().to_string(), reason);
        }
        let large = vec![b' '; LARGEST + 1];
        assert!(read(&large).unwrap_err().to_string().contains("16777217 bytes"));
    }
}
