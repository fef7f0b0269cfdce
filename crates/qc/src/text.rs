//! Numbers and foreign text as people read them.

/// The most characters of foreign text that a value shows.
const MOST_CHARACTERS: usize = 80;

/// Text from a file or from FFmpeg, made safe to print: no control characters, so no terminal escapes, and no
/// characters that turn the writing direction; cut where it is long.
pub(crate) fn plain(text: &str) -> String {
    let mut shown: String = printable(text).chars().take(MOST_CHARACTERS).collect();
    if text.chars().count() > MOST_CHARACTERS {
        shown.push('…');
    }
    shown
}

/// As [`plain`], at any length.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '?',
            '\n' | '\t' => ' ',
            other if other.is_control() => '?',
            other => other,
        })
        .collect()
}

/// Seconds as hours, minutes, seconds and thousandths.
pub(crate) fn clock(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "an unknown time".to_owned();
    }
    let sign = if seconds < 0.0 { "-" } else { "" };
    let (hours, minutes, seconds, milliseconds) = split((seconds.abs() * 1000.0).round() as u64, 1000);
    format!("{sign}{hours:02}:{minutes:02}:{seconds:02}.{milliseconds:03}")
}

/// Seconds from the first frame as a time code of hours, minutes, seconds and frames (SMPTE ST 12-1, all of the
/// integral rates count without drops), or as a clock where no rate is known.
pub(crate) fn time_code(seconds: f64, rate: Option<u32>) -> String {
    let Some(rate) = rate.filter(|rate| *rate > 0 && seconds.is_finite() && seconds >= 0.0) else {
        return clock(seconds);
    };
    let (hours, minutes, seconds, frames) =
        split((seconds * f64::from(rate)).round() as u64, u64::from(rate));
    format!("{hours:02}:{minutes:02}:{seconds:02}:{frames:02}")
}

fn split(units: u64, per_second: u64) -> (u64, u64, u64, u64) {
    let seconds = units / per_second;
    (seconds / 3600, seconds / 60 % 60, seconds % 60, units % per_second)
}

/// A short span of time.
pub(crate) fn span(seconds: f64) -> String {
    if !seconds.is_finite() {
        "an unknown time".to_owned()
    } else if seconds.abs() < 1.0 {
        format!("{} ms", decimal(seconds * 1000.0, 1))
    } else if seconds >= 3600.0 {
        format!("{} h", decimal(seconds / 3600.0, 2))
    } else {
        format!("{} s", decimal(seconds, 2))
    }
}

/// Bytes in decimal units.
pub(crate) fn bytes(count: u64) -> String {
    let count = count as f64;
    for (unit, size) in [("GB", 1e9), ("MB", 1e6), ("kB", 1e3)] {
        if count >= size {
            return format!("{:.2} {unit}", count / size);
        }
    }
    format!("{count} bytes")
}

/// A number with at most so many decimals, without zeros at the end.
pub(crate) fn decimal(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// A count with its noun.
pub(crate) fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// Names with commas and a last word between the last two.
pub(crate) fn list(names: &[String], last: &str) -> String {
    match names {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., end] => format!("{} {last} {end}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_files_cannot_steer_a_terminal() {
        assert_eq!(plain("a\u{1b}[31mb\u{202e}c\nd"), "a?[31mb?c d");
        assert_eq!(plain(&"x".repeat(200)).chars().count(), MOST_CHARACTERS + 1);
    }

    #[test]
    fn times_are_written() {
        assert_eq!(clock(5.28), "00:00:05.280");
        assert_eq!(clock(-0.0805), "-00:00:00.081");
        assert_eq!(clock(f64::NAN), "an unknown time");
        assert_eq!(clock(3599.9996), "01:00:00.000");
        assert_eq!(time_code(83.4, Some(25)), "00:01:23:10");
        assert_eq!(time_code(83.4, None), "00:01:23.400");
        assert_eq!(time_code(-1.0, Some(25)), "-00:00:01.000");
        assert_eq!(span(0.0333667), "33.4 ms");
        assert_eq!(span(1.5), "1.5 s");
        assert_eq!(span(43_200.0), "12 h");
        assert_eq!(span(-0.00001), "0 ms");
    }

    #[test]
    fn sizes_and_counts_are_written() {
        assert_eq!(bytes(1_055_736), "1.06 MB");
        assert_eq!(bytes(12), "12 bytes");
        assert_eq!(decimal(100.0, 0), "100");
        assert_eq!(decimal(12.50, 3), "12.5");
        assert_eq!(count(1, "error"), "1 error");
        assert_eq!(count(2, "error"), "2 errors");
        assert_eq!(list(&["a".into(), "b".into(), "c".into()], "or"), "a, b or c");
    }
}
