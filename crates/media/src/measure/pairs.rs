//! Mono tracks that are left and right of a programme, compared while they are read.

use reelfarm_analysis::sound::TrackPair;
use reelfarm_model::measurement::sound::{PairMeasurement, Side};

use super::audio::AudioMeter;

/// Where left and right lie among the mono tracks of a language: in front, and as the stereo mix beside 5.1.
const PLACES: [(usize, usize); 2] = [(0, 1), (6, 7)];

/// Compares each two mono tracks that may be left and right.
pub(super) struct Pairs(Vec<Pair>);

struct Pair {
    left: u32,
    right: u32,
    samples: TrackPair,
}

impl Pairs {
    /// Of a file's tracks, which keep their samples for it from now on.
    pub(super) fn of<'a>(tracks: impl Iterator<Item = &'a mut AudioMeter>) -> Self {
        let mut languages: Vec<(Option<String>, Vec<&mut AudioMeter>)> = Vec::new();
        for track in tracks.filter(|track| track.is_mono()) {
            let language = track.language();
            match languages.iter_mut().find(|(known, _)| *known == language) {
                Some((_, group)) => group.push(track),
                None => languages.push((language, vec![track])),
            }
        }
        let mut pairs = Vec::new();
        for (_, mut group) in languages {
            for (left, right) in PLACES {
                if let Ok([left, right]) = group.get_disjoint_mut([left, right]) {
                    left.keep_samples();
                    right.keep_samples();
                    let samples = TrackPair::new();
                    pairs.push(Pair { left: left.index(), right: right.index(), samples });
                }
            }
        }
        Self(pairs)
    }

    /// Takes the samples that a track has kept.
    pub(super) fn take(&mut self, track: &mut AudioMeter) {
        let index = track.index();
        for pair in &mut self.0 {
            let side = match index {
                _ if index == pair.left => Side::Left,
                _ if index == pair.right => Side::Right,
                _ => continue,
            };
            let Some(kept) = track.kept() else { continue };
            if !kept.has_begun {
                kept.has_begun = true;
                pair.samples.begin(side, kept.sample_rate, kept.start);
            }
            pair.samples.samples(side, &kept.samples);
            kept.samples.clear();
        }
    }

    /// How each two of them belong together, by their indexes in the container.
    pub(super) fn finish(self) -> Vec<((u32, u32), PairMeasurement)> {
        let measured = |pair: Pair| Some(((pair.left, pair.right), pair.samples.finish()?));
        self.0.into_iter().filter_map(measured).collect()
    }
}
