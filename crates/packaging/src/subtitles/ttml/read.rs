//! Reads cues from TTML.

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use super::super::cue::Numbered;
use super::super::encoding::{is_text, line_of, no_text};
use super::super::error::SubtitleError;
use super::super::settings::Settings;
use super::paragraph::{Interval, Paragraph, Room};
use super::place::Screen;
use super::style::{Attributes, Looks, Sheet};
use super::time::TimeBase;

/// How deep elements may lie in one another.
const DEEPEST: usize = 64;

/// Reads cues, and puts them into the order of their beginnings, which TTML does not ask for.
pub(in super::super) fn read(text: &str) -> Result<Vec<Numbered>, SubtitleError> {
    let mut reader = Reader::from_str(text);
    let mut document = Document { line: 1, ..Document::default() };
    let mut counted = 0;
    loop {
        let begin = reader.buffer_position() as usize;
        let passed = text.as_bytes().get(counted..begin).unwrap_or_default();
        document.line += passed.iter().filter(|byte| **byte == b'\n').count();
        counted = begin;
        let done = match reader.read_event() {
            Ok(Event::Eof) => break,
            Ok(event) => document.event(event),
            Err(error) => {
                let at = reader.error_position() as usize;
                return Err(SubtitleError::new(line_of(text, at), format!("this is no XML: {error}")));
            }
        };
        done.map_err(|reason| SubtitleError::new(document.line, reason))?;
    }
    if !document.stack.is_empty() {
        return Err(SubtitleError::new(line_of(text, text.len()), "the file ends before its elements do"));
    }
    document.cues.sort_by_key(|(_, cue)| cue.start);
    Ok(document.cues)
}

/// An element that is open.
#[derive(Clone, Debug)]
struct Element {
    kind: Kind,
    /// The line that it begins in, counted from 1.
    line: usize,
    /// When its content is seen.
    interval: Interval,
    /// Without its region's.
    looks: Looks,
    /// What its region says; `None` where none was named.
    region: Option<Looks>,
    /// Whether nothing of it is there, whenever it is.
    hidden: bool,
    /// Whether white space counts.
    preserves: bool,
    /// Its id.
    id: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Root,
    Head,
    Region,
    /// `body` or `div`.
    Container,
    Paragraph,
    Span,
    /// Anything whose content is not read.
    Other,
}

#[derive(Debug, Default)]
struct Document {
    base: Option<TimeBase>,
    screen: Option<Screen>,
    sheet: Sheet,
    stack: Vec<Element>,
    /// The line of the event that is being read, counted from 1.
    line: usize,
    paragraph: Paragraph,
    room: Room,
    cues: Vec<Numbered>,
}

impl Document {
    fn event(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::Start(start) => self.open(&start),
            Event::Empty(start) => {
                self.open(&start)?;
                self.close()
            }
            Event::End(_) => self.close(),
            Event::Text(text) => self.push(&text.xml10_content()),
            Event::CData(text) => self.push(&text.xml10_content()),
            Event::GeneralRef(reference) => {
                let character = match reference.resolve_char_ref() {
                    Ok(Some(character)) => character,
                    Ok(None) => match &*reference.xml10_content() {
                        "amp" => '&',
                        "lt" => '<',
                        "gt" => '>',
                        "quot" => '"',
                        "apos" => '\'',
                        other => return Err(format!("nobody says what &{other}; is")),
                    },
                    Err(error) => return Err(format!("a character reference makes no sense: {error}")),
                };
                if !is_text(character) {
                    return Err(no_text(character));
                }
                self.push(character.encode_utf8(&mut [0; 4]))
            }
            _ => Ok(()),
        }
    }

    fn push(&mut self, text: &str) -> Result<(), String> {
        match self.stack.last() {
            Some(element) if matches!(element.kind, Kind::Paragraph | Kind::Span) => {
                let looks = element.looks.or(element.region.unwrap_or_default());
                if looks.is_visible() && !element.hidden {
                    self.paragraph.push(element.interval, text, looks.style(), element.preserves);
                }
                Ok(())
            }
            None if !text.trim().is_empty() => Err("text stands outside of the document".to_owned()),
            _ => Ok(()),
        }
    }

    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), String> {
        if self.stack.len() >= DEEPEST {
            return Err(format!("elements lie more than {DEEPEST} deep in one another"));
        }
        let attributes = attributes(start)?;
        let name = start.local_name();
        let name = name.as_ref();
        let parent = self.stack.last();
        let kind = match (parent.map(|parent| parent.kind), name) {
            (None, "tt") if self.base.is_none() => Kind::Root,
            (None, _) => return Err(format!("{name} stands where the one tt should")),
            (Some(Kind::Root), "head") => Kind::Head,
            (Some(Kind::Head), "styling" | "layout") => Kind::Head,
            (Some(Kind::Head), "region") => Kind::Region,
            (Some(Kind::Root), "body") | (Some(Kind::Container), "div") => Kind::Container,
            (Some(Kind::Container), "p") => Kind::Paragraph,
            (Some(Kind::Paragraph | Kind::Span), "span") => Kind::Span,
            _ => Kind::Other,
        };
        match (parent, name) {
            (Some(Element { kind: Kind::Head, .. }), "style" | "region") => self.sheet.define(&attributes),
            (Some(Element { kind: Kind::Region, id: Some(id), .. }), "style") => {
                self.sheet.extend(id, &attributes);
            }
            (Some(Element { kind: Kind::Paragraph | Kind::Span, interval, hidden: false, .. }), "br") => {
                self.paragraph.break_line(*interval);
            }
            _ => {}
        }
        if kind == Kind::Root {
            self.base = Some(time_base(&attributes)?);
            self.screen = Some(Screen::of(&attributes));
        }
        let looks = self.sheet.looks(&attributes);
        let region = self.sheet.region(&attributes).or(parent.and_then(|parent| parent.region));
        let mut element = Element {
            kind,
            line: self.line,
            interval: Interval { begin: 0, end: None },
            looks: looks.or(parent.map(|parent| parent.looks.inherited()).unwrap_or_default()),
            region,
            hidden: parent.is_some_and(|parent| parent.hidden)
                || !looks.is_displayed()
                || region.is_some_and(|region| !region.is_displayed()),
            preserves: match attributes.get("space") {
                Some(space) => space == "preserve",
                None => parent.is_some_and(|parent| parent.preserves),
            },
            id: attributes.get("id").map(str::to_owned),
        };
        if matches!(kind, Kind::Container | Kind::Paragraph | Kind::Span) {
            if attributes.get("backgroundImage").is_some() {
                return Err("the subtitles are pictures, which are not read".to_owned());
            }
            self.times(&mut element, &attributes)?;
        }
        self.stack.push(element);
        Ok(())
    }

    /// Times are counted from the beginning of the element around (TTML1 10.2).
    fn times(&self, element: &mut Element, attributes: &Attributes) -> Result<(), String> {
        let time = |name| {
            let base = self.base.ok_or("there is no tt around")?;
            attributes.get(name).map(|text| base.milliseconds(text.trim())).transpose()
        };
        let (begin, end, duration) = (time("begin")?, time("end")?, time("dur")?);
        if attributes.get("timeContainer").is_some_and(|container| container != "par") {
            return Err("elements in sequence (timeContainer) are not read".to_owned());
        }
        let around = self.stack.last().map_or(element.interval, |parent| parent.interval);
        let begin = around.begin.saturating_add(begin.unwrap_or(0));
        let ends = [
            end.map(|end| around.begin.saturating_add(end)),
            duration.map(|duration| begin.saturating_add(duration)),
            around.end,
        ];
        element.interval = Interval { begin, end: ends.into_iter().flatten().min() };
        Ok(())
    }

    fn close(&mut self) -> Result<(), String> {
        let Some(element) = self.stack.pop() else { return Ok(()) };
        if element.kind != Kind::Paragraph {
            return Ok(());
        }
        let screen = self.screen.ok_or("there is no tt around")?;
        let looks = element.looks.or(element.region.unwrap_or_default());
        let settings = Settings::placed(looks.place().is_top(screen), looks.align());
        let cues = std::mem::take(&mut self.paragraph).cues(&settings, &mut self.room)?;
        self.cues.extend(cues.into_iter().map(|cue| (element.line, cue)));
        Ok(())
    }
}

fn attributes(start: &BytesStart<'_>) -> Result<Attributes, String> {
    let mut attributes = Attributes::default();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| format!("an attribute cannot be read: {error}"))?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0);
        let value = value.map_err(|error| format!("an attribute cannot be read: {error}"))?;
        attributes.0.push((attribute.key.local_name().as_ref().to_owned(), value.into_owned()));
    }
    Ok(attributes)
}

fn time_base(attributes: &Attributes) -> Result<TimeBase, String> {
    match attributes.get("timeBase") {
        None | Some("media") => {}
        Some(other) => return Err(format!("times are those of {other}, not of the media")),
    }
    TimeBase::new(
        attributes.get("frameRate"),
        attributes.get("frameRateMultiplier"),
        attributes.get("tickRate"),
    )
}

#[cfg(test)]
mod tests {
    use super::super::super::webvtt;
    use super::*;

    /// Cues as WebVTT shows them.
    fn shown(text: &str) -> String {
        let cues: Vec<_> = read(text).unwrap().into_iter().map(|(_, cue)| cue).collect();
        webvtt::write(&cues)
    }

    fn body(paragraphs: &str) -> String {
        format!("<tt xmlns='http://www.w3.org/ns/ttml'><body><div>\n{paragraphs}\n</div></body></tt>")
    }

    #[test]
    fn ebu_tt_d_is_read() {
        let text = r##"<?xml version="1.0" encoding="UTF-8"?>
<!-- by hand -->
<tt:tt xmlns:tt="http://www.w3.org/ns/ttml" xmlns:tts="http://www.w3.org/ns/ttml#styling" xmlns:ttp="http://www.w3.org/ns/ttml#parameter"
    ttp:timeBase="media" ttp:cellResolution="50 30" xml:lang="de">
  <tt:head>
    <tt:metadata><ebuttm:documentMetadata xmlns:ebuttm="urn:ebu:tt:metadata">not shown</ebuttm:documentMetadata></tt:metadata>
    <tt:styling>
      <tt:style xml:id="defaultStyle" tts:fontFamily="Verdana" tts:textAlign="center"/>
      <tt:style xml:id="white" tts:color="#ffffff" tts:backgroundColor="#000000c2"/>
      <tt:style xml:id="slanted" style="white" tts:fontStyle="italic"/>
      <tt:style xml:id="left" tts:textAlign="left"/>
    </tt:styling>
    <tt:layout>
      <tt:region xml:id="bottom" tts:origin="10% 10%" tts:extent="80% 80%" tts:displayAlign="after"/>
      <tt:region xml:id="top" tts:origin="10% 10%" tts:extent="80% 80%" tts:displayAlign="before"/>
    </tt:layout>
  </tt:head>
  <tt:body>
    <tt:div style="defaultStyle">
      <tt:p xml:id="s2" begin="00:00:05.000" end="00:00:07.250" region="top" style="left">
        <tt:span style="white">Later &amp; above</tt:span>
      </tt:p>
      <tt:p xml:id="s1" begin="00:00:01.000" end="00:00:03.500" region="bottom">
        <tt:span style="slanted">Zuerst</tt:span><tt:br/>
        <tt:span style="white">&lt;zwei&gt;&#x20;
           Zeilen</tt:span>
      </tt:p>
    </tt:div>
  </tt:body>
</tt:tt>
"##;
        assert_eq!(
            shown(text),
            "WEBVTT\n\n\
            00:00:01.000 --> 00:00:03.500\n<i>Zuerst</i>\n&lt;zwei&gt; Zeilen\n\n\
            00:00:05.000 --> 00:00:07.250 line:0 align:left\nLater &amp; above\n"
        );
    }

    #[test]
    fn times_add_up_and_text_may_be_written_in_many_ways() {
        let text = "<tt xmlns='http://www.w3.org/2006/10/ttaf1' ttp:frameRate='25' xmlns:ttp='p'><body begin='10s'><div end='1m'>
<p begin='00:00:01:05' dur='50f'>one<br></br>two</p>
<p begin='2s'>until the <span tts:fontWeight='bold' xmlns:tts='s'>div <span tts:fontStyle='italic'>is</span></span> over</p>
<p begin='3s' end='4s' xml:space='preserve'>  kept  as
it is<metadata>not this</metadata></p>
<p begin='4s' end='5s'><![CDATA[<raw> & so]]></p>
<p begin='5s'/>
</div></body></tt>";
        assert_eq!(
            shown(text),
            "WEBVTT\n\n\
            00:00:11.200 --> 00:00:13.200\none\ntwo\n\n\
            00:00:12.000 --> 00:01:10.000\nuntil the <b>div </b><b><i>is</i></b> over\n\n\
            00:00:13.000 --> 00:00:14.000\nkept  as\nit is\n\n\
            00:00:14.000 --> 00:00:15.000\n&lt;raw&gt; &amp; so\n"
        );
    }

    /// EBU-TT-D and IMSC put times on spans, of which a paragraph without times has one a line.
    #[test]
    fn spans_come_and_go_at_their_own_times() {
        let text = body(
            "<p>\n<span begin='1s' end='3s'>one</span><br/>\n<span begin='2s' end='4s'>two <span end='1s'>2</span></span>\n</p>\n\
             <p begin='10s' end='20s'>stays<span begin='2s' dur='3s'> comes</span></p>",
        );
        assert_eq!(
            shown(&text),
            "WEBVTT\n\n\
            00:00:01.000 --> 00:00:02.000\none\n\n\
            00:00:02.000 --> 00:00:03.000\none\ntwo 2\n\n\
            00:00:03.000 --> 00:00:04.000\ntwo\n\n\
            00:00:10.000 --> 00:00:12.000\nstays\n\n\
            00:00:12.000 --> 00:00:15.000\nstays comes\n\n\
            00:00:15.000 --> 00:00:20.000\nstays\n"
        );
    }

    #[test]
    fn text_that_is_not_displayed_is_left_out() {
        let text = "<tt><head><styling><style xml:id='off' tts:display='none'/></styling>\
            <layout><region xml:id='r'><style tts:display='none'/></region></layout></head><body>\
            <div style='off'><p begin='1s' end='2s'>a<span tts:display='auto'>b</span></p></div>\
            <div region='r'><p begin='1s' end='2s'>c</p></div>\
            <div><p begin='1s' end='2s'>d<span tts:display='none'>e<br/>f</span>\
            <span tts:visibility='hidden'>g<span tts:visibility='visible'>h</span></span></p></div></body></tt>";
        assert_eq!(shown(text), "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\ndh\n");
    }

    #[test]
    fn text_stands_where_the_whole_of_its_region_says() {
        let text = "<tt tts:extent='640px 360px'><head><layout>\
            <region xml:id='a' tts:origin='10% 10%' tts:extent='80% 80%'><style tts:displayAlign='after'/></region>\
            <region xml:id='b'><style tts:origin='32px 280px'/><style tts:displayAlign='before'/></region>\
            <region xml:id='c' tts:origin='10% 5%' tts:extent='80% 20%' tts:displayAlign='after'/>\
            </layout></head><body region='c' tts:displayAlign='before'><div>\
            <p begin='1s' end='2s' region='a'>a</p><p begin='2s' end='3s' region='b'>b</p>\
            <p begin='3s' end='4s'>c</p></div></body></tt>";
        assert_eq!(
            shown(text),
            "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\na\n\n00:00:02.000 --> 00:00:03.000\nb\n\n\
             00:00:03.000 --> 00:00:04.000 line:0\nc\n"
        );
    }

    #[test]
    fn a_cue_knows_its_line() {
        let text = body("<p begin='3s' end='4s'>b</p>\n<p begin='1s'\n end='2s'>\na</p>");
        let lines: Vec<_> = read(&text).unwrap().into_iter().map(|(line, _)| line).collect();
        assert_eq!(lines, [3, 2]);
    }

    #[test]
    fn what_is_broken_or_not_read_is_refused_at_its_line() {
        let deep = "<tt><body>".to_owned() + &"<div>".repeat(DEEPEST);
        for (text, error) in [
            (body("<p begin='1s' end='x'>a</p>"), "line 2: \"x\" is no time such as 00:01:02.500 or 62.5s"),
            (
                body("\n<p begin='2s' end='1s'>a</p>"),
                "line 3: the text of the paragraph that ends here comes at 00:00:02.000 and goes at 00:00:01.000",
            ),
            (
                body("<p begin='1s'>a</p>"),
                "line 2: the paragraph that ends here does not say when its text goes",
            ),
            (
                body("<p begin='1s' end='99999h'>a</p>"),
                "line 2: the text of the paragraph that ends here comes at 00:00:01.000 and goes at 99999:00:00.000",
            ),
            (
                body("<p begin='1s' end='2s'>a<span begin='1s'>b</span></p>"),
                "line 2: the text of the paragraph that ends here comes at 00:00:02.000 and goes at 00:00:02.000",
            ),
            (
                body("<p>a<span begin='1s' end='2s'>b</span></p>"),
                "line 2: the paragraph that ends here does not say when its text goes",
            ),
            (body("<div timeContainer='seq'/>"), "line 2: elements in sequence (timeContainer) are not read"),
            (
                body("<div smpte:backgroundImage='#i'/>"),
                "line 2: the subtitles are pictures, which are not read",
            ),
            (body("<p begin='1s' end='2s'>&eacute;</p>"), "line 2: nobody says what &eacute; is"),
            (body("<p begin='1s' end='2s'>&#xFFFF;</p>"), "line 2: there is a control character, U+FFFF"),
            ("<tt ttp:timeBase='smpte'/>".to_owned(), "line 1: times are those of smpte, not of the media"),
            ("<tt ttp:frameRate='x'/>".to_owned(), "line 1: \"x\" is no positive number"),
            ("<html/>".to_owned(), "line 1: html stands where the one tt should"),
            ("<tt/>\n<tt/>".to_owned(), "line 2: tt stands where the one tt should"),
            ("<tt>\n<body>\n".to_owned(), "line 3: the file ends before its elements do"),
            (deep, "line 1: elements lie more than 64 deep in one another"),
        ] {
            assert_eq!(read(&text).unwrap_err().to_string(), error, "{text}");
        }
        for (text, line) in [
            ("<tt>\n</body></tt>", 2),
            ("<tt>\n<body begin=1s></tt>", 2),
            ("<tt>\n<body a='1' a='2'/></tt>", 2),
        ] {
            assert_eq!(read(text).unwrap_err().line, line, "{text}");
        }
    }
}
