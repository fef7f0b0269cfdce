//! The MPD of a profile: the packager's, event by event, with other URLs.

use std::borrow::Cow;

use quick_xml::events::attributes::Attribute;
use quick_xml::events::{BytesStart, BytesText, Event};
use quick_xml::{Reader, Writer};

use super::Urls;

/// The MPD with every URL led to the media set.
///
/// # Errors
/// It is not well-formed, or a URL does not lie in the media set.
pub(super) fn rewrite(mpd: &[u8], urls: &Urls) -> Result<Vec<u8>, String> {
    let mut reader = Reader::from_reader(mpd);
    let mut writer = Writer::new(Vec::with_capacity(mpd.len() + 4096));
    let mut buffer = Vec::new();
    let mut in_base_url = false;
    loop {
        let event = reader
            .read_event_into(&mut buffer)
            .map_err(|error| format!("at byte {}: {error}", reader.error_position()))?;
        let event = match event {
            Event::Eof => return Ok(writer.into_inner()),
            Event::Start(element) if element.name().as_ref() == "SegmentTemplate" => {
                Event::Start(with_urls(&element, urls)?)
            }
            Event::Start(element) => {
                in_base_url = element.name().as_ref() == "BaseURL";
                Event::Start(element)
            }
            Event::Text(text) if in_base_url => Event::Text(BytesText::from_escaped(urls.of(&text)?)),
            Event::End(element) => {
                in_base_url = false;
                Event::End(element)
            }
            other => other,
        };
        writer.write_event(event).map_err(|error| error.to_string())?;
        buffer.clear();
    }
}

fn with_urls(element: &BytesStart<'_>, urls: &Urls) -> Result<BytesStart<'static>, String> {
    let mut rewritten = BytesStart::new("SegmentTemplate");
    for attribute in element.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let value = match attribute.key.as_ref() {
            "initialization" | "media" => Cow::Owned(urls.of(&attribute.value)?),
            _ => attribute.value,
        };
        rewritten.push_attribute(Attribute { key: attribute.key, value });
    }
    Ok(rewritten)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls() -> Urls {
        Urls { prefix: "../media/set/".into() }
    }

    #[test]
    fn urls_change_and_nothing_else_does() {
        let mpd = r#"<?xml version="1.0" encoding="UTF-8"?>
<!--Generated-->
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static">
  <Label>Fast &amp; slow</Label>
  <BaseURL>video-720p.mp4</BaseURL>
  <SegmentTemplate timescale="12800" initialization="a/init.mp4" media="a/$Number$.m4s" startNumber="1">
    <S t="0" d="25600" r="4"/>
  </SegmentTemplate>
</MPD>
"#;
        let expected = mpd
            .replace("video-720p.mp4", "../media/set/video-720p.mp4")
            .replace("a/init", "../media/set/a/init")
            .replace("a/$", "../media/set/a/$");
        assert_eq!(String::from_utf8(rewrite(mpd.as_bytes(), &urls()).unwrap()).unwrap(), expected);
    }

    #[test]
    fn a_cut_mpd_or_a_url_outside_the_media_set_is_refused() {
        for mpd in [
            "<MPD><BaseURL>/etc/passwd</BaseURL></MPD>",
            "<MPD><BaseURL>https://example.com/a.mp4</BaseURL></MPD>",
            "<MPD><SegmentTemplate media=\"../a\"></SegmentTemplate></MPD>",
            "<MPD><BaseURL>a.mp4</BaseUrl></MPD>",
        ] {
            assert!(rewrite(mpd.as_bytes(), &urls()).is_err(), "{mpd}");
        }
    }
}
