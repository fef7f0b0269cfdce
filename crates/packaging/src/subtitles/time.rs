//! Times of day as SRT and WebVTT write them, in milliseconds.

use std::fmt;

use super::error::SubtitleError;

/// The most digits that hours have.
const HOUR_DIGITS: usize = 4;

/// Times from here on, in milliseconds, cannot be written with those digits.
pub(super) const LATEST: u64 = 10u64.pow(HOUR_DIGITS as u32) * 3_600_000;

/// Milliseconds, shown as WebVTT and TTML write them: `01:02:03.004`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock(pub(super) u64);

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, milliseconds) = (self.0 / 1000, self.0 % 1000);
        let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(f, "{hours:02}:{minutes:02}:{seconds:02}.{milliseconds:03}")
    }
}

/// Reads `01:02:03.004` or, where hours may be left out, `02:03.004`; the milliseconds follow one of `points`.
pub(super) fn clock(text: &str, points: &[char], needs_hours: bool) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no time such as 00:01:02{}500", points[0]);
    let (whole, fraction) = text.split_once(points).ok_or_else(wrong)?;
    let fields: Vec<_> = whole.split(':').collect();
    let (hours, minutes, seconds) = match fields.as_slice() {
        [hours, minutes, seconds] => (number(hours, 1..=HOUR_DIGITS), minutes, seconds),
        [minutes, seconds] if !needs_hours => (Some(0), minutes, seconds),
        _ => return Err(wrong()),
    };
    let parts = (hours, number(minutes, 2..=2), number(seconds, 2..=2), number(fraction, 3..=3));
    match parts {
        (Some(hours), Some(minutes @ 0..60), Some(seconds @ 0..60), Some(milliseconds)) => {
            Ok(((hours * 60 + minutes) * 60 + seconds) * 1000 + milliseconds)
        }
        _ => Err(wrong()),
    }
}

/// The two times of a line such as `00:00:01,000 --> 00:00:02,500 line:0`, and what follows them.
pub(super) fn times<'a>(
    line: &'a str,
    points: &[char],
    needs_hours: bool,
) -> Result<(u64, u64, &'a str), String> {
    let (start, rest) = line.split_once("-->").ok_or("there is no arrow (-->) between two times")?;
    let rest = rest.trim_start();
    let (end, rest) = rest.split_at(rest.find([' ', '\t']).unwrap_or(rest.len()));
    let (start, end) = (clock(start.trim(), points, needs_hours)?, clock(end, points, needs_hours)?);
    if end <= start {
        return Err(format!("the cue ends at {}, not after its beginning at {}", Clock(end), Clock(start)));
    }
    Ok((start, end, rest.trim()))
}

/// What to say of a line that holds no times: that an empty line probably cuts text off from its cue, where there is a cue
/// above it.
pub(super) fn no_times(number: usize, line: &str, reason: &str, is_first: bool) -> SubtitleError {
    let is_text = !is_first && !line.contains("-->");
    let hint = "; if this is text of the cue above, take out the empty line between them";
    SubtitleError::new(number, format!("{reason}{}", if is_text { hint } else { "" }))
}

/// A number of as many digits as are allowed.
pub(super) fn number(text: &str, digits: std::ops::RangeInclusive<usize>) -> Option<u64> {
    let is_number = digits.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_exact() {
        for (text, needs_hours, expected) in [
            ("00:00:00.000", true, 0),
            ("01:02:03.004", true, 3_723_004),
            ("1:02:03,004", true, 3_723_004),
            ("100:59:59.999", true, 363_599_999),
            ("59:59.999", false, 3_599_999),
        ] {
            assert_eq!(clock(text, &[',', '.'], needs_hours), Ok(expected), "{text}");
        }
        assert_eq!(Clock(363_599_999).to_string(), "100:59:59.999");
        assert_eq!(Clock(3_723_004).to_string(), "01:02:03.004");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            ":",
            "00:00:01",
            "00:00:01.5",
            "00:00:01.0000",
            "00:60:00.000",
            "00:00:60.000",
            "0:0:1.000",
            "-1:00:00.000",
            "+1:00:00.000",
            "00:00:+1.000",
            "00:01.000",
            "12345:00:00.000",
            "00:00:00:01.000",
            "００:00:01.000",
        ] {
            assert!(clock(text, &[',', '.'], true).is_err(), "{text}");
        }
        assert_eq!(clock("1", &[','], true).unwrap_err(), "\"1\" is no time such as 00:01:02,500");
        for (line, reason) in [
            ("00:00:01.000 -> 00:00:02.000", "there is no arrow (-->) between two times"),
            ("00:00:01.000 --> ", "\"\" is no time such as 00:01:02.500"),
            (
                "00:00:02.000 --> 00:00:02.000",
                "the cue ends at 00:00:02.000, not after its beginning at 00:00:02.000",
            ),
            (
                "00:00:02.000 --> 00:00:01.000",
                "the cue ends at 00:00:01.000, not after its beginning at 00:00:02.000",
            ),
        ] {
            assert_eq!(times(line, &['.'], true).unwrap_err(), reason);
        }
        let line = "00:00:01.000-->00:00:02.000\tline:0  align:start ";
        assert_eq!(times(line, &['.'], true), Ok((1_000, 2_000, "line:0  align:start")));
    }
}
