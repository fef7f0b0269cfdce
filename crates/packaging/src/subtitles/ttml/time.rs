//! Time expressions (TTML1 10.3.1), to the nearest millisecond.

use super::super::time::number;

/// What frames and ticks are (TTML1 6.2).
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeBase {
    /// Frames in `rate.1` seconds.
    frames: (u64, u64),
    /// Ticks in a second.
    ticks: u64,
}

impl TimeBase {
    /// From the root element's parameters, each as its text where it is there.
    pub(super) fn new(
        frame_rate: Option<&str>,
        multiplier: Option<&str>,
        tick_rate: Option<&str>,
    ) -> Result<Self, String> {
        let positive = |text: &str| {
            number(text, 1..=9)
                .filter(|number| *number > 0)
                .ok_or_else(|| format!("{text:?} is no positive number"))
        };
        let rate = frame_rate.map(positive).transpose()?;
        let (times, by) = match multiplier.map(|text| text.split_once([' ', ':']).unwrap_or((text, "1"))) {
            Some((times, by)) => (positive(times)?, positive(by.trim())?),
            None => (1, 1),
        };
        // Without a rate, frames are of a thirtieth of a second, and ticks are frames or seconds (6.2.4, 6.2.10).
        let frames = (rate.unwrap_or(30) * times, by);
        let ticks = tick_rate.map(positive).transpose()?.unwrap_or(rate.unwrap_or(1));
        Ok(Self { frames, ticks })
    }

    /// Milliseconds of a clock time such as `00:01:02.5` or `00:01:02:12`, or of an offset such as `62.5s`.
    pub(super) fn milliseconds(&self, text: &str) -> Result<u64, String> {
        let time = if text.contains(':') { self.clock(text) } else { self.offset(text) };
        time.ok_or_else(|| format!("{text:?} is no time such as 00:01:02.500 or 62.5s"))
    }

    fn clock(&self, text: &str) -> Option<u64> {
        let mut fields = text.split(':');
        let hours = number(fields.next()?, 2..=4)?;
        let minutes = number(fields.next()?, 2..=2).filter(|minutes| *minutes < 60)?;
        let seconds = fields.next()?;
        let whole = (hours * 60 + minutes) * 60_000;
        let rest = match (fields.next(), fields.next()) {
            (None, None) => Decimal::parse(seconds).filter(|seconds| seconds.is_below(60))?.times(1000, 1)?,
            (Some(frames), None) => {
                let seconds = number(seconds, 2..=2).filter(|seconds| *seconds < 60)?;
                let frames = Decimal { digits: u128::from(number(frames, 2..=4)?), scale: 1 };
                seconds * 1000 + frames.times(1000 * self.frames.1, self.frames.0)?
            }
            _ => return None,
        };
        Some(whole + rest)
    }

    fn offset(&self, text: &str) -> Option<u64> {
        let unit = text.find(|c: char| c.is_ascii_alphabetic())?;
        let (value, unit) = text.split_at(unit);
        let value = Decimal::parse(value)?;
        match unit {
            "h" => value.times(3_600_000, 1),
            "m" => value.times(60_000, 1),
            "s" => value.times(1000, 1),
            "ms" => value.times(1, 1),
            "f" => value.times(1000 * self.frames.1, self.frames.0),
            "t" => value.times(1000, self.ticks),
            _ => None,
        }
    }
}

/// A decimal fraction: its digits without the point, and the power of ten that they count.
#[derive(Clone, Copy, Debug)]
struct Decimal {
    digits: u128,
    scale: u128,
}

impl Decimal {
    fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        // Nine digits are a nanosecond.
        let (fraction, rest) = fraction.split_at_checked(9).unwrap_or((fraction, ""));
        let scale = 10u128.pow(fraction.len() as u32);
        let digits = u128::from(number(whole, 1..=15)?) * scale + u128::from(number(fraction, 1..=9)?);
        rest.bytes().all(|byte| byte.is_ascii_digit()).then_some(Self { digits, scale })
    }

    const fn is_below(self, limit: u128) -> bool {
        self.digits < limit * self.scale
    }

    /// This many times `factor` over `divisor`, to the nearest whole number.
    fn times(self, factor: u64, divisor: u64) -> Option<u64> {
        let (above, below) =
            (self.digits.checked_mul(u128::from(factor) * 2)?, self.scale * u128::from(divisor));
        u64::try_from((above + below) / (below * 2)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_time_is_read() {
        let usual = TimeBase::new(None, None, None).unwrap();
        let film = TimeBase::new(Some("24"), Some("1000 1001"), Some("10000000")).unwrap();
        let pal = TimeBase::new(Some("25"), Some("1:1"), None).unwrap();
        for (base, text, expected) in [
            (usual, "00:00:00", 0),
            (usual, "01:02:03.004", 3_723_004),
            (usual, "01:02:03.0045", 3_723_005),
            (usual, "00:00:59.9999999999999", 60_000),
            (usual, "00:00:01:15", 1_500),
            (usual, "1.5h", 5_400_000),
            (usual, "2m", 120_000),
            (usual, "62.5s", 62_500),
            (usual, "62500ms", 62_500),
            (usual, "3t", 3_000),
            (pal, "00:00:01:12", 1_480),
            (pal, "37f", 1_480),
            (pal, "50t", 2_000),
            (film, "24f", 1_001),
            (film, "00:00:00:01", 42),
            (film, "36000000000t", 3_600_000),
        ] {
            assert_eq!(base.milliseconds(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        let base = TimeBase::new(None, None, None).unwrap();
        for text in [
            "",
            "1",
            "s",
            "1.s",
            ".5s",
            "-1s",
            "1d",
            "00:00",
            "0:00:00",
            "00:60:00",
            "00:00:60",
            "00:00:1.x",
            "00:00:00:00:00",
            "00:00:61:00",
            "00:00:00.",
            "9999999999999999s",
            "1e3s",
            "999999999999999h",
            "é",
            "1é",
        ] {
            assert!(base.milliseconds(text).is_err(), "{text}");
        }
        for (rate, multiplier, ticks) in [
            (Some("0"), None, None),
            (Some("25.5"), None, None),
            (None, Some("1000 0"), None),
            (None, Some("1000 1001 1"), None),
            (None, None, Some("-1")),
        ] {
            assert!(TimeBase::new(rate, multiplier, ticks).is_err(), "{rate:?} {multiplier:?} {ticks:?}");
        }
    }
}
