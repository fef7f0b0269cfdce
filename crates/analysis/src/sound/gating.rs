//! From energies to loudness: the gates of ITU-R BS.1770-5 and EBU Tech 3342.
//!
//! An energy is the mean square of K-weighted samples, summed over the channels with their weights. Slices hold one value
//! for each 100 ms.

use reelfarm_model::measurement::sound::ProgrammeLoudness;

use super::decibels;

/// Values in a gating block of 400 ms, of which one begins every 100 ms (ITU-R BS.1770-5, annex 1).
const BLOCK: usize = 4;
/// Values in the 3 s of a short-term loudness (EBU Tech 3341, 2.2).
const SHORT_TERM: usize = 30;
/// The loudness of an energy of 1 (ITU-R BS.1770-5, annex 1, formula 2).
const OFFSET: f64 = -0.691;
/// The absolute gate, −70 LUFS.
const ABSOLUTE_GATE: f64 = -70.0;
/// The relative gate of the integrated loudness: 10 LU below what passed the absolute one.
const RELATIVE_GATE: f64 = 0.1;
/// The relative gate of the loudness range: 20 LU below what passed the absolute one (EBU Tech 3342, 3.1).
const RANGE_GATE: f64 = 0.01;
/// The share of short-term values below the loudness range (EBU Tech 3342, 3.1).
const LOW: f64 = 0.1;
/// The share of short-term values below its upper end.
const HIGH: f64 = 0.95;
/// Less is not stated: it is below what 16 bits can hold, in LUFS.
const FLOOR: f64 = -100.0;

/// The loudness of an energy, in LUFS; `None` below −100.
pub(super) fn lufs(energy: f64) -> Option<f64> {
    (energy > energy_of(FLOOR)).then(|| OFFSET + 10.0 * energy.log10())
}

/// The energy of a loudness in LUFS.
pub(super) fn energy_of(lufs: f64) -> f64 {
    10.0_f64.powf((lufs - OFFSET) / 10.0)
}

/// All that is stated of a programme.
pub(super) fn loudness(energies: &[f32], true_peak: f64) -> ProgrammeLoudness {
    ProgrammeLoudness {
        integrated_lufs: integrated(energies),
        range_lu: range(energies),
        maximum_momentary_lufs: lufs(means(energies, BLOCK).fold(0.0, f64::max)),
        maximum_short_term_lufs: lufs(means(energies, SHORT_TERM).fold(0.0, f64::max)),
        true_peak_dbtp: decibels(true_peak),
    }
}

/// The mean of each so many neighbouring values.
fn means(energies: &[f32], count: usize) -> impl Iterator<Item = f64> {
    energies
        .windows(count)
        .map(move |window| window.iter().copied().map(f64::from).sum::<f64>() / count as f64)
}

/// The mean of those that pass a gate.
fn gated_mean(energies: impl Iterator<Item = f64>, gate: f64) -> Option<f64> {
    let (count, sum) = energies
        .filter(|energy| *energy > gate)
        .fold((0_u64, 0.0), |(count, sum), energy| (count + 1, sum + energy));
    (count > 0).then(|| sum / count as f64)
}

fn integrated(energies: &[f32]) -> Option<f64> {
    let absolute = energy_of(ABSOLUTE_GATE);
    let relative = gated_mean(means(energies, BLOCK), absolute)? * RELATIVE_GATE;
    gated_mean(means(energies, BLOCK), relative.max(absolute)).and_then(lufs)
}

fn range(energies: &[f32]) -> Option<f64> {
    let absolute = energy_of(ABSOLUTE_GATE);
    let relative = gated_mean(means(energies, SHORT_TERM), absolute)? * RANGE_GATE;
    let mut passed: Vec<f32> = means(energies, SHORT_TERM)
        .filter(|energy| *energy > relative.max(absolute))
        .map(|energy| energy as f32)
        .collect();
    passed.sort_unstable_by(f32::total_cmp);
    let last = passed.len().checked_sub(1)?;
    let at = |share: f64| {
        passed.get((last as f64 * share).round() as usize).and_then(|energy| lufs(f64::from(*energy)))
    };
    Some(at(HIGH)? - at(LOW)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many seconds of each loudness.
    fn programme(parts: &[(f64, f64)]) -> Vec<f32> {
        parts
            .iter()
            .flat_map(|(seconds, lufs)| {
                std::iter::repeat_n(energy_of(*lufs) as f32, (seconds * 10.0).round() as usize)
            })
            .collect()
    }

    #[test]
    fn loudness_and_energy_are_each_others_inverse() {
        for level in [-99.0, -70.0, -23.0, 0.0, 12.5] {
            assert!((lufs(energy_of(level)).unwrap() - level).abs() < 1e-9);
        }
        assert_eq!((lufs(0.0), lufs(energy_of(-101.0))), (None, None));
    }

    #[test]
    fn gates_leave_out_what_is_far_below() {
        for (parts, expected) in [
            (&[(20.0, -23.0)][..], Some(-23.0)),
            // Below the absolute gate it does not even lower the relative one.
            (&[(20.0, -23.0), (600.0, -71.0)], Some(-23.0)),
            (&[(20.0, -23.0), (20.0, -40.0)], Some(-23.0)),
            (&[(20.0, -20.0), (20.0, -26.0)], Some(-22.0)),
            (&[(20.0, -71.0)], None),
            (&[(0.3, -23.0)], None),
            (&[], None),
        ] {
            let found = integrated(&programme(parts));
            assert_eq!(found.is_some(), expected.is_some(), "{parts:?}: {found:?}");
            if let (Some(found), Some(expected)) = (found, expected) {
                // Blocks across a change count as well.
                assert!((found - expected).abs() < 0.1, "{parts:?}: {found}");
            }
        }
    }

    #[test]
    fn the_range_leaves_out_the_quietest_tenth_and_the_loudest_twentieth() {
        let rising: Vec<(f64, f64)> = (0..1_000).map(|step| (1.0, -40.0 + f64::from(step) * 0.02)).collect();
        let found = range(&programme(&rising)).unwrap();
        assert!((found - 20.0 * 0.85).abs() < 0.1, "{found}");
        assert_eq!(range(&programme(&[(2.9, -23.0)])), None);
        assert_eq!(range(&programme(&[(20.0, -23.0)])), Some(0.0));
    }
}
