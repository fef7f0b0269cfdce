//! How much a picture, or a field of it, looks like a repeat of the one before.
//!
//! A repeat is told from its neighbours, because a codec's noise makes it differ from what it repeats, and slow motion makes
//! neighbours differ little: it differs far less than pictures on both sides of it do. How much less depends on the codec, so
//! there is no limit but a transition; which pictures really are repeats is told by how they return ([`super::patterns`]).

use std::collections::VecDeque;

use reelfarm_model::measurement::Span;

/// By how much a picture differs at least that is in motion, as a share of the nominal range in the busiest part of the
/// picture: half a step of 8 bits. A head that speaks differs by several, coding noise by less.
const MOTION: f64 = 0.002;
/// What differs by less than that part of what its neighbours do is a repeat: nine of ten repeats in lean streams of H.264
/// and MPEG-2 do.
const REPEAT: f64 = 0.3;
/// What differs by more is none: forty-nine of fifty pictures in motion do.
const NO_REPEAT: f64 = 0.6;
/// Pictures on each side of which one must be in motion: the longest run of repeats is that of 12 pictures made 60.
const NEIGHBOURS: usize = 4;

/// A picture, judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judged {
    /// When it is shown.
    pub(super) shown: Span,
    /// Whether it is in motion, as repeats between such pictures are.
    pub(super) moves: bool,
    /// How much it looks like a repeat, 0 to 1.
    pub(super) repeat: f64,
}

/// Judges pictures, each after those that follow it.
#[derive(Debug, Default)]
pub(super) struct RepeatMeter {
    /// The one that is judged next is in the middle.
    waiting: VecDeque<(Span, f64)>,
}

impl RepeatMeter {
    /// Takes in a picture, when it is shown, and by how much it differs from the one before in its busiest part; `None` where
    /// there is none to compare with. Gives the next that can be judged.
    pub(super) fn push(&mut self, shown: Span, difference: Option<f64>) -> Option<Judged> {
        if self.waiting.len() > 2 * NEIGHBOURS {
            self.waiting.pop_front();
        }
        // What can't be compared is as different as can be: no repeat.
        self.waiting.push_back((shown, difference.unwrap_or(1.0)));
        // The first few have fewer before them.
        self.judge(self.waiting.len().checked_sub(1 + NEIGHBOURS)?)
    }

    /// Judges the last ones.
    pub(super) fn finish(self) -> Vec<Judged> {
        let left = self.waiting.len();
        (left.saturating_sub(NEIGHBOURS)..left).filter_map(|place| self.judge(place)).collect()
    }

    fn judge(&self, place: usize) -> Option<Judged> {
        let (shown, difference) = *self.waiting.get(place)?;
        let most = |from: usize, count: usize| {
            self.waiting.iter().skip(from).take(count).map(|(_, difference)| *difference).fold(0.0, f64::max)
        };
        let from = place.saturating_sub(NEIGHBOURS);
        let around = most(from, place - from).min(most(place + 1, NEIGHBOURS));
        let repeat = if around >= MOTION {
            ((NO_REPEAT - difference / around) / (NO_REPEAT - REPEAT)).clamp(0.0, 1.0)
        } else {
            0.0
        };
        Some(Judged { shown, moves: repeat > 0.0 || difference >= MOTION, repeat })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(differences: &[f64]) -> Vec<(bool, f64)> {
        let mut meter = RepeatMeter::default();
        let mut judged = Vec::new();
        for (frame, difference) in differences.iter().enumerate() {
            let start = frame as f64;
            judged.extend(meter.push(Span { start, end: start + 1.0 }, (frame > 0).then_some(*difference)));
        }
        judged.extend(meter.finish());
        let times: Vec<f64> = judged.iter().map(|judged| judged.shown.start).collect();
        assert_eq!(times, (0..differences.len()).map(|frame| frame as f64).collect::<Vec<_>>());
        judged.iter().map(|judged| (judged.moves, (judged.repeat * 100.0).round() / 100.0)).collect()
    }

    #[test]
    fn every_picture_is_judged_once_in_its_order() {
        for frames in 0..25 {
            assert_eq!(judged(&vec![0.1; frames]), vec![(true, 0.0); frames]);
        }
    }

    #[test]
    fn repeats_are_told_by_both_sides() {
        let repeats =
            |differences: &[f64]| judged(differences).iter().map(|(_, repeat)| *repeat).collect::<Vec<_>>();
        assert_eq!(repeats(&[0.1, 0.1, 0.0, 0.1, 0.1]), [0.0, 0.0, 1.0, 0.0, 0.0]);
        assert_eq!(
            repeats(&[0.1, 0.1, 0.03, 0.1, 0.045, 0.1, 0.06, 0.1]),
            [0.0, 0.0, 1.0, 0.0, 0.5, 0.0, 0.0, 0.0]
        );
        // What moves slowly before and stands still after, and a cut in slow motion.
        assert_eq!(repeats(&[0.1, 0.1, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0]), [0.0; 8]);
        let mut slow = [0.01; 16];
        slow[8] = 0.9;
        assert_eq!(repeats(&slow)[5..], [0.0; 11]);
        // Each of 12 pictures a second shown five times.
        assert_eq!(judged(&[0.1, 0.0, 0.0, 0.0, 0.0, 0.1])[1..5], [(true, 1.0); 4]);
    }

    #[test]
    fn noise_does_not_move() {
        assert_eq!(judged(&[0.0, 0.001, 0.0001, 0.0015, 0.0])[1..], [(false, 0.0); 4]);
    }
}
