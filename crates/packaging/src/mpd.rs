//! The MPD of MPEG-DASH (ISO/IEC 23009-1), read strictly: what is not known here is an error, so that nothing in a
//! manifest goes unchecked. It knows exactly the elements that the farm's profiles use.

pub(crate) mod order;
mod text;

use std::collections::BTreeMap;

use serde::Deserialize;

/// The namespace of an MPD.
const NAMESPACE: &str = "urn:mpeg:dash:schema:mpd:2011";
/// The schemes that name colours by their code points (ISO/IEC 23091-2).
const COLOURS: [&str; 3] = [
    "urn:mpeg:mpegB:cicp:ColourPrimaries",
    "urn:mpeg:mpegB:cicp:TransferCharacteristics",
    "urn:mpeg:mpegB:cicp:MatrixCoefficients",
];
/// The scheme that names the sets between whose representations a player may switch (5.3.3.5).
const SWITCHING: &str = "urn:mpeg:dash:adaptation-set-switching:2016";
/// The code point of BT.709 in each of them.
const BT709: &str = "1";

/// The root element (5.3.1).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mpd {
    #[serde(rename = "@xmlns")]
    namespace: String,
    #[serde(rename = "@xmlns:xsi")]
    _schema_instance: Option<String>,
    #[serde(rename = "@schemaLocation", alias = "@xsi:schemaLocation")]
    _schema_location: Option<String>,
    #[serde(rename = "@xmlns:cenc")]
    _common_encryption: Option<String>,
    /// Names the restrictions that the presentation keeps.
    #[serde(rename = "@profiles")]
    pub(crate) profiles: String,
    #[serde(rename = "@minBufferTime")]
    _min_buffer_time: String,
    #[serde(rename = "@type")]
    pub(crate) kind: String,
    #[serde(rename = "@mediaPresentationDuration")]
    media_presentation_duration: String,
    #[serde(rename = "Period")]
    pub(crate) periods: Vec<Period>,
}

/// A stretch of the presentation (5.3.2); ours have one.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Period {
    #[serde(rename = "@id")]
    _id: Option<String>,
    #[serde(rename = "AdaptationSet", default)]
    pub(crate) adaptation_sets: Vec<AdaptationSet>,
}

/// Representations that a player may switch between (5.3.3).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AdaptationSet {
    /// Unique in its period (5.3.3.2).
    #[serde(rename = "@id")]
    pub(crate) id: Option<u32>,
    /// `video`, `audio` or `text`.
    #[serde(rename = "@contentType")]
    pub(crate) content_type: String,
    #[serde(rename = "@lang")]
    pub(crate) language: Option<String>,
    #[serde(rename = "@width")]
    pub(crate) width: Option<u32>,
    #[serde(rename = "@height")]
    pub(crate) height: Option<u32>,
    #[serde(rename = "@maxWidth")]
    _max_width: Option<u32>,
    #[serde(rename = "@maxHeight")]
    _max_height: Option<u32>,
    #[serde(rename = "@frameRate")]
    pub(crate) frame_rate: Option<String>,
    #[serde(rename = "@maxFrameRate")]
    _max_frame_rate: Option<String>,
    #[serde(rename = "@par")]
    _picture_aspect: Option<String>,
    #[serde(rename = "@segmentAlignment")]
    segment_alignment: Option<bool>,
    #[serde(rename = "@subsegmentAlignment")]
    subsegment_alignment: Option<bool>,
    #[serde(rename = "@startWithSAP")]
    _start_with_sap: Option<u8>,
    #[serde(rename = "@subsegmentStartsWithSAP")]
    _subsegment_starts_with_sap: Option<u8>,
    /// How its representations are encrypted, where all have one key.
    #[serde(rename = "ContentProtection", default)]
    pub(crate) content_protections: Vec<ContentProtection>,
    #[serde(rename = "SupplementalProperty", default)]
    supplemental_properties: Vec<Descriptor>,
    #[serde(rename = "Role", default)]
    pub(crate) roles: Vec<Descriptor>,
    #[serde(rename = "Label", default)]
    pub(crate) labels: Vec<String>,
    #[serde(rename = "Representation", default)]
    pub(crate) representations: Vec<Representation>,
}

/// One rendition (5.3.5).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Representation {
    #[serde(rename = "@id")]
    pub(crate) id: String,
    #[serde(rename = "@bandwidth")]
    pub(crate) bandwidth: u64,
    /// Empty where the media type says it all, as for a file of text.
    #[serde(rename = "@codecs", default)]
    pub(crate) codecs: String,
    #[serde(rename = "@mimeType")]
    pub(crate) mime_type: String,
    #[serde(rename = "@sar")]
    pub(crate) sample_aspect: Option<String>,
    #[serde(rename = "@width")]
    pub(crate) width: Option<u32>,
    #[serde(rename = "@height")]
    pub(crate) height: Option<u32>,
    #[serde(rename = "@frameRate")]
    pub(crate) frame_rate: Option<String>,
    #[serde(rename = "@audioSamplingRate")]
    pub(crate) audio_sampling_rate: Option<u32>,
    /// How it is encrypted, where its set has several keys.
    #[serde(rename = "ContentProtection", default)]
    pub(crate) content_protections: Vec<ContentProtection>,
    #[serde(rename = "AudioChannelConfiguration")]
    pub(crate) channels: Option<Descriptor>,
    #[serde(rename = "BaseURL")]
    pub(crate) base_url: Option<String>,
    #[serde(rename = "SegmentBase")]
    pub(crate) segment_base: Option<SegmentBase>,
    #[serde(rename = "SegmentTemplate")]
    pub(crate) segment_template: Option<SegmentTemplate>,
}

/// What a player needs to decrypt (5.8.5.2; DASH-IF IOP part 6, clause 6).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContentProtection {
    #[serde(rename = "@schemeIdUri")]
    pub(crate) scheme: String,
    #[serde(rename = "@value")]
    pub(crate) value: Option<String>,
    /// The key's id, in the element that names the encryption scheme.
    #[serde(rename = "@cenc:default_KID", alias = "@default_KID")]
    pub(crate) key_id: Option<String>,
    /// A `pssh` box in base64, in an element of a DRM system.
    #[serde(rename = "cenc:pssh", alias = "pssh")]
    pub(crate) pssh: Option<String>,
    /// A PlayReady Object in base64.
    #[serde(rename = "mspr:pro", alias = "pro")]
    pub(crate) playready_object: Option<Foreign>,
    /// What Marlin's players read.
    #[serde(rename = "mas:MarlinContentIds", alias = "MarlinContentIds")]
    pub(crate) marlin: Option<MarlinContentIds>,
}

/// Text in an element that brings its own namespace.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Foreign {
    #[serde(rename = "@xmlns:mspr", alias = "@mspr")]
    _namespace: String,
    #[serde(rename = "$text")]
    pub(crate) text: String,
}

/// The content ids of a Marlin system (Marlin Adaptive Streaming, clause 3).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MarlinContentIds {
    #[serde(rename = "@xmlns:mas", alias = "@mas")]
    _namespace: String,
    #[serde(rename = "mas:MarlinContentId", alias = "MarlinContentId")]
    pub(crate) ids: Vec<String>,
}

/// A scheme with a value (5.8.2).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Descriptor {
    #[serde(rename = "@schemeIdUri")]
    pub(crate) scheme: String,
    #[serde(rename = "@value")]
    pub(crate) value: String,
}

/// Where a single file has its header and its segment index (5.3.9.2).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SegmentBase {
    #[serde(rename = "@indexRange")]
    pub(crate) index_range: String,
    #[serde(rename = "@timescale")]
    pub(crate) timescale: u32,
    #[serde(rename = "Initialization")]
    pub(crate) initialization: Initialization,
}

/// Bytes of a single file's header (5.3.9.2).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Initialization {
    #[serde(rename = "@range")]
    pub(crate) range: String,
}

/// Names of segments and their times (5.3.9.4).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SegmentTemplate {
    #[serde(rename = "@timescale")]
    pub(crate) timescale: u32,
    #[serde(rename = "@initialization")]
    pub(crate) initialization: String,
    #[serde(rename = "@media")]
    pub(crate) media: String,
    #[serde(rename = "@startNumber")]
    pub(crate) start_number: u64,
    #[serde(rename = "SegmentTimeline")]
    timeline: SegmentTimeline,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SegmentTimeline {
    #[serde(rename = "S", default)]
    entries: Vec<TimelineEntry>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TimelineEntry {
    #[serde(rename = "@t")]
    time: Option<u64>,
    #[serde(rename = "@d")]
    duration: u64,
    #[serde(rename = "@r", default)]
    repeat: u32,
}

/// The most segments that a timeline may have: 4 days of 2 s segments. Its run lengths are read from a file and must
/// not decide how much memory is taken.
const MOST_SEGMENTS: usize = 172_800;

/// A manifest is not what the specification or the farm's profiles allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct MpdError(pub(crate) String);

impl Mpd {
    /// Reads an MPD.
    ///
    /// # Errors
    /// The text is no well-formed MPD, or it holds what the farm's profiles do not use.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, MpdError> {
        let text = std::str::from_utf8(bytes).map_err(|error| MpdError(format!("not UTF-8: {error}")))?;
        let mpd: Self = quick_xml::de::from_str(text).map_err(|error| MpdError(error.to_string()))?;
        if mpd.namespace != NAMESPACE {
            return Err(MpdError(format!("the root's namespace is {:?}, not {NAMESPACE:?}", mpd.namespace)));
        }
        if mpd.kind != "static" {
            return Err(MpdError(format!("the type is {:?}, not \"static\"", mpd.kind)));
        }
        mpd.duration()?;
        Ok(mpd)
    }

    /// The same, of an MPD that players get: its elements stand in the schema's order, as those of the packager do not.
    ///
    /// # Errors
    /// Those of [`Mpd::parse`], and elements in another order.
    pub(crate) fn parse_published(bytes: &[u8]) -> Result<Self, MpdError> {
        let mpd = Self::parse(bytes)?;
        order::check(bytes)?;
        Ok(mpd)
    }

    /// The duration of the presentation in microseconds.
    ///
    /// # Errors
    /// The attribute is no duration of XML Schema in the form `PT1H2M3.4S`.
    pub(crate) fn duration(&self) -> Result<u64, MpdError> {
        let text = &self.media_presentation_duration;
        duration_microseconds(text).ok_or_else(|| MpdError(format!("mediaPresentationDuration is {text:?}")))
    }
}

impl AdaptationSet {
    /// Whether the set says that its segments are aligned over its representations.
    pub(crate) fn is_aligned(&self) -> bool {
        self.segment_alignment == Some(true) || self.subsegment_alignment == Some(true)
    }

    /// The first supplemental property that the farm's profiles do not have. BT.709, as every ladder is, may be named, and
    /// so may sets that a player may switch to.
    pub(crate) fn foreign_property(&self) -> Option<&Descriptor> {
        let known = |property: &&Descriptor| {
            let is_bt709 = COLOURS.contains(&property.scheme.as_str()) && property.value == BT709;
            is_bt709 || property.scheme == SWITCHING
        };
        self.supplemental_properties.iter().find(|property| !known(property))
    }

    /// The ids of the sets that a player may switch to: those that hold the same pictures under another key.
    pub(crate) fn switching(&self) -> impl Iterator<Item = &str> {
        let named = self.supplemental_properties.iter().filter(|property| property.scheme == SWITCHING);
        named.flat_map(|property| property.value.split(','))
    }
}

impl SegmentTemplate {
    /// The start and duration of every segment, in units of the time scale.
    ///
    /// # Errors
    /// The timeline is longer than any title.
    pub(crate) fn segments(&self) -> Result<Vec<(u64, u64)>, MpdError> {
        let mut segments = Vec::new();
        let mut next = 0u64;
        for entry in &self.timeline.entries {
            let mut start = entry.time.unwrap_or(next);
            for _ in 0..=entry.repeat {
                if segments.len() == MOST_SEGMENTS {
                    return Err(MpdError(format!("the timeline has more than {MOST_SEGMENTS} segments")));
                }
                segments.push((start, entry.duration));
                start = start.saturating_add(entry.duration);
            }
            next = start;
        }
        Ok(segments)
    }

    /// The URL of the segment with this number.
    pub(crate) fn url(&self, number: u64) -> String {
        self.media.replace("$Number$", &number.to_string())
    }
}

/// Reads `first-last` as bytes from the first to the last, both included.
pub(crate) fn byte_range(text: &str) -> Option<(u64, u64)> {
    let (first, last) = text.split_once('-')?;
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last && last < u64::MAX).then_some((first, last))
}

fn duration_microseconds(text: &str) -> Option<u64> {
    let mut rest = text.strip_prefix("PT")?;
    let scales = BTreeMap::from([('H', 3_600.0), ('M', 60.0), ('S', 1.0)]);
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let at = rest.find(|c: char| c.is_ascii_uppercase())?;
        let value: f64 = rest[..at].parse().ok()?;
        let unit = rest[at..].chars().next()?;
        seconds += value * scales.get(&unit)?;
        rest = &rest[at + 1..];
    }
    (text.len() > 2 && (0.0..1e10).contains(&seconds)).then(|| (seconds * 1e6).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEGMENTED: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<!--Generated-->
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="urn:mpeg:dash:schema:mpd:2011 DASH-MPD.xsd" profiles="urn:mpeg:dash:profile:isoff-live:2011" minBufferTime="PT2S" type="static" mediaPresentationDuration="PT11S">
  <Period id="0">
    <AdaptationSet id="1" contentType="audio" lang="en" startWithSAP="1" segmentAlignment="true">
      <SupplementalProperty schemeIdUri="urn:mpeg:mpegB:cicp:TransferCharacteristics" value="1"/>
      <Label>English</Label>
      <Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"/>
      <Representation id="2" bandwidth="101244" codecs="mp4a.40.2" mimeType="audio/mp4" audioSamplingRate="48000">
        <AudioChannelConfiguration schemeIdUri="urn:mpeg:dash:23003:3:audio_channel_configuration:2011" value="2"/>
        <SegmentTemplate timescale="48000" initialization="audio/init.mp4" media="audio/$Number$.m4s" startNumber="1">
          <SegmentTimeline>
            <S t="0" d="96256" r="2"/>
            <S t="288768" d="95232"/>
          </SegmentTimeline>
        </SegmentTemplate>
      </Representation>
    </AdaptationSet>
  </Period>
</MPD>"#;

    #[test]
    fn a_timeline_is_unrolled() {
        let mpd = Mpd::parse_published(SEGMENTED.as_bytes()).unwrap();
        assert_eq!(mpd.duration().unwrap(), 11_000_000);
        let set = &mpd.periods[0].adaptation_sets[0];
        assert!(set.is_aligned());
        let template = set.representations[0].segment_template.as_ref().unwrap();
        assert_eq!(
            template.segments().unwrap(),
            [(0, 96_256), (96_256, 96_256), (192_512, 96_256), (288_768, 95_232)]
        );
        assert_eq!(template.url(3), "audio/3.m4s");
    }

    #[test]
    fn content_protection_is_read() {
        const PROTECTION: &str = "<ContentProtection value=\"cenc\" schemeIdUri=\"urn:mpeg:dash:mp4protection:2011\" cenc:default_KID=\"ffee\"/>\
            <ContentProtection schemeIdUri=\"urn:uuid:9a04\" value=\"MSPR 2.0\"><cenc:pssh>AAAA</cenc:pssh>\
            <mspr:pro xmlns:mspr=\"urn:microsoft:playready\">BBBB</mspr:pro></ContentProtection>\
            <ContentProtection schemeIdUri=\"urn:uuid:5e62\" value=\"Marlin\"><mas:MarlinContentIds xmlns:mas=\"urn:marlin\">\
            <mas:MarlinContentId>urn:marlin:kid:ff</mas:MarlinContentId></mas:MarlinContentIds></ContentProtection><SupplementalProperty";
        let text = SEGMENTED
            .replacen(" xmlns:xsi", " xmlns:cenc=\"urn:mpeg:cenc:2013\" xmlns:xsi", 1)
            .replacen("<SupplementalProperty", PROTECTION, 1);
        let mpd = Mpd::parse(text.as_bytes()).unwrap();
        let [key, playready, marlin] = mpd.periods[0].adaptation_sets[0].content_protections.as_slice()
        else {
            panic!("three elements")
        };
        assert_eq!((key.key_id.as_deref(), key.value.as_deref()), (Some("ffee"), Some("cenc")));
        assert_eq!(playready.pssh.as_deref(), Some("AAAA"));
        assert_eq!(playready.playready_object.as_ref().unwrap().text, "BBBB");
        assert_eq!(marlin.marlin.as_ref().unwrap().ids, ["urn:marlin:kid:ff"]);
        let unknown = text.replacen("cenc:pssh", "cenc:psst", 2);
        assert!(Mpd::parse(unknown.as_bytes()).is_err());
    }

    /// With several keys, elements of one name stand apart.
    #[test]
    fn a_set_names_those_that_a_player_may_switch_to() {
        const SWITCHING: &str = "<ContentProtection schemeIdUri=\"urn:mpeg:dash:mp4protection:2011\"/>\
            <SupplementalProperty schemeIdUri=\"urn:mpeg:dash:adaptation-set-switching:2016\" value=\"2,3\"/><Supp";
        let mpd = Mpd::parse(SEGMENTED.replacen("<Supp", SWITCHING, 1).as_bytes()).unwrap();
        let set = &mpd.periods[0].adaptation_sets[0];
        assert!(set.foreign_property().is_none());
        assert_eq!(set.switching().collect::<Vec<_>>(), ["2", "3"]);
    }

    #[test]
    fn what_the_profiles_do_not_use_is_refused() {
        for (from, to) in [
            ("type=\"static\"", "type=\"dynamic\""),
            ("schema:mpd:2011\" xmlns:xsi", "schema:mpd:2099\" xmlns:xsi"),
            ("startWithSAP", "startsSomehow"),
            ("<Role ", "<Rolle "),
            ("</MPD>", ""),
            ("bandwidth=\"101244\"", "bandwidth=\"fast\""),
            ("\"PT11S\"", "\"11\""),
        ] {
            assert!(Mpd::parse(SEGMENTED.replacen(from, to, 1).as_bytes()).is_err(), "{to}");
        }
    }

    /// The schema's order, which players that read against it insist on; and numbers where it has numbers.
    #[test]
    fn what_the_schema_does_not_allow_is_refused() {
        const LABEL: &str = "<Label>English</Label>";
        let channels = SEGMENTED.lines().find(|line| line.contains("AudioChannelConfiguration")).unwrap();
        for (text, reason) in [
            (
                SEGMENTED.replacen(LABEL, "", 1).replacen(
                    "<Representation",
                    &format!("{LABEL}<Representation"),
                    1,
                ),
                "Label stands behind Role in AdaptationSet",
            ),
            (
                SEGMENTED.replacen(channels, "", 1).replacen(
                    "</Representation>",
                    &format!("{channels}</Representation>"),
                    1,
                ),
                "AudioChannelConfiguration stands behind SegmentTemplate in Representation",
            ),
            (
                SEGMENTED.replacen("AdaptationSet id=\"1\"", "AdaptationSet id=\"sound\"", 1),
                "invalid type: string \"sound\"",
            ),
        ] {
            let error = Mpd::parse_published(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(reason), "{error}");
        }
    }

    #[test]
    fn a_hostile_repeat_takes_no_memory() {
        let mpd = Mpd::parse(SEGMENTED.replace("r=\"2\"", "r=\"4294967295\"").as_bytes()).unwrap();
        let template =
            mpd.periods[0].adaptation_sets[0].representations[0].segment_template.as_ref().unwrap();
        assert!(template.segments().is_err());
    }

    #[test]
    fn durations_and_ranges_are_read() {
        for (text, expected) in [
            ("PT11S", Some(11_000_000)),
            ("PT1H2M3.5S", Some(3_723_500_000)),
            ("PT0.04S", Some(40_000)),
            ("PT", None),
            ("P1D", None),
            ("PT1X", None),
            ("PT-1S", None),
        ] {
            assert_eq!(duration_microseconds(text), expected, "{text}");
        }
        assert_eq!(byte_range("876-979"), Some((876, 979)));
        for text in ["", "5", "7-6", "a-b", "-1-5"] {
            assert_eq!(byte_range(text), None, "{text}");
        }
    }
}
