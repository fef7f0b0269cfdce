//! WebVTT (W3C). Notes, styles and regions are left out; so are voices, classes and the times of karaoke, with their text
//! kept.

use super::cue::{Cue, Numbered, Style, Text};
use super::error::SubtitleError;
use super::reference::character_reference;
use super::refuse_backwards;
use super::settings::Settings;
use super::time::{Clock, no_times, times};

/// How a file begins.
const SIGNATURE: &str = "WEBVTT";
/// How the line begins that says when a segment's media begin.
const TIMESTAMP_MAP: &str = "X-TIMESTAMP-MAP=";

/// Reads cues.
pub(super) fn read(text: &str) -> Result<Vec<Numbered>, SubtitleError> {
    let mut lines = text.split('\n').enumerate().map(|(index, line)| (index + 1, line)).peekable();
    let mut cues = Vec::new();
    let mut is_first = true;
    let signature = lines.next().and_then(|(_, line)| line.strip_prefix(SIGNATURE));
    if !signature.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t'])) {
        return Err(SubtitleError::new(1, "the first line is not WEBVTT"));
    }
    while let Some((number, line)) = lines.next_if(|(_, line)| !line.is_empty() && !line.contains("-->")) {
        // Times would count from somewhere else (RFC 8216 clause 3.5).
        if line.starts_with(TIMESTAMP_MAP) {
            return Err(SubtitleError::new(number, "this is a segment of an HLS stream, not a side file"));
        }
    }
    while let Some((number, line)) = lines.next() {
        let begins = |keyword: &str| {
            line.strip_prefix(keyword).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
        };
        if line.is_empty() {
            continue;
        }
        if !line.contains("-->") && ["NOTE", "STYLE", "REGION"].into_iter().any(begins) {
            while lines.next_if(|(_, line)| !line.is_empty()).is_some() {}
            continue;
        }
        // A line without times is the cue's name.
        let (number, line) = match lines.next_if(|_| !line.contains("-->")) {
            Some(next) => next,
            None => (number, line),
        };
        let (start, end, settings) =
            times(line, &['.'], false).map_err(|reason| no_times(number, line, &reason, is_first))?;
        is_first = false;
        refuse_backwards(&cues, start, number)?;
        let mut body = Vec::new();
        while let Some((below, line)) = lines.next_if(|(_, line)| !line.is_empty()) {
            if line.contains("-->") {
                return Err(SubtitleError::new(below, "there is no empty line before these times"));
            }
            body.push(line);
        }
        let lines = parse_text(&body.join("\n"));
        if !lines.is_empty() {
            cues.push((number, Cue { start, end, settings: Settings::parse(settings), lines }));
        }
    }
    Ok(cues)
}

/// Cue text (W3C WebVTT 6.4).
fn parse_text(body: &str) -> Vec<super::Line> {
    let mut text = Text::default();
    // How many of each tag are open.
    let mut open = [0u32; 3];
    let mut rest = body;
    while let Some(at) = rest.find(['<', '&']) {
        let style = Style { italic: open[0] > 0, bold: open[1] > 0, underline: open[2] > 0 };
        text.push(&rest[..at], style);
        rest = &rest[at..];
        let tag = rest.strip_prefix('<').and_then(|tag| tag.split_once('>'));
        if let Some((tag, tail)) = tag {
            let (tag, is_on) = tag.strip_prefix('/').map_or((tag, true), |tag| (tag, false));
            let name = tag.split(['.', ' ', '\t', '\n']).next().unwrap_or_default();
            if let Some(index) = ["i", "b", "u"].into_iter().position(|known| known == name) {
                open[index] = if is_on { open[index] + 1 } else { open[index].saturating_sub(1) };
            }
            rest = tail;
        } else if let Some((character, length)) = character_reference(rest) {
            text.push(character.encode_utf8(&mut [0; 4]), style);
            rest = &rest[length..];
        } else {
            text.push(&rest[..1], style);
            rest = &rest[1..];
        }
    }
    text.push(rest, Style { italic: open[0] > 0, bold: open[1] > 0, underline: open[2] > 0 });
    text.complete()
}

/// Writes cues, which must be in the order of their beginnings.
pub(super) fn write(cues: &[Cue]) -> String {
    let mut output = format!("{SIGNATURE}\n");
    write_cues(&mut output, cues);
    output
}

/// Writes a segment of an HLS stream whose media begin at `start` of the 90 kHz clock (RFC 8216 clause 3.5).
pub(super) fn write_segment<'a>(cues: impl IntoIterator<Item = &'a Cue>, start: u64) -> String {
    let mut output = format!("{SIGNATURE}\n{TIMESTAMP_MAP}MPEGTS:{start},LOCAL:00:00:00.000\n");
    write_cues(&mut output, cues);
    output
}

/// Reads a segment of an HLS stream: where its media begin on the 90 kHz clock, and its cues.
pub(crate) fn read_segment(text: &str) -> Result<(u64, Vec<Cue>), SubtitleError> {
    let wrong = || SubtitleError::new(2, "this is not where a segment says when its media begin");
    let map = text.strip_prefix(SIGNATURE).and_then(|rest| rest.strip_prefix('\n')).ok_or_else(wrong)?;
    let (map, rest) = map.split_once('\n').ok_or_else(wrong)?;
    let start = map.strip_prefix(TIMESTAMP_MAP).and_then(|map| map.strip_prefix("MPEGTS:"));
    let start = start.and_then(|start| start.strip_suffix(",LOCAL:00:00:00.000")).ok_or_else(wrong)?;
    let start = start.parse().map_err(|_| wrong())?;
    let cues = read(&format!("{SIGNATURE}\n{rest}"))?;
    Ok((start, cues.into_iter().map(|(_, cue)| cue).collect()))
}

fn write_cues<'a>(output: &mut String, cues: impl IntoIterator<Item = &'a Cue>) {
    for cue in cues {
        let settings = cue.settings.to_string();
        let space = if settings.is_empty() { "" } else { " " };
        output.push_str(&format!("\n{} --> {}{space}{settings}\n", Clock(cue.start), Clock(cue.end)));
        for line in &cue.lines {
            for span in line.spans() {
                let tags = [(span.style.bold, "b"), (span.style.italic, "i"), (span.style.underline, "u")];
                let tags = tags.iter().filter(|(is_on, _)| *is_on).map(|(_, name)| *name);
                tags.clone().for_each(|name| output.push_str(&format!("<{name}>")));
                for character in span.text.chars() {
                    match character {
                        '&' => output.push_str("&amp;"),
                        '<' => output.push_str("&lt;"),
                        '>' => output.push_str("&gt;"),
                        character => output.push(character),
                    }
                }
                tags.rev().for_each(|name| output.push_str(&format!("</{name}>")));
            }
            output.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cues(text: &str) -> Vec<Cue> {
        read(text).unwrap().into_iter().map(|(_, cue)| cue).collect()
    }

    #[test]
    fn what_side_files_hold_is_read() {
        let text = "WEBVTT - made by hand\nKind: captions\n\nNOTE\nnothing --- of this\n\nSTYLE\n::cue { color: red }\n\n\
            REGION\nid:fred\n\nname of it\n00:01.000 --> 00:02.500 line:10% align:middle region:fred\n\
            <v.loud Mary>Hello</v> <i>to <b>you</b></i>\n<c.yellow>&amp; &lt;me&gt;</c> &#9834;&#x266B; &unknown; 1 < 2\n\n\n\
            100:00:00.000 --> 100:00:01.000\n<00:00:01.500><u>late</u>&nbsp;\n\n\
            100:00:02.000 --> 100:00:03.000\n\n";
        assert_eq!(
            write(&cues(text)),
            "WEBVTT\n\n\
            00:00:01.000 --> 00:00:02.500 line:10%\nHello <i>to </i><b><i>you</i></b>\n&amp; &lt;me&gt; ♪♫ &amp;unknown; 1 &lt; 2\n\n\
            100:00:00.000 --> 100:00:01.000\n<u>late</u>\u{A0}\n"
        );
    }

    #[test]
    fn segments_say_when_their_media_begin() {
        let cues = cues("WEBVTT\n\n00:01.000 --> 00:02.000\na\n");
        let segment = write_segment(&cues, 9_000);
        assert_eq!(
            segment,
            "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:9000,LOCAL:00:00:00.000\n\n00:00:01.000 --> 00:00:02.000\na\n"
        );
        assert_eq!(read_segment(&segment).unwrap(), (9_000, cues));
        assert_eq!(read_segment(&write_segment([], 0)).unwrap(), (0, Vec::new()));
        for text in ["", "WEBVTT\n", "WEBVTT\n\n", "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:-1,LOCAL:00:00:00.000\n"] {
            assert!(read_segment(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn broken_files_are_refused_at_their_line() {
        for (text, error) in [
            ("WEBVTTX\n", "line 1: the first line is not WEBVTT"),
            (
                "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:9000\n\n",
                "line 2: this is a segment of an HLS stream, not a side file",
            ),
            ("WEBVTT\n\n00:01,000 --> 00:02.000\na", "line 3: \"00:01,000\" is no time such as 00:01:02.500"),
            (
                "WEBVTT\n\na\nb\n00:01.000 --> 00:02.000\nc",
                "line 4: there is no arrow (-->) between two times",
            ),
            (
                "WEBVTT\n\n00:01.000 --> 00:02.000\na\n\nb\n\n00:02.000 --> 00:03.000\nc",
                "line 7: there is no arrow (-->) between two times; if this is text of the cue above, take out the empty line between them",
            ),
            (
                "WEBVTT\n\n00:01.000 --> 00:02.000\na\n00:02.000 --> 00:03.000\nb",
                "line 5: there is no empty line before these times",
            ),
            (
                "WEBVTT\n\n00:02.000 --> 00:03.000\na\n\n00:01.000 --> 00:02.000\nb",
                "line 6: times run backwards: 00:00:01.000 comes after 00:00:02.000",
            ),
        ] {
            assert_eq!(read(text).unwrap_err().to_string(), error, "{text}");
        }
    }
}
