//! SubRip: counters, times with commas, text with a few tags of HTML. There is no specification; this is what side files
//! have in common.

use super::cue::{Cue, Numbered, Style, Text};
use super::error::SubtitleError;
use super::reference::character_reference;
use super::refuse_backwards;
use super::settings::{Align, Settings};
use super::time::{no_times, times};

/// Reads cues.
pub(super) fn read(text: &str) -> Result<Vec<Numbered>, SubtitleError> {
    let mut cues = Vec::new();
    let mut is_first = true;
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
            times(line, &[',', '.'], true).map_err(|reason| no_times(number, line, &reason, is_first))?;
        is_first = false;
        refuse_backwards(&cues, start, number)?;
        let mut body = Vec::new();
        while let Some((_, line)) = lines.next_if(|(_, line)| !line.trim().is_empty()) {
            body.push(line);
        }
        let (settings, lines) = parse_text(&body.join("\n"));
        if !lines.is_empty() {
            cues.push((number, Cue { start, end, settings, lines }));
        }
    }
    Ok(cues)
}

/// Text with its tags: `<i>`, `<b>`, `<u>`, `<br>`; `<font>` and `<s>`, which are left out; character references; and
/// `{\an8}`, which is the place on a keyboard's block of digits, beside other overrides that are left out.
fn parse_text(body: &str) -> (Settings, Vec<super::Line>) {
    let mut text = Text::default();
    let mut settings = None;
    let mut style = Style::default();
    let mut rest = body;
    while let Some(at) = rest.find(['<', '{', '&']) {
        text.push(&rest[..at], style);
        rest = &rest[at..];
        if let Some((place, length)) = override_tags(rest) {
            // Of several, players take the first.
            settings = settings.or(place);
            rest = &rest[length..];
        } else if let Some((is_break, length)) = tag(rest, &mut style) {
            if is_break {
                text.break_line();
            }
            rest = &rest[length..];
        } else if let Some((character, length)) = character_reference(rest) {
            text.push(character.encode_utf8(&mut [0; 4]), style);
            rest = &rest[length..];
        } else {
            text.push(&rest[..1], style);
            rest = &rest[1..];
        }
    }
    text.push(rest, style);
    (settings.unwrap_or_default(), text.complete())
}

/// The place that overrides such as `{\an8\b1}` at the beginning of the text set, and their length.
fn override_tags(text: &str) -> Option<(Option<Settings>, usize)> {
    let inner = text.strip_prefix("{\\")?;
    let end = inner.find('}')?;
    Some((inner[..end].split('\\').find_map(place), 2 + end + 1))
}

/// The place that an override sets: `an8` by the keyboard's digits, or `a6` as it was before, in which 1 to 3 are the
/// bottom, 5 to 7 the top and 9 to 11 the middle.
fn place(tag: &str) -> Option<Settings> {
    let number = |text: &str| text.trim().parse::<u8>().ok();
    let digit = match tag.strip_prefix("an") {
        Some(digit) => number(digit).filter(|digit| (1..=9).contains(digit))?,
        None => match number(tag.strip_prefix('a')?)? {
            old @ 1..=3 => old,
            old @ 5..=7 => old + 2,
            old @ 9..=11 => old - 5,
            _ => return None,
        },
    };
    let align = [Align::Left, Align::Center, Align::Right][usize::from((digit - 1) % 3)];
    Some(Settings::placed(digit >= 7, align))
}

/// Whether a known tag at the beginning of the text breaks the line, and its length; `style` takes its effect on.
fn tag(text: &str, style: &mut Style) -> Option<(bool, usize)> {
    let end = text.strip_prefix('<')?.find('>')? + 1;
    let inner = &text[1..end];
    let (name, is_on) = inner.strip_prefix('/').map_or((inner, true), |name| (name, false));
    let name = name.split([' ', '\t', '\n', '/']).next()?.to_ascii_lowercase();
    match name.as_str() {
        "i" => style.italic = is_on,
        "b" => style.bold = is_on,
        "u" => style.underline = is_on,
        "font" | "s" | "br" => {}
        _ => return None,
    }
    Some((name == "br", end + 1))
}

#[cfg(test)]
mod tests {
    use super::super::webvtt;
    use super::*;

    /// Cues as WebVTT shows them.
    fn shown(text: &str) -> String {
        let cues: Vec<_> = read(text).unwrap().into_iter().map(|(_, cue)| cue).collect();
        webvtt::write(&cues)
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
    fn what_other_players_read_as_marks_is_not_shown_as_text() {
        for (text, expected) in [
            ("&quot;a&quot;&nbsp;&amp; b &unknown; AT&T", "\n\"a\"\u{A0}&amp; b &amp;unknown; AT&amp;T"),
            ("&lt;i&gt;", "\n&lt;i&gt;"),
            ("a<br/>b<BR>c<br />d", "\na\nb\nc\nd"),
            ("{\\an8\\b1}a", " line:0\na"),
            ("{\\b1\\an7}a{\\an2}", " line:0 align:left\na"),
            ("{\\b1}{\\an8}a", " line:0\na"),
            ("{\\a6}a", " line:0\na"),
            ("{\\a1}a", " align:left\na"),
            ("{\\a11}a", " align:right\na"),
            ("{\\a4}{\\an0}{\\alpha&H80&}a", "\na"),
        ] {
            let file = format!("00:00:01,000 --> 00:00:02,000\n{text}");
            let expected = format!("WEBVTT\n\n00:00:01.000 --> 00:00:02.000{expected}\n");
            assert_eq!(shown(&file), expected, "{text}");
        }
    }

    #[test]
    fn broken_files_are_refused_at_their_line() {
        for (text, error) in [
            ("1\n00:00:01,000 -> 00:00:02,000\na", "line 2: there is no arrow (-->) between two times"),
            ("1\n\n00:00:01,000 --> 00:00:02,000\na", "line 2: there is no arrow (-->) between two times"),
            (
                "1\n00:00:01,000 --> 00:00:02,000\na\n\nb\n",
                "line 5: there is no arrow (-->) between two times; if this is text of the cue above, take out the empty line between them",
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
