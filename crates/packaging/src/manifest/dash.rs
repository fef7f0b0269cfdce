//! The MPD of a profile: the packager's, event by event, with other URLs and the profile's own content protection, and
//! with its elements in the schema's order.

mod output;

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::events::attributes::Attribute;
use quick_xml::events::{BytesStart, BytesText, Event};
use reelfarm_model::KeyId;

use self::output::Output;
use super::Urls;
use super::protection::Protection;
use super::subtitles::Subtitles;

const CONTENT_PROTECTION: &str = "ContentProtection";
/// The scheme of the element that names the key itself (ISO/IEC 23009-1 clause 5.8.5.2).
const MP4_PROTECTION: &str = "urn:mpeg:dash:mp4protection:2011";

/// The MPD with every URL led to the media set, and with what the profile's systems are told in the place of what the
/// packager says to others; and with the subtitles, whose sets come last.
///
/// # Errors
/// It is not well-formed, a URL does not lie in the media set, or its keys are not those of the profile.
pub(super) fn rewrite(
    mpd: &[u8],
    urls: &Urls,
    protection: Option<&Protection<'_>>,
    subtitles: &Subtitles<'_>,
) -> Result<Vec<u8>, String> {
    let mut reader = Reader::from_reader(mpd);
    let mut output = Output::with_capacity(mpd.len() + 4096);
    let mut buffer = Vec::new();
    let mut in_base_url = false;
    let mut left_out = Vec::new();
    let mut told = false;
    let mut next_set = 0;
    loop {
        let event = reader
            .read_event_into(&mut buffer)
            .map_err(|error| format!("at byte {}: {error}", reader.error_position()))?;
        let event = match event {
            Event::Eof if told == protection.is_some() => return Ok(output.into_inner()),
            Event::Eof => {
                return Err("it names a key where it should not, or none where it should".to_owned());
            }
            Event::Empty(element) if element.name().as_ref() == CONTENT_PROTECTION => {
                if let Some(id) = key_named_by(&element)? {
                    let protection = protection.ok_or("it names a key, and the profile is clear")?;
                    output.write(Event::Empty(element))?;
                    output.write_text(&protection.elements(id)?);
                    told = true;
                }
                buffer.clear();
                continue;
            }
            Event::Start(element) if element.name().as_ref() == CONTENT_PROTECTION => {
                if key_named_by(&element)?.is_some() {
                    return Err("the element that names the key has content".to_owned());
                }
                let end = element.to_end().into_owned();
                reader
                    .read_to_end_into(end.name(), &mut left_out)
                    .map_err(|error| format!("at byte {}: {error}", reader.error_position()))?;
                left_out.clear();
                buffer.clear();
                continue;
            }
            Event::Start(element) if element.name().as_ref() == "SegmentTemplate" => {
                Event::Start(with_urls(&element, urls)?)
            }
            Event::Start(element) => {
                if element.name().as_ref() == "AdaptationSet" {
                    next_set = next_set.max(after(&element)?);
                }
                in_base_url = element.name().as_ref() == "BaseURL";
                Event::Start(element)
            }
            Event::Text(text) if in_base_url => Event::Text(BytesText::from_escaped(urls.of(&text)?)),
            Event::End(element) => {
                if element.name().as_ref() == "Period" {
                    output.write_text(&subtitles.adaptation_sets(next_set));
                }
                in_base_url = false;
                Event::End(element)
            }
            other => other,
        };
        output.write(event)?;
        buffer.clear();
    }
}

/// The number after that of an adaptation set (ISO/IEC 23009-1 clause 5.3.3.2).
fn after(set: &BytesStart<'_>) -> Result<u32, String> {
    for attribute in set.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        if attribute.key.as_ref() == "id" {
            let id: Option<u32> = attribute.value.parse().ok();
            let next = id.and_then(|id| id.checked_add(1));
            return next.ok_or_else(|| format!("an adaptation set has the id {:?}", attribute.value));
        }
    }
    Ok(0)
}

/// The key that a `ContentProtection` names, where it is the one that names a key.
fn key_named_by(element: &BytesStart<'_>) -> Result<Option<KeyId>, String> {
    let (mut scheme, mut id) = (None, None);
    for attribute in element.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        match attribute.key.as_ref() {
            "schemeIdUri" => scheme = Some(attribute.value.into_owned()),
            "cenc:default_KID" => id = Some(attribute.value.into_owned()),
            _ => {}
        }
    }
    if scheme.as_deref() != Some(MP4_PROTECTION) {
        return Ok(None);
    }
    let id = id.ok_or("the element that names the key names none")?;
    id.parse().map(Some).map_err(|error: reelfarm_model::content_key::InvalidKeyId| error.to_string())
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

    fn none() -> Subtitles<'static> {
        Subtitles::of(&[], reelfarm_model::profile::Container::Dash, &std::collections::BTreeMap::new())
            .unwrap()
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
        assert_eq!(
            String::from_utf8(rewrite(mpd.as_bytes(), &urls(), None, &none()).unwrap()).unwrap(),
            expected
        );
    }

    #[test]
    fn a_cut_mpd_or_a_url_outside_the_media_set_is_refused() {
        for mpd in [
            "<MPD><BaseURL>/etc/passwd</BaseURL></MPD>",
            "<MPD><BaseURL>https://example.com/a.mp4</BaseURL></MPD>",
            "<MPD><SegmentTemplate media=\"../a\"></SegmentTemplate></MPD>",
            "<MPD><BaseURL>a.mp4</BaseUrl></MPD>",
            "<MPD><AdaptationSet id=\"sound\"></AdaptationSet></MPD>",
            "<MPD><AdaptationSet id=\"4294967295\"></AdaptationSet></MPD>",
        ] {
            assert!(rewrite(mpd.as_bytes(), &urls(), None, &none()).is_err(), "{mpd}");
        }
    }
}
