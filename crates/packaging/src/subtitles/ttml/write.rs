//! Writes cues as TTML, for the properties that reading must have.

use quick_xml::escape::escape;

use super::super::cue::{Cue, Span};
use super::super::settings::Align;
use super::super::time::Clock;

/// Writes cues in one language (BCP 47), with two regions, at the top and at the bottom.
pub(in super::super) fn write(cues: &[Cue], language: &str) -> String {
    let mut output = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
        <tt xmlns=\"http://www.w3.org/ns/ttml\" xmlns:tts=\"http://www.w3.org/ns/ttml#styling\" xml:lang=\"{}\">\n\
        <head><layout>\n\
        <region xml:id=\"top\" tts:origin=\"10% 10%\" tts:extent=\"80% 80%\" tts:displayAlign=\"before\" tts:textAlign=\"center\"/>\n\
        <region xml:id=\"bottom\" tts:origin=\"10% 10%\" tts:extent=\"80% 80%\" tts:displayAlign=\"after\" tts:textAlign=\"center\"/>\n\
        </layout></head>\n\
        <body><div>\n",
        escape(language)
    );
    for cue in cues {
        let region = if cue.settings.is_top() { "top" } else { "bottom" };
        let (start, end) = (Clock(cue.start), Clock(cue.end));
        output.push_str(&format!(
            "<p begin=\"{start}\" end=\"{end}\" region=\"{region}\" xml:space=\"preserve\""
        ));
        match cue.settings.align() {
            Align::Center => {}
            align => output.push_str(&format!(" tts:textAlign=\"{}\"", align.as_str())),
        }
        output.push('>');
        for (index, line) in cue.lines.iter().enumerate() {
            if index > 0 {
                output.push_str("<br/>");
            }
            line.spans().iter().for_each(|span| write_span(span, &mut output));
        }
        output.push_str("</p>\n");
    }
    output.push_str("</div></body></tt>\n");
    output
}

fn write_span(span: &Span, output: &mut String) {
    let looks: String = [
        (span.style.bold, " tts:fontWeight=\"bold\""),
        (span.style.italic, " tts:fontStyle=\"italic\""),
        (span.style.underline, " tts:textDecoration=\"underline\""),
    ]
    .iter()
    .filter(|(is_on, _)| *is_on)
    .map(|(_, attribute)| *attribute)
    .collect();
    let text = escape(&span.text);
    if looks.is_empty() {
        output.push_str(&text);
    } else {
        output.push_str(&format!("<span{looks}>{text}</span>"));
    }
}
