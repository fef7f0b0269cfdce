//! Where a film is cut into chunks that are encoded by themselves.
//!
//! Cuts depend on the film alone, and on what the ladder says of them: neither on its rungs, so that a changed rung leaves the
//! others be, nor on the hosts of the moment, so that what was made before is found again on a larger farm.

use reelfarm_model::ladder::GOP_SECONDS;
use reelfarm_model::qc::{DecodingStarts, VideoConclusion};
use reelfarm_model::task::{Chunk, DecodingStart};

/// How long a chunk of HD is, in seconds: its encode takes from half a minute to a few, beside which the start of a process and
/// the way from the key frame before are little.
const HD_SECONDS: f64 = 30.0;
/// Samples of a picture of HD.
const HD_SAMPLES: f64 = 1920.0 * 1080.0;
/// The shortest chunk, and the longest for small pictures, in seconds.
const LEAST_SECONDS: f64 = 10.0;
const MOST_SECONDS: f64 = 60.0;
/// Short films are cut into so many chunks, as far as these do not get too short: whoever waits has several hosts.
const CHUNKS_OF_SHORT_FILMS: f64 = 16.0;
/// More chunks than any farm has slots only make work.
const MOST_CHUNKS: f64 = 512.0;
/// Frames before a picture that the deinterlacer looks at.
const DEINTERLACER_REACH: u64 = 2;

/// The chunks of a film, in order and without gaps; none where it is to be encoded in one piece. `asked` is the length in
/// seconds that the ladder asks for.
pub(super) fn chunks(video: &VideoConclusion, decoding: &DecodingStarts, asked: Option<u32>) -> Vec<Chunk> {
    let Some(film_start_us) = decoding.film_start_us else { return Vec::new() };
    let seconds = asked.map_or_else(|| length(video), f64::from).max(seconds(video) / MOST_CHUNKS);
    let group = u64::from(video.frame_rate.max(1)) * u64::from(GOP_SECONDS);
    let groups = (seconds / f64::from(GOP_SECONDS)).round().max(1.0) as u64;
    let length = groups * group;
    let decoding_start = |first_frame: u64| {
        let key_frame = decoding_start(video, decoding, first_frame)?;
        // What takes longer to come to than to encode is encoded with what lies before it.
        (first_frame - key_frame <= length.max(group)).then_some(key_frame)
    };
    let mut starts = vec![(0, 0)];
    let mut first_frame = length;
    // The last one is not much shorter than the others.
    while first_frame.saturating_add(length / 2) < video.frame_count {
        starts.extend(decoding_start(first_frame).map(|key_frame| (first_frame, key_frame)));
        first_frame += length;
    }
    if starts.len() < 2 {
        return Vec::new();
    }
    let ends = starts.iter().skip(1).map(|(first_frame, _)| *first_frame).chain([video.frame_count]);
    starts
        .iter()
        .zip(ends)
        .map(|((first_frame, key_frame), end)| Chunk {
            first_frame: *first_frame,
            frame_count: end - first_frame,
            decoding: DecodingStart { key_frame: *key_frame, film_start_us },
        })
        .collect()
}

/// The key frame from which a film is decoded to come to a frame, with what the deinterlacer looks at before it.
pub(super) fn decoding_start(
    video: &VideoConclusion,
    decoding: &DecodingStarts,
    first_frame: u64,
) -> Option<u64> {
    let reach = if video.deinterlace { DEINTERLACER_REACH } else { 0 };
    decoding.last_before(first_frame.saturating_sub(reach))
}

/// How long the film is, in seconds.
fn seconds(video: &VideoConclusion) -> f64 {
    video.frame_count as f64 / f64::from(video.frame_rate.max(1))
}

/// How long chunks are where nobody asks for a length, in seconds.
fn length(video: &VideoConclusion) -> f64 {
    let samples = f64::from(video.width) * f64::from(video.height);
    let by_size = (HD_SECONDS * HD_SAMPLES / samples.max(1.0)).clamp(LEAST_SECONDS, MOST_SECONDS);
    let by_length = (seconds(video) / CHUNKS_OF_SHORT_FILMS).max(LEAST_SECONDS);
    by_size.min(by_length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reelfarm_model::qc::KeyFrameRun;

    use super::*;

    fn film(frame_rate: u32, frame_count: u64, size: (u32, u32)) -> VideoConclusion {
        VideoConclusion {
            stream: 0,
            frame_rate,
            frame_count,
            width: size.0,
            height: size.1,
            rotation: 0,
            deinterlace: false,
            field_order: None,
            matrix: "bt709".into(),
            full_range: false,
        }
    }

    fn key_frames(distance: u64, count: u64) -> DecodingStarts {
        let key_frames = vec![KeyFrameRun { first: 0, distance, count }];
        DecodingStarts { key_frames, open_groups: false, film_start_us: Some(1_400_000) }
    }

    const HD: (u32, u32) = (1920, 1080);

    fn cut(seconds: u64, size: (u32, u32)) -> (usize, u64) {
        let frames = seconds * 25;
        let chunks = chunks(&film(25, frames, size), &key_frames(50, frames / 50 + 1), None);
        (chunks.len(), chunks.first().map_or(0, |chunk| chunk.frame_count / 25))
    }

    #[test]
    fn long_films_are_cut_into_many_chunks_and_short_ones_into_none() {
        for (seconds, size, expected) in [
            (14, HD, (0, 0)),
            (16, HD, (2, 10)),
            (24, HD, (2, 10)),
            (60, HD, (6, 10)),
            (240, HD, (15, 16)),
            (600, HD, (20, 30)),
            (2_700, HD, (90, 30)),
            (7_200, HD, (240, 30)),
            (7_200, (3840, 2160), (514, 14)),
            (7_200, (720, 405), (120, 60)),
            (43_200, (720, 405), (514, 84)),
        ] {
            assert_eq!(cut(seconds, size), expected, "{seconds} s of {size:?}");
        }
    }

    #[test]
    fn decoding_begins_at_the_key_frame_before_a_chunk_and_before_what_the_deinterlacer_needs() {
        let mut video = film(25, 1_000, HD);
        let starts = key_frames(12, 84);
        let key_frames = |video: &VideoConclusion| -> Vec<u64> {
            chunks(video, &starts, Some(12)).iter().map(|chunk| chunk.decoding.key_frame).collect()
        };
        assert_eq!(key_frames(&video), [0, 300, 600]);
        video.deinterlace = true;
        assert_eq!(key_frames(&video), [0, 288, 588]);
        assert!(
            chunks(&video, &starts, Some(12)).iter().all(|chunk| chunk.decoding.film_start_us == 1_400_000)
        );
    }

    #[test]
    fn a_film_is_not_cut_where_decoding_cannot_begin() {
        let video = film(25, 25 * 600, HD);
        assert_eq!(chunks(&video, &DecodingStarts::default(), None), []);
        let lengths = |starts: &DecodingStarts| -> Vec<u64> {
            chunks(&video, starts, Some(30)).iter().map(|chunk| chunk.frame_count / 25).collect()
        };
        assert_eq!(lengths(&key_frames(0, 1)), [30, 570], "one key frame at its start");
        assert_eq!(lengths(&key_frames(25 * 100, 6)), [30, 90, 90, 90, 30, 90, 90, 90]);
    }

    proptest! {
        #[test]
        fn chunks_are_the_film_and_begin_on_the_grid(
            frame_rate in prop::sample::select(vec![24_u32, 25, 30, 48, 50, 60]),
            frame_count in 1_u64..200_000,
            distance in 1_u64..5_000,
            asked in prop::option::of((1_u32..60).prop_map(|groups| groups * 2)),
            deinterlace: bool,
        ) {
            let video = VideoConclusion { deinterlace, ..film(frame_rate, frame_count, HD) };
            let chunks = chunks(&video, &key_frames(distance, frame_count / distance + 1), asked);
            let mut next = 0;
            for chunk in &chunks {
                prop_assert_eq!(chunk.first_frame, next);
                prop_assert!(chunk.frame_count > 0);
                prop_assert_eq!(chunk.first_frame % (u64::from(frame_rate) * 2), 0);
                prop_assert!(chunk.decoding.key_frame <= chunk.first_frame);
                next += chunk.frame_count;
            }
            prop_assert!(chunks.is_empty() || next == frame_count);
            prop_assert!(chunks.len() != 1);
        }
    }
}
