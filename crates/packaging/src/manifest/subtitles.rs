//! What manifests say of subtitles, which lie in folders of their own that all profiles share.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use reelfarm_model::ArtifactKey;
use reelfarm_model::profile::Container;
use reelfarm_model::subtitles::{SubtitlePurpose, SubtitleTrack};

use super::{ManifestError, is_plain};
use crate::language;
use crate::playlist::Media;
use crate::subtitles::{MediaClock, WHOLE};

/// The group of subtitles that every variant stream plays with.
const GROUP: &str = "subtitles";
/// How HLS names subtitles for those who do not hear (HLS Authoring Specification for Apple Devices, 4.4).
const HARD_OF_HEARING: &str =
    "public.accessibility.transcribes-spoken-dialog,public.accessibility.describes-music-and-sound";

/// What a profile leads to of a track of subtitles, from the track's folder; `None` where its layout carries none.
pub fn entry_point(container: Container) -> Option<String> {
    match container {
        Container::Dash | Container::DashOnDemand => Some(WHOLE.to_owned()),
        Container::HlsCmaf => Some(MediaClock::Cmaf.playlist()),
        Container::HlsTs => Some(MediaClock::Ts.playlist()),
        Container::Smooth | Container::Progressive => None,
    }
}

/// Whether profiles of this layout offer subtitles.
pub fn carries_subtitles(container: Container) -> bool {
    entry_point(container).is_some()
}

/// A title's subtitles as one profile's manifests name them.
pub(super) struct Subtitles<'a> {
    tracks: Vec<Named<'a>>,
    /// Peak bits a second of any track.
    bandwidth: u64,
}

struct Named<'a> {
    track: &'a SubtitleTrack,
    name: String,
    url: String,
    bandwidth: u64,
}

impl<'a> Subtitles<'a> {
    /// The tracks of a profile of this layout, whose files lie in `folders`.
    pub(super) fn of(
        tracks: &'a [SubtitleTrack],
        container: Container,
        folders: &BTreeMap<ArtifactKey, PathBuf>,
    ) -> Result<Self, ManifestError> {
        let Some(entry_point) = entry_point(container) else {
            return Ok(Self { tracks: Vec::new(), bandwidth: 0 });
        };
        let mut named = Vec::with_capacity(tracks.len());
        for track in tracks {
            if !is_plain(&track.path) {
                return Err(ManifestError::MediaPath(track.path.clone()));
            }
            let folder = folders.get(&track.artifact).ok_or_else(|| {
                std::io::Error::new(std::io::ErrorKind::NotFound, format!("{} has no files", track.id))
            })?;
            let url = format!("../{}/{entry_point}", track.path);
            named.push(Named { track, name: name(track, tracks), url, bandwidth: peak(folder)? });
        }
        let bandwidth = named.iter().map(|track| track.bandwidth).max().unwrap_or(0);
        Ok(Self { tracks: named, bandwidth })
    }

    /// The adaptation sets of an MPD, one for each track (ISO/IEC 23009-1 clause 5.3.3), with ids from `first` on.
    pub(super) fn adaptation_sets(&self, first: u32) -> String {
        let sets: String =
            (first..).zip(&self.tracks).map(|(number, track)| track.adaptation_set(number)).collect();
        // They stand between the indentation of the period's end and that end.
        if sets.is_empty() { sets } else { format!("  {}  ", sets.trim_start()) }
    }

    /// The master playlist with the tracks and, in every variant stream, their group (RFC 8216 clauses 4.3.4.1.1 and
    /// 4.3.4.2).
    ///
    /// # Errors
    /// A variant stream states no bandwidth.
    pub(super) fn master(&self, playlist: &str) -> Result<String, String> {
        const VARIANT: &str = "#EXT-X-STREAM-INF:";
        if self.tracks.is_empty() {
            return Ok(playlist.to_owned());
        }
        let mut rewritten = String::with_capacity(playlist.len() * 2);
        let mut due = true;
        for line in playlist.lines() {
            match line.strip_prefix(VARIANT) {
                Some(attributes) => {
                    if std::mem::take(&mut due) {
                        self.tracks.iter().for_each(|track| rewritten.push_str(&track.media()));
                        rewritten.push('\n');
                    }
                    let attributes = self.with_bandwidth(attributes)?;
                    rewritten.push_str(&format!("{VARIANT}{attributes},SUBTITLES=\"{GROUP}\""));
                }
                None => rewritten.push_str(line),
            }
            rewritten.push('\n');
        }
        Ok(rewritten)
    }

    /// The attributes with a bandwidth that has room for the subtitles as well.
    fn with_bandwidth(&self, attributes: &str) -> Result<String, String> {
        let mut found = false;
        let mut rewritten = Vec::new();
        for attribute in attributes.split(',') {
            let stated = ["BANDWIDTH=", "AVERAGE-BANDWIDTH="].into_iter().find_map(|name| {
                let value: u64 = attribute.strip_prefix(name)?.parse().ok()?;
                Some(format!("{name}{}", value.saturating_add(self.bandwidth)))
            });
            found |= stated.is_some();
            rewritten.push(stated.unwrap_or_else(|| attribute.to_owned()));
        }
        if found { Ok(rewritten.join(",")) } else { Err("a variant stream states no bandwidth".to_owned()) }
    }
}

impl Named<'_> {
    /// Its label stands before its role, as the schema has it.
    fn adaptation_set(&self, number: u32) -> String {
        let Self { track, name, url, bandwidth } = self;
        let role = role(track.purpose);
        let language = language::canonical(&track.language).unwrap_or_else(|| track.language.clone());
        let id = &track.id;
        format!(
            "    <AdaptationSet id=\"{number}\" contentType=\"text\" lang=\"{language}\">\n\
             \x20     <Label>{name}</Label>\n\
             \x20     <Role schemeIdUri=\"urn:mpeg:dash:role:2011\" value=\"{role}\"/>\n\
             \x20     <Representation id=\"{id}\" bandwidth=\"{bandwidth}\" mimeType=\"text/vtt\">\n\
             \x20       <BaseURL>{url}</BaseURL>\n\
             \x20     </Representation>\n\
             \x20   </AdaptationSet>\n"
        )
    }

    fn media(&self) -> String {
        let Self { track, name, url, .. } = self;
        let language = language::canonical(&track.language).unwrap_or_else(|| track.language.clone());
        let purpose = match track.purpose {
            SubtitlePurpose::Dialogue => ",FORCED=NO".to_owned(),
            SubtitlePurpose::Forced => ",FORCED=YES".to_owned(),
            SubtitlePurpose::HardOfHearing => format!(",FORCED=NO,CHARACTERISTICS=\"{HARD_OF_HEARING}\""),
        };
        format!(
            "#EXT-X-MEDIA:TYPE=SUBTITLES,URI=\"{url}\",GROUP-ID=\"{GROUP}\",LANGUAGE=\"{language}\",NAME=\"{name}\",DEFAULT=NO,AUTOSELECT=YES{purpose}\n"
        )
    }
}

/// The role of a purpose (ISO/IEC 23009-1 clause 5.8.5.5).
pub(crate) const fn role(purpose: SubtitlePurpose) -> &'static str {
    match purpose {
        SubtitlePurpose::Dialogue => "subtitle",
        SubtitlePurpose::Forced => "forced-subtitle",
        SubtitlePurpose::HardOfHearing => "caption",
    }
}

/// What people choose a track by: no other track of the title is called so.
fn name(track: &SubtitleTrack, all: &[SubtitleTrack]) -> String {
    let english = language::name(&track.language);
    let shared = all
        .iter()
        .any(|other| other.language != track.language && language::name(&other.language) == english);
    let mut details = Vec::new();
    if shared {
        details.push(track.language.as_str());
    }
    match track.purpose {
        SubtitlePurpose::Dialogue => {}
        SubtitlePurpose::Forced => details.push("forced"),
        SubtitlePurpose::HardOfHearing => details.push("SDH"),
    }
    if details.is_empty() { english } else { format!("{english} ({})", details.join(" ")) }
}

/// The most bits a second that a segment of the track has, at least 1: by its own length, because the last one, or the only
/// one of a short film, is shorter than the others.
fn peak(folder: &Path) -> Result<u64, ManifestError> {
    let file = folder.join(MediaClock::Ts.playlist());
    let playlist = Media::parse(&fs_err::read(&file)?)
        .map_err(|error| ManifestError::Unexpected { file, reason: error.to_string() })?;
    let mut most = 1;
    for segment in playlist.segments {
        let bits = fs_err::metadata(folder.join(&segment.uri))?.len().saturating_mul(8);
        most = most.max(bits.saturating_mul(1_000_000).div_ceil(segment.duration_us.max(1)));
    }
    Ok(most)
}

#[cfg(test)]
mod tests {
    use reelfarm_model::Digest;

    use super::*;
    use crate::subtitles::track_files;

    fn track(language: &str, purpose: SubtitlePurpose) -> SubtitleTrack {
        let id = SubtitleTrack::id_of(language, purpose);
        let path = format!("media/{id}/0f");
        SubtitleTrack {
            artifact: ArtifactKey(Digest::of(id.as_bytes())),
            id,
            path,
            language: language.to_owned(),
            purpose,
        }
    }

    fn subtitles(tracks: &[SubtitleTrack]) -> Subtitles<'_> {
        let named = tracks.iter().map(|track| Named {
            track,
            name: name(track, tracks),
            url: format!("../{}/ts.m3u8", track.path),
            bandwidth: 7,
        });
        Subtitles { tracks: named.collect(), bandwidth: 7 }
    }

    #[test]
    fn the_peak_is_of_the_segment_that_is_densest_for_its_length() {
        const SRT: &[u8] =
            b"1\n00:00:01,000 --> 00:00:02,000\nfirst\n\n2\n00:01:00,500 --> 00:01:01,000\nsecond\n";
        let folder = tempfile::tempdir().unwrap();
        for (path, content) in track_files(SRT, 62_000).unwrap() {
            let path = folder.path().join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, content).unwrap();
        }
        let bytes = |name: &str| fs_err::metadata(folder.path().join(name)).unwrap().len();
        // The first lasts a minute, the second two seconds.
        assert!(bytes("ts/1.vtt").abs_diff(bytes("ts/2.vtt")) < 5);
        assert_eq!(peak(folder.path()).unwrap(), bytes("ts/2.vtt") * 8 / 2);
    }

    #[test]
    fn no_two_tracks_have_one_name() {
        let tracks = [
            track("en", SubtitlePurpose::Dialogue),
            track("en", SubtitlePurpose::Forced),
            track("en", SubtitlePurpose::HardOfHearing),
            track("pt-BR", SubtitlePurpose::Dialogue),
            track("pt-PT", SubtitlePurpose::Forced),
        ];
        let names: Vec<_> = tracks.iter().map(|track| name(track, &tracks)).collect();
        assert_eq!(
            names,
            [
                "English",
                "English (forced)",
                "English (SDH)",
                "Portuguese (pt-BR)",
                "Portuguese (pt-PT forced)"
            ]
        );
    }

    #[test]
    fn sets_are_numbered_on_and_say_what_the_schema_allows_in_its_order() {
        let tracks = [track("de", SubtitlePurpose::Forced), track("en", SubtitlePurpose::Dialogue)];
        let sets = subtitles(&tracks).adaptation_sets(3);
        let german = sets.split_inclusive("</AdaptationSet>").next().unwrap();
        assert_eq!(
            german,
            "  <AdaptationSet id=\"3\" contentType=\"text\" lang=\"de\">\n      \
             <Label>German (forced)</Label>\n      \
             <Role schemeIdUri=\"urn:mpeg:dash:role:2011\" value=\"forced-subtitle\"/>\n      \
             <Representation id=\"subtitles-de-forced\" bandwidth=\"7\" mimeType=\"text/vtt\">\n        \
             <BaseURL>../media/subtitles-de-forced/0f/ts.m3u8</BaseURL>\n      \
             </Representation>\n    </AdaptationSet>"
        );
        assert!(sets.contains("<AdaptationSet id=\"4\" contentType=\"text\" lang=\"en\">"), "{sets}");
        assert_eq!(subtitles(&[]).adaptation_sets(3), "");
    }

    #[test]
    fn a_master_playlist_gains_a_group_and_room_for_it() {
        let playlist = "#EXTM3U\n\n#EXT-X-MEDIA:TYPE=AUDIO\n\n#EXT-X-STREAM-INF:BANDWIDTH=100,AVERAGE-BANDWIDTH=90,CODECS=\"a,b\"\nv.m3u8\n";
        let tracks = [track("de", SubtitlePurpose::Forced)];
        assert_eq!(
            subtitles(&tracks).master(playlist).unwrap(),
            "#EXTM3U\n\n#EXT-X-MEDIA:TYPE=AUDIO\n\n#EXT-X-MEDIA:TYPE=SUBTITLES,URI=\"../media/subtitles-de-forced/0f/ts.m3u8\",\
             GROUP-ID=\"subtitles\",LANGUAGE=\"de\",NAME=\"German (forced)\",DEFAULT=NO,AUTOSELECT=YES,FORCED=YES\n\n\
             #EXT-X-STREAM-INF:BANDWIDTH=107,AVERAGE-BANDWIDTH=97,CODECS=\"a,b\",SUBTITLES=\"subtitles\"\nv.m3u8\n"
        );
        assert_eq!(subtitles(&[]).master(playlist).unwrap(), playlist);
        assert!(subtitles(&tracks).master("#EXT-X-STREAM-INF:CODECS=\"a\"\nv.m3u8\n").is_err());
    }
}
