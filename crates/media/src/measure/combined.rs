//! Mono tracks that are heard together.

use reelfarm_analysis::sound::{SoundMeter, combined};
use reelfarm_model::measurement::sound::{PairMeasurement, Position};
use reelfarm_model::measurement::{AudioMeasurement, CombinedTracks};

/// Tracks of one language by their places, and where each is heard from: the sets that mono tracks come in (ITU-R BR.1384,
/// EBU R 123).
const SETS: [(usize, &[Position]); 3] = [
    (0, &[Position::FrontLeft, Position::FrontRight]),
    (
        0,
        &[
            Position::FrontLeft,
            Position::FrontRight,
            Position::FrontCentre,
            Position::LowFrequency,
            Position::BackLeft,
            Position::BackRight,
        ],
    ),
    (6, &[Position::FrontLeft, Position::FrontRight]),
];

/// How two tracks belong together, by their indexes in the container.
pub(super) type MeasuredPair = ((u32, u32), PairMeasurement);

/// Every set that the mono tracks of a language make up. The meters have been finished.
pub(super) fn sets(
    tracks: &[(AudioMeasurement, Option<SoundMeter>)],
    pairs: &[MeasuredPair],
) -> Vec<CombinedTracks> {
    let mut languages: Vec<Vec<(&AudioMeasurement, &SoundMeter)>> = Vec::new();
    for (measured, meter) in tracks {
        let Some(meter) = meter.as_ref().filter(|_| measured.channels == 1 && measured.samples > 0) else {
            continue;
        };
        let is_of = |group: &Vec<(&AudioMeasurement, &SoundMeter)>| {
            group.first().is_some_and(|(first, _)| language(first) == language(measured))
        };
        match languages.iter_mut().find(|group| is_of(group)) {
            Some(group) => group.push((measured, meter)),
            None => languages.push(vec![(measured, meter)]),
        }
    }
    let sets = |group: &Vec<(&AudioMeasurement, &SoundMeter)>| {
        SETS.iter()
            .filter_map(|(first, positions)| set(group.get(*first..)?, positions, pairs))
            .collect::<Vec<_>>()
    };
    languages.iter().flat_map(sets).collect()
}

/// The first of these tracks at these positions; none where there are fewer.
fn set(
    tracks: &[(&AudioMeasurement, &SoundMeter)],
    positions: &[Position],
    pairs: &[MeasuredPair],
) -> Option<CombinedTracks> {
    let tracks = tracks.get(..positions.len())?;
    let [(left, _), (right, _), ..] = tracks else { return None };
    let meters: Vec<_> =
        tracks.iter().zip(positions).map(|((_, meter), position)| (*meter, *position)).collect();
    let pair = pairs.iter().find(|(indexes, _)| *indexes == (left.index, right.index));
    Some(CombinedTracks {
        tracks: tracks.iter().zip(positions).map(|((track, _), position)| (track.index, *position)).collect(),
        loudness: combined(&meters),
        pair: pair.map(|(_, measured)| measured.clone()),
    })
}

fn language(track: &AudioMeasurement) -> Option<String> {
    track.language.as_deref().and_then(super::language::common)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track(index: u32, channels: u32, language: Option<&str>) -> (AudioMeasurement, Option<SoundMeter>) {
        let mut meter = SoundMeter::new(48_000, &[Position::Mono], 0.0);
        meter.samples(&[&[0.1; 480]]);
        meter.finish();
        let measured = AudioMeasurement {
            index,
            codec: String::new(),
            sample_rate: 48_000,
            channels,
            layout: String::new(),
            language: language.map(str::to_owned),
            samples: 480,
            first_time: 0.0,
            end_time: 0.01,
            peak_dbfs: None,
            decode_errors: 0,
            first_decode_error: None,
            bytes: 0,
            sound: None,
            header_sample_rate: None,
            header_channels: None,
            continuity: None,
        };
        (measured, Some(meter))
    }

    fn sets(tracks: &[(AudioMeasurement, Option<SoundMeter>)]) -> Vec<Vec<u32>> {
        let indexes = |set: &CombinedTracks| set.tracks.iter().map(|(index, _)| *index).collect();
        super::sets(tracks, &[]).iter().map(indexes).collect()
    }

    #[test]
    fn sets_are_made_of_the_tracks_of_a_language() {
        let of = |count: u32| (1..=count).map(|index| track(index, 1, Some("eng"))).collect::<Vec<_>>();
        assert_eq!(sets(&of(1)), [[0; 0]; 0]);
        assert_eq!(sets(&of(2)), [[1, 2]]);
        assert_eq!(sets(&of(5)), [[1, 2]]);
        assert_eq!(sets(&of(6)), [vec![1, 2], vec![1, 2, 3, 4, 5, 6]]);
        assert_eq!(sets(&of(8)), [vec![1, 2], vec![1, 2, 3, 4, 5, 6], vec![7, 8]]);
        let mixed = [
            track(1, 1, Some("deu")),
            track(2, 2, Some("eng")),
            track(3, 1, Some("EN")),
            track(4, 1, None),
            track(5, 1, Some("eng")),
            track(6, 1, Some("deu")),
        ];
        assert_eq!(sets(&mixed), [[1, 6], [3, 5]]);
    }

    #[test]
    fn positions_are_those_of_stereo_and_surround() {
        let tracks: Vec<_> = (0..6).map(|index| track(index, 1, None)).collect();
        let found = super::sets(&tracks, &[]);
        assert_eq!(found[0].tracks, [(0, Position::FrontLeft), (1, Position::FrontRight)]);
        assert_eq!(found[1].tracks[3], (3, Position::LowFrequency));
        assert_eq!(found[1].tracks[5], (5, Position::BackRight));
    }
}
