//! SubRip: counters, times with commas, text with a few tags of HTML. There is no specification; this is what side files
//! have in common.

use super::cue::{Cue, Style, Text};
use super::error::SubtitleError;
use super::refuse_backwards;
use super::settings::{Align, Settings};
use super::time::times;

/// Reads cues.
pub(super) fn read(text: &str) -> Result<Vec<Cue>, SubtitleError> {
    let mut cues = Vec::new();
    let mut lines = text.split('\n').enumerate().map(|(index, line)| (index + 1, line)).peekable();
    while let Some((number, line)) = lines.next() {
        if line.trim().is_empty() {
            continue;
        }
        // The counter may be missing, and may say anything: players do not look at it.
        let is_counter = line.trim().bytes().all(|byte| byte.is_ascii_digit());
        let (number, line) = match lines.next_if(|_| is_counter) {
            Some(next) => next,
            None => (number, line),
        };
        let (start, end, _) =
            times(line, &[',', '.'], true).map_err(|reason| SubtitleError::new(number, reason))?;
        refuse_backwards(&cues, start, number)?;
        let mut body = Vec::new();
        while let Some((_, line)) = lines.next_if(|(_, line)| !line.trim().is_empty()) {
            body.push(line);
        }
        let (settings, lines) = parse_text(&body.join("\n"));
        if !lines.is_empty() {
            cues.push(Cue { start, end, settings, lines });
        }
    }
    Ok(cues)
}

/// Text with its tags: `<i>`, `<b>`, `<u>`; `<font>` and `<s>`, which are left out; and `{\an8}`, which is the place on a
/// keyboard's block of digits, beside other overrides that are left out.
fn parse_text(body: &str) -> (Settings, Vec<super::Line>) {
    let mut text = Text::default();
    let mut settings = Settings::default();
    let mut style = Style::default();
    let mut rest = body;
    while let Some(at) = rest.find(['<', '{']) {
        text.push(&rest[..at], style);
        rest = &rest[at..];
        if let Some((place, length)) = override_tag(rest) {
            settings = place.unwrap_or(settings);
            rest = &rest[length..];
        } else if let Some(length) = tag(rest, &mut style) {
            rest = &rest[length..];
        } else {
            text.push(&rest[..1], style);
            rest = &rest[1..];
        }
    }
    text.push(rest, style);
    (settings, text.complete())
}

/// The place that an override such as `{\an8}` at the beginning of the text sets, and its length.
fn override_tag(text: &str) -> Option<(Option<Settings>, usize)> {
    let inner = text.strip_prefix("{\\")?;
    let end = inner.find('}')?;
    let digit = inner[..end].strip_prefix("an").and_then(|digit| digit.parse::<u8>().ok());
    let place = digit.filter(|digit| (1..=9).contains(digit)).map(|digit| {
        let align = [Align::Left, Align::Center, Align::Right][usize::from((digit - 1) % 3)];
        Settings::placed(digit >= 7, align)
    });
    Some((place, 2 + end + 1))
}

/// The length of a known tag at the beginning of the text, whose effect `style` takes on.
fn tag(text: &str, style: &mut Style) -> Option<usize> {
    let end = text.find('>')?;
    let inner = &text[1..end];
    let (name, is_on) = inner.strip_prefix('/').map_or((inner, true), |name| (name, false));
    let name = name.split([' ', '\t', '\n']).next()?;
    match name.to_ascii_lowercase().as_str() {
        "i" => style.italic = is_on,
        "b" => style.bold = is_on,
        "u" => style.underline = is_on,
        "font" | "s" => {}
        _ => return None,
    }
    Some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::super::webvtt;
    use super::*;

    /// Cues as WebVTT shows them.
    fn shown(text: &str) -> String {
        webvtt::write(&read(text).unwrap())
    }

    #[test]
    fn what_side_files_hold_is_read() {
        let text = "\n1\n00:00:01,000 --> 00:00:02,500\n<i>Hello</i> <font color=\"#fff\">there</font>\nyou & <3 > me\n\n\n\
            7\n00:00:02.500 --> 00:00:03,000 X1:10 X2:20\n{\\an8}<B>Above</b> {x}{\\i1}!\n\n\
            00:00:02,500 --> 00:00:04,000\n<i>open\nstill</I> not\n\n\
            9\n00:00:05,000 --> 00:00:06,000\n\n10\n00:00:07,000 --> 00:00:08,000\n12\n";
        assert_eq!(
            shown(text),
            "WEBVTT\n\n\
            00:00:01.000 --> 00:00:02.500\n<i>Hello</i> there\nyou &amp; &lt;3 &gt; me\n\n\
            00:00:02.500 --> 00:00:03.000 line:0\n<b>Above</b> {x}!\n\n\
            00:00:02.500 --> 00:00:04.000\n<i>open</i>\n<i>still</i> not\n\n\
            00:00:07.000 --> 00:00:08.000\n12\n"
        );
    }

    #[test]
    fn broken_files_are_refused_at_their_line() {
        for (text, error) in [
            ("1\n00:00:01,000 -> 00:00:02,000\na", "line 2: there is no arrow (-->) between two times"),
            ("1\n\n00:00:01,000 --> 00:00:02,000\na", "line 2: there is no arrow (-->) between two times"),
            (
                "1\n00:00:01,000 --> 00:00:02,000\na\n\nb\n",
                "line 5: there is no arrow (-->) between two times",
            ),
            ("1\n00:00:01,00 --> 00:00:02,000\na", "line 2: \"00:00:01,00\" is no time such as 00:01:02,500"),
            (
                "1\n00:00:02,000 --> 00:00:01,000\na",
                "line 2: the cue ends at 00:00:01.000, not after its beginning at 00:00:02.000",
            ),
            (
                "1\n00:00:02,000 --> 00:00:03,000\na\n\n2\n00:00:01,000 --> 00:00:02,000\nb",
                "line 6: times run backwards: 00:00:01.000 comes after 00:00:02.000",
            ),
            ("1", "line 1: there is no arrow (-->) between two times"),
        ] {
            assert_eq!(read(text).unwrap_err().to_string(), error, "{text}");
        }
    }
}
