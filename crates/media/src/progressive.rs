//! One progressive MP4 from finished renditions: packets are copied, not encoded again.

use std::path::{Path, PathBuf};

use ffmpeg_next::{Packet, Rational};
use isolang::Language;
use reelfarm_model::Progress;

use crate::MediaError;
use crate::ffmpeg::log;
use crate::ffmpeg::mp4::{IndexPlace, Mp4Writer};
use crate::ffmpeg::source::{Read, Source};
use crate::progress::{Count, Done, watch};

/// Copies a video rendition and audio renditions, each with its language tag (BCP 47), into one MP4 file that starts
/// to play before it is whole. The first audio track is the default.
///
/// The fraction of the progress is the share of the renditions' bytes that is copied. It stays while the media is then
/// moved behind the index, which is reported all the same.
///
/// # Errors
/// See [`MediaError`]; the output is then of no use.
pub fn mux_progressive(
    video: &Path,
    audio: &[(PathBuf, String)],
    output: &Path,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<(), MediaError> {
    log::install();
    let mut size = 0;
    for path in std::iter::once(video).chain(audio.iter().map(|(path, _)| path.as_path())) {
        size += fs_err::metadata(path).map_err(MediaError::SourceFile)?.len();
    }
    let copied = Count::default();
    let done = || {
        let bytes = copied.get();
        Done { steps: bytes, fraction: bytes as f64 / size.max(1) as f64, ..Done::default() }
    };
    watch(on_progress, done, || copy(video, audio, output, &copied))
}

fn copy(video: &Path, audio: &[(PathBuf, String)], output: &Path, copied: &Count) -> Result<(), MediaError> {
    let mut writer = Mp4Writer::create(output, IndexPlace::Start)?;
    let mut tracks = vec![CopiedTrack::open(video, None, true, &mut writer)?];
    for (index, (path, language)) in audio.iter().enumerate() {
        tracks.push(CopiedTrack::open(path, Some(language), index == 0, &mut writer)?);
    }
    writer.start()?;
    // Always the earliest packet next, so that the muxer has little to hold back.
    while let Some(earliest) = tracks
        .iter_mut()
        .filter(|track| track.next.is_some())
        .min_by(|a, b| a.next_time().total_cmp(&b.next_time()))
    {
        if let Some(packet) = earliest.next.take() {
            copied.add(packet.size() as u64);
            writer.write(earliest.track, packet, earliest.time_base)?;
        }
        earliest.advance()?;
    }
    writer.finish()
}

/// The only track of a rendition, read packet by packet.
struct CopiedTrack {
    source: Source,
    track: usize,
    time_base: Rational,
    next: Option<Packet>,
}

impl CopiedTrack {
    fn open(
        path: &Path,
        language: Option<&str>,
        default: bool,
        writer: &mut Mp4Writer,
    ) -> Result<Self, MediaError> {
        let source = Source::open(path)?;
        let streams = source.input().nb_streams();
        let Some(stream) = source.input().stream(0).filter(|_| streams == 1) else {
            return Err(MediaError::Unsupported(format!(
                "{} is no rendition: it has {streams} tracks",
                path.display()
            )));
        };
        let time_base = stream.time_base();
        let language = language.map(iso_639_2);
        let track = writer.add_copy(&stream, language.as_deref(), default)?;
        let mut copied = Self { source, track, time_base, next: None };
        copied.advance()?;
        Ok(copied)
    }

    fn advance(&mut self) -> Result<(), MediaError> {
        self.next = match self.source.read()? {
            Read::Packet(packet) => Some(packet),
            Read::End => None,
            Read::Damaged => {
                return Err(MediaError::Unsupported(format!("{} is damaged", self.source.path().display())));
            }
        };
        Ok(())
    }

    /// The time at which the next packet is decoded, in seconds.
    fn next_time(&self) -> f64 {
        let ticks = self.next.as_ref().and_then(|packet| packet.dts().or(packet.pts())).unwrap_or(0);
        ticks as f64 * f64::from(self.time_base)
    }
}

/// MP4's form of a language (ISO 639-2/T, in ISO/IEC 14496-12, 8.4.2): that of the tag's first part.
fn iso_639_2(tag: &str) -> String {
    let primary = tag.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
    let language = match primary.len() {
        2 => Language::from_639_1(&primary),
        3 => Language::from_639_3(&primary),
        _ => None,
    };
    language.map_or("und", |language| language.to_639_3()).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn language_tags_become_three_letters() {
        for (tag, expected) in [
            ("en", "eng"),
            ("de-AT", "deu"),
            ("zh-Hant-TW", "zho"),
            ("gsw", "gsw"),
            ("und", "und"),
            ("", "und"),
        ] {
            assert_eq!(iso_639_2(tag), expected, "{tag}");
        }
    }
}
