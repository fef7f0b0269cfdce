//! A title's track of subtitles as players fetch it: the whole file for DASH, and for HLS segments with a playlist, once
//! for each of the two clocks that its media have. The delivered file stays beside them, for verification alone.

use reelfarm_model::{Code, Failure};

use super::time::Clock;
use super::{Cue, SubtitleError, webvtt};
use crate::layout::DELIVERED;

/// The whole track.
pub(crate) const WHOLE: &str = "subtitles.vtt";
/// How long a segment is, in milliseconds. Segments of subtitles may be longer than those of the picture (RFC 8216
/// clause 6.2.4), and a player takes a minute of text in one small request.
const SEGMENT_MS: u64 = 60_000;

/// The clock of the media that subtitles are shown with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MediaClock {
    /// Fragmented MP4, which begins at zero.
    Cmaf,
    /// MPEG-TS, which the packager begins a tenth of a second later, so that no decoding time is below zero.
    Ts,
}

impl MediaClock {
    const ALL: [Self; 2] = [Self::Cmaf, Self::Ts];

    /// The folder of the track's segments.
    pub(crate) const fn folder(self) -> &'static str {
        match self {
            Self::Cmaf => "cmaf",
            Self::Ts => "ts",
        }
    }

    /// The playlist of the track's segments.
    pub(crate) fn playlist(self) -> String {
        format!("{}.m3u8", self.folder())
    }

    /// When the media begin, in ticks of 90 kHz.
    pub(crate) const fn start(self) -> u64 {
        match self {
            Self::Cmaf => 0,
            Self::Ts => 9_000,
        }
    }
}

/// A side file cannot become a track.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrackError {
    /// It cannot be read.
    #[error("{0}")]
    Invalid(#[from] SubtitleError),
    /// A cue begins when the film has ended.
    #[error(
        "line {line}: the cue that begins at {} (number {cue} of {cues}) would never be seen, because the film ends at {}: \
         the file belongs to another version of the film, or to one of another frame rate; ask for the file of this \
         version, or take the cue out",
        Clock(*start), Clock(*duration)
    )]
    Foreign {
        /// The line that it begins in, counted from 1.
        line: usize,
        /// Which cue it is, counted from 1 in the order of their beginnings.
        cue: usize,
        /// How many cues the file has.
        cues: usize,
        /// When the cue begins, in milliseconds.
        start: u64,
        /// How long the film is, in milliseconds.
        duration: u64,
    },
}

impl From<TrackError> for Failure {
    fn from(error: TrackError) -> Self {
        let code = match error {
            TrackError::Invalid(_) => Code::SubtitlesInvalid,
            TrackError::Foreign { .. } => Code::SubtitlesForeign,
        };
        Self::new(code, error.to_string())
    }
}

/// The files of the track that a side file gives for a film of `duration_ms` milliseconds, by their paths with `/`; the
/// side file itself is among them. A cue that is still seen when the film ends goes with it.
///
/// # Errors
/// See [`TrackError`].
pub fn track_files(side_file: &[u8], duration_ms: u64) -> Result<Vec<(String, Vec<u8>)>, TrackError> {
    let cues = cues_of(side_file, duration_ms)?;
    let mut files = vec![(WHOLE.to_owned(), webvtt::write(&cues).into_bytes())];
    for clock in MediaClock::ALL {
        let mut playlist = format!(
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:{}\n#EXT-X-PLAYLIST-TYPE:VOD\n",
            SEGMENT_MS / 1_000
        );
        for (index, (start, end)) in segments(duration_ms).enumerate() {
            let name = format!("{}/{}.vtt", clock.folder(), index + 1);
            let length = end - start;
            playlist.push_str(&format!("#EXTINF:{}.{:03},\n{name}\n", length / 1_000, length % 1_000));
            let segment = webvtt::write_segment(seen(&cues, start, end), clock.start());
            files.push((name, segment.into_bytes()));
        }
        playlist.push_str("#EXT-X-ENDLIST\n");
        files.push((clock.playlist(), playlist.into_bytes()));
    }
    files.push((DELIVERED.to_owned(), side_file.to_owned()));
    Ok(files)
}

/// The cues that a side file gives for a film of `duration_ms` milliseconds; none is seen longer than the film.
///
/// # Errors
/// See [`TrackError`].
pub(crate) fn cues_of(side_file: &[u8], duration_ms: u64) -> Result<Vec<Cue>, TrackError> {
    let (_, cues) = super::read_numbered(side_file)?;
    if let Some(index) = cues.iter().position(|(_, cue)| cue.start >= duration_ms) {
        let (line, Cue { start, .. }) = cues[index];
        let (cue, cues) = (index + 1, cues.len());
        return Err(TrackError::Foreign { line, cue, cues, start, duration: duration_ms });
    }
    let within = |(_, cue): (usize, Cue)| Cue { end: cue.end.min(duration_ms), ..cue };
    Ok(cues.into_iter().map(within).collect())
}

/// When each segment begins and ends, in milliseconds.
pub(crate) fn segments(duration_ms: u64) -> impl Iterator<Item = (u64, u64)> {
    (0..duration_ms.div_ceil(SEGMENT_MS))
        .map(move |index| (index * SEGMENT_MS, ((index + 1) * SEGMENT_MS).min(duration_ms)))
}

/// The cues that are seen in a stretch of the film; one that is seen in two stretches belongs to both.
pub(crate) fn seen(cues: &[Cue], start: u64, end: u64) -> impl Iterator<Item = &Cue> {
    cues.iter().filter(move |cue| cue.start < end && cue.end > start)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SRT: &str = "1\n00:00:01,000 --> 00:00:02,000\nfirst\n\n2\n00:00:59,000 --> 00:01:01,000\nover the edge\n\n\
        3\n00:01:04,500 --> 00:02:00,000\nlast\n";

    fn file<'a>(files: &'a [(String, Vec<u8>)], path: &str) -> &'a str {
        std::str::from_utf8(&files.iter().find(|(name, _)| name == path).unwrap().1).unwrap()
    }

    #[test]
    fn a_cue_on_the_edge_is_in_both_segments_and_the_last_one_ends_with_the_film() {
        let files = track_files(SRT.as_bytes(), 65_240).unwrap();
        let names: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "subtitles.vtt",
                "cmaf/1.vtt",
                "cmaf/2.vtt",
                "cmaf.m3u8",
                "ts/1.vtt",
                "ts/2.vtt",
                "ts.m3u8",
                "delivered"
            ]
        );
        assert_eq!(
            file(&files, "ts.m3u8"),
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:60\n#EXT-X-PLAYLIST-TYPE:VOD\n\
             #EXTINF:60.000,\nts/1.vtt\n#EXTINF:5.240,\nts/2.vtt\n#EXT-X-ENDLIST\n"
        );
        for (path, start, texts) in [
            ("cmaf/1.vtt", 0, vec!["first", "over the edge"]),
            ("cmaf/2.vtt", 0, vec!["over the edge", "last"]),
            ("ts/1.vtt", 9_000, vec!["first", "over the edge"]),
            ("ts/2.vtt", 9_000, vec!["over the edge", "last"]),
        ] {
            let (found, cues) = webvtt::read_segment(file(&files, path)).unwrap();
            let text: Vec<_> = cues.iter().map(|cue| cue.lines[0].spans()[0].text.as_str()).collect();
            assert_eq!((found, text), (start, texts), "{path}");
        }
        assert_eq!(file(&files, DELIVERED), SRT);
        let whole = super::super::read(file(&files, WHOLE).as_bytes()).unwrap().1;
        assert_eq!((whole.len(), whole[2].end), (3, 65_240));
    }

    #[test]
    fn a_file_for_another_film_is_refused() {
        let error = track_files(SRT.as_bytes(), 60_000).unwrap_err();
        assert_eq!(
            error.to_string(),
            "line 10: the cue that begins at 00:01:04.500 (number 3 of 3) would never be seen, because the film ends at \
             00:01:00.000: the file belongs to another version of the film, or to one of another frame rate; ask for the \
             file of this version, or take the cue out"
        );
        // One that begins with the film's end is not seen either.
        assert!(track_files(SRT.as_bytes(), 64_500).is_err());
        assert!(track_files(SRT.as_bytes(), 64_501).is_ok());
        let ttml = b"<tt><body>\n<p begin='9s' end='10s'>b</p>\n<p begin='1s' end='2s'>a</p></body></tt>";
        let error = track_files(ttml, 9_000).unwrap_err();
        assert!(error.to_string().starts_with("line 2: the cue that begins at 00:00:09.000 (number 2 of 2)"));
        assert_eq!(Failure::from(error).code, Code::SubtitlesForeign);
        let error = track_files(b"nothing", 60_000).unwrap_err();
        assert_eq!(Failure::from(error).code, Code::SubtitlesInvalid);
    }

    #[test]
    fn segments_cover_the_film_without_a_gap() {
        for (duration, expected) in
            [(1, vec![(0, 1)]), (60_000, vec![(0, 60_000)]), (60_001, vec![(0, 60_000), (60_000, 60_001)])]
        {
            assert_eq!(segments(duration).collect::<Vec<_>>(), expected);
        }
    }
}
