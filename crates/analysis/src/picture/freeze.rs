//! Stretches in which the picture stands still.
//!
//! A codec shows a still in other samples now and then: at each key frame, and while the next few frames make up for it. That
//! leaps, is spread over the whole picture, and is over soon. What moves, however slowly, does not leap; what moves in a
//! small place is large there; grain never rests.
//!
//! Not found: a still with grain in it that a codec shows in other samples with nearly every picture, as MPEG-2 with B
//! pictures can.

use super::motion::{Difference, Stand};

/// Below which mean difference a picture stands still, as a share of the nominal range (FFmpeg's freezedetect, `noise`,
/// -60 dB).
const STILL: f64 = 0.001;
/// Below which difference every cell must be: about two steps of 8 bits. Coding noise stays below it, lips that move in a
/// corner do not.
const STILL_CELL: f64 = 0.01;
/// Pictures with a smaller mean are held to smaller limits in proportion: what moves in a dark scene differs as little as it
/// is bright.
const DARK_SCENE: f64 = 0.2;
/// The smallest part of the limits: below, nothing but the very same samples would stand still.
const LEAST_PART: f64 = 0.1;
/// Shorter stretches are not kept, in seconds: drawings are held that long, and so are pauses of speech.
pub(super) const SHORTEST: f64 = 0.5;

/// Below which mean difference the same picture may have been coded anew. MPEG-2 at 4 Mb/s comes to 0.015.
const CODED_ANEW: f64 = 0.02;
/// Below which difference every cell must be then: what moves in one comes to 0.035 and far more.
const CODED_ANEW_CELL: f64 = 0.03;
/// How long it may take until it is quiet again, in seconds: ten frames of H.264.
const SETTLING: f64 = 0.45;
/// How long it must have been quiet before, in seconds.
const QUIET: f64 = 0.15;

/// Follows one picture after the other.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FreezeWatch {
    still: Option<StillStretch>,
    /// When the last picture was shown.
    last: f64,
}

/// A stretch in which the picture stands still.
#[derive(Clone, Copy, Debug)]
struct StillStretch {
    since: f64,
    /// When it was coded anew for the first time since it was quiet, and for the last time; it begins with that.
    anew_since: f64,
    anew: f64,
}

impl FreezeWatch {
    /// Takes in how the picture shown from `time` on, of a mean luma, differs from the one before and from the one since which
    /// it stands still; `to_first` says how from the one with which that began.
    pub(super) fn push(
        &mut self,
        time: f64,
        mean_luma: f64,
        differences: Option<(Difference, Difference)>,
        to_first: impl FnOnce() -> Difference,
    ) -> Stand {
        let last = std::mem::replace(&mut self.last, time);
        let Some((to_previous, to_anchor)) = differences else { return Stand::Moves };
        if is_still(&to_anchor, mean_luma) {
            self.still.get_or_insert(StillStretch { since: last, anew_since: last, anew: last });
            return Stand::Still;
        }
        // What leaves the anchor little by little moves.
        let leaps = !is_still(&to_previous, mean_luma) && is_coded_anew(&to_previous, mean_luma);
        if let Some(still) = self.still.as_mut().filter(|still| leaps && still.may_be_coded_anew(time)) {
            let to_first = to_first();
            if is_coded_anew(&to_first, mean_luma) {
                still.code_anew(time);
                return Stand::CodedAnew;
            }
        }
        self.still = None;
        Stand::Moves
    }

    /// Since when the picture stands still.
    pub(super) fn since(&self) -> Option<f64> {
        self.still.map(|still| still.since)
    }
}

impl StillStretch {
    fn may_be_coded_anew(&self, time: f64) -> bool {
        time - self.anew_since <= SETTLING || time - self.anew >= QUIET
    }

    fn code_anew(&mut self, time: f64) {
        if time - self.anew >= QUIET {
            self.anew_since = time;
        }
        self.anew = time;
    }
}

/// Whether a picture of a mean luma stands still since the one from which it differs so.
fn is_still(difference: &Difference, mean_luma: f64) -> bool {
    is_below(difference, mean_luma, STILL, STILL_CELL)
}

/// Whether a picture of a mean luma can be the one from which it differs so, coded anew.
fn is_coded_anew(difference: &Difference, mean_luma: f64) -> bool {
    is_below(difference, mean_luma, CODED_ANEW, CODED_ANEW_CELL)
}

fn is_below(difference: &Difference, mean_luma: f64, mean: f64, cell: f64) -> bool {
    let part = (mean_luma / DARK_SCENE).clamp(LEAST_PART, 1.0);
    difference.mean < mean * part && difference.largest < cell * part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_stands_still_and_movement_does_not() {
        for (mean, largest, luma, still) in [
            (0.0, 0.0, 0.0, true),
            (0.0009, 0.009, 0.5, true),
            (0.0011, 0.009, 0.5, false),
            (0.0002, 0.011, 0.5, false),
            (0.0004, 0.004, 0.05, false),
            (0.0002, 0.002, 0.05, true),
        ] {
            let difference = Difference { mean, largest, ..Difference::default() };
            assert_eq!(is_still(&difference, luma), still, "{difference:?} {luma}");
        }
    }

    fn of(mean: f64, largest: f64) -> Difference {
        Difference { mean, largest, ..Difference::default() }
    }

    /// Since when pictures at 25 a second stand still, after so many that differ so from the one before; as many as they are
    /// told to leap from the first one.
    fn still_after(pictures: &[(usize, f64)]) -> Option<f64> {
        let mut watch = FreezeWatch::default();
        let means = pictures.iter().flat_map(|(count, mean)| std::iter::repeat_n(*mean, *count));
        for (picture, mean) in means.enumerate() {
            let difference = of(mean, mean * 1.5);
            let differences = (picture > 0).then_some((difference, difference));
            watch.push(picture as f64 / 25.0, 0.5, differences, || of(0.012, 0.02));
        }
        watch.since()
    }

    #[test]
    fn a_still_that_is_coded_anew_goes_on() {
        let key_frames =
            [(5, 0.1), (20, 0.0), (1, 0.012), (24, 0.0001), (1, 0.012), (3, 0.0), (2, 0.004), (20, 0.0)];
        assert_eq!(still_after(&key_frames), Some(0.16));
        // Once a picture moves it begins anew.
        let movement = [&key_frames[..], &[(1, 0.05), (10, 0.0)]].concat();
        assert_eq!(still_after(&movement), Some(3.04));
    }

    #[test]
    fn what_never_rests_is_no_still() {
        // Grain, however little, after a first quiet picture.
        assert_eq!(still_after(&[(1, 0.1), (1, 0.0), (30, 0.004)]), None);
        // A leap in a small place.
        let mut watch = FreezeWatch::default();
        let (none, mouth) = (Difference::default(), of(0.0004, 0.05));
        for (time, difference) in [(0.0, none), (1.0, none), (2.0, mouth)] {
            watch.push(time, 0.5, Some((difference, difference)), || difference);
        }
        assert_eq!(watch.since(), None);
    }

    #[test]
    fn what_leaves_the_first_picture_little_by_little_moves() {
        let mut watch = FreezeWatch::default();
        let stands: Vec<Stand> = (0..5)
            .map(|picture| {
                let away = of(0.0004 * f64::from(picture), 0.004);
                watch.push(f64::from(picture), 0.5, Some((of(0.0004, 0.004), away)), Difference::default)
            })
            .collect();
        assert_eq!(stands, [Stand::Still, Stand::Still, Stand::Still, Stand::Moves, Stand::Moves]);
        // And leaps that add up.
        let mut watch = FreezeWatch::default();
        watch.push(0.0, 0.5, Some((Difference::default(), Difference::default())), Difference::default);
        let step = of(0.01, 0.02);
        assert_eq!(watch.push(1.0, 0.5, Some((step, step)), || step), Stand::CodedAnew);
        assert_eq!(watch.push(2.0, 0.5, Some((step, step)), || of(0.021, 0.025)), Stand::Moves);
    }
}
